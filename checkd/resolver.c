/*
 * RESOLVE and RESOLVED.  There is no time limit here: who asks has one.
 */
#include <bsd/sys/queue.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/schema/msg.h"
#include "common/util.h"
#include "checkd/resolver.h"

struct lookup {
	TAILQ_ENTRY(lookup)	 entry;
	struct resolver		*r;
	uint32_t		 id;
	lookup_fn		*fn;
	void			*arg;
};
TAILQ_HEAD(lookups, lookup);

struct resolver {
	const struct hosts	*hosts;
	struct ipc		*link;
	struct lookups		 lookups;
	uint32_t		 next_id;
};

struct resolver *
resolver_new(const struct hosts *hosts)
{
	struct resolver	*r = xcalloc(1, sizeof(*r));

	r->hosts = hosts;
	TAILQ_INIT(&r->lookups);
	return r;
}

void
resolver_cancel(struct lookup *l)
{
	TAILQ_REMOVE(&l->r->lookups, l, entry);
	free(l);
}

void
resolver_free(struct resolver *r)
{
	if (r == NULL)
		return;
	while (!TAILQ_EMPTY(&r->lookups))
		resolver_cancel(TAILQ_FIRST(&r->lookups));
	free(r);
}

static void
lookup_end(struct lookup *l, const struct sockaddr_storage *addrs, size_t n,
    const char *error)
{
	lookup_fn	*fn = l->fn;
	void		*arg = l->arg;

	resolver_cancel(l);
	fn(addrs, n, error, arg);
}

void
resolver_link(struct resolver *r, struct ipc *link)
{
	r->link = link;
	while (link == NULL && !TAILQ_EMPTY(&r->lookups))
		lookup_end(TAILQ_FIRST(&r->lookups), NULL, 0,
		    "dnsd is being restarted");
}

/* The loopback pair goes as RFC 6724 sorts it. */
static void
sort_loopback(struct sockaddr_storage *a, size_t n)
{
	struct sockaddr_storage	 six;
	size_t			 i;
	char			 text[ADDR_TEXT_MAX];

	for (i = 1; i < n; i++)
		if (strcmp(addr_ip(&a[i], text, sizeof(text)), "::1") == 0 &&
		    a[0].ss_family == AF_INET) {
			six = a[i];
			memmove(a + 1, a, i * sizeof(*a));
			a[0] = six;
		}
}

size_t
resolver_now(const struct resolver *r, const char *host,
    struct sockaddr_storage *out, size_t max)
{
	size_t	 n = hosts_lookup(r->hosts, host, out, max);

	sort_loopback(out, n);
	return n;
}

struct lookup *
resolver_ask(struct resolver *r, const char *host, lookup_fn *fn, void *arg)
{
	struct lookup	*l;

	if (r->link == NULL)
		return NULL;
	l = xcalloc(1, sizeof(*l));
	l->r = r;
	l->id = ++r->next_id;
	l->fn = fn;
	l->arg = arg;
	TAILQ_INSERT_TAIL(&r->lookups, l, entry);
	ipc_send(r->link, IMSG_RESOLVE, l->id, host, strlen(host), -1);
	return l;
}

void
resolver_answer(struct resolver *r, const struct imsg *m)
{
	struct sockaddr_storage	 addrs[RESOLVER_ADDRS_MAX];
	struct msg_resolved	 res;
	struct lookup		*l;
	const char		*err;
	size_t			 i, n = 0;

	if (schema_decode_all(&msg_resolved_schema, m->body, m->len, &res,
	    &err) == -1)
		fatalx("RESOLVED from dnsd: %s", err);
	TAILQ_FOREACH(l, &r->lookups, entry)
		if (l->id == m->id)
			break;
	for (i = 0; i < res.addrs.n && n < NELEM(addrs); i++)
		if (addr_parse(res.addrs.item[i], 0, &addrs[n]) == 0)
			n++;
	if (l != NULL)
		lookup_end(l, addrs, n, str_or(res.error, "no such host"));
	schema_clear(&msg_resolved_schema, &res);
}
