"""Recordings of three servers and another datacenter of one, in stages: whole,
without its leader, without a quorum, with the first leader back.  A record is
as in replay_http.py, and says in `on` which server was asked; blocks are as in
replay_cli.py, with that server's prompt, some of them of dig.

Who leads is as it happens, so the server that led then is played by the one
that does now, and rows are compared by name."""
import concurrent.futures
import glob
import json
import os
import re
import time

import compare
import replay_cli
import replay_http
from node import Node

HERE = os.path.dirname(os.path.abspath(__file__))
WITHIN_S, START_S = 90, 60
BLOCK = re.compile(r"^(server\d)\$ (.*?)\n--- stdout\n(.*?)--- stderr\n(.*?)--- exit (\d+)$",
                   re.DOTALL | re.MULTILINE)
NOISE = re.compile(r"; (<<|\()|;; (global|Got|Query|SERVER|WHEN|MSG)")
FAST = {"probe_interval": "500ms", "probe_timeout": "200ms", "suspicion_mult": 3,
        "gossip_interval": "100ms"}


def by_name(value):
    """Lists of nodes in the order of their names."""
    if isinstance(value, dict):
        return {k: by_name(v) for k, v in value.items()}
    if not isinstance(value, list):
        return value
    rows = [by_name(v) for v in value]
    if all(isinstance(v, str) and ":" in v for v in rows):
        return sorted(rows)
    if all(isinstance(v, dict) and ("Node" in v or "Name" in v) for v in rows):
        return sorted(rows, key=lambda v: str(v["Node"]["Node"] if isinstance(
            v.get("Node"), dict) else v.get("Node") or v["Name"]))
    return rows


class Http(replay_http.Replay):
    def answer(self, record, text):
        return replay_http.answer(record, text, self.node, by_name)

    def headers(self, headers, record):
        out = super().headers(headers, record)
        if "stale" in record["path"] and out.get("X-Consul-Lastcontact", "").isdigit():
            out["X-Consul-Lastcontact"] = "<measured>"
        return out


class Cli(replay_cli.Replay):
    def lines_of(self, text, command):
        lines = replay_cli.lines_of(text, command)
        if command.startswith("dig"):
            return sorted(self.dug(line) for line in lines if line and not NOISE.match(line))
        lines = [re.sub(r"rtt: [\d.]+ ms", "rtt: <measured>", line) for line in lines]
        lines = [re.sub(r"Address:[\d.:]+", "Address:<address>", line) for line in lines]
        return sorted(lines) if any(re.match(r"server\d", line) for line in lines) else lines

    def dug(self, line):
        line = re.sub(r"\b\d{9,10}(?= 3600 600 )", "<serial>", line)
        return re.sub(r"\s+", " ", re.sub(", id: .*", "", line))


class Cluster:
    def __init__(self, build, table):
        self.build, self.table = build, table
        pid = os.getpid()
        base = f"127.{128 + pid // 15500 % 60}.{pid // 62 % 250}."
        address = {f"server{i}": base + str(pid % 62 * 4 + 1 + i) for i in (1, 2, 3, 4)}
        one = {"server": True, "gossip_lan": FAST, "gossip_wan": FAST,
               "enable_script_checks": False, "retry_interval": "1s",
               "retry_interval_wan": "1s", "node_meta": {}, "performance": {"raft_multiplier": 1}}
        three = {**one, "bootstrap_expect": 3, "services": [{"name": "web", "port": 80}],
                 "retry_join": [f"{address[f'server{i}']}:28301" for i in (1, 2, 3)]}
        far = {**one, "bootstrap_expect": 1, "datacenter": "dc2",
               "retry_join_wan": [address["server1"] + ":28302"],
               "services": [{"name": "web", "port": 80}, {"name": "only2", "port": 81}]}
        self.nodes = {name: Node(build, name=name, address=address[name],
                                 **(far if name == "server4" else three)) for name in address}
        self.cast({})

    def cast(self, roles):
        """Who plays whom, and what is asked whom."""
        self.roles = {**{name: name for name in self.nodes}, **roles}
        number = {name: int(name[-1]) for name in self.nodes}
        self.http, self.cli = {}, {}
        for node in self.nodes.values():
            node.known = {f"10.0.0.{number[role] + 1}": self.nodes[name].address
                          for role, name in self.roles.items()}
            node.names = self.roles
        for role, name in self.roles.items():
            self.http[role] = Http(self.nodes[name], self.table)
            self.cli[role] = Cli(self.nodes[name], self.table)

    def leader(self, among):
        """The name of the one that they all say leads."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            said = set()
            for name in among:
                try:
                    said.add(self.nodes[name].get("/v1/status/leader").split(":")[0])
                except (OSError, ValueError, AttributeError):
                    said.add("")
            for name in among:
                if said == {self.nodes[name].address}:
                    return name
            time.sleep(0.1)
        raise RuntimeError(f"no leader within {START_S} s")

    def stages(self):
        near = ["server1", "server2", "server3"]
        for node in self.nodes.values():
            node.wait_ready(START_S)
        first = self.leader(near)
        left = [n for n in near if n != first]
        self.cast(dict(zip(near, [first] + left)))
        # The recording was over before the dead are removed.
        self.nodes[first].request("PUT", "/v1/operator/autopilot/configuration",
                                  '{"CleanupDeadServers": false}')
        self.stage("1-whole")

        self.nodes[first].kill()
        self.stage("2-just-lost")
        second = self.leader(left)
        third = next(n for n in left if n != second)
        self.cast(dict(zip(near, [first, third, second])))
        self.stage("3-leader-lost")

        self.nodes[third].wait("critical", f"/v1/health/node/{first}?stale",
                               lambda _, text: '"critical"' in text)
        self.nodes[second].kill()
        self.nodes[third].wait("without a leader", "/v1/catalog/nodes?stale",
                               lambda headers, _: headers["X-Consul-Knownleader"] == "false")
        self.stage("4-no-quorum", together=True)

        self.nodes[first].start()
        leads = self.leader([first, third])
        follows = next(n for n in (first, third) if n != leads)
        self.cast(dict(zip(near, [follows, leads, second])))
        self.stage("5-again")

    def stage(self, stage, together=False):
        """Its records in order, or, where each waits long, together."""
        work = []
        for path in sorted(glob.glob(f"{HERE}/cluster/{stage}.*")):
            with open(path) as f:
                text = f.read()
            if path.endswith(".txt"):
                work += [(self.block, b) for b in BLOCK.findall(text)]
            else:
                work += [(self.record, json.loads(line)) for line in text.splitlines()]
        with concurrent.futures.ThreadPoolExecutor(len(work) if together else 1) as pool:
            for name, found in pool.map(lambda w: w[0](f"cluster/{stage}: ", w[1]), work):
                self.table.report(name, found)

    def until(self, name, once, again):
        """What differs, asked until nothing does, if it may be asked again."""
        end = time.monotonic() + WITHIN_S
        found = once()
        while again and self.table.unexpected(name, found) and time.monotonic() < end:
            time.sleep(0.2)
            found = once()
        return name, found

    def record(self, prefix, record):
        replay = self.http[record["on"]]
        return self.until(prefix + record["name"], lambda: replay.once(record),
                          record["method"] == "GET")

    def block(self, prefix, block):
        replay = self.cli[block[0]]
        return self.until(prefix + block[1], lambda: replay.differences(*block[1:]), True)


def replay(build, table):
    failed = table.failed
    cluster = None
    try:
        cluster = Cluster(build, table)
        cluster.stages()
    except Exception as e:
        table.failed += 1
        print(f"not ok - cluster: {type(e).__name__}: {e}")
    finally:
        for node in cluster.nodes.values() if cluster else []:
            node.stop()
            if table.failed > failed:
                node.tail()
            node.remove()
