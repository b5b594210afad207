/*
 * The store by itself: memory per key and per instance, and what an entry
 * costs among 100,000.  bench/store runs it, under callgrind for instructions.
 *
 *	store COUNT keys|instances [PUTS]	PUTS more puts of keys after them
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "catalogd/store.h"
#include "common/util.h"

static size_t
heap(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
apply(struct store *s, uint64_t index, struct wbuf *w)
{
	struct store_answer a;
	struct changes ch;

	memset(&ch, 0, sizeof(ch));
	store_apply(s, index, w->p, w->len, &a, &ch);
	if (a.error != NULL) {
		fprintf(stderr, "%s\n", a.error);
		exit(1);
	}
	store_answer_clear(&a);
	changes_clear(&ch);
	wb_reset(w);
}

/* 24 bytes of key, 32 of value. */
static void
put(struct store *s, uint64_t index, size_t i, const char *value,
    struct wbuf *w)
{
	struct kvs_request r;
	char key[32];

	memset(&r, 0, sizeof(r));
	snprintf(key, sizeof(key), "app/%03zu/settings/%06zu", i % 1000, i);
	r.datacenter = (char *)(uintptr_t)"dc1";
	r.op = (char *)(uintptr_t)"set";
	r.entry.key = key;
	r.entry.value.p = (uint8_t *)(uintptr_t)value;
	r.entry.value.n = 32;
	r.entry.value.set = true;
	store_entry_kv(w, &r);
	apply(s, index, w);
}

/* One node with one service of two tags and one check. */
static void
instance(struct store *s, uint64_t index, size_t i, struct wbuf *w)
{
	struct register_request r;
	struct health_check *c;
	char node[32], addr[32];

	memset(&r, 0, sizeof(r));
	snprintf(node, sizeof(node), "node-%06zu", i);
	snprintf(addr, sizeof(addr), "10.%zu.%zu.%zu", i >> 16 & 255,
	    i >> 8 & 255, i & 255);
	r.datacenter = xstrdup("dc1");
	r.node = xstrdup(node);
	r.address = xstrdup(addr);
	r.service = xcalloc(1, sizeof(*r.service));
	r.service->id = xstrdup("web");
	r.service->service = xstrdup("web");
	r.service->port = 80;
	strs_add(&r.service->tags, "primary");
	strs_add(&r.service->tags, "v1");
	c = VEC_ADD(&r.checks);
	c->node = xstrdup(node);
	c->check_id = xstrdup("service:web");
	c->name = xstrdup("Service 'web' check");
	c->status = xstrdup("passing");
	c->service_id = xstrdup("web");
	c->output = xstrdup("HTTP GET http://localhost/: 200 OK");
	store_entry_register(w, &r);
	schema_clear(&register_request_schema, &r);
	apply(s, index, w);
}

int
main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000, i, before;
	const char *what = argc > 2 ? argv[2] : "keys";
	size_t puts_n = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	struct store *s = store_new();
	struct wbuf w;
	double t;

	wb_init(&w, 0);
	put(s, 1, n * 2, "00000000000000000000000000000000", &w);
	before = heap();
	t = now_us();
	for (i = 0; i < n; i++) {
		if (strcmp(what, "instances") == 0)
			instance(s, i + 2, i, &w);
		else
			put(s, i + 2, i, "0123456789abcdef0123456789abcdef",
			    &w);
	}
	t = now_us() - t;
	for (i = 0; i < puts_n; i++)
		put(s, n + 2 + i, i * 7919 % n,
		    "fedcba9876543210fedcba9876543210", &w);
	printf("%zu %s: %zu bytes each, %.2f us each to apply\n", n, what,
	    (heap() - before) / n, t / (double)n);
	wb_free(&w);
	store_free(s);
	return 0;
}
