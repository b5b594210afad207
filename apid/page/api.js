/*
 * The HTTP API as the views need it: what is asked once, what is followed.
 * A follower asks again with the index of the last answer, so that an answer
 * comes when something has changed; it ends when its view is left.
 */

const PAUSE_MS = 1000;		/* after an error, doubled up to the next */
const PAUSE_MAX_MS = 15000;

let datacenter = null;		/* null: the agent's own */
let onLink = () => {};

export function useDatacenter(dc) {
	datacenter = dc;
}

/* fn(error or null): whether the agent answers. */
export function watchLink(fn) {
	onLink = fn;
}

/* Parts of a path are escaped each by itself. */
export function path(...parts) {
	return "/v1/" + parts.map(p => p.split("/").map(encodeURIComponent).join("/")).join("/");
}

function url(where, params) {
	const u = new URL(where, location.origin);

	if (datacenter !== null)
		u.searchParams.set("dc", datacenter);
	for (const [k, v] of Object.entries(params))
		u.searchParams.set(k, v);
	return u;
}

export class ApiError extends Error {
	constructor(status, text) {
		super(text || "status " + status);
		this.status = status;
	}
}

/* { data, index }; data is null where there is nothing (404). */
export async function get(where, { params = {}, signal, accept = [] } = {}) {
	const r = await fetch(url(where, params), { signal });

	if (r.status === 404)
		return { data: null, index: Number(r.headers.get("X-Consul-Index")) };
	if (!r.ok && !accept.includes(r.status))
		throw new ApiError(r.status, await r.text());
	return { data: await r.json(), index: Number(r.headers.get("X-Consul-Index")) };
}

export async function send(method, where, { params = {}, body } = {}) {
	const r = await fetch(url(where, params), { method, body });

	if (!r.ok)
		throw new ApiError(r.status, await r.text());
	return r.json();
}

function pause(ms, signal) {
	return new Promise(done => {
		const t = setTimeout(done, ms);

		signal.addEventListener("abort", () => { clearTimeout(t); done(); }, { once: true });
	});
}

/*
 * Calls fn(data) with the first answer and with each that differs.  every: ms
 * between two questions, for what has no index.
 */
export async function follow(where, fn, { signal, params = {}, every = 0, accept = [] }) {
	let index = 0, wait = PAUSE_MS, last;

	while (!signal.aborted) {
		const p = every === 0 && index > 0 ? { ...params, index, wait: "60s" } : params;
		let a;

		try {
			a = await get(where, { params: p, signal, accept });
		} catch (e) {
			if (signal.aborted)
				return;
			onLink(e);
			await pause(wait, signal);
			wait = Math.min(wait * 2, PAUSE_MAX_MS);
			continue;
		}
		if (signal.aborted)
			return;
		onLink(null);
		wait = PAUSE_MS;
		index = a.index < index ? 0 : a.index;
		const text = JSON.stringify(a.data);
		if (text !== last)
			fn(a.data);
		last = text;
		if (every > 0 || index === 0)
			await pause(every || PAUSE_MS, signal);
	}
}
