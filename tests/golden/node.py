"""One disco agent on a loopback address of its own, with high ports, for as
long as a test lasts."""
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

START_S, STOP_S, WAIT_S = 10, 20, 30


class Node:
    def __init__(self, build, joins=None, name=None, address=None, **config):
        """A client agent of the server `joins`, where there is one, else a server."""
        pid = os.getpid()
        part = 192 if joins else 64
        self.address = address or \
            f"127.{part + pid // 62500 % 60}.{pid // 250 % 250}.{pid % 250 + 2}"
        self.name = name or ("node2" if joins else "node1")
        # Addresses of the recordings.
        self.known = {"10.0.0.2": joins.address, "10.0.0.3": self.address} if joins else {
            f"10.0.0.{n}": self.address for n in (2, 3, 4)}
        self.names = {}         # as which name of the recordings, where not the same
        self.ports = {name: 20000 + port for name, port in (
            ("server", 8300), ("serf_lan", 8301), ("serf_wan", 8302),
            ("http", 8500), ("dns", 8600))}
        self.bin = os.path.abspath(os.path.join(build, "bin"))
        self.dir = tempfile.mkdtemp(prefix="disco-golden.")
        os.chmod(self.dir, 0o755)       # children are other users
        os.mkdir(self.dir + "/log")
        self.config = {
            "node_name": self.name,
            **({"retry_join": [f"{joins.address}:28301"], "retry_interval": "1s"} if joins else
               {"server": True, "bootstrap_expect": 1}),
            "data_dir": self.dir + "/data", "bind_addr": self.address,
            "client_addr": self.address, "ports": self.ports,
            "node_meta": {"os": "linux", "rack": "r1"},
            "enable_script_checks": True, "check_update_interval": "0s",
            **config}
        with open(self.dir + "/consul.json", "w") as f:
            json.dump(self.config, f)
        self.start()

    def start(self):
        self.out = open(self.dir + "/out", "a")
        self.process = subprocess.Popen(
            [self.bin + "/discod", "-f", "-config-file", self.dir + "/consul.json",
             "-run-dir", self.dir + "/run", "-log-file", self.dir + "/log/"],
            stdout=self.out, stderr=subprocess.STDOUT)

    def request(self, method, path, body=None, headers=None, timeout_s=20):
        """Status, headers and text of the answer."""
        c = http.client.HTTPConnection(self.address, self.ports["http"], timeout=timeout_s)
        try:
            c.request(method, path, body.encode() if isinstance(body, str) else body,
                      headers or {})
            r = c.getresponse()
            return (r.status, dict(r.getheaders()),
                    r.read().decode("utf-8", "surrogateescape"))
        finally:
            c.close()

    def get(self, path):
        return json.loads(self.request("GET", path)[2])

    def wait_ready(self, within_s=START_S):
        """Until it leads and has itself in the catalog, with what it says of itself."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"discod ended with {self.process.returncode}")
            try:
                if any(c["CheckID"] == "serfHealth" for c in self.get(f"/v1/health/node/{self.name}")) and \
                        self.get(f"/v1/catalog/node/{self.name}")["Node"]["TaggedAddresses"]:
                    return
            except (OSError, ValueError, http.client.HTTPException):
                pass
            time.sleep(0.05)
        raise RuntimeError(f"no leader within {within_s} s")

    def wait(self, what, path, holds):
        """Until it holds for an answer's headers and text."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if holds(*self.request("GET", path)[1:]):
                return
            time.sleep(0.1)
        raise RuntimeError(f"not {what} within {WAIT_S} s")

    def clear(self):
        """Takes away what recordings registered."""
        for what in "service", "check":
            for name in self.get(f"/v1/agent/{what}s"):
                name = name.replace(" ", "%20")
                self.request("PUT", f"/v1/agent/{what}/deregister/{name}")
        for s in self.get("/v1/session/list"):
            self.request("PUT", "/v1/session/destroy/" + s["ID"])
        for q in self.get("/v1/query"):
            self.request("DELETE", "/v1/query/" + q["ID"])
        self.request("DELETE", "/v1/kv/?recurse")
        for n in self.get("/v1/catalog/nodes"):
            if n["Node"] not in ("node1", self.name):
                self.request("PUT", "/v1/catalog/deregister", json.dumps({"Node": n["Node"]}))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.out.close()

    def kill(self):
        """Every process of it at once, as a machine that is gone."""
        pids = [self.process.pid]
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
            pids += map(int, f.read().split())
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.process.wait(STOP_S)
        self.out.close()

    def tail(self):
        """The ends of its logs, for a failure's report."""
        for name in ["out"] + sorted("log/" + n for n in os.listdir(self.dir + "/log")):
            with open(f"{self.dir}/{name}", errors="replace") as f:
                for line in f.read().splitlines()[-8:]:
                    print(f"#   {name}: {line[:200]}")

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)
