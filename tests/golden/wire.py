"""DNS messages: a question as dig asked it, an answer as lines of text."""
import re
import socket
import struct

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "HINFO": 13, "MX": 15, "TXT": 16,
         "AAAA": 28, "SRV": 33, "DS": 43, "DNSKEY": 48, "AXFR": 252, "CAA": 257, "ANY": 255}
NAMES = {v: k for k, v in TYPES.items()}
CLASSES = {"CH": 3, "HS": 4, "ANY": 255}
RCODES = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"]
FLAGS = ((0x0400, "aa"), (0x0200, "tc"), (0x0100, "rd"), (0x0080, "ra"), (0x0020, "ad"),
         (0x0010, "cd"))
OPT = 41


def put_name(name):
    """With \\DDD for the byte of that number."""
    out = b""
    for label in name.rstrip(".").split("."):
        label = re.sub(r"\\(\d{3})", lambda m: chr(int(m[1])), label)
        if label:
            out += bytes([len(label)]) + label.encode()
    return out + b"\0"


class Question:
    """"NAME TYPE [OPTION...]", options as dig's."""

    def __init__(self, text):
        self.name, kind, *options = text.split()
        self.type = TYPES[kind] if kind in TYPES else int(kind[4:])
        self.tcp, self.edns, self.size, self.version = False, True, 1232, 0
        self.flags, self.cls, self.options = 0x0120, 1, b""
        for o in options:
            self.option(o)

    def option(self, o):
        if o == "tcp":
            self.tcp = True
        elif o == "noedns":
            self.edns = False
        elif o.startswith("bufsize="):
            self.size = int(o[8:])
        elif o.startswith("edns="):
            self.version = int(o[5:])
        elif o == "norecurse":
            self.flags &= ~0x0100
        elif o == "cdflag":
            self.flags |= 0x0010
        elif o.startswith("opcode="):
            # dig asks nothing but a query with RD
            self.flags = {"notify": 4 << 11, "status": self.flags | 2 << 11,
                          "update": self.flags | 5 << 11}[o[7:]]
        elif o in CLASSES:
            self.cls = CLASSES[o]
        elif o.startswith("subnet="):
            address, bits = o[7:].split("/")
            address = socket.inet_aton(address)[:(int(bits) + 7) // 8]
            self.options = struct.pack(">HHHBB", 8, 4 + len(address), 1, int(bits), 0) + address
        elif o == "nsid":
            self.options = struct.pack(">HH", 3, 0)
        elif o not in ("adflag", "dnssec", "nocookie"):
            raise ValueError(f"option {o}")

    def wire(self, ident):
        q = struct.pack(">HHHHHH", ident, self.flags, 1, 0, 0, int(self.edns))
        q += put_name(self.name) + struct.pack(">HH", self.type, self.cls)
        if self.edns:
            q += b"\0" + struct.pack(">HHBBHH", OPT, self.size, 0, self.version, 0,
                                     len(self.options)) + self.options
        return q

    def ask(self, address, port, timeout_s):
        """The answer's bytes."""
        q = self.wire(0x1234)
        kind = socket.SOCK_STREAM if self.tcp else socket.SOCK_DGRAM
        with socket.socket(socket.AF_INET, kind) as s:
            s.settimeout(timeout_s)
            s.connect((address, port))
            s.sendall((struct.pack(">H", len(q)) if self.tcp else b"") + q)
            if not self.tcp:
                return s.recv(65535)
            data = b""
            while len(data) < 2 or len(data) < 2 + struct.unpack(">H", data[:2])[0]:
                more = s.recv(65535)
                if not more:
                    raise OSError("closed")
                data += more
            return data[2:]


def get_name(p, at):
    labels, end = [], None
    while p[at]:
        if p[at] & 0xc0:
            end = end or at + 2
            at = struct.unpack(">H", p[at:at + 2])[0] & 0x3fff
            continue
        labels.append(p[at + 1:at + 1 + p[at]].decode())
        at += 1 + p[at]
    return ".".join(labels) + ".", end or at + 1


def get_data(p, at, n, kind):
    if kind == 1:
        return socket.inet_ntop(socket.AF_INET, p[at:at + 4])
    if kind == 28:
        return socket.inet_ntop(socket.AF_INET6, p[at:at + 16])
    if kind == 33:
        return "%d %d %d " % struct.unpack(">HHH", p[at:at + 6]) + get_name(p, at + 6)[0]
    if kind == 6:
        m, at = get_name(p, at)
        r, at = get_name(p, at)
        return f"{m} {r} SERIAL " + "%d %d %d %d" % struct.unpack(">IIII", p[at + 4:at + 20])
    if kind == 16:
        out, end = [], at + n
        while at < end:
            out.append('"' + p[at + 1:at + 1 + p[at]].decode() + '"')
            at += 1 + p[at]
        return " ".join(out)
    if kind in (2, 5, 12):
        return get_name(p, at)[0]
    return p[at:at + n].hex()


class Answer:
    """head: rcode and flags; records: lines "an|au|ar NAME TTL IN TYPE DATA"."""

    def __init__(self, head="", records=None, count=None):
        self.head, self.records, self.count = head, records or [], count

    def same(self, other):
        if self.head != other.head:
            return False
        if self.count:
            return self.count == other.counted()
        return sorted(self.records) == sorted(other.records)

    def counted(self):
        return [sum(r.startswith(s) for r in self.records) for s in ("an", "au", "ar")]


def read(p):
    flags, nq, *counts = struct.unpack(">HHHHH", p[2:12])
    a, at, opt = Answer(), 12, ""
    for _ in range(nq):
        at = get_name(p, at)[1] + 4
    for section, n in zip(("an", "au", "ar"), counts):
        for _ in range(n):
            name, at = get_name(p, at)
            kind, size, ttl, length = struct.unpack(">HHIH", p[at:at + 10])
            at += 10
            if kind == OPT:
                opt = f" edns={size}" + (" BADVERS" if ttl >> 24 else "")
            else:
                a.records.append(f"{section} {name} {ttl} IN {NAMES.get(kind, f'TYPE{kind}')} "
                                 + get_data(p, at, length, kind))
            at += length
    if at != len(p):
        raise ValueError("bytes behind the answer")
    a.head = RCODES[flags & 15] + "".join(" " + f for bit, f in FLAGS if flags & bit) + opt
    return a
