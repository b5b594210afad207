/*
 * Views: see view.h.  All that an answer needs of an instance is worked out
 * here, once: which address serves which question, names in wire form, tags
 * folded, metadata as character-strings.
 *
 * An address comes from lan_ipv6, then lan_ipv4 (tagged), then what was
 * registered; that is the order Consul has for ANY and SRV.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "dnsd/view.h"

#define TXT_RAW "rfc1035-"	/* key of metadata that is shown without it */
#define TXT_MAX 4096		/* of one value; Consul allows 512 */

/* While it is being built, pointers are offsets into the bytes. */
struct build {
	struct wbuf		 bytes;
	const struct dns_zone	*zone;
	struct view		*view;
};

static const uint8_t *
as_pointer(size_t off)
{
	return (const uint8_t *)(uintptr_t)off;
}

/* Labels of text, then of the words, then datacenter and domain. */
static size_t
make_name(const struct dns_zone *z, const char *text, const char *word,
    uint8_t out[DNS_NAME_MAX])
{
	size_t	n, w = strlen(word);

	/* without its root there is room for one label and more */
	if (text == NULL || *text == '\0' ||
	    (n = dns_name_from_text(text, out)) == 0 ||
	    n - 1 + 1 + w + 1 + z->dc[0] + z->domain_len > DNS_NAME_MAX)
		return 0;
	n--;
	out[n++] = (uint8_t)w;
	memcpy(out + n, word, w);
	n += w;
	memcpy(out + n, z->dc, z->dc[0] + 1u);
	n += z->dc[0] + 1u;
	memcpy(out + n, z->domain, z->domain_len);
	return n + z->domain_len;
}

static size_t
put_bytes(struct build *b, const void *p, size_t n)
{
	size_t	off = b->bytes.len;

	wb_bytes(&b->bytes, p, n);
	return off;
}

static void
take_address(struct inst *i, const char *text)
{
	if (str_empty(text))
		return;
	if (inet_pton(AF_INET, text, i->v4) == 1)
		i->has |= INST_V4;
	else if (inet_pton(AF_INET6, text, i->v6) == 1)
		i->has |= INST_V6;
}

static void
set_addresses(struct build *b, struct inst *i, const char *address,
    const char *lan4, const char *lan6)
{
	uint8_t	name[DNS_NAME_MAX];
	size_t	len;

	take_address(i, lan6);
	if (i->has & INST_V6)
		i->any = INST_V6;
	take_address(i, lan4);
	if (i->any == 0)
		i->any = i->has & INST_V4;
	if (i->any == 0) {
		take_address(i, address);
		i->any = i->has;
	} else if (!(i->has & INST_V4) || !(i->has & INST_V6)) {
		struct inst	own = { 0 };

		take_address(&own, address);
		if (own.has & ~i->has & INST_V4)
			memcpy(i->v4, own.v4, 4);
		if (own.has & ~i->has & INST_V6)
			memcpy(i->v6, own.v6, 16);
		i->has |= own.has;
	}
	if (i->has != 0 || str_empty(address))
		return;
	len = dns_name_from_text(address, name);
	if (len < 2)
		return;
	i->has = i->any = INST_HOST;
	i->host = as_pointer(put_bytes(b, name, len));
	i->host_len = (uint8_t)len;
}

/* HEX.addr.DC.DOMAIN, a name that needs no registration. */
static void
target_addr(struct build *b, struct inst *i)
{
	uint8_t	name[DNS_NAME_MAX];
	char	hex[33];
	size_t	len;

	hex_encode(i->any == INST_V4 ? i->v4 : i->v6,
	    i->any == INST_V4 ? 4 : 16, hex);
	if ((len = make_name(b->zone, hex, "addr", name)) == 0)
		return;
	i->target = as_pointer(put_bytes(b, name, len));
	i->target_len = (uint8_t)len;
	i->glue = i->any;
}

static void
set_target(struct build *b, struct inst *i, bool own_address)
{
	if (i->any == INST_HOST) {
		i->target = i->host;
		i->target_len = i->host_len;
		i->glue = INST_HOST;
	} else if (!own_address && i->node_len > 0) {
		i->target = i->node;
		i->target_len = i->node_len;
		i->target_is_node = true;
		i->glue = i->any;
	} else if (i->any != 0)
		target_addr(b, i);
}

/* One pair as character-strings of at most 255 bytes. */
static void
put_txt(struct build *b, struct inst *i, const char *key, const char *val)
{
	char	*text;
	size_t	 len, at, n, pieces, start = b->bytes.len;

	val = val == NULL ? "" : val;
	if (strncmp(key, TXT_RAW, strlen(TXT_RAW)) == 0)
		text = xstrdup(val);
	else
		xasprintf(&text, "%s=%s", key, val);
	len = strlen(text);
	if (len <= TXT_MAX) {
		pieces = len == 0 ? 1 : (len + DNS_TEXT_MAX - 1) / DNS_TEXT_MAX;
		wb_u16(&b->bytes, (uint16_t)(len + pieces));
		for (at = 0; pieces > 0; pieces--, at += n) {
			n = len - at > DNS_TEXT_MAX ? DNS_TEXT_MAX : len - at;
			wb_u8(&b->bytes, (uint8_t)n);
			wb_bytes(&b->bytes, text + at, n);
		}
		if (i->txt_len + b->bytes.len - start > UINT16_MAX)
			b->bytes.len = start;	/* no message could hold it */
		else {
			i->txt_len += (uint16_t)(b->bytes.len - start);
			i->ntxt++;
		}
	}
	free(text);
}

static void
set_txt(struct build *b, struct inst *i, const struct strmap *meta)
{
	size_t	k;

	i->txt = as_pointer(b->bytes.len);
	for (k = 0; k < meta->n; k++)
		put_txt(b, i, meta->item[k].key, meta->item[k].val);
}

static void
set_tags(struct build *b, struct inst *i, const struct strs *tags)
{
	size_t	k, n, c, start = b->bytes.len;

	i->tags = as_pointer(start);
	for (k = 0; k < tags->n; k++) {
		n = tags->item[k] == NULL ? 0 : strlen(tags->item[k]);
		if (n == 0 || n > DNS_NAME_MAX ||
		    b->bytes.len - start + n + 2 > UINT16_MAX)
			continue;	/* no question could name it */
		wb_u16(&b->bytes, (uint16_t)n);
		for (c = 0; c < n; c++)
			wb_u8(&b->bytes,
			    dns_fold((uint8_t)tags->item[k][c]));
	}
	i->tags_len = (uint16_t)(b->bytes.len - start);
}

static uint16_t
clamp16(int64_t v)
{
	return v < 0 ? 0 : v > UINT16_MAX ? UINT16_MAX : (uint16_t)v;
}

static void
set_node_name(struct build *b, struct inst *i, const char *node)
{
	uint8_t	name[DNS_NAME_MAX];
	size_t	len;

	if ((len = make_name(b->zone, node, "node", name)) == 0)
		return;
	i->node = as_pointer(put_bytes(b, name, len));
	i->node_len = (uint8_t)len;
}

/* A reverse entry's target is the service whose address it is, or the node. */
static void
set_reverse(struct build *b, struct inst *i, const struct view_entry *e)
{
	uint8_t	name[DNS_NAME_MAX];
	size_t	len;

	if (str_empty(e->service)) {
		i->target = i->node;
		i->target_len = i->node_len;
	} else if ((len = make_name(b->zone, e->service, "service",
	    name)) > 0) {
		i->target = as_pointer(put_bytes(b, name, len));
		i->target_len = (uint8_t)len;
	}
}

static const char *
service_tagged(const struct view_entry *e, const char *which)
{
	return strmap_get(&e->service_tagged, which);
}

static void
add_entry(struct build *b, struct inst *i, const struct view_entry *e)
{
	bool	own, service;

	memset(i, 0, sizeof(*i));
	i->health = e->health > 2 ? 2 : (uint8_t)e->health;
	service = b->view->kind == VIEW_SERVICE || b->view->kind == VIEW_QUERY;
	if (service)
		i->port = clamp16(e->port);
	i->weight = clamp16(e->weight);
	set_node_name(b, i, e->node);
	if (b->view->kind == VIEW_REVERSE) {
		set_reverse(b, i, e);
		return;
	}
	own = service && (!str_empty(e->service_address) ||
	    service_tagged(e, "lan_ipv4") != NULL ||
	    service_tagged(e, "lan_ipv6") != NULL);
	if (own)
		set_addresses(b, i, e->service_address,
		    service_tagged(e, "lan_ipv4"),
		    service_tagged(e, "lan_ipv6"));
	else
		set_addresses(b, i, e->address,
		    strmap_get(&e->node_tagged, "lan_ipv4"),
		    strmap_get(&e->node_tagged, "lan_ipv6"));
	set_target(b, i, own);
	set_txt(b, i, &e->node_meta);
	set_tags(b, i, &e->tags);
}

/* ---- equal ones share an id ---- */

static int
cmp_bytes(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen)
{
	if (alen != blen)
		return alen < blen ? -1 : 1;
	return alen == 0 ? 0 : memcmp(a, b, alen);
}

static int
cmp_addr(const struct inst *a, const struct inst *b)
{
	int	c;

	if (a->has != b->has)
		return a->has < b->has ? -1 : 1;
	if ((c = memcmp(a->v4, b->v4, 4)) != 0 ||
	    (c = memcmp(a->v6, b->v6, 16)) != 0)
		return c;
	return cmp_bytes(a->host, a->host_len, b->host, b->host_len);
}

static int
cmp_node(const struct inst *a, const struct inst *b)
{
	return cmp_bytes(a->node, a->node_len, b->node, b->node_len);
}

static int
cmp_srv(const struct inst *a, const struct inst *b)
{
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	return cmp_bytes(a->target, a->target_len, b->target, b->target_len);
}

typedef int inst_cmp(const struct inst *, const struct inst *);

static int
by(const void *a, const void *b, void *cmp)
{
	return (*(inst_cmp **)cmp)(*(struct inst *const *)a,
	    *(struct inst *const *)b);
}

static void
number(struct view *v, struct inst **order, inst_cmp *cmp, size_t id_off)
{
	size_t	i;

	for (i = 0; i < v->n; i++)
		order[i] = &v->inst[i];
	qsort_r(order, v->n, sizeof(*order), by, &cmp);
	for (i = 0; i < v->n; i++)
		*(uint32_t *)(void *)((char *)order[i] + id_off) = i > 0 &&
		    cmp(order[i - 1], order[i]) == 0 ?
		    *(uint32_t *)(void *)((char *)order[i - 1] + id_off) :
		    (uint32_t)(order[i] - v->inst);
}

static void
number_all(struct view *v)
{
	struct inst	**order;

	order = xreallocarray(NULL, v->n + 1, sizeof(*order));
	number(v, order, cmp_addr, offsetof(struct inst, addr_id));
	number(v, order, cmp_srv, offsetof(struct inst, srv_id));
	number(v, order, cmp_node, offsetof(struct inst, node_id));
	free(order);
}

/* Offsets to pointers, once the bytes stand still. */
static void
settle(struct inst *i, const uint8_t *base)
{
	i->host = base + (uintptr_t)i->host;
	i->target = base + (uintptr_t)i->target;
	i->node = base + (uintptr_t)i->node;
	i->txt = base + (uintptr_t)i->txt;
	i->tags = base + (uintptr_t)i->tags;
}

/* Passing first, then warning, then critical; a prepared query's as they
 * came, for it says which are good enough. */
static void
add_entries(struct build *b, const struct msg_view *m)
{
	struct view	*v = b->view;
	size_t		 i, k = 0;
	unsigned	 health;
	bool		 judged = v->kind == VIEW_QUERY;

	for (health = 0; health <= (judged ? 0 : 2); health++) {
		for (i = 0; i < v->n; i++)
			if (judged || (m->entries.item[i].health > 2 ? 2 :
			    m->entries.item[i].health) == health)
				add_entry(b, &v->inst[k++],
				    &m->entries.item[i]);
		if (health == 0)
			v->npassing = k;
		if (health == 1 || judged)
			v->nhealthy = k;
	}
	for (i = 1; i < v->nhealthy; i++)
		if (v->inst[i].weight != v->inst[0].weight)
			v->weighted = true;
}

/* The names of what is elsewhere are of that datacenter. */
static void
zone_of(const struct dns_zone *zone, const struct msg_view *m,
    struct dns_zone *out)
{
	const char	*dc = !str_empty(m->answered_by) ? m->answered_by :
			    m->datacenter;
	size_t		 n;

	*out = *zone;
	if (str_empty(dc) || (n = strlen(dc)) > DNS_LABEL_MAX)
		return;
	out->dc[0] = (uint8_t)n;
	memcpy(out->dc + 1, dc, n);
}

struct view *
view_new(const struct msg_view *m, const struct dns_zone *zone)
{
	struct view	*v, head = { .own_ttl_ns = -1 };
	struct dns_zone	 there;
	struct build	 b = { .zone = &there, .view = &head };
	size_t		 i, n = m->entries.n;

	if (n > VIEW_MAX)
		n = VIEW_MAX;
	zone_of(zone, m, &there);
	head.kind = (enum view_kind)m->kind;
	head.index = m->index;
	head.ordered = m->ordered;
	head.n = n;
	head.inst = xcalloc(n + 1, sizeof(*head.inst));
	if (!str_empty(m->service))
		head.service = xstrdup(m->service);
	if (str_empty(m->ttl) || dur_parse(m->ttl, &head.own_ttl_ns) == -1)
		head.own_ttl_ns = -1;
	wb_init(&b.bytes, 0);
	add_entries(&b, m);
	v = xmalloc(sizeof(*v) + b.bytes.len);
	*v = head;
	if (b.bytes.len > 0)
		memcpy(v->bytes, b.bytes.p, b.bytes.len);
	for (i = 0; i < n; i++)
		settle(&v->inst[i], v->bytes);
	number_all(v);
	wb_free(&b.bytes);
	return v;
}

char *
view_name(const struct msg_view *mv)
{
	char	*s;

	if (str_empty(mv->datacenter))
		return xstrdup(str_or(mv->name, ""));
	xasprintf(&s, "%s %s", str_or(mv->name, ""), mv->datacenter);
	return s;
}

void
view_keep(struct view *v, const uint8_t *raw, size_t len)
{
	v->raw = xmalloc(len + 1);
	memcpy(v->raw, raw, len);
	v->raw_len = len;
}

void
view_free(struct view *v)
{
	if (v == NULL)
		return;
	free(v->inst);
	free(v->service);
	free(v->raw);
	free(v);
}

bool
inst_has_tag(const struct inst *i, const char *tag, size_t len)
{
	const uint8_t	*p = i->tags, *end = i->tags + i->tags_len;
	size_t		 n;

	while (p < end) {
		n = dns_get16(p);
		if (n == len && memcmp(p + 2, tag, n) == 0)
			return true;
		p += n + 2;
	}
	return false;
}
