/*
 * What dnsd hears and says.
 *
 *	catalogd	NAMES_BEGIN, NAME, NAMES_END: the list of names
 *			WATCH, UNWATCH, VIEW: one name
 *	gossipd, checkd	RESOLVE, RESOLVED: a host's addresses
 *	discod		DNS_LOG: which queries are to be logged
 *	dnsd		workers.c
 *
 * Names outside the domain are asked for in the same way as those in it, but
 * of the recursors.
 *
 * When catalogd comes back it is asked for every name again; until its views
 * arrive, the old ones are answered from.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "dnsd/dnsd.h"
#include "dnsd/outside.h"

/* ---- to the recursors ---- */

struct outside {
	struct dnsd	*d;
	struct ev_timer	*now;		/* nobody was asked */
	char		 name[];
};

/* Who waits is answered without those addresses, when there is no answer. */
static void
on_outside(const struct origin *o, uint8_t *p, size_t n, void *arg)
{
	struct outside	*x = arg;
	struct view	*v = NULL;

	(void)o;
	if (n > 0)
		v = outside_view(p, n, (uint32_t)(ev_wall_ns() / NS_PER_S),
		    ev_now(x->d->ev));
	(void)names_view(serve_names(x->d->serve), VIEW_OUTSIDE, x->name, v,
	    ev_now(x->d->ev));
	free(x);
}

static void
on_not_asked(void *arg)
{
	struct outside	*x = arg;

	ev_timer_free(x->now);
	on_outside(NULL, NULL, 0, x);
}

static void
ask_outside(struct dnsd *d, const char *name)
{
	struct outside	*x = xmalloc(sizeof(*x) + strlen(name) + 1);
	struct origin	 nobody = { 0 };
	uint8_t		 q[DNS_HEADER + DNS_NAME_MAX + 4];
	size_t		 n = outside_query(name, q, sizeof(q));

	x->d = d;
	strcpy(x->name, name);
	if (n > 0 && resolve_forward(d->resolver, &nobody, q, n, on_outside,
	    x) == 0)
		return;
	/* not from within: who asks is not waiting yet */
	x->now = ev_timer_new(d->ev, on_not_asked, x);
	ev_timer_set(x->now, 0);
}

/* ---- to catalogd ---- */

/* "web dc2" goes as two words. */
static void
send_name(struct dnsd *d, enum imsg_type type, enum view_kind kind,
    const char *name)
{
	uint8_t	body[1 + DNS_NAME_MAX], *dc;
	size_t	n = strlen(name);

	if (n > DNS_NAME_MAX)
		fatalx("dns: watched name of %zu bytes", n);
	body[0] = (uint8_t)kind;
	memcpy(body + 1, name, n);
	if ((dc = memchr(body + 1, ' ', n)) != NULL)
		*dc = '\0';
	ipc_send(child_link(d->child, PROC_CATALOGD), type, 0, body, 1 + n,
	    -1);
}

void
dnsd_watch(enum view_kind kind, const char *name, void *arg)
{
	if (kind == VIEW_OUTSIDE)
		ask_outside(arg, name);
	else
		send_name(arg, IMSG_WATCH, kind, name);
	dnsd_arm(arg);
}

void
dnsd_unwatch(enum view_kind kind, const char *name, void *arg)
{
	if (kind != VIEW_OUTSIDE)
		send_name(arg, IMSG_UNWATCH, kind, name);
}

/* ---- from catalogd ---- */

static void
on_names_begin(struct dnsd *d, const struct imsg *m)
{
	names_begin(serve_names(d->serve), m->body[0] == 1);
}

static void
on_name(struct dnsd *d, const struct imsg *m)
{
	char	*name = xmemdup_str(m->body + 2, m->len - 2);

	names_set(serve_names(d->serve), (enum view_kind)m->body[0], name,
	    m->body[1] == 1);
	xfr_name(d->xfr, (enum view_kind)m->body[0], name, m->body[1] == 1);
	free(name);
}

static void
on_names_end(struct dnsd *d)
{
	struct names_stats	st;

	names_end(serve_names(d->serve));
	xfr_names(d->xfr);
	names_stats(serve_names(d->serve), &st);
	log_debug("dns: list of names: %zu", st.listed);
}

/* There is no such datacenter, as far as this one knows. */
static bool
no_path(const struct msg_view *mv)
{
	return !str_empty(mv->datacenter) &&
	    strstr(str_or(mv->error, ""), "No path to datacenter") != NULL;
}

static void
take_view(struct dnsd *d, const struct msg_view *mv, const char *name,
    const struct imsg *m)
{
	struct names	*ns = serve_names(d->serve);
	enum view_kind	 kind = (enum view_kind)mv->kind;
	struct view	*v = NULL;

	if (!names_watched(ns, kind, name)) {
		log_debug("dns: view of %s: not watched", name);
		return;
	}
	if (!str_empty(mv->error) && (!no_path(mv) ||
	    names_has_view(ns, kind, name))) {
		log_debug("dns: %s: %s", name, mv->error);
		names_failed(ns, kind, name, ev_now(d->ev));
		return;
	}
	if (mv->exists && str_empty(mv->error)) {
		v = view_new(mv, &d->conf.zone);
		v->ttl = answer_ttl(&d->conf, v, name);
		if (d->dns.serve_stale > 0 && d->worker == 0)
			view_keep(v, m->body, m->len);
	}
	xfr_view(d->xfr, kind, name, v);
	(void)names_view(ns, kind, name, v, ev_now(d->ev));
}

static void
on_view(struct dnsd *d, const struct imsg *m)
{
	struct msg_view	 mv;
	const char	*why;
	char		*name;

	if (schema_decode_all(&msg_view_schema, m->body, m->len, &mv,
	    &why) == -1)
		fatalx("dns: view from catalogd: %s", why);
	name = view_name(&mv);
	take_view(d, &mv, name, m);
	free(name);
	schema_clear(&msg_view_schema, &mv);
}

static void
catalogd_msg(struct dnsd *d, const struct imsg *m)
{
	switch (m->type) {
	case IMSG_NAMES_BEGIN:
		on_names_begin(d, m);
		break;
	case IMSG_NAME:
		on_name(d, m);
		break;
	case IMSG_NAMES_END:
		on_names_end(d);
		break;
	case IMSG_VIEW:
		on_view(d, m);
		break;
	default:
		fatalx("dns: %s from catalogd", imsg_name(m->type));
	}
}

/* ---- RESOLVE ---- */

struct resolving {
	struct dnsd	*d;
	enum proc	 peer;
	uint64_t	 generation;	/* of the link that asked */
	uint32_t	 id;
};

static void
on_resolved(const struct msg_resolved *r, void *arg)
{
	struct resolving	*x = arg;

	if (x->d->generation[x->peer] == x->generation)
		ipc_send_schema(child_link(x->d->child, x->peer),
		    IMSG_RESOLVED, x->id, &msg_resolved_schema, r);
	free(x);
}

static void
on_resolve(struct dnsd *d, enum proc peer, const struct imsg *m)
{
	struct resolving	*x = xcalloc(1, sizeof(*x));
	char			*name = xmemdup_str(m->body, m->len);

	x->d = d;
	x->peer = peer;
	x->generation = d->generation[peer];
	x->id = m->id;
	resolve_name(d->resolver, name, on_resolved, x);
	free(name);
}

static void
on_log(struct dnsd *d, const struct imsg *m)
{
	uint32_t	every = (uint32_t)dns_get16(m->body) << 16 |
			    dns_get16(m->body + 2);

	if (every == 0)
		log_info("dns: queries are not logged any more");
	else
		log_info("dns: one query of %u is logged", every);
	serve_log(d->serve, every);
}

/* ---- links ---- */

void
dnsd_msg(struct child *c, enum proc peer, struct ipc *ipc,
    const struct imsg *m, void *arg)
{
	struct dnsd	*d = arg;

	(void)c;
	(void)ipc;
	if (peer == PROC_DISCOD && m->type == IMSG_DNS_LOG)
		on_log(d, m);
	else if (peer == PROC_CATALOGD)
		catalogd_msg(d, m);
	else if (peer == PROC_DNSD)
		dnsd_worker_msg(d, m);
	else if (m->type == IMSG_RESOLVE)
		on_resolve(d, peer, m);
	else
		fatalx("dns: %s from %s", imsg_name(m->type),
		    proc_name(peer));
}

void
dnsd_link(struct child *c, enum proc peer, struct ipc *ipc, void *arg)
{
	struct dnsd	*d = arg;

	(void)c;
	d->generation[peer]++;
	if (peer == PROC_DNSD)
		dnsd_worker_link(d, ipc);
	if (peer != PROC_CATALOGD)
		return;
	if (ipc == NULL) {
		names_unlinked(serve_names(d->serve), ev_now(d->ev));
		if (!d->catalog_gone)
			log_warnx("dns: catalogd is away: answering from the "
			    "views that are here");
		d->catalog_gone = true;
		return;
	}
	if (d->catalog_gone)
		log_info("dns: catalogd is back");
	d->catalog_gone = false;
	names_resync(serve_names(d->serve));
}
