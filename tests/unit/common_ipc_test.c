/*
 * Links: the check from the table, the reader, and the real thing over a
 * socketpair with descriptors and large bodies.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/frame.h"
#include "common/ipc.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

/* ---- the table ---- */

static const char *
refusal(enum imsg_type type, enum proc from, enum proc to, size_t len, int fd)
{
	const char	*why;

	return imsg_check(type, from, to, len, fd, &why) == -1 ? why : "";
}

START_TEST(check_refuses_direction_size_and_descriptor)
{
	ck_assert_str_eq(refusal(IMSG_READY, PROC_GOSSIPD, PROC_DISCOD, 0, 0),
	    "");
	ck_assert_str_eq(refusal(IMSG_READY, PROC_DISCOD, PROC_GOSSIPD, 0, 0),
	    "not from there");
	ck_assert_str_eq(refusal(IMSG_MEMBER, PROC_GOSSIPD, PROC_APID, 9, 0),
	    "not to here");
	ck_assert_str_eq(refusal(IMSG_MEMBER, PROC_GOSSIPD, PROC_CHECKD, 9, 0),
	    "no such link");
	ck_assert_str_eq(refusal(IMSG_READY, PROC_GOSSIPD, PROC_DISCOD, 1, 0),
	    "body too long");
	ck_assert_str_eq(refusal(IMSG_SETUP, PROC_DISCOD, PROC_DNSD, 0, 0),
	    IMSG_TOO_SHORT);
	ck_assert_str_eq(refusal(IMSG_LOGFILE, PROC_DISCOD, PROC_DNSD, 0, 0),
	    "descriptor missing");
	ck_assert_str_eq(refusal(IMSG_SETUP, PROC_DISCOD, PROC_DNSD, 9, 1),
	    "unexpected descriptor");
	ck_assert_str_eq(refusal((enum imsg_type)63, PROC_DISCOD, PROC_DNSD, 9,
	    0), "unknown message type");
	ck_assert_str_eq(refusal((enum imsg_type)4000, PROC_DISCOD, PROC_DNSD,
	    9, 0), "unknown message type");
}
END_TEST

START_TEST(names_and_links_come_from_the_lists)
{
	ck_assert_str_eq(imsg_name(IMSG_CALL), "CALL");
	ck_assert_str_eq(imsg_name((enum imsg_type)63), "?");
	ck_assert_str_eq(proc_name(PROC_DNSD), "dnsd");
	ck_assert_str_eq(proc_user(PROC_CATALOGD), "_discodb");
	ck_assert_str_eq(proc_name((enum proc)99), "?");
	ck_assert_uint_eq(proc_peers(PROC_EXECD), PROC_BIT(PROC_DISCOD) |
	    PROC_BIT(PROC_CATALOGD) | PROC_BIT(PROC_CHECKD));
	ck_assert_uint_ne(imsg_hash(), 0);
	ck_assert_uint_eq(imsg_hash(), imsg_hash());
}
END_TEST

/* ---- the reader ---- */

struct got {
	struct frames	f;
	int		n;
	enum imsg_type	type;
	uint32_t	id;
	size_t		len;
	uint8_t		*body;
	int		fd;
};

static bool
on_frame(const struct imsg *m, void *arg)
{
	struct got	*g = arg;

	g->n++;
	g->type = m->type;
	g->id = m->id;
	g->len = m->len;
	g->fd = m->fd;
	free(g->body);
	g->body = xmalloc(m->len + 1);
	if (m->len > 0)
		memcpy(g->body, m->body, m->len);
	return true;
}

static void
frame(struct wbuf *b, uint32_t type, uint32_t id, uint32_t flags,
    const void *p, uint32_t len)
{
	struct frame_head	h = { .type = type, .id = id, .len = len,
				    .flags = flags };

	wb_bytes(b, &h, sizeof(h));
	if (len > 0)
		wb_bytes(b, p, len);
}

/* Feeds in pieces; "" or what was wrong. */
static const char *
feed(struct got *g, const struct wbuf *b, size_t piece)
{
	size_t	off, n;

	for (off = 0; off < b->len; off += n) {
		n = b->len - off < piece ? b->len - off : piece;
		if (frames_feed(&g->f, b->p + off, n, on_frame, g) == -1)
			return g->f.err;
	}
	return "";
}

static void
start(struct got *g, enum proc self, enum proc peer, struct wbuf *b)
{
	memset(g, 0, sizeof(*g));
	frames_init(&g->f, self, peer);
	wb_init(b, 0);
}

static void
done(struct got *g, struct wbuf *b)
{
	frames_clear(&g->f);
	free(g->body);
	wb_free(b);
}

START_TEST(frames_may_arrive_in_any_pieces)
{
	static const size_t	pieces[] = { 1, 3, 16, 17, 1000 };
	struct got		g;
	struct wbuf		b;
	size_t			i;

	for (i = 0; i < NELEM(pieces); i++) {
		start(&g, PROC_CATALOGD, PROC_GOSSIPD, &b);
		frame(&b, IMSG_MEMBERS_BEGIN, 1, 0, NULL, 0);
		frame(&b, IMSG_MEMBER, 2, 0, "abc", 3);
		frame(&b, IMSG_MEMBER, 3, 0, "defg", 4);
		ck_assert_str_eq(feed(&g, &b, pieces[i]), "");
		ck_assert_int_eq(g.n, 3);
		ck_assert_uint_eq(g.id, 3);
		ck_assert_mem_eq(g.body, "defg", 4);
		ck_assert_uint_eq(g.f.in.len, 0);
		done(&g, &b);
	}
}
END_TEST

START_TEST(chunks_make_one_message)
{
	struct got	g;
	struct wbuf	b;

	start(&g, PROC_CATALOGD, PROC_GOSSIPD, &b);
	frame(&b, IMSG_MEMBER, 7, IPC_MORE, "ab", 2);
	frame(&b, IMSG_MEMBER, 7, IPC_MORE, "cd", 2);
	frame(&b, IMSG_MEMBER, 7, 0, "e", 1);
	ck_assert_str_eq(feed(&g, &b, 5), "");
	ck_assert_int_eq(g.n, 1);
	ck_assert_uint_eq(g.len, 5);
	ck_assert_mem_eq(g.body, "abcde", 5);
	done(&g, &b);
}
END_TEST

/* One frame of a kind that must not be, or after `before` good ones. */
static void
refused(uint32_t type, uint32_t flags, uint32_t len, const char *why)
{
	static const uint8_t	zeros[IPC_CHUNK + 1];
	struct got		g;
	struct wbuf		b;

	start(&g, PROC_CATALOGD, PROC_GOSSIPD, &b);
	frame(&b, type, 1, flags, zeros, len);
	ck_assert_str_eq(feed(&g, &b, 100000), why);
	ck_assert_int_eq(g.n, 0);
	done(&g, &b);
}

START_TEST(bad_frames_are_refused)
{
	struct got	g;
	struct wbuf	b;

	refused(IMSG_MEMBER, 0, IPC_CHUNK + 1, "frame too long");
	refused(IMSG_MEMBER, 8, 1, "unknown frame flag");
	refused(IMSG_MEMBER, IPC_MORE, 0, "empty chunk");
	refused(IMSG_MEMBER, 0, 0, IMSG_TOO_SHORT);
	refused(IMSG_FIRE, 0, 1, "not from there");
	refused(999, 0, 1, "unknown message type");
	refused(IMSG_MEMBERS_END, 0, 1, "body too long");
	refused(IMSG_MEMBERS_END, IPC_MORE, 1, "body too long");

	start(&g, PROC_CATALOGD, PROC_GOSSIPD, &b);
	frame(&b, IMSG_MEMBER, 1, IPC_MORE, "ab", 2);
	frame(&b, IMSG_MEMBER, 2, 0, "ab", 2);
	ck_assert_str_eq(feed(&g, &b, 1000), "message inside another");
	done(&g, &b);
}
END_TEST

START_TEST(chunks_cannot_exceed_the_limit_of_the_type)
{
	static const uint8_t	zeros[IPC_CHUNK];
	struct got		g;
	struct wbuf		b;

	/* EVENT: 65536 at most; the second chunk's header is refused. */
	start(&g, PROC_CATALOGD, PROC_GOSSIPD, &b);
	frame(&b, IMSG_EVENT, 1, IPC_MORE, zeros, IPC_CHUNK - 1);
	frame(&b, IMSG_EVENT, 1, 0, zeros, 2);
	ck_assert_str_eq(feed(&g, &b, IPC_CHUNK), "body too long");
	done(&g, &b);
}
END_TEST

START_TEST(descriptor_and_frame_must_match)
{
	struct got	g;
	struct wbuf	b;
	int		fd = open("/dev/null", O_RDONLY);

	start(&g, PROC_DNSD, PROC_DISCOD, &b);
	frame(&b, IMSG_LOGFILE, 0, IPC_FD, NULL, 0);
	ck_assert_str_eq(feed(&g, &b, 1000), "descriptor missing");
	done(&g, &b);

	start(&g, PROC_DNSD, PROC_DISCOD, &b);
	ck_assert_int_eq(frames_fd(&g.f, dup(fd)), 0);
	frame(&b, IMSG_CONF_BEGIN, 0, 0, NULL, 0);
	ck_assert_str_eq(feed(&g, &b, 1000), "descriptor without a frame");
	done(&g, &b);

	start(&g, PROC_DNSD, PROC_DISCOD, &b);
	ck_assert_int_eq(frames_fd(&g.f, fd), 0);
	frame(&b, IMSG_LOGFILE, 0, IPC_FD, NULL, 0);
	ck_assert_str_eq(feed(&g, &b, 1000), "");
	ck_assert_int_eq(g.fd, fd);
	close(fd);
	done(&g, &b);
}
END_TEST

/* ---- over a socketpair ---- */

struct end {
	struct ipc	*ipc;
	struct ev	*ev;
	int		 n, gone, stop_at;
	size_t		 total;
	uint32_t	 last_id;
	uint64_t	 hash;
	char		 text[8];
	bool		 free_in_handler;
};

static void
on_msg(struct ipc *l, const struct imsg *m, void *arg)
{
	struct end	*e = arg;

	if (m == NULL) {
		e->gone++;
		ev_stop(e->ev);
		return;
	}
	e->n++;
	e->total += m->len;
	e->last_id = m->id;
	e->hash = hash_bytes(m->body, m->len, 1);
	if (m->fd != -1) {
		ck_assert(fcntl(m->fd, F_GETFD) & FD_CLOEXEC);
		(void)!read(m->fd, e->text, sizeof(e->text) - 1);
		close(m->fd);
	}
	if (e->free_in_handler) {
		ipc_free(l);
		e->ipc = NULL;
	}
	if (e->n == e->stop_at)
		ev_stop(e->ev);
}

static void
pair(struct ev *ev, struct end *a, enum proc pa, struct end *b, enum proc pb)
{
	int	sv[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	*a = (struct end){ .ev = ev };
	*b = (struct end){ .ev = ev };
	a->ipc = ipc_new(ev, sv[0], pa, pb, on_msg, a);
	b->ipc = ipc_new(ev, sv[1], pb, pa, on_msg, b);
}

START_TEST(large_body_and_small_ones_arrive_whole_and_in_order)
{
	struct end	 a, b;
	struct ev	*ev = ev_new();
	uint8_t		*big = xmalloc(1 << 20);
	size_t		 i;

	for (i = 0; i < 1 << 20; i++)
		big[i] = (uint8_t)(i * 2654435761u >> 13);
	pair(ev, &a, PROC_CATALOGD, &b, PROC_APID);
	ipc_send(a.ipc, IMSG_ANSWER, 1, "x", 1, -1);
	ipc_send(a.ipc, IMSG_ANSWER, 2, big, 1 << 20, -1);
	ck_assert_uint_gt(ipc_queued(a.ipc), 1 << 20);
	b.stop_at = 2;
	ev_run(ev);
	ck_assert_uint_eq(b.total, (1 << 20) + 1);
	ck_assert_uint_eq(b.hash, hash_bytes(big, 1 << 20, 1));
	for (i = 0; i < 1000; i++)
		ipc_send(a.ipc, IMSG_ANSWER, 3 + (uint32_t)i, "yz", 2, -1);
	b.stop_at = 1002;
	ev_run(ev);
	ck_assert_uint_eq(b.last_id, 1002);
	ck_assert_uint_eq(ipc_queued(a.ipc), 0);
	ipc_free(a.ipc);
	ipc_free(b.ipc);
	ev_free(ev);
	free(big);
}
END_TEST

START_TEST(descriptors_travel_with_their_message)
{
	struct end	 a, b;
	struct ev	*ev = ev_new();
	int		 p[2], i;
	char		 c;

	pair(ev, &a, PROC_DISCOD, &b, PROC_DNSD);
	for (i = 0; i < 20; i++) {
		ck_assert_int_eq(pipe(p), 0);
		c = (char)('a' + i);
		ck_assert_int_eq(write(p[1], &c, 1), 1);
		close(p[1]);
		ipc_send(a.ipc, IMSG_CONF_BEGIN, 0, NULL, 0, -1);
		ipc_send(a.ipc, IMSG_LOGFILE, 0, NULL, 0, p[0]);
	}
	b.stop_at = 40;
	ev_run(ev);
	ck_assert_str_eq(b.text, "t");
	ipc_free(a.ipc);
	ipc_free(b.ipc);
	ev_free(ev);
}
END_TEST

START_TEST(end_of_the_other_side_is_told_after_its_last_words)
{
	struct end	 a, b;
	struct ev	*ev = ev_new();

	pair(ev, &a, PROC_GOSSIPD, &b, PROC_CATALOGD);
	ipc_send(a.ipc, IMSG_MEMBERS_BEGIN, 0, NULL, 0, -1);
	ipc_send(b.ipc, IMSG_MEMBER_GONE, 0, "web", 3, -1);
	ipc_flush(a.ipc, 100);
	ipc_free(a.ipc);
	ev_run(ev);
	ck_assert_int_eq(b.n, 1);
	ck_assert_int_eq(b.gone, 1);
	/* Nothing more goes out, and nothing fails. */
	ipc_send(b.ipc, IMSG_MEMBER_GONE, 0, "web", 3, -1);
	ck_assert_uint_eq(ipc_queued(b.ipc), 0);
	ipc_free(b.ipc);
	ev_free(ev);
}
END_TEST

START_TEST(link_may_be_freed_by_its_handler)
{
	struct end	 a, b;
	struct ev	*ev = ev_new();
	int		 i;

	pair(ev, &a, PROC_GOSSIPD, &b, PROC_CATALOGD);
	b.free_in_handler = true;
	for (i = 0; i < 10; i++)
		ipc_send(a.ipc, IMSG_MEMBERS_BEGIN, 0, NULL, 0, -1);
	ev_run(ev);
	ck_assert_int_eq(b.n, 1);
	ck_assert_int_eq(a.gone, 1);
	ipc_free(a.ipc);
	ev_free(ev);
}
END_TEST

START_TEST(violation_ends_the_reader)
{
	struct frame_head	 h = { .type = IMSG_FIRE, .len = 0 };
	struct end		 e;
	struct ev		*ev = ev_new();
	int			 sv[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	e = (struct end){ .ev = ev };
	e.ipc = ipc_new(ev, sv[0], PROC_CATALOGD, PROC_GOSSIPD, on_msg, &e);
	ck_assert_int_eq(write(sv[1], &h, sizeof(h)), sizeof(h));
	ev_run(ev);
	ck_abort_msg("still running");
}
END_TEST

int
main(void)
{
	TCase	*tc = unit_case("common_ipc");

	tcase_add_test(tc, check_refuses_direction_size_and_descriptor);
	tcase_add_test(tc, names_and_links_come_from_the_lists);
	tcase_add_test(tc, frames_may_arrive_in_any_pieces);
	tcase_add_test(tc, chunks_make_one_message);
	tcase_add_test(tc, bad_frames_are_refused);
	tcase_add_test(tc, chunks_cannot_exceed_the_limit_of_the_type);
	tcase_add_test(tc, descriptor_and_frame_must_match);
	tcase_add_test(tc,
	    large_body_and_small_ones_arrive_whole_and_in_order);
	tcase_add_test(tc, descriptors_travel_with_their_message);
	tcase_add_test(tc, end_of_the_other_side_is_told_after_its_last_words);
	tcase_add_test(tc, link_may_be_freed_by_its_handler);
	tcase_add_exit_test(tc, violation_ends_the_reader, 1);
	return unit_case_run("common_ipc", tc);
}
