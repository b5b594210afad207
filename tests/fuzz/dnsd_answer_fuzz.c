/*
 * A query's whole way to its answer, over views made of the same input.
 *
 * Input: u8 options, u8 length of a view_entry's msgpack, that, the query.
 * What comes out must be a message that can be walked to its end.
 */
#include <stdlib.h>
#include <string.h>

#include "dnsd/answer.h"
#include "dnsd/outside.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define VIEWS 5			/* as many as kinds */

struct world {
	struct answer_conf	 conf;
	struct view		*view[VIEWS];
	uint8_t			 options;
};

enum { O_TCP = 1, O_PLAIN = 2, O_TRUNCATE = 4, O_LIMIT = 8, O_NONE = 16,
	O_PASSING = 32, O_RECURSE = 64, O_MANY = 128 };

static enum found
find(enum view_kind kind, const char *name, size_t len, const struct view **v,
    void *arg)
{
	struct world	*w = arg;

	if (strlen(name) != len || len == 0)
		abort();
	if (w->options & O_NONE)
		return name[0] & 1 ? FOUND_NONE : FOUND_WAIT;
	*v = w->view[kind - VIEW_SERVICE];
	return FOUND_VIEW;
}

static void
configure(struct world *w)
{
	struct conf_agent	a = { .domain = xstrdup("consul"),
				    .alt_domain = xstrdup("alt.example"),
				    .datacenter = xstrdup("dc1") };
	struct conf_dns		d = { .udp_answer_limit = 3,
				    .node_meta_txt = true };

	d.disable_compression = w->options & O_PLAIN;
	d.enable_truncate = w->options & O_TRUNCATE;
	d.a_record_limit = w->options & O_LIMIT ? 2 : 0;
	d.only_passing = w->options & O_PASSING;
	if (w->options & O_RECURSE)
		strs_add(&d.recursors, "10.0.0.53");
	if (answer_conf_set(&w->conf, &a, &d) == -1)
		abort();
	schema_clear(&conf_agent_schema, &a);
	schema_clear(&conf_dns_schema, &d);
}

/* What a recursor said: a.example is b.example, which has an address. */
static const uint8_t outside[] = "\0\0\x81\x80\0\1\0\2\0\0\0\0"
    "\1a\7example\0\0\1\0\1"
    "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1b\xc0\x0e"
    "\xc0\x27\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1";

/* Four kinds of the same entry; of many instances, each with its port and
 * weight.  A prepared query's are in order or not. */
static void
make_views(struct world *w, const uint8_t *p, size_t n)
{
	struct msg_view	m;
	size_t		i, k, count = w->options & O_MANY ? 40 : 2;
	const char	*why;

	w->view[VIEW_OUTSIDE - VIEW_SERVICE] = outside_view(outside,
	    sizeof(outside) - 1, 0, 0);
	if (w->view[VIEW_OUTSIDE - VIEW_SERVICE] == NULL)
		abort();
	for (k = 0; k < VIEWS - 1; k++) {
		memset(&m, 0, sizeof(m));
		m.kind = VIEW_SERVICE + k;
		m.ordered = k + VIEW_SERVICE == VIEW_QUERY &&
		    (w->options & O_LIMIT);
		for (i = 0; i < count; i++) {
			struct view_entry *e = VEC_ADD(&m.entries);

			if (schema_decode_all(&view_entry_schema, p, n, e,
			    &why) == -1)
				str_set(&e->address, i & 1 ? "10.0.0.1" :
				    "web.service.consul");
			e->port += (int64_t)i;
			e->weight += (int64_t)(w->options & O_PASSING ? i : 0);
		}
		w->view[k] = view_new(&m, &w->conf.zone);
		schema_clear(&msg_view_schema, &m);
	}
}

static void
check(const uint8_t *out, size_t n, bool udp)
{
	struct dns_walk	w;
	struct dns_rr	rr;

	if (n < DNS_HEADER || n > (udp ? DNS_UDP_MAX : DNS_TCP_MAX))
		abort();
	if (n == DNS_HEADER)
		return;
	if (dns_walk_start(&w, out, n) == -1)
		abort();
	while (dns_walk_next(&w, &rr))
		;
	if (w.bad || w.off != n)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t	 out[DNS_TCP_MAX];
	struct world	 w = { .options = n > 0 ? p[0] : 0 };
	struct answerer	 a;
	size_t		 l, outlen, i;
	bool		 udp = !(w.options & O_TCP);

	if (n < 2 || n - 2 < p[1])
		return 0;
	l = p[1];
	configure(&w);
	make_views(&w, p + 2, l);
	answerer_init(&a, &w.conf, find, &w);
	rng_seed(&a.rng, 1);
	if (answer(&a, p + 2 + l, n - 2 - l, udp, out, &outlen) ==
	    ANSWER_SEND)
		check(out, outlen, udp);
	outlen = answer_error(&w.conf, p + 2 + l, n - 2 - l, DNS_SERVFAIL,
	    out);
	if (outlen > 0)
		check(out, outlen, true);
	answerer_clear(&a);
	for (i = 0; i < VIEWS; i++)
		view_free(w.view[i]);
	answer_conf_clear(&w.conf);
	return 0;
}
