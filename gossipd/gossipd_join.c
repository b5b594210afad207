/*
 * Joining: addresses as people write them become socket addresses, and each is
 * tried, a few at a time.
 *
 *	a literal, or a name in hosts	known at once
 *	another name			RESOLVE to dnsd, answered or timed out
 *	on a server			first a look at who is there, then the
 *					exchange that announces us
 *	nobody reached			the errors of all, as peers list them
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "gossipd/gossipd.h"

#define PARALLEL	8	/* attempts at once */
#define ADDRS_MAX	256	/* of one join */
#define HOST_ADDRS_MAX	16	/* of one name */
#define RESOLVE_MS	10000
#define HOST_MAX	256

struct attempt {
	struct join		*join;
	struct sockaddr_storage	 to;
	bool			 looked, running, ended;
};

/* A name that dnsd was asked for. */
struct lookup {
	TAILQ_ENTRY(lookup)	 link;
	struct join		*join;
	uint32_t		 id;
	uint16_t		 port;
	char			 host[HOST_MAX];
	struct ev_timer		*timer;
};

struct join {
	TAILQ_ENTRY(join)	 link;
	struct pool		*p;
	struct attempt		*attempt;
	size_t			 n;
	unsigned		 nlookups, running, joined;
	bool			 one;
	struct strs		 errors;
	join_fn			*done;
	void			*arg;
	struct ev_timer		*kick;	/* so that done() is never called
					   from within join_start() */
};

struct joins {
	TAILQ_HEAD(, join)	 joins;
	TAILQ_HEAD(, lookup)	 lookups;
	uint32_t		 last_id;
};

static void
join_free(struct join *j)
{
	TAILQ_REMOVE(&j->p->g->joins->joins, j, link);
	ev_timer_free(j->kick);
	strs_clear(&j->errors);
	free(j->attempt);
	free(j);
}

static void
add_error(struct join *j, const char *what, const char *host, const char *why)
{
	char	*text;

	(void)xasprintf(&text, "Failed to %s %s: %s", what, host, why);
	strs_add(&j->errors, text);
	free(text);
}

/* "1 error occurred:", and a line for each. */
static char *
error_text(const struct strs *errors)
{
	struct wbuf	w;
	size_t		i;

	wb_init(&w, 0);
	wb_printf(&w, "%zu error%s occurred:\n", errors->n,
	    errors->n == 1 ? "" : "s");
	for (i = 0; i < errors->n; i++)
		wb_printf(&w, "\t* %s\n", errors->item[i]);
	wb_str(&w, "\n");
	return wb_detach_str(&w);
}

/* Says how it went, once. */
static void
join_report(struct join *j)
{
	struct pool	*p = j->p;
	join_fn		*done = j->done;
	char		*text;

	if (done == NULL)
		return;
	j->done = NULL;
	text = j->errors.n > 0 ? error_text(&j->errors) : NULL;
	if (j->joined > 0) {
		serf_announce(p->serf, gossipd_now());
		pool_joined(p);
	}
	done(p, j->joined, text, j->arg);
	free(text);
}

static void
join_end(struct join *j)
{
	join_report(j);
	join_free(j);
}

static void join_next(struct join *);

static void
attempt_done(void *arg, const char *why)
{
	struct attempt	*a = arg;
	struct join	*j = a->join;
	char		 ip[ADDR_TEXT_MAX];

	if (why == NULL && !a->looked) {
		/* Nobody there whom we may not meet: now in earnest. */
		a->looked = true;
		net_exchange(j->p, &a->to, NET_JOIN, attempt_done, a);
		return;
	}
	a->running = false;
	a->ended = true;
	j->running--;
	if (why == NULL)
		j->joined++;
	else
		add_error(j, "join", addr_ip(&a->to, ip, sizeof(ip)), why);
	if (j->one && j->joined > 0)
		join_report(j);		/* the others may take their time */
	join_next(j);
}

static void
attempt_start(struct attempt *a)
{
	struct pool	*p = a->join->p;

	a->running = true;
	a->join->running++;
	a->looked = !p->rules.server;
	net_exchange(p, &a->to, a->looked ? NET_JOIN : NET_LOOK, attempt_done,
	    a);
}

/* Starts what may start; ends the join when nothing is under way. */
static void
join_next(struct join *j)
{
	size_t	i;
	bool	enough = j->one && j->joined > 0;

	if (j->nlookups > 0)
		return;
	for (i = 0; i < j->n && j->running < PARALLEL && !enough; i++)
		if (!j->attempt[i].running && !j->attempt[i].ended)
			attempt_start(&j->attempt[i]);
	if (j->running == 0)
		join_end(j);
}

static void
add_address(struct join *j, struct sockaddr_storage *ss, uint16_t port)
{
	struct attempt	*a;

	if (j->n >= ADDRS_MAX)
		return;
	/* Attempts are pointed to only once all addresses are known. */
	j->attempt = xreallocarray(j->attempt, j->n + 1, sizeof(*a));
	a = &j->attempt[j->n++];
	memset(a, 0, sizeof(*a));
	a->join = j;
	a->to = *ss;
	addr_set_port(&a->to, port);
}

/* ---- names ---- */

static void
lookup_free(struct lookup *l)
{
	TAILQ_REMOVE(&l->join->p->g->joins->lookups, l, link);
	l->join->nlookups--;
	ev_timer_free(l->timer);
	free(l);
}

static void
lookup_fail(struct lookup *l, const char *why)
{
	struct join	*j = l->join;

	add_error(j, "resolve", l->host, why);
	lookup_free(l);
	join_next(j);
}

static void
lookup_timeout(void *arg)
{
	lookup_fail(arg, "no answer from the resolver");
}

static void
lookup_start(struct join *j, const char *host, uint16_t port)
{
	struct gossipd	*g = j->p->g;
	struct lookup	*l = xcalloc(1, sizeof(*l));

	l->join = j;
	l->id = ++g->joins->last_id;
	l->port = port;
	(void)snprintf(l->host, sizeof(l->host), "%s", host);
	l->timer = ev_timer_new(g->ev, lookup_timeout, l);
	ev_timer_set(l->timer, RESOLVE_MS);
	TAILQ_INSERT_TAIL(&g->joins->lookups, l, link);
	j->nlookups++;
	ipc_send(child_link(g->child, PROC_DNSD), IMSG_RESOLVE, l->id, host,
	    strlen(host), -1);
}

void
join_resolved(struct gossipd *g, const struct imsg *m)
{
	struct msg_resolved	 r;
	struct sockaddr_storage	 ss;
	struct lookup		*l;
	struct join		*j;
	const char		*err;
	size_t			 i, n = 0;

	if (schema_decode_all(&msg_resolved_schema, m->body, m->len, &r,
	    &err) == -1)
		fatalx("RESOLVED: %s", err);
	TAILQ_FOREACH(l, &g->joins->lookups, link)
		if (l->id == m->id)
			break;
	if (l != NULL) {
		j = l->join;
		for (i = 0; i < r.addrs.n && i < HOST_ADDRS_MAX; i++)
			if (addr_parse(r.addrs.item[i], 0, &ss) == 0) {
				add_address(j, &ss, l->port);
				n++;
			}
		if (n == 0)
			lookup_fail(l, str_or(r.error, "no such host"));
		else {
			lookup_free(l);
			join_next(j);
		}
	}
	schema_clear(&msg_resolved_schema, &r);
}

void
join_dnsd_gone(struct gossipd *g)
{
	struct lookup	*l;

	while ((l = TAILQ_FIRST(&g->joins->lookups)) != NULL)
		lookup_fail(l, "the resolver went away");
}

static void
add_name(struct join *j, const char *text)
{
	struct sockaddr_storage	 ss, found[HOST_ADDRS_MAX];
	char			 host[HOST_MAX];
	int			 given = -1;
	size_t			 i, n;
	uint16_t		 port = j->p->port;

	if (addr_parse(text, port, &ss) == 0) {
		add_address(j, &ss, addr_port(&ss) != 0 ? addr_port(&ss) :
		    port);
		return;
	}
	if (hostport_split(text, host, sizeof(host), &given) == -1 ||
	    host[0] == '\0') {
		add_error(j, "resolve", text, "not an address");
		return;
	}
	if (given > 0)
		port = (uint16_t)given;
	n = hosts_lookup(j->p->g->hosts, host, found, NELEM(found));
	for (i = 0; i < n; i++)
		add_address(j, &found[i], port);
	if (n == 0)
		lookup_start(j, host, port);
}

static void
on_kick(void *arg)
{
	join_next(arg);
}

void
join_start(struct pool *p, const struct strs *addrs, bool one, join_fn *done,
    void *arg)
{
	struct join	*j = xcalloc(1, sizeof(*j));
	size_t		 i;

	j->p = p;
	j->one = one;
	j->done = done;
	j->arg = arg;
	TAILQ_INSERT_TAIL(&p->g->joins->joins, j, link);
	for (i = 0; i < addrs->n; i++)
		add_name(j, addrs->item[i]);
	j->kick = ev_timer_new(p->g->ev, on_kick, j);
	if (j->nlookups == 0)
		ev_timer_set(j->kick, 0);
}

void
joins_start(struct gossipd *g)
{
	g->joins = xcalloc(1, sizeof(*g->joins));
	TAILQ_INIT(&g->joins->joins);
	TAILQ_INIT(&g->joins->lookups);
}

/* After net_stop(): no attempt is under way any more. */
void
joins_stop(struct gossipd *g)
{
	struct lookup	*l;
	struct join	*j;

	if (g->joins == NULL)
		return;
	while ((l = TAILQ_FIRST(&g->joins->lookups)) != NULL)
		lookup_free(l);
	while ((j = TAILQ_FIRST(&g->joins->joins)) != NULL)
		join_free(j);
	free(g->joins);
	g->joins = NULL;
}
