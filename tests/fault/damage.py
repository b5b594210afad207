"""
	damage.py load DIR		writes what has to survive; DIR/acked.json says what was acknowledged
	damage.py try DIR SEED N -- DISCOD ARGS...

`try` damages one file of DIR/pristine at a time, starts discod on the copy in
DIR/data, and judges: everything acknowledged is there; or the start is refused
by a line that names a remedy; or, for a file that is one registration with this
agent, that one is gone and the log names the file, which it need not when there
is no file any more.  Nothing else will do.  N: cases of each kind and file; 0: a
choice of a few dozen, with most ways to damage the log among them.
"""
import base64
import http.client
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

START_S, READY_S, SETTLED_S = 30, 15, 0.5
WRITERS = 16
SMALL, BIG = 18000, 120         # beyond the entries of a snapshot; two more segments
BIG_BYTES = 60000
OWN = re.compile(r"catalog/(services|checks)/")
REMEDY = re.compile(r"\bmv |\brm |remove|delete|give |discoctl |-data-dir", re.I)
KIDS = ("gossipd", "rpcd", "catalogd", "checkd", "dnsd", "apid", "execd")


def ask(method, path, body=None, conn=None, timeout=10):
    c = conn or http.client.HTTPConnection("127.0.0.1", 8500, timeout=timeout)
    c.request(method, path, body)
    r = c.getresponse()
    text = r.read()
    if conn is None:
        c.close()
    return r.status, text


# ---- what has to survive ----

def put_many(keys, size):
    acked, lock, todo = {}, threading.Lock(), list(reversed(keys))

    def run(n):
        conn = http.client.HTTPConnection("127.0.0.1", 8500, timeout=30)
        i = 0
        while True:
            with lock:
                if not todo:
                    return
                key = todo.pop()
            i += 1
            value = "%d.%d." % (n, i)
            value += "x" * (size - len(value))
            if ask("PUT", "/v1/kv/" + key, value, conn) == (200, b"true"):
                with lock:
                    acked[key] = value
    threads = [threading.Thread(target=run, args=(n,)) for n in range(WRITERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return acked


def load(folder):
    acked = {}
    # A key is one writer's at a time only if each is there once in a round.
    for _ in range(SMALL // 600):
        acked.update(put_many(["small/%d" % i for i in range(600)], 20))
    acked.update(put_many(["big/%d" % i for i in range(BIG)], BIG_BYTES))
    acked.update(put_many(["last/%d" % i for i in range(50)], 30))
    for name in ("one", "two"):
        assert ask("PUT", "/v1/agent/service/register", json.dumps(
            {"Name": name, "Port": 1000, "Check": {"TTL": "600s", "Status": "passing"}}))[0] == 200
    assert ask("PUT", "/v1/agent/check/pass/service:one")[0] == 200
    s = ask("PUT", "/v1/session/create", json.dumps({"Checks": []}))
    session = json.loads(s[1])["ID"]
    assert ask("PUT", "/v1/kv/last/lock?acquire=" + session, "held") == (200, b"true")
    acked["last/lock"] = "held"
    with open(folder + "/acked.json", "w") as f:
        json.dump({"keys": acked, "session": session, "services": ["one", "two"]}, f)


# ---- damages ----

def flip(p, rng):
    if not p:
        return None
    b = bytearray(p)
    b[rng.randrange(len(b))] ^= 1 << rng.randrange(8)
    return bytes(b)


def cut(p, rng):
    return p[:rng.randrange(len(p))] if p else None


def cut_end(p, rng):
    return p[:-1 - rng.randrange(min(len(p), 64))] if p else None


def zero(p, rng):
    at = rng.randrange(len(p) + 1) // 512 * 512
    q = p[:at] + bytes(min(512, len(p) - at)) + p[at + 512:]
    return q if q != p else None


def more(p, rng):
    return p + rng.randbytes(1 + rng.randrange(600))


KINDS = {"flip": flip, "cut": cut, "cut-end": cut_end, "zero": zero, "more": more,
         "empty": lambda p, rng: b"" if p else None, "removed": None}


# ---- one case ----

class Case:
    def __init__(self, folder, argv, acked):
        self.folder, self.argv, self.acked = folder, argv, acked

    def fresh(self):
        for d in ("data", "run", "log"):
            shutil.rmtree("%s/%s" % (self.folder, d), ignore_errors=True)
        subprocess.run(["cp", "-a", self.folder + "/pristine", self.folder + "/data"], check=True)
        os.mkdir(self.folder + "/log")

    def logs(self):
        out = ""
        for name in os.listdir(self.folder + "/log"):
            with open("%s/log/%s" % (self.folder, name), errors="replace") as f:
                out += f.read()
        return out

    def start(self):
        p = subprocess.run(self.argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=START_S, errors="replace")
        return p.returncode, p.stdout

    def stop(self):
        try:
            with open(self.folder + "/run/discod.pid") as f:
                pid = int(f.read())
        except OSError:
            return
        kids = subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, text=True).stdout.split()
        for k in [pid] + [int(k) for k in kids]:
            try:
                os.kill(k, signal.SIGKILL)
            except ProcessLookupError:
                pass
        end = time.monotonic() + 5
        while any(os.path.exists("/proc/%d" % k) for k in [pid] + [int(k) for k in kids]):
            if time.monotonic() > end:
                raise TimeoutError("the suite does not end")
            time.sleep(0.01)

    def have(self):
        """What is missing or wrong, as words."""
        end, why = time.monotonic() + READY_S, ["nothing answers"]
        before, since = None, 0
        while time.monotonic() < end:
            try:
                why = self.look()
            except (OSError, http.client.HTTPException, ValueError) as e:
                why = [str(e)]
            if not why:
                return why
            # What is not there once a leader answers does not come by waiting.
            if why[0].split()[0] in ("key", "wrong:", "service", "check", "state", "the"):
                if why == before and time.monotonic() > since + SETTLED_S:
                    return why
                if why != before:
                    before, since = why, time.monotonic()
            time.sleep(0.05)
        return why

    def look(self):
        status, text = ask("GET", "/v1/kv/?recurse&consistent")
        if status not in (200, 404):
            return ["status %d: %s" % (status, text.decode(errors="replace").strip())]
        rows = {e["Key"]: e for e in json.loads(text)} if status == 200 else {}
        got = {k: base64.b64decode(e["Value"] or "").decode() for k, e in rows.items()}
        want = self.acked["keys"]
        bad = ["key %s" % k for k, v in want.items() if got.get(k) != v]
        bad += ["key %s is too much" % k for k in got if k not in want]
        if bad:
            return bad
        if rows["last/lock"].get("Session") != self.acked["session"]:
            return ["the lock has no holder"]
        status, text = ask("GET", "/v1/agent/services")
        have = json.loads(text)
        for s in self.acked["services"]:
            if s not in have:
                bad.append("service %s" % s)
            elif have[s]["Port"] != 1000 or have[s]["Service"] != s:
                bad.append("wrong: service %s is %s" % (s, have[s]))
        status, text = ask("GET", "/v1/agent/checks")
        have = json.loads(text)
        for s in self.acked["services"]:
            c = have.get("service:" + s)
            if c is None:
                bad.append("check of %s" % s)
            elif c["ServiceName"] != s or c["Type"] != "ttl":
                bad.append("wrong: check of %s is %s" % (s, c))
            elif c["Status"] != "passing":
                bad.append("state of %s is %s" % (s, c["Status"]))
        return bad

    def judge(self, file, removed=False):
        """(verdict, words)"""
        try:
            rc, said = self.start()
        except subprocess.TimeoutExpired:
            return "hangs", self.logs()[-800:]
        everything = said + self.logs()
        if re.search(r"signal (?!9|15)\d+|Sanitizer|runtime error", everything):
            return "crash", everything[-1500:]
        if rc != 0:
            lines = [x for x in said.splitlines() if x.strip()]
            if len(lines) == 1 and REMEDY.search(said):
                return "refused", said.strip()
            return "refused badly", said.strip()
        bad = self.have()
        if re.search(r"signal (?!9|15)\d+|Sanitizer|runtime error", self.logs()):
            return "crash", self.logs()[-1500:]
        if not bad:
            return "whole", ""
        named = os.path.basename(file) in self.logs()
        if OWN.search(file) and (named or removed) and not any(b.startswith("wrong") or b.startswith("key") for b in bad):
            return "gone", "%s" % bad
        return "LIE", "%d: %s (named in the log: %s)" % (len(bad), "; ".join(bad[:4]), named)


def attempt(folder, seed, n, argv):
    with open(folder + "/acked.json") as f:
        case = Case(folder, argv, json.load(f))
    files = sorted(os.path.relpath(os.path.join(d, f), folder + "/pristine")
                   for d, _, fs in os.walk(folder + "/pristine") for f in fs)
    counts, wrong, t0 = {}, 0, time.monotonic()
    case.fresh()
    verdict, words = case.judge("")
    case.stop()
    print("undamaged: %s %s" % (verdict, words))
    if verdict != "whole":
        return False
    few = random.Random(seed)
    for file in files:
        with open(os.path.join(folder, "pristine", file), "rb") as f:
            p = f.read()
        kinds = list(KINDS)
        if n == 0:
            kinds = few.sample(kinds, 4 if "/raft/" in file else 1)
        for kind in kinds:
            make = KINDS[kind]
            for i in range(1 if kind in ("empty", "removed") else max(n, 1)):
                q = make(p, random.Random("%s/%s/%s/%d" % (seed, file, kind, i))) if make else None
                if make is not None and q is None:
                    continue
                case.fresh()
                path = os.path.join(folder, "data", file)
                if make is None:
                    os.unlink(path)
                else:
                    with open(path, "r+b") as f:
                        f.truncate(0)
                        f.write(q)
                verdict, words = case.judge(file, make is None)
                case.stop()
                counts[verdict] = counts.get(verdict, 0) + 1
                good = verdict in ("whole", "refused", "gone")
                wrong += not good
                if not good or os.environ.get("VERBOSE"):
                    print("%s: %s, case %d: %s: %s" % (file, kind, i, verdict, words))
                    sys.stdout.flush()
    print("%d cases in %.0f s: %s" % (sum(counts.values()), time.monotonic() - t0,
          ", ".join("%d %s" % (c, v) for v, c in sorted(counts.items()))))
    return wrong == 0


def main(argv):
    if argv[1] == "load":
        load(argv[2])
        return True
    return attempt(argv[2], argv[3], int(argv[4]), argv[argv.index("--") + 1:])


if __name__ == "__main__":
    sys.exit(not main(sys.argv))
