/*
 * Connections between servers, over socket pairs: who is listened to, and what
 * is kept of a snapshot that comes in.
 */
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "catalogd/raft_peers.h"
#include "common/log.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

#define SELF 7
#define CLUSTER 99
#define LIMIT_MS 5000
#define IMPOSSIBLE 1000	/* the size of a snapshot, */
#define UNWRITABLE 13	/* of a piece, for which there is no room */

struct world {
	struct ev	*ev;
	struct ev_timer	*limit;
	struct peers	*peers;
	size_t		 nreceived, nsnapshots, len, nopen;
	uint64_t	 from;
	bool		 closed, late;
};

static void
on_dial(uint32_t id, const char *address, void *arg)
{
	(void)id;
	(void)address;
	(void)arg;
}

static bool
on_where(uint64_t server, char *buf, size_t len, void *arg)
{
	(void)server;
	(void)buf;
	(void)len;
	(void)arg;
	return false;
}

static void
on_receive(uint64_t from, const struct peer_msg *m, void *arg)
{
	struct world *w = arg;

	(void)m;
	w->from = from;
	w->nreceived++;
	ev_stop(w->ev);
}

struct snap { struct world *w; size_t len; };

static void *
on_snap_begin(uint64_t size, void *arg)
{
	struct snap *s;

	if (size == IMPOSSIBLE)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->w = arg;
	s->w->nopen++;
	return s;
}

static int
on_snap_add(void *snap, const uint8_t *p, size_t n)
{
	struct snap *s = snap;

	(void)p;
	s->len += n;
	return n == UNWRITABLE ? -1 : 0;
}

static void
on_snap_drop(void *snap)
{
	struct snap *s = snap;

	s->w->nopen--;
	free(s);
}

static void
on_snap_done(uint64_t from, uint64_t term, void *snap, void *arg)
{
	struct snap *s = snap;
	struct world *w = arg;

	(void)term;
	w->from = from;
	w->len = s->len;
	w->nsnapshots++;
	on_snap_drop(s);
	ev_stop(w->ev);
}

static void
on_cluster(uint64_t cluster, void *arg)
{
	(void)cluster;
	(void)arg;
}

static void
on_limit(void *arg)
{
	struct world *w = arg;

	w->late = true;
	ev_stop(w->ev);
}

static void
setup(struct world *w)
{
	struct peers_ops ops = { on_dial, on_where, on_receive, on_snap_begin,
	    on_snap_add, on_snap_done, on_snap_drop, on_cluster, w };

	log_set_level(LOG_L_ERR);
	memset(w, 0, sizeof(*w));
	w->ev = ev_new();
	w->limit = ev_timer_new(w->ev, on_limit, w);
	w->peers = peers_new(w->ev, SELF, "dc1", "10.0.0.7:8300", &ops);
	peers_set_cluster(w->peers, CLUSTER);
}

static void
teardown(struct world *w)
{
	peers_free(w->peers);
	ev_timer_free(w->limit);
	ev_free(w->ev);
}

/* Until something is received or closed. */
static void
run(struct world *w)
{
	ev_timer_set(w->limit, LIMIT_MS);
	ev_run(w->ev);
	ev_timer_stop(w->limit);
	ck_assert(!w->late);
}

static void
on_readable(struct ev_io *io, int fd, int events, void *arg)
{
	struct world *w = arg;
	char c;

	(void)io;
	(void)events;
	ck_assert_int_le(read(fd, &c, 1), 0);
	w->closed = true;
	ev_stop(w->ev);
}

static void
expect_closed(struct world *w, int fd)
{
	struct ev_io *io = ev_io_new(w->ev, fd, on_readable, w);

	w->closed = false;
	ev_io_set(io, EV_READ);
	run(w);
	ck_assert(w->closed);
	ev_io_free(io);
	close(fd);
}

static void
put(int fd, struct wbuf *b)
{
	ck_assert_int_eq(write(fd, b->p, b->len), (ssize_t)b->len);
	wb_free(b);
}

static void
say(int fd, const struct peer_msg *m)
{
	struct wbuf b;

	wb_init(&b, 0);
	peer_msg_encode(&b, m);
	put(fd, &b);
}

static int
dial(struct world *w, uint64_t from, uint64_t cluster)
{
	struct peer_hello h = { .from = from, .to = SELF, .cluster = cluster,
	    .datacenter = "dc1", .address = "10.0.0.1:8300" };
	struct wbuf b;
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	peers_accept(w->peers, fd[0], "10.0.0.1:40000");
	wb_init(&b, 0);
	peer_hello_encode(&b, &h);
	put(fd[1], &b);
	return fd[1];
}

static void
say_vote(int fd)
{
	struct peer_msg m = { .type = PEER_VOTE, .term = 2, .candidate = 1 };

	say(fd, &m);
}

static void
say_begin(int fd, uint64_t size)
{
	struct peer_msg m = { .type = PEER_SNAP_BEGIN, .term = 2, .index = 5,
	    .index_term = 2, .size = size };

	say(fd, &m);
}

static void
say_data(int fd, uint64_t offset, size_t len)
{
	static const uint8_t bytes[64];
	struct peer_msg m = { .type = PEER_SNAP_DATA, .offset = offset,
	    .data = bytes, .len = len };

	say(fd, &m);
}

START_TEST(server_of_another_cluster_is_not_listened_to)
{
	struct world w;

	setup(&w);
	expect_closed(&w, dial(&w, 1, CLUSTER + 1));
	ck_assert_uint_eq(w.nreceived, 0);
	teardown(&w);
}
END_TEST

START_TEST(newer_connection_of_a_server_replaces_the_older)
{
	struct world w;
	int a, b;

	setup(&w);
	a = dial(&w, 1, CLUSTER);
	say_vote(a);
	run(&w);
	b = dial(&w, 1, CLUSTER);
	expect_closed(&w, a);
	say_vote(b);
	run(&w);
	ck_assert_uint_eq(w.nreceived, 2);
	close(b);
	teardown(&w);
}
END_TEST

/* Each may be as large as the whole state. */
START_TEST(room_is_kept_for_the_snapshot_that_began_last)
{
	struct world w;
	int a, b;

	setup(&w);
	a = dial(&w, 1, CLUSTER);
	say_begin(a, 64);
	say_data(a, 0, 32);
	say_vote(a);
	run(&w);
	b = dial(&w, 2, CLUSTER);
	say_begin(b, 48);
	say_data(b, 0, 32);
	say_vote(b);
	run(&w);
	ck_assert_uint_eq(w.nopen, 1);
	say_data(a, 32, 32);
	expect_closed(&w, a);
	ck_assert_uint_eq(w.nsnapshots, 0);
	say_data(b, 32, 16);
	run(&w);
	ck_assert_uint_eq(w.nsnapshots, 1);
	ck_assert_uint_eq(w.from, 2);
	ck_assert_uint_eq(w.len, 48);
	ck_assert_uint_eq(w.nopen, 0);
	close(b);
	teardown(&w);
}
END_TEST

START_TEST(snapshot_without_room_ends_its_connection)
{
	struct world w;
	int a;

	setup(&w);
	a = dial(&w, 1, CLUSTER);
	say_begin(a, IMPOSSIBLE);
	expect_closed(&w, a);
	a = dial(&w, 1, CLUSTER);
	say_begin(a, 64);
	say_data(a, 0, UNWRITABLE);
	expect_closed(&w, a);
	ck_assert_uint_eq(w.nopen, 0);
	ck_assert_uint_eq(w.nsnapshots, 0);
	teardown(&w);
}
END_TEST

/* A follower, too, once spoke to it: votes, answers. */
START_TEST(server_that_is_no_member_any_more_is_forgotten)
{
	struct peer_msg m = { .type = PEER_VOTED, .term = 2 };
	const uint64_t members[] = { SELF, 1 };
	struct world w;

	setup(&w);
	peers_send(w.peers, 1, &m);
	peers_send(w.peers, 2, &m);
	ck_assert_uint_eq(peers_count(w.peers), 2);
	peers_only(w.peers, members, NELEM(members));
	ck_assert_uint_eq(peers_count(w.peers), 1);
	teardown(&w);
}
END_TEST

UNIT_MAIN("catalogd_raft_peers",
    server_of_another_cluster_is_not_listened_to,
    newer_connection_of_a_server_replaces_the_older,
    server_that_is_no_member_any_more_is_forgotten,
    room_is_kept_for_the_snapshot_that_began_last,
    snapshot_without_room_ends_its_connection)
