"""
methods.py ask NAME=WORD...     asks the Consul agent at 127.0.0.1:8500 for
                                whatever makes it call a method of its servers,
                                and prints what it answers; names, addresses,
                                ids, times and indexes are replaced by words,
                                for another datacenter has others
methods.py compare WANT GOT     two such lists; what differs must be in the
                                table DIFFERENCES, and what is there must differ
"""
import http.client
import json
import re
import sys

SERVICE = {"Name": "web", "Tags": ["a", "b"], "Port": 80, "Meta": {"m": "1"},
           "Checks": [{"CheckID": "c1", "TTL": "900s", "Status": "passing"},
                      {"CheckID": "c2", "TTL": "900s", "Status": "warning"}]}
NATIVE = {"Name": "native", "Port": 81, "Connect": {"Native": True}}
PROXY = {"Name": "proxy", "Kind": "connect-proxy", "Port": 82,
         "Proxy": {"DestinationServiceName": "web"}}
LEAF = "spiffe://11111111-2222-3333-4444-555555555555.consul/ns/default/dc/dc1/svc/web"
UUID = "11111111-2222-3333-4444-555555555555"
INTENTION = {"SourceName": "web", "DestinationName": "db", "Action": "deny"}

REQUESTS = [
    # Catalog, Health, Internal, with and without the agent's cache.
    ("PUT", "/v1/agent/service/register", SERVICE),
    ("PUT", "/v1/agent/service/register", NATIVE),
    ("PUT", "/v1/agent/service/register", PROXY),
    ("PUT", "/v1/catalog/register", {
        "Node": "ext", "Address": "10.9.9.9", "NodeMeta": {"external": "1"},
        "Service": {"Service": "far", "Port": 1},
        "Checks": [{"CheckID": "e", "Name": "e", "Status": "critical",
                    "ServiceID": "far"}]}),
    ("PUT", "/v1/catalog/register", {"Node": "ext"}),
    ("PUT", "/v1/catalog/register", {"Node": "ext", "Address": "10.9.9.9",
                                     "Check": {"ServiceID": "none"}}),
    ("WAIT", "/v1/catalog/service/web", None),
    ("WAIT", "/v1/catalog/service/native", None),
    ("WAIT", "/v1/catalog/service/proxy", None),
] + [("GET", path, None) for path in """
/v1/status/leader
/v1/status/peers
/v1/catalog/datacenters
/v1/catalog/datacenters?cached
/v1/catalog/nodes
/v1/catalog/nodes?cached
/v1/catalog/nodes?stale
/v1/catalog/nodes?consistent
/v1/catalog/nodes?node-meta=external:1
/v1/catalog/services
/v1/catalog/services?cached
/v1/catalog/services?node-meta=external:1
/v1/catalog/service/web
/v1/catalog/service/web?cached
/v1/catalog/service/web?tag=a&tag=B
/v1/catalog/service/web?tag=none
/v1/catalog/service/none
/v1/catalog/node/CLIENT
/v1/catalog/node/ext
/v1/catalog/node/none
/v1/catalog/node-services/ext
/v1/catalog/node-services/none
/v1/catalog/connect/web
/v1/catalog/connect/native
/v1/catalog/connect/none
/v1/catalog/gateway-services/web
/v1/catalog/gateway-services/none
/v1/health/node/CLIENT
/v1/health/node/none
/v1/health/checks/web
/v1/health/checks/none
/v1/health/service/web
/v1/health/service/web?cached
/v1/health/service/web?passing
/v1/health/service/web?cached&tag=a
/v1/health/service/none
/v1/health/service/none?cached
/v1/health/connect/web
/v1/health/connect/web?cached
/v1/health/connect/native
/v1/health/connect/none
/v1/health/ingress/web
/v1/health/ingress/none
/v1/health/state/any
/v1/health/state/critical
/v1/health/state/passing
/v1/internal/ui/nodes
/v1/internal/ui/node/CLIENT
/v1/internal/ui/node/none
/v1/internal/ui/services
/v1/internal/ui/gateway-services-nodes/web
/v1/internal/ui/gateway-services-nodes/none
/v1/agent/health/service/name/web
/v1/catalog/nodes?dc=nowhere
/v1/kv/x?dc=nowhere
/v1/coordinate/datacenters
/v1/coordinate/node/none
/v1/operator/autopilot/configuration
/v1/operator/autopilot/health
/v1/operator/raft/configuration
/v1/operator/keyring
/v1/internal/federation-states
/v1/internal/federation-states/mesh-gateways
/v1/internal/federation-state/dc1
/v1/internal/federation-state/none
/v1/config/service-defaults
/v1/config/service-defaults?cached
/v1/config/service-defaults/web
/v1/config/proxy-defaults/global
/v1/config/proxy-defaults
/v1/config/nothing
/v1/config/service-resolver
/v1/config/ingress-gateway
/v1/discovery-chain/web
/v1/connect/ca/roots
/v1/connect/ca/roots?pem=true
/v1/connect/ca/configuration
/v1/agent/connect/ca/roots
/v1/agent/connect/ca/leaf/web
/v1/connect/intentions
/v1/connect/intentions/match?by=source&name=web
/v1/connect/intentions/match?by=destination&name=web&name=db
/v1/connect/intentions/match?by=destination&name=*
/v1/connect/intentions/check?source=web&destination=db
/v1/connect/intentions/UUID
/v1/connect/intentions/not-an-id
/v1/acl/bootstrap
/v1/acl/replication
/v1/acl/tokens
/v1/acl/token/self
/v1/acl/token/UUID
/v1/acl/policies
/v1/acl/policy/UUID
/v1/acl/policy/name/none
/v1/acl/roles
/v1/acl/role/UUID
/v1/acl/role/name/none
/v1/acl/auth-methods
/v1/acl/auth-method/none
/v1/acl/binding-rules
/v1/acl/binding-rule/UUID
/v1/acl/list
/v1/acl/info/UUID
/v1/query
/v1/query/UUID
/v1/query/none/execute
/v1/query/none/explain
/v1/session/list
/v1/session/info/UUID
/v1/session/node/none
/v1/kv/?keys
/v1/kv/none
/v1/event/list
""".split()] + [
    ("PUT", "/v1/acl/bootstrap", None),
    ("PUT", "/v1/acl/token", {}),
    ("PUT", "/v1/acl/policy", {"Name": "p"}),
    ("PUT", "/v1/acl/role", {"Name": "r"}),
    ("PUT", "/v1/acl/auth-method", {"Name": "m", "Type": "kubernetes"}),
    ("PUT", "/v1/acl/binding-rule", {"AuthMethod": "m"}),
    ("PUT", "/v1/acl/create", {"Name": "x"}),
    ("PUT", "/v1/acl/destroy/" + UUID, None),
    ("POST", "/v1/acl/login", {"AuthMethod": "m", "BearerToken": "x"}),
    ("POST", "/v1/acl/logout", None),
    ("DELETE", "/v1/acl/token/" + UUID, None),
    ("PUT", "/v1/connect/ca/configuration", {"Provider": "consul", "Config": {}}),
    ("POST", "/v1/agent/connect/authorize",
     {"Target": "db", "ClientCertURI": LEAF, "ClientCertSerial": "04"}),
    ("POST", "/v1/connect/intentions", INTENTION),
    ("PUT", "/v1/connect/intentions/" + UUID, INTENTION),
    ("DELETE", "/v1/connect/intentions/" + UUID, None),
    ("PUT", "/v1/config", {"Kind": "service-defaults", "Name": "web", "Protocol": "http"}),
    ("DELETE", "/v1/config/service-defaults/none", None),
    ("PUT", "/v1/operator/autopilot/configuration", {"CleanupDeadServers": True,
     "LastContactThreshold": "200ms", "MaxTrailingLogs": 250, "ServerStabilizationTime": "10s"}),
    ("GET", "/v1/operator/autopilot/configuration", None),
    ("DELETE", "/v1/operator/raft/peer?id=" + UUID, None),
    ("DELETE", "/v1/operator/raft/peer?address=10.9.9.9:8300", None),
    ("PUT", "/v1/session/create", {"Node": "none"}),
    ("PUT", "/v1/session/create", {"TTL": "1s"}),
    ("PUT", "/v1/session/renew/" + UUID, None),
    ("PUT", "/v1/session/destroy/" + UUID, None),
    ("PUT", "/v1/kv/k", {"a": 1}),
    ("PUT", "/v1/kv/k?acquire=" + UUID, {"a": 1}),
    ("GET", "/v1/kv/k", None),
    ("GET", "/v1/kv/?keys", None),
    ("DELETE", "/v1/kv/k", None),
    ("PUT", "/v1/txn", [{"KV": {"Verb": "get", "Key": "none"}}]),
    ("POST", "/v1/query", {"Name": "q", "Service": {"Service": "web"}}),
    ("GET", "/v1/query/q/execute", None),
    ("GET", "/v1/query/q/execute?connect=true", None),
    ("GET", "/v1/query/q/explain", None),
    ("POST", "/v1/query", {"Name": "q", "Service": {"Service": "web"}}),
    ("PUT", "/v1/coordinate/update", {"Node": "none", "Coord": {"Vec": [1]}}),
    ("PUT", "/v1/catalog/deregister", {"Node": "ext"}),
    ("PUT", "/v1/catalog/deregister", {"Node": "none"}),
    ("PUT", "/v1/catalog/deregister", {}),
]

WAITS = sum(method == "WAIT" for method, path, body in REQUESTS)
INTENTIONS = "intentions are not kept: there is no Connect to heed them"
ENTRIES = "configuration entries are not kept: there is no Connect to heed them"
FEDERATION = "there are no federation states, for there are no mesh gateways"
DIFFERENCES = {
    "POST /v1/connect/intentions": INTENTIONS,
    "PUT /v1/connect/intentions": INTENTIONS,
    "DELETE /v1/connect/intentions": INTENTIONS,
    "PUT /v1/config": ENTRIES,
    "DELETE /v1/config": ENTRIES,
    "GET /v1/internal/federation-states": FEDERATION,
    "GET /v1/internal/federation-state/dc1": FEDERATION,
    "GET /v1/internal/federation-state/none": FEDERATION,
}


def ask(method, path, body):
    c = http.client.HTTPConnection("127.0.0.1", 8500, timeout=20)
    c.request(method, path, None if body is None else json.dumps(body))
    r = c.getresponse()
    text = r.read().decode(errors="replace")
    headers = {k.lower(): v for k, v in r.getheaders()}
    c.close()
    return r.status, headers, text


def sort(x):
    """Rows by their names: random ids order them."""
    if isinstance(x, list):
        return sorted((sort(v) for v in x), key=lambda v: json.dumps(v, sort_keys=True))
    if isinstance(x, dict):
        return {k: sort(v) for k, v in sorted(x.items())}
    return x


def plain(text, words):
    try:
        x = json.loads(text)
    except ValueError:
        x = None
    for name, word in words:
        text = re.sub(r"\b%s\b" % re.escape(name), word, text)
    for pattern, word in (
            (r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", "ID"),
            (r'("(?:Create|Modify|Last)?Index":\s*)\d+', r"\1N"),
            (r'("LastTerm":\s*)\d+', r"\1N"),
            (r'("(?:StableSince|LastContact)":\s*)"[^"]*"', r'\1"T"'),
            (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME")):
        text = re.sub(pattern, word, text)
    if x is None:
        return text.strip()
    return json.dumps(sort(json.loads(re.sub(r": N\b|:N\b", ': "N"', text))))


def main(args):
    words = [tuple(a.split("=")) for a in args]
    client = next(n for n, w in words if w == "CLIENT")
    for method, path, body in REQUESTS:
        path = path.replace("UUID", UUID)
        real = path.replace("CLIENT", client)
        if method == "WAIT":
            while ask("GET", real, None)[2].strip() == "[]":
                pass
            continue
        status, headers, text = ask(method, real, body)
        # Has an index, says whether there is a leader, came from the cache?
        meta = "".join(
            " %s=%s" % (h[9:], "N" if h.endswith("index") and headers[h] != "0"
                        else headers[h])
            for h in ("x-consul-index", "x-consul-knownleader",
                      "x-consul-effective-consistency", "x-cache") if h in headers)
        print("%s %s%s\t%d%s %s" % (
            method, path, "" if body is None else " " + json.dumps(body),
            status, meta, plain(text, words)))


def compare(want, got):
    bad, used = 0, set()
    want, got = ([line.rstrip("\n").split("\t", 1) for line in open(f)]
                 for f in (want, got))
    if len(want) != len(got) or len(want) < len(REQUESTS) - WAITS:
        print("%d answers, not %d" % (len(got), len(want)))
        return 1
    for (request, a), (_, b) in zip(want, got):
        known = [k for k in DIFFERENCES if request.startswith(k)]
        used.update(known if a != b else ())
        if a != b and not known:
            bad = 1
            print("%s\n  Consul: %s\n  disco:  %s" % (request, a, b))
    for k in set(DIFFERENCES) - used:
        bad = 1
        print("does not differ: %s" % k)
    print("%d requests, %d differences" % (len(want), len(used)))
    return bad


if __name__ == "__main__":
    sys.exit({"ask": lambda *a: main(a), "compare": compare}[sys.argv[1]](*sys.argv[2:]))
