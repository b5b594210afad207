"""
Clients of one node's APIs that write down what they asked and what they were
told, one JSON object a line, for linear.py and for the end of tests/fault/servers.

	python3 history.py NODE DIR SEED [NAME ADDRESSES]

runs until DIR/stop exists.  It is started inside the node's network namespace
and writes DIR/NODE.{registers,locks,writes,dns}.  Times are in ns of the
machine's clock since boot, the same in every namespace.  NAME is asked of the
node's DNS all the time; the answer has to be of ADDRESSES (a,b): all
of them (whole), or at least some.
"""
import base64
import http.client
import json
import os
import random
import socket
import struct
import sys
import threading
import time

REGISTERS = 4       # keys that clients fight for
EPOCH_S = 5         # then others, so that histories stay short
TIMEOUT_S = 9       # above what a server holds a call
THINK_S = 0.015     # between two operations
LOCKS = 3
TTL_S, DELAY_S = 4, 1
SESSION_NODE = "anchor"     # the caller registers it
DNS_EVERY_S, DNS_TIMEOUT_S = 0.05, 10


def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Refused(Exception):
    """Nobody listened: the request had no effect."""


class Client:
    def __init__(self):
        self.conn = None

    def ask(self, method, path, body=None):
        """(status, body); None: no answer, and what became of it is unknown."""
        if self.conn is None:
            self.conn = http.client.HTTPConnection("127.0.0.1", 8500, timeout=TIMEOUT_S)
            try:
                self.conn.connect()
            except OSError:
                self.conn = None
                raise Refused
        try:
            self.conn.request(method, path, body)
            r = self.conn.getresponse()
            return r.status, r.read()
        except (OSError, http.client.HTTPException):
            self.conn.close()
            self.conn = None
            return None


class Recorder:
    def __init__(self, node, folder, seed):
        self.node, self.folder, self.seed = node, folder, seed
        self.threads = []

    def stopped(self):
        return os.path.exists(self.folder + "/stop")

    def spawn(self, fn, what, n):
        """One more thread: fn(rng, client, write, name)."""
        name = "%s.%d" % (self.node, n)
        out = open("%s/%s.%d.%s" % (self.folder, self.node, n, what), "a", buffering=1)
        rng = random.Random("%s/%s/%d" % (self.seed, self.node, n))

        def write(**kv):
            out.write(json.dumps(kv) + "\n")

        def run():
            client = Client()
            while not self.stopped():
                try:
                    fn(rng, client, write, name)
                except Refused:
                    time.sleep(0.1)
        t = threading.Thread(target=run, daemon=True)
        t.start()
        self.threads.append(t)


# ---- registers ----

counts = {}


def unique(name):
    counts[name] = counts.get(name, 0) + 1
    return "%s-%d" % (name, counts[name])


def read(client, write, key, mode):
    """(value, index), or None."""
    begin = now()
    a = client.ask("GET", "/v1/kv/%s%s" % (key, "" if mode == "default" else "?" + mode))
    end = now()
    if a is None or a[0] not in (200, 404):
        return None
    value, index = None, 0
    if a[0] == 200:
        e = json.loads(a[1])[0]
        value, index = base64.b64decode(e["Value"] or "").decode(), e["ModifyIndex"]
    write(f="get", mode=mode, key=key, value=value, index=index, begin=begin, end=end, ok=True)
    return value, index


def registers(rng, client, write, name):
    key = "reg/%d/%d" % (now() // (EPOCH_S * 10**9), rng.randrange(REGISTERS))
    dice = rng.random()
    time.sleep(THINK_S * 2 * rng.random())
    if dice < 0.35:
        read(client, write, key, "consistent")
    elif dice < 0.50:
        read(client, write, key, "default")
    elif dice < 0.60:
        read(client, write, key, "stale")
    elif dice < 0.80:
        value = unique(name)
        begin = now()
        a = client.ask("PUT", "/v1/kv/" + key, value)
        write(f="put", key=key, value=value, begin=begin, end=now(),
              ok=True if a is not None and a == (200, b"true") else None)
    else:
        seen = read(client, write, key, "consistent")
        if seen is None:
            return
        value = unique(name)
        begin = now()
        a = client.ask("PUT", "/v1/kv/%s?cas=%d" % (key, seen[1]), value)
        ok = {b"true": True, b"false": False}.get(a[1]) if a is not None and a[0] == 200 else None
        write(f="cas", key=key, expect=seen[0], value=value, begin=begin, end=now(), ok=ok)


# ---- writes that have to be there at the end ----

def writes(rng, client, write, name):
    value = unique(name)
    begin = now()
    a = client.ask("PUT", "/v1/kv/ack/" + value, value)
    write(value=value, begin=begin, end=now(), ok=True if a == (200, b"true") else None)
    time.sleep(THINK_S * 2 * rng.random())


# ---- locks ----

class Holder:
    def __init__(self, client, write):
        self.client, self.write = client, write
        self.session = None

    def do(self, f, path, key=None, body=None):
        begin = now()
        a = self.client.ask("PUT", path, body)
        end = now()
        ok = None if a is None or a[0] != 200 else a[1] == b"true"
        if f == "create" and a is not None and a[0] == 200:
            self.session, ok = json.loads(a[1])["ID"], True
        elif f == "renew" and a is not None and a[0] in (200, 404):
            ok = a[0] == 200
        if self.session is not None:
            self.write(f=f, key=key, session=self.session, ttl=TTL_S * 10**9,
                       delay=DELAY_S * 10**9, begin=begin, end=end, ok=ok)
        return ok

    def create(self):
        self.session = None
        # Bound to no check, and to a node that gossip does not know: a server
        # that is cut off for long is taken from the catalog, with its sessions.
        # So it ends by its time, or by its owner.
        return self.do("create", "/v1/session/create", body=json.dumps({
            "Node": SESSION_NODE, "TTL": "%ds" % TTL_S, "LockDelay": "%ds" % DELAY_S, "Checks": []}))

    def renew(self):
        return self.do("renew", "/v1/session/renew/" + self.session)

    def destroy(self):
        return self.do("destroy", "/v1/session/destroy/" + self.session)

    def acquire(self, key):
        return self.do("acquire", "/v1/kv/%s?acquire=%s" % (key, self.session), key, self.session)

    def release(self, key):
        return self.do("release", "/v1/kv/%s?release=%s" % (key, self.session), key, self.session)


def locks(rng, client, write, name):
    """The life of one session."""
    h = Holder(client, write)
    if not h.create():
        time.sleep(0.2)
        return
    renewed = time.monotonic()
    for _ in range(rng.randrange(5, 60)):
        key = "lock/%d" % rng.randrange(LOCKS)
        if time.monotonic() - renewed > 1:
            if not h.renew():
                return
            renewed = time.monotonic()
        if h.acquire(key):
            time.sleep(rng.random() * 0.15)
            if rng.random() < 0.1:
                break       # ends with the lock in its hands
            h.release(key)
        time.sleep(0.03 + rng.random() * 0.1)
    if rng.random() < 0.6:
        h.destroy()
    else:
        time.sleep(rng.random())    # not renewed any more


# ---- DNS ----

def question(name, n):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return struct.pack(">HHHHHH", n, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)


def addresses(p, name):
    """(rcode, addresses)."""
    n, at, out = struct.unpack(">H", p[6:8])[0], 12 + len(name) + 2 + 4, []
    for _ in range(n):
        # A name here is a pointer to the question.
        at += 2 if p[at] >= 0xc0 else len(name) + 2
        kind, _, _, length = struct.unpack(">HHIH", p[at:at + 10])
        if kind == 1:
            out.append(socket.inet_ntoa(p[at + 10:at + 14]))
        at += 10 + length
    return p[3] & 15, sorted(out)


def dns(name, want):
    n = [0]
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def wait(number):
        end = time.monotonic() + DNS_TIMEOUT_S
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return None
            sock.settimeout(left)
            try:
                p = sock.recv(4096)
            except socket.timeout:
                return None
            except OSError:
                time.sleep(0.02)    # nobody there: as good as no answer
                return None
            if struct.unpack(">H", p[:2])[0] == number:
                return p

    def once(rng, client, write, _):
        n[0] = (n[0] + 1) & 0xffff
        begin = now()
        sock.connect(("127.0.0.1", 8600))
        got = None
        try:
            sock.send(question(name, n[0]))
            got = wait(n[0])
        except OSError:
            pass
        rcode, a = addresses(got, name) if got is not None else (-1, [])
        write(begin=begin, end=now(), rcode=rcode, got=a, whole=a == want,
              ok=rcode == 0 and bool(a) and set(a) <= set(want))
        time.sleep(DNS_EVERY_S)
    return once


def main(argv):
    r = Recorder(argv[1], argv[2], argv[3])
    for i in range(2):
        r.spawn(registers, "registers", i)
    r.spawn(writes, "writes", 2)
    r.spawn(locks, "locks", 3)
    if len(argv) > 4:
        r.spawn(dns(argv[4], sorted(argv[5].split(","))), "dns", 4)
    for t in r.threads:
        t.join()


if __name__ == "__main__":
    main(sys.argv)
