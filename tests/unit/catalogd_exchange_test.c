/*
 * Snapshots through the server half: the exchange over a socketpair, restores
 * through the log, and what is in the middle of one when the log is cut.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "catalogd/exchange.h"
#include "catalogd/server_i.h"
#include "common/mp.h"
#include "tests/unit/catalogd_world.h"

#define VECTORS "tests/vectors/"

struct bench {
	struct world		 w;		/* srv: NULL on a client */
	struct exchanges	*all;
	int			 fd;		/* the client's end */
	uint32_t		 dialled;
	char			 address[64];
};

static void
on_dial(uint32_t id, const char *address, void *arg)
{
	struct bench *b = arg;

	b->dialled = id;
	snprintf(b->address, sizeof(b->address), "%s", address);
}

static void
setup(struct bench *b, bool server)
{
	struct exchange_env xenv = { on_dial, b };
	int i;

	memset(b, 0, sizeof(*b));
	b->fd = -1;
	world_init(&b->w, "");
	if (server) {
		world_start(&b->w);
		for (i = 0; i < 1000 && !server_in_office(b->w.srv); i++)
			world_run(&b->w, 5);
		ck_assert(server_in_office(b->w.srv));
		b->w.nnames = 0;
	}
	b->all = exchanges_new(b->w.ev, b->w.srv, "dc1", &xenv);
}

static void
teardown(struct bench *b)
{
	if (b->fd != -1)
		close(b->fd);
	exchanges_free(b->all);
	world_clear(&b->w);
}

static uint8_t *
vector(const char *name, size_t *len)
{
	char *path, *p;

	xasprintf(&path, VECTORS "%s", name);
	p = file_read(path, 1 << 20, len);
	ck_assert_msg(p != NULL, "%s", path);
	free(path);
	return (uint8_t *)p;
}

static void
open_one(struct bench *b)
{
	int sv[2];

	if (b->fd != -1)
		close(b->fd);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    sv), 0);
	b->fd = sv[0];
	exchanges_serve(b->all, sv[1], "test");
}

static void
put_request(struct wbuf *b, const char *dc, bool stale, int64_t op)
{
	struct snapshot_request q = { .allow_stale = stale, .op = op,
	    .datacenter = S(dc) };

	schema_encode(&snapshot_request_schema, &q, b);
}

/* Sends in pieces, half-closes, and reads all that comes; the answer's map is
 * taken off. */
static bool
talk(struct bench *b, const struct wbuf *out, size_t piece,
    struct snapshot_response *a, struct wbuf *rest)
{
	uint8_t buf[4096];
	const char *why;
	struct rbuf r;
	size_t off = 0, k;
	ssize_t n = -1;
	int i;

	open_one(b);
	wb_init(rest, 0);
	for (i = 0; i < 2000 && n != 0; i++) {
		k = out->len - off < piece ? out->len - off : piece;
		if (k > 0 && (n = send(b->fd, out->p + off, k,
		    MSG_NOSIGNAL)) > 0 && (off += (size_t)n) == out->len)
			shutdown(b->fd, SHUT_WR);
		world_run(&b->w, 1);
		while ((n = read(b->fd, buf, sizeof(buf))) > 0)
			wb_bytes(rest, buf, (size_t)n);
	}
	ck_assert_int_eq(n, 0);
	memset(a, 0, sizeof(*a));
	if (rest->len == 0)
		return false;
	rb_init(&r, rest->p, rest->len);
	mp_skip(&r);
	ck_assert(rb_ok(&r));
	ck_assert_int_eq(schema_decode_all(&snapshot_response_schema, rest->p,
	    rest->len - r.n, a, &why), 0);
	memmove(rest->p, r.p, r.n);
	rest->len = r.n;
	return true;
}

static void
save(struct bench *b, struct archive_meta *m, struct wbuf *state)
{
	struct snapshot_response a;
	struct archive_in *in = archive_in_new(1 << 20);
	struct wbuf out, rest;
	const uint8_t *p;
	size_t n;

	wb_init(&out, 0);
	put_request(&out, "dc1", false, SNAPSHOT_SAVE);
	ck_assert(talk(b, &out, 1000, &a, &rest));
	ck_assert(str_empty(a.error));
	ck_assert(a.known_leader);
	ck_assert_int_eq(archive_in_feed(in, rest.p, rest.len), 0);
	ck_assert_int_eq(archive_in_end(in, m, &p, &n), 0);
	ck_assert_uint_eq(a.index, m->index);
	wb_init(state, 0);
	wb_bytes(state, p, n);
	archive_in_free(in);
	schema_clear(&snapshot_response_schema, &a);
	wb_free(&rest);
	wb_free(&out);
}

/* NULL, or the error. */
static const char *
restore(struct bench *b, const void *archive, size_t len, size_t piece)
{
	static char error[512];
	struct snapshot_response a;
	struct wbuf out, rest;

	wb_init(&out, 0);
	put_request(&out, "dc1", false, SNAPSHOT_RESTORE);
	wb_bytes(&out, archive, len);
	ck_assert(talk(b, &out, piece, &a, &rest));
	ck_assert_uint_eq(rest.len, 0);
	ck_assert_uint_eq(a.index, 0);
	ck_assert(!a.known_leader);
	snprintf(error, sizeof(error), "%s", str_or(a.error, ""));
	schema_clear(&snapshot_response_schema, &a);
	wb_free(&rest);
	wb_free(&out);
	return *error == '\0' ? NULL : error;
}

START_TEST(speaks_as_recorded)
{
	struct snapshot_request q = { 0 };
	struct snapshot_response a = { .index = 150, .known_leader = true };
	struct wbuf w;
	uint8_t *hex, *bytes;
	size_t n, i, len;
	const char *names[] = { "rpc/snapshot-save.client.hex",
	    "rpc/snapshot-save.server.hex" };

	for (i = 0; i < 2; i++) {
		wb_init(&w, 0);
		if (i == 0) {
			wb_u8(&w, 5);
			q.datacenter = xstrdup("dc1");
			schema_encode(&snapshot_request_schema, &q, &w);
			schema_clear(&snapshot_request_schema, &q);
		} else
			schema_encode(&snapshot_response_schema, &a, &w);
		hex = vector(names[i], &n);
		bytes = xmalloc(n);
		for (len = 0, n = 0; hex[n] != '\0'; n++)
			if (hex[n] > ' ')
				hex[len++] = hex[n];
		ck_assert_uint_ge(len, 2 * w.len);
		ck_assert_int_eq(hex_decode((char *)hex, 2 * w.len, bytes), 0);
		ck_assert_int_eq(memcmp(bytes, w.p, w.len), 0);
		if (i == 0)
			ck_assert_uint_eq(len, 2 * w.len);
		free(hex);
		free(bytes);
		wb_free(&w);
	}
}
END_TEST

static const char *const archives[] = { "empty", "basic", "acl", "made" };

START_TEST(restores_what_real_servers_saved_and_saves_it)
{
	struct archive_meta m, before;
	struct wbuf state, again;
	struct archive_in *in = archive_in_new(1 << 20);
	struct bench b;
	const uint8_t *p;
	const char *why;
	uint8_t *snap;
	char name[64];
	size_t len, n;

	snprintf(name, sizeof(name), "snapshot/%s.snap", archives[_i]);
	snap = vector(name, &len);
	ck_assert_int_eq(archive_in_feed(in, snap, len), 0);
	ck_assert_int_eq(archive_in_end(in, &before, &p, &n), 0);
	setup(&b, true);
	why = restore(&b, snap, len, 300);
	ck_assert_msg(why == NULL, "%s", why);
	ck_assert_uint_eq(b.w.nnames, 1);
	save(&b, &m, &state);
	/* Later than all of it, and not less than it was. */
	ck_assert_uint_gt(m.index, before.index);
	ck_assert_uint_ge(state.len, n / 2);
	ck_assert_ptr_null(restore(&b, snap, len, 65536));
	archive_meta_clear(&m);
	wb_free(&state);
	save(&b, &m, &again);
	archive_meta_clear(&m);
	archive_meta_clear(&before);
	archive_in_free(in);
	wb_free(&again);
	free(snap);
	teardown(&b);
}
END_TEST

START_TEST(refuses_whole_with_the_reason)
{
	struct archive_meta m;
	struct wbuf before, after;
	struct bench b;
	uint8_t *snap;
	size_t len;

	snap = vector("snapshot/basic.snap", &len);
	setup(&b, true);
	ck_assert_ptr_null(restore(&b, snap, len, 65536));
	save(&b, &m, &before);
	archive_meta_clear(&m);
	ck_assert_str_eq(restore(&b, snap, len - 500, 400), "failed to read "
	    "snapshot file: failed to read or write snapshot data: "
	    "unexpected EOF");
	ck_assert_str_eq(restore(&b, "", 0, 1),
	    "failed to decompress snapshot: EOF");
	ck_assert_str_eq(restore(&b, "no archive at all", 17, 3),
	    "failed to decompress snapshot: gzip: invalid header");
	snap[len / 2] ^= 0x55;
	ck_assert_ptr_nonnull(restore(&b, snap, len, 65536));
	ck_assert_uint_eq(b.w.nnames, 1);
	save(&b, &m, &after);
	archive_meta_clear(&m);
	ck_assert_uint_eq(after.len, before.len);
	ck_assert_int_eq(memcmp(after.p, before.p, after.len), 0);
	wb_free(&before);
	wb_free(&after);
	free(snap);
	teardown(&b);
}
END_TEST

/* An archive that checks out, of records that do not. */
static void
pack(const void *p, size_t n, struct wbuf *out)
{
	struct archive_meta m = { .version = 1, .index = 7 };
	struct archive_out *a;
	struct wbuf state;

	wb_init(&state, 0);
	wb_init(out, 0);
	wb_bytes(&state, p, n);
	a = archive_out_new(&m, &state, 1);
	while (archive_out_next(a, out))
		;
	archive_out_free(a);
}

START_TEST(refuses_records_that_do_not_check_out)
{
	static const char broken[] = "\x81\xa9" "LastIndex\x07" "\x02" "\x81";
	struct wbuf out;
	struct bench b;
	const char *why;

	setup(&b, true);
	pack(broken, sizeof(broken) - 1, &out);
	why = restore(&b, out.p, out.len, 65536);
	ck_assert_msg(why != NULL && strncmp(why, "failed to restore "
	    "snapshot: ", 28) == 0, "%s", why);
	wb_free(&out);
	pack("", 0, &out);
	ck_assert_ptr_nonnull(restore(&b, out.p, out.len, 65536));
	wb_free(&out);
	ck_assert_uint_eq(b.w.nnames, 0);
	teardown(&b);
}
END_TEST

static const struct {
	const char *dc;
	bool stale;
	int64_t op;
	const char *why;
} requests[] = {
	{ "dc1", true, SNAPSHOT_RESTORE, "stale not allowed for restore" },
	{ "dc1", false, 7, "unrecognized snapshot op 7" },
};

START_TEST(refuses_requests)
{
	struct snapshot_response a;
	struct wbuf out, rest;
	struct bench b;

	setup(&b, true);
	wb_init(&out, 0);
	put_request(&out, requests[_i].dc, requests[_i].stale,
	    requests[_i].op);
	ck_assert(talk(&b, &out, 5, &a, &rest));
	ck_assert_str_eq(a.error, requests[_i].why);
	schema_clear(&snapshot_response_schema, &a);
	wb_free(&out);
	wb_free(&rest);
	teardown(&b);
}
END_TEST

START_TEST(what_is_no_request_is_closed)
{
	static const char *const bad[] = { "\xc1\xc1\xc1\xc1", "\x93\x01\x02\x03",
	    "GET / HTTP/1.1\r\n\r\n", "\x84" };
	struct snapshot_response a;
	struct wbuf out, rest;
	struct bench b;
	size_t i;

	setup(&b, true);
	for (i = 0; i < NELEM(bad); i++) {
		wb_init(&out, 0);
		wb_str(&out, bad[i]);
		ck_assert(!talk(&b, &out, 100, &a, &rest));
		wb_free(&out);
		wb_free(&rest);
	}
	ck_assert_uint_eq(exchanges_count(b.all), 0);
	teardown(&b);
}
END_TEST

START_TEST(a_client_joins_it_to_a_server)
{
	struct wbuf out;
	struct bench b;
	uint8_t buf[256];
	ssize_t n;
	int sv[2];

	setup(&b, false);
	wb_init(&out, 0);
	put_request(&out, "dc1", false, SNAPSHOT_RESTORE);
	wb_str(&out, "archive");
	open_one(&b);
	ck_assert_int_eq(write(b.fd, out.p, out.len), (ssize_t)out.len);
	world_run(&b.w, 20);
	ck_assert_str_eq(b.address, "*");
	ck_assert(b.dialled & EXCHANGE_DIAL);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    sv), 0);
	exchanges_dialed(b.all, b.dialled, sv[1], NULL);
	ck_assert_int_eq(write(b.fd, "more", 4), 4);
	shutdown(b.fd, SHUT_WR);
	world_run(&b.w, 20);
	n = read(sv[0], buf, sizeof(buf));
	ck_assert_int_eq(n, (ssize_t)out.len + 4);
	ck_assert_int_eq(memcmp(buf, out.p, out.len), 0);
	ck_assert_int_eq(memcmp(buf + out.len, "more", 4), 0);
	ck_assert_int_eq(read(sv[0], buf, sizeof(buf)), 0);
	ck_assert_int_eq(write(sv[0], "answer", 6), 6);
	close(sv[0]);
	world_run(&b.w, 20);
	ck_assert_int_eq(read(b.fd, buf, sizeof(buf)), 6);
	ck_assert_int_eq(read(b.fd, buf, sizeof(buf)), 0);
	wb_free(&out);
	teardown(&b);
}
END_TEST

START_TEST(a_server_that_is_not_reached_is_an_answer)
{
	struct wbuf out;
	struct bench b;
	uint8_t buf[256];

	setup(&b, false);
	wb_init(&out, 0);
	put_request(&out, "dc1", false, SNAPSHOT_SAVE);
	open_one(&b);
	ck_assert_int_eq(write(b.fd, out.p, out.len), (ssize_t)out.len);
	world_run(&b.w, 20);
	exchanges_dialed(b.all, b.dialled, -1, "No known Consul servers");
	world_run(&b.w, 20);
	ck_assert_int_gt(read(b.fd, buf, sizeof(buf)), 0);
	ck_assert_ptr_nonnull(memmem(buf, sizeof(buf),
	    "No known Consul servers", 23));
	wb_free(&out);
	teardown(&b);
}
END_TEST

START_TEST(another_datacenters_is_asked_of_a_server_of_it)
{
	char dc[300], buf[256];
	struct wbuf out;
	struct bench b;

	setup(&b, true);
	wb_init(&out, 0);
	put_request(&out, "dc2", false, SNAPSHOT_SAVE);
	open_one(&b);
	ck_assert_int_eq(write(b.fd, out.p, out.len), (ssize_t)out.len);
	world_run(&b.w, 20);
	ck_assert_str_eq(b.address, "*dc2");
	exchanges_dialed(b.all, b.dialled, -1, "No path to datacenter");
	world_run(&b.w, 20);
	ck_assert_int_gt(read(b.fd, buf, sizeof(buf)), 0);
	ck_assert_ptr_nonnull(memmem(buf, sizeof(buf),
	    "No path to datacenter", 21));
	/* No name is that long. */
	memset(dc, 'x', sizeof(dc));
	dc[sizeof(dc) - 1] = '\0';
	wb_reset(&out);
	put_request(&out, dc, false, SNAPSHOT_SAVE);
	b.address[0] = '\0';
	open_one(&b);
	ck_assert_int_eq(write(b.fd, out.p, out.len), (ssize_t)out.len);
	world_run(&b.w, 20);
	ck_assert_int_gt(read(b.fd, buf, sizeof(buf)), 0);
	ck_assert_ptr_nonnull(memmem(buf, sizeof(buf),
	    "No path to datacenter", 21));
	ck_assert_str_eq(b.address, "");
	wb_free(&out);
	teardown(&b);
}
END_TEST

/* ---- through the log ---- */

static void
entry(struct wbuf *w, uint8_t op, uint64_t id, const void *p, size_t n)
{
	wb_init(w, 0);
	wb_u8(w, ENTRY_RESTORE);
	wb_u8(w, op);
	wb_u64(w, id);
	wb_bytes(w, p, n);
}

static void
apply(struct server *srv, uint64_t index, struct wbuf *w)
{
	ck_assert(snapshot_apply(srv, index, w->p, w->len));
	wb_free(w);
}

static void
same_dump(struct server *a, struct server *b)
{
	struct wbuf da, db;

	wb_init(&da, 0);
	wb_init(&db, 0);
	snapshot_dump(a, &da);
	snapshot_dump(b, &db);
	ck_assert_uint_eq(da.len, db.len);
	ck_assert_int_eq(memcmp(da.p, db.p, da.len), 0);
	wb_free(&da);
	wb_free(&db);
}

START_TEST(a_snapshot_of_the_log_in_the_middle_of_a_restore)
{
	struct archive_in *in = archive_in_new(1 << 20);
	struct archive_meta m;
	struct wbuf e, head, dump;
	struct bench a, b;
	const uint8_t *p;
	const char *why;
	uint8_t *snap;
	size_t len, n;

	snap = vector("snapshot/basic.snap", &len);
	ck_assert_int_eq(archive_in_feed(in, snap, len), 0);
	ck_assert_int_eq(archive_in_end(in, &m, &p, &n), 0);
	setup(&a, true);
	setup(&b, true);
	wb_init(&head, 0);
	wb_u64(&head, 5000);
	wb_u64(&head, n);
	entry(&e, 0, 77, head.p, head.len);
	apply(a.w.srv, 10, &e);
	entry(&e, 1, 77, p, 3000);
	apply(a.w.srv, 11, &e);

	/* Another server gets no more than this and what follows. */
	wb_init(&dump, 0);
	snapshot_dump(a.w.srv, &dump);
	ck_assert_int_eq(snapshot_restore(b.w.srv, 11, dump.p, dump.len, &why),
	    0);
	same_dump(a.w.srv, b.w.srv);
	entry(&e, 1, 77, p + 3000, n - 3000);
	apply(a.w.srv, 12, &e);
	entry(&e, 1, 77, p + 3000, n - 3000);
	apply(b.w.srv, 12, &e);
	entry(&e, 2, 77, NULL, 0);
	apply(a.w.srv, 13, &e);
	entry(&e, 2, 77, NULL, 0);
	apply(b.w.srv, 13, &e);
	same_dump(a.w.srv, b.w.srv);
	ck_assert_uint_eq(snapshot_index(a.w.srv, 13), 5001);
	ck_assert_uint_eq(snapshot_index(b.w.srv, 14), 5002);
	ck_assert_ptr_nonnull(store_node(a.w.srv->store, "bare"));
	ck_assert_ptr_nonnull(store_node(b.w.srv->store, "bare"));

	/* Damaged ones leave everything as it is. */
	for (len = 0; len < 60; len++)
		ck_assert_int_eq(snapshot_restore(b.w.srv, 20, dump.p, len,
		    &why), -1);
	ck_assert_uint_eq(snapshot_index(b.w.srv, 14), 5002);
	wb_free(&dump);
	wb_free(&head);
	archive_meta_clear(&m);
	archive_in_free(in);
	free(snap);
	teardown(&a);
	teardown(&b);
}
END_TEST

START_TEST(pieces_that_do_not_belong_together_change_nothing)
{
	struct wbuf e, head, before;
	struct bench b;

	setup(&b, true);
	wb_init(&before, 0);
	store_dump(b.w.srv->store, &before);
	wb_init(&head, 0);
	wb_u64(&head, 5000);
	wb_u64(&head, 10);
	entry(&e, 1, 5, "stray", 5);
	apply(b.w.srv, 10, &e);
	entry(&e, 2, 5, NULL, 0);
	apply(b.w.srv, 11, &e);
	entry(&e, 0, 6, head.p, head.len);
	apply(b.w.srv, 12, &e);
	entry(&e, 1, 6, "more than was announced", 23);
	apply(b.w.srv, 13, &e);
	entry(&e, 1, 7, "another's", 9);
	apply(b.w.srv, 14, &e);
	entry(&e, 2, 6, NULL, 0);
	apply(b.w.srv, 15, &e);
	entry(&e, 0, 8, head.p, 3);
	apply(b.w.srv, 16, &e);
	entry(&e, 9, 8, NULL, 0);
	apply(b.w.srv, 17, &e);
	ck_assert_uint_eq(snapshot_index(b.w.srv, 18), 18);
	wb_reset(&head);
	store_dump(b.w.srv->store, &head);
	ck_assert_uint_eq(head.len, before.len);
	ck_assert_int_eq(memcmp(head.p, before.p, head.len), 0);
	wb_free(&head);
	wb_free(&before);
	teardown(&b);
}
END_TEST

int
main(void)
{
	TCase *t = unit_case("catalogd_exchange");

	tcase_add_test(t, speaks_as_recorded);
	tcase_add_loop_test(t, restores_what_real_servers_saved_and_saves_it,
	    0, NELEM(archives));
	tcase_add_test(t, refuses_whole_with_the_reason);
	tcase_add_test(t, refuses_records_that_do_not_check_out);
	tcase_add_loop_test(t, refuses_requests, 0, NELEM(requests));
	tcase_add_test(t, what_is_no_request_is_closed);
	tcase_add_test(t, a_client_joins_it_to_a_server);
	tcase_add_test(t, a_server_that_is_not_reached_is_an_answer);
	tcase_add_test(t, another_datacenters_is_asked_of_a_server_of_it);
	tcase_add_test(t, a_snapshot_of_the_log_in_the_middle_of_a_restore);
	tcase_add_test(t, pieces_that_do_not_belong_together_change_nothing);
	return unit_case_run("catalogd_exchange", t);
}
