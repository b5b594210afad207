"""Servers that checks are pointed at: those that misbehave, each in its own
way, a UDP echo, and a gRPC server with the health protocol.

    servers.py odd
    servers.py grpc PORT [CERT KEY]

odd listens on 127.0.0.1: 9001 says nothing, 9002 drips its head, 9003 closes,
9004 sends without end, 9005 drips its body, 9006 answers no HTTP, 9007 has a
head without end; UDP 9010 echoes, 9011 is silent."""
import socket
import sys
import threading
import time

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


def drip(c, data):
    for i in range(len(data)):
        c.sendall(data[i:i + 1])
        time.sleep(1)


def hang(c):
    time.sleep(600)


def drip_head(c):
    drip(c, HEAD + b"\r\n")


def close(c):
    pass


def endless(c):
    c.sendall(HEAD + b"\r\n")
    while True:
        c.sendall(b"0123456789abcde\n" * 4096)


def drip_body(c):
    c.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
    drip(c, b"x" * 1000)


def garbage(c):
    c.sendall(b"\x00\x01SSH-2.0-nothing\r\n\r\n")


def endless_head(c):
    c.sendall(HEAD)
    while True:
        c.sendall(b"X-More: more\r\n" * 1000)


def one(c, fn):
    try:
        c.recv(65536)
        fn(c)
        c.close()
    except OSError:
        pass


def tcp(port, fn):
    s = socket.create_server(("127.0.0.1", port), backlog=64)
    while True:
        c, _ = s.accept()
        threading.Thread(target=one, args=(c, fn), daemon=True).start()


def udp(port, answers):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", port))
    while True:
        data, who = s.recvfrom(2048)
        if answers:
            s.sendto(data, who)


def odd():
    fns = [hang, drip_head, close, endless, drip_body, garbage, endless_head]
    for i, fn in enumerate(fns):
        threading.Thread(target=tcp, args=(9001 + i, fn), daemon=True).start()
    threading.Thread(target=udp, args=(9010, True), daemon=True).start()
    udp(9011, False)


def string_of(message):
    """Field 1 of HealthCheckRequest: short strings alone."""
    return message[2:2 + message[1]].decode() if len(message) > 1 else ""


def grpc_server(port, cert=None, key=None):
    import grpc
    from concurrent import futures
    states = {"": 1, "up": 1, "down": 2}

    def check(request, context):
        name = string_of(request)
        if name not in states:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return bytes([8, states[name]])

    handler = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {
        "Check": grpc.unary_unary_rpc_method_handler(check)})
    s = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    s.add_generic_rpc_handlers((handler,))
    where = "127.0.0.1:%s" % port
    if cert is None:
        s.add_insecure_port(where)
    else:
        pair = (open(key, "rb").read(), open(cert, "rb").read())
        s.add_secure_port(where, grpc.ssl_server_credentials([pair]))
    s.start()
    s.wait_for_termination()


if sys.argv[1] == "odd":
    odd()
else:
    grpc_server(*sys.argv[2:])
