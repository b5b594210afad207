// What services in Node.js do with the package `consul`, against the agent on
// this host.  Prints "ok WHAT" and "no WHAT" lines.
import Consul from "consul";

const DEADLINE_MS = 40000;
const consul = new Consul();

function told(ok, what, got) {
	console.log(`${ok ? "ok" : "no"} node: ${what}${ok ? "" : ": " + JSON.stringify(got)}`);
}

const sleep = ms => new Promise(done => setTimeout(done, ms));

async function within(what, fn) {
	const end = Date.now() + DEADLINE_MS;
	let got;

	while (Date.now() < end && !(got = await fn()))
		await sleep(100);
	told(got, what, got);
}

async function keys() {
	told(await consul.kv.set("js/a", "one"), "set");
	const row = await consul.kv.get("js/a");
	told(row.Value === "one", "get", row);
	told(await consul.kv.get("js/none") === undefined || await consul.kv.get("js/none") === null, "a key that is not there");
	told(!await consul.kv.set({ key: "js/a", value: "x", cas: "1" }), "cas");
	await consul.kv.set("js/ü b", "ö");
	told((await consul.kv.get("js/ü b")).Value === "ö", "any name, any value");
	told((await consul.kv.keys("js/")).length === 2, "keys");
	await consul.kv.del({ key: "js/", recurse: true });
	told(await consul.kv.get("js/a") == null, "delete");
	const r = await consul.transaction.create([{ KV: { Verb: "set", Key: "js/t", Value: Buffer.from("t").toString("base64") } }]);
	told(r.Results[0].KV.Key === "js/t", "a transaction", r);
}

async function services() {
	await consul.agent.service.register({ id: "js1", name: "js", port: 81, tags: ["v1"], meta: { a: "b" },
		weights: { passing: 3, warning: 1 }, check: { ttl: "60s", status: "passing" } });
	await within("a service is registered and healthy", async () =>
		(await consul.health.service({ service: "js", passing: true })).some(i => i.Service.Meta.a === "b"));
	// A watch as the package makes it: a loop of blocking queries.
	const seen = [];
	const w = consul.watch({ method: consul.health.service, options: { service: "js" }, backoffFactor: 100 });
	w.on("change", data => seen.push(data.flatMap(i => i.Checks).find(c => c.CheckID === "service:js1")?.Status));
	w.on("error", e => seen.push("error " + e.message));
	await within("a watch has what there is", async () => seen.includes("passing"));
	await consul.agent.check.warn("service:js1");
	await within("and what it becomes", async () => seen.at(-1) === "warning");
	w.end();
	told(!seen.some(s => String(s).startsWith("error")), "without an error", seen);
	await consul.agent.service.deregister("js1");
	await within("deregistered", async () => (await consul.catalog.service.nodes("js")).length === 0);
	told((await consul.catalog.node.list()).length === 4, "nodes");
	told((await consul.agent.self()).Config.Datacenter === "dc1", "self");
}

async function sessions() {
	const { ID } = await consul.session.create({ name: "js", ttl: "15s", lockdelay: "0s" });

	told(await consul.kv.set({ key: "js/lock", value: "me", acquire: ID }), "a lock");
	told((await consul.session.renew(ID))[0].ID === ID, "renew");
	await consul.session.destroy(ID);
	told((await consul.kv.get("js/lock")).Session === undefined, "its end frees the lock");
	const q = await consul.query.create({ name: "js-query", service: { service: "web" } });
	told((await consul.query.execute("js-query")).Nodes.length === 1, "a prepared query");
	await consul.query.destroy(q.ID);
	const e = await consul.event.fire("js-event", "x");
	await within("an event", async () => (await consul.event.list("js-event")).some(x => x.ID === e.ID));
	told((await consul.status.peers()).length === 3, "peers");
}

for (const part of [keys, services, sessions])
	try {
		await part();
	} catch (e) {
		told(false, part.name + " to its end", e.message);
	}
