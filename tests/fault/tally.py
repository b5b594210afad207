"""
What history.py recorded besides registers and locks, added up.

	tally.py writes KEYS FILE...	every acknowledged write is among the keys of a
					dump (?recurse), with its value
	tally.py dns WINDOWS NODE FILE	every question had its answer, but for the times
					when the node itself was down ("down NODE NS",
					"up NODE NS" lines) and until its first answer after;
					none lacked one of the addresses for long: gossip may
					take a node for dead that waits for its processor, but
					it comes back at once
	tally.py gap NS FILE...		the longest time in ms without an acknowledged write,
					from a second before NS on
"""
import base64
import json
import sys
import time

LACKING_NS = 30 * 10**9     # after a minute the leader would look by itself
LOST_WITH_PROCESS_NS = 11 * 10**9    # a question that waited when it ended


def records(files):
    for name in files:
        with open(name) as f:
            for line in f:
                if line.endswith("\n"):
                    yield json.loads(line)


def writes(dump, files):
    with open(dump) as f:
        have = {e["Key"]: base64.b64decode(e["Value"] or "").decode() for e in json.load(f)}
    acked = [r["value"] for r in records(files) if r["ok"]]
    unknown = [r["value"] for r in records(files) if not r["ok"]]
    lost = [v for v in acked if have.get("ack/" + v) != v]
    print("%d writes acknowledged, %d lost; %d of unknown outcome, %d of them took place" %
          (len(acked), len(lost), len(unknown), sum("ack/" + v in have for v in unknown)))
    for v in lost[:10]:
        print("lost: %s" % v)
    return bool(acked) and not lost


def down_times(path, node):
    spans, start = [], None
    with open(path) as f:
        for what, who, at in (line.split() for line in f):
            if who != node:
                continue
            if what == "down" and start is None:
                start = int(at)
            elif what == "up" and start is not None:
                spans.append([start, int(at)])
                start = None
    if start is not None:
        spans.append([start, float("inf")])
    return spans


def dns(windows, node, file):
    rows = list(records([file]))
    spans = down_times(windows, node)
    for s in spans:
        s[1] = min((r["end"] for r in rows if r["ok"] and r["begin"] >= s[1]), default=float("inf"))
    bad = [r for r in rows if not r["ok"] and
           not any(a - LOST_WITH_PROCESS_NS <= r["begin"] <= b for a, b in spans)]
    lacking, since = 0, None
    for r in rows:
        if r["ok"] and not r["whole"]:
            since = r["begin"] if since is None else since
            lacking = max(lacking, r["end"] - since)
        else:
            since = None
    slow = max((r["end"] - r["begin"] for r in rows if r["ok"]), default=0)
    print("%s: %d questions, %d without an answer; one address lacking for %.0f ms at most; slowest %.0f ms" %
          (node, len(rows), len(bad), lacking / 1e6, slow / 1e6))
    for r in bad[:10]:
        print("    at %d: rcode %s %s" % (r["begin"], r["rcode"], r["got"]))
    return any(r["ok"] for r in rows) and not bad and lacking < LACKING_NS


def gap(at, files):
    ends = sorted(r["end"] for r in records(files) if r["ok"] and r["end"] >= at - 10**9) or [at]
    ends.append(time.clock_gettime_ns(time.CLOCK_BOOTTIME))
    print(max(b - a for a, b in zip(ends, ends[1:])) // 10**6)
    return True


def main(argv):
    what, args = argv[1], argv[2:]
    if what == "writes":
        return writes(args[0], args[1:])
    if what == "dns":
        return dns(*args)
    return gap(int(args[0]), args[1:])


if __name__ == "__main__":
    sys.exit(not main(sys.argv))
