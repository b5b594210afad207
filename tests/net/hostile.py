"""
Clients of the HTTP API that mean no good.  hostile.py HOST CASE prints
"ok WHAT" and "no WHAT" lines; PORT is 8500.
"""
import json
import os
import socket
import sys
import threading
import time

HOST, PORT = sys.argv[1], 8500
DEADLINE_S = 40


def told(ok, what, got=""):
    print("%s %s%s" % ("ok" if ok else "no", what, "" if ok else ": %r" % (got,)), flush=True)


def connect(source=None):
    return socket.create_connection((HOST, PORT), timeout=DEADLINE_S, source_address=source and (source, 0))


def talk(data, *more):
    """Sends; all that comes until the other end closes, or the first answer."""
    s = connect()
    got = b""
    try:
        for d in (data,) + more:
            s.sendall(d)
    except OSError:
        pass                        # refused already: what was said is there
    try:
        while b"\r\n\r\n" not in got:
            piece = s.recv(65536)
            if not piece:
                break
            got += piece
        head, _, body = got.partition(b"\r\n\r\n")
        n = [h for h in head.lower().split(b"\r\n") if h.startswith(b"content-length:")]
        while n and len(body) < int(n[0][15:]):
            piece = s.recv(65536)
            if not piece:
                break
            body += piece
            got += piece
    except OSError:
        pass
    s.close()
    return got


def status(answer):
    return int(answer.split()[1]) if answer.startswith(b"HTTP/") else 0


def alive(what):
    a = talk(b"GET /v1/status/leader HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    told(status(a) == 200 and b":8300" in a, "others are served after %s" % what, a)


def refused(what, data, *more, codes=(0, 400, 411, 413, 414, 431, 501)):
    """An error, or an end without a word; never a success, never silence."""
    begin = time.monotonic()
    a = talk(data, *more)
    told(status(a) in codes and time.monotonic() - begin < DEADLINE_S, "refused: %s" % what, a[:200])


def put(path, *lines):
    return ("PUT %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (path, "".join(x + "\r\n" for x in lines))).encode()


def lengths():
    refused("a length that is none", put("/v1/kv/a", "Content-Length: -1"), b"x")
    refused("one of twenty digits", put("/v1/kv/a", "Content-Length: 99999999999999999999"), b"x")
    refused("one that is a word", put("/v1/kv/a", "Content-Length: ten"), b"x")
    refused("a length of 100 MB", put("/v1/kv/a", "Content-Length: 104857600"), b"x" * 104857600)
    refused("a chunk that has no size", put("/v1/kv/a", "Transfer-Encoding: chunked"), b"zz\r\nx\r\n0\r\n\r\n")
    refused("one of too large a size", put("/v1/kv/a", "Transfer-Encoding: chunked"), b"ffffffffffffffffff\r\n")
    refused("100 MB in chunks", put("/v1/kv/a", "Transfer-Encoding: chunked"), (b"100000\r\n" + b"x" * 1048576 + b"\r\n") * 100)
    refused("a header of 1 MB", b"GET /v1/status/leader HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"x" * 1048576 + b"\r\n\r\n")
    refused("ten thousand headers", b"GET /v1/status/leader HTTP/1.1\r\n" + b"A: b\r\n" * 10000 + b"\r\n")
    refused("a path of 1 MB", b"GET /v1/kv/" + b"x" * 1048576 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    s = connect()
    s.sendall(put("/v1/kv/half", "Content-Length: 1000") + b"x" * 10)
    s.close()
    a = talk(b"GET /v1/kv/half HTTP/1.1\r\nHost: x\r\n\r\n")
    told(status(a) == 404, "half of a value is not written", a)
    a = talk(put("/v1/kv/twice", "Content-Length: 1", "Transfer-Encoding: chunked"), b"1\r\ny\r\n0\r\n\r\n",
             b"PUT /v1/kv/smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nz")
    a = talk(b"GET /v1/kv/twice?raw HTTP/1.1\r\nHost: x\r\n\r\n")
    told(status(a) == 404 or a.endswith(b"\r\n\r\ny"), "a length beside chunks does not cut a value", a)
    alive("lengths that lie")


def words():
    refused("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 50 + b"\r\n\r\n")
    refused("a line of nothing", b"\r\n" * 10000 + b"\0\0\0\r\n\r\n")
    for p in ("/v1/../../etc/passwd", "/v1/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd"):
        a = talk(("GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % p).encode())
        told(status(a) in (301, 400, 404) and b"root:" not in a, "no way out by %s" % p, a)
    for what, body in (("deep JSON", b"[" * 1000000), ("deep objects", b'{"a":' * 200000),
                       ("half a text", b'{"Name":"x'),
                       ("a number without end", b'{"Name":"x","Port":' + b"9" * 100000 + b"}"),
                       ("a port of 2^70", b'{"Name":"x","Port":1180591620717411303424}'),
                       ("a text for a list", b'{"Name":"x","Tags":"y"}')):
        refused(what, put("/v1/agent/service/register", "Content-Length: %d" % len(body)), body)
    body = b'{"Name":"\xff\xfe"}'
    talk(put("/v1/agent/service/register", "Content-Length: %d" % len(body)), body)
    a = talk(b"GET /v1/agent/services HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    told(list(json.loads(a.partition(b"\r\n\r\n")[2].decode())) == ["\ufffd\ufffd"], "what is no UTF-8 does not come back", a)
    body = json.dumps([{"KV": {"Verb": "get", "Key": "a"}}] * 5000).encode()
    refused("a transaction of 5,000", put("/v1/txn", "Content-Length: %d" % len(body)), body)
    for f in ("(" * 14000, "Node==" + "x" * 14000, "not " * 3500, "Node matches `" + "(a*)*" * 1000 + "`"):
        a = talk(("GET /v1/catalog/nodes?filter=%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" %
                  f.replace(" ", "%20").replace("`", "%60")).encode())
        told(status(a) in (200, 400, 500, 414, 431), "a filter of %s…" % f[:12], a[:200])
    alive("words that mean no good")


def pipeline():
    s = connect()
    s.sendall(b"GET /v1/status/leader HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
    got = b""
    while got.count(b"HTTP/1.1 200") < 500:
        piece = s.recv(65536)
        if not piece:
            break
        got += piece
    told(got.count(b"HTTP/1.1 200") == 500, "500 requests at once are 500 answers", got.count(b"HTTP/1.1 200"))
    s.close()


def hold(sources, each, data, file):
    """Connections from many addresses that send a little and wait."""
    open_ones = []
    for a in sources:
        for _ in range(each):
            try:
                s = connect(a)
                s.sendall(data)
                s.setblocking(False)
                open_ones.append(s)
            except OSError:
                pass
    with open(file, "w") as f:
        f.write("%d\n" % len(open_ones))
    while not os.path.exists(file + ".end"):
        for s in open_ones[:300]:
            try:
                s.send(b"x")        # a byte of a header now and then
            except OSError:
                pass
        time.sleep(0.5)


def watchers():
    """Clients that leave a blocking query leave nothing behind."""
    def one():
        for _ in range(25):
            s = connect()
            s.sendall(b"GET /v1/kv/never?index=1&wait=600s HTTP/1.1\r\nHost: x\r\n\r\n"
                      b"GET /v1/health/service/web?index=99999&wait=600s HTTP/1.1\r\nHost: x\r\n\r\n")
            s.close()
    threads = [threading.Thread(target=one) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    alive("a hundred that left while they waited")


case = sys.argv[2]
if case == "hold":
    hold(["10.9.%d.%d" % (i // 250, i % 250 + 1) for i in range(int(sys.argv[3]))], int(sys.argv[4]),
         b"GET /v1/status/leader HTTP/1.1\r\nX-Slow: ", sys.argv[5])
else:
    {"lengths": lengths, "words": words, "pipeline": pipeline, "watchers": watchers}[case]()
