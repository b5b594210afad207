"""
The soak's driver: starts the agents of one run, does to them what the seed
says, asks every agent each second whom it sees, and holds that against who was
really up.  Hosts and addresses are tests/lib.sh's; tests/interop/soak calls it.

What is an error
    an agent shows a member failed or left that was up: from when it went down
    until all that are up have shown it alive again, RECOVER_S at most
    the views differ at the end
    a disco agent shows a member failed without a line in its log that says who
    suspected it

Who declared it is looked up in the logs.  A real agent that was stopped itself,
or found no CPU, accuses others for it; that is told with the evidence and is
not held against disco.  A declaration of disco's always is.  Nor is it that an
agent of Serf's, restarted, has who left and came back as leaving: it dates the
leave anew.
"""
import base64
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone

T, TAG = os.environ["T"], os.environ["TAG"]
BIN, CONSUL, SERF = os.environ["BIN"], os.environ["CONSUL"], os.environ["SERF"]
RECOVER_S = 120         # whom the others had as left learns it by an exchange
                        # of state with one of them, one each 30 s
LEARN_S = 45            # one that was restarted has an exchange of state by then
AGREE_S = 90            # until all views are one, at the end
READY_S = 60
DOWN_MAX = 2            # at once
FROZEN_S = 30           # how long after a stop an agent's word is doubtful
LATE_S = 0.5            # a sleeper woken so late: no CPU
STARVED = 80            # percent; then all agents are late
STATUS = ["none", "alive", "leaving", "left", "failed"]


def say(text):
    sys.stdout.write("# %s\n" % text)      # in one go: threads speak at once
    sys.stdout.flush()


def starved():
    """Percent of the last minute in which somebody waited for a CPU."""
    try:
        with open("/proc/pressure/cpu") as f:
            return float(re.search(r"avg60=([0-9.]+)", f.readline()).group(1))
    except (OSError, AttributeError):
        return 0.0


def b64key(rng):
    return base64.b64encode(bytes(rng.randrange(256) for _ in range(32))).decode()


class Agent:
    """One agent: how it is started, ended and asked."""

    def __init__(self, number, kind, server, run):
        self.name = "node%d" % number
        self.ip = "10.0.0.%d" % (number + 1)
        self.kind, self.server, self.run = kind, server, run
        self.dir = os.path.join(T, self.name)
        self.proc = None
        self.up = False
        self.lock = threading.Lock()
        self.down = []          # [from, until or None, how, seen back or None]
        self.stopped = []       # (from, until)
        self.last = (0, {})     # when, what it showed

    def on(self, *cmd):
        return ["ip", "netns", "exec", TAG + self.name] + list(cmd)

    def http(self, method, path, timeout=1.5):
        c = http.client.HTTPConnection(self.ip, 8500, timeout=timeout)
        try:
            c.request(method, path)
            r = c.getresponse()
            return r.status, r.read()
        finally:
            c.close()

    def view(self):
        """name -> (address, port, status, tags), or None: no answer"""
        try:
            if self.kind == "serf":
                r = subprocess.run(
                    [SERF, "members", "-format=json", "-rpc-addr=%s:7373" % self.ip],
                    capture_output=True, timeout=3)
                if r.returncode != 0:
                    return None
                out = {}
                for m in json.loads(r.stdout)["members"]:
                    addr, port = m["addr"].rsplit(":", 1)
                    out[m["name"]] = (addr, int(port), m["status"], m["tags"])
                return out
            status, body = self.http("GET", "/v1/agent/members")
            if status != 200:
                return None
            return {m["Name"]: (m["Addr"], m["Port"], STATUS[m["Status"]], m["Tags"])
                    for m in json.loads(body)}
        except (OSError, ValueError, KeyError, http.client.HTTPException,
                subprocess.TimeoutExpired):
            return None

    def join_args(self):
        port = ":8301" if self.kind == "serf" else ""
        return [x for a in self.run.contacts if a is not self
                for x in ("-retry-join", a.ip + port)]

    def config(self):
        c = {"client_addr": "0.0.0.0", "retry_interval": "2s"}
        if self.run.key:
            c["encrypt"] = self.run.key
        if self.kind == "consul" and self.server:
            # Else its leader makes a failed server leave.
            c["autopilot"] = {"cleanup_dead_servers": False}
        return c

    def start(self):
        os.makedirs(self.dir + "/log", exist_ok=True)
        conf = self.dir + "/soak.json"
        out = open(self.dir + "/%s.log" % self.kind, "ab")
        server = ["-server", "-bootstrap-expect=%d" % len(self.run.servers)] if self.server else []
        if self.kind == "serf":
            keys = []
            ring = self.dir + "/serf-keyring.json"
            if self.run.key:
                keys = ["-keyring-file", ring]
                if not os.path.exists(ring):
                    with open(ring, "w") as f:
                        json.dump([self.run.key], f)
            cmd = [SERF, "agent", "-node", self.name, "-bind", self.ip + ":8301",
                   "-rpc-addr", self.ip + ":7373", "-tag", "role=node", "-tag", "dc=dc1",
                   "-tag", "segment=", "-retry-interval", "2s"] + keys + self.join_args()
        else:
            with open(conf, "w") as f:
                json.dump(self.config(), f)
        if self.kind == "consul":
            cmd = [CONSUL, "agent", "-node", self.name, "-bind", self.ip, "-advertise", self.ip,
                   "-data-dir", self.dir + "/consul-data", "-config-file", conf] \
                + server + self.join_args()
        if self.kind == "disco":
            cmd = [BIN + "/discod", "-node", self.name, "-advertise", self.ip,
                   "-data-dir", self.dir + "/data", "-config-file", conf,
                   "-run-dir", self.dir + "/run", "-log-file", self.dir + "/log/"] \
                + server + self.join_args()
            r = subprocess.run(self.on(*cmd), stdout=out, stderr=out, timeout=60)
            if r.returncode != 0:
                with open(out.name, errors="replace") as f:
                    self.run.error("%s: discod did not start: %s" % (self.name, f.read()[-300:]))
        else:
            self.proc = subprocess.Popen(self.on(*cmd), stdout=out, stderr=out)
        self.up = True

    def pids(self):
        if self.kind != "disco":
            return [self.proc.pid] if self.proc.poll() is None else []
        try:
            with open(self.dir + "/run/discod.pid") as f:
                parent = int(f.read())
            os.kill(parent, 0)
        except (OSError, ValueError):
            return []
        kids = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True)
        return [parent] + [int(p) for p in kids.stdout.split()]

    def signal(self, signo, pids=None):
        for p in self.pids() if pids is None else pids:
            try:
                os.kill(p, signo)
            except ProcessLookupError:
                pass

    def wait_gone(self, seconds):
        end = time.time() + seconds
        while time.time() < end:
            if self.kind != "disco":
                if self.proc.poll() is not None:
                    return True
            elif not self.pids():
                return True
            time.sleep(0.05)
        return False

    # ---- what may happen to it; each returns when it is up again ----

    def was_down(self, how):
        self.down.append([time.time(), None, how, None])

    def is_back(self):
        self.down[-1][1] = time.time()

    def act_kill(self, seconds):
        self.was_down("kill")
        self.up = False
        self.signal(signal.SIGKILL)
        self.wait_gone(10)
        self.run.pause(seconds)
        self.start()
        self.is_back()

    def act_stop(self, seconds):
        pids = self.pids()
        self.was_down("stop")
        self.signal(signal.SIGSTOP, pids)
        self.run.pause(seconds)
        self.signal(signal.SIGCONT, pids)
        self.is_back()
        self.stopped.append((self.down[-1][0], self.down[-1][1]))

    def act_leave(self, seconds):
        self.was_down("leave")
        self.up = False
        self.signal(signal.SIGINT if self.kind == "serf" else signal.SIGTERM,
                    self.pids()[:1])
        if not self.wait_gone(30):
            self.run.error("%s: did not leave in 30 s" % self.name)
            self.signal(signal.SIGKILL)
        self.run.pause(seconds)
        self.start()
        self.is_back()

    def act_gossipd(self, _seconds):
        """The one process alone: it is back before anybody can miss it."""
        for p in self.pids():
            try:
                with open("/proc/%d/comm" % p) as f:
                    if f.read().strip() == "gossipd":
                        os.kill(p, signal.SIGKILL)
            except OSError:
                pass

    def may_be(self, status, since, until):
        """Was it in that state for somebody, some time between?"""
        for start, end, how, seen in self.down:
            if start > until or (seen is not None and seen < since) or \
                    (end is not None and end + RECOVER_S < since):
                continue
            if status == "failed" or how == "leave":
                return True
        return False


class Run:
    def __init__(self, name, seconds, seed):
        servers, keys = name.split("-")
        self.name, self.seconds = name, seconds
        self.rng = random.Random("%s %s" % (seed, name))
        self.keys = keys
        self.key = None if keys == "plain" else b64key(self.rng)
        if servers == "disco":
            kinds = ["disco"] * 3 + ["consul"] * 2 + ["serf"] * 3
            nservers = 1
        else:
            kinds = ["consul"] * 3 + ["disco"] * 3 + ["consul"] + ["serf"] * 2
            nservers = 3
        self.servers = []
        self.agents = []
        for i, kind in enumerate(kinds):
            a = Agent(i + 1, kind, i < nservers, self)
            self.agents.append(a)
            if a.server:
                self.servers.append(a)
        # One of each kind: the only one may have been restarted itself.
        self.contacts = self.servers + [self.agents[nservers], self.agents[-1]]
        self.by_name = {a.name: a for a in self.agents}
        self.errors = []
        self.peers_word = []        # accusations of real agents, with evidence
        self.over = threading.Event()
        self.last_key = threading.Event()   # no new rotation begins
        self.busy = set()           # agents to which something is being done
        self.calm = threading.Lock()        # held by whoever wants nobody down
        self.last = {}              # viewer -> its last view
        self.seen = {}              # (viewer, member) -> status
        self.failed_at = []         # (viewer, member, when): shown failed
        self.shown_wrong = {}       # member -> when last reported
        self.looks = 0
        self.looking = threading.Lock()
        self.back = []              # (seconds until all had it alive, agent, how)
        self.late = []              # (when, seconds)
        self.rotations = 0

    def error(self, text):
        self.errors.append(text)
        say("ERROR %s %s" % (datetime.now(timezone.utc).strftime("%H:%M:%S.%f")[:-3], text))

    def pause(self, seconds):
        """Not cut short at the end: a schedule is played as it stands."""
        time.sleep(seconds)

    # ---- watching ----

    def watch(self, a):
        while not self.over.is_set():
            t0 = time.time()
            view = a.view()
            t1 = time.time()
            if view is not None:
                self.looks += 1
                self.take(a, view, t0, t1)
            self.over.wait(max(0.1, 1 - (time.time() - t0)))

    def recovered(self, when):
        """Who was down and is now shown alive by all that are up."""
        for m in self.agents:
            d = m.down[-1] if m.down else None
            if d is None or d[1] is None or d[3] is not None:
                continue
            if all(a.last[0] > d[1] and a.last[1].get(m.name, ("",) * 3)[2] == "alive"
                   for a in self.agents if a.up):
                d[3] = when
                self.back.append((when - d[1], m, d[2]))

    def take(self, a, view, t0, t1):
        if not a.up:
            return              # one that is leaving hears no more
        self.last[a.name] = view
        a.last = (t0, view)
        with self.looking:
            self.recovered(t1)
        for name, (_addr, _port, status, _tags) in view.items():
            key = (a.name, name)
            if status == "failed" and self.seen.get(key) != "failed":
                self.failed_at.append((a, name, t1))
            self.seen[key] = status
            m = self.by_name.get(name)
            if m is None:
                self.error("%s shows %s, whom nobody knows" % (a.name, name))
            elif status in ("failed", "left", "leaving") and not m.may_be(status, t0, t1):
                self.wrong(a, m, status, t1)

    def tick(self):
        while not self.over.is_set():
            t = time.time()
            time.sleep(0.1)
            late = time.time() - t - 0.1
            if late > LATE_S:
                self.late.append((t, late))

    # ---- who said so ----

    STAMP = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?")

    def lines_about(self, member, since, until):
        """(agent, line) of all logs that name it as suspected or failed."""
        word = re.compile(r"\b%s\b" % member)
        kind = re.compile(r"suspect|failed|-> dead|refut", re.I)
        for a in self.agents:
            paths = [a.dir + "/%s.log" % a.kind]
            if a.kind == "disco":
                paths = [a.dir + "/log/" + f for f in os.listdir(a.dir + "/log")]
            for path in paths:
                try:
                    f = open(path, errors="replace")
                except OSError:
                    continue
                with f:
                    for line in f:
                        s = self.STAMP.search(line)
                        if s is None or word.search(line) is None or kind.search(line) is None:
                            continue
                        when = datetime(*(int(x) for x in s.groups()[:6]),
                                        tzinfo=timezone.utc).timestamp()
                        if since <= when + 1 and when <= until:
                            yield a, line.strip()

    def declarers(self, member, when):
        """Agents that declared it themselves, and the lines."""
        who, lines = set(), []
        for a, line in self.lines_about(member, when - 30, when + 1):
            own = r"member %s: .*not refuted in" if a.kind == "disco" else "Marking %s as failed"
            if re.search(own % member, line):
                who.add(a)
            said = re.search(r"member %s: .* -> failed: by word of (\S+)" % member, line)
            if said and said.group(1) in self.by_name:
                who.add(self.by_name[said.group(1)])
            lines.append("%s: %s" % (a.name, line))
        return who, lines

    def excuse(self, member, who, when):
        """Why real agents may have been wrong, or None."""
        if not who or any(a.kind == "disco" for a in who):
            return None
        if member.kind != "disco" and all(a.last[1].get(member.name, ("",) * 3)[2] == "alive"
                                          for a in self.agents if a.kind == "disco" and a.up):
            # memberlist does not answer an accuser that missed the refutation.
            return "between real agents; it is alive for all of disco"
        for a in who:
            for start, end in a.stopped + [(d[0], d[1] or when) for d in a.down if d[2] == "stop"]:
                if start <= when and when <= end + FROZEN_S:
                    return "%s, which declared it, was stopped for %.1f s" % (a.name, end - start)
        late = [d for t, d in self.late if when - 30 <= t <= when]
        if late:
            return "no CPU: a sleeper woke %.1f s late" % max(late)
        if starved() > STARVED:
            return "no CPU: somebody waited for it %.0f %% of the last minute" % starved()
        return None

    def old_leave(self, viewer, member):
        """Serf takes an old leave for a new one: who missed a return tells of the
        leave with the time of the return, and one more.  Ours do not."""
        if viewer.kind != "disco" and any(d[2] == "leave" for d in member.down):
            return "it had left before, and Serf dates that leave anew"
        return None

    def wrong(self, viewer, member, status, when):
        if when - self.shown_wrong.get(member.name, 0) < RECOVER_S:
            return
        self.shown_wrong[member.name] = when
        who, lines = self.declarers(member.name, when)
        text = "%s (%s) shows %s (%s) %s, which was up; declared by %s; load %s, CPU wanted %.0f %%" % (
            viewer.name, viewer.kind, member.name, member.kind, status,
            ", ".join("%s (%s)" % (a.name, a.kind) for a in who) or "nobody known",
            open("/proc/loadavg").read().split()[0], starved())
        why = self.excuse(member, who, when) if status == "failed" else self.old_leave(viewer, member)
        say("at that time %s is for %s" % (member.name, ", ".join("%s (%s) %s" % (
            a.name, a.kind, a.last[1].get(member.name, ("",) * 3)[2] or "unknown")
            for a in self.agents)))
        if why is None:
            self.error(text)
        else:
            self.peers_word.append(text)
            say("PEER'S WORD %s: %s" % (text, why))
        for line in lines[-20:]:
            say("    %s" % line)

    def unexplained(self):
        """Failures that a disco agent showed and its log does not explain."""
        for a, member, when in self.failed_at:
            if a.kind != "disco":
                continue
            # An agent that was restarted learns of the dead as such, before its
            # start is over, too.
            if any(d[0] <= when <= (d[1] or when) + LEARN_S for d in a.down):
                continue
            mine = [l for b, l in self.lines_about(member, when - 30, when + 2) if b is a]
            if not any(re.search(r"suspected by|by word of|not refuted", l) for l in mine):
                self.error("%s shows %s failed and its log does not say who suspected it"
                           % (a.name, member))

    # ---- what happens ----

    def schedule(self):
        out, t = [], 0.0
        while True:
            t += self.rng.uniform(1.5, 6)
            if t > self.seconds:
                return out
            a = self.rng.choice(self.agents)
            acts = ["kill", "kill", "stop", "stop"]
            if not a.server:
                acts += ["leave", "leave"]
            if a.kind == "disco":
                acts.append("gossipd")
            act = self.rng.choice(acts)
            d = self.rng.choice([self.rng.uniform(0.5, 3), self.rng.uniform(6, 15)])
            out.append((round(t, 1), act, a, round(d, 1)))

    def chaos(self, schedule):
        busy, threads = self.busy, []
        start = time.time()

        def one(act, a, d):
            try:
                getattr(a, "act_" + act)(d)
            except Exception as e:
                self.error("%s %s: %s" % (act, a.name, e))
            finally:
                busy.discard(a)

        for t, act, a, d in schedule:
            time.sleep(max(0, start + t - time.time()))
            with self.calm:
                # One server at a time, or Consul's have no leader; and a real
                # agent that has not come up is deaf to a signal.
                deaf = time.time() + READY_S
                while len(busy) >= DOWN_MAX or a in busy or \
                        (a.server and any(b.server for b in busy)) or \
                        (a.down and a.last[0] <= (a.down[-1][1] or 0) and time.time() < deaf):
                    time.sleep(0.1)
                say("%s %s %s %s for %.1f s" % (datetime.now(timezone.utc).strftime(
                    "%H:%M:%S"), act, a.name, a.kind, d))
                busy.add(a)
                th = threading.Thread(target=one, args=(act, a, d))
                th.start()
                threads.append(th)
        for th in threads:
            th.join()

    def all_see_all(self):
        for a in self.agents:
            v = self.shown(a)
            if not a.up or v is None or len(v) != len(self.agents) or \
                    any(m[2] != "alive" for m in v.values()):
                return False
        return True

    def keyring(self, *args):
        a = self.servers[0]
        tool = BIN + "/discoctl" if a.kind == "disco" else CONSUL
        r = subprocess.run(a.on(tool, "keyring", *args), capture_output=True, text=True,
                           timeout=60)
        return r.returncode == 0, (r.stdout + r.stderr).strip().replace("\n", "; ")

    def rotate(self):
        """install, use, remove, again and again; whoever is down would miss it,
        so each step waits until all are up, and holds the next trouble off."""
        old = self.key
        while not self.last_key.is_set():
            new = b64key(self.rng)
            for step, key in (("-install", new), ("-use", new), ("-remove", old)):
                if not self.step(step, key):
                    return
                self.last_key.wait(2)
            old = self.key = new
            self.rotations += 1

    def same_key(self):
        """Every member of every pool has what is the key now, first or not."""
        for _ in range(5):
            # One query in thirty does not reach all nine, of Consul alone, too.
            ok, text = self.keyring("-list")
            if ok:
                break
        rings = text.count("(LAN)") + text.count("WAN:")
        full = re.findall(re.escape(self.key) + r" \[(\d+)/\1\]", text)
        if not ok or rings == 0 or len(full) < rings:
            self.error("keyring -list, which should have %s everywhere: %s" % (self.key, text))
        else:
            say("keyring -list: %s" % text)

    def step(self, step, key):
        end = time.time() + 120
        text = "all are up"
        while time.time() < end:
            with self.calm:
                quiet = time.time() + 60
                while time.time() < quiet and \
                        (self.busy or not self.all_see_all()):
                    time.sleep(0.1)
                ok, text = self.keyring(step, key)
            if ok:
                say("keyring %s: done" % step)
                return True
            say("keyring %s: %s" % (step, text[:300]))
            time.sleep(1)
        self.error("keyring %s: %s" % (step, text[:300]))
        return False

    def events(self):
        """Something for gossip to carry."""
        rng = random.Random(1)
        while not self.over.wait(2):
            a = rng.choice([a for a in self.agents if a.kind != "serf"])
            try:
                a.http("PUT", "/v1/event/fire/soak")
            except (OSError, http.client.HTTPException):
                pass

    # ---- the run ----

    def until(self, seconds, fn):
        end = time.time() + seconds
        while time.time() < end:
            if fn():
                return True
            time.sleep(0.2)
        return False

    def shown(self, viewer):
        """Its members as it shows them, but for what old_leave() explains."""
        v = self.last.get(viewer.name)
        gone = {a.name for a in self.agents if self.old_leave(viewer, a)}
        return v and {n: m[:2] + ("alive",) + m[3:] if n in gone and m[2] == "leaving" else m
                      for n, m in v.items()}

    def agree(self):
        views = [self.shown(a) for a in self.agents]
        return self.all_see_all() and all(v == views[0] for v in views)

    def disagreement(self):
        for a in self.agents:
            v = self.last.get(a.name)
            say("view of %s (%s): %s" % (a.name, a.kind, v and ", ".join(
                "%s %s %s" % (n, v[n][0], v[n][2]) for n in sorted(v))))
        first = self.last.get(self.agents[0].name) or {}
        for a in self.agents[1:]:
            for n, m in (self.last.get(a.name) or {}).items():
                if n in first and first[n] != m:
                    say("%s has %s as %s, %s as %s" % (self.agents[0].name, n, first[n],
                                                      a.name, m))

    def play(self):
        schedule = self.schedule()
        say("%s: %s" % (self.name, ", ".join("%s %s%s" % (
            a.name, a.kind, " server" if a.server else "") for a in self.agents)))
        say("schedule: " + ", ".join("%s %s %s %s" % (t, act, a.name, d)
                                      for t, act, a, d in schedule))
        threads = [threading.Thread(target=self.tick, daemon=True)]
        for a in self.agents:
            a.start()
            threads.append(threading.Thread(target=self.watch, args=(a,), daemon=True))
        threads.append(threading.Thread(target=self.events, daemon=True))
        for th in threads:
            th.start()
        if not self.until(READY_S, self.all_see_all):
            self.error("not all see all after %d s" % READY_S)
            self.disagreement()
            return
        rotator = threading.Thread(target=self.rotate)
        stop_rotating = self.keys == "rotation"
        if stop_rotating:
            rotator.start()
        self.chaos(schedule)
        agreed = self.until(AGREE_S, self.agree)
        self.last_key.set()
        if stop_rotating:
            rotator.join()
            if self.rotations == 0:
                self.error("the key was not rotated once")
            self.same_key()
        self.over.set()
        if not agreed:
            self.error("the views differ %d s after all were up" % AGREE_S)
            self.disagreement()
        self.unexplained()
        for how in ("kill", "stop", "leave"):
            b = sorted(((t, m) for t, m, h in self.back if h == how), key=lambda x: x[0])
            if b:
                say("%s: back in all views after %s: %d times, median %.1f s, longest %.1f s (%s)"
                    % (self.name, how, len(b), b[len(b) // 2][0], b[-1][0], b[-1][1].name))
        shown = len(self.failed_at)
        say("%s: %d looks, %d acts, %d times a member came to be shown failed, %d keys, "
            "%d false words of real agents, woken late %d times; %d errors" % (
                self.name, self.looks, len(schedule), shown, self.rotations,
                len(self.peers_word), len(self.late), len(self.errors)))


def main():
    run = Run(sys.argv[1], float(sys.argv[2]), sys.argv[3])
    try:
        run.play()
    finally:
        run.over.set()
        for a in run.agents:
            a.signal(signal.SIGCONT) if a.kind == "disco" or a.proc else None
            a.signal(signal.SIGKILL) if a.kind == "disco" or a.proc else None
    sys.exit(1 if run.errors else 0)


main()
