/*
 * Connections between servers: see raft_peers.h.
 *
 * Happy path out: a message is to go, dial, hello, messages from then on.  What
 * is small waits while we dial, for a vote that is lost costs an election's
 * time; entries do not, the consensus repeats them.  In: hello within its time,
 * then messages.
 *
 * Failures: no connection (asked for again, with a growing pause); a hello of
 * another datacenter, another cluster or to another server than we are, or a
 * malformed message, which all close the connection and are logged; a server
 * that does not read, to whom no more entries go until it does.
 */
#include "catalogd/raft_peers.h"

#include <bsd/string.h>
#include <bsd/sys/queue.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/stream.h"
#include "common/util.h"

#define HELLO_MS 5000
#define RETRY_MIN_MS 50
#define RETRY_MAX_MS 1000
#define UP_MS 3000		/* a connection that lived */
#define REFUSED_MS 60000	/* between two lines about it */
#define DIAL_MAX_MS 15000	/* rpcd answers sooner */
#define IN_MAX 64		/* connections */
#define WAITING_MAX 4096	/* bytes */
#define OUT_HIGH (8u << 20)	/* queued: no more entries */
#define SNAP_LOW (1u << 20)	/* queued: the next piece of a snapshot */
#define SNAP_AGAIN_MS 5000	/* not sent again before */
#define SNAP_MAX ((uint64_t)4 << 30)

enum out_state { OUT_IDLE, OUT_DIALING, OUT_UP };

struct out {
	LIST_ENTRY(out)	 entry;
	struct peers	*peers;
	uint64_t	 id;
	enum out_state	 state;
	struct stream	*stream;
	uint32_t	 dial;
	uint64_t	 dialed_ms, up_ms;
	uint64_t	 retry_ms;	/* not before */
	unsigned	 pause_ms;
	bool		 said;		/* that there is no connection */
	bool		 said_up;	/* that there is one */
	char		 address[ADDR_TEXT_MAX];
	struct wbuf	 waiting;	/* while dialling */
	/* a snapshot on its way */
	int		 fd;		/* -1: none */
	uint64_t	 snap_index, size, offset;
	uint64_t	 sent_ms;	/* the end of the last one; 0: none */
};

struct in {
	LIST_ENTRY(in)	 entry;
	struct peers	*peers;
	struct stream	*stream;
	char		 text[ADDR_TEXT_MAX];
	uint64_t	 from;		/* 0: no hello yet */
	uint64_t	 cluster;
	void		*snap;		/* under way; NULL: none */
	uint64_t	 snap_size, snap_len, snap_term;
};

/* Where those who spoke to us said they are. */
struct known {
	LIST_ENTRY(known) entry;
	uint64_t	 id;
	char		 address[ADDR_TEXT_MAX];
};

struct peers {
	struct ev	*ev;
	struct peers_ops ops;
	struct peer_hello self;
	LIST_HEAD(, out) outs;
	LIST_HEAD(, in)	 ins;
	LIST_HEAD(, known) knowns;
	size_t		 nin, nknown;
	uint32_t	 dials;
	uint64_t	 refused_ms;	/* when that was last said; 0: never */
};

struct peers *
peers_new(struct ev *ev, uint64_t self, const char *datacenter,
    const char *address, const struct peers_ops *ops)
{
	struct peers *p;

	p = xcalloc(1, sizeof(*p));
	p->ev = ev;
	p->ops = *ops;
	p->self.from = self;
	(void)strlcpy(p->self.datacenter, datacenter,
	    sizeof(p->self.datacenter));
	(void)strlcpy(p->self.address, address, sizeof(p->self.address));
	LIST_INIT(&p->outs);
	LIST_INIT(&p->ins);
	LIST_INIT(&p->knowns);
	return p;
}

void
peers_set_cluster(struct peers *p, uint64_t cluster)
{
	p->self.cluster = cluster;
}

/* ---- out ---- */

static struct out *
out_find(struct peers *p, uint64_t id)
{
	struct out *o;

	LIST_FOREACH(o, &p->outs, entry)
		if (o->id == id)
			return o;
	return NULL;
}

static struct out *
out_get(struct peers *p, uint64_t id)
{
	struct out *o;

	if ((o = out_find(p, id)) != NULL)
		return o;
	o = xcalloc(1, sizeof(*o));
	o->peers = p;
	o->id = id;
	o->fd = -1;
	wb_init(&o->waiting, 0);
	LIST_INSERT_HEAD(&p->outs, o, entry);
	return o;
}

static void
snap_end(struct out *o)
{
	if (o->fd != -1)
		close(o->fd);
	o->fd = -1;
}

/* There is no connection: when is the next try? */
static void
out_down(struct out *o, const char *why)
{
	if (!o->said)
		log_warnx("raft: server %s: no connection: %s", o->address,
		    why);
	o->said = true;
	o->state = OUT_IDLE;
	o->sent_ms = 0;
	wb_reset(&o->waiting);
	snap_end(o);
	o->pause_ms = o->pause_ms == 0 ? RETRY_MIN_MS : o->pause_ms * 2;
	if (o->pause_ms > RETRY_MAX_MS)
		o->pause_ms = RETRY_MAX_MS;
	o->retry_ms = ev_now(o->peers->ev) + o->pause_ms;
}

static void
out_free(struct out *o)
{
	snap_end(o);
	stream_free(o->stream);
	wb_free(&o->waiting);
	LIST_REMOVE(o, entry);
	free(o);
}

static bool
known_where(const struct peers *p, uint64_t id, char *buf, size_t len)
{
	struct known *k;

	LIST_FOREACH(k, &p->knowns, entry)
		if (k->id == id) {
			(void)strlcpy(buf, k->address, len);
			return true;
		}
	return false;
}

static void
out_dial(struct out *o)
{
	struct peers *p = o->peers;

	if (ev_now(p->ev) < o->retry_ms)
		return;
	if (!p->ops.where(o->id, o->address, sizeof(o->address),
	    p->ops.arg) && !known_where(p, o->id, o->address,
	    sizeof(o->address)))
		return;
	o->state = OUT_DIALING;
	o->dial = ++p->dials;
	o->dialed_ms = ev_now(p->ev);
	p->ops.dial(o->dial, o->address, p->ops.arg);
}

/* The next piece of a snapshot, when there is room for it. */
static void
snap_pump(struct out *o)
{
	struct peer_msg m;
	struct wbuf w;
	uint8_t *buf;
	ssize_t n;

	if (o->fd == -1 || o->state != OUT_UP)
		return;
	buf = xmalloc(PEER_CHUNK);
	while (o->fd != -1 && stream_queued(o->stream) < SNAP_LOW) {
		n = pread(o->fd, buf, PEER_CHUNK, (off_t)o->offset);
		if (n <= 0) {
			log_warnx("raft: server %s: snapshot cannot be read",
			    o->address);
			snap_end(o);
			break;
		}
		memset(&m, 0, sizeof(m));
		m.type = PEER_SNAP_DATA;
		m.offset = o->offset;
		m.data = buf;
		m.len = (size_t)n;
		wb_init(&w, 0);
		peer_msg_encode(&w, &m);
		stream_write(o->stream, w.p, w.len);
		wb_free(&w);
		o->offset += (uint64_t)n;
		if (o->offset < o->size)
			continue;
		snap_end(o);
		o->sent_ms = ev_now(o->peers->ev);
		log_info("raft: server %s: snapshot at index %llu sent",
		    o->address, (unsigned long long)o->snap_index);
	}
	free(buf);
}

static size_t
on_out_data(struct stream *s, const uint8_t *p, size_t n, void *arg)
{
	struct out *o = arg;

	(void)s;
	(void)p;
	/* Nobody answers on it. */
	log_warnx("raft: server %s: unasked bytes", o->address);
	return n;
}

static void
on_out_drained(struct stream *s, void *arg)
{
	(void)s;
	snap_pump(arg);
}

static void
on_out_closed(struct stream *s, const char *why, void *arg)
{
	struct out *o = arg;

	stream_free(s);
	o->stream = NULL;
	/* It worked until now: the next try may come soon. */
	if (ev_now(o->peers->ev) - o->up_ms > UP_MS) {
		o->pause_ms = 0;
		o->said = o->said_up = false;
	} else if (why == NULL)
		why = "closed by the other side at once: its log says why";
	out_down(o, why == NULL ? "closed by the other side" : why);
}

static const struct stream_ops out_ops = {
	.data = on_out_data, .drained = on_out_drained, .closed = on_out_closed
};

void
peers_dialed(struct peers *p, uint32_t id, int fd, const char *why)
{
	struct peer_hello h = p->self;
	struct out *o;
	struct wbuf w;

	LIST_FOREACH(o, &p->outs, entry)
		if (o->state == OUT_DIALING && o->dial == id)
			break;
	if (o == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	if (fd == -1) {
		out_down(o, why);
		return;
	}
	o->state = OUT_UP;
	o->stream = stream_new(p->ev, fd, &out_ops, o);
	h.to = o->id;
	wb_init(&w, 0);
	peer_hello_encode(&w, &h);
	stream_write(o->stream, w.p, w.len);
	wb_free(&w);
	stream_write(o->stream, o->waiting.p, o->waiting.len);
	wb_reset(&o->waiting);
	o->up_ms = ev_now(p->ev);
	if (!o->said_up)
		log_info("raft: server %s: connected", o->address);
	o->said_up = true;
}

void
peers_dials_lost(struct peers *p)
{
	struct out *o;

	LIST_FOREACH(o, &p->outs, entry)
		if (o->state == OUT_DIALING)
			out_down(o, "rpcd is away");
}

void
peers_send(struct peers *p, uint64_t to, const struct peer_msg *m)
{
	struct out *o = out_get(p, to);
	struct wbuf w;

	if (o->state == OUT_DIALING &&
	    ev_now(p->ev) - o->dialed_ms > DIAL_MAX_MS)
		out_down(o, "timed out");
	if (o->state == OUT_IDLE)
		out_dial(o);
	if (o->state == OUT_DIALING && m->type != PEER_APPEND &&
	    o->waiting.len < WAITING_MAX)
		peer_msg_encode(&o->waiting, m);
	if (o->state != OUT_UP ||
	    (m->n > 0 && stream_queued(o->stream) > OUT_HIGH))
		return;
	wb_init(&w, 0);
	peer_msg_encode(&w, m);
	stream_write(o->stream, w.p, w.len);
	wb_free(&w);
}

void
peers_connect(struct peers *p, uint64_t to)
{
	struct out *o = out_get(p, to);

	if (o->state == OUT_IDLE)
		out_dial(o);
}

bool
peers_snapshot_busy(struct peers *p, uint64_t to, uint64_t index)
{
	struct out *o = out_find(p, to);

	return o == NULL || o->state != OUT_UP || o->fd != -1 ||
	    (o->sent_ms != 0 && o->snap_index == index &&
	    ev_now(p->ev) - o->sent_ms < SNAP_AGAIN_MS);
}

void
peers_send_snapshot(struct peers *p, uint64_t to,
    const struct peer_msg *begin, int fd)
{
	struct out *o = out_get(p, to);

	if (peers_snapshot_busy(p, to, begin->index)) {
		close(fd);
		return;
	}
	log_info("raft: server %s: sending it the snapshot at index %llu, "
	    "%llu bytes", o->address, (unsigned long long)begin->index,
	    (unsigned long long)begin->size);
	o->fd = fd;
	o->snap_index = begin->index;
	o->size = begin->size;
	o->offset = 0;
	peers_send(p, to, begin);
	snap_pump(o);
}

void
peers_only(struct peers *p, const uint64_t *server, size_t n)
{
	struct out *o, *next;
	size_t i;

	LIST_FOREACH_SAFE(o, &p->outs, entry, next) {
		for (i = 0; i < n && server[i] != o->id; i++)
			;
		if (i == n)
			out_free(o);
	}
}

size_t
peers_count(const struct peers *p)
{
	struct out *o;
	size_t n = 0;

	LIST_FOREACH(o, &p->outs, entry)
		n++;
	return n;
}

/* ---- in ---- */

static void
in_snap_drop(struct in *i)
{
	if (i->snap != NULL)
		i->peers->ops.snap_drop(i->snap);
	i->snap = NULL;
}

static void
in_free(struct in *i)
{
	LIST_REMOVE(i, entry);
	i->peers->nin--;
	in_snap_drop(i);
	stream_free(i->stream);
	free(i);
}

static void
learn(struct peers *p, const struct peer_hello *h)
{
	struct known *k;

	LIST_FOREACH(k, &p->knowns, entry)
		if (k->id == h->from)
			break;
	if (k == NULL) {
		if (p->nknown == IN_MAX)
			return;
		k = xcalloc(1, sizeof(*k));
		k->id = h->from;
		LIST_INSERT_HEAD(&p->knowns, k, entry);
		p->nknown++;
	}
	(void)strlcpy(k->address, h->address, sizeof(k->address));
}

/* NULL, or why we do not listen to it. */
static const char *
refusal(const struct peers *p, const struct peer_hello *h)
{
	if (strcmp(h->datacenter, p->self.datacenter) != 0)
		return "it is of another datacenter";
	if (h->to != p->self.from)
		return "it is for the server that was here before";
	if (h->from == p->self.from)
		return "it has this server's own id";
	if (h->cluster != 0 && p->self.cluster != 0 &&
	    h->cluster != p->self.cluster)
		return "its servers began apart from ours, with another log";
	return NULL;
}

/* It will try again, and again: now and then is enough. */
static void
say_refused(struct peers *p, const char *who, const char *why)
{
	uint64_t now = ev_now(p->ev);

	if (p->refused_ms != 0 && now - p->refused_ms < REFUSED_MS)
		return;
	p->refused_ms = now;
	log_warnx("raft: connection from %s: closed: %s", who, why);
}

static int
on_hello(struct in *i, const uint8_t *p, size_t n)
{
	struct peers *peers = i->peers;
	struct peer_hello h;
	struct in *j, *next;
	const char *why;
	int took;

	if ((took = peer_hello_decode(p, n, &h)) == 0)
		return 0;
	why = took == -1 ? "it is no server of disco, or of another version" :
	    refusal(peers, &h);
	if (why != NULL) {
		say_refused(peers, i->text, why);
		return -1;
	}
	LIST_FOREACH_SAFE(j, &peers->ins, entry, next)
		if (j != i && j->from == h.from)
			in_free(j);
	i->from = h.from;
	i->cluster = h.cluster;
	learn(peers, &h);
	stream_deadline(i->stream, 0);
	stream_limit(i->stream, PEER_MSG_MAX + 64);
	return took;
}

static const char *
on_snap_begin(struct in *i, const struct peer_msg *m)
{
	struct in *j;

	if (m->size == 0 || m->size > SNAP_MAX)
		return "a snapshot of impossible size";
	/* There is room for one: who leads now is who began last. */
	LIST_FOREACH(j, &i->peers->ins, entry)
		in_snap_drop(j);
	i->snap = i->peers->ops.snap_begin(m->size, i->peers->ops.arg);
	if (i->snap == NULL)
		return "there is no room for its snapshot";
	i->snap_size = m->size;
	i->snap_len = 0;
	i->snap_term = m->term;
	log_info("raft: snapshot at index %llu coming from %s: %llu bytes",
	    (unsigned long long)m->index, i->text,
	    (unsigned long long)m->size);
	return NULL;
}

static const char *
on_snap_data(struct in *i, const struct peer_msg *m)
{
	void *whole = i->snap;

	if (i->snap == NULL || m->offset != i->snap_len ||
	    m->len > i->snap_size - i->snap_len)
		return "a piece of a snapshot that is not the next";
	if (i->peers->ops.snap_add(i->snap, m->data, m->len) == -1)
		return "its snapshot cannot be written";
	i->snap_len += m->len;
	if (i->snap_len < i->snap_size)
		return NULL;
	i->snap = NULL;
	i->peers->ops.snap_done(i->from, i->snap_term, whole,
	    i->peers->ops.arg);
	return NULL;
}

static const char *
on_message(struct in *i, const struct peer_msg *m)
{
	struct peers *p = i->peers;

	/* Who is sent a log belongs to the cluster that has it. */
	if (p->self.cluster == 0 && i->cluster != 0 &&
	    (m->n > 0 || m->type == PEER_SNAP_BEGIN))
		p->ops.cluster(i->cluster, p->ops.arg);
	if (m->type == PEER_SNAP_BEGIN)
		return on_snap_begin(i, m);
	if (m->type == PEER_SNAP_DATA)
		return on_snap_data(i, m);
	p->ops.receive(i->from, m, p->ops.arg);
	return NULL;
}

static size_t
on_in_data(struct stream *s, const uint8_t *p, size_t n, void *arg)
{
	struct in *i = arg;
	struct peer_msg m;
	const char *why = NULL;
	long took;

	(void)s;
	if (i->from == 0) {
		if ((took = on_hello(i, p, n)) >= 0)
			return (size_t)took;
		in_free(i);
		return n;
	}
	took = peer_msg_decode(p, n, &m, &why);
	if (took == 0)
		return 0;
	if (took > 0) {
		why = on_message(i, &m);
		peer_msg_clear(&m);
	}
	if (took > 0 && why == NULL)
		return (size_t)took;
	log_warnx("raft: connection from %s: closed: %s", i->text, why);
	in_free(i);
	return n;
}

static void
on_in_closed(struct stream *s, const char *why, void *arg)
{
	struct in *i = arg;

	(void)s;
	log_debug("raft: connection from %s: closed: %s", i->text,
	    str_or(why, "EOF"));
	in_free(i);
}

static const struct stream_ops in_ops = {
	.data = on_in_data, .closed = on_in_closed
};

void
peers_accept(struct peers *p, int fd, const char *from)
{
	struct in *i;

	if (p->nin >= IN_MAX) {
		log_warnx("raft: connection from %s: closed: too many", from);
		close(fd);
		return;
	}
	i = xcalloc(1, sizeof(*i));
	i->peers = p;
	(void)strlcpy(i->text, from, sizeof(i->text));
	LIST_INSERT_HEAD(&p->ins, i, entry);
	p->nin++;
	i->stream = stream_new(p->ev, fd, &in_ops, i);
	stream_deadline(i->stream, HELLO_MS);
}

void
peers_free(struct peers *p)
{
	struct known *k;

	if (p == NULL)
		return;
	while (!LIST_EMPTY(&p->outs))
		out_free(LIST_FIRST(&p->outs));
	while (!LIST_EMPTY(&p->ins))
		in_free(LIST_FIRST(&p->ins));
	while ((k = LIST_FIRST(&p->knowns)) != NULL) {
		LIST_REMOVE(k, entry);
		free(k);
	}
	free(p);
}
