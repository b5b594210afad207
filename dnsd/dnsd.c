/*
 * dnsd: DNS for the catalog, on UDP and TCP, from views that catalogd keeps
 * current; and every other name that the suite looks up.
 *
 * It owns its sockets and the views.  What services and nodes there are is
 * catalogd's.
 */
#include <string.h>

#include "common/log.h"
#include "dnsd/dnsd.h"

/* ---- a query's ways in and out ---- */

static size_t
udp_query(const struct origin *o, const uint8_t *q, size_t n, uint8_t *out,
    void *arg)
{
	struct dnsd	*d = arg;
	bool		 later;
	size_t		 len;

	if (d->worker > 0 && dnsd_pass(d, o, q, n))
		return 0;
	if (xfr_heard(d->xfr, o, q, n))
		return 0;
	if (xfr_query(d->xfr, o, q, n, out, &len, &later))
		return serve_late(d->serve, o, out, len);
	return serve_query(d->serve, o, q, n, out, &later);
}

static size_t
tcp_query(const struct origin *o, const uint8_t *q, size_t n, uint8_t *out,
    bool *later, void *arg)
{
	struct dnsd	*d = arg;
	size_t		 len;

	if (xfr_query(d->xfr, o, q, n, out, &len, later))
		return serve_late(d->serve, o, out, len);
	return serve_query(d->serve, o, q, n, out, later);
}

static void
reply(const struct origin *o, const uint8_t *p, size_t n, void *arg)
{
	struct dnsd	*d = arg;

	if (o->udp)
		udp_reply(d->udp, o, p, n);
	else
		tcp_reply(d->tcp, o, p, n);
}

static void
forwarded(const struct origin *o, uint8_t *p, size_t n, void *arg)
{
	reply(o, p, serve_late(((struct dnsd *)arg)->serve, o, p, n), arg);
}

static int
recurse(const struct origin *o, const uint8_t *q, size_t n, void *arg)
{
	struct dnsd	*d = arg;

	return resolve_forward(d->resolver, o, q, n, forwarded, d);
}

static uint64_t
now(void *arg)
{
	return ev_now(((struct dnsd *)arg)->ev);
}

static uint32_t
wall(void *arg)
{
	(void)arg;
	return (uint32_t)(ev_wall_ns() / NS_PER_S);
}

static uint32_t
serial(void *arg)
{
	struct dnsd	*d = arg;
	uint32_t	 s;

	if (d->serial != 0 && d->dns.secondaries.n > 0)
		return d->serial;
	return xfr_serial(d->xfr, &s) ? s : wall(arg);
}

static const struct serve_ops serve_ops = {
	.names = { .watch = dnsd_watch, .unwatch = dnsd_unwatch },
	.reply = reply,
	.recurse = recurse,
	.now = now,
	.wall = wall,
	.serial = serial,
};

/* ---- transfers ---- */

static bool
xfr_send(const struct origin *o, const uint8_t *p, size_t n, void *arg)
{
	return tcp_send(((struct dnsd *)arg)->tcp, o, p, n);
}

static void
xfr_done(const struct origin *o, void *arg)
{
	tcp_reply(((struct dnsd *)arg)->tcp, o, NULL, 0);
}

static void
xfr_notify(const struct sockaddr_storage *to, const uint8_t *p, size_t n,
    void *arg)
{
	udp_send(((struct dnsd *)arg)->udp, to, p, n);
}

static void
on_stream(const struct origin *o, bool closed, void *arg)
{
	xfr_drained(((struct dnsd *)arg)->xfr, o, closed);
}

static const struct xfr_ops xfr_ops = {
	.send = xfr_send,
	.done = xfr_done,
	.notify = xfr_notify,
	.wall = wall,
	.committed = dnsd_committed,
};

/* ---- time ---- */

void
dnsd_arm(struct dnsd *d)
{
	uint64_t	ms = names_due(serve_names(d->serve));

	if (ms == 0 || (ev_timer_pending(d->tick) && d->tick_ms <= ms))
		return;
	d->tick_ms = ms;
	ev_timer_set(d->tick, ms);
}

static void
on_tick(void *arg)
{
	struct dnsd	*d = arg;

	names_tick(serve_names(d->serve), ev_now(d->ev));
	dnsd_arm(d);
}

/* ---- start, configuration, stop ---- */

static void
prepare(struct child *c, void *arg)
{
	struct dnsd	*d = arg;
	struct rng	 rng;

	d->child = c;
	d->ev = child_ev(c);
	rng_seed_os(&rng);
	d->serve = serve_new(&serve_ops, d, rng_next(&rng));
	d->udp = udp_new(d->ev, udp_query, d);
	d->tcp = tcp_new(d->ev, tcp_query, d);
	tcp_on_stream(d->tcp, on_stream);
	dnsd_workers_init(d);
	d->xfr = xfr_new(d->ev, &xfr_ops, d, rng_next(&rng));
	d->resolver = resolver_new(d->ev);
	resolver_load(d->resolver);
	d->tick = ev_timer_new(d->ev, on_tick, d);
}

static void
on_socket(struct child *c, const struct msg_socket *s, int fd, void *arg)
{
	struct dnsd	*d = arg;

	(void)c;
	if (!str_empty(s->ip))
		(void)nets_add(&d->own, s->ip);
	switch (s->kind) {
	case SOCK_DNS_UDP:
		udp_add(d->udp, fd);
		break;
	case SOCK_DNS_TCP:
		tcp_add(d->tcp, fd);
		break;
	default:
		fatalx("socket of kind %llu",
		    (unsigned long long)s->kind);
	}
}

static void
conf_item(struct child *c, enum conf_kind kind, struct rbuf *r, void *arg)
{
	struct dnsd	*d = arg;
	struct schema	*schema;
	union {
		struct conf_agent	agent;
		struct conf_dns		dns;
	}		 new;
	void		*obj;
	size_t		 size;

	(void)c;
	if (kind == CONF_AGENT) {
		schema = &conf_agent_schema;
		obj = &d->agent;
		size = sizeof(d->agent);
	} else if (kind == CONF_DNS) {
		schema = &conf_dns_schema;
		obj = &d->dns;
		size = sizeof(d->dns);
	} else
		fatalx("configuration item %d", (int)kind);
	memset(&new, 0, sizeof(new));
	if (schema_decode(schema, r, &new) == -1)
		fatalx("configuration item %d: %s", (int)kind, r->err);
	d->conf_changed = d->conf_changed || !schema_equal(schema, obj, &new);
	schema_clear(schema, obj);
	memcpy(obj, &new, size);
}

static void
set_ttl(enum view_kind kind, const char *name, struct view *v, void *arg)
{
	struct dnsd	*d = arg;

	(void)kind;
	v->ttl = answer_ttl(&d->conf, v, name);
}

static void
set_nets(struct nets *a, const struct strs *list, const char *key)
{
	size_t	i;

	nets_clear(a);
	for (i = 0; i < list->n; i++)
		if (nets_add(a, list->item[i]) == -1)
			log_warnx("dns_config.%s: %s: left out: no network",
			    key, list->item[i]);
}

static struct view *
make_view(const struct msg_view *mv, void *arg)
{
	struct dnsd	*d = arg;
	struct view	*v = view_new(mv, &d->conf.zone);

	v->ttl = answer_ttl(&d->conf, v, str_or(mv->name, ""));
	return v;
}

/* Views of before the start are there before the first question. */
static void
conf_keep(struct dnsd *d, bool first)
{
	uint64_t	ms = (uint64_t)(d->dns.serve_stale / NS_PER_MS);

	names_stale(serve_names(d->serve), ms);
	if (first && child_dir(d->child) != NULL)
		d->keep = keep_new(d->ev, child_dir(d->child),
		    serve_names(d->serve), d->worker == 0);
	if (d->keep == NULL)
		return;
	keep_conf(d->keep, ms);
	if (first)
		keep_load(d->keep, make_view, d);
}

static void
conf_done(struct child *c, bool first, void *arg)
{
	static const struct strs none;
	struct dnsd		*d = arg;
	struct answer_conf	 new;

	(void)c;
	if (answer_conf_set(&new, &d->agent, &d->dns) == -1)
		fatalx("domain \"%s\", alt_domain \"%s\": not a name",
		    str_or(d->agent.domain, ""),
		    str_or(d->agent.alt_domain, ""));
	answer_conf_clear(&d->conf);
	d->conf = new;
	d->conf.recursion = d->conf.recursion || d->dns.recursion;
	set_nets(&d->recurse, &d->dns.recursion_acl, "recursion_acl");
	serve_conf(d->serve, &d->conf, d->dns.recursion_acl.n > 0 ?
	    &d->recurse : NULL, &d->own,
	    (uint32_t)d->dns.responses_per_second);
	resolver_conf(d->resolver, &d->conf, &d->dns);
	if (first || d->conf_changed)	/* it makes the zone anew */
		xfr_conf(d->xfr, &d->conf, d->worker == 0 ?
		    &d->dns.secondaries : &none, serve_names(d->serve));
	d->conf_changed = false;
	if (!first)
		names_each(serve_names(d->serve), set_ttl, d);
	conf_keep(d, first);
}

static void
start(struct child *c, void *arg)
{
	struct dnsd	*d = arg;

	(void)c;
	udp_start(d->udp);
	tcp_start(d->tcp);
}

static void
stop(struct child *c, void *arg)
{
	struct dnsd	*d = arg;

	(void)c;
	if (d->keep != NULL)
		keep_write(d->keep);
	keep_free(d->keep);
	resolver_free(d->resolver);
	tcp_free(d->tcp);
	xfr_free(d->xfr);
	udp_free(d->udp);
	ev_timer_free(d->tick);
	serve_free(d->serve);
	answer_conf_clear(&d->conf);
	schema_clear(&conf_agent_schema, &d->agent);
	schema_clear(&conf_dns_schema, &d->dns);
}

static const struct sandbox_role role = { .name = "dnsd", .files = true };

static const struct child_ops ops = {
	.self = PROC_DNSD,
	.prepare = prepare,
	.socket = on_socket,
	.link = dnsd_link,
	.conf_item = conf_item,
	.conf_done = conf_done,
	.start = start,
	.msg = dnsd_msg,
	.stop = stop,
	.role = &role,
};

int
main(int argc, char **argv)
{
	static struct dnsd	d;

	return child_main(argc, argv, &ops, &d);
}
