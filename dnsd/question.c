/*
 * From a question's name to what it asks for:
 *
 *	[tag.]name.service[.dc].domain
 *	_name._tag.service[.dc].domain, _name._tag[.dc].domain (RFC 2782)
 *	name.node[.dc].domain
 *	name.query[.dc].domain
 *	hex.addr[.dc].domain
 *	...in-addr.arpa, ...ip6.arpa
 *
 * The keyword that stands furthest right counts; tags and node names may
 * contain dots.  Another datacenter's label becomes part of the name.
 */
#include <arpa/inet.h>
#include <string.h>

#include "common/util.h"
#include "dnsd/question.h"

#define LABELS_MAX 128		/* DNS_NAME_MAX / 2, rounded up */

struct labels {
	const uint8_t	*at[LABELS_MAX];	/* each at its length byte */
	size_t		 n;
};

int
dns_zone_set(struct dns_zone *z, const char *domain, const char *alt,
    const char *dc)
{
	size_t	l = dc == NULL ? 0 : strlen(dc);

	memset(z, 0, sizeof(*z));
	if (domain == NULL || l == 0 || l > DNS_LABEL_MAX ||
	    (z->domain_len = dns_name_from_text(domain, z->domain)) < 2)
		return -1;
	if (!str_empty(alt) &&
	    (z->alt_len = dns_name_from_text(alt, z->alt)) < 2)
		return -1;
	z->dc[0] = (uint8_t)l;
	memcpy(z->dc + 1, dc, l);
	return 0;
}

static void
split(struct labels *l, const uint8_t *name)
{
	for (l->n = 0; *name != 0 && l->n < LABELS_MAX; name += *name + 1u)
		l->at[l->n++] = name;
}

static bool
label_is(const uint8_t *label, const char *text)
{
	size_t	i;

	for (i = 0; i < label[0]; i++)
		if (text[i] == '\0' ||
		    dns_fold(label[1 + i]) != (uint8_t)text[i])
			return false;
	return text[i] == '\0';
}

static bool
label_same(const uint8_t *a, const uint8_t *b)
{
	return dns_name_equal(a, a[0] + 1u, b, b[0] + 1u);
}

/*
 * Labels [from, to) folded, with dots; `skip` bytes of the first are left out.
 * -1 for bytes that no name in a catalog has.
 */
static int
join(const struct labels *l, size_t from, size_t to, size_t skip, char *out,
    size_t *outlen)
{
	size_t	 i, k, n = 0;
	uint8_t	 c;

	for (i = from; i < to; i++) {
		if (i > from)
			out[n++] = '.';
		for (k = i == from ? skip : 0; k < l->at[i][0]; k++) {
			c = dns_fold(l->at[i][1 + k]);
			if (c <= ' ' || c == 0x7f) {
				*out = '\0';
				return -1;
			}
			out[n++] = (char)c;
		}
	}
	out[n] = '\0';
	*outlen = n;
	return 0;
}

static void
read_service(struct question *q, const struct labels *l, size_t n)
{
	bool	 rfc2782;
	int	 bad;

	if (n == 0)
		return;
	rfc2782 = n == 2 && l->at[0][0] > 1 && l->at[0][1] == '_' &&
	    l->at[1][0] > 1 && l->at[1][1] == '_';
	if (rfc2782) {
		bad = join(l, 0, 1, 1, q->name, &q->name_len);
		/* _tcp says nothing; anything else is a tag */
		if (!label_is(l->at[1], "_tcp"))
			bad |= join(l, 1, 2, 1, q->tag, &q->tag_len);
	} else {
		bad = join(l, n - 1, n, 0, q->name, &q->name_len);
		bad |= join(l, 0, n - 1, 0, q->tag, &q->tag_len);
	}
	if (!bad)
		q->kind = Q_SERVICE;
}

static void
read_node(struct question *q, const struct labels *l, size_t n)
{
	if (n > 0 && join(l, 0, n, 0, q->name, &q->name_len) == 0)
		q->kind = Q_NODE;
}

static void
read_query(struct question *q, const struct labels *l, size_t n)
{
	if (n > 0 && join(l, 0, n, 0, q->name, &q->name_len) == 0)
		q->kind = Q_QUERY;
}

static void
read_addr(struct question *q, const struct labels *l, size_t n)
{
	size_t	len;

	if (n != 1)
		return;
	len = l->at[0][0];
	if (len / 2 != 4 && len / 2 != 16) {
		q->kind = Q_ADDR;
		return;
	}
	if (len % 2 != 0 ||
	    hex_decode((const char *)l->at[0] + 1, len, q->addr) == -1)
		return;
	q->kind = Q_ADDR;
	q->addr_len = len / 2;
}

typedef void read_fn(struct question *, const struct labels *, size_t);
static const struct keyword {
	const char	*word;
	read_fn		*read;
	bool		 any_dc;
} keywords[] = {
	{ "service",	read_service,	false },
	{ "node",	read_node,	false },
	{ "query",	read_query,	false },
	{ "addr",	read_addr,	true },
};

/* What was read is of that datacenter. */
static void
set_dc(struct question *q, const struct labels *l, size_t at)
{
	size_t	n;

	/* both are out of one name, so that there is room */
	if (q->kind == Q_NOTHING)
		return;
	if (join(l, at, at + 1, 0, q->name + q->name_len + 1, &n) == -1) {
		q->kind = Q_NOTHING;
		return;
	}
	q->name[q->name_len] = ' ';
	q->name_len += 1 + n;
	q->other_dc = true;
}

/* Labels left of the domain. */
static void
read_ours(struct question *q, const struct dns_zone *z,
    const struct labels *l, uint16_t qtype)
{
	const struct keyword	*k = NULL;
	read_fn			*fn;
	size_t			 i, w, rest;
	bool			 other;

	for (i = l->n; i-- > 0 && k == NULL; ) {
		for (w = 0; w < NELEM(keywords); w++)
			if (label_is(l->at[i], keywords[w].word)) {
				k = &keywords[w];
				break;
			}
		if (k != NULL)
			break;
		/* an SRV question may leave out "service" */
		if (qtype == DNS_T_SRV && l->at[i][1] == '_')
			break;
	}
	if (i == (size_t)-1)
		return;
	fn = k != NULL ? k->read : read_service;
	rest = l->n - i - 1;
	if (rest > 1)
		return;
	other = rest == 1 && (k == NULL || !k->any_dc) &&
	    !label_same(l->at[l->n - 1], z->dc);
	fn(q, l, k != NULL ? i : i + 1);
	if (other)
		set_dc(q, l, l->n - 1);
}

static int
hex_digit(uint8_t c)
{
	c = dns_fold(c);
	return c >= '0' && c <= '9' ? c - '0' :
	    c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "1" to "255", without leading zeros. */
static int
octet(const uint8_t *label)
{
	int	v = 0;
	size_t	i;

	if (label[0] == 0 || label[0] > 3 || (label[0] > 1 && label[1] == '0'))
		return -1;
	for (i = 1; i <= label[0]; i++) {
		if (label[i] < '0' || label[i] > '9')
			return -1;
		v = v * 10 + label[i] - '0';
	}
	return v > 255 ? -1 : v;
}

static bool
reverse_v4(const struct labels *l, uint8_t *addr)
{
	size_t	i;
	int	v;

	for (i = 0; i < 4; i++) {
		if ((v = octet(l->at[i])) == -1)
			return false;
		addr[3 - i] = (uint8_t)v;
	}
	return true;
}

static bool
reverse_v6(const struct labels *l, uint8_t *addr)
{
	size_t	i;
	int	v;

	memset(addr, 0, 16);
	for (i = 0; i < 32; i++) {
		if (l->at[i][0] != 1 || (v = hex_digit(l->at[i][1])) == -1)
			return false;
		addr[15 - i / 2] |= (uint8_t)(i % 2 == 0 ? v : v << 4);
	}
	return true;
}

static void
read_reverse(struct question *q, const struct labels *l)
{
	const char	*s = NULL;
	uint8_t		 a[16];

	if (l->n < 2 || !label_is(l->at[l->n - 1], "arpa"))
		return;
	if (label_is(l->at[l->n - 2], "in-addr")) {
		q->kind = Q_REVERSE;
		if (l->n == 6 && reverse_v4(l, a))
			s = inet_ntop(AF_INET, a, q->name, sizeof(q->name));
	} else if (label_is(l->at[l->n - 2], "ip6")) {
		q->kind = Q_REVERSE;
		if (l->n == 34 && reverse_v6(l, a))
			s = inet_ntop(AF_INET6, a, q->name, sizeof(q->name));
	}
	q->name_len = s == NULL ? 0 : strlen(s);
}

/* Where the domain starts in the name, if it ends with it. */
static bool
below(const uint8_t *qname, size_t len, const uint8_t *domain, size_t dlen,
    size_t *off)
{
	size_t	at = 0;

	if (dlen == 0 || dlen > len)
		return false;
	while (at < len - dlen)
		at += qname[at] + 1u;
	if (at != len - dlen ||
	    !dns_name_equal(qname + at, dlen, domain, dlen))
		return false;
	*off = at;
	return true;
}

void
question_read(struct question *q, const struct dns_zone *z,
    const uint8_t *qname, size_t len, uint16_t qtype)
{
	struct labels	 l;
	size_t		 off, alt;
	bool		 main_zone, alt_zone;

	q->kind = Q_FOREIGN;
	q->name_len = q->tag_len = q->addr_len = 0;
	q->name[0] = q->tag[0] = '\0';
	q->domain_exact = q->other_dc = false;
	main_zone = below(qname, len, z->domain, z->domain_len, &off);
	alt_zone = below(qname, len, z->alt, z->alt_len, &alt);
	if (!main_zone && !alt_zone) {
		split(&l, qname);
		read_reverse(q, &l);
		return;
	}
	if (!main_zone || (alt_zone && alt < off)) {
		off = alt;		/* the longer one counts */
		main_zone = false;
	}
	q->kind = Q_NOTHING;
	q->domain_off = off;
	q->domain_exact = main_zone &&
	    memcmp(qname + off, z->domain, z->domain_len) == 0;
	split(&l, qname);
	while (l.n > 0 && l.at[l.n - 1] >= qname + off)
		l.n--;
	read_ours(q, z, &l, qtype);
}
