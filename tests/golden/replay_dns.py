#!/usr/bin/python3
"""replay_dns.py BUILD: what Consul 1.8.7 answered over DNS, asked again of disco.

A network of its own (run by `unshare -n`), with the addresses of the
recordings: a server with the recorded catalog, and the client agents, each
with the one setting that its recordings are about.
dns/recorded.txt has questions and answers, dns/differences.txt what differs
by design and why; a row there that explains nothing fails, too."""
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
import wire
from node import Node

HERE = os.path.dirname(os.path.abspath(__file__))
WAIT_S = 30
SERVER, RECURSOR, NOBODY = "10.0.0.2", "10.0.0.53", "10.0.0.99"
PORTS = {"server": 8300, "serf_lan": 8301, "serf_wan": 8302, "http": 8500, "dns": 8600}
# Each client agent of the recordings: address, and what is not default.
AGENTS = {
    "ttl": ("10.0.0.3", {"dns_config": {
        "node_ttl": "10s", "service_ttl": {"*": "5s", "web": "15s", "m*": "7s"},
        "soa": {"min_ttl": 30, "refresh": 3601, "retry": 601, "expire": 86401}}}),
    "only_passing": ("10.0.0.4", {"dns_config": {"only_passing": True}}),
    "truncate": ("10.0.0.5", {"dns_config": {"enable_truncate": True}}),
    "a_record_limit_2": ("10.0.0.6", {"dns_config": {"a_record_limit": 2}}),
    "udp_answer_limit_10": ("10.0.0.7", {"dns_config": {"udp_answer_limit": 10}}),
    "recursors": ("10.0.0.8", {"recursors": [RECURSOR]}),
    "dead_recursor": ("10.0.0.9", {"recursors": [NOBODY],
                                   "dns_config": {"recursor_timeout": "1s"}}),
    "domain": ("10.0.0.10", {"domain": "corp.", "alt_domain": "alt."}),
    "plain": ("10.0.0.11", {"dns_config": {"disable_compression": True,
                                           "enable_additional_node_meta_txt": False}}),
    "udp_answer_limit_1": ("10.0.0.12", {"dns_config": {"udp_answer_limit": 1,
                                                        "use_cache": True}}),
}


def network():
    for a in [SERVER, RECURSOR, NOBODY] + [a for a, _ in AGENTS.values()]:
        subprocess.run(["ip", "addr", "add", a + "/32", "dev", "lo"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


# ---- the resolver of then ----

def resolve(query):
    """A 203.0.113.5, AAAA 2001:db8::5, PTR ptr.zz; names that begin with nx are none."""
    name, at = wire.get_name(query, 12)
    kind = struct.unpack(">H", query[at:at + 2])[0]
    data = {1: bytes([203, 0, 113, 5]), 28: socket.inet_pton(socket.AF_INET6, "2001:db8::5"),
            12: wire.put_name("ptr.zz")}.get(kind)
    rcode = 3 if name.lower().startswith("nx") else 0
    found = data is not None and rcode == 0
    out = query[:2] + struct.pack(">HHHHH", 0x8180 | rcode, 1, int(found), 0, 0)
    out += query[12:at + 4]
    if found:
        out += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
    return out


def resolver():
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((RECURSOR, 53))
    tcp = socket.create_server((RECURSOR, 53))

    def on_udp():
        while True:
            q, peer = udp.recvfrom(4096)
            udp.sendto(resolve(q), peer)

    def on_tcp():
        while True:
            c, _ = tcp.accept()
            with c:
                q = c.recv(4096)
                if len(q) > 14:
                    a = resolve(q[2:])
                    c.sendall(struct.pack(">H", len(a)) + a)
    for f in on_udp, on_tcp:
        threading.Thread(target=f, daemon=True).start()


# ---- nodes ----

def wait(what, done):
    end = time.monotonic() + WAIT_S
    while not done():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {WAIT_S} s")
        time.sleep(0.05)


def start_server(build):
    node = Node(build, node_name="node1", bind_addr=SERVER, client_addr=SERVER, ports=PORTS,
                node_meta={"rack": "r1", "rfc1035-x": "hello"})
    node.address, node.ports = SERVER, PORTS
    return node


def start_agent(build, name):
    address, config = AGENTS[name]
    node = Node(build, node_name=name.replace("_", "-"), server=False, bind_addr=address,
                client_addr=address, ports=PORTS, retry_join=[SERVER], bootstrap_expect=0,
                **config)
    node.address, node.ports = address, PORTS
    return node


def load(node):
    with open(HERE + "/dns/catalog.jsonl") as f:
        for line in f:
            r = json.loads(line)
            status, _, text = node.request(r["method"], r["path"], json.dumps(r["body"]))
            if status != 200:
                raise RuntimeError(f"{r['path']}: {status} {text}")
    # an agent of then, that is asked for while another is there
    node.request("PUT", "/v1/catalog/register", json.dumps(
        {"Node": "node3", "Address": "10.0.0.4"}))


# ---- recordings ----

def recorded():
    """(agent, question, answer) in order."""
    agent = question = answer = None
    with open(HERE + "/dns/recorded.txt") as f:
        for line in f:
            line = line.rstrip("\n")
            if line.startswith(("@", "?", "#")) and question:
                yield agent, question, answer
                question = None
            if line.startswith("@"):
                agent = line[2:]
            elif line.startswith("?"):
                question, answer = line[2:], wire.Answer()
            elif line.startswith("<"):
                answer.head = line[2:]
            elif line.startswith("n "):
                answer.count = [int(n) for n in line.split()[1:]]
            elif line and not line.startswith("#"):
                answer.records.append(line)
    if question:
        yield agent, question, answer


class Differences:
    """Rows "AGENT | QUESTION | reason"."""

    def __init__(self):
        self.rows, self.used = {}, set()
        with open(HERE + "/dns/differences.txt") as f:
            for line in f:
                if line.strip() and not line.startswith("#"):
                    agent, question, reason = (x.strip() for x in line.split("|", 2))
                    self.rows[agent, question] = reason


class Replay:
    def __init__(self, build):
        self.build, self.table = build, Differences()
        self.asked = self.failed = 0

    def fail(self, text, *answers):
        self.failed += 1
        print("not ok - " + text)
        for who, a in answers:
            print(f"#   {who}: {a.head} {a.count or a.counted()}")
            for r in sorted(a.records)[:24]:
                print("#     " + r)

    def ask(self, node, question, want, patient):
        """The answer; where the machine is too busy for a view or a recursor to
        come in time, it is a later one."""
        end = time.monotonic() + WAIT_S
        while True:
            try:
                got = wire.read(wire.Question(question).ask(node.address, PORTS["dns"], WAIT_S))
            except (OSError, ValueError) as e:
                got = wire.Answer(f"no answer: {e}")
            if not patient or want.same(got) or time.monotonic() > end:
                return got
            time.sleep(0.5)

    def one(self, node, agent, question, want):
        self.asked += 1
        explained = (agent, question) in self.table.rows
        # what differs is not waited for again and again
        got = self.ask(node, question, want, not explained and self.failed < 2)
        same = want.same(got)
        if explained:
            self.table.used.add((agent, question))
            if same:
                self.fail(f"{agent}: {question}: no longer different")
        elif not same:
            self.fail(f"{agent}: {question}", ("recorded", want), ("ours", got))

    def agent(self, node, agent, rows):
        # what answers knows the catalog
        q = wire.Question("web.service.consul A")
        if agent == "domain":
            q = wire.Question("web.service.corp A")

        def ready():
            try:
                return len(wire.read(q.ask(node.address, PORTS["dns"], 6)).records) > 0
            except OSError:
                return False
        wait(f"{agent}: its views", ready)
        for question, want in rows:
            self.one(node, agent, question, want)

    def run(self):
        by_agent = {}
        for agent, question, want in recorded():
            by_agent.setdefault(agent, []).append((question, want))
        nodes = {"defaults": start_server(self.build)}
        try:
            nodes["defaults"].wait_ready()
            for name in AGENTS:
                nodes[name] = start_agent(self.build, name)
            load(nodes["defaults"])
            for name, rows in by_agent.items():
                self.agent(nodes[name], name, rows)
        finally:
            # the answers are there: nobody has to take leave
            for node in nodes.values():
                node.process.kill()
            for node in nodes.values():
                node.stop()
                self.done(node)
        for agent, question in sorted(set(self.table.rows) - self.table.used):
            self.fail(f"{agent}: {question}: explained, but never asked")

    def done(self, node):
        if os.environ.get("KEEP"):
            print(f"# kept: {node.dir}")
        else:
            node.remove()


def main():
    start = time.monotonic()
    network()
    resolver()
    replay = Replay(sys.argv[1])
    replay.run()
    print(f"# tests/golden/dns: {replay.asked} answers, {len(replay.table.rows)} differences by "
          f"design, {time.monotonic() - start:.0f} s, "
          f"{'FAILED' if replay.failed else 'passed'}")
    return 1 if replay.failed else 0


if __name__ == "__main__":
    sys.exit(main())
