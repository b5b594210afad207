"""
Watches a datacenter through one agent, and judges what was seen.

watch.py record OUT    asks 127.0.0.1:8500 for ever; each change is a line
                       "TIME KIND KEY VALUE":
    CHECK NODE/CHECKID     status, by a blocking query
    MEMBER NODE            status in the agent's own view, each half second
    NODE NODE              ModifyIndex in the catalog, each half second
    SERVICE NODE/ID        the same
    gone                   for a value: it was there before
watch.py judge OUT     standard input holds "KIND KEY SEQUENCE" lines, the
                       first whose key (a glob) fits counts; a SEQUENCE is a
                       regular expression for the values one after the other;
                       indexes are written 1, 2, ... in the order they came.
                       A key that no line names is an error, and so is a line
                       that no key fits.
watch.py errors LOG WINDOWS ALLOWED
                       error lines of a log (of disco's: warnings, too) that
                       ALLOWED ("WHEN<TAB>PATTERN<TAB>REASON" lines) does not
                       know, or, unless WHEN is `always`, that are outside all
                       WINDOWS ("BEGIN END" lines, in seconds)
"""
import fnmatch
import http.client
import json
import re
import sys
import threading
import time
from datetime import datetime, timezone

MEMBER = ["none", "alive", "leaving", "left", "failed"]
lock = threading.Lock()


def get(path, timeout=5):
    c = http.client.HTTPConnection("127.0.0.1", 8500, timeout=timeout)
    try:
        c.request("GET", path)
        r = c.getresponse()
        body = r.read()
        if r.status != 200:
            raise OSError("%d %s" % (r.status, body[:100]))
        return json.loads(body), int(r.getheader("X-Consul-Index") or 0)
    finally:
        c.close()


class Recorder:
    def __init__(self, path):
        self.out = open(path, "a", buffering=1)
        self.seen = {}

    def put(self, kind, now):
        """NOW is all of its kind."""
        with lock:
            old = self.seen.get(kind, {})
            for key in sorted(set(old) | set(now)):
                was, value = old.get(key), now.get(key, "gone")
                if was != value and not (was is None and value == "gone"):
                    self.out.write("%.3f %s %s %s\n" %
                                   (time.time(), kind, key, value))
            self.seen[kind] = {k: now.get(k, "gone")
                               for k in set(old) | set(now)}


def checks(rec):
    index = 0
    while True:
        try:
            rows, new = get("/v1/health/state/any?index=%d&wait=20s" % index, 40)
            index = new if new >= index else 0
            rec.put("CHECK", {"%s/%s" % (r["Node"], r["CheckID"]): r["Status"]
                              for r in rows})
        except (OSError, ValueError, http.client.HTTPException):
            time.sleep(0.2)     # no leader, or the agent is away


def tables(rec):
    while True:
        try:
            nodes = get("/v1/catalog/nodes")[0]
            services = {}
            for name in get("/v1/catalog/services")[0]:
                for r in get("/v1/catalog/service/" + name)[0]:
                    services["%s/%s" % (r["Node"], r["ServiceID"])] = \
                        r["ModifyIndex"]
            rec.put("NODE", {r["Node"]: r["ModifyIndex"] for r in nodes})
            rec.put("SERVICE", services)
        except (OSError, ValueError, http.client.HTTPException):
            pass
        time.sleep(0.5)


def members(rec):
    while True:
        try:
            rec.put("MEMBER", {m["Name"]: MEMBER[m["Status"]]
                               for m in get("/v1/agent/members")[0]})
        except (OSError, ValueError, http.client.HTTPException):
            pass
        time.sleep(0.5)


def record(path):
    rec = Recorder(path)
    for fn in (tables, members):
        threading.Thread(target=fn, args=(rec,), daemon=True).start()
    checks(rec)


def judge(path):
    seen, when = {}, {}
    for line in open(path):
        at, kind, key, value = line.split()
        seen.setdefault((kind, key), []).append(value)
        when.setdefault((kind, key), []).append(
            datetime.fromtimestamp(float(at), timezone.utc).strftime("%T"))
    rules = [line.split(None, 2) for line in sys.stdin if line.strip()]
    used, bad = set(), 0
    for (kind, key), values in sorted(seen.items()):
        names, told = {}, values
        if kind in ("NODE", "SERVICE"):
            told = [v if v == "gone" else
                    str(names.setdefault(v, len(names) + 1)) for v in values]
        for i, (k, glob, want) in enumerate(rules):
            if k == kind and fnmatch.fnmatchcase(key, glob):
                used.add(i)
                break
        else:
            want = "nothing"
        if not re.fullmatch(want.strip(), " ".join(told)):
            bad = 1
            print("%s %s: not %s: %s" % (kind, key, want.strip(), " ".join(
                "%s@%s" % p for p in zip(values, when[kind, key]))))
    for i, rule in enumerate(rules):
        if i not in used:
            bad = 1
            print("never seen: %s" % " ".join(rule).strip())
    return bad


def errors(log, windows, allowed):
    spans = [tuple(map(float, w.split())) for w in open(windows)]
    rules = [(a.split("\t")[0] == "always", re.compile(a.split("\t")[1]))
             for a in open(allowed)]
    levels = "ERROR" if log.endswith("consul.log") else "ERROR|ERR|WARN"
    bad = 0
    for line in open(log, errors="replace"):
        m = re.match(r"\s*(\S+Z) \[(%s)\]" % levels, line)
        if m is None:
            continue
        at = datetime.strptime(m[1], "%Y-%m-%dT%H:%M:%S.%fZ").replace(
            tzinfo=timezone.utc).timestamp()
        inside = any(b <= at <= e for b, e in spans)
        if any(r.search(line) for always, r in rules if inside or always):
            continue
        bad = 1
        print(line.rstrip())
    return bad


if __name__ == "__main__":
    sys.exit({"record": record, "judge": judge,
              "errors": errors}[sys.argv[1]](*sys.argv[2:]))
