/*
 * Happy paths: the request comes within REQUEST_MS.  A save is answered, then
 * the archive goes out, a slice whenever the last one has gone, and the end.
 * For a restore the archive is read to its end and looked at, then it goes
 * through the log, then comes the answer.
 *
 * Failures: a request that does not decode, or comes late, closes without an
 * answer; what is wrong with an archive is answered as soon as it is seen, and
 * the rest of it read and dropped, so that the answer gets through; a peer that
 * stands still is closed.  A restore that was begun goes on without its client.
 */
#include <bsd/sys/queue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "catalogd/exchange.h"
#include "common/archive.h"
#include "common/log.h"
#include "common/mp.h"
#include "common/relay.h"
#include "common/stream.h"
#include "common/util.h"

#define EXCHANGES_MAX	32
#define RESTORES_MAX	2		/* each holds a state */
#define SAVES_MAX	4
#define REQUEST_MS	10000
#define REQUEST_MAX	65536
#define STILL_MS	30000		/* nothing read and nothing sent */
#define RESTORE_MS	120000		/* the log takes its time */
#define OUT_HIGH	(256u << 10)
#define DIAL_TEXT_MAX	128		/* DIAL has 255 for it */

enum state {
	X_REQUEST, X_DIALLING, X_READING, X_RESTORING, X_SENDING, X_DROPPING
};

struct exchange {
	TAILQ_ENTRY(exchange)	 entry;
	struct exchanges	*all;
	struct stream		*s;
	enum state		 state;
	bool			 eof;		/* the peer has said all */
	char			 from[ADDR_TEXT_MAX];
	struct snapshot_request	 req;
	uint32_t		 dial;
	struct archive_in	*in;
	struct archive_out	*out;
};
TAILQ_HEAD(exchange_list, exchange);

struct exchanges {
	struct ev		*ev;
	struct server		*server;
	char			*dc;
	struct exchange_env	 env;
	struct exchange_list	 list;
	size_t			 n;
	uint32_t		 last_dial;
	struct relays		*relays;
};

static void
exchange_drop(struct exchange *x)
{
	if (x->all->server != NULL)
		server_restore_forget(x->all->server, x);
	stream_free(x->s);
	archive_in_free(x->in);
	archive_out_free(x->out);
	schema_clear(&snapshot_request_schema, &x->req);
	TAILQ_REMOVE(&x->all->list, x, entry);
	x->all->n--;
	free(x);
}

static size_t
count_state(const struct exchanges *all, enum state a, enum state b)
{
	const struct exchange	*x;
	size_t			 n = 0;

	TAILQ_FOREACH(x, &all->list, entry)
		n += x->state == a || x->state == b;
	return n;
}

/* ---- answers ---- */

static void
put_answer(struct exchange *x, const char *error, const struct query_meta *q)
{
	struct snapshot_response	r = { 0 };
	struct wbuf			w;

	r.error = (char *)(uintptr_t)str_or(error, "");
	if (q != NULL) {
		r.index = q->index;
		r.known_leader = q->known_leader;
		r.last_contact = q->last_contact;
	}
	wb_init(&w, 0);
	schema_encode(&snapshot_response_schema, &r, &w);
	stream_write(x->s, w.p, w.len);
	wb_free(&w);
}

/*
 * The end: what is queued goes out, what still comes is dropped.  The exchange
 * may be gone after it.
 */
static void
finish(struct exchange *x)
{
	x->state = X_DROPPING;
	if (x->eof) {
		stream_deadline(x->s, STILL_MS);
		stream_finish(x->s);
		x->s = NULL;
		exchange_drop(x);
		return;
	}
	archive_in_free(x->in);
	x->in = NULL;
	stream_deadline(x->s, STILL_MS);
	stream_resume(x->s);
	stream_shutdown(x->s);
}

static void
refuse(struct exchange *x, const char *error)
{
	log_info("snapshot: %s: refused: %s", x->from, error);
	put_answer(x, error, NULL);
	finish(x);
}

/* ---- save ---- */

static void
send_some(struct exchange *x)
{
	struct wbuf	w;
	bool		more = true;

	wb_init(&w, 0);
	while (more && w.len + stream_queued(x->s) < OUT_HIGH)
		more = archive_out_next(x->out, &w);
	stream_write(x->s, w.p, w.len);
	wb_free(&w);
	stream_deadline(x->s, STILL_MS);
	if (more)
		return;
	archive_out_free(x->out);
	x->out = NULL;
	finish(x);
}

static void
save(struct exchange *x)
{
	struct archive_meta	m;
	struct query_meta	q = { 0 };
	struct wbuf		state;

	if (count_state(x->all, X_SENDING, X_SENDING) >= SAVES_MAX) {
		refuse(x, "too many snapshots are being saved");
		return;
	}
	wb_init(&state, 0);
	server_snapshot(x->all->server, &m, &state);
	log_info("snapshot: %s: saving index %llu, %zu bytes of state",
	    x->from, (unsigned long long)m.index, state.len);
	q.index = m.index;
	server_freshness(x->all->server, &q);
	put_answer(x, NULL, &q);
	x->out = archive_out_new(&m, &state, ev_wall_ns() / NS_PER_S);
	archive_meta_clear(&m);
	x->state = X_SENDING;
	send_some(x);
}

/* ---- restore ---- */

static void
on_restored(const char *error, void *arg)
{
	struct exchange	*x = arg;

	if (error != NULL) {
		refuse(x, error);
		return;
	}
	log_info("snapshot: %s: restored", x->from);
	put_answer(x, NULL, NULL);
	finish(x);
}

static void
restore(struct exchange *x)
{
	struct archive_in	*in = x->in;
	struct archive_meta	 m;
	const uint8_t		*state;
	size_t			 len;
	char			 why[256];

	x->in = NULL;
	if (archive_in_end(in, &m, &state, &len) == -1) {
		refuse(x, archive_in_error(in));
		archive_in_free(in);
		return;
	}
	if (archive_meta_refusal(&m, len, why, sizeof(why)) != NULL)
		refuse(x, why);
	else {
		x->state = X_RESTORING;
		stream_deadline(x->s, RESTORE_MS);
		server_restore(x->all->server, m.index, state, len,
		    on_restored, x);
	}
	archive_meta_clear(&m);
	archive_in_free(in);
}

/* ---- the request ---- */

static void
dial(struct exchange *x, const char *address)
{
	struct exchanges	*all = x->all;

	x->dial = EXCHANGE_DIAL | ++all->last_dial;
	x->state = X_DIALLING;
	/* What follows is for whoever will be at the other end. */
	stream_pause(x->s);
	stream_deadline(x->s, STILL_MS);
	all->env.dial(x->dial, address, all->env.arg);
}

static void
dial_datacenter(struct exchange *x, const char *dc)
{
	char	 address[DIAL_TEXT_MAX];

	if ((size_t)snprintf(address, sizeof(address), "*%s", dc) >=
	    sizeof(address)) {
		refuse(x, "No path to datacenter");
		return;
	}
	dial(x, address);
}

static void
serve_here(struct exchange *x)
{
	if (x->req.op == SNAPSHOT_SAVE) {
		save(x);
		return;
	}
	if (count_state(x->all, X_READING, X_RESTORING) >= RESTORES_MAX) {
		refuse(x, "another snapshot is being restored");
		return;
	}
	x->in = archive_in_new(ARCHIVE_STATE_MAX);
	x->state = X_READING;
	stream_deadline(x->s, STILL_MS);
}

static void
on_request(struct exchange *x)
{
	const struct snapshot_request	*q = &x->req;
	struct exchanges		*all = x->all;
	char				 addr[ADDR_TEXT_MAX], text[64];
	int				 led;

	if (q->op == SNAPSHOT_RESTORE && q->allow_stale) {
		refuse(x, "stale not allowed for restore");
		return;
	}
	if (q->op != SNAPSHOT_SAVE && q->op != SNAPSHOT_RESTORE) {
		(void)snprintf(text, sizeof(text), "unrecognized snapshot op "
		    "%lld", (long long)q->op);
		refuse(x, text);
		return;
	}
	if (all->server == NULL) {
		dial(x, "*");
		return;
	}
	if (!str_empty(q->datacenter) && strcmp(q->datacenter, all->dc) != 0) {
		dial_datacenter(x, q->datacenter);
		return;
	}
	led = server_leader(all->server, addr, sizeof(addr));
	if (led == 1 || (q->op == SNAPSHOT_SAVE && q->allow_stale))
		serve_here(x);
	else if (led == 0)
		dial(x, addr);
	else
		refuse(x, "No cluster leader");
}

/* How much of it is the request; 0: it is not whole yet; -1: no request. */
static ssize_t
read_request(struct exchange *x, const uint8_t *p, size_t n)
{
	struct rbuf	r;
	const char	*why;
	size_t		 len;

	rb_init(&r, p, n);
	mp_skip(&r);
	if (!rb_ok(&r))
		return r.more && n < REQUEST_MAX ? 0 : -1;
	len = n - r.n;
	if (schema_decode_all(&snapshot_request_schema, p, len, &x->req,
	    &why) == -1)
		return -1;
	return (ssize_t)len;
}

/* ---- the connection ---- */

static size_t
on_data(struct stream *s, const uint8_t *p, size_t n, void *arg)
{
	struct exchange	*x = arg;
	ssize_t		 used;

	switch (x->state) {
	case X_REQUEST:
		used = read_request(x, p, n);
		if (used == -1) {
			log_info("snapshot: %s: closed: malformed request",
			    x->from);
			exchange_drop(x);
			return n;
		}
		if (used > 0) {
			stream_limit(s, 0);
			on_request(x);
		}
		return (size_t)used;
	case X_READING:
		stream_deadline(s, STILL_MS);
		if (archive_in_feed(x->in, p, n) == -1)
			refuse(x, archive_in_error(x->in));
		return n;
	case X_DIALLING:
		return 0;	/* it is paused */
	case X_RESTORING:
	case X_SENDING:
	case X_DROPPING:
		break;
	}
	return n;
}

static void
on_drained(struct stream *s, void *arg)
{
	struct exchange	*x = arg;

	(void)s;
	if (x->state == X_SENDING)
		send_some(x);
}

static void
on_eof(struct stream *s, void *arg)
{
	struct exchange	*x = arg;

	(void)s;
	x->eof = true;
	if (x->state == X_READING)
		restore(x);
	else if (x->state == X_REQUEST)
		exchange_drop(x);
	else if (x->state == X_DROPPING) {
		/* Both have said all. */
		stream_finish(x->s);
		x->s = NULL;
		exchange_drop(x);
	}
}

static void
on_closed(struct stream *s, const char *why, void *arg)
{
	struct exchange	*x = arg;

	(void)s;
	if (x->state != X_DROPPING)
		log_info("snapshot: %s: closed: %s", x->from,
		    str_or(why, "EOF"));
	exchange_drop(x);
}

static const struct stream_ops stream_ops = {
	.data = on_data, .drained = on_drained, .closed = on_closed
};
static const struct stream_ops no_ops;

void
exchanges_serve(struct exchanges *all, int fd, const char *from)
{
	struct exchange	*x;

	if (all->n >= EXCHANGES_MAX) {
		log_warnx("snapshot: %s: closed: too many at once", from);
		close(fd);
		return;
	}
	x = xcalloc(1, sizeof(*x));
	x->all = all;
	(void)snprintf(x->from, sizeof(x->from), "%s", from);
	TAILQ_INSERT_TAIL(&all->list, x, entry);
	all->n++;
	x->s = stream_new(all->ev, fd, &stream_ops, x);
	stream_on_eof(x->s, on_eof);
	stream_limit(x->s, REQUEST_MAX);
	stream_deadline(x->s, REQUEST_MS);
}

void
exchanges_dialed(struct exchanges *all, uint32_t id, int fd, const char *why)
{
	struct exchange	*x;
	struct stream	*there;
	struct wbuf	 w;

	TAILQ_FOREACH(x, &all->list, entry)
		if (x->state == X_DIALLING && x->dial == id)
			break;
	if (x == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	if (fd == -1) {
		refuse(x, why);
		return;
	}
	there = stream_new(all->ev, fd, &no_ops, NULL);
	wb_init(&w, 0);
	schema_encode(&snapshot_request_schema, &x->req, &w);
	stream_write(there, w.p, w.len);
	wb_free(&w);
	relay_join(all->relays, there, x->s);
	x->s = NULL;
	exchange_drop(x);
}

void
exchanges_dials_lost(struct exchanges *all)
{
	struct exchange	*x, *next;

	TAILQ_FOREACH_SAFE(x, &all->list, entry, next)
		if (x->state == X_DIALLING)
			refuse(x, "rpc error: the connection was lost");
}

struct exchanges *
exchanges_new(struct ev *ev, struct server *server, const char *datacenter,
    const struct exchange_env *env)
{
	struct exchanges	*all = xcalloc(1, sizeof(*all));

	all->ev = ev;
	all->server = server;
	all->dc = xstrdup(datacenter);
	all->env = *env;
	TAILQ_INIT(&all->list);
	all->relays = relays_new(ev);
	return all;
}

void
exchanges_free(struct exchanges *all)
{
	if (all == NULL)
		return;
	while (!TAILQ_EMPTY(&all->list))
		exchange_drop(TAILQ_FIRST(&all->list));
	relays_free(all->relays);
	free(all->dc);
	free(all);
}

size_t
exchanges_count(const struct exchanges *all)
{
	return all->n;
}
