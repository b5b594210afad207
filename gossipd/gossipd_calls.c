/*
 * The methods of gossipd, which the other daemons of this node call: members
 * and figures, joining, removing, keys, coordinates.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "gossipd/gossipd.h"
#include "gossipd/tags.h"

#define RELAY_MAX	5	/* as peers bound it */
#define KEY_TEXT_MAX	64	/* base64 of the longest key, and then some */
#define MEMBERS_MANY	1000	/* an answer that is cleaned up after */

/* ---- callers ---- */

/* The answer may come when the link is another: then nobody waits for it. */
static struct asker *
asker_keep(const struct asker *a)
{
	struct asker	*keep = xmalloc(sizeof(*keep));

	*keep = *a;
	TAILQ_INSERT_TAIL(&a->g->askers, keep, link);
	return keep;
}

static void
asker_free(struct asker *a)
{
	TAILQ_REMOVE(&a->g->askers, a, link);
	free(a);
}

static struct ipc *
asker_link(const struct asker *a)
{
	return a->epoch == a->g->link_epoch[a->peer] ?
	    child_link(a->g->child, a->peer) : NULL;
}

void
methods_stop(struct gossipd *g)
{
	struct asker	*a;

	while ((a = TAILQ_FIRST(&g->askers)) != NULL)
		asker_free(a);
}

/* NULL after an answer that says why this node has no such pool. */
static struct pool *
asked_pool(const struct asker *a, struct ipc *ipc)
{
	struct pool	*p = pool_of(a->g, a->wan);

	if (p == NULL)
		call_error(ipc, a->id, "%s", a->g->agent.server ?
		    "WAN Federation is disabled" :
		    "Must be a server to join WAN cluster");
	return p;
}

/* ---- Gossip.Members ---- */

static int
member_cmp(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name,
	    ((const struct member *)b)->name);
}

static void
stats_of(struct pool *p, struct strmap *st)
{
	struct swim		*swim = serf_swim(p->serf);
	struct bcast		*b = swim_bcast(swim);
	struct serf_clocks	 c = serf_clocks(p->serf);

	tags_put_number(st, "coordinate_resets", serf_coord_resets(p->serf));
	tags_put_number(st, "dropped_members", p->refused);
	tags_put_number(st, "dropped_packets", p->bad_packets);
	tags_put_number(st, "dropped_streams", p->bad_streams);
	strmap_put(st, "encrypted", pool_encrypted(p) ? "true" : "false");
	tags_put_number(st, "event_queue", bcast_count(b, BC_EVENT));
	tags_put_number(st, "event_time", c.event);
	tags_put_number(st, "failed", serf_count(p->serf, MEMBER_FAILED));
	tags_put_number(st, "health_score", swim_health(swim));
	tags_put_number(st, "intent_queue", bcast_count(b, BC_INTENT));
	tags_put_number(st, "left", serf_count(p->serf, MEMBER_LEFT));
	tags_put_number(st, "member_time", c.member);
	tags_put_number(st, "members", serf_count_all(p->serf));
	tags_put_number(st, "query_queue", bcast_count(b, BC_QUERY));
	tags_put_number(st, "query_time", c.query);
	tags_put_number(st, "undecrypted", p->layers.undecrypted);
}

static void
on_members(const struct asker *a, struct ipc *ipc, void *body)
{
	struct gossip_members_request	*req = body;
	struct pool			*p = pool_of(a->g, req->wan);
	struct gossip_members		 out = { 0 };
	const struct serf_member	*m;
	uint32_t			 i = 0;

	out.members.set = true;
	if (p != NULL) {
		out.encrypted = pool_encrypted(p);
		while ((m = serf_member_next(p->serf, &i)) != NULL)
			imsg_member_of(p, m, VEC_ADD(&out.members));
		qsort(out.members.item, out.members.n, sizeof(struct member),
		    member_cmp);
		stats_of(p, &out.stats);
	}
	call_answer_schema(ipc, a->id, &gossip_members_schema, &out);
	if (out.members.n >= MEMBERS_MANY)
		child_give_back(a->g->child);
	schema_clear(&gossip_members_schema, &out);
}

/* ---- Gossip.Join, Gossip.ForceLeave ---- */

static void
join_done(struct pool *p, unsigned joined, const char *text, void *arg)
{
	struct asker		*a = arg;
	struct gossip_joined	 out = { .joined = joined };
	struct ipc		*ipc = asker_link(a);

	(void)p;
	if (ipc != NULL && joined == 0 && text != NULL)
		call_error(ipc, a->id, "%s", text);
	else if (ipc != NULL)
		call_answer_schema(ipc, a->id, &gossip_joined_schema, &out);
	asker_free(a);
}

static void
on_join(const struct asker *a, struct ipc *ipc, void *body)
{
	struct gossip_join	*req = body;
	struct asker		 who = *a;
	struct pool		*p;

	who.wan = req->wan;
	if ((p = asked_pool(&who, ipc)) == NULL)
		return;
	if (serf_leaving(p->serf)) {
		call_error(ipc, a->id, "Serf can't Join after Leave or "
		    "Shutdown");
		return;
	}
	join_start(p, &req->addrs, false, join_done, asker_keep(&who));
}

/* A server that is removed from its datacenter is so from the WAN pool. */
static void
leave_wan_too(struct gossipd *g, const char *node, bool prune)
{
	struct pool	*wan = pool_of(g, true);
	char		*name;

	if (wan == NULL)
		return;
	(void)xasprintf(&name, "%s.%s", node, g->agent.datacenter);
	if (serf_force_leave(wan->serf, gossipd_now(), span_str(name),
	    prune) == 0)
		log_info("WAN: member %s: forced to leave%s", name,
		    prune ? " and forgotten" : "");
	free(name);
}

/* The pool, or NULL when it has no such member. */
static struct pool *
force_leave(struct pool *p, const char *node, bool prune)
{
	return p != NULL && serf_force_leave(p->serf, gossipd_now(),
	    span_str(node), prune) == 0 ? p : NULL;
}

static void
on_force_leave(const struct asker *a, struct ipc *ipc, void *body)
{
	struct gossip_force_leave	*req = body;
	struct pool			*p = pool_of(a->g, req->wan);
	const char			*node = str_or(req->node, "");

	p = force_leave(p, node, req->prune);
	/* "node2.dc2": a server of another datacenter. */
	if (p == NULL && !req->wan)
		p = force_leave(pool_of(a->g, true), node, req->prune);
	if (p == NULL) {
		call_error(ipc, a->id, "agent: No node found with name '%s'",
		    node);
		return;
	}
	log_info("%smember %s: forced to leave%s", p->prefix, node,
	    req->prune ? " and forgotten" : "");
	if (!p->wan)
		leave_wan_too(a->g, node, req->prune);
	call_answer(ipc, a->id, NULL, 0);
}

/* ---- Gossip.Keyring ---- */

static void
put_counts(struct intmap *map, const struct serf_key_count *k, size_t n)
{
	struct int_pair	*e;
	size_t		 i;

	map->set = true;
	for (i = 0; i < n; i++) {
		e = VEC_ADD(map);
		e->key = xstrdup(k[i].key);
		e->val = k[i].nodes;
	}
}

static void
keyring_done(void *arg, const struct serf_keys *k)
{
	struct asker		*a = arg;
	struct keyring_response	 out = { .wan = a->wan };
	struct ipc		*ipc = asker_link(a);
	size_t			 i;

	out.datacenter = xstrdup(a->g->agent.datacenter);
	for (i = 0; i < k->nmessages; i++)
		strmap_put(&out.messages, k->message[i].node,
		    k->message[i].text);
	put_counts(&out.keys, k->key, k->nkeys);
	put_counts(&out.primary_keys, k->primary, k->nprimary);
	out.num_nodes = k->nodes;
	out.error = xstrdup(k->error);
	if (ipc != NULL)
		call_answer_schema(ipc, a->id, &keyring_response_schema, &out);
	schema_clear(&keyring_response_schema, &out);
	asker_free(a);
}

/* An operation that was not started answers in the same form. */
static void
keyring_error(const struct asker *a, struct ipc *ipc, const char *why)
{
	struct keyring_response	out = { .wan = a->wan };

	out.datacenter = xstrdup(a->g->agent.datacenter);
	out.error = xstrdup(why);
	call_answer_schema(ipc, a->id, &keyring_response_schema, &out);
	schema_clear(&keyring_response_schema, &out);
}

static int
key_op(const char *text, enum serf_key_op *op)
{
	static const struct { const char *name; enum serf_key_op op; } ops[] = {
		{ "list", KEY_LIST }, { "install", KEY_INSTALL },
		{ "use", KEY_USE }, { "remove", KEY_REMOVE }
	};
	size_t	i;

	for (i = 0; i < NELEM(ops); i++)
		if (strcmp(ops[i].name, str_or(text, "")) == 0) {
			*op = ops[i].op;
			return 0;
		}
	return -1;
}

static void
on_keyring(const struct asker *a, struct ipc *ipc, void *body)
{
	struct gossip_keyring	*req = body;
	struct asker		 who = *a, *keep;
	const char		*key = str_or(req->key, ""), *why;
	uint8_t			 raw[KEY_TEXT_MAX];
	struct pool		*p;
	enum serf_key_op	 op;
	char			 text[64];
	int			 n;

	who.wan = req->wan;
	if ((p = asked_pool(&who, ipc)) == NULL)
		return;
	if (key_op(req->operation, &op) == -1 ||
	    req->relay_factor > RELAY_MAX) {
		call_error(ipc, a->id, "Gossip.Keyring: no such operation");
		return;
	}
	n = strlen(key) > KEY_TEXT_MAX ? 0 :
	    base64_decode(key, raw, sizeof(raw));
	if (n == -1) {
		(void)snprintf(text, sizeof(text),
		    "illegal base64 data at input byte %zu",
		    base64_bad_at(key));
		keyring_error(&who, ipc, text);
		return;
	}
	keep = asker_keep(&who);
	why = serf_keys(p->serf, gossipd_now(), op, raw, (size_t)n,
	    (unsigned)req->relay_factor, keyring_done, keep);
	explicit_bzero(raw, sizeof(raw));
	log_info("%skeyring: %s was asked of all members%s%s", p->prefix,
	    req->operation, why != NULL ? ": not sent: " : "", str_or(why, ""));
	if (why != NULL) {
		asker_free(keep);
		keyring_error(&who, ipc, why);
	}
}

/* ---- Gossip.Coordinates ---- */

static void
coordinate_of(const struct coord *c, struct coordinate *out)
{
	out->vec.set = true;
	out->vec.n = COORD_DIM;
	out->vec.item = xmalloc(sizeof(c->vec));
	memcpy(out->vec.item, c->vec, sizeof(c->vec));
	out->error = c->error;
	out->adjustment = c->adjustment;
	out->height = c->height;
}

static void
other_coordinates(struct pool *p, struct node_coordinate_vec *out)
{
	const struct serf_member	*m;
	struct node_coordinate		*nc;
	struct coord			 c;
	uint32_t			 i = 0;

	while ((m = serf_member_next(p->serf, &i)) != NULL)
		if (serf_coord_of(p->serf, ident_name_span(m->id), &c)) {
			nc = VEC_ADD(out);
			nc->node = xstrdup(ident_name(m->id));
			coordinate_of(&c, &nc->coord);
		}
}

/* Without an own coordinate (they are off) its vector is nil. */
static void
on_coordinates(const struct asker *a, struct ipc *ipc, void *body)
{
	struct gossip_coordinates_request	*req = body;
	struct gossip_coordinates		 out = { 0 };
	struct asker				 who = *a;
	const struct coord			*own;
	struct pool				*p;

	who.wan = req->wan;
	if ((p = asked_pool(&who, ipc)) == NULL)
		return;
	if ((own = serf_coord(p->serf)) != NULL)
		coordinate_of(own, &out.own);
	out.others.set = true;
	if (req->all)
		other_coordinates(p, &out.others);
	call_answer_schema(ipc, a->id, &gossip_coordinates_schema, &out);
	schema_clear(&gossip_coordinates_schema, &out);
}

/* ---- dispatch ---- */

static const struct method {
	const char	*name;
	struct schema	*schema;
	void		(*fn)(const struct asker *, struct ipc *, void *body);
} methods[] = {
	{ "Gossip.Members", &gossip_members_request_schema, on_members },
	{ "Gossip.Join", &gossip_join_schema, on_join },
	{ "Gossip.ForceLeave", &gossip_force_leave_schema, on_force_leave },
	{ "Gossip.Keyring", &gossip_keyring_schema, on_keyring },
	{ "Gossip.Coordinates", &gossip_coordinates_request_schema,
	    on_coordinates },
};

union method_body {
	struct gossip_members_request		members;
	struct gossip_join			join;
	struct gossip_force_leave		force_leave;
	struct gossip_keyring			keyring;
	struct gossip_coordinates_request	coordinates;
};

static void
call_with_body(const struct method *method, const struct asker *a,
    struct ipc *ipc, const uint8_t *p, size_t n)
{
	union method_body	 body;
	const char		*err;

	if (schema_decode_all(method->schema, p, n, &body, &err) == -1) {
		call_error(ipc, a->id, "%s: %s", method->name, err);
		return;
	}
	method->fn(a, ipc, &body);
	schema_clear(method->schema, &body);
}

void
methods_call(struct gossipd *g, enum proc peer, struct ipc *ipc,
    const struct imsg *m)
{
	struct asker	 a = { .g = g, .peer = peer,
			    .epoch = g->link_epoch[peer], .id = m->id };
	struct msg_call	 call;
	const uint8_t	*body;
	size_t		 i, n;

	if (call_read(m, &call, &body, &n) == -1)
		fatalx("malformed CALL from %s", proc_name(peer));
	for (i = 0; i < NELEM(methods); i++)
		if (strcmp(str_or(call.method, ""), methods[i].name) == 0)
			break;
	if (i < NELEM(methods))
		call_with_body(&methods[i], &a, ipc, body, n);
	else
		call_error(ipc, m->id, "gossipd has no method %s",
		    str_or(call.method, "?"));
	schema_clear(&msg_call_schema, &call);
}
