/*
 * A query's way: see serve.h.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "dnsd/query_log.h"
#include "dnsd/rrl.h"
#include "dnsd/serve.h"

struct serve {
	struct answerer		 answerer;
	const struct answer_conf *conf;
	struct answer_conf	 closed;	/* for who may not recurse */
	const struct nets	*recurse, *own;
	uint32_t		 rate;		/* 0: no limit */
	struct rrl		*rrl;
	struct query_log	 log;
	struct names		*names;
	struct serve_ops	 ops;
	void			*arg;
	uint64_t		 now;	/* for which the wall clock was read */
	uint8_t			 out[DNS_TCP_MAX];	/* for those woken */
};

static enum found
find(enum view_kind kind, const char *name, size_t len, const struct view **v,
    void *arg)
{
	struct serve	*s = arg;

	return names_find(s->names, kind, name, len, s->ops.now(s->arg), v);
}

/* ---- who asks ---- */

static const uint8_t *
origin_ip(const struct origin *o, size_t *len)
{
	sa_family_t	family;

	memcpy(&family, o->addr, sizeof(family));
	if (family == AF_INET) {
		*len = 4;
		return o->addr + offsetof(struct sockaddr_in, sin_addr);
	}
	*len = 16;
	return o->addr + offsetof(struct sockaddr_in6, sin6_addr);
}

static bool
may_recurse(const struct serve *s, const struct origin *o)
{
	const uint8_t	*ip;
	size_t		 len;

	ip = origin_ip(o, &len);
	if (ip_is_loopback(ip, len))
		return true;
	if (s->recurse != NULL)
		return nets_have(s->recurse, ip, len);
	return nets_have(s->own, ip, len) || (o->local_len == len &&
	    memcmp(o->local, ip, len) == 0);
}

static const struct answer_conf *
conf_for(const struct serve *s, const struct origin *o)
{
	return !s->conf->recursion || may_recurse(s, o) ? s->conf :
	    &s->closed;
}

/* ---- answers ---- */

static void
log_answer(struct serve *s, const struct origin *o, const uint8_t *p,
    size_t n)
{
	struct sockaddr_storage	 ss;
	char			 line[QUERY_LOG_LINE], ip[ADDR_TEXT_MAX];
	const uint8_t		*addr;
	uint64_t		 left_out;
	size_t			 len;

	if (!query_log_due(&s->log, s->ops.now(s->arg), &left_out))
		return;
	if (left_out > 0)
		log_info("query: %llu more were not logged",
		    (unsigned long long)left_out);
	addr = origin_ip(o, &len);
	if (addr_from_bytes(addr, len, 0, &ss) == -1)
		return;
	query_log_line(line, addr_ip(&ss, ip, sizeof(ip)), o->udp, p, n);
	log_info("query: %s", line);
}

/* As much of it as is said when there were too many: header and question. */
static size_t
cut(uint8_t *p, size_t n)
{
	uint8_t	name[DNS_NAME_MAX];
	size_t	end, len;

	end = dns_name_read(p, n, DNS_HEADER, name, &len);
	if (end == 0 || n - end < 4)
		return 0;
	dns_put16(p + 2, dns_get16(p + 2) | DNS_TC);
	memset(p + 6, 0, 6);
	return end + 4;
}

size_t
serve_late(struct serve *s, const struct origin *o, uint8_t *p, size_t n)
{
	const uint8_t	*ip;
	size_t		 len;

	if (n == 0)
		return 0;
	if (s->log.every != 0)
		log_answer(s, o, p, n);
	if (s->rate == 0 || !o->udp)
		return n;
	ip = origin_ip(o, &len);
	if (ip_is_loopback(ip, len))
		return n;
	switch (rrl_check(s->rrl, s->rate, ip, len, p, n,
	    s->ops.now(s->arg))) {
	case RRL_SEND:
		return n;
	case RRL_SLIP_TC:
		return cut(p, n);
	case RRL_DROP:
		return 0;
	}
	return 0;
}

static size_t
handle(struct serve *s, const struct origin *o, const uint8_t *q, size_t len,
    uint64_t deadline, uint8_t *out, bool *later)
{
	uint64_t	now = s->ops.now(s->arg);
	size_t		n = 0;

	*later = false;
	if (now != s->now) {
		s->now = now;
		s->answerer.now = s->ops.wall(s->arg);
		s->answerer.serial = s->ops.serial(s->arg);
	}
	s->answerer.conf = conf_for(s, o);
	switch (answer(&s->answerer, q, len, o->udp, out, &n)) {
	case ANSWER_SEND:
		return n;
	case ANSWER_DROP:
		return 0;
	case ANSWER_WAIT:
		if (names_park(s->names, o, q, len, now, deadline) == -1)
			break;
		*later = true;
		return 0;
	case ANSWER_RECURSE:
		if (s->ops.recurse(o, q, len, s->arg) == -1)
			break;
		*later = true;
		return 0;
	}
	return answer_error(s->answerer.conf, q, len, DNS_SERVFAIL, out);
}

size_t
serve_query(struct serve *s, const struct origin *o, const uint8_t *q,
    size_t len, uint8_t *out, bool *later)
{
	return serve_late(s, o, out, handle(s, o, q, len, 0, out, later));
}

static void
on_wake(const struct parked *p, bool failed, void *arg)
{
	struct serve	*s = arg;
	bool		 later = false;
	size_t		 n;

	if (failed)
		n = answer_error(conf_for(s, &p->origin), p->query, p->len,
		    DNS_SERVFAIL, s->out);
	else
		n = handle(s, &p->origin, p->query, p->len, p->deadline,
		    s->out, &later);
	if (!later)
		s->ops.reply(&p->origin, s->out,
		    serve_late(s, &p->origin, s->out, n), s->arg);
}

static void
on_watch(enum view_kind kind, const char *name, void *arg)
{
	struct serve	*s = arg;

	s->ops.names.watch(kind, name, s->arg);
}

static void
on_unwatch(enum view_kind kind, const char *name, void *arg)
{
	struct serve	*s = arg;

	s->ops.names.unwatch(kind, name, s->arg);
}

static const struct names_ops names_ops = {
	.watch = on_watch,
	.unwatch = on_unwatch,
	.wake = on_wake,
};

struct names *
serve_names(struct serve *s)
{
	return s->names;
}

void
serve_conf(struct serve *s, const struct answer_conf *c,
    const struct nets *recurse, const struct nets *own, uint32_t rate)
{
	s->answerer.conf = s->conf = c;
	s->closed = *c;		/* what it points to is the caller's, too */
	s->closed.recursion = false;
	s->recurse = recurse;
	s->own = own;
	s->rate = rate;
	if (rate > 0 && s->rrl == NULL)
		s->rrl = rrl_new(rng_next(&s->answerer.rng));
}

void
serve_log(struct serve *s, uint32_t every)
{
	s->log = (struct query_log){ .every = every };
}

struct serve *
serve_new(const struct serve_ops *ops, void *arg, uint64_t seed)
{
	struct serve	*s = xcalloc(1, sizeof(*s));

	s->ops = *ops;
	s->arg = arg;
	answerer_init(&s->answerer, NULL, find, s);
	rng_seed(&s->answerer.rng, seed);
	s->names = names_new(&names_ops, s, rng_next(&s->answerer.rng));
	return s;
}

void
serve_free(struct serve *s)
{
	if (s == NULL)
		return;
	names_free(s->names);
	answerer_clear(&s->answerer);
	rrl_free(s->rrl);
	free(s);
}
