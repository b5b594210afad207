/*
 * One pool: its settings, this node's appearance in it, what the Serf core
 * wants done, and who is let in.  LAN and WAN differ in a few values here and
 * in consul.c, nowhere else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "common/wire.h"
#include "gossipd/gossipd.h"
#include "gossipd/tags.h"

#define SNAPSHOT_MS	500		/* between writes */
#define SAY_NS		(60 * NS_PER_S)
#define LAN_HEARD_MS	15000		/* a member is probed once a second */
#define WAN_HEARD_MS	60000		/* or in five */
#define LAN_EXCHANGE_MS	10000
#define WAN_EXCHANGE_MS	30000

uint64_t
gossipd_now(void)
{
	return ev_hrtime();
}

struct pool *
pool_of(struct gossipd *g, bool wan)
{
	struct pool	*p = wan ? &g->wan : &g->lan;

	return p->serf != NULL ? p : NULL;
}

bool
pool_may_say(struct pool *p, enum say what)
{
	uint64_t	now = gossipd_now();

	if (now < p->said_at[what])
		return false;
	p->said_at[what] = now + SAY_NS;
	return true;
}

/* The same of one subject, and not of too many in a minute. */
static bool
may_say_of(struct pool *p, struct span name)
{
	uint64_t	hash = hash_bytes(name.p, name.n, 0);
	uint64_t	now = gossipd_now();
	struct said_of	*free_slot = NULL;
	size_t		i;

	for (i = 0; i < NELEM(p->said_of); i++) {
		if (now >= p->said_of[i].until)
			free_slot = &p->said_of[i];
		else if (p->said_of[i].hash == hash)
			return false;
	}
	if (free_slot == NULL)
		return false;
	*free_slot = (struct said_of){ hash, now + SAY_NS };
	return true;
}

bool
pool_encrypted(const struct pool *p)
{
	return keyring_count(p->ring) > 0;
}

unsigned
pool_exchange_ms(const struct pool *p)
{
	return p->wan ? WAN_EXCHANGE_MS : LAN_EXCHANGE_MS;
}

void
pool_clash(struct pool *p, const struct swim_said *a)
{
	if (pool_may_say(p, SAY_CLASH))
		log_errorx("%smember %.*s: %s; it is not let in", p->prefix,
		    (int)a->name.n, (const char *)a->name.p,
		    consul_server_clash(&p->rules, a));
}

/* One who refuses us says nothing: a join looks well all the same. */
static void
on_heard_timer(void *arg)
{
	struct pool	*p = arg;
	struct swim	*swim = serf_swim(p->serf);

	if (!swim_pinged(swim) && swim_count_alive(swim) > 0)
		log_warnx("%sjoined, but nobody has probed this node in %u ms: "
		    "it may have been refused (datacenter, node id or name of "
		    "another member), or UDP port %u does not reach it",
		    p->prefix, p->wan ? WAN_HEARD_MS : LAN_HEARD_MS,
		    swim_self(swim)->addr.port);
}

void
pool_joined(struct pool *p)
{
	if (!ev_timer_pending(p->heard_timer))
		ev_timer_set(p->heard_timer,
		    p->wan ? WAN_HEARD_MS : LAN_HEARD_MS);
}

/* ---- who is let in ---- */

bool
pool_allowed(const struct pool *p, const struct gaddr *a)
{
	return p->allowed.n == 0 || nets_have(&p->allowed, a->ip, a->len);
}

/* Whom the reason is about; the first, where it lies in all together. */
static const struct swim_said *
refused_one(struct pool *p, const struct swim_said *a, size_t n,
    const char *why)
{
	const char	*one;
	size_t		 i;

	for (i = 0; i < n; i++) {
		one = consul_admit(&p->rules, &a[i], 1);
		if (one != NULL && strcmp(one, why) == 0)
			return &a[i];
	}
	return a;
}

static void
say_refused(struct pool *p, const struct swim_said *a, size_t n,
    const char *why)
{
	struct sockaddr_storage	ss;
	char			addr[ADDR_TEXT_MAX] = "?";

	p->refused++;
	if (n == 0)
		return;
	a = refused_one(p, a, n, why);
	if (!may_say_of(p, a->name))
		return;
	if (gaddr_to_sockaddr(&a->addr, &ss) == 0)
		(void)addr_text(&ss, addr, sizeof(addr));
	log_warnx("%smember %.*s (%s): not let in: %s", p->prefix,
	    (int)a->name.n, (const char *)a->name.p, addr, why);
}

static const char *
on_admit(void *arg, const struct swim_said *a, size_t n, bool join)
{
	struct pool		*p = arg;
	const struct swim_said	*clash;
	const char		*why;

	if ((clash = consul_find_clash(&p->rules, a, n)) != NULL)
		pool_clash(p, clash);
	if (!join && (!p->source_allowed || !pool_allowed(p, &a->addr)))
		why = "its network is not allowed";
	else
		why = consul_admit(&p->rules, a, n);
	if (why != NULL && clash == NULL)
		say_refused(p, a, n, why);
	return why;
}

/* ---- what the core wants ---- */

static void
on_send(void *arg, const struct gaddr *to, bool crc, const uint8_t *m,
    size_t n)
{
	udp_send(arg, to, crc, m, n);
}

static void
on_tcp_ping(void *arg, const struct ident *id, uint32_t seq, uint64_t until)
{
	net_tcp_ping(arg, id, seq, until);
}

static void
on_pushpull_done(void *arg, const char *why)
{
	struct pool	*p = arg;

	if (why != NULL)
		log_debug("%sexchange of state: %s", p->prefix, why);
}

static void
on_pushpull(void *arg, const struct ident *id, bool join)
{
	struct pool		*p = arg;
	struct sockaddr_storage	 ss;

	if (gaddr_to_sockaddr(&id->addr, &ss) == 0)
		net_exchange(p, &ss, join ? NET_RECONNECT : NET_SYNC,
		    on_pushpull_done, p);
}

static void
remember(struct pool *p, enum serf_event ev, const struct serf_member *m)
{
	struct sockaddr_storage	ss;
	char			addr[ADDR_TEXT_MAX];

	if (ev == SERF_JOINED || ev == SERF_UPDATED) {
		if (m->status == MEMBER_ALIVE &&
		    gaddr_to_sockaddr(&m->id->addr, &ss) == 0)
			snapshot_alive(p->snapshot, ident_name(m->id),
			    addr_text(&ss, addr, sizeof(addr)));
	} else if (ev != SERF_LEAVES)
		snapshot_gone(p->snapshot, ident_name(m->id));
}

static void
on_member(void *arg, enum serf_event ev, const struct serf_member *m)
{
	static const char *const what[] = {
		[SERF_JOINED] = "joined", [SERF_UPDATED] = "changed its tags",
		[SERF_LEAVES] = "is leaving", [SERF_LEFT] = "left",
		[SERF_FAILED] = "failed", [SERF_REAPED] = "forgotten"
	};
	struct pool		*p = arg;
	struct sockaddr_storage	 ss;
	char			 addr[ADDR_TEXT_MAX] = "?";

	if (gaddr_to_sockaddr(&m->id->addr, &ss) == 0)
		(void)addr_text(&ss, addr, sizeof(addr));
	log_info("%smember %s: %s (%s)", p->prefix, ident_name(m->id),
	    what[ev], addr);
	remember(p, ev, m);
	imsg_member(p, m);
	if (!p->wan && (ev == SERF_JOINED || ev == SERF_UPDATED))
		retry_flood(p->g, m);
}

/* Events concern a datacenter. */
static void
on_event(void *arg, const struct sf_event *e)
{
	struct pool	*p = arg;

	log_debug("%sevent %.*s: %zu bytes", p->prefix, (int)e->name.n,
	    (const char *)e->name.p, e->payload.n);
	if (!p->wan)
		imsg_event(p->g, e);
}

static const char *
on_save_keys(void *arg)
{
	return files_save_keys(arg);
}

static void
on_left(void *arg)
{
	struct pool	*p = arg;

	files_snapshot_flush(p);
	log_info("left the %s pool", p->what);
	gossipd_left(p);
}

static void
on_note(void *arg, enum swim_note level, const char *text)
{
	struct pool	*p = arg;

	switch (level) {
	case SWIM_DEBUG:
		log_debug("%s%s", p->prefix, text);
		break;
	case SWIM_INFO:
		log_info("%s%s", p->prefix, text);
		break;
	case SWIM_WARN:
		log_warnx("%s%s", p->prefix, text);
		break;
	}
}

static const struct serf_ops serf_ops = {
	.send = on_send, .tcp_ping = on_tcp_ping, .pushpull = on_pushpull,
	.admit = on_admit, .member = on_member, .event = on_event,
	.save_keys = on_save_keys, .left = on_left, .note = on_note,
};

/* ---- the clock ---- */

static void
on_timer(void *arg)
{
	struct pool	*p = arg;

	p->timer_at = SWIM_NEVER;
	serf_tick(p->serf, gossipd_now());
}

static bool
snapshot_is_behind(struct pool *p)
{
	struct serf_clocks	now = serf_clocks(p->serf);
	struct serf_clocks	then = snapshot_clocks(p->snapshot);

	return p->snapshot_fd != -1 &&
	    (snapshot_pending(p->snapshot)->len > 0 ||
	    now.member > then.member + 1 || now.event > then.event + 1 ||
	    now.query > then.query + 1);
}

void
pool_turn(struct pool *p)
{
	uint64_t	now = gossipd_now(), next = serf_next(p->serf, now);

	if (next != p->timer_at) {
		p->timer_at = next;
		if (next == SWIM_NEVER)
			ev_timer_stop(p->timer);
		else
			ev_timer_set(p->timer, next <= now ? 0 :
			    (next - now + NS_PER_MS - 1) / NS_PER_MS);
	}
	if (!ev_timer_pending(p->snapshot_timer) && snapshot_is_behind(p))
		ev_timer_set(p->snapshot_timer, SNAPSHOT_MS);
}

/* ---- start ---- */

static uint64_t
ns_or(int64_t ns, uint64_t fallback)
{
	return ns > 0 ? (uint64_t)ns : fallback;
}

static unsigned
num_or(uint64_t n, unsigned fallback)
{
	return n > 0 ? (unsigned)n : fallback;
}

/* memberlist's values for a WAN, with the gossip nodes that Consul sets. */
static void
conf_wan(struct swim_conf *s)
{
	s->probe_interval_ns = 5 * NS_PER_S;
	s->probe_timeout_ns = 3 * NS_PER_S;
	s->gossip_interval_ns = 500 * NS_PER_MS;
	s->pushpull_interval_ns = 60 * NS_PER_S;
	s->gossip_dead_ns = 60 * NS_PER_S;
	s->suspicion_mult = 6;
}

struct serf_conf
pool_conf(const struct pool *p)
{
	const struct conf_gossip	*g = &p->g->conf;
	const struct conf_pool		*c = p->wan ? &g->wan : &g->lan;
	struct serf_conf		 s = serf_conf_lan;

	s.swim = swim_conf_lan;
	if (p->wan)
		conf_wan(&s.swim);
	s.swim.gossip_interval_ns = ns_or(c->gossip_interval,
	    s.swim.gossip_interval_ns);
	s.swim.probe_interval_ns = ns_or(c->probe_interval,
	    s.swim.probe_interval_ns);
	s.swim.probe_timeout_ns = ns_or(c->probe_timeout,
	    s.swim.probe_timeout_ns);
	s.swim.gossip_nodes = num_or(c->gossip_nodes, s.swim.gossip_nodes);
	s.swim.suspicion_mult = num_or(c->suspicion_mult,
	    s.swim.suspicion_mult);
	s.swim.retransmit_mult = num_or(c->retransmit_mult,
	    s.swim.retransmit_mult);
	s.swim.overhead = layers_overhead(&p->layers);
	s.reconnect_timeout_ns = ns_or(p->wan ? g->reconnect_timeout_wan :
	    g->reconnect_timeout, s.reconnect_timeout_ns);
	s.coordinates = !g->disable_coordinates;
	s.ring = p->ring;
	return s;
}

static int
read_allowed(struct pool *p)
{
	const struct conf_gossip	*c = &p->g->conf;
	const struct strs		*list = p->wan ? &c->wan_allowed_cidrs :
					    &c->lan_allowed_cidrs;
	size_t				 i;

	for (i = 0; i < list->n; i++)
		if (nets_add(&p->allowed, list->item[i]) == -1) {
			child_refuse(p->g->child, "serf_%s_allowed_cidrs: %s "
			    "is no network", p->wan ? "wan" : "lan",
			    list->item[i]);
			return -1;
		}
	return 0;
}

static void
come_alive(struct pool *p, const struct sockaddr_storage *ss)
{
	struct serf_conf	 conf = pool_conf(p);
	struct serf_clocks	 clocks = snapshot_clocks(p->snapshot);
	struct gaddr		 addr = gaddr_from_sockaddr(ss);
	struct strmap		 tags = { 0 };
	struct wbuf		 meta;
	struct rng		 rng;

	rng_seed_os(&rng);
	p->idents = idents_new();
	idents_seed(p->idents, rng_next(&rng), rng_next(&rng));
	p->serf = serf_new(&conf, p->idents, &serf_ops, p, rng_next(&rng));
	serf_resume(p->serf, &clocks);
	if (p->wan)
		consul_tags_wan(&p->g->agent, &tags);
	else
		consul_tags(&p->g->agent, &tags);
	wb_init(&meta, 0);
	tags_encode(&tags, &meta);
	serf_start(p->serf, gossipd_now(), span_str(p->name), &addr,
	    span_of(meta.p, meta.len), consul_vsn);
	strmap_clear(&tags);
	wb_free(&meta);
}

/* "web1", in the WAN pool "web1.dc1". */
static int
make_name(struct pool *p)
{
	const struct conf_agent	*a = &p->g->agent;

	if (p->wan)
		(void)xasprintf(&p->name, "%s.%s", a->node_name,
		    str_or(a->datacenter, ""));
	else
		p->name = xstrdup(a->node_name);
	if (strlen(p->name) <= NAME_MAX_LEN)
		return 0;
	child_refuse(p->g->child, "node_name: %slonger than %d bytes",
	    p->wan ? "with the datacenter's name " : "", NAME_MAX_LEN);
	return -1;
}

void
pool_init(struct gossipd *g, struct pool *p, bool wan)
{
	p->g = g;
	p->wan = wan;
	p->what = wan ? "WAN" : "LAN";
	p->prefix = wan ? "WAN: " : "";
	p->udp_fd = p->tcp_fd = p->snapshot_fd = -1;
	p->source_allowed = true;
	p->timer_at = SWIM_NEVER;
}

int
pool_start(struct pool *p)
{
	struct gossipd		*g = p->g;
	const struct conf_agent	*a = &g->agent;
	const char		*addr = p->wan ? a->advertise_addr_wan :
				    a->advertise_addr;
	struct sockaddr_storage	 ss;

	if (p->udp_fd == -1 || p->tcp_fd == -1)
		fatalx("no sockets for the %s pool", p->what);
	p->port = (uint16_t)(p->wan ? a->port_wan : a->port_lan);
	if (addr_parse(str_or(addr, ""), p->port, &ss) == -1) {
		child_refuse(g->child, "advertise_addr%s: %s is no address",
		    p->wan ? "_wan" : "", str_or(addr, ""));
		return -1;
	}
	/* The keyring last: it may leave a file. */
	if (make_name(p) == -1 || read_allowed(p) == -1 ||
	    files_keyring(p) == -1)
		return -1;
	layers_init(&p->layers, p->ring);
	p->layers.verify_in = g->conf.verify_incoming;
	p->layers.verify_out = g->conf.verify_outgoing;
	p->rules = (struct consul_rules){
		.name = p->name, .id = str_or(a->node_id, ""),
		.dc = str_or(a->datacenter, ""), .server = a->server,
		.wan = p->wan
	};
	p->timer = ev_timer_new(g->ev, on_timer, p);
	p->snapshot_timer = ev_timer_new(g->ev, files_snapshot_flush, p);
	p->heard_timer = ev_timer_new(g->ev, on_heard_timer, p);
	files_snapshot_open(p);
	come_alive(p, &ss);
	udp_start(p);
	net_start(p);
	log_info("%s pool: %s at %s port %u%s", p->what, p->name, addr,
	    p->port, pool_encrypted(p) ? ", encrypted" : "");
	return 0;
}

void
pool_leave(struct pool *p)
{
	log_info("leaving the %s pool", p->what);
	snapshot_leave(p->snapshot);
	serf_leave(p->serf, gossipd_now());
}

void
pool_stop(struct pool *p)
{
	files_snapshot_close(p);
	net_stop(p);
	udp_stop(p);
	ev_timer_free(p->timer);
	ev_timer_free(p->snapshot_timer);
	ev_timer_free(p->heard_timer);
	serf_free(p->serf);
	idents_free(p->idents);
	layers_clear(&p->layers);
	keyring_free(p->ring);
	nets_clear(&p->allowed);
	free(p->name);
}
