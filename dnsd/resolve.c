/*
 * Names outside the catalog: see resolve.h.
 *
 * RESOLVE: a literal or a name of /etc/hosts is answered at once; else A and
 * AAAA are asked for together, for the name and, if it has no dot, before that
 * with each search domain.  What is there after RESOLVE_MS is the answer.
 *
 * libunbound takes up to 17 s to give a dead server up and cannot be told to
 * stop in this mode: whoever waited gets an answer by our own timer, and the
 * late callback finds nobody.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>
#include <unbound-event.h>

#include "common/hosts.h"
#include "common/log.h"
#include "common/util.h"
#include "dnsd/resolve.h"
#include "dnsd/ub_loop.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_MAX 65536
#define SEARCH_MAX 6		/* as resolv.conf(5) allows */

struct resolver {
	struct ev		*ev;
	struct hosts		*hosts;
	struct strs		 servers;	/* of resolv.conf */
	struct strs		 search;
	struct strs		 recursors;	/* of our configuration */
	struct strs		 anchors;
	bool			 recursion, dnssec;
	uint64_t		 timeout_ms;	/* of a forwarded question */
	const struct answer_conf *conf;
	struct ub_ctx		*ctx[2];	/* NULL until it is needed */
	struct ub_event_base	*base;
	TAILQ_HEAD(, job)	 jobs;
	size_t			 nlookups, nforwards;
	bool			 closing;	/* the context is going */
	uint8_t			 out[DNS_TCP_MAX];
};

/* One question of a job. */
struct ask {
	struct job	*job;
	int		 type;
};

/* A lookup for a daemon or a question of a client, until libunbound has
 * called back for all it was asked. */
struct job {
	TAILQ_ENTRY(job)	 entry;
	struct resolver		*r;
	struct ev_timer		*timer;
	struct ask		 ask[2];
	unsigned		 open;		/* questions under way */
	bool			 done;		/* whoever waited was told */
	bool			 forward;
	union {
		resolve_fn	*resolved;
		forward_fn	*forwarded;
	} fn;
	void			*arg;
	/* lookup */
	char			*name;
	size_t			 tried;		/* search domains so far */
	struct strs		 addrs[2];	/* A, AAAA */
	bool			 failed;
	/* forward */
	struct origin		 origin;
	size_t			 qlen;
	uint8_t			*query;
	bool			 asking;	/* the callback is too early */
	enum dns_rcode		 rcode;
	bool			 proved;
	bool			 checking_off;	/* CD */
	size_t			 packet_len;
	uint8_t			*packet;	/* what it said */
};

static void lookup_next(struct job *);

/* ---- the context ---- */

/* Which context: the second one asks the name servers of the world. */
enum { FORWARDING, RECURSING };

/* The root's key-signing keys of 2017 and 2024. */
static const char *const root_anchors[] = {
	". IN DS 20326 8 2 "
	    "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
	". IN DS 38696 8 2 "
	    "683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
};

static const struct { const char *name, *value; } options[] = {
	{ "msg-cache-size:",		"4m" },
	{ "rrset-cache-size:",		"8m" },
	{ "key-cache-size:",		"1m" },
	{ "neg-cache-size:",		"1m" },
	{ "infra-cache-numhosts:",	"10000" },
	{ "msg-cache-slabs:",		"1" },
	{ "rrset-cache-slabs:",		"1" },
	{ "key-cache-slabs:",		"1" },
	{ "infra-cache-slabs:",		"1" },
	{ "do-not-query-localhost:",	"no" },
	{ "unblock-lan-zones:",		"yes" },
	{ "insecure-lan-zones:",	"yes" },
	{ "outgoing-range:",		"256" },
	{ "num-queries-per-thread:",	"128" },
	{ "use-syslog:",		"no" },
};

/* "1.2.3.4:5353" as libunbound has it: "1.2.3.4@5353". */
static int
set_forwarder(struct ub_ctx *ctx, const char *text)
{
	struct sockaddr_storage	 ss;
	char			 ip[ADDR_TEXT_MAX], at[ADDR_TEXT_MAX + 8];

	if (addr_parse(text, 53, &ss) == -1) {
		log_warnx("dns: server %s: not an address", text);
		return -1;
	}
	snprintf(at, sizeof(at), "%s@%u", addr_ip(&ss, ip, sizeof(ip)),
	    addr_port(&ss));
	return ub_ctx_set_fwd(ctx, at) == 0 ? 0 : -1;
}

static void
set_option(struct ub_ctx *ctx, const char *name, const char *value)
{
	if (ub_ctx_set_option(ctx, name, value) != 0)
		log_warnx("dns: libunbound: option %s %s: refused", name,
		    value);
}

static void
set_validation(struct resolver *r, struct ub_ctx *ctx)
{
	size_t	i;

	set_option(ctx, "module-config:", r->dnssec ? "validator iterator" :
	    "iterator");
	if (!r->dnssec)
		return;
	for (i = 0; i < r->anchors.n; i++)
		if (ub_ctx_add_ta(ctx, r->anchors.item[i]) != 0)
			log_warnx("dns: trust_anchors: %s: refused",
			    r->anchors.item[i]);
	for (i = 0; r->anchors.n == 0 && i < NELEM(root_anchors); i++)
		(void)ub_ctx_add_ta(ctx, root_anchors[i]);
}

static struct ub_ctx *
context(struct resolver *r, bool forward)
{
	const struct strs	*s = r->recursors.n > 0 ? &r->recursors :
				    &r->servers;
	int			 which = forward && r->recursors.n == 0 ?
				    RECURSING : FORWARDING;
	struct ub_ctx		*ctx = r->ctx[which];
	size_t			 i;

	if (ctx != NULL)
		return ctx;
	if (r->base == NULL)
		r->base = ub_loop_new(r->ev);
	if ((ctx = ub_ctx_create_ub_event(r->base)) == NULL) {
		log_warnx("dns: libunbound: no context");
		return NULL;
	}
	for (i = 0; i < NELEM(options); i++)
		set_option(ctx, options[i].name, options[i].value);
	set_validation(r, ctx);
	for (i = 0; which == FORWARDING && i < s->n; i++)
		(void)set_forwarder(ctx, s->item[i]);
	return r->ctx[which] = ctx;
}

/* ---- jobs ---- */

static struct job *
job_new(struct resolver *r, bool forward, ev_timer_fn *late, uint64_t ms)
{
	struct job	*j = xcalloc(1, sizeof(*j));

	j->r = r;
	j->forward = forward;
	if (forward)
		r->nforwards++;
	else
		r->nlookups++;
	TAILQ_INSERT_TAIL(&r->jobs, j, entry);
	j->timer = ev_timer_new(r->ev, late, j);
	ev_timer_set(j->timer, ms);
	return j;
}

static void
job_free(struct job *j)
{
	TAILQ_REMOVE(&j->r->jobs, j, entry);
	if (j->forward)
		j->r->nforwards--;
	else
		j->r->nlookups--;
	ev_timer_free(j->timer);
	strs_clear(&j->addrs[0]);
	strs_clear(&j->addrs[1]);
	free(j->name);
	free(j->query);
	free(j->packet);
	free(j);
}

/* Freed once it was answered and nothing is under way. */
static void
job_release(struct job *j)
{
	if (j->done && j->open == 0)
		job_free(j);
}

/* 0, or -1: not even asked. */
static int
job_ask(struct job *j, struct ask *a, const char *name, int type, int class,
    ub_event_callback_type fn)
{
	struct ub_ctx	*ctx;
	int		 rc, id;

	if (j->r->closing || (ctx = context(j->r, j->forward)) == NULL)
		return -1;
	a->job = j;
	a->type = type;
	j->open++;	/* the callback may come from within */
	rc = ub_resolve_event(ctx, name, type, class, a, fn, &id);
	if (rc != 0) {
		log_warnx("dns: %s: %s", name, ub_strerror(rc));
		j->open--;
		return -1;
	}
	return 0;
}

/* ---- lookups for the other daemons ---- */

static void
lookup_done(struct job *j, const char *error)
{
	struct msg_resolved	m = { 0 };
	size_t			f, i;

	if (j->done)
		return;
	j->done = true;
	ev_timer_stop(j->timer);
	for (f = 0; f < 2; f++)
		for (i = 0; i < j->addrs[f].n; i++)
			strs_add(&m.addrs, j->addrs[f].item[i]);
	if (m.addrs.n == 0)
		str_set(&m.error, error);
	j->fn.resolved(&m, j->arg);
	schema_clear(&msg_resolved_schema, &m);
}

static void
lookup_late(void *arg)
{
	struct job	*j = arg;

	lookup_done(j, "timed out");
	job_release(j);
}

static void
collect(struct job *j, int type, const uint8_t *p, size_t n)
{
	struct sockaddr_storage	 ss;
	struct dns_walk		 w;
	struct dns_rr		 rr;
	struct strs		*to = &j->addrs[type == DNS_T_AAAA];
	char			 text[ADDR_TEXT_MAX];

	if (dns_walk_start(&w, p, n) == -1)
		return;
	while (dns_walk_next(&w, &rr) && to->n < RESOLVE_ADDRS_MAX / 2)
		if (rr.section == 0 && rr.type == type &&
		    rr.len == (type == DNS_T_A ? 4 : 16) &&
		    addr_from_bytes(rr.data, rr.len, 0, &ss) == 0)
			strs_add(to, addr_ip(&ss, text, sizeof(text)));
}

static void
on_looked_up(void *arg, int rcode, void *packet, int len, int sec, char *why,
    int ratelimited)
{
	struct ask	*a = arg;
	struct job	*j = a->job;

	(void)sec;
	(void)why;
	(void)ratelimited;
	j->open--;
	if (!j->done && rcode == 0 && packet != NULL && len > 0)
		collect(j, a->type, packet, (size_t)len);
	else if (rcode != DNS_NXDOMAIN && rcode != 0)
		j->failed = true;
	if (j->open == 0 && !j->done)
		lookup_next(j);
	job_release(j);
}

/* The next spelling to try, or the end of it. */
static void
lookup_next(struct job *j)
{
	const struct strs	*s = &j->r->search;
	size_t			 nsearch, k = j->tried++;
	char			*name;
	bool			 dotted = strchr(j->name, '.') != NULL;

	nsearch = dotted ? 0 : s->n > SEARCH_MAX ? SEARCH_MAX : s->n;
	if (j->addrs[0].n + j->addrs[1].n > 0 || k > nsearch) {
		lookup_done(j, j->failed ? "no answer from the name servers" :
		    "no such host");
		return;
	}
	if (k < nsearch)
		xasprintf(&name, "%s.%s", j->name, s->item[k]);
	else
		name = xstrdup(j->name);
	j->open++;		/* keeps it here until both are asked */
	if (job_ask(j, &j->ask[0], name, DNS_T_A, DNS_C_IN,
	    on_looked_up) == -1 ||
	    job_ask(j, &j->ask[1], name, DNS_T_AAAA, DNS_C_IN,
	    on_looked_up) == -1)
		j->failed = true;
	free(name);
	if (--j->open == 0 && !j->done)
		lookup_next(j);
}

static void
answer_now(struct strs *addrs, const char *error, resolve_fn *fn, void *arg)
{
	struct msg_resolved	m = { 0 };

	if (addrs != NULL)
		strs_copy(&m.addrs, addrs);
	str_set(&m.error, error);
	fn(&m, arg);
	schema_clear(&msg_resolved_schema, &m);
}

void
resolve_name(struct resolver *r, const char *name, resolve_fn *fn, void *arg)
{
	struct sockaddr_storage	 ss[RESOLVE_ADDRS_MAX];
	struct strs		 known = { 0 };
	uint8_t			 wire[DNS_NAME_MAX];
	char			 text[ADDR_TEXT_MAX];
	struct job		*j;
	size_t			 i, n;

	n = hosts_lookup(r->hosts, name, ss, NELEM(ss));
	for (i = 0; i < n; i++)
		strs_add(&known, addr_ip(&ss[i], text, sizeof(text)));
	if (n > 0)
		answer_now(&known, NULL, fn, arg);
	else if (dns_name_from_text(name, wire) < 2)
		answer_now(NULL, "not a host name", fn, arg);
	else if (r->nlookups >= RESOLVE_MAX)
		answer_now(NULL, "too many lookups at once", fn, arg);
	else {
		j = job_new(r, false, lookup_late, RESOLVE_MS);
		j->fn.resolved = fn;
		j->arg = arg;
		j->name = xstrdup(name);
		lookup_next(j);
		job_release(j);
	}
	strs_clear(&known);
}

/* ---- clients' questions ---- */

/* p NULL: an answer that only says rcode. */
static void
forward_done(struct job *j, const uint8_t *p, size_t len, enum dns_rcode rcode)
{
	struct resolver	*r = j->r;
	size_t		 n = 0;

	if (j->done)
		return;
	j->done = true;
	ev_timer_stop(j->timer);
	if (p != NULL)
		n = forward_answer(j->query, j->qlen, j->origin.udp,
		    j->proved, p, len, r->out);
	if (n == 0)
		n = answer_error(r->conf, j->query, j->qlen, rcode, r->out);
	j->fn.forwarded(&j->origin, r->out, n, j->arg);
}

/* Too late; or what was kept because it came too early. */
static void
forward_late(void *arg)
{
	struct job	*j = arg;

	forward_done(j, j->packet, j->packet_len, j->rcode);
	job_release(j);
}

/* As libunbound says what validation found. */
enum { SEC_UNKNOWN, SEC_FORGED, SEC_PROVED };

static void
on_forwarded(void *arg, int rcode, void *packet, int len, int sec, char *why,
    int ratelimited)
{
	struct job	*j = ((struct ask *)arg)->job;
	bool		 some = packet != NULL && len > 0;

	(void)why;
	(void)ratelimited;
	j->open--;
	j->proved = sec == SEC_PROVED;
	if (sec == SEC_FORGED && !j->checking_off)
		some = false;		/* SERVFAIL */
	j->rcode = !some && sec != SEC_FORGED && rcode > 0 && rcode <= DNS_REFUSED ?
	    (enum dns_rcode)rcode : DNS_SERVFAIL;
	if (!j->asking) {
		forward_done(j, some ? packet : NULL, some ? (size_t)len : 0,
		    j->rcode);
		job_release(j);
		return;
	}
	/* out of libunbound's cache: told in the next turn of the loop */
	if (some) {
		j->packet = xmalloc((size_t)len);
		memcpy(j->packet, packet, (size_t)len);
		j->packet_len = (size_t)len;
	}
	ev_timer_set(j->timer, 0);
}

/* Wire form to text; libunbound wants no more than dots and backslashes. */
static void
name_text(const uint8_t *w, char out[4 * DNS_NAME_MAX + 1])
{
	size_t	n = 0, i;

	if (*w == 0)
		out[n++] = '.';
	for (; *w != 0; w += *w + 1u) {
		for (i = 1; i <= *w; i++)
			if (w[i] <= ' ' || w[i] >= 0x7f || w[i] == '.' ||
			    w[i] == '\\' || w[i] == '"' || w[i] == '(' ||
			    w[i] == ')' || w[i] == ';' || w[i] == '@' ||
			    w[i] == '$')
				n += (size_t)snprintf(out + n, 5, "\\%03u",
				    w[i]);
			else
				out[n++] = (char)w[i];
		out[n++] = '.';
	}
	out[n] = '\0';
}

int
resolve_forward(struct resolver *r, const struct origin *o, const uint8_t *p,
    size_t len, forward_fn *fn, void *arg)
{
	struct dns_query q;
	struct job	*j;
	char		 name[4 * DNS_NAME_MAX + 1];

	if (r->nforwards >= FORWARD_MAX ||
	    dns_query_parse(&q, p, len) != DNS_PARSED)
		return -1;
	j = job_new(r, true, forward_late, r->timeout_ms);
	j->fn.forwarded = fn;
	j->arg = arg;
	j->origin = *o;
	j->query = xmalloc(len);
	memcpy(j->query, p, len);
	j->qlen = len;
	j->rcode = DNS_SERVFAIL;
	j->checking_off = q.flags & DNS_CD;
	name_text(q.qname, name);
	j->asking = true;
	if (job_ask(j, &j->ask[0], name, q.qtype, q.qclass,
	    on_forwarded) == -1) {
		job_free(j);
		return -1;
	}
	j->asking = false;
	return 0;
}

/* ---- life ---- */

/* Whoever still waits is told so; libunbound forgets its callbacks. */
static void
context_drop(struct resolver *r)
{
	struct job	*j, *next;
	size_t		 i;

	r->closing = true;
	for (i = 0; i < NELEM(r->ctx); i++) {
		if (r->ctx[i] != NULL)
			ub_ctx_delete(r->ctx[i]);
		r->ctx[i] = NULL;
	}
	for (j = TAILQ_FIRST(&r->jobs); j != NULL; j = next) {
		next = TAILQ_NEXT(j, entry);
		j->open = 0;
		if (j->forward)
			forward_done(j, NULL, 0, DNS_SERVFAIL);
		else
			lookup_done(j, "the name servers changed");
		job_release(j);
	}
	r->closing = false;
}

void
resolver_load(struct resolver *r)
{
	char	*text;

	hosts_free(r->hosts);
	r->hosts = hosts_load(NULL);
	text = file_read(RESOLV_CONF, RESOLV_CONF_MAX, NULL);
	if (text == NULL) {
		log_warn("dns: %s", RESOLV_CONF);
		return;
	}
	resolv_conf_parse(text, &r->servers, &r->search);
	free(text);
}

void
resolver_conf(struct resolver *r, const struct answer_conf *c,
    const struct conf_dns *d)
{
	r->conf = c;
	r->timeout_ms = d->recursor_timeout < NS_PER_MS ? FORWARD_MS :
	    (uint64_t)(d->recursor_timeout / NS_PER_MS);
	if (strs_equal(&r->recursors, &d->recursors) &&
	    strs_equal(&r->anchors, &d->trust_anchors) &&
	    r->recursion == d->recursion && r->dnssec == d->dnssec)
		return;
	strs_clear(&r->recursors);
	strs_copy(&r->recursors, &d->recursors);
	strs_clear(&r->anchors);
	strs_copy(&r->anchors, &d->trust_anchors);
	r->recursion = d->recursion;
	r->dnssec = d->dnssec;
	context_drop(r);
}

struct resolver *
resolver_new(struct ev *ev)
{
	struct resolver	*r = xcalloc(1, sizeof(*r));

	r->ev = ev;
	r->timeout_ms = FORWARD_MS;
	TAILQ_INIT(&r->jobs);
	return r;
}

void
resolver_free(struct resolver *r)
{
	if (r == NULL)
		return;
	context_drop(r);
	ub_loop_free(r->base);
	hosts_free(r->hosts);
	strs_clear(&r->servers);
	strs_clear(&r->search);
	strs_clear(&r->recursors);
	strs_clear(&r->anchors);
	free(r);
}
