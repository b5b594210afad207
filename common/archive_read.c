/*
 * Archives in: gzip, tar, digests, in the order of the stream and with the
 * words of Consul's reader for each way in which one can be no good.  What it
 * accepts beyond its own writer's is accepted here: members in another order,
 * pax and GNU headers, several gzip members, a missing end; and any zeroes
 * behind it.
 */
#include <ctype.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/archive.h"
#include "common/json.h"
#include "common/util.h"

#define BLOCK		512
#define GZIP_HEADER	10
#define META_MAX	(1u << 20)
#define SUMS_MAX	65536
#define PAX_MAX		65536	/* headers about the next member */
#define DIGEST		32
#define OUT		65536

enum member { M_META, M_STATE, M_SUMS, M_MAX };
static const char *const member_names[M_MAX] = {
	"meta.json", "state.bin", "SHA256SUMS"
};
/* What is said of one that is cut short. */
static const char *const member_cut[M_MAX] = {
	"failed to read snapshot metadata",
	"failed to read or write snapshot data",
	"failed to read snapshot hashes"
};

enum tar_at { AT_HEADER, AT_BODY, AT_PAD, AT_END };

struct archive_in {
	char		 error[512];
	bool		 failed;
	/* gzip */
	z_stream	 z;
	uint8_t		 first[GZIP_HEADER];
	size_t		 nfirst;
	bool		 begun;		/* the first header is good */
	bool		 whole;		/* a gzip member has ended */
	const char	*gzip_error;	/* after the tar's end */
	/* tar */
	enum tar_at	 at;
	uint8_t		 header[BLOCK];
	size_t		 nheader;
	bool		 zero_block;
	uint64_t	 left, pad;
	int		 member;	/* of the body; -1: a header's */
	uint8_t		 kind;		/* of that header */
	struct wbuf	 pax;
	char		 name[256];	/* told by it, or "" */
	bool		 have[M_MAX];
	struct wbuf	 body[M_MAX];
	uint64_t	 extra;		/* bytes behind the end that are not 0 */
	uint64_t	 behind;	/* all of them */
};

static int fail(struct archive_in *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static int
fail(struct archive_in *a, const char *fmt, ...)
{
	va_list	ap;

	if (a->failed)
		return -1;
	va_start(ap, fmt);
	(void)vsnprintf(a->error, sizeof(a->error), fmt, ap);
	va_end(ap);
	a->failed = true;
	return -1;
}

#define READ "failed to read snapshot file: "

static int
fail_tar(struct archive_in *a, const char *why)
{
	return fail(a, READ "failed reading snapshot: %s", why);
}

struct archive_in *
archive_in_new(size_t state_max)
{
	static const size_t	 max[M_MAX] = { META_MAX, 0, SUMS_MAX };
	struct archive_in	*a = xcalloc(1, sizeof(*a));
	size_t			 i;

	for (i = 0; i < M_MAX; i++)
		wb_init(&a->body[i], i == M_STATE ? state_max : max[i]);
	wb_init(&a->pax, PAX_MAX);
	if (inflateInit2(&a->z, 15 + 16) != Z_OK)
		abort();	/* out of memory */
	return a;
}

void
archive_in_free(struct archive_in *a)
{
	size_t	i;

	if (a == NULL)
		return;
	(void)inflateEnd(&a->z);
	for (i = 0; i < M_MAX; i++)
		wb_free(&a->body[i]);
	wb_free(&a->pax);
	free(a);
}

const char *
archive_in_error(const struct archive_in *a)
{
	return a->error;
}

/* ---- tar ---- */

static bool
all_zero(const uint8_t *p, size_t n)
{
	while (n > 0 && *p == 0) {
		p++;
		n--;
	}
	return n == 0;
}

/* Octal text, or base 256 for what would not fit.  -1: neither. */
static int
read_number(const uint8_t *p, size_t n, uint64_t *out)
{
	uint64_t	v = 0;
	size_t		i = 0;

	if (p[0] & 0x80) {
		for (i = 0; i < n; i++) {
			if (v >> 55)
				return -1;
			v = v << 8 | (i == 0 ? p[0] & 0x7f : p[i]);
		}
		*out = v;
		return 0;
	}
	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] != ' ' && p[i] != '\0'; i++) {
		if (p[i] < '0' || p[i] > '7')
			return -1;
		v = v << 3 | (uint64_t)(p[i] - '0');
	}
	*out = v;
	return 0;
}

/* Both ways of summing that there are. */
static bool
sum_ok(const uint8_t *h)
{
	uint64_t	want;
	int64_t		is_signed = 0;
	uint64_t	sum = 0;
	size_t		i;
	uint8_t		b;

	if (read_number(h + 148, 8, &want) == -1)
		return false;
	for (i = 0; i < BLOCK; i++) {
		b = i >= 148 && i < 156 ? ' ' : h[i];
		sum += b;
		is_signed += (int8_t)b;
	}
	return sum == want || is_signed == (int64_t)want;
}

static bool
is_ustar(const uint8_t *h)
{
	return memcmp(h + 257, "ustar\0" "00", 8) == 0;
}

static void
member_name(struct archive_in *a, char *buf, size_t len)
{
	const char	*h = (const char *)a->header;

	if (a->name[0] != '\0')
		(void)snprintf(buf, len, "%s", a->name);
	else if (is_ustar(a->header) && h[345] != '\0')
		(void)snprintf(buf, len, "%.155s/%.100s", h + 345, h);
	else
		(void)snprintf(buf, len, "%.100s", h);
	a->name[0] = '\0';
}

/* A member begins, or something about the next one. */
static int
on_header(struct archive_in *a)
{
	const uint8_t	*h = a->header;
	uint64_t	 size;
	char		 name[300];
	int		 i;

	if (!sum_ok(h) || read_number(h + 124, 12, &size) == -1 ||
	    size > ARCHIVE_STATE_MAX)
		return fail_tar(a, "archive/tar: invalid tar header");
	a->left = size;
	a->pad = (BLOCK - size % BLOCK) % BLOCK;
	a->at = AT_BODY;
	a->kind = h[156];
	a->member = -1;
	if (strchr("xgLK", a->kind) != NULL && a->kind != '\0') {
		wb_reset(&a->pax);
		return size > PAX_MAX ? fail_tar(a,
		    "archive/tar: header field too long") : 0;
	}
	member_name(a, name, sizeof(name));
	for (i = 0; i < M_MAX; i++)
		if (strcmp(name, member_names[i]) == 0 && !a->have[i] &&
		    (a->kind == '0' || a->kind == '\0'))
			a->member = i;
	if (a->member == -1)
		return fail(a, READ "unexpected file \"%s\" in snapshot",
		    name);
	if (a->body[a->member].max != 0 && size > a->body[a->member].max)
		return fail(a, READ "%s: larger than %zu bytes",
		    member_cut[a->member], a->body[a->member].max);
	a->have[a->member] = true;
	return 0;
}

/* "NN path=name\n" */
static int
read_pax(struct archive_in *a)
{
	const char	*p = (const char *)a->pax.p, *end, *eq;
	size_t		 left = a->pax.len, n, keylen;
	char		*after;

	while (left > 0) {
		n = isdigit((unsigned char)*p) ? strtoul(p, &after, 10) : 0;
		if (n < 5 || n > left || p[n - 1] != '\n' || *after != ' ' ||
		    after >= p + n)
			return fail_tar(a, "archive/tar: invalid tar header");
		end = p + n - 1;
		after++;
		eq = memchr(after, '=', (size_t)(end - after));
		if (eq == NULL)
			return fail_tar(a, "archive/tar: invalid tar header");
		keylen = (size_t)(eq - after);
		if (keylen == 4 && memcmp(after, "path", 4) == 0)
			(void)snprintf(a->name, sizeof(a->name), "%.*s",
			    (int)(end - eq - 1), eq + 1);
		else if (keylen == 4 && memcmp(after, "size", 4) == 0)
			/* For 8 GB and more. */
			return fail_tar(a, "larger than what is read here");
		p += n;
		left -= n;
	}
	return 0;
}

static int
on_body_end(struct archive_in *a)
{
	a->at = a->pad > 0 ? AT_PAD : AT_HEADER;
	if (a->member != -1)
		return 0;
	wb_u8(&a->pax, '\0');	/* ends the text */
	if (a->pax.err)
		return fail_tar(a, "archive/tar: header field too long");
	a->pax.len--;
	if (a->kind == 'L')
		(void)snprintf(a->name, sizeof(a->name), "%s",
		    (const char *)a->pax.p);
	return a->kind == 'x' ? read_pax(a) : 0;
}

static int
on_block(struct archive_in *a)
{
	bool	zero = all_zero(a->header, BLOCK);

	a->nheader = 0;
	if (zero && a->zero_block)
		a->at = AT_END;
	else if (zero)
		a->zero_block = true;
	else if (a->zero_block)
		return fail_tar(a, "archive/tar: invalid tar header");
	else {
		if (on_header(a) == -1)
			return -1;
		if (a->left == 0)
			return on_body_end(a);
	}
	return 0;
}

static int
tar_feed(struct archive_in *a, const uint8_t *p, size_t n)
{
	size_t	k, i;

	while (n > 0) {
		switch (a->at) {
		case AT_HEADER:
			k = BLOCK - a->nheader < n ? BLOCK - a->nheader : n;
			memcpy(a->header + a->nheader, p, k);
			a->nheader += k;
			if (a->nheader == BLOCK && on_block(a) == -1)
				return -1;
			break;
		case AT_BODY:
			k = a->left < n ? (size_t)a->left : n;
			wb_bytes(a->member == -1 ? &a->pax :
			    &a->body[a->member], p, k);
			a->left -= k;
			if (a->left == 0 && on_body_end(a) == -1)
				return -1;
			break;
		case AT_PAD:
			k = a->pad < n ? (size_t)a->pad : n;
			a->pad -= k;
			if (a->pad == 0)
				a->at = AT_HEADER;
			break;
		case AT_END:
			k = n;
			a->behind += n;
			for (i = 0; i < n; i++)
				a->extra += p[i] != 0;
			break;
		default:
			return -1;
		}
		p += k;
		n -= k;
	}
	return 0;
}

/* It ends here: may it? */
static int
tar_end(struct archive_in *a)
{
	switch (a->at) {
	case AT_BODY:
	case AT_PAD:
		if (a->member != -1 && a->at == AT_BODY)
			return fail(a, READ "%s: unexpected EOF",
			    member_cut[a->member]);
		return fail_tar(a, "unexpected EOF");
	case AT_HEADER:
		return a->nheader == 0 ? 0 : fail_tar(a, "unexpected EOF");
	case AT_END:
		break;
	}
	return 0;
}

/* ---- gzip ---- */

/*
 * Where the stream breaks decides what is said: inside a member that is the
 * member's, behind the tar's end the stream's own.
 */
static int
gzip_broken(struct archive_in *a, const char *why)
{
	if (a->at == AT_END || a->gzip_error != NULL) {
		if (a->gzip_error == NULL)
			a->gzip_error = why;
		return 0;
	}
	if (a->at == AT_BODY && a->member != -1)
		return fail(a, READ "%s: %s", member_cut[a->member], why);
	return fail_tar(a, why);
}

static int
inflate_some(struct archive_in *a)
{
	uint8_t	buf[OUT];
	int	rc;

	do {
		a->z.next_out = buf;
		a->z.avail_out = sizeof(buf);
		rc = inflate(&a->z, Z_NO_FLUSH);
		if (tar_feed(a, buf, sizeof(buf) - a->z.avail_out) == -1)
			return -1;
	} while (rc == Z_OK && a->z.avail_out == 0);
	if (rc == Z_STREAM_END) {
		a->whole = true;
		return 0;
	}
	if (rc == Z_OK || rc == Z_BUF_ERROR)
		return 0;
	return gzip_broken(a, a->z.msg != NULL &&
	    strstr(a->z.msg, "header") != NULL && !a->begun ?
	    "gzip: invalid header" : a->z.msg != NULL &&
	    (strcmp(a->z.msg, "incorrect data check") == 0 ||
	    strcmp(a->z.msg, "incorrect length check") == 0) ?
	    "gzip: invalid checksum" : "flate: corrupt input");
}

static int
gzip_feed(struct archive_in *a, const uint8_t *p, size_t n)
{
	a->z.next_in = (uint8_t *)(uintptr_t)p;
	a->z.avail_in = (uInt)n;
	while (a->z.avail_in > 0 && a->gzip_error == NULL) {
		if (a->whole) {
			/* Another member, or junk. */
			if (*a->z.next_in != 0x1f)
				return gzip_broken(a, "gzip: invalid header");
			(void)inflateReset(&a->z);
			a->whole = false;
		}
		if (inflate_some(a) == -1)
			return -1;
		if (a->failed)
			return -1;
	}
	return 0;
}

int
archive_in_feed(struct archive_in *a, const uint8_t *p, size_t n)
{
	static const uint8_t	magic[] = { 0x1f, 0x8b, 8 };
	size_t			k;

	if (a->failed)
		return -1;
	if (a->nfirst < GZIP_HEADER) {
		k = GZIP_HEADER - a->nfirst < n ? GZIP_HEADER - a->nfirst : n;
		memcpy(a->first + a->nfirst, p, k);
		a->nfirst += k;
		p += k;
		n -= k;
		if (a->nfirst < GZIP_HEADER)
			return 0;
		if (memcmp(a->first, magic, sizeof(magic)) != 0 ||
		    (a->first[3] & 0xe0) != 0)
			return fail(a, "failed to decompress snapshot: gzip: "
			    "invalid header");
		if (gzip_feed(a, a->first, GZIP_HEADER) == -1)
			return -1;
		a->begun = true;
	}
	for (; n > 0; p += k, n -= k) {
		k = n < (1u << 30) ? n : 1u << 30;
		if (gzip_feed(a, p, k) == -1)
			return -1;
	}
	return 0;
}

/* ---- digests ---- */

#define SUMS READ "failed checking integrity of snapshot: "

static bool
digest_is(const struct wbuf *b, const uint8_t *want)
{
	uint8_t		is[EVP_MAX_MD_SIZE];
	unsigned	n;

	return EVP_Digest(b->p, b->len, is, &n, EVP_sha256(), NULL) == 1 &&
	    n == DIGEST && memcmp(is, want, DIGEST) == 0;
}

/* "hex  name": case and amount of space do not matter. */
static int
check_line(struct archive_in *a, const char *p, size_t n, bool seen[M_MAX])
{
	uint8_t		 want[DIGEST];
	const char	*hex = p;
	char		 name[64];
	size_t		 nhex = 0, len = 0;
	int		 m;

	if (n == 0)
		return fail(a, SUMS "EOF");
	while (nhex < n && isxdigit((unsigned char)p[nhex]))
		nhex++;
	if (nhex < 2 || nhex % 2 != 0)
		return fail(a, SUMS "no hex data for %%x string");
	for (p += nhex, n -= nhex; n > 0 && (*p == ' ' || *p == '\t'); n--)
		p++;
	while (len < n && !isspace((unsigned char)p[len]))
		len++;
	(void)snprintf(name, sizeof(name), "%.*s",
	    (int)(len < sizeof(name) ? len : sizeof(name)), p);
	for (m = 0; m < M_SUMS; m++)
		if (strcmp(name, member_names[m]) == 0)
			break;
	if (m == M_SUMS)
		return fail(a, SUMS "list missing hash for \"%s\"", name);
	seen[m] = true;
	if (nhex != 2 * DIGEST || hex_decode(hex, nhex, want) == -1 ||
	    !digest_is(&a->body[m], want))
		return fail(a, SUMS "hash check failed for \"%s\"", name);
	return 0;
}

static int
check_sums(struct archive_in *a)
{
	const struct wbuf	*b = &a->body[M_SUMS];
	const char		*p = (const char *)b->p, *nl;
	size_t			 left = b->len, n;
	bool			 seen[M_MAX] = { false };
	int			 m;

	while (left > 0) {
		nl = memchr(p, '\n', left);
		n = nl != NULL ? (size_t)(nl - p) : left;
		if (check_line(a, p, n > 0 && p[n - 1] == '\r' ? n - 1 : n,
		    seen) == -1)
			return -1;
		n += nl != NULL;
		p += n;
		left -= n;
	}
	for (m = 0; m < M_SUMS; m++)
		if (!seen[m])
			return fail(a, SUMS "file missing for \"%s\"",
			    member_names[m]);
	return 0;
}

/* ---- the description ---- */

static int
take_uint(struct archive_in *a, const struct json *top, const char *key,
    uint64_t max, uint64_t *out)
{
	const struct json	*j = json_get(top, key);
	char			*end;

	*out = 0;
	if (j == NULL || j->type == JSON_NULL)
		return 0;
	if (j->type == JSON_NUMBER && j->str[0] != '-') {
		*out = strtoull(j->str, &end, 10);
		if (*end == '\0' && *out <= max && strlen(j->str) <= 20)
			return 0;
	}
	return fail(a, READ "failed to decode snapshot metadata: json: cannot "
	    "unmarshal %s into %s", j->type == JSON_NUMBER ? j->str :
	    json_type_name(j->type), key);
}

static int
take_meta(struct archive_in *a, struct archive_meta *m)
{
	const struct wbuf	*b = &a->body[M_META];
	const struct json	*id;
	struct json		*top;
	uint64_t		 version, size;
	char			 err[256];
	int			 rc = -1;

	top = json_parse((const char *)b->p, b->len, err, sizeof(err));
	if (top == NULL || top->type != JSON_OBJECT) {
		(void)fail(a, READ "failed to decode snapshot metadata: "
		    "invalid character: %s", top == NULL ? err :
		    "it is no object");
		json_free(top);
		return -1;
	}
	if (take_uint(a, top, "Version", INT64_MAX, &version) == 0 &&
	    take_uint(a, top, "Index", UINT64_MAX, &m->index) == 0 &&
	    take_uint(a, top, "Term", UINT64_MAX, &m->term) == 0 &&
	    take_uint(a, top, "ConfigurationIndex", UINT64_MAX,
	    &m->conf_index) == 0 &&
	    take_uint(a, top, "Size", INT64_MAX, &size) == 0) {
		m->version = (int64_t)version;
		m->size = (int64_t)size;
		id = json_get(top, "ID");
		m->id = xstrdup(id != NULL && id->type == JSON_STRING ?
		    id->str : "");
		rc = 0;
	}
	json_free(top);
	return rc;
}

/* ---- the end ---- */

static int
gzip_end(struct archive_in *a)
{
	if (a->gzip_error != NULL)
		return fail(a, "%s", a->gzip_error);
	if (!a->whole)
		return fail(a, "unexpected EOF");
	if (a->extra > 0)
		return fail(a, "%llu unread uncompressed bytes remain",
		    (unsigned long long)a->behind);
	return 0;
}

int
archive_in_end(struct archive_in *a, struct archive_meta *meta,
    const uint8_t **state, size_t *len)
{
	size_t	i;

	if (a->failed)
		return -1;
	if (a->nfirst < GZIP_HEADER)
		return fail(a, "failed to decompress snapshot: %s",
		    a->nfirst == 0 ? "EOF" : "unexpected EOF");
	for (i = 0; i < M_MAX; i++)
		if (a->body[i].err)
			return fail(a, READ "%s: too large", member_cut[i]);
	if (tar_end(a) == -1)
		return -1;
	/* A stream that broke off where nothing was due yet. */
	if (!a->whole && a->gzip_error == NULL && a->at == AT_HEADER)
		return fail_tar(a, "unexpected EOF");
	memset(meta, 0, sizeof(*meta));
	if ((a->have[M_META] && take_meta(a, meta) == -1) ||
	    check_sums(a) == -1 || gzip_end(a) == -1) {
		archive_meta_clear(meta);
		return -1;
	}
	*state = a->body[M_STATE].p;
	*len = a->body[M_STATE].len;
	return 0;
}

#define RAFT "Raft error when restoring snapshot: "

const char *
archive_meta_refusal(const struct archive_meta *m, size_t len, char *buf,
    size_t buflen)
{
	if (m->version == 0)
		(void)snprintf(buf, buflen, RAFT "failed to create snapshot: "
		    "unsupported snapshot version 0");
	else if (m->version != 1)
		(void)snprintf(buf, buflen, RAFT "unsupported snapshot "
		    "version %lld", (long long)m->version);
	else if (m->size != (int64_t)len)
		(void)snprintf(buf, buflen, RAFT "failed to write snapshot, "
		    "size didn't match (%zu != %lld)", len,
		    (long long)m->size);
	else
		return NULL;
	return buf;
}
