"""
What services in Python do with python-consul, against the agent on this host.
Prints "ok WHAT" and "no WHAT" lines.
"""
import threading
import time

import consul

DEADLINE_S = 40
c = consul.Consul()


def told(ok, what, got=""):
    print("%s python: %s%s" % ("ok" if ok else "no", what, "" if ok else ": %r" % (got,)), flush=True)


def within(what, fn):
    deadline = time.monotonic() + DEADLINE_S
    got = None
    while time.monotonic() < deadline:
        got = fn()
        if got:
            break
        time.sleep(0.1)
    told(bool(got), what, got)


def put(path):
    """What this version of the package asks by GET, which Consul 1.x refuses."""
    return c.http.put(consul.base.CB.bool(), path)


def raises(error, fn):
    try:
        fn()
    except error:
        return True
    return False


def keys():
    told(c.kv.put("py/a", "one"), "put")
    index, row = c.kv.get("py/a")
    told(row["Value"] == b"one" and row["Flags"] == 0, "get", row)
    told(c.kv.get("py/none")[1] is None, "a key that is not there")
    told(c.kv.put("py/b", "two", flags=7) and c.kv.get("py/b")[1]["Flags"] == 7, "flags")
    told(c.kv.put("py/a", "x", cas=row["ModifyIndex"]) and not c.kv.put("py/a", "y", cas=row["ModifyIndex"]), "cas")
    told([r["Key"] for r in c.kv.get("py/", recurse=True)[1]] == ["py/a", "py/b"], "recurse")
    c.kv.put("py/d/e", "")
    told(c.kv.get("py/", keys=True, separator="/")[1] == ["py/a", "py/b", "py/d/"], "keys up to a separator")
    told(c.kv.get("py/d/e")[1]["Value"] is None, "an empty value")
    index, _ = c.kv.get("py/w")
    t = threading.Timer(0.3, lambda: consul.Consul().kv.put("py/w", "now"))
    t.start()
    told(c.kv.get("py/w", index=index, wait="30s")[1]["Value"] == b"now", "a blocking query wakes")
    t.join()
    told(c.kv.delete("py/", recurse=True) and c.kv.get("py/", recurse=True)[1] is None, "delete")


def services():
    a = c.agent.service
    told(a.register("py", service_id="py1", port=80, tags=["v1"], check=consul.Check.ttl("60s")), "a service with a TTL")
    told(put("/v1/agent/check/pass/service:py1"), "its heartbeat")
    within("it is healthy", lambda: [n["Service"]["ID"] for n in c.health.service("py", passing=True)[1]] == ["py1"])
    index, _ = c.health.service("py")
    t = threading.Timer(0.3, lambda: put("/v1/agent/check/fail/service:py1"))
    t.start()
    _, rows = c.health.service("py", index=index, wait="30s")
    told(rows[0]["Checks"][-1]["Status"] == "critical" or rows[0]["Checks"][0]["Status"] == "critical",
         "a watcher sees it fail", rows)
    t.join()
    told(c.health.service("py", passing=True)[1] == [], "and it is given out no more")
    told("py" in c.catalog.services()[1] and c.catalog.service("py", tag="v1")[1][0]["ServicePort"] == 80, "catalog")
    told(c.catalog.service("py", tag="v2")[1] == [], "by tag")
    told(c.agent.self()["Config"]["NodeName"] in [n["Node"] for n in c.catalog.nodes()[1]], "nodes")
    told(a.maintenance("py1", "true", "paint"), "maintenance")
    within("which is a check", lambda: any(k["CheckID"].startswith("_service_maintenance")
                                           for k in c.health.checks("py")[1]))
    told(a.maintenance("py1", "false"), "its end")
    told(put("/v1/agent/service/deregister/py1") and "py1" not in c.agent.services(), "deregister")
    told(c.catalog.register("ext", "192.0.2.7", service={"Service": "outer", "Port": 9}), "an external node")
    told(c.catalog.node("ext")[1]["Services"]["outer"]["Port"] == 9, "is in the catalog")
    told(c.catalog.deregister("ext") and c.catalog.node("ext")[1] is None, "and goes")


def sessions():
    one = c.session.create("one", ttl=10, lock_delay=0, behavior="delete")
    two = c.session.create("two", lock_delay=0)
    told(c.kv.put("lock", "1", acquire=one) and not c.kv.put("lock", "2", acquire=two), "a lock has one holder")
    told(c.kv.get("lock")[1]["Session"] == one, "which it names")
    told(c.session.renew(one)["TTL"] == "10s", "renew")
    told(one in [s["ID"] for s in c.session.list()[1]] and c.session.info(two)[1]["Name"] == "two", "list, info")
    told(c.session.destroy(one) and c.kv.get("lock")[1] is None, "its end takes the key along, as it said")
    told(c.kv.put("lock", "2", acquire=two) and c.kv.put("lock", "3", release=two), "acquire and release")
    three = c.session.create("three", ttl=10, lock_delay=0)
    told(c.kv.put("lock", "3", acquire=three), "held by one that is never renewed")
    within("the other takes it when that has ended", lambda: c.kv.put("lock", "2", acquire=two))
    c.session.destroy(two)


def others():
    q = c.query.create("web", name="py-query", onlypassing=True)
    told(len(c.query.execute("py-query")["Nodes"]) == 1, "a prepared query")
    told(c.query.delete(q["ID"] if isinstance(q, dict) else q), "its end")
    told(c.event.fire("py-event", "body") is not None, "an event")
    within("which comes", lambda: [e["Payload"] for e in c.event.list("py-event")[1]] == [b"body"])
    told(c.status.leader().endswith(":8300") and len(c.status.peers()) == 3, "leader and peers")
    told("dc1" in c.catalog.datacenters(), "datacenters")
    told(raises(consul.ACLDisabled, c.acl.list), "ACLs are off, and said to be")
    told(len(c.agent.members()) == 4, "members")
    told(consul.Consul(token="anything").kv.put("py/token", "x"), "a token is accepted")
    told(c.coordinate.datacenters()[0]["Datacenter"] == "dc1", "coordinates")


for part in keys, services, sessions, others:
    try:
        part()
    except Exception as e:
        told(False, part.__name__ + " to its end", e)
