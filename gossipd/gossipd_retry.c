/*
 * Joins that nobody asked for by a call: members of an earlier life, start_join
 * and retry_join, in both pools, and the other servers of this datacenter,
 * which a server brings into the WAN pool (gossip.md 11.1).
 *
 *	start_join	once, and the suite does not start when nobody is there
 *	retry_join	until somebody is there, or retry_max times
 *	earlier life	until somebody is there, or a few times
 *	flood		when a server appears in the LAN pool, and each minute
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "common/wire.h"
#include "gossipd/gossipd.h"
#include "gossipd/tags.h"

#define READY_MS	3000	/* then the lists are told, rejoined or not */
#define REJOIN_TRIES	10
#define RETRY_MS	30000	/* unless configured */
#define FLOOD_MS	60000

/* The list of one pool is as good as that of the earlier life. */
static void
settled(struct pool *p)
{
	struct pool	*wan = pool_of(p->g, true);

	p->settled = true;
	if (p->g->lan.settled && (wan == NULL || wan->settled))
		imsg_members_ready(p->g);
}

static void
on_ready_timer(void *arg)
{
	imsg_members_ready(arg);
}

/* The start fails: nothing of it stays. */
static void
refuse(struct pool *p, const char *text)
{
	struct pool	*wan = pool_of(p->g, true);

	files_keyring_undo(&p->g->lan);
	if (wan != NULL)
		files_keyring_undo(wan);
	child_refuse(p->g->child, "%s", text);
}

/*
 * A server that looks for the others and finds Consul's does not start.  Once
 * it has company, or was up before, it stays and complains.
 */
static bool
refuse_clash(struct pool *p, unsigned joined)
{
	p->reached |= joined > 0;
	if (p->clash[0] == '\0' || p->reached ||
	    child_setup(p->g->child)->restarts > 0)
		return false;
	refuse(p, p->clash);
	return true;
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

/* ---- again and again ---- */

static void
give_up(struct retry *r, const char *errors)
{
	char	*text;

	if (!r->fatal) {
		log_warnx("%s: nobody reached, given up", r->what);
		return;
	}
	(void)xasprintf(&text, "%s: nobody reached after %u tries: %s",
	    r->what, r->tries, errors);
	refuse(r->p, text);
	free(text);
}

static void
retry_done(struct pool *p, unsigned joined, const char *text, void *arg)
{
	struct retry	*r = arg;
	char		*errors;

	if (r == &p->rejoin)
		settled(p);
	if (refuse_clash(p, joined))
		return;
	if (joined > 0) {
		log_info("%s: reached %u", r->what, joined);
		return;
	}
	r->tries++;
	errors = join_errors(str_or(text, ""));
	if (r->max > 0 && r->tries >= r->max)
		give_up(r, errors);
	else {
		log_warnx("%s: nobody reached, next try in %llu ms: %s",
		    r->what, (unsigned long long)r->interval_ms, errors);
		ev_timer_set(r->timer, r->interval_ms);
	}
	free(errors);
}

static void
retry_again(void *arg)
{
	struct retry	*r = arg;
	struct pool	*p = r->p;

	if (p->g->leaving)
		return;
	/* Those of an earlier life are needed only while we are alone. */
	if (r->one && swim_count_alive(serf_swim(p->serf)) > 0)
		return;
	join_start(p, &r->addrs, r->one, retry_done, r);
}

static void
retry_begin(struct pool *p, struct retry *r, const char *what)
{
	int64_t	ns = p->wan ? p->g->conf.retry_interval_wan :
		    p->g->conf.retry_interval;

	r->p = p;
	r->what = what;
	r->interval_ms = ns > 0 ? (uint64_t)(ns / NS_PER_MS) : RETRY_MS;
	if (r->addrs.n == 0)
		return;
	r->timer = ev_timer_new(p->g->ev, retry_again, r);
	retry_again(r);
}

/* ---- members of an earlier life ---- */

static void
add_known(const char *name, const char *addr, void *arg)
{
	struct pool	*p = arg;

	if (strcmp(name, p->name) != 0)
		strs_add(&p->rejoin.addrs, addr);
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

static void
rejoin_start(struct pool *p)
{
	snapshot_each(p->snapshot, add_known, p);
	shuffle(&p->rejoin.addrs);
	p->rejoin.one = true;
	p->rejoin.max = REJOIN_TRIES;
	if (p->rejoin.addrs.n == 0)
		settled(p);
	retry_begin(p, &p->rejoin, p->wan ? "rejoin (WAN)" : "rejoin");
}

/* ---- start_join ---- */

static void
start_join_done(struct pool *p, unsigned joined, const char *text, void *arg)
{
	const char	*what = p->wan ? "start_join_wan" : "start_join";
	char		*errors, *line;

	(void)arg;
	if (refuse_clash(p, joined))
		return;
	if (joined > 0)
		log_info("%s: reached %u", what, joined);
	else {
		errors = join_errors(str_or(text, ""));
		(void)xasprintf(&line, "%s: reached nobody: %s", what, errors);
		free(errors);
		if (child_setup(p->g->child)->restarts > 0)
			log_warnx("%s", line);
		else {
			errors = line;
			(void)xasprintf(&line, "%s (-retry-join%s would go on "
			    "trying)", errors, p->wan ? "-wan" : "");
			free(errors);
			refuse(p, line);
			free(line);
			return;
		}
		free(line);
	}
	if (--p->g->start_joins == 0)
		ipc_send(child_parent(p->g->child), IMSG_JOINED, 0, NULL, 0,
		    -1);
}

static void
pool_joins(struct pool *p)
{
	const struct conf_gossip	*c = &p->g->conf;
	const struct strs		*list;

	rejoin_start(p);
	list = p->wan ? &c->start_join_wan : &c->start_join;
	if (list->n > 0) {
		p->g->start_joins++;
		join_start(p, list, false, start_join_done, NULL);
	}
	strs_copy(&p->retry_join.addrs,
	    p->wan ? &c->retry_join_wan : &c->retry_join);
	p->retry_join.max = (unsigned)(p->wan ? c->retry_max_wan :
	    c->retry_max);
	p->retry_join.fatal = true;
	retry_begin(p, &p->retry_join, p->wan ? "retry_join_wan" :
	    "retry_join");
}

/* ---- the other servers of this datacenter ---- */

static void
flood_done(struct pool *p, unsigned joined, const char *text, void *arg)
{
	char	*errors;

	(void)p;
	(void)arg;
	if (joined > 0)
		return;
	errors = join_errors(str_or(text, ""));
	log_debug("WAN: a server of the LAN pool was not reached: %s", errors);
	free(errors);
}

/* Where a member of the LAN pool is in the WAN pool; false: nowhere. */
static bool
flood_address(const struct serf_member *m, struct sockaddr_storage *ss)
{
	int	port;

	if (m->status != MEMBER_ALIVE ||
	    !consul_valid_server(ident_meta(m->id)) ||
	    !tag_number(ident_meta(m->id), "wan_join_port", &port) ||
	    port < 1 || port > UINT16_MAX ||
	    gaddr_to_sockaddr(&m->id->addr, ss) == -1)
		return false;
	addr_set_port(ss, (uint16_t)port);
	return true;
}

static bool
in_wan(struct gossipd *g, struct pool *wan, const struct serf_member *m)
{
	const struct serf_member	*w;
	char				*name;

	(void)xasprintf(&name, "%s.%s", ident_name(m->id),
	    g->agent.datacenter);
	w = serf_member_find(wan->serf, span_str(name));
	free(name);
	return w != NULL && w->status == MEMBER_ALIVE;
}

void
retry_flood(struct gossipd *g, const struct serf_member *m)
{
	struct pool		*wan = pool_of(g, true);
	struct sockaddr_storage	 ss;
	struct strs		 list = { 0 };
	char			 addr[ADDR_TEXT_MAX];

	if (wan == NULL || g->leaving || !flood_address(m, &ss) ||
	    m->id->num == swim_self(serf_swim(g->lan.serf))->num ||
	    in_wan(g, wan, m))
		return;
	strs_add(&list, addr_text(&ss, addr, sizeof(addr)));
	join_start(wan, &list, false, flood_done, NULL);
	strs_clear(&list);
}

static void
on_flood_timer(void *arg)
{
	struct gossipd			*g = arg;
	const struct serf_member	*m;
	uint32_t			 i = 0;

	while ((m = serf_member_next(g->lan.serf, &i)) != NULL)
		retry_flood(g, m);
	ev_timer_set(g->flood_timer, FLOOD_MS);
}

/* ---- life ---- */

void
retry_start(struct gossipd *g)
{
	struct pool	*wan = pool_of(g, true);

	g->ready_timer = ev_timer_new(g->ev, on_ready_timer, g);
	ev_timer_set(g->ready_timer, READY_MS);
	if (wan != NULL) {
		g->flood_timer = ev_timer_new(g->ev, on_flood_timer, g);
		ev_timer_set(g->flood_timer, FLOOD_MS);
	}
	pool_joins(&g->lan);
	if (wan != NULL)
		pool_joins(wan);
}

static void
retry_clear(struct retry *r)
{
	ev_timer_free(r->timer);
	strs_clear(&r->addrs);
}

void
retry_stop(struct gossipd *g)
{
	ev_timer_free(g->ready_timer);
	ev_timer_free(g->flood_timer);
	retry_clear(&g->lan.rejoin);
	retry_clear(&g->lan.retry_join);
	retry_clear(&g->wan.rejoin);
	retry_clear(&g->wan.retry_join);
}
