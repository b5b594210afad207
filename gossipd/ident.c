/*
 * The store of identities.  Who is alive and since when is swim.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "gossipd/ident.h"

#define BUCKETS_MIN 64u

LIST_HEAD(ident_list, ident);

struct name {
	struct ident_list	 idents;	/* empty: the number is free */
	uint32_t		 hash;
	uint32_t		 next;		/* in its bucket, or free */
};

struct idents {
	uint64_t	 key[2];		/* of the hash */
	struct name	*names;
	uint32_t	 n, cap, used, free;
	uint32_t	*bucket;
	uint32_t	 nbuckets;		/* a power of two */
};

struct gaddr
gaddr_of(struct span ip, uint16_t port)
{
	struct gaddr	a = { .port = port };

	if (ip.n == 4 || ip.n == 16) {
		memcpy(a.ip, ip.p, ip.n);
		a.len = (uint8_t)ip.n;
	}
	return a;
}

bool
gaddr_equal(const struct gaddr *a, const struct gaddr *b)
{
	return a->len == b->len && a->port == b->port &&
	    memcmp(a->ip, b->ip, a->len) == 0;
}

/* Without the prefix of a mapped IPv4 address. */
static struct span
plain_ip(const struct gaddr *a)
{
	static const uint8_t	mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (a->len == 16 && memcmp(a->ip, mapped, sizeof(mapped)) == 0)
		return span_of(a->ip + sizeof(mapped), 4);
	return span_of(a->ip, a->len);
}

bool
gaddr_same(const struct gaddr *a, const struct gaddr *b)
{
	return a->port == b->port && span_same(plain_ip(a), plain_ip(b));
}

struct span
gaddr_ip(const struct gaddr *a)
{
	return span_of(a->ip, a->len);
}

int
gaddr_to_sockaddr(const struct gaddr *a, struct sockaddr_storage *ss)
{
	return addr_from_bytes(a->ip, a->len, a->port, ss);
}

struct gaddr
gaddr_from_sockaddr(const struct sockaddr_storage *ss)
{
	struct gaddr	a = { .port = addr_port(ss) };

	a.len = (uint8_t)addr_to_bytes(ss, a.ip);
	return a;
}

struct span
ident_name_span(const struct ident *id)
{
	return span_of(id->data, id->name_len);
}

struct span
ident_meta(const struct ident *id)
{
	return span_of(id->data + id->name_len + 1, id->meta_len);
}

static void
rehash(struct idents *s, uint32_t nbuckets)
{
	uint32_t	i, *b;

	s->nbuckets = nbuckets;
	s->bucket = xreallocarray(s->bucket, nbuckets, sizeof(*s->bucket));
	memset(s->bucket, 0xff, nbuckets * sizeof(*s->bucket));
	for (i = 0; i < s->n; i++) {
		if (LIST_EMPTY(&s->names[i].idents))
			continue;
		b = &s->bucket[s->names[i].hash & (nbuckets - 1)];
		s->names[i].next = *b;
		*b = i;
	}
}

struct idents *
idents_new(void)
{
	struct idents	*s = xcalloc(1, sizeof(*s));

	s->free = IDENT_NONE;
	rehash(s, BUCKETS_MIN);
	return s;
}

void
idents_free(struct idents *s)
{
	if (s == NULL)
		return;
	free(s->names);
	free(s->bucket);
	free(s);
}

uint32_t
idents_bound(const struct idents *s)
{
	return s->n;
}

static uint64_t
rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] = rotl(v[2], 32);
}

/* SipHash-1-3: whoever invents names does not know which bucket they go to. */
static uint32_t
name_hash(const struct idents *s, struct span name)
{
	uint64_t	v[4] = {
		s->key[0] ^ 0x736f6d6570736575ull,
		s->key[1] ^ 0x646f72616e646f6dull,
		s->key[0] ^ 0x6c7967656e657261ull,
		s->key[1] ^ 0x7465646279746573ull
	}, word;
	size_t		at, n;
	int		i;

	for (at = 0; at <= name.n; at += 8) {
		n = name.n - at;
		word = 0;
		if (n > 0)
			memcpy(&word, name.p + at, n < 8 ? n : 8);
		if (n < 8)
			word |= (uint64_t)name.n << 56;
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	for (i = 0; i < 3; i++)
		sip_round(v);
	return (uint32_t)(v[0] ^ v[1] ^ v[2] ^ v[3]);
}

void
idents_seed(struct idents *s, uint64_t a, uint64_t b)
{
	if (s->used > 0)
		return;
	s->key[0] = a;
	s->key[1] = b;
}

uint32_t
idents_find(const struct idents *s, struct span name)
{
	uint32_t	 hash = name_hash(s, name), i;

	for (i = s->bucket[hash & (s->nbuckets - 1)]; i != IDENT_NONE;
	    i = s->names[i].next)
		if (s->names[i].hash == hash && span_same(name,
		    ident_name_span(LIST_FIRST(&s->names[i].idents))))
			return i;
	return IDENT_NONE;
}

static uint32_t
name_add(struct idents *s, struct span name)
{
	struct name	*e;
	uint32_t	 i, *b;

	if (s->used >= s->nbuckets)
		rehash(s, s->nbuckets * 2);
	if ((i = s->free) != IDENT_NONE)
		s->free = s->names[i].next;
	else {
		if (s->n == s->cap) {
			s->cap = s->cap == 0 ? 16 : s->cap * 2;
			s->names = xreallocarray(s->names, s->cap,
			    sizeof(*s->names));
			/* The heads moved; their first elements point back. */
			for (i = 0; i < s->n; i++)
				if (!LIST_EMPTY(&s->names[i].idents))
					LIST_FIRST(&s->names[i].idents)->
					    other.le_prev =
					    &s->names[i].idents.lh_first;
		}
		i = s->n++;
	}
	e = &s->names[i];
	LIST_INIT(&e->idents);
	e->hash = name_hash(s, name);
	b = &s->bucket[e->hash & (s->nbuckets - 1)];
	e->next = *b;
	*b = i;
	s->used++;
	return i;
}

static void
name_remove(struct idents *s, uint32_t num)
{
	struct name	*e = &s->names[num];
	uint32_t	*at = &s->bucket[e->hash & (s->nbuckets - 1)];

	while (*at != num)
		at = &s->names[*at].next;
	*at = e->next;
	e->next = s->free;
	s->free = num;
	s->used--;
}

static bool
same(const struct ident *id, const struct gaddr *addr, struct span meta,
    const uint8_t vsn[VSN_LEN])
{
	return gaddr_equal(&id->addr, addr) &&
	    span_same(ident_meta(id), meta) &&
	    memcmp(id->vsn, vsn, VSN_LEN) == 0;
}

static struct ident *
get(struct idents *s, uint32_t num, struct span name,
    const struct gaddr *addr, struct span meta, const uint8_t vsn[VSN_LEN])
{
	struct ident	*id;

	LIST_FOREACH(id, &s->names[num].idents, other)
		if (same(id, addr, meta, vsn))
			return ident_ref(id);
	id = xcalloc(1, sizeof(*id) + name.n + 1 + meta.n);
	id->num = num;
	id->refs = 1;
	id->addr = *addr;
	memcpy(id->vsn, vsn, VSN_LEN);
	id->name_len = (uint16_t)name.n;
	id->meta_len = (uint16_t)meta.n;
	memcpy(id->data, name.p, name.n);
	if (meta.n > 0)
		memcpy(id->data + name.n + 1, meta.p, meta.n);
	LIST_INSERT_HEAD(&s->names[num].idents, id, other);
	return id;
}

struct ident *
ident_get(struct idents *s, struct span name, const struct gaddr *addr,
    struct span meta, const uint8_t vsn[VSN_LEN])
{
	uint32_t	num;

	if ((num = idents_find(s, name)) == IDENT_NONE)
		num = name_add(s, name);
	return get(s, num, name, addr, meta, vsn);
}

struct ident *
ident_next(struct idents *s, struct ident *id, const struct gaddr *addr,
    struct span meta, const uint8_t vsn[VSN_LEN])
{
	if (same(id, addr, meta, vsn))
		return ident_ref(id);
	return get(s, id->num, ident_name_span(id), addr, meta, vsn);
}

struct ident *
ident_ref(struct ident *id)
{
	id->refs++;
	return id;
}

void
ident_unref(struct idents *s, struct ident *id)
{
	uint32_t	num;

	if (id == NULL || --id->refs > 0)
		return;
	num = id->num;
	LIST_REMOVE(id, other);
	if (LIST_EMPTY(&s->names[num].idents))
		name_remove(s, num);
	free(id);
}
