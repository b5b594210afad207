"""Recorded requests again.  A record of http/*.jsonl has the request (name,
method, path, headers, body), the answer (status, answer_headers, json or
text), and where needed:

prepare    only sent, to have the catalog that the recording had
within     repeated until it is the same, at most so many seconds
elapsed    "at once", "change" or "wait": when a blocking query answered
meanwhile  a request sent while this one waits
starts     what the text starts with; the rest is measured
kinds      of a JSON answer only which keys it has, of which types
repeat     [BEFORE, TEXT, N, AFTER]: a body with TEXT N times
body_base64, bytes    a body, an answer, that is no text
{NAME}     in a path: the X-Consul-Index that record NAME got, +N added
{NAME.KEY} in a path or body: KEY of what record NAME was answered"""
import base64
import json
import re
import threading
import time

import compare

IGNORED = {"Date", "Content-Length", "Transfer-Encoding", "Connection"}
MEANWHILE_S = 0.3


def headers_of(headers):
    out = {k: v for k, v in headers.items() if k not in IGNORED}
    for k in "X-Consul-Index", "X-Consul-Contenthash":
        if out.get(k, "0") != "0":
            out[k] = "<masked>"
    return out


def in_order(x):
    """Lists by random ids, and shuffled ones, in an order of their own."""
    if isinstance(x, list) and x and isinstance(x[0], dict) and "CreateIndex" in x[0]:
        x.sort(key=lambda row: row["CreateIndex"])
    if isinstance(x, dict) and x.get("Nodes"):
        x["Nodes"].sort(key=lambda n: n["Node"]["Node"])


def answer(record, text, node, order=lambda value: value):
    """The recorded answer beside ours, both masked, JSON in an order of its own."""
    if "json" in record:
        recorded = order(json.loads(compare.localise(json.dumps(record["json"]), node)))
        try:
            ours = order(json.loads(text))
        except ValueError:
            return record["json"], text
        if record["path"].startswith("/v1/catalog/services"):   # tags in any order
            recorded, ours = ({k: sorted(v) for k, v in x.items()} for x in (recorded, ours))
        if re.match("/v1/(session|query)", record["path"]):
            for x in recorded, ours:
                in_order(x)
        if record.get("kinds"):
            return compare.kinds(recorded), compare.kinds(ours)
        return compare.mask(recorded), compare.mask(ours)
    if "starts" in record:
        return record["starts"], text[:len(record["starts"])]
    if "bytes" in record:
        return record["bytes"], base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()
    return compare.mask(compare.localise(record["text"], node)), compare.mask(text)


def when(record, seconds):
    wait = re.search(r"wait=(?:0m)?(\d+)(m?s)", record["path"])
    wait_s = int(wait[1]) / (1000 if wait[2] == "ms" else 1)
    if seconds < MEANWHILE_S / 2:
        return "at once"
    return "change" if seconds < wait_s else "wait"


class Replay:
    def __init__(self, node, table):
        self.node, self.table, self.indexes, self.answers = node, table, {}, {}

    def path(self, record):
        return re.sub(r"\{([\w-]+)(?:\+(\d+))?\}",
                      lambda m: str(self.indexes[m[1]] + int(m[2] or 0)),
                      self.filled(record["path"]))

    def filled(self, text):
        """{NAME.KEY} with what NAME was answered."""
        return re.sub(r"\{([\w-]+)\.(\w+)\}",
                      lambda m: str(self.answers.get(m[1], {}).get(m[2], "")), text)

    def body(self, record):
        if "repeat" in record:
            before, text, n, after = record["repeat"]
            return before + text * n + after
        if "body_base64" in record:
            return base64.b64decode(record["body_base64"])
        body = record.get("body")
        return compare.localise(self.filled(body), self.node) if body else body

    def remember(self, name, text):
        try:
            value = json.loads(text)
        except ValueError:
            return
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, dict):
            self.answers[name] = value

    def send(self, record):
        return self.node.request(
            record["method"], compare.localise(self.path(record), self.node),
            self.body(record), record.get("headers"))

    def headers(self, headers, record):
        return headers_of(headers)

    def answer(self, record, text):
        return answer(record, text, self.node)

    def once(self, record):
        timer = threading.Timer(MEANWHILE_S, self.send, [record.get("meanwhile")])
        if "meanwhile" in record:
            timer.start()
        start = time.monotonic()
        status, headers, text = self.send(record)
        seconds = time.monotonic() - start
        self.indexes[record.get("name")] = int(headers.get("X-Consul-Index", 0))
        self.remember(record.get("name"), text)
        if "meanwhile" in record:
            timer.join()
        if "prepare" in record:
            return [] if status == 200 else [f"prepare: {status} {text}"]
        found = compare.compare(record["status"], status, "status")
        found += compare.compare(self.headers(record["answer_headers"], record),
                                 self.headers(headers, record), "headers")
        found += compare.compare(*self.answer(record, text),
                                 "json" if "json" in record else "text")
        if "elapsed" in record and "wait=" in record["path"]:
            found += compare.compare(record["elapsed"], when(record, seconds), "elapsed")
        return found

    def file(self, path, name):
        self.node.clear()
        with open(path) as f:
            for record in map(json.loads, f):
                end = time.monotonic() + record.get("within", 0)
                full = f"{name}/{record.get('name', record['path'])}"
                found = self.once(record)
                while self.table.unexpected(full, found) and time.monotonic() < end:
                    time.sleep(0.1)
                    found = self.once(record)
                self.table.report(full, found)
