/*
 * The list of servers: members in, an order out.
 */
#include <bsd/sys/queue.h>
#include <stdlib.h>
#include <string.h>

#include "common/schema/schema.h"
#include "rpcd/servers.h"

#define REBALANCE_MS		120000
#define REBALANCE_JITTER_MS	60000
/* New connections a second that a whole cluster makes to one server. */
#define REBALANCE_PER_SERVER	64

struct entry {
	TAILQ_ENTRY(entry)	 entry;
	struct server_id	 id;
	bool			 seen;
};
TAILQ_HEAD(entries, entry);

/* Another datacenter.  It is known as long as a server of it is a member. */
struct remote {
	TAILQ_ENTRY(remote)	 entry;
	char			*dc;
	struct entries		 alive, failed;
	uint64_t		 shuffle_ms;	/* when next; 0: now */
};

struct servers {
	char		*dc;
	struct entries	 list;
	size_t		 n;
	TAILQ_HEAD(, remote) remotes;
	bool		 listing;
	uint64_t	*alive;		/* hashes of names, sorted */
	size_t		 nalive;
};

struct servers *
servers_new(const char *datacenter)
{
	struct servers	*s = xcalloc(1, sizeof(*s));

	TAILQ_INIT(&s->list);
	TAILQ_INIT(&s->remotes);
	s->dc = xstrdup(datacenter);
	return s;
}

static void
entry_free(struct entries *list, struct entry *e)
{
	TAILQ_REMOVE(list, e, entry);
	free(e->id.name);
	free(e->id.dc);
	free(e);
}

static void
entry_drop(struct servers *s, struct entry *e)
{
	entry_free(&s->list, e);
	s->n--;
}

static void
remote_free(struct servers *s, struct remote *r)
{
	while (!TAILQ_EMPTY(&r->alive))
		entry_free(&r->alive, TAILQ_FIRST(&r->alive));
	while (!TAILQ_EMPTY(&r->failed))
		entry_free(&r->failed, TAILQ_FIRST(&r->failed));
	TAILQ_REMOVE(&s->remotes, r, entry);
	free(r->dc);
	free(r);
}

void
servers_free(struct servers *s)
{
	if (s == NULL)
		return;
	while (!TAILQ_EMPTY(&s->list))
		entry_drop(s, TAILQ_FIRST(&s->list));
	while (!TAILQ_EMPTY(&s->remotes))
		remote_free(s, TAILQ_FIRST(&s->remotes));
	free(s->alive);
	free(s->dc);
	free(s);
}

/* ---- the number of nodes ---- */

static size_t
alive_slot(const struct servers *s, uint64_t h)
{
	size_t	 lo = 0, hi = s->nalive, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (s->alive[mid] < h)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
alive_set(struct servers *s, const char *name, bool is)
{
	uint64_t	 h = hash_bytes(name, strlen(name), 0);
	size_t		 at = alive_slot(s, h);
	bool		 was = at < s->nalive && s->alive[at] == h;

	if (is == was)
		return;
	if (is) {
		s->alive = xreallocarray(s->alive, s->nalive + 1,
		    sizeof(*s->alive));
		memmove(s->alive + at + 1, s->alive + at,
		    (s->nalive - at) * sizeof(*s->alive));
		s->alive[at] = h;
		s->nalive++;
	} else {
		memmove(s->alive + at, s->alive + at + 1,
		    (s->nalive - at - 1) * sizeof(*s->alive));
		s->nalive--;
	}
}

/* ---- members ---- */

static bool
decimal(const char *s, unsigned long max, unsigned long *out)
{
	unsigned long	 v = 0;

	if (s == NULL || *s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return false;
		v = v * 10 + (unsigned long)(*s - '0');
		if (v > max)
			return false;
	}
	*out = v;
	return true;
}

/* Does the text contain x.y.z? */
static bool
has_version(const char *s)
{
	const char	*p;
	int		 part;

	for (; s != NULL && *s != '\0'; s++) {
		for (p = s, part = 0; part < 3; part++) {
			if (part > 0 && *p++ != '.')
				break;
			if (*p < '0' || *p > '9')
				break;
			while (*p >= '0' && *p <= '9')
				p++;
		}
		if (part == 3)
			return true;
	}
	return false;
}

/* What its tags and address say, alive or not. */
static bool
parse(const struct member *m, const char *dc, struct sockaddr_storage *addr,
    const char **why)
{
	static const char *const	 numbers[] = {
		"raft_vsn", "expect", "vsn_min", "vsn_max", "wan_join_port"
	};
	const char			*v;
	unsigned long			 port, n;
	size_t				 i;

	*why = NULL;
	if ((v = strmap_get(&m->tags, "role")) == NULL ||
	    strcmp(v, "consul") != 0 ||
	    (v = strmap_get(&m->tags, "dc")) == NULL || strcmp(v, dc) != 0)
		return false;
	if (!decimal(strmap_get(&m->tags, "port"), 65535, &port) || port == 0)
		*why = "tag port";
	else if (!decimal(strmap_get(&m->tags, "vsn"), 255, &n))
		*why = "tag vsn";
	else if (!has_version(strmap_get(&m->tags, "build")))
		*why = "tag build";
	else if (addr_parse(str_or(m->addr, ""), (uint16_t)port, addr) == -1)
		*why = "address";
	for (i = 0; i < NELEM(numbers) && *why == NULL; i++) {
		v = strmap_get(&m->tags, numbers[i]);
		if (v != NULL && !decimal(v, 65535, &n))
			*why = numbers[i];
	}
	if (*why != NULL)
		return false;
	addr_set_port(addr, (uint16_t)port);
	return true;
}

bool
servers_parse(const struct member *m, const char *dc,
    struct sockaddr_storage *addr, const char **why)
{
	*why = NULL;
	return !m->wan && m->status == MEMBER_ALIVE &&
	    parse(m, dc, addr, why);
}

static struct entry *
entry_in(const struct entries *list, const char *name)
{
	struct entry	*e;

	TAILQ_FOREACH(e, list, entry)
		if (strcmp(e->id.name, name) == 0)
			return e;
	return NULL;
}

static struct entry *
entry_find(const struct servers *s, const char *name)
{
	return entry_in(&s->list, name);
}

static void
entry_set(struct entry *e, const struct member *m,
    const struct sockaddr_storage *addr)
{
	e->id.addr = *addr;
	/* Consul's say so with a CA alone, and then cannot serve it. */
	e->id.disco = strmap_get(&m->tags, "disco") != NULL;
	e->id.use_tls = strmap_get(&m->tags, "use_tls") != NULL &&
	    e->id.disco;
	e->seen = true;
}

/* ---- other datacenters ---- */

static struct remote *
remote_find(const struct servers *s, const char *dc)
{
	struct remote	*r;

	TAILQ_FOREACH(r, &s->remotes, entry)
		if (strcmp(r->dc, dc) == 0)
			return r;
	return NULL;
}

static struct remote *
remote_get(struct servers *s, const char *dc)
{
	struct remote	*r = remote_find(s, dc);

	if (r != NULL)
		return r;
	r = xcalloc(1, sizeof(*r));
	r->dc = xstrdup(dc);
	TAILQ_INIT(&r->alive);
	TAILQ_INIT(&r->failed);
	TAILQ_INSERT_TAIL(&s->remotes, r, entry);
	return r;
}

/* Those who are not in the list being told, or, with a name, that one. */
static void
remotes_forget(struct servers *s, const char *name)
{
	struct remote	*r, *next;
	struct entries	*list;
	struct entry	*e, *after;
	int		 i;

	TAILQ_FOREACH_SAFE(r, &s->remotes, entry, next) {
		for (i = 0; i < 2; i++) {
			list = i == 0 ? &r->alive : &r->failed;
			TAILQ_FOREACH_SAFE(e, list, entry, after)
				if (name == NULL ? !e->seen :
				    strcmp(e->id.name, name) == 0)
					entry_free(list, e);
		}
		if (TAILQ_EMPTY(&r->alive) && TAILQ_EMPTY(&r->failed))
			remote_free(s, r);
	}
}

static void
remotes_unseen(struct servers *s)
{
	struct remote	*r;
	struct entry	*e;

	TAILQ_FOREACH(r, &s->remotes, entry) {
		TAILQ_FOREACH(e, &r->alive, entry)
			e->seen = false;
		TAILQ_FOREACH(e, &r->failed, entry)
			e->seen = false;
	}
}

/* One that goes on as it was keeps its place in the order. */
static void
remote_member(struct servers *s, const struct member *m)
{
	struct sockaddr_storage	 addr;
	const char		*why, *dc = strmap_get(&m->tags, "dc");
	struct remote		*r = NULL;
	struct entry		*e = NULL;
	bool			 alive = m->status == MEMBER_ALIVE;

	if (dc != NULL && strcmp(dc, s->dc) != 0 && !m->self &&
	    (alive || m->status == MEMBER_FAILED) &&
	    parse(m, dc, &addr, &why)) {
		r = remote_get(s, dc);
		e = entry_in(alive ? &r->alive : &r->failed, m->name);
	}
	if (e == NULL)
		remotes_forget(s, m->name);
	if (r == NULL)
		return;
	if (e == NULL) {
		/* It may have gone with the last one in it. */
		r = remote_get(s, dc);
		e = xcalloc(1, sizeof(*e));
		e->id.name = xstrdup(m->name);
		e->id.dc = xstrdup(dc);
		TAILQ_INSERT_TAIL(alive ? &r->alive : &r->failed, e, entry);
		r->shuffle_ms = 0;
	}
	entry_set(e, m, &addr);
}

static void
entries_shuffle(struct entries *list, struct rng *rng)
{
	struct entries	 out;
	struct entry	*e;
	size_t		 n = 0;
	uint32_t	 i;

	TAILQ_FOREACH(e, list, entry)
		n++;
	TAILQ_INIT(&out);
	for (; n > 0; n--) {
		e = TAILQ_FIRST(list);
		for (i = rng_below(rng, (uint32_t)n); i > 0; i--)
			e = TAILQ_NEXT(e, entry);
		TAILQ_REMOVE(list, e, entry);
		TAILQ_INSERT_TAIL(&out, e, entry);
	}
	TAILQ_CONCAT(list, &out, entry);
}

const struct server_id *
servers_remote(struct servers *s, const char *dc, uint64_t now_ms,
    struct rng *rng, size_t *n, const char **why)
{
	struct remote	*r = remote_find(s, dc);
	struct entry	*e;

	*n = 0;
	if (r == NULL || TAILQ_EMPTY(&r->alive)) {
		*why = r == NULL ? "No path to datacenter" :
		    "Remote DC has no server currently reachable";
		return NULL;
	}
	if (now_ms >= r->shuffle_ms) {
		entries_shuffle(&r->alive, rng);
		r->shuffle_ms = now_ms + REBALANCE_MS +
		    rng_below(rng, REBALANCE_JITTER_MS);
	}
	TAILQ_FOREACH(e, &r->alive, entry)
		(*n)++;
	return &TAILQ_FIRST(&r->alive)->id;
}

/* ---- the list ---- */

void
servers_begin(struct servers *s)
{
	struct entry	*e;

	s->listing = true;
	s->nalive = 0;
	TAILQ_FOREACH(e, &s->list, entry)
		e->seen = false;
	remotes_unseen(s);
}

void
servers_end(struct servers *s)
{
	struct entry	*e, *next;

	if (!s->listing)
		return;
	s->listing = false;
	TAILQ_FOREACH_SAFE(e, &s->list, entry, next)
		if (!e->seen)
			entry_drop(s, e);
	remotes_forget(s, NULL);
}

void
servers_member(struct servers *s, const struct member *m)
{
	struct sockaddr_storage	 addr;
	struct entry		*e;
	const char		*why;

	if (str_empty(m->name))
		return;
	if (m->wan) {
		remote_member(s, m);
		return;
	}
	alive_set(s, m->name, m->status == MEMBER_ALIVE);
	e = entry_find(s, m->name);
	/* Oneself is asked without a network. */
	if (m->self || !servers_parse(m, s->dc, &addr, &why)) {
		if (e != NULL)
			entry_drop(s, e);
		return;
	}
	if (e == NULL) {
		e = xcalloc(1, sizeof(*e));
		e->id.name = xstrdup(m->name);
		TAILQ_INSERT_TAIL(&s->list, e, entry);
		s->n++;
	}
	entry_set(e, m, &addr);
}

/* ---- the order ---- */

size_t
servers_count(const struct servers *s)
{
	return s->n;
}

size_t
servers_nodes(const struct servers *s)
{
	return s->nalive;
}

const struct server_id *
servers_first(const struct servers *s)
{
	struct entry	*e = TAILQ_FIRST(&s->list);

	return e == NULL ? NULL : &e->id;
}

const struct server_id *
servers_find(const struct servers *s, const char *name)
{
	struct entry	*e = entry_find(s, name);

	return e == NULL ? NULL : &e->id;
}

const struct server_id *
servers_at(const struct servers *s, const struct sockaddr_storage *addr)
{
	struct entry	*e;

	TAILQ_FOREACH(e, &s->list, entry)
		if (addr_equal_ip(&e->id.addr, addr) &&
		    addr_port(&e->id.addr) == addr_port(addr))
			return &e->id;
	return NULL;
}

static void
first_to_last(struct entries *list, const char *name)
{
	struct entry	*e = TAILQ_FIRST(list);

	if (e == NULL || strcmp(e->id.name, name) != 0)
		return;
	TAILQ_REMOVE(list, e, entry);
	TAILQ_INSERT_TAIL(list, e, entry);
}

void
servers_failed(struct servers *s, const char *name)
{
	struct remote	*r;

	first_to_last(&s->list, name);
	TAILQ_FOREACH(r, &s->remotes, entry)
		first_to_last(&r->alive, name);
}

void
servers_shuffled(const struct servers *s, struct rng *rng, struct strs *out)
{
	struct entry	*e;
	char		*t;
	size_t		 i, j;

	memset(out, 0, sizeof(*out));
	TAILQ_FOREACH(e, &s->list, entry)
		strs_add(out, e->id.name);
	for (i = out->n; i > 1; i--) {
		j = rng_below(rng, (uint32_t)i);
		t = out->item[i - 1];
		out->item[i - 1] = out->item[j];
		out->item[j] = t;
	}
}

void
servers_adopt(struct servers *s, const struct strs *order)
{
	struct entry	*e;
	size_t		 i;

	if (order->n == 0 || entry_find(s, order->item[0]) == NULL)
		return;
	/* Those that joined since stay behind the ones in the order. */
	for (i = order->n; i > 0; i--) {
		if ((e = entry_find(s, order->item[i - 1])) == NULL)
			continue;
		TAILQ_REMOVE(&s->list, e, entry);
		TAILQ_INSERT_HEAD(&s->list, e, entry);
	}
}

uint64_t
servers_rebalance_ms(const struct servers *s, struct rng *rng)
{
	uint64_t	 ms, spread;

	ms = REBALANCE_MS + rng_below(rng, REBALANCE_JITTER_MS);
	if (s->n == 0)
		return ms;
	spread = s->nalive * 1000 / (REBALANCE_PER_SERVER * s->n);
	return ms > spread ? ms : spread;
}
