/*
 * Elements.  Text is always a text node: nothing that the API returns is ever
 * read as HTML.
 */

/* el("a", { href: "#/", class: "x", onclick: fn }, "text", element, [more]) */
export function el(name, attributes = {}, ...content) {
	const e = document.createElement(name);

	for (const [k, v] of Object.entries(attributes)) {
		if (v === null || v === undefined || v === false)
			continue;
		if (k.startsWith("on"))
			e.addEventListener(k.slice(2), v);
		else
			e.setAttribute(k, v === true ? "" : v);
	}
	e.append(...content.flat(Infinity).filter(c => c !== null && c !== undefined));
	return e;
}

/* A word, a sign and a colour: none of them alone. */
const STATES = {
	passing: ["ok", "✓"], alive: ["ok", "✓"], healthy: ["ok", "✓"], running: ["ok", "✓"],
	warning: ["warn", "!"], starting: ["warn", "!"], leaving: ["warn", "!"], left: ["warn", "–"],
	critical: ["bad", "✕"], failed: ["bad", "✕"], down: ["bad", "✕"], unhealthy: ["bad", "✕"],
};

export function state(word, text = word) {
	const [kind, sign] = STATES[word] || ["", "?"];

	return el("span", { class: "state " + kind }, el("span", { "aria-hidden": "true" }, sign + " "), text);
}

export function tags(list) {
	return (list || []).map(t => el("span", { class: "tag" }, t));
}

/*
 * columns: [{ name, cell(row) -> content, n: true for numbers }]; the first is
 * the row's header.  key(row) keeps the focus on a row when it is drawn anew.
 */
export function table(caption, columns, rows) {
	return el("table", {},
		el("caption", {}, caption),
		el("thead", {}, el("tr", {}, columns.map(c => el("th", { scope: "col", class: c.n ? "n" : null }, c.name)))),
		el("tbody", {}, rows.map(r => el("tr", {}, columns.map((c, i) =>
			el(i === 0 ? "th" : "td", { scope: i === 0 ? "row" : null, class: c.n ? "n" : null, "data-label": c.name },
				c.cell(r)))))));
}

/* Puts content into a place, and the focus and the scroll back where they were. */
export function put(place, ...content) {
	const at = document.activeElement;
	const mark = at !== null && place.contains(at) ? at.getAttribute("href") || at.id : null;

	place.replaceChildren(...content.flat(Infinity));
	if (mark === null)
		return;
	for (const e of place.querySelectorAll("a, [id]"))
		if (e.getAttribute("href") === mark || e.id === mark) {
			e.focus({ preventScroll: true });
			break;
		}
}
