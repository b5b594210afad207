/*
 * Load for bench/catalog, over keep-alive HTTP, one request in flight on each
 * connection.
 *
 *	load [-a ADDRESS] [-p PORT] [-c CONNECTIONS] [-n COUNT | -t SECONDS]
 *	    [-m MODULUS] [-s SALT] kv | etcd3 | etcd2 | register | names
 *	load [-a ADDRESS] [-p PORT] [-c READERS] [-n ROUNDS]
 *	    readers-kv | readers-service
 *
 * Writers print: requests, a second, the median and the 99th of 100 in us.
 * `register` writes instances 0 to MODULUS - 1 in turn, `-m` of them in all,
 * a hundred to a node and a hundred to a service; with a SALT in an order that
 * leaps, and another port in each.  `names` is for bench/dns: instances ten to a
 * service, on a thousand nodes.
 *
 * Readers wait, all of them, for one key or one service to change; then it is
 * written.  Printed for the median round: us from sending the write to its
 * own answer, and to the last reader's.
 */
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/load.h"

#define SETTLE_MS	2000	/* until all readers wait, seen from outside */
#define PATIENCE_MS	30000
#define KEYS		100000
#define ROUNDS_MAX	100

struct opts {
	const char *addr;
	int	 port;
	size_t	 conns, count;
	uint64_t us;		/* or for so long */
	size_t	 modulus;
	unsigned salt;
};

static int
by_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
base64(const char *in, char *out)
{
	static const char set[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = strlen(in), i;

	for (i = 0; i < n; i += 3) {
		unsigned v = (unsigned char)in[i] << 16;

		if (i + 1 < n)
			v |= (unsigned)(unsigned char)in[i + 1] << 8;
		if (i + 2 < n)
			v |= (unsigned char)in[i + 2];
		*out++ = set[v >> 18];
		*out++ = set[v >> 12 & 63];
		*out++ = i + 1 < n ? set[v >> 6 & 63] : '=';
		*out++ = i + 2 < n ? set[v & 63] : '=';
	}
	*out = '\0';
}

/* ---- what is written ---- */

#define VALUE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void
write_kv(struct http *h, struct conn *c, const struct opts *o, size_t i)
{
	char path[64];

	(void)o;
	snprintf(path, sizeof(path), "/v1/kv/bench/%05zu", i % KEYS);
	http_send(h, c, "PUT", path, VALUE);
}

static void
write_etcd2(struct http *h, struct conn *c, const struct opts *o, size_t i)
{
	char path[64];

	(void)o;
	snprintf(path, sizeof(path), "/v2/keys/bench/%05zu", i % KEYS);
	http_send(h, c, "PUT", path, "value=" VALUE);
}

static void
write_etcd3(struct http *h, struct conn *c, const struct opts *o, size_t i)
{
	char key[32], key64[64], value64[128], body[256];

	(void)o;
	snprintf(key, sizeof(key), "bench/%05zu", i % KEYS);
	base64(key, key64);
	base64(VALUE, value64);
	snprintf(body, sizeof(body), "{\"key\":\"%s\",\"value\":\"%s\"}", key64,
	    value64);
	http_send(h, c, "POST", "/v3/kv/put", body);
}

static void
write_instance(struct http *h, struct conn *c, const struct opts *o, size_t i)
{
	size_t nservices = o->modulus / 100 > 0 ? o->modulus / 100 : 1;
	size_t k, node, service;
	unsigned port;
	char body[1024];

	/* 7919 is prime: the leaps come to every instance. */
	k = (o->salt == 0 ? i : i * 7919 + o->salt) % o->modulus;
	port = 8000 + (unsigned)((o->salt + i / o->modulus) % 50000);
	node = k / 100;
	service = k % nservices;
	snprintf(body, sizeof(body),
	    "{\"Node\":\"host-%04zu\",\"Address\":\"10.%zu.%zu.%zu\","
	    "\"Service\":{\"ID\":\"api-%zu-%zu\",\"Service\":\"api-%zu\","
	    "\"Tags\":[\"v2\",\"blue\"],\"Meta\":{\"version\":\"2.1.3\"},"
	    "\"Port\":%u},\"Check\":{\"CheckID\":\"service:api-%zu-%zu\","
	    "\"Name\":\"http\",\"Status\":\"passing\","
	    "\"ServiceID\":\"api-%zu-%zu\","
	    "\"Output\":\"HTTP GET http://localhost/health: 200 OK\"}}",
	    node, 1 + (node >> 16), node >> 8 & 255, node & 255, service, k,
	    service, port, service, k, service, k);
	http_send(h, c, "PUT", "/v1/catalog/register", body);
}

static void
write_name(struct http *h, struct conn *c, const struct opts *o, size_t i)
{
	size_t k = (o->salt == 0 ? i : i * 7919 + o->salt) % o->modulus;
	size_t service = k / 10, node = (k + service) % 1000;
	char body[512];

	snprintf(body, sizeof(body),
	    "{\"Node\":\"host-%04zu\",\"Address\":\"10.1.%zu.%zu\","
	    "\"Service\":{\"ID\":\"svc-%05zu-%zu\","
	    "\"Service\":\"svc-%05zu\",\"Port\":%zu},"
	    "\"Check\":{\"CheckID\":\"svc-%05zu-%zu\",\"Name\":\"tcp\","
	    "\"Status\":\"passing\",\"ServiceID\":\"svc-%05zu-%zu\"}}",
	    node, node >> 8, node & 255, service, k % 10, service,
	    8000 + k % 10, service, k % 10, service, k % 10);
	http_send(h, c, "PUT", "/v1/catalog/register", body);
}

/* ---- writers ---- */

static void
write_load(const struct opts *o,
    void (*send_one)(struct http *, struct conn *, const struct opts *, size_t))
{
	uint64_t start, last, end;
	uint32_t *us;
	size_t sent = 0, done = 0, cap = o->count, i, n;
	struct answer a;
	struct http h;

	http_open(&h, o->addr, o->port, o->conns);
	if (o->us != 0)
		cap = (size_t)(o->us / 1000000 + 1) * 200000;
	if ((us = calloc(cap, sizeof(*us))) == NULL)
		err(1, "calloc");
	start = last = now_us();
	end = o->us != 0 ? start + o->us : UINT64_MAX;
	for (i = 0; i < h.n && sent < cap; i++)
		send_one(&h, &h.conns[i], o, sent++);
	while (done < sent) {
		if ((n = http_wait(&h, PATIENCE_MS)) != 0)
			last = now_us();
		else if (now_us() - last > PATIENCE_MS * 1000)
			errx(1, "no answer for %d ms", PATIENCE_MS);
		for (i = 0; i < n; i++) {
			http_answer(h.ready[i], &a);
			if (a.status != 200 && a.status != 201)
				errx(1, "answered %d: %.200s", a.status, a.body);
			us[done++] = (uint32_t)(now_us() - h.ready[i]->sent_us);
			if (sent < cap && now_us() < end)
				send_one(&h, h.ready[i], o, sent++);
		}
	}
	qsort(us, done, sizeof(*us), by_u32);
	printf("%zu %.0f %u %u\n", done, (double)done * 1e6 /
	    (double)(last - start), us[done / 2], us[done * 99 / 100]);
}

/* ---- readers ---- */

struct target {
	const char *read, *write;
	const char *body;	/* with room for one number */
};

static const struct target key = { "/v1/kv/watched/key?",
	"/v1/kv/watched/key", "value-%u" };
static const struct target service = { "/v1/health/service/watched?passing&",
	"/v1/catalog/register",
	"{\"Node\":\"watched-%1$u\",\"Address\":\"10.9.9.9\",\"Service\":"
	"{\"Service\":\"watched\",\"Port\":%2$u},\"Check\":{\"CheckID\":\"c\","
	"\"Name\":\"c\",\"Status\":\"passing\",\"ServiceID\":\"watched\"}}" };

static void
write_target(struct http *w, const struct target *t, unsigned round,
    struct answer *a)
{
	char body[512];

	if (t == &key)
		snprintf(body, sizeof(body), "value-%u", round);
	else	/* one of three instances */
		snprintf(body, sizeof(body), t->body, round % 3, 1000 + round);
	http_ask(w, "PUT", t->write, body, a);
	if (a->status != 200)
		errx(1, "answered %d: %.200s", a->status, a->body);
}

struct round {
	uint32_t last, own;	/* by_u32() sorts by the first member */
};

static void
one_round(struct http *r, struct http *w, const struct target *t,
    unsigned round, struct round *out)
{
	uint64_t start, last = 0, index;
	size_t i, n, got = 0;
	struct answer a;
	char path[128];

	http_ask(w, "GET", t->read, NULL, &a);
	index = a.index;
	snprintf(path, sizeof(path), "%sindex=%llu&wait=120s", t->read,
	    (unsigned long long)index);
	for (i = 0; i < r->n; i++)
		http_send(r, &r->conns[i], "GET", path, NULL);
	/* Whoever is answered before the write did not wait. */
	for (start = now_us(); now_us() - start < SETTLE_MS * 1000;)
		if (http_wait(r, 100) != 0)
			errx(1, "a reader was answered before the write");
	start = now_us();
	write_target(w, t, round, &a);
	out->own = (uint32_t)(now_us() - start);
	while (got < r->n) {
		n = http_wait(r, PATIENCE_MS);
		last = now_us();
		if (n == 0 && last - start > PATIENCE_MS * 1000)
			errx(1, "a reader without an answer");
		for (i = 0; i < n; i++) {
			http_answer(r->ready[i], &a);
			if (a.status != 200 || a.index <= index)
				errx(1, "answered %d, index %llu", a.status,
				    (unsigned long long)a.index);
		}
		got += n;
	}
	out->last = (uint32_t)(last - start);
}

static void
read_load(const struct opts *o, const struct target *t)
{
	struct round rounds[ROUNDS_MAX];
	struct answer a;
	struct http r, w;
	unsigned i;

	http_open(&r, o->addr, o->port, o->conns);
	http_open(&w, o->addr, o->port, 1);
	for (i = 0; i < 3; i++)
		write_target(&w, t, i, &a);
	for (i = 0; i < o->count; i++)
		one_round(&r, &w, t, i + 3, &rounds[i]);
	qsort(rounds, o->count, sizeof(rounds[0]), by_u32);
	i = (unsigned)o->count / 2;
	printf("%u %u\n", rounds[i].own, rounds[i].last);
}

int
main(int argc, char **argv)
{
	struct opts o = { .addr = "127.0.0.1", .port = 8500, .conns = 1,
	    .count = 1, .modulus = 1 };
	const char *what;
	int c;

	while ((c = getopt(argc, argv, "a:c:m:n:p:s:t:")) != -1)
		switch (c) {
		case 'a': o.addr = optarg; break;
		case 'c': o.conns = strtoul(optarg, NULL, 10); break;
		case 'm': o.modulus = strtoul(optarg, NULL, 10); break;
		case 'n': o.count = strtoul(optarg, NULL, 10); break;
		case 'p': o.port = atoi(optarg); break;
		case 's': o.salt = (unsigned)atoi(optarg); break;
		case 't': o.us = strtoul(optarg, NULL, 10) * 1000000; break;
		default: exit(1);
		}
	if (optind + 1 != argc || o.conns == 0 || o.count == 0 ||
	    o.modulus == 0)
		errx(1, "see the head of load.c");
	what = argv[optind];
	if (strcmp(what, "kv") == 0)
		write_load(&o, write_kv);
	else if (strcmp(what, "etcd3") == 0)
		write_load(&o, write_etcd3);
	else if (strcmp(what, "etcd2") == 0)
		write_load(&o, write_etcd2);
	else if (strcmp(what, "register") == 0)
		write_load(&o, write_instance);
	else if (strcmp(what, "names") == 0)
		write_load(&o, write_name);
	else if (strcmp(what, "readers-kv") == 0 && o.count <= ROUNDS_MAX)
		read_load(&o, &key);
	else if (strcmp(what, "readers-service") == 0 && o.count <= ROUNDS_MAX)
		read_load(&o, &service);
	else
		errx(1, "%s: no such load", what);
	return 0;
}
