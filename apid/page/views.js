/*
 * The views: each is given its place and follows what it shows until it is left.
 */
import { follow, get, path, send } from "./api.js";
import { el, put, state, table, tags } from "./dom.js";

const ROWS_MAX = 500;		/* in a table: more are counted, a filter finds them */
const POLL_MS = 2000;		/* of what has no index to wait for */
const SLOW_POLL_MS = 5000;
const MB = 1048576;

/* What the navigation has, in its order. */
export const NAMES = { services: "Services", nodes: "Nodes", checks: "Checks", kv: "Keys", members: "Members",
	servers: "Servers" };

const hash = (...parts) => "#/" + parts.map(encodeURIComponent).join("/");
const count = (n, one, many = one + "s") => n + " " + (n === 1 ? one : many);

/* The worst of some checks, in Consul's order. */
function worst(checks) {
	for (const s of ["critical", "warning"])
		if (checks.some(c => c.Status === s))
			return s;
	return "passing";
}

/*
 * A list that can be filtered: rows(text) are those to show.  Returns the
 * function that takes new data.
 */
function listView(v, title, what, columns, matches, more = []) {
	const field = el("input", { type: "search", id: "filter", autocomplete: "off", oninput: draw });
	const at = el("div", {}, el("p", { class: "dim" }, "Asking …"));
	let data = null;

	v.main.append(el("h1", {}, title),
		el("form", { class: "tools", role: "search", onsubmit: e => e.preventDefault() },
			el("label", { for: "filter" }, "Filter ", field), more),
		at);

	function draw() {
		if (data === null)
			return;
		const want = field.value.trim().toLowerCase();
		const rows = data.filter(r => matches(r).toLowerCase().includes(want));
		const caption = (want ? rows.length + " of " : "") + count(data.length, ...what) +
			(rows.length > ROWS_MAX ? ", the first " + ROWS_MAX + " shown" : "");

		put(at, table(caption, columns, rows.slice(0, ROWS_MAX)));
	}
	return all => { data = all; draw(); };
}

/* ---- services ---- */

function summary(s) {
	if (s.ChecksCritical > 0)
		return state("critical", s.ChecksCritical + " critical");
	if (s.ChecksWarning > 0)
		return state("warning", s.ChecksWarning + " warning");
	return state("passing");
}

function services(v) {
	if (v.rest.length > 0)
		return service(v, v.rest.join("/"));
	const take = listView(v, "Services", ["service"], [
		{ name: "Service", cell: s => el("a", { href: hash("services", s.Name) }, s.Name) },
		{ name: "Health", cell: summary },
		{ name: "Instances", n: true, cell: s => s.InstanceCount },
		{ name: "Tags", cell: s => tags(s.Tags) },
	], s => s.Name + " " + (s.Tags || []).join(" "));
	const bad = new Map();

	return follow(path("internal", "ui", "services"), all => {
		for (const s of all) {
			const was = bad.get(s.Name), now = s.ChecksCritical;

			if (was !== undefined && was !== now)
				v.say(s.Name + ": " + (now > 0 ? count(now, "check") + " critical" : "no check critical"));
			bad.set(s.Name, now);
		}
		take(all);
	}, v);
}

function checkList(checks) {
	return checks.map(c => el("details", { open: c.Status !== "passing" },
		el("summary", {}, state(c.Status), " " + c.Name),
		c.Notes ? el("p", {}, c.Notes) : null,
		el("pre", {}, c.Output || "no output yet")));
}

function service(v, name) {
	const take = listView(v, name, ["instance"], [
		{ name: "Instance", cell: i => i.Service.ID },
		{ name: "Health", cell: i => state(worst(i.Checks)) },
		{ name: "Node", cell: i => el("a", { href: hash("nodes", i.Node.Node) }, i.Node.Node) },
		{ name: "Address", cell: i => el("span", { class: "mono" }, address(i)) },
		{ name: "Tags", cell: i => tags(i.Service.Tags) },
		{ name: "Checks", cell: i => checkList(i.Checks) },
	], i => [i.Service.ID, i.Node.Node, address(i), ...(i.Service.Tags || [])].join(" "));

	return follow(path("health", "service", name), take, v);
}

function address(i) {
	const host = i.Service.Address || i.Node.Address;
	const text = host.includes(":") ? "[" + host + "]" : host;

	return i.Service.Port ? text + ":" + i.Service.Port : text;
}

/* ---- nodes ---- */

function nodes(v) {
	if (v.rest.length > 0)
		return node(v, v.rest.join("/"));
	const take = listView(v, "Nodes", ["node"], [
		{ name: "Node", cell: n => el("a", { href: hash("nodes", n.Node) }, n.Node) },
		{ name: "Health", cell: n => state(worst(n.Checks)) },
		{ name: "Address", cell: n => el("span", { class: "mono" }, n.Address) },
		{ name: "Services", cell: n => n.Services.map(s => s.Service).join(", ") },
	], n => n.Node + " " + n.Address);

	return follow(path("internal", "ui", "nodes"), take, v);
}

function node(v, name) {
	const at = el("div", {});

	v.main.append(el("h1", {}, name), at);
	return follow(path("internal", "ui", "node", name), n => {
		if (n === null) {
			put(at, el("p", { class: "error" }, "No node of this name is registered."));
			return;
		}
		put(at, el("p", {}, state(worst(n.Checks)), " ", el("span", { class: "mono" }, n.Address)),
			table(count(n.Services.length, "service"), [
				{ name: "Service", cell: s => el("a", { href: hash("services", s.Service) }, s.Service) },
				{ name: "ID", cell: s => s.ID },
				{ name: "Port", n: true, cell: s => s.Port || "" },
				{ name: "Tags", cell: s => tags(s.Tags) },
			], n.Services),
			el("h2", {}, "Checks"), checkList(n.Checks),
			el("h2", {}, "Metadata"), table("as the node gave it", [
				{ name: "Name", cell: m => m[0] }, { name: "Value", cell: m => m[1] },
			], Object.entries(n.Meta || {})));
	}, v);
}

/* ---- checks ---- */

function checks(v) {
	const status = v.params.get("status") || "any";
	const choice = el("select", { id: "status", onchange: () => {
		location.hash = "#/checks?status=" + choice.value;
	} }, ["any", "critical", "warning", "passing"].map(s => el("option", { value: s, selected: s === status }, s)));
	const take = listView(v, "Checks", ["check"], [
		{ name: "Check", cell: c => c.Name },
		{ name: "Status", cell: c => state(c.Status) },
		{ name: "Node", cell: c => el("a", { href: hash("nodes", c.Node) }, c.Node) },
		{ name: "Service", cell: c => c.ServiceName ? el("a", { href: hash("services", c.ServiceName) }, c.ServiceName) : "" },
		{ name: "Output", cell: c => el("pre", {}, c.Output || "") },
	], c => [c.Name, c.Node, c.ServiceName, c.Output].join(" "), el("label", { for: "status" }, "Status ", choice));
	const order = { critical: 0, warning: 1, passing: 2 };

	return follow(path("health", "state", status),
		all => take(all.sort((a, b) => order[a.Status] - order[b.Status] || a.Node.localeCompare(b.Node))), v);
}

/* ---- keys ---- */

/* Every folder above a key, as links. */
function trail(key) {
	const parts = key.split("/").slice(0, key.endsWith("/") ? -2 : -1);

	return el("p", {}, el("a", { href: "#/kv" }, "all keys"),
		parts.map((p, i) => [" / ", el("a", { href: hash("kv", parts.slice(0, i + 1).join("/") + "/") }, p)]));
}

function kv(v) {
	const key = v.rest.join("/");

	return key === "" || key.endsWith("/") ? folder(v, key) : value(v, key);
}

function folder(v, prefix) {
	const name = el("input", { id: "name", required: true });
	const take = listView(v, prefix || "Keys", ["key"], [
		{ name: "Key", cell: k => el("a", { href: hash("kv", k) }, k.slice(prefix.length) || k) },
	], k => k, el("label", { for: "name" }, "New key ", name));

	v.main.querySelector("h1").after(trail(prefix));
	v.main.querySelector("form").append(el("button", {}, "Create"));
	v.main.querySelector("form").addEventListener("submit", () => {
		location.hash = hash("kv", prefix + name.value);
	});
	return follow(path("kv", prefix), k => take(k || []), { ...v, params: { keys: "", separator: "/" } });
}

/* The text of a value, or null where its bytes are no UTF-8. */
function textOf(base64) {
	const bytes = Uint8Array.from(atob(base64 || ""), c => c.charCodeAt(0));

	try {
		return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
	} catch {
		return null;
	}
}

function value(v, key) {
	const text = el("textarea", { id: "value", spellcheck: "false", oninput: () => { changed = true; } });
	const facts = el("p", { class: "dim" }, "Asking …");
	const done = el("p", { role: "status" });
	let latest = null, modified = 0, changed = false;

	/* What is now there, and its index, unless something else is being typed. */
	function load() {
		const now = latest === null ? "" : textOf(latest.Value);

		text.disabled = now === null;
		text.value = now === null ? "" : now;
		modified = latest === null ? 0 : latest.ModifyIndex;
		changed = false;
	}
	/* Written only if nobody else has since typing began: its index is sent along. */
	async function save(e) {
		e.preventDefault();
		const body = text.value;

		await answered(async () => {
			if (!await send("PUT", path("kv", key), { params: { cas: modified }, body }))
				return "Not saved: somebody else has changed it. Reload shows what it is now.";
			changed = text.value !== body;
			return "Saved.";
		});
	}
	async function remove() {
		if (confirm("Delete " + key + "?"))
			await answered(async () => await send("DELETE", path("kv", key), { params: { cas: modified } }) ?
				"Deleted." : "Not deleted: somebody else changed it.");
	}
	async function answered(fn) {
		done.className = "";
		try {
			done.textContent = await fn();
		} catch (e) {
			done.className = "error";
			done.textContent = e.message;
		}
	}

	v.main.append(el("h1", {}, key), trail(key), facts,
		el("form", { onsubmit: save }, el("label", { for: "value" }, "Value"), text,
			el("p", { class: "tools" }, el("button", {}, "Save"),
				el("button", { type: "button", onclick: load }, "Reload"),
				el("button", { type: "button", class: "danger", onclick: remove }, "Delete"))),
		done);
	return follow(path("kv", key), rows => {
		const row = rows === null ? null : rows[0];

		latest = row;
		if (!changed)
			load();
		put(facts, row === null ? "No such key yet." : [
			"Index " + row.ModifyIndex + ", flags " + row.Flags,
			row.Session ? [", locked by session ", el("code", {}, row.Session)] : "",
			textOf(row.Value) === null ? ". The value is binary, " + count(atob(row.Value).length, "byte") + ", and not shown." : ".",
		]);
	}, v);
}

/* ---- members, servers ---- */

const MEMBER = ["none", "alive", "leaving", "left", "failed"];

function members(v) {
	const take = listView(v, "Members", ["member"], [
		{ name: "Member", cell: m => el("a", { href: hash("nodes", m.Name) }, m.Name) },
		{ name: "Status", cell: m => state(MEMBER[m.Status] || "none") },
		{ name: "Address", cell: m => el("span", { class: "mono" }, m.Addr + ":" + m.Port) },
		{ name: "Type", cell: m => m.Tags.role === "consul" ? "server" : "client" },
		{ name: "Build", cell: m => (m.Tags.build || "").replace(/:$/, "") },
		{ name: "Datacenter", cell: m => m.Tags.dc || "" },
	], m => [m.Name, m.Addr, MEMBER[m.Status], m.Tags.role].join(" "));

	return follow(path("agent", "members"), all => take(all.sort((a, b) => a.Name.localeCompare(b.Name))),
		{ ...v, every: POLL_MS });
}

function servers(v) {
	const raft = el("div", {}), health = el("div", {}), daemons = el("div", {});

	v.main.append(el("h1", {}, "Servers"), el("h2", {}, "Raft"), raft, el("h2", {}, "Autopilot"), health,
		el("h2", {}, "This agent's processes"), daemons);
	follow(path("operator", "raft", "configuration"), c => put(raft, table(
		count(c.Servers.length, "server") + " in the membership", [
			{ name: "Server", cell: s => s.Node },
			{ name: "Role", cell: s => s.Leader ? "leader" : "follower" },
			{ name: "Vote", cell: s => s.Voter ? "yes" : "no" },
			{ name: "Address", cell: s => el("span", { class: "mono" }, s.Address) },
			{ name: "ID", cell: s => el("span", { class: "mono" }, s.ID) },
		], c.Servers)), { ...v, every: SLOW_POLL_MS });
	follow(path("operator", "autopilot", "health"), h => put(health, table(
		(h.Healthy ? "all healthy" : "not healthy") + ", " + h.FailureTolerance + " may fail", [
			{ name: "Server", cell: s => s.Name },
			{ name: "Health", cell: s => state(s.Healthy ? "healthy" : "unhealthy") },
			{ name: "Last contact", cell: s => s.LastContact },
			{ name: "Term", n: true, cell: s => s.LastTerm },
			{ name: "Index", n: true, cell: s => s.LastIndex },
		], h.Servers)), { ...v, every: SLOW_POLL_MS, accept: [429] });
	follow(path("disco", "status"), s => put(daemons, table("one job each", [
		{ name: "Process", cell: d => d.Name },
		{ name: "State", cell: d => state(d.State) },
		{ name: "Pid", n: true, cell: d => d.Pid || "" },
		{ name: "User", cell: d => d.User },
		{ name: "Restarts", n: true, cell: d => d.Restarts },
		{ name: "Memory", n: true, cell: d => (d.Memory / MB).toFixed(1) + " MB" },
		{ name: "Confined by", cell: d => d.Sandbox },
	], s.Daemons)), { ...v, every: SLOW_POLL_MS });
}

export const VIEWS = { services, nodes, checks, kv, members, servers };
