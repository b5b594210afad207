/*
 * What catalogd hears and says inside the suite: members and events of
 * gossipd, checks to checkd and their results, names and views for dnsd, calls
 * of everybody.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "catalogd/catalogd.h"
#include "catalogd/user_event.h"
#include "common/log.h"

#define NEW_LEADER	"consul:new-leader"
#define VIEW_BYTES_MAX	(64u << 20)	/* of a message between daemons */

/* ---- members ---- */

static int
peer_cmp(const struct peer *a, const struct peer *b)
{
	return strcmp(a->name, b->name);
}

/* RB_GENERATE_STATIC needs an __unused that glibc has not. */
RB_GENERATE_INTERNAL(peers, peer, entry, peer_cmp,
    static __attribute__((unused)))

static void
peer_free(struct catalogd *c, struct peer *p)
{
	RB_REMOVE(peers, &c->peers, p);
	c->npeers--;
	c->nservers -= p->server;
	free(p->name);
	free(p);
}

void
catalogd_peers_clear(struct catalogd *c)
{
	struct peer	*p;

	while ((p = RB_ROOT(&c->peers)) != NULL)
		peer_free(c, p);
}

/* A server of this datacenter that answers, as far as gossip knows. */
static bool
is_server(const struct catalogd *c, const struct member *m)
{
	const char	*role = strmap_get(&m->tags, "role");
	const char	*dc = strmap_get(&m->tags, "dc");

	return m->status == MEMBER_ALIVE && role != NULL &&
	    strcmp(role, "consul") == 0 && dc != NULL &&
	    strcmp(dc, str_or(c->conf.datacenter, "")) == 0;
}

static void
server_up(struct catalogd *c)
{
	sync_server_up(c->sync, ev_now(c->ev));
	views_retry(c->views);
	catalogd_wake(c);
}

static void
peer_update(struct catalogd *c, const struct member *m)
{
	struct peer	 key, *p;
	bool		 server = is_server(c, m);

	key.name = m->name;
	p = RB_FIND(peers, &c->peers, &key);
	if (m->status == MEMBER_NONE) {
		if (p != NULL)
			peer_free(c, p);
		return;
	}
	if (p == NULL) {
		p = xcalloc(1, sizeof(*p));
		p->name = xstrdup(str_or(m->name, ""));
		RB_INSERT(peers, &c->peers, p);
		c->npeers++;
	}
	p->seen = true;
	if (server == p->server)
		return;
	p->server = server;
	if (server) {
		c->nservers++;
		server_up(c);
	} else
		c->nservers--;
}

static void
on_member(struct catalogd *c, const struct imsg *im)
{
	struct member	 m;
	const char	*err;

	if (schema_decode_all(&member_schema, im->body, im->len, &m,
	    &err) == -1)
		fatalx("MEMBER from gossipd: %s", err);
	if (c->server != NULL)
		server_member(c->server, &m);
	datacenters_member(gossip_datacenters(c->gossip), &m);
	if (!m.wan && !str_empty(m.name)) {
		peer_update(c, &m);
		sync_members(c->sync, c->npeers);
		coord_send_members(c->coord, c->npeers);
	}
	schema_clear(&member_schema, &m);
}

static void
on_members_begin(struct catalogd *c)
{
	struct peer	*p;

	RB_FOREACH(p, peers, &c->peers)
		p->seen = false;
	if (c->server != NULL)
		server_members_begin(c->server);
	datacenters_begin(gossip_datacenters(c->gossip));
}

static void
on_members_end(struct catalogd *c)
{
	struct peer	*p, *next;

	RB_FOREACH_SAFE(p, peers, &c->peers, next)
		if (!p->seen)
			peer_free(c, p);
	sync_members(c->sync, c->npeers);
	coord_send_members(c->coord, c->npeers);
	datacenters_end(gossip_datacenters(c->gossip));
	if (c->server != NULL)
		server_members_end(c->server);
}

static void
on_event(struct catalogd *c, const struct imsg *im)
{
	struct msg_event	 e;
	const char		*err;
	bool			 mine;

	if (schema_decode_all(&msg_event_schema, im->body, im->len, &e,
	    &err) == -1)
		fatalx("EVENT from gossipd: %s", err);
	if (strcmp(str_or(e.name, ""), NEW_LEADER) == 0) {
		mine = c->server != NULL && server_is_leader(c->server);
		if (mine)
			/* Nobody else is asked: nothing to spread out. */
			sync_full(c->sync, ev_now(c->ev));
		else
			log_info("New leader elected: payload=%.*s",
			    (int)e.payload.n, (const char *)e.payload.p);
		server_up(c);
	} else if (strncmp(str_or(e.name, ""), USER_EVENT_PREFIX,
	    strlen(USER_EVENT_PREFIX)) == 0) {
		agent_api_event(c->api, &e);
		catalogd_wake(c);
	} else
		log_debug("event %s: nobody's", str_or(e.name, ""));
	schema_clear(&msg_event_schema, &e);
}

bool
catalogd_fire(const char *name, const void *payload, size_t len, void *arg)
{
	struct catalogd		*c = arg;
	struct ipc		*l = child_link(c->child, PROC_GOSSIPD);
	struct msg_event	 e;

	if (l == NULL)
		return false;
	memset(&e, 0, sizeof(e));
	e.name = xstrdup(name);
	bytes_set(&e.payload, payload, len);
	ipc_send_schema(l, IMSG_FIRE, 0, &msg_event_schema, &e);
	schema_clear(&msg_event_schema, &e);
	return true;
}

void
catalogd_force_leave(const char *node, void *arg)
{
	struct catalogd	*c = arg;

	ipc_send(child_link(c->child, PROC_GOSSIPD), IMSG_MEMBER_GONE, 0,
	    node, strlen(node), -1);
}

/* ---- connections of raft and of snapshots ---- */

enum { KIND_RAFT = 1, KIND_SNAPSHOT = 5 };

static void
dial(struct catalogd *c, uint8_t kind, uint32_t id, const char *address)
{
	struct wbuf	 w;

	wb_init(&w, 0);
	wb_u8(&w, kind);
	wb_str(&w, address);
	ipc_send(child_link(c->child, PROC_RPCD), IMSG_DIAL, id, w.p, w.len,
	    -1);
	wb_free(&w);
}

void
catalogd_dial(uint32_t id, const char *address, void *arg)
{
	dial(arg, KIND_RAFT, id, address);
}

void
catalogd_dial_snapshot(uint32_t id, const char *address, void *arg)
{
	dial(arg, KIND_SNAPSHOT, id, address);
}

static void
on_peer(struct catalogd *c, const struct imsg *im)
{
	char	*from = xmemdup_str(im->body + 1, im->len - 1);

	if (c->server != NULL && im->body[0] == KIND_RAFT)
		server_raft_peer(c->server, im->fd, from);
	else if (c->server != NULL && im->body[0] == KIND_SNAPSHOT)
		exchanges_serve(c->exchanges, im->fd, from);
	else
		close(im->fd);
	free(from);
}

static void
on_dialed(struct catalogd *c, const struct imsg *im)
{
	char	*why = xmemdup_str(im->body, im->len);

	if (im->id & EXCHANGE_DIAL)
		exchanges_dialed(c->exchanges, im->id, im->fd, why);
	else if (c->server != NULL)
		server_dialed(c->server, im->id, im->fd, why);
	else if (im->fd != -1)
		close(im->fd);
	free(why);
}

/* ---- checks ---- */

/* Before start they are part of the whole set. */
static void
send_check(const struct msg_check *m, void *arg)
{
	struct catalogd	*c = arg;

	if (!c->started)
		return;
	ipc_send_schema(child_link(c->child, PROC_CHECKD), IMSG_CHECK_SET, 0,
	    &msg_check_schema, m);
}

static void
send_check_remove(const char *id, void *arg)
{
	struct catalogd	*c = arg;

	ipc_send(child_link(c->child, PROC_CHECKD), IMSG_CHECK_REMOVE, 0, id,
	    strlen(id), -1);
}

static void
send_all_checks(struct catalogd *c)
{
	struct ipc	*l = child_link(c->child, PROC_CHECKD);

	ipc_send(l, IMSG_CHECKS_BEGIN, 0, NULL, 0, -1);
	agent_each_probe(c->agent, send_check, c);
	ipc_send(l, IMSG_CHECKS_END, 0, NULL, 0, -1);
}

static void
on_result(struct catalogd *c, const struct imsg *im)
{
	struct msg_result	 r;
	const char		*err;

	if (schema_decode_all(&msg_result_schema, im->body, im->len, &r,
	    &err) == -1)
		fatalx("CHECK_RESULT from checkd: %s", err);
	agent_result(c->agent, &r, ev_now(c->ev));
	schema_clear(&msg_result_schema, &r);
}

bool
catalogd_ask_runs(void *arg)
{
	struct catalogd	*c = arg;
	struct ipc	*l = child_link(c->child, PROC_CHECKD);

	if (l == NULL)
		return false;
	ipc_send(l, IMSG_CHECKS_ASK, 0, NULL, 0, -1);
	return true;
}

static void
on_check_runs(struct catalogd *c, const struct imsg *im)
{
	struct msg_check_runs	 m;
	const char		*err;

	if (schema_decode_all(&msg_check_runs_schema, im->body, im->len, &m,
	    &err) == -1)
		fatalx("CHECK_RUNS from checkd: %s", err);
	agent_api_runs(c->api, &m);
	catalogd_wake(c);
}

/* ---- names and views ---- */

static void
send_name(struct ipc *l, enum view_kind kind, const char *name, bool exists)
{
	struct wbuf	 w;

	wb_init(&w, 0);
	wb_u8(&w, (uint8_t)kind);
	wb_u8(&w, exists);
	wb_str(&w, name);
	/* A longer one cannot be asked for by DNS. */
	if (w.len <= 1024)
		ipc_send(l, IMSG_NAME, 0, w.p, w.len, -1);
	wb_free(&w);
}

static void
each_name(enum view_kind kind, const char *name, void *arg)
{
	send_name(arg, kind, name, true);
}

/* On a server the list is exact and decides; an agent asks for each name. */
static void
send_names(struct catalogd *c, struct ipc *l)
{
	uint8_t		 decides = c->server != NULL;

	/* Until they are known dnsd goes on with those that it has. */
	if (l == NULL || (decides && !server_names_known(c->server)))
		return;
	ipc_send(l, IMSG_NAMES_BEGIN, 0, &decides, 1, -1);
	if (c->server != NULL)
		server_names(c->server, each_name, l);
	ipc_send(l, IMSG_NAMES_END, 0, NULL, 0, -1);
}

void
catalogd_names(void *arg)
{
	struct catalogd	*c = arg;
	unsigned	 i;

	for (i = 0; c->started && i < c->ndns; i++)
		send_names(c, c->dns[i]);
}

void
catalogd_name(enum view_kind kind, const char *name, bool exists, void *arg)
{
	struct catalogd	*c = arg;
	unsigned	 i;

	/* Until then the names are part of the list. */
	if (!c->started || !server_names_known(c->server))
		return;
	for (i = 0; i < c->ndns; i++)
		if (c->dns[i] != NULL)
			send_name(c->dns[i], kind, name, exists);
}

void
catalogd_view(const struct msg_view *v, uint64_t workers, void *arg)
{
	struct catalogd	*c = arg;
	struct msg_view	 m;
	struct wbuf	 w;
	char		 large[] = "more instances than a view can hold";
	unsigned	 i;

	wb_init(&w, VIEW_BYTES_MAX);
	schema_encode(&msg_view_schema, v, &w);
	if (w.err) {
		memset(&m, 0, sizeof(m));
		m.kind = v->kind;
		m.name = v->name;
		m.datacenter = v->datacenter;
		m.error = large;
		wb_free(&w);
		wb_init(&w, VIEW_BYTES_MAX);
		schema_encode(&msg_view_schema, &m, &w);
	}
	for (i = 0; i < c->ndns; i++)
		if (workers >> i & 1)
			ipc_send(c->dns[i], IMSG_VIEW, 0, w.p, w.len, -1);
	wb_free(&w);
}

static void
on_watch(struct catalogd *c, const struct imsg *im)
{
	char		*name = xmemdup_str(im->body + 1, im->len - 1);
	size_t		 n = strlen(name);
	const char	*dc = n < im->len - 1 ? name + n + 1 : NULL;
	uint8_t		 kind = im->body[0];
	unsigned	 worker = child_peer_worker(c->child);

	if (kind < VIEW_SERVICE || kind > VIEW_QUERY)
		fatalx("%s from dnsd: kind %u", imsg_name(im->type), kind);
	if (im->type == IMSG_WATCH)
		views_watch(c->views, worker, kind, name, dc);
	else
		views_unwatch(c->views, worker, kind, name, dc);
	free(name);
}

/* ---- links ---- */

static void
link_up(struct catalogd *c, enum proc peer, struct ipc *l)
{
	switch (peer) {
	case PROC_RPCD:
		route_rpcd(c->route, l);
		/* What failed for want of it is not to wait any longer. */
		if (c->nservers > 0)
			server_up(c);
		break;
	case PROC_GOSSIPD:
		gossip_link(c->gossip, l);
		break;
	case PROC_CHECKD:
		send_all_checks(c);
		break;
	case PROC_DNSD:
		send_names(c, l);
		break;
	case PROC_DISCOD:
	case PROC_CATALOGD:
	case PROC_APID:
	case PROC_EXECD:
	case PROC_MAX:
		break;
	}
}

/* Those that come before start are looked after there. */
void
catalogd_link(struct child *child, enum proc peer, struct ipc *l, void *arg)
{
	struct catalogd	*c = arg;
	unsigned	 worker = child_peer_worker(child);

	if (peer == PROC_DNSD) {
		c->dns[worker] = l;
		if (worker >= c->ndns)
			c->ndns = worker + 1;
	}
	if (!c->started)
		return;
	if (l != NULL) {
		link_up(c, peer, l);
		return;
	}
	route_in_lost(c->route, peer);
	if (peer == PROC_RPCD) {
		route_rpcd(c->route, NULL);
		if (c->server != NULL)
			server_dials_lost(c->server);
		exchanges_dials_lost(c->exchanges);
	}
	if (peer == PROC_GOSSIPD)
		gossip_link(c->gossip, NULL);
	if (peer == PROC_DNSD)
		views_forget(c->views, worker);
}

void
catalogd_links_start(struct catalogd *c)
{
	struct ipc	*l;
	unsigned	 i;
	int		 p;

	for (p = 0; p < PROC_MAX; p++)
		if (p != PROC_DISCOD && p != PROC_CATALOGD && p != PROC_DNSD &&
		    (l = child_link(c->child, (enum proc)p)) != NULL)
			link_up(c, (enum proc)p, l);
	for (i = 0; i < c->ndns; i++)
		if (c->dns[i] != NULL)
			link_up(c, PROC_DNSD, c->dns[i]);
}

void
catalogd_msg(struct child *child, enum proc peer, struct ipc *l,
    const struct imsg *m, void *arg)
{
	struct catalogd	*c = arg;

	(void)child;
	switch ((int)m->type) {
	case IMSG_CALL:
		route_in(c->route, peer, l, m);
		break;
	case IMSG_CANCEL:
		route_in_cancel(c->route, peer, m->id);
		break;
	case IMSG_ANSWER:
		if (peer == PROC_GOSSIPD)
			gossip_answer(c->gossip, m);
		else
			route_answer(c->route, m);
		break;
	case IMSG_MEMBERS_BEGIN:
		on_members_begin(c);
		break;
	case IMSG_MEMBER:
		on_member(c, m);
		break;
	case IMSG_MEMBERS_END:
		on_members_end(c);
		break;
	case IMSG_EVENT:
		on_event(c, m);
		break;
	case IMSG_PEER:
		on_peer(c, m);
		break;
	case IMSG_SNAPSHOT:
		exchanges_serve(c->exchanges, m->fd, "this node's API");
		break;
	case IMSG_DIALED:
	case IMSG_DIAL_FAILED:
		on_dialed(c, m);
		break;
	case IMSG_CHECK_RESULT:
		on_result(c, m);
		break;
	case IMSG_CHECK_RUNS:
		on_check_runs(c, m);
		break;
	case IMSG_WATCH:
	case IMSG_UNWATCH:
		on_watch(c, m);
		break;
	default:
		fatalx("%s from %s: not for catalogd", imsg_name(m->type),
		    proc_name(peer));
	}
	catalogd_wake(c);
}

/* ---- the agent's effects ---- */

static int
save_service(const struct local_service *s, void *arg)
{
	struct catalogd	*c = arg;

	return agent_files_save_service(c->files, s);
}

static int
save_check(const struct local_check *chk, void *arg)
{
	struct catalogd	*c = arg;
	uint64_t	 now = ev_now(c->ev);
	int64_t		 until = 0;

	if (chk->until != AGENT_NEVER)
		until = (ev_wall_ns() + (int64_t)(chk->until > now ?
		    chk->until - now : 0) * NS_PER_MS) / NS_PER_S;
	return agent_files_save_check(c->files, chk, until);
}

static void
drop_service(const char *id, void *arg)
{
	struct catalogd	*c = arg;

	agent_files_drop_service(c->files, id);
}

static void
drop_check(const char *id, void *arg)
{
	struct catalogd	*c = arg;

	agent_files_drop_check(c->files, id);
}

static void
save_state(const char *id, const char *status, const char *output,
    int64_t ttl_ns, void *arg)
{
	struct catalogd	*c = arg;
	int64_t		 expires = 0;

	if (ttl_ns > 0)
		expires = (ev_wall_ns() + ttl_ns) / NS_PER_S;
	agent_files_save_state(c->files, id, status, output, expires);
}

static void
drop_state(const char *id, void *arg)
{
	struct catalogd	*c = arg;

	agent_files_drop_state(c->files, id);
}

static void
agent_changed(void *arg)
{
	struct catalogd	*c = arg;

	if (c->sync != NULL)
		sync_changed(c->sync);
	catalogd_wake(c);
}

static void
say(bool warning, const char *text, void *arg)
{
	(void)arg;
	if (warning)
		log_warnx("%s", text);
	else
		log_info("%s", text);
}

const struct agent_ops catalogd_agent_ops = {
	.check_set = send_check,
	.check_remove = send_check_remove,
	.save_service = save_service,
	.save_check = save_check,
	.drop_service = drop_service,
	.drop_check = drop_check,
	.save_state = save_state,
	.drop_state = drop_state,
	.changed = agent_changed,
	.log = say,
};
