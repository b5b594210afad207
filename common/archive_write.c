/*
 * Archives out.  The bytes are those of Consul's writer: gzip without name and
 * time, three members in ustar, and two zero blocks with nothing behind them,
 * for its reader refuses padding.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/archive.h"
#include "common/json.h"
#include "common/mp.h"
#include "common/util.h"

#define BLOCK		512
#define SLICE		65536	/* of content in one step */
#define DIGEST		32
#define OCTAL_SIZE_MAX	077777777777ull	/* 8 GB: above it needs pax */

struct archive_out {
	struct wbuf	 head, state, tail;
	size_t		 part, off;	/* 0 head, 1 state, 2 tail */
	z_stream	 z;
	EVP_MD_CTX	*digest;	/* of the state */
	char		 meta_hex[2 * DIGEST + 1];
	int64_t		 now_s;
};

void
archive_meta_clear(struct archive_meta *m)
{
	size_t	i;

	for (i = 0; i < m->servers.n; i++) {
		free(m->servers.item[i].id);
		free(m->servers.item[i].address);
	}
	free(m->servers.item);
	free(m->id);
	memset(m, 0, sizeof(*m));
}

static void
pad(struct wbuf *w, size_t len)
{
	static const uint8_t	zero[BLOCK];

	if (len % BLOCK != 0)
		wb_bytes(w, zero, BLOCK - len % BLOCK);
}

static void
put_octal(uint8_t *at, size_t len, uint64_t v)
{
	char	text[24];

	(void)snprintf(text, sizeof(text), "%0*llo", (int)len - 1,
	    (unsigned long long)v);
	memcpy(at, text, len);
}

static void
put_header(struct wbuf *w, const char *name, size_t size, int64_t now_s)
{
	uint8_t		*h = wb_reserve(w, BLOCK);
	unsigned	 sum = 0;
	size_t		 i;

	if (size > OCTAL_SIZE_MAX)
		abort();	/* above ARCHIVE_STATE_MAX by far */
	memset(h, 0, BLOCK);
	memcpy(h, name, strlen(name));
	put_octal(h + 100, 8, 0600);
	put_octal(h + 108, 8, 0);
	put_octal(h + 116, 8, 0);
	put_octal(h + 124, 12, size);
	put_octal(h + 136, 12, (uint64_t)now_s);
	h[156] = '0';
	memcpy(h + 257, "ustar\0" "00", 8);
	put_octal(h + 329, 8, 0);
	put_octal(h + 337, 8, 0);
	memset(h + 148, ' ', 8);
	for (i = 0; i < BLOCK; i++)
		sum += h[i];
	(void)snprintf((char *)h + 148, 8, "%06o", sum);
	h[155] = ' ';
}

/* msgpack of the servers' addresses, in base64. */
static char *
peers_text(const struct archive_meta *m)
{
	struct wbuf	 w;
	char		*text;
	size_t		 i;

	wb_init(&w, 0);
	mp_array(&w, (uint32_t)m->servers.n);
	for (i = 0; i < m->servers.n; i++)
		mp_str(&w, m->servers.item[i].address);
	text = base64_text(w.p, w.len);
	wb_free(&w);
	return text;
}

static void
put_meta(struct wbuf *w, const struct archive_meta *m)
{
	struct jw	*jw = jw_new(false);
	const char	*text;
	char		*peers = peers_text(m);
	size_t		 i, len;

	jw_obj(jw);
	jw_key(jw, "Version");
	jw_int(jw, m->version);
	jw_key(jw, "ID");
	jw_str(jw, m->id);
	jw_key(jw, "Index");
	jw_uint(jw, m->index);
	jw_key(jw, "Term");
	jw_uint(jw, m->term);
	jw_key(jw, "Peers");
	jw_str(jw, peers);
	jw_key(jw, "Configuration");
	jw_obj(jw);
	jw_key(jw, "Servers");
	jw_arr(jw);
	for (i = 0; i < m->servers.n; i++) {
		jw_obj(jw);
		jw_key(jw, "Suffrage");
		jw_int(jw, 0);
		jw_key(jw, "ID");
		jw_str(jw, m->servers.item[i].id);
		jw_key(jw, "Address");
		jw_str(jw, m->servers.item[i].address);
		jw_end_obj(jw);
	}
	jw_end_arr(jw);
	jw_end_obj(jw);
	jw_key(jw, "ConfigurationIndex");
	jw_uint(jw, m->conf_index);
	jw_key(jw, "Size");
	jw_int(jw, m->size);
	jw_end_obj(jw);
	text = jw_text(jw, &len);
	wb_bytes(w, text, len);
	wb_u8(w, '\n');
	free(peers);
	jw_free(jw);
}

struct archive_out *
archive_out_new(struct archive_meta *m, struct wbuf *state, int64_t now_s)
{
	static gz_header	 gz = { .os = 255 };
	struct archive_out	*a = xcalloc(1, sizeof(*a));
	struct wbuf		 meta;
	uint8_t			 digest[EVP_MAX_MD_SIZE];
	unsigned		 n;

	a->state = *state;
	wb_init(state, 0);
	a->now_s = now_s;
	m->size = (int64_t)a->state.len;
	wb_init(&meta, 0);
	wb_init(&a->head, 0);
	wb_init(&a->tail, 0);
	put_meta(&meta, m);
	put_header(&a->head, "meta.json", meta.len, now_s);
	wb_bytes(&a->head, meta.p, meta.len);
	pad(&a->head, meta.len);
	put_header(&a->head, "state.bin", a->state.len, now_s);
	a->digest = EVP_MD_CTX_new();
	if (a->digest == NULL ||
	    EVP_Digest(meta.p, meta.len, digest, &n, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestInit_ex(a->digest, EVP_sha256(), NULL) != 1 ||
	    deflateInit2(&a->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
	    Z_DEFAULT_STRATEGY) != Z_OK ||
	    deflateSetHeader(&a->z, &gz) != Z_OK)
		abort();	/* out of memory */
	hex_encode(digest, DIGEST, a->meta_hex);
	wb_free(&meta);
	return a;
}

void
archive_out_free(struct archive_out *a)
{
	if (a == NULL)
		return;
	(void)deflateEnd(&a->z);
	EVP_MD_CTX_free(a->digest);
	wb_free(&a->head);
	wb_free(&a->state);
	wb_free(&a->tail);
	free(a);
}

/* The state has gone through: the digests, and the end. */
static void
make_tail(struct archive_out *a)
{
	static const uint8_t	zero[2 * BLOCK];
	uint8_t			digest[EVP_MAX_MD_SIZE];
	char			hex[2 * DIGEST + 1], text[256];
	unsigned		n;
	int			len;

	if (EVP_DigestFinal_ex(a->digest, digest, &n) != 1)
		abort();
	hex_encode(digest, DIGEST, hex);
	len = snprintf(text, sizeof(text), "%s  meta.json\n%s  state.bin\n",
	    a->meta_hex, hex);
	pad(&a->tail, a->state.len);
	put_header(&a->tail, "SHA256SUMS", (size_t)len, a->now_s);
	wb_bytes(&a->tail, text, (size_t)len);
	pad(&a->tail, (size_t)len);
	wb_bytes(&a->tail, zero, sizeof(zero));
}

static void
compress_slice(struct archive_out *a, const uint8_t *p, size_t n, bool last,
    struct wbuf *out)
{
	uint8_t	buf[SLICE];
	int	rc;

	a->z.next_in = (uint8_t *)(uintptr_t)p;
	a->z.avail_in = (uInt)n;
	do {
		a->z.next_out = buf;
		a->z.avail_out = sizeof(buf);
		rc = deflate(&a->z, last ? Z_FINISH : Z_NO_FLUSH);
		wb_bytes(out, buf, sizeof(buf) - a->z.avail_out);
	} while (a->z.avail_out == 0 && rc == Z_OK);
}

bool
archive_out_next(struct archive_out *a, struct wbuf *out)
{
	struct wbuf	*parts[] = { &a->head, &a->state, &a->tail };
	struct wbuf	*b;
	size_t		 n;
	bool		 last;

	if (a->part == NELEM(parts))
		return false;
	b = parts[a->part];
	n = b->len - a->off < SLICE ? b->len - a->off : SLICE;
	last = a->part == 2 && a->off + n == b->len;
	if (a->part == 1 && n > 0 &&
	    EVP_DigestUpdate(a->digest, b->p + a->off, n) != 1)
		abort();
	if (n > 0)
		compress_slice(a, b->p + a->off, n, last, out);
	a->off += n;
	if (a->off < b->len)
		return true;
	if (a->part == 1) {
		make_tail(a);
		wb_free(&a->state);
		wb_init(&a->state, 0);
	}
	a->part++;
	a->off = 0;
	return a->part < NELEM(parts);
}
