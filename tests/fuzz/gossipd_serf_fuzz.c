/*
 * Text and meta from outside: the user part of push/pulls and Serf messages
 * into a core, tags, and the snapshot file.  The first byte chooses.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "gossipd/consul.h"
#include "gossipd/serf.h"
#include "gossipd/snapshot.h"
#include "gossipd/tags.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
no_send(void *arg, const struct gaddr *to, bool crc, const uint8_t *p, size_t n)
{
	(void)arg, (void)to, (void)crc, (void)p;
	if (n == 0)
		abort();
}

static void
no_tcp_ping(void *arg, const struct ident *id, uint32_t seq, uint64_t until)
{
	(void)arg, (void)id, (void)seq, (void)until;
}

static void
no_pushpull(void *arg, const struct ident *id, bool join)
{
	(void)arg, (void)id, (void)join;
}

static const char *
admit(void *arg, const struct swim_said *a, size_t n, bool join)
{
	struct consul_rules	rules = { .name = "self", .id = "x",
				    .dc = "dc1", .server = true };

	(void)arg, (void)join;
	return consul_admit(&rules, a, n);
}

static void
no_member(void *arg, enum serf_event ev, const struct serf_member *m)
{
	(void)arg, (void)ev, (void)m;
}

static void
no_event(void *arg, const struct sf_event *e)
{
	(void)arg, (void)e;
}

static void
no_left(void *arg)
{
	(void)arg;
}

static const struct serf_ops ops = {
	.send = no_send, .tcp_ping = no_tcp_ping, .pushpull = no_pushpull,
	.admit = admit, .member = no_member, .event = no_event,
	.left = no_left,
};

/* A whole push/pull, twice: the second time it is known. */
static void
feed_core(const uint8_t *p, size_t n, bool state)
{
	struct serf_conf	 conf = serf_conf_lan;
	struct idents		*idents = idents_new();
	struct gaddr		 self = { .ip = { 127, 0, 0, 1 }, .len = 4,
				    .port = 7946 };
	struct serf		*s;
	struct wbuf		 w;
	int			 i;

	conf.swim = swim_conf_lan;
	s = serf_new(&conf, idents, &ops, NULL, 3);
	serf_start(s, NS_PER_S, span_str("self"), &self,
	    span_of("\xff\x80", 2), consul_vsn);
	wb_init(&w, 0);
	wb_u8(&w, state ? ML_PUSHPULL : ML_USER);
	wb_bytes(&w, p, n);
	for (i = 0; i < 2; i++) {
		if (state)
			(void)serf_merge(s, NS_PER_S, i == 0, w.p, w.len);
		else
			serf_input(s, NS_PER_S, &self, w.p, w.len);
		(void)serf_next(s, NS_PER_S);
		serf_tick(s, NS_PER_S);
	}
	wb_reset(&w);
	swim_state_write(serf_swim(s), true, false, &w);
	if (serf_merge(s, NS_PER_S, false, w.p, w.len) != NULL &&
	    swim_count(serf_swim(s)) == 1)
		abort();
	wb_free(&w);
	serf_free(s);
	idents_free(idents);
}

static void
feed_tags(const uint8_t *p, size_t n)
{
	struct strmap	 t = { 0 };
	struct swim_said a = { .meta = span_of(p, n) };
	struct consul_rules us = { .name = "me", .dc = "dc1", .server = true };

	tags_decode(a.meta, &t);
	strmap_clear(&t);
	(void)consul_valid_server(a.meta);
	(void)consul_find_clash(&us, &a, 1);
}

static void
feed_snapshot(const uint8_t *p, size_t n)
{
	struct snapshot	*s = snapshot_new(), *again = snapshot_new();
	struct wbuf	 w;

	snapshot_replay(s, (const char *)p, n, false);
	wb_init(&w, 0);
	snapshot_write(s, &w);
	snapshot_replay(again, (const char *)w.p, w.len, false);
	if (snapshot_count(s) != snapshot_count(again))
		abort();
	wb_free(&w);
	snapshot_free(s);
	snapshot_free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	switch (data[0] % 4) {
	case 0:
		feed_core(data + 1, size - 1, true);
		break;
	case 1:
		feed_core(data + 1, size - 1, false);
		break;
	case 2:
		feed_tags(data + 1, size - 1);
		break;
	default:
		feed_snapshot(data + 1, size - 1);
	}
	return 0;
}
