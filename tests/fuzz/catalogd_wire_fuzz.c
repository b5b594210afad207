/*
 * What another server may say: any bytes as a hello, as messages, as a
 * membership.  What reads is written back and reads the same again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/raft_core.h"
#include "catalogd/raft_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
on_meta(uint64_t term, uint64_t vote, void *arg)
{
	(void)term;
	(void)vote;
	(void)arg;
}

static void
on_append(const struct log_entry *e, size_t n, void *arg)
{
	(void)e;
	(void)n;
	(void)arg;
}

static void
on_send(uint64_t to, const struct peer_msg *m, void *arg)
{
	struct wbuf w;

	(void)to;
	(void)arg;
	wb_init(&w, 0);
	peer_msg_encode(&w, m);
	wb_free(&w);
}

static void
on_send_snapshot(uint64_t to, void *arg)
{
	(void)to;
	(void)arg;
}

static void
on_want(void *arg)
{
	(void)arg;
}

static void
on_apply(uint64_t index, const uint8_t *p, size_t n, void *tag, void *arg)
{
	(void)index;
	(void)p;
	(void)n;
	(void)tag;
	(void)arg;
}

static void
on_lost(void *tag, void *arg)
{
	(void)tag;
	(void)arg;
}

static struct rcore *
follower(void)
{
	static const struct rcore_conf conf = { 1, 7, 1000, 100, 65536 };
	static const struct rcore_ops ops = { on_meta, on_append, on_send,
	    on_send_snapshot, on_want, on_apply, on_lost, NULL };
	static const struct rcore_member m[] = {
		{ 1, "a 10.0.0.1:1", true }, { 2, "b 10.0.0.2:1", true },
		{ 3, "c 10.0.0.3:1", true }
	};
	struct rcore *c = rcore_new(&conf, &ops);
	struct log_entry e;

	memset(&e, 0, sizeof(e));
	e.index = e.term = 1;
	e.type = 3;
	e.p = rcore_conf_encode(m, 3, &e.len);
	if (rcore_start(c, 1000, 1, 0, NULL, &e, 1) == -1)
		abort();
	return c;
}

static void
same_again(const struct peer_msg *m, const uint8_t *p, long took)
{
	struct wbuf w;

	wb_init(&w, 0);
	peer_msg_encode(&w, m);
	if (w.len != (size_t)took || memcmp(w.p, p, w.len) != 0)
		abort();
	wb_free(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct peer_hello h;
	struct peer_msg m;
	struct rcore *c;
	const char *why;
	uint64_t now = 1000;
	long took;

	(void)peer_hello_decode(p, n, &h);
	(void)peer_conf_valid(p, n);
	c = follower();
	while ((took = peer_msg_decode(p, n, &m, &why)) > 0) {
		same_again(&m, p, took);
		rcore_receive(c, now, 2, &m);
		rcore_tick(c, now += 50);
		if (rcore_last_index(c) > rcore_applied(c))
			rcore_persisted(c, now, rcore_last_index(c));
		peer_msg_clear(&m);
		p += took;
		n -= (size_t)took;
	}
	rcore_free(c);
	return 0;
}
