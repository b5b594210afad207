/*
 * gossipd: this node's membership in the LAN pool.  Start, the cores' clock,
 * and what the Serf core wants done; the rest is in the files that gossipd.h
 * lists.
 *
 * Start: configuration, keyring, snapshot; this node comes alive; then, all at
 * once, members of an earlier life, start_join and retry_join are contacted.
 * The list of members is told to others once it is worth telling: after a
 * restart, when the first of the earlier members has answered.
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

#define SNAPSHOT_MS	500	/* between writes */
#define READY_MS	3000	/* then the list is told, rejoined or not */
#define REJOIN_TRIES	10
#define CLASH_NS	(60 * NS_PER_S)
#define HEARD_MS	15000	/* a member is probed once a second */
#define RETRY_MS	30000	/* unless configured */

struct retry {
	struct gossipd	*g;
	struct strs	 addrs;
	const char	*what;
	unsigned	 tries, max;	/* max 0: for ever */
	bool		 one, fatal;	/* what happens at max */
	struct ev_timer	*timer;
};

struct daemon {
	struct gossipd	g;
	struct retry	rejoin, retry_join;
};

uint64_t
gossipd_now(void)
{
	return ev_hrtime();
}

void
gossipd_clash(struct gossipd *g, const struct swim_said *a)
{
	uint64_t	now = gossipd_now();

	(void)snprintf(g->clash, sizeof(g->clash), "member %.*s: %s",
	    (int)a->name.n, (const char *)a->name.p,
	    consul_server_clash(&g->rules, a));
	if (now < g->clash_at)
		return;
	g->clash_at = now + CLASH_NS;
	log_errorx("%s; it is not let in", g->clash);
}

/* One who refuses us says nothing: a join looks well all the same. */
static void
on_heard_timer(void *arg)
{
	struct gossipd	*g = arg;
	struct swim	*swim = serf_swim(g->serf);

	if (!swim_pinged(swim) && swim_count_alive(swim) > 0)
		log_warnx("joined, but nobody has probed this node in %u ms: "
		    "it may have been refused (datacenter, node id or name of "
		    "another member), or UDP port %u does not reach it",
		    HEARD_MS, swim_self(swim)->addr.port);
}

void
gossipd_joined(struct gossipd *g)
{
	if (!ev_timer_pending(g->heard_timer))
		ev_timer_set(g->heard_timer, HEARD_MS);
}

/* ---- what the core wants ---- */

static void
on_send(void *arg, const struct gaddr *to, bool crc, const uint8_t *p,
    size_t n)
{
	net_send(arg, to, crc, p, n);
}

static void
on_tcp_ping(void *arg, const struct ident *id, uint32_t seq, uint64_t until)
{
	net_tcp_ping(arg, id, seq, until);
}

static void
on_pushpull_done(void *arg, const char *why)
{
	(void)arg;
	if (why != NULL)
		log_debug("exchange of state: %s", why);
}

static void
on_pushpull(void *arg, const struct ident *id, bool join)
{
	struct gossipd		*g = arg;
	struct sockaddr_storage	 ss;

	if (gaddr_to_sockaddr(&id->addr, &ss) == 0)
		net_exchange(g, &ss, join, false, on_pushpull_done, g);
}

bool
gossipd_allowed(const struct gossipd *g, const struct gaddr *a)
{
	size_t	i;

	for (i = 0; i < g->nallowed; i++)
		if (cidr_covers(&g->allowed[i], a))
			return true;
	return g->nallowed == 0;
}

static const char *
on_admit(void *arg, const struct swim_said *a, size_t n, bool join)
{
	struct gossipd		*g = arg;
	const struct swim_said	*clash;

	if ((clash = consul_find_clash(&g->rules, a, n)) != NULL)
		gossipd_clash(g, clash);
	if (!join && (!g->source_allowed || !gossipd_allowed(g, &a->addr)))
		return "its network is not allowed";
	return consul_admit(&g->rules, a, n);
}

static void
remember(struct gossipd *g, enum serf_event ev, const struct serf_member *m)
{
	struct sockaddr_storage	ss;
	char			addr[ADDR_TEXT_MAX];

	if (ev == SERF_JOINED || ev == SERF_UPDATED) {
		if (m->status == MEMBER_ALIVE &&
		    gaddr_to_sockaddr(&m->id->addr, &ss) == 0)
			snapshot_alive(g->snapshot, ident_name(m->id),
			    addr_text(&ss, addr, sizeof(addr)));
	} else if (ev != SERF_LEAVES)
		snapshot_gone(g->snapshot, ident_name(m->id));
}

static void
on_member(void *arg, enum serf_event ev, const struct serf_member *m)
{
	static const char *const what[] = {
		[SERF_JOINED] = "joined", [SERF_UPDATED] = "changed its tags",
		[SERF_LEAVES] = "is leaving", [SERF_LEFT] = "left",
		[SERF_FAILED] = "failed", [SERF_REAPED] = "forgotten"
	};
	struct gossipd		*g = arg;
	struct sockaddr_storage	 ss;
	char			 addr[ADDR_TEXT_MAX] = "?";

	if (gaddr_to_sockaddr(&m->id->addr, &ss) == 0)
		(void)addr_text(&ss, addr, sizeof(addr));
	log_info("member %s: %s (%s)", ident_name(m->id), what[ev], addr);
	remember(g, ev, m);
	imsg_member(g, ev, m);
}

static void
on_event(void *arg, const struct sf_event *e)
{
	struct gossipd	*g = arg;

	log_debug("event %.*s: %zu bytes", (int)e->name.n,
	    (const char *)e->name.p, e->payload.n);
	imsg_event(g, e);
}

static void
on_left(void *arg)
{
	struct gossipd	*g = arg;

	files_snapshot_flush(g);
	log_info("left the LAN pool");
	child_left(g->child);
}

static void
on_note(void *arg, enum swim_note level, const char *text)
{
	(void)arg;
	switch (level) {
	case SWIM_DEBUG:
		log_debug("%s", text);
		break;
	case SWIM_INFO:
		log_info("%s", text);
		break;
	case SWIM_WARN:
		log_warnx("%s", text);
		break;
	}
}

static const struct serf_ops serf_ops = {
	.send = on_send, .tcp_ping = on_tcp_ping, .pushpull = on_pushpull,
	.admit = on_admit, .member = on_member, .event = on_event,
	.left = on_left, .note = on_note,
};

/* ---- the clock ---- */

static void
on_timer(void *arg)
{
	struct gossipd	*g = arg;

	g->timer_at = SWIM_NEVER;
	serf_tick(g->serf, gossipd_now());
}

static bool
snapshot_is_behind(struct gossipd *g)
{
	struct serf_clocks	now = serf_clocks(g->serf);
	struct serf_clocks	then = snapshot_clocks(g->snapshot);

	return g->snapshot_fd != -1 &&
	    (snapshot_pending(g->snapshot)->len > 0 ||
	    now.member > then.member + 1 || now.event > then.event + 1 ||
	    now.query > then.query + 1);
}

/* After each turn of the loop: when is the next thing due? */
static void
after_turn(void *arg)
{
	struct gossipd	*g = arg;
	uint64_t	 now = gossipd_now(), next = serf_next(g->serf, now);

	if (next != g->timer_at) {
		g->timer_at = next;
		if (next == SWIM_NEVER)
			ev_timer_stop(g->timer);
		else
			ev_timer_set(g->timer, next <= now ? 0 :
			    (next - now + NS_PER_MS - 1) / NS_PER_MS);
	}
	if (!ev_timer_pending(g->snapshot_timer) && snapshot_is_behind(g))
		ev_timer_set(g->snapshot_timer, SNAPSHOT_MS);
}

/* ---- joining ---- */

/*
 * A server that looks for the others and finds Consul's does not start.  Once
 * it has company, or was up before, it stays and complains.
 */
static bool
refuse_clash(struct gossipd *g, unsigned joined)
{
	g->reached |= joined > 0;
	if (g->clash[0] == '\0' || g->reached ||
	    child_setup(g->child)->restarts > 0)
		return false;
	child_refuse(g->child, "%s", g->clash);
	return true;
}

static void
retry_done(struct gossipd *g, unsigned joined, const char *text, void *arg)
{
	struct retry	*r = arg;
	uint64_t	 ms = g->conf.retry_interval > 0 ?
			    (uint64_t)(g->conf.retry_interval / NS_PER_MS) :
			    RETRY_MS;

	if (r == &((struct daemon *)g)->rejoin)
		imsg_members_ready(g);
	if (refuse_clash(g, joined))
		return;
	if (joined > 0) {
		log_info("%s: reached %u", r->what, joined);
		return;
	}
	r->tries++;
	if (r->max > 0 && r->tries >= r->max) {
		if (r->fatal)
			child_refuse(g->child, "%s: nobody reached after %u "
			    "tries: %s", r->what, r->tries, str_or(text, ""));
		else
			log_warnx("%s: nobody reached, given up", r->what);
		return;
	}
	log_warnx("%s: nobody reached, next try in %llu ms: %s", r->what,
	    (unsigned long long)ms, str_or(text, ""));
	ev_timer_set(r->timer, ms);
}

static void
retry_again(void *arg)
{
	struct retry	*r = arg;
	struct gossipd	*g = r->g;

	if (serf_leaving(g->serf))
		return;
	/* Those of an earlier life are needed only while we are alone. */
	if (r->one && swim_count_alive(serf_swim(g->serf)) > 0)
		return;
	join_start(g, &r->addrs, r->one, retry_done, r);
}

static void
retry_start(struct gossipd *g, struct retry *r, const char *what)
{
	r->g = g;
	r->what = what;
	if (r->addrs.n == 0)
		return;
	r->timer = ev_timer_new(g->ev, retry_again, r);
	retry_again(r);
}

static void
add_known(const char *name, const char *addr, void *arg)
{
	struct daemon	*d = arg;

	if (strcmp(name, d->g.agent.node_name) != 0)
		strs_add(&d->rejoin.addrs, addr);
}

/* In random order, so that not all fall upon the same one. */
static void
shuffle(struct strs *s)
{
	struct rng	 rng;
	char		*text;
	size_t		 i, j;

	rng_seed_os(&rng);
	for (i = s->n; i > 1; i--) {
		j = rng_below(&rng, (uint32_t)i);
		text = s->item[i - 1];
		s->item[i - 1] = s->item[j];
		s->item[j] = text;
	}
}

/* The list of errors in one line. */
static char *
join_errors(const char *text)
{
	struct wbuf	 b;
	const char	*item;
	size_t		 n;

	wb_init(&b, 0);
	for (item = text; (item = strstr(item, "\t* ")) != NULL; item += n) {
		item += strlen("\t* ");
		n = strcspn(item, "\n");
		wb_printf(&b, "%s%.*s", b.len > 0 ? "; " : "", (int)n, item);
	}
	return wb_detach_str(&b);
}

static void
start_join_done(struct gossipd *g, unsigned joined, const char *text,
    void *arg)
{
	char	*line;

	(void)arg;
	if (refuse_clash(g, joined))
		return;
	if (joined > 0)
		log_info("start_join: reached %u", joined);
	else if (child_setup(g->child)->restarts > 0)
		log_warnx("start_join: nobody reached: %s", str_or(text, ""));
	else {
		line = join_errors(str_or(text, ""));
		child_refuse(g->child, "start_join: reached nobody: %s "
		    "(-retry-join would go on trying)", line);
		free(line);
		return;
	}
	ipc_send(child_parent(g->child), IMSG_JOINED, 0, NULL, 0, -1);
}

static void
on_ready_timer(void *arg)
{
	imsg_members_ready(arg);
}

static void
start_joining(struct daemon *d)
{
	struct gossipd	*g = &d->g;

	snapshot_each(g->snapshot, add_known, d);
	shuffle(&d->rejoin.addrs);
	d->rejoin.one = true;
	d->rejoin.max = REJOIN_TRIES;
	if (d->rejoin.addrs.n == 0)
		imsg_members_ready(g);
	else
		ev_timer_set(g->ready_timer, READY_MS);
	retry_start(g, &d->rejoin, "rejoin");
	if (g->conf.start_join.n > 0)
		join_start(g, &g->conf.start_join, false, start_join_done,
		    NULL);
	strs_copy(&d->retry_join.addrs, &g->conf.retry_join);
	d->retry_join.max = (unsigned)g->conf.retry_max;
	d->retry_join.fatal = true;
	retry_start(g, &d->retry_join, "retry_join");
}

/* ---- start ---- */

static uint64_t
ns_or(int64_t ns, uint64_t fallback)
{
	return ns > 0 ? (uint64_t)ns : fallback;
}

static struct serf_conf
conf_of(struct gossipd *g)
{
	struct serf_conf		 c = serf_conf_lan;
	const struct conf_pool		*p = &g->conf.lan;

	c.swim = swim_conf_lan;
	c.swim.gossip_interval_ns = ns_or(p->gossip_interval,
	    c.swim.gossip_interval_ns);
	c.swim.probe_interval_ns = ns_or(p->probe_interval,
	    c.swim.probe_interval_ns);
	c.swim.probe_timeout_ns = ns_or(p->probe_timeout,
	    c.swim.probe_timeout_ns);
	if (p->gossip_nodes > 0)
		c.swim.gossip_nodes = (unsigned)p->gossip_nodes;
	if (p->suspicion_mult > 0)
		c.swim.suspicion_mult = (unsigned)p->suspicion_mult;
	if (p->retransmit_mult > 0)
		c.swim.retransmit_mult = (unsigned)p->retransmit_mult;
	c.swim.overhead = layers_overhead(&g->layers);
	c.reconnect_timeout_ns = ns_or(g->conf.reconnect_timeout,
	    c.reconnect_timeout_ns);
	c.coordinates = !g->conf.disable_coordinates;
	return c;
}

static int
read_allowed(struct gossipd *g)
{
	size_t	i, n = g->conf.lan_allowed_cidrs.n;

	g->allowed = xcalloc(n + 1, sizeof(*g->allowed));
	for (i = 0; i < n; i++)
		if (cidr_parse(g->conf.lan_allowed_cidrs.item[i],
		    &g->allowed[g->nallowed++]) == -1) {
			child_refuse(g->child, "serf_lan_allowed_cidrs: %s is "
			    "no network", g->conf.lan_allowed_cidrs.item[i]);
			return -1;
		}
	return 0;
}

/* This node appears in the pool. */
static void
come_alive(struct gossipd *g, const struct sockaddr_storage *ss)
{
	struct serf_conf	 conf = conf_of(g);
	struct serf_clocks	 clocks = snapshot_clocks(g->snapshot);
	struct gaddr		 addr = gaddr_from_sockaddr(ss);
	struct strmap		 tags = { 0 };
	struct wbuf		 meta;
	struct rng		 rng;

	rng_seed_os(&rng);
	g->idents = idents_new();
	g->serf = serf_new(&conf, g->idents, &serf_ops, g, rng_next(&rng));
	serf_resume(g->serf, &clocks);
	consul_tags(&g->agent, &tags);
	wb_init(&meta, 0);
	tags_encode(&tags, &meta);
	serf_start(g->serf, gossipd_now(), span_str(g->agent.node_name), &addr,
	    span_of(meta.p, meta.len), consul_vsn);
	strmap_clear(&tags);
	wb_free(&meta);
}

static void
on_start(struct child *c, void *arg)
{
	struct daemon		*d = arg;
	struct gossipd		*g = &d->g;
	struct sockaddr_storage	 ss;

	if (g->udp_fd == -1 || g->tcp_fd == -1)
		fatalx("no sockets for the LAN pool");
	if (addr_parse(str_or(g->agent.advertise_addr, ""),
	    (uint16_t)g->agent.port_lan, &ss) == -1) {
		child_refuse(c, "advertise_addr: %s is no address",
		    str_or(g->agent.advertise_addr, ""));
		return;
	}
	if (strlen(g->agent.node_name) > NAME_MAX_LEN) {
		child_refuse(c, "node_name: longer than %d bytes",
		    NAME_MAX_LEN);
		return;
	}
	if (files_keyring(g) == -1 || read_allowed(g) == -1)
		return;
	layers_init(&g->layers, g->ring);
	g->layers.verify_in = g->conf.verify_incoming;
	g->layers.verify_out = g->conf.verify_outgoing;
	g->rules.name = g->agent.node_name;
	g->rules.id = str_or(g->agent.node_id, "");
	g->rules.dc = str_or(g->agent.datacenter, "");
	g->rules.server = g->agent.server;
	files_snapshot_open(g);
	g->timer = ev_timer_new(g->ev, on_timer, g);
	g->snapshot_timer = ev_timer_new(g->ev, files_snapshot_flush, g);
	g->ready_timer = ev_timer_new(g->ev, on_ready_timer, g);
	g->heard_timer = ev_timer_new(g->ev, on_heard_timer, g);
	g->timer_at = SWIM_NEVER;
	joins_start(g);
	come_alive(g, &ss);
	net_start(g);
	ev_after(g->ev, after_turn, g);
	start_joining(d);
	log_info("LAN pool: %s at %s port %llu%s", g->agent.node_name,
	    g->agent.advertise_addr, (unsigned long long)g->agent.port_lan,
	    keyring_count(g->ring) > 0 ? ", encrypted" : "");
}

static void
on_prepare(struct child *c, void *arg)
{
	struct gossipd	*g = arg;

	g->child = c;
	g->ev = child_ev(c);
	g->hosts = hosts_load(NULL);
}

static void
on_socket(struct child *c, const struct msg_socket *s, int fd, void *arg)
{
	struct gossipd	*g = arg;

	(void)c;
	if (s->kind == SOCK_LAN_UDP && g->udp_fd == -1)
		g->udp_fd = fd;
	else if (s->kind == SOCK_LAN_TCP && g->tcp_fd == -1)
		g->tcp_fd = fd;
	else
		close(fd);
}

static void
on_link(struct child *c, enum proc peer, struct ipc *ipc, void *arg)
{
	(void)c;
	imsg_link(arg, peer, ipc);
}

static void
on_conf_item(struct child *c, enum conf_kind kind, struct rbuf *r, void *arg)
{
	struct gossipd	*g = arg;

	(void)c;
	/* What gossip is told once is good for a life: a member's name, place
	 * and key do not change under way. */
	if (g->serf != NULL)
		return;
	if ((kind == CONF_AGENT &&
	    schema_decode(&conf_agent_schema, r, &g->agent) == -1) ||
	    (kind == CONF_GOSSIP &&
	    schema_decode(&conf_gossip_schema, r, &g->conf) == -1))
		fatalx("configuration: %s", r->err);
}

static void
on_msg(struct child *c, enum proc peer, struct ipc *ipc, const struct imsg *m,
    void *arg)
{
	(void)c;
	imsg_msg(arg, peer, ipc, m);
}

static void
on_leave(struct child *c, void *arg)
{
	struct gossipd	*g = arg;

	(void)c;
	log_info("leaving the LAN pool");
	snapshot_leave(g->snapshot);
	serf_leave(g->serf, gossipd_now());
}

static void
on_stop(struct child *c, void *arg)
{
	struct daemon	*d = arg;
	struct gossipd	*g = &d->g;

	(void)c;
	ev_after(g->ev, NULL, NULL);
	files_snapshot_close(g);
	net_stop(g);
	joins_stop(g);
	ev_timer_free(g->timer);
	ev_timer_free(g->snapshot_timer);
	ev_timer_free(g->ready_timer);
	ev_timer_free(g->heard_timer);
	ev_timer_free(d->rejoin.timer);
	ev_timer_free(d->retry_join.timer);
	strs_clear(&d->rejoin.addrs);
	strs_clear(&d->retry_join.addrs);
	serf_free(g->serf);
	idents_free(g->idents);
	layers_clear(&g->layers);
	keyring_free(g->ring);
	free(g->allowed);
	hosts_free(g->hosts);
	schema_clear(&conf_agent_schema, &g->agent);
	schema_clear(&conf_gossip_schema, &g->conf);
}

static const struct sandbox_role role = { .name = "gossipd", .files = true };

static const struct child_ops ops = {
	.self = PROC_GOSSIPD,
	.prepare = on_prepare,
	.socket = on_socket,
	.link = on_link,
	.conf_item = on_conf_item,
	.start = on_start,
	.msg = on_msg,
	.leave = on_leave,
	.stop = on_stop,
	.role = &role,
};

int
main(int argc, char **argv)
{
	static struct daemon	d = {
		.g = { .udp_fd = -1, .tcp_fd = -1, .snapshot_fd = -1,
		    .source_allowed = true }
	};

	return child_main(argc, argv, &ops, &d);
}
