/*
 * The bytes between servers: see raft_wire.h.
 */
#include "catalogd/raft_wire.h"

#include <raft.h>

#include <stdlib.h>
#include <string.h>

#include "common/util.h"

#define HELLO_MAGIC "DISCORFT"
#define HELLO_HEAD 35
#define ENTRY_HEAD 13
#define CONF_SERVERS_MAX 64
#define CONF_ADDRESS_MAX 256

/* ---- hello ---- */

void
peer_hello_encode(struct wbuf *w, const struct peer_hello *h)
{
	wb_bytes(w, HELLO_MAGIC, 8);
	wb_u8(w, PEER_VERSION);
	wb_u8(w, (uint8_t)strlen(h->datacenter));
	wb_u8(w, (uint8_t)strlen(h->address));
	wb_u64(w, h->from);
	wb_u64(w, h->to);
	wb_u64(w, h->cluster);
	wb_str(w, h->datacenter);
	wb_str(w, h->address);
}

static bool
get_text(struct rbuf *r, size_t n, char *out)
{
	memcpy(out, rb_bytes(r, n), n);
	out[n] = '\0';
	return strlen(out) == n;
}

int
peer_hello_decode(const uint8_t *p, size_t n, struct peer_hello *h)
{
	struct rbuf r;
	size_t dc, addr;

	if (memcmp(p, HELLO_MAGIC, n < 8 ? n : 8) != 0 ||
	    (n > 8 && p[8] != PEER_VERSION))
		return -1;
	if (n < HELLO_HEAD || n < (size_t)HELLO_HEAD + p[9] + p[10])
		return 0;
	rb_init(&r, p + 9, n - 9);
	dc = rb_u8(&r);
	addr = rb_u8(&r);
	h->from = rb_u64(&r);
	h->to = rb_u64(&r);
	h->cluster = rb_u64(&r);
	if (!get_text(&r, dc, h->datacenter) ||
	    !get_text(&r, addr, h->address) || h->from == 0 || h->to == 0)
		return -1;
	return (int)(HELLO_HEAD + dc + addr);
}

/* ---- messages ---- */

/* Which numbers each type has, in their order. */
enum field {
	F_END, F_TERM, F_INDEX, F_INDEX_TERM, F_COMMIT, F_REJECTED,
	F_CANDIDATE, F_SIZE, F_OFFSET, F_NUMBER, F_FLAGS, F_ENTRIES, F_DATA
};
#define FIELDS_MAX 6
static const enum field fields[][FIELDS_MAX] = {
	[PEER_APPEND] = { F_TERM, F_INDEX, F_INDEX_TERM, F_COMMIT, F_ENTRIES },
	[PEER_APPENDED] = { F_TERM, F_REJECTED, F_INDEX },
	[PEER_VOTE] = { F_TERM, F_CANDIDATE, F_INDEX, F_INDEX_TERM, F_FLAGS },
	[PEER_VOTED] = { F_TERM, F_FLAGS },
	[PEER_TIMEOUT_NOW] = { F_TERM, F_INDEX, F_INDEX_TERM },
	[PEER_SNAP_BEGIN] = { F_TERM, F_INDEX, F_INDEX_TERM, F_SIZE },
	[PEER_SNAP_DATA] = { F_OFFSET, F_DATA },
	[PEER_CONFIRM] = { F_TERM, F_NUMBER },
	[PEER_CONFIRMED] = { F_TERM, F_NUMBER },
};

static uint64_t *
number(struct peer_msg *m, enum field f)
{
	switch (f) {
	case F_TERM:
		return &m->term;
	case F_INDEX:
		return &m->index;
	case F_INDEX_TERM:
		return &m->index_term;
	case F_COMMIT:
		return &m->commit;
	case F_REJECTED:
		return &m->rejected;
	case F_CANDIDATE:
		return &m->candidate;
	case F_SIZE:
		return &m->size;
	case F_OFFSET:
		return &m->offset;
	case F_NUMBER:
		return &m->number;
	case F_END:
	case F_FLAGS:
	case F_ENTRIES:
	case F_DATA:
		break;
	}
	return NULL;
}

static void
put_entries(struct wbuf *w, const struct peer_msg *m)
{
	size_t i;

	wb_u32(w, (uint32_t)m->n);
	for (i = 0; i < m->n; i++) {
		wb_u64(w, m->entry[i].term);
		wb_u8(w, m->entry[i].type);
		wb_u32(w, (uint32_t)m->entry[i].len);
		wb_bytes(w, m->entry[i].p, m->entry[i].len);
	}
}

void
peer_msg_encode(struct wbuf *w, const struct peer_msg *msg)
{
	struct peer_msg m = *msg;
	const enum field *f = fields[m.type];
	size_t at = w->len;
	uint32_t len;
	int i;

	wb_u32(w, 0);
	wb_u8(w, (uint8_t)m.type);
	for (i = 0; i < FIELDS_MAX && f[i] != F_END; i++) {
		if (f[i] == F_FLAGS)
			wb_u8(w, m.flags);
		else if (f[i] == F_ENTRIES)
			put_entries(w, &m);
		else if (f[i] == F_DATA)
			wb_bytes(w, m.data, m.len);
		else
			wb_u64(w, *number(&m, f[i]));
	}
	len = (uint32_t)(w->len - at - 4);
	w->p[at] = (uint8_t)(len >> 24);
	w->p[at + 1] = (uint8_t)(len >> 16);
	w->p[at + 2] = (uint8_t)(len >> 8);
	w->p[at + 3] = (uint8_t)len;
}

static void
get_entries(struct rbuf *r, struct peer_msg *m)
{
	uint32_t n = rb_u32(r), i;
	struct log_entry *e;

	if (n > PEER_ENTRIES_MAX || n > r->n / ENTRY_HEAD) {
		rb_fail(r, "too many entries");
		return;
	}
	if (n == 0)
		return;
	m->entry = xcalloc(n, sizeof(*m->entry));
	m->n = n;
	for (i = 0; i < n && rb_ok(r); i++) {
		e = &m->entry[i];
		e->index = m->index + 1 + i;
		e->term = rb_u64(r);
		e->type = rb_u8(r);
		e->len = rb_u32(r);
		e->p = rb_bytes(r, e->len);
		if (!rb_ok(r))
			break;
		if (e->term == 0 || e->term > m->term ||
		    e->len > LOG_ENTRY_MAX || e->type < RAFT_COMMAND ||
		    e->type > RAFT_CHANGE)
			rb_fail(r, "bad entry");
		else if (e->type == RAFT_CHANGE &&
		    !peer_conf_valid(e->p, e->len))
			rb_fail(r, "bad membership");
	}
}

long
peer_msg_decode(const uint8_t *p, size_t n, struct peer_msg *m,
    const char **why)
{
	const enum field *f;
	struct rbuf r;
	uint32_t len;
	uint8_t type;
	int i;

	memset(m, 0, sizeof(*m));
	if (n < PEER_HEAD)
		return 0;
	rb_init(&r, p, n);
	len = rb_u32(&r);
	type = rb_u8(&r);
	*why = "a length or type that is none";
	if (len == 0 || len > PEER_MSG_MAX || type == 0 ||
	    type >= NELEM(fields))
		return -1;
	if (n - 4 < len)
		return 0;
	rb_init(&r, p + PEER_HEAD, len - 1);
	m->type = (enum peer_type)type;
	f = fields[type];
	for (i = 0; i < FIELDS_MAX && f[i] != F_END; i++) {
		if (f[i] == F_FLAGS)
			m->flags = rb_u8(&r);
		else if (f[i] == F_ENTRIES)
			get_entries(&r, m);
		else if (f[i] == F_DATA) {
			m->len = r.n;
			m->data = rb_bytes(&r, r.n);
		} else
			*number(m, f[i]) = rb_u64(&r);
	}
	/* Indexes that leave no room to count on are nobody's. */
	if (rb_done(&r) && (m->index | m->commit | m->size | m->offset |
	    m->term | m->index_term | m->rejected) >> 62 == 0)
		return 4 + (long)len;
	*why = r.err != NULL ? r.err : "a malformed message";
	peer_msg_clear(m);
	return -1;
}

void
peer_msg_clear(struct peer_msg *m)
{
	free(m->entry);
	m->entry = NULL;
	m->n = 0;
}

/* ---- membership ---- */

/* libraft's own decoder looks beyond the end: this one goes before. */
static bool
conf_bounded(const uint8_t *p, size_t n)
{
	const uint8_t *nul;
	uint64_t count = 0;
	size_t i;

	if (n < 9 || p[0] != 1)
		return false;
	for (i = 0; i < 8; i++)
		count |= (uint64_t)p[1 + i] << (8 * i);
	if (count == 0 || count > CONF_SERVERS_MAX)
		return false;
	p += 9;
	n -= 9;
	for (; count > 0; count--) {
		if (n < 8 || (nul = memchr(p + 8, 0, n - 8)) == NULL ||
		    nul - (p + 8) > CONF_ADDRESS_MAX)
			return false;
		n -= (size_t)(nul + 1 - p);
		p = nul + 1;
		if (n < 1 || *p > RAFT_SPARE)
			return false;
		p++;
		n--;
	}
	return n < 8;	/* padded to words */
}

bool
peer_conf_valid(const uint8_t *p, size_t n)
{
	struct raft_configuration conf;
	struct raft_buffer buf;
	int rc;

	if (!conf_bounded(p, n))
		return false;
	buf.base = memcpy(xcalloc(1, n + 8), p, n);
	buf.len = n;
	/* It also knows ids and addresses that are there twice. */
	rc = raft_configuration_decode(&buf, &conf);
	if (rc == 0)
		raft_configuration_close(&conf);
	free(buf.base);
	return rc == 0;
}
