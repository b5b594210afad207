"""Recorded requests again.  A record of http/*.jsonl has the request (name,
method, path, headers, body), the answer (status, answer_headers, json or
text), and where needed:

prepare    only sent, to have the catalog that the recording had
within     repeated until it is the same, at most so many seconds
elapsed    "at once", "change" or "wait": when a blocking query answered
meanwhile  a request sent while this one waits
{NAME}     in a path: the X-Consul-Index that record NAME got, +N added"""
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


def answer(record, text, node):
    """The recorded answer beside ours, both masked."""
    if "json" in record:
        recorded = json.loads(compare.localise(json.dumps(record["json"]), node))
        try:
            ours = json.loads(text)
        except ValueError:
            return record["json"], text
        if record["path"].startswith("/v1/catalog/services"):   # tags in any order
            recorded, ours = ({k: sorted(v) for k, v in x.items()} for x in (recorded, ours))
        return compare.mask(recorded), compare.mask(ours)
    return compare.mask(compare.localise(record["text"], node)), compare.mask(text)


def when(record, seconds):
    wait = re.search(r"wait=(?:0m)?(\d+)(m?s)", record["path"])
    wait_s = int(wait[1]) / (1000 if wait[2] == "ms" else 1)
    if seconds < MEANWHILE_S / 2:
        return "at once"
    return "change" if seconds < wait_s else "wait"


class Replay:
    def __init__(self, node, table):
        self.node, self.table, self.indexes = node, table, {}

    def path(self, record):
        return re.sub(r"\{([\w-]+)(?:\+(\d+))?\}",
                      lambda m: str(self.indexes[m[1]] + int(m[2] or 0)), record["path"])

    def send(self, record):
        body = record.get("body")
        return self.node.request(
            record["method"], compare.localise(self.path(record), self.node),
            compare.localise(body, self.node) if body else body, record.get("headers"))

    def once(self, record):
        timer = threading.Timer(MEANWHILE_S, self.send, [record.get("meanwhile")])
        if "meanwhile" in record:
            timer.start()
        start = time.monotonic()
        status, headers, text = self.send(record)
        seconds = time.monotonic() - start
        self.indexes[record.get("name")] = int(headers.get("X-Consul-Index", 0))
        if "meanwhile" in record:
            timer.join()
        if "prepare" in record:
            return [] if status == 200 else [f"prepare: {status} {text}"]
        found = compare.compare(record["status"], status, "status")
        found += compare.compare(headers_of(record["answer_headers"]), headers_of(headers),
                                 "headers")
        found += compare.compare(*answer(record, text, self.node),
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
