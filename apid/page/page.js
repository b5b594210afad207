/*
 * The frame of the page: which view is shown, by the address after #, and what
 * all of them have: the navigation, the datacenter, whether the agent answers.
 */
import { follow, get, path, useDatacenter, watchLink } from "./api.js";
import { el } from "./dom.js";
import { NAMES, VIEWS } from "./views.js";

const main = document.getElementById("main");
const link = document.getElementById("link");
const said = document.getElementById("said");
let leave = null;		/* ends what the view follows */

/* "#/services/web?status=critical": its parts, decoded, and its parameters. */
function place() {
	const [where, query] = location.hash.replace(/^#\/?/, "").split("?");
	let parts;

	try {
		parts = where.split("/").map(decodeURIComponent);
	} catch {
		parts = ["services"];	/* a stray % */
	}
	return { view: parts[0] || "services", rest: parts.slice(1), params: new URLSearchParams(query) };
}

function show(first) {
	const at = place();
	const view = VIEWS[at.view] || VIEWS.services;

	if (leave !== null)
		leave.abort();
	leave = new AbortController();
	for (const a of document.querySelectorAll("nav a"))
		if (a.dataset.view === at.view)
			a.setAttribute("aria-current", "page");
		else
			a.removeAttribute("aria-current");
	main.replaceChildren();
	view({
		main, signal: leave.signal, rest: at.rest, params: at.params,
		say: text => { said.textContent = text; },
	});
	document.title = (main.querySelector("h1")?.textContent || "disco") + " · disco";
	if (first !== true)
		main.focus();
}

/* The first field that filters takes "/"; Escape gives it back. */
document.addEventListener("keydown", e => {
	const field = main.querySelector("input[type=search]");
	const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);

	if (e.key === "/" && !typing && field !== null) {
		e.preventDefault();
		field.focus();
	} else if (e.key === "Escape" && document.activeElement === field) {
		field.blur();
	}
});

/* The address after # is the view's: a jump must not change it. */
document.querySelector(".skip").addEventListener("click", e => {
	e.preventDefault();
	main.focus();
});

watchLink(error => {
	link.textContent = error === null ? "" : "no answer: " + error.message;
	link.className = error === null ? "" : "off";
});

document.getElementById("views").append(...Object.entries(NAMES).map(([view, name]) =>
	el("li", {}, el("a", { href: "#/" + view, "data-view": view }, name))));

get(path("agent", "self")).then(({ data }) => {
	document.getElementById("place").textContent = data.Config.NodeName + " · " + data.Config.Datacenter;
	return follow(path("catalog", "datacenters"), all => {
		const choice = document.getElementById("dc");

		document.getElementById("dcs").hidden = all.length < 2;
		choice.replaceChildren(...all.sort().map(dc =>
			el("option", { value: dc, selected: dc === (choice.value || data.Config.Datacenter) }, dc)));
		choice.onchange = () => { useDatacenter(choice.value); show(); };
	}, { signal: new AbortController().signal, every: 30000 });
}).catch(() => {});

addEventListener("hashchange", show);
show(true);
