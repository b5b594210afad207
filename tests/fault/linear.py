"""
Are recorded histories possible?  Two checks on what history.py wrote:

registers	every key by itself is one atomic register: put, cas and get of
		each client can be put into one order that agrees with what
		they returned and with real time (Wing and Gong, in the form
		that walks through the events and keeps all possible states)
locks		no key is held by two sessions at a time, nobody takes a lock
		within the delay after its holder's session ended

An operation whose outcome is unknown may take effect at any time after it
began, or never.  Times are in ns on one clock.  Values written are unique.

	python3 linear.py registers [consistent,default,stale] FILE...
	python3 linear.py locks FILE...
"""
import collections
import json
import sys

FOREVER = float("inf")
CONFIGS_MAX = 200000


class Op:
    """f: put (value), cas (expect, value), get (value); ok: True, False, None: unknown."""
    __slots__ = ("f", "expect", "value", "ok", "begin", "end", "line", "junk")

    def __init__(self, f, value, begin, end, ok=True, expect=None, line=None):
        self.f, self.value, self.begin, self.end = f, value, begin, end
        self.ok, self.expect, self.line = ok, expect, line
        self.junk = False
        if ok is None:
            self.end = FOREVER

    def step(self, state):
        """The states after it; empty: it cannot happen in this one."""
        if self.f == "get":
            return (state,) if state == self.value else ()
        if self.f == "put":
            return (self.value,)
        if self.ok is True:
            return (self.value,) if state == self.expect else ()
        if self.ok is False:
            return (state,) if state != self.expect else ()
        return (self.value,) if state == self.expect else ()

    def __str__(self):
        what = {"get": "get = %s" % self.value, "put": "put %s" % self.value,
                "cas": "cas %s -> %s" % (self.expect, self.value)}[self.f]
        end = "?" if self.end == FOREVER else "%.3f" % (self.end / 1e6)
        return "[%.3f .. %s ms] %s: %s" % (self.begin / 1e6, end, what, self.ok)


def bound(ops):
    """
    An unknown write that somebody saw had happened by then.  One that nobody
    saw or compared with is as good as any other of them: junk.
    """
    seen, named = {}, set()
    for o in ops:
        if o.f == "get":
            seen[o.value] = min(seen.get(o.value, FOREVER), o.end)
        elif o.f == "cas":
            named.add(o.expect)
            if o.ok:
                seen[o.expect] = min(seen.get(o.expect, FOREVER), o.end)
    for o in ops:
        if o.ok is None:
            o.end = seen.get(o.value, FOREVER)
            o.junk = (o.f == "put" and o.end == FOREVER and
                      o.value not in named)


JUNK = "(a value that nobody saw)"


def register(ops):
    """None, or the operation that no order can explain."""
    bound(ops)
    junk = sorted(o.begin for o in ops if o.junk)
    ops = [o for o in ops if not o.junk]
    events = []
    for i, o in enumerate(ops):
        events.append((o.begin, 0, i))
        if o.end != FOREVER:
            events.append((o.end, 1, i))
    events.sort()
    pending = []
    # A configuration: the value, pending ones that have happened, junk used.
    configs = {(None, frozenset(), 0)}
    njunk = 0
    for at, is_end, i in events:
        if not is_end:
            pending.append(i)
            continue
        while njunk < len(junk) and junk[njunk] < at:
            njunk += 1
        configs = happen(configs, ops, pending, i, njunk)
        if not configs:
            return ops[i]
        pending.remove(i)
    return None


def happen(configs, ops, pending, i, njunk):
    """The configurations in which ops[i], which ends now, has happened."""
    out, todo, known = set(), list(configs), set(configs)
    while todo:
        state, done, used = todo.pop()
        if i in done:
            out.add((state, done - {i}, used))
            continue
        nexts = [(s, done | {j}, used) for j in pending if j not in done
                 for s in ops[j].step(state)]
        if used < njunk:
            nexts.append((JUNK, done, used + 1))
        for c in nexts:
            if c not in known:
                known.add(c)
                todo.append(c)
        if len(known) > CONFIGS_MAX:
            raise OverflowError("too many possible orders around %s" % ops[i])
    return out


# ---- files ----

def records(files):
    for name in files:
        with open(name) as f:
            for n, line in enumerate(f, 1):
                # The last line of a recorder that was killed.
                if line.endswith("\n"):
                    r = json.loads(line)
                    r["line"] = "%s:%d" % (name.rsplit("/", 1)[-1], n)
                    yield r


def by_key(files, modes):
    keys = collections.defaultdict(list)
    for r in records(files):
        if r["f"] not in ("put", "cas", "get"):
            continue
        if r["f"] == "get" and r["mode"] not in modes:
            continue
        keys[r["key"]].append(Op(r["f"], r["value"], r["begin"], r["end"],
                                 r["ok"], r.get("expect"), r["line"]))
    return keys


def explain(key, ops, bad):
    print("%s: no order of its operations explains (%s)" % (key, bad.line))
    print("    %s" % bad)
    near = [o for o in ops if o.begin <= bad.end and
            o.end >= bad.begin - 1e9 and o is not bad]
    for o in sorted(near, key=lambda o: o.begin)[-25:]:
        print("  beside it: %s (%s)" % (o, o.line))


def registers(files, modes, quiet=False):
    keys, bad = by_key(files, modes), 0
    n = reads = unknown = 0
    for key, ops in sorted(keys.items()):
        n += len(ops)
        reads += sum(o.f == "get" for o in ops)
        unknown += sum(o.ok is None for o in ops)
        wrong = register(ops)
        if wrong is not None:
            bad += 1
            if not quiet and bad <= 3:
                explain(key, ops, wrong)
    print("%d keys, %d operations, %d reads (%s), %d of unknown outcome: %d keys not linearizable" %
          (len(keys), n, reads, ",".join(sorted(modes)), unknown, bad))
    return n > 0 and bad == 0


# ---- locks ----

def sessions(files):
    """Session -> what its owner knows; key -> acquisitions."""
    s, taken = {}, collections.defaultdict(list)
    rows = sorted((r for r in records(files) if r["f"] in
                   ("create", "renew", "destroy", "acquire", "release")),
                  key=lambda r: r["begin"])
    for r in rows:
        x = s.setdefault(r["session"], {"renewed": [], "ended": None,
                                        "released": collections.defaultdict(list)})
        if r["f"] in ("create", "renew") and r["ok"]:
            x["renewed"].append(r["begin"])
            x["ttl"], x["delay"] = r["ttl"], r["delay"]
        elif r["f"] == "destroy":
            x["ended"] = r["begin"]
            x["destroyed"] = r["ok"]
        elif r["f"] == "release":
            x["released"][r["key"]].append(r["begin"])
        elif r["f"] == "acquire" and r["ok"]:
            taken[r["key"]].append(r)
    return s, taken


def holds(s, taken):
    """(from, until, session, acquisition, why until, delay): surely held."""
    out = []
    for r in taken:
        x = s[r["session"]]
        ends = [(t, "released", 0) for t in x["released"][r["key"]]
                if t >= r["begin"]][:1]
        if x["ended"] is not None:
            ends.append((x["ended"], "destroyed",
                         x["delay"] if x["destroyed"] else 0))
        # Its time to live counts from the last word that surely arrived.
        ends.append((max(x["renewed"]) + x["ttl"], "not renewed", x["delay"]))
        until, why, delay = min(ends)
        out.append((r["end"], until, r["session"], r, why, delay))
    return sorted(out, key=lambda h: h[0])


def lock_errors(s, taken):
    errors = []
    for key, rows in sorted(taken.items()):
        hs = holds(s, rows)
        for n, (start, until, who, r, why, delay) in enumerate(hs):
            for start2, until2, who2, r2, _, _ in hs[n + 1:]:
                if who2 == who:
                    continue
                both = start2 <= until and (until2 > start2 or
                                            r2["begin"] >= start)
                if both and start <= until:
                    errors.append("%s: held by %s from %.3f to %.3f ms and taken by %s at %.3f" %
                                  (key, who, start / 1e6, until / 1e6, who2, start2 / 1e6))
                # Surely taken after it, and surely within the delay.
                elif (delay and start <= until and r2["begin"] >= start and
                      start2 < until + delay):
                    errors.append("%s: %s %s at %.3f ms, taken by %s at %.3f, within the delay of %d ms" %
                                  (key, who, why, until / 1e6, who2, start2 / 1e6, delay / 1e6))
                if start2 > until + delay:
                    break
    return errors


def locks(files):
    s, taken = sessions(files)
    errors = lock_errors(s, taken)
    for e in errors[:10]:
        print(e)
    n = sum(len(r) for r in taken.values())
    print("%d sessions, %d locks taken on %d keys: %d errors" %
          (len(s), n, len(taken), len(errors)))
    return n > 0 and not errors


def main(argv):
    if len(argv) > 3 and argv[1] == "registers":
        return registers(argv[3:], set(argv[2].split(",")))
    if len(argv) > 2 and argv[1] == "locks":
        return locks(argv[2:])
    sys.stderr.write(__doc__)
    return False


if __name__ == "__main__":
    sys.exit(not main(sys.argv))
