/*
 * Archives: those of real servers are read, written again they are the same to
 * the byte inside, and each way to be no good has the words of Consul's reader.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/archive.h"
#include "common/json.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

#define DIR	"tests/vectors/snapshot/"
#define BLOCK	512

static char *
file(const char *name, const char *end, size_t *len)
{
	char	*path, *p;

	xasprintf(&path, DIR "%s.%s", name, end);
	p = file_read(path, 1 << 20, len);
	ck_assert_msg(p != NULL, "%s", path);
	free(path);
	return p;
}

/* What is in a gzip stream. */
static uint8_t *
gunzip(const void *p, size_t n, size_t *len)
{
	z_stream	 z = { .next_in = (uint8_t *)(uintptr_t)p,
			    .avail_in = (uInt)n };
	uint8_t		*out = xmalloc(1 << 20);

	ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_out = out;
	z.avail_out = 1 << 20;
	ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
	*len = z.total_out;
	inflateEnd(&z);
	return out;
}

static void
gzip(const void *p, size_t n, struct wbuf *w)
{
	z_stream	z = { .next_in = (uint8_t *)(uintptr_t)p,
			    .avail_in = (uInt)n };
	uint8_t		out[65536];

	ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8,
	    Z_DEFAULT_STRATEGY), Z_OK);
	z.next_out = out;
	z.avail_out = sizeof(out);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	wb_bytes(w, out, z.total_out);
	deflateEnd(&z);
}

/* Reads in pieces of that size: NULL, or the reason. */
static const char *
read_all(const void *p, size_t n, size_t piece, struct archive_meta *m,
    struct wbuf *state)
{
	static char		 why[512];
	struct archive_in	*a = archive_in_new(1 << 20);
	const uint8_t		*s, *at = p;
	size_t			 len, k;
	bool			 ok = true;

	for (; n > 0 && ok; at += k, n -= k) {
		k = n < piece ? n : piece;
		ok = archive_in_feed(a, at, k) == 0;
	}
	ok = ok && archive_in_end(a, m, &s, &len) == 0;
	if (ok && state != NULL)
		wb_bytes(state, s, len);
	snprintf(why, sizeof(why), "%s", archive_in_error(a));
	archive_in_free(a);
	return ok ? NULL : why;
}

static const char *const vectors[] = { "empty", "basic", "acl", "made" };

START_TEST(reads_what_real_servers_wrote)
{
	size_t			 len, jlen, piece;
	char			*p = file(vectors[_i], "snap", &len), err[256];
	char			*text = file(vectors[_i], "json", &jlen);
	struct json		*top = json_parse(text, jlen, err, sizeof(err));
	const struct json	*want = json_get(top, "meta.json");
	struct archive_meta	 m;
	struct wbuf		 state;
	uint8_t			 digest[EVP_MAX_MD_SIZE];
	char			 hex[65], buf[256];
	unsigned		 n;

	for (piece = 1; piece < 2 * len; piece = piece * 7 + 1) {
		const char *why;

		wb_init(&state, 0);
		why = read_all(p, len, piece, &m, &state);
		ck_assert_msg(why == NULL, "%s", why);
		EVP_Digest(state.p, state.len, digest, &n, EVP_sha256(), NULL);
		hex_encode(digest, 32, hex);
		ck_assert_str_eq(hex, json_get(top, "state_sha256")->str);
		ck_assert_str_eq(m.id, json_get(want, "ID")->str);
		ck_assert_uint_eq(m.index, strtoull(json_get(want,
		    "Index")->str, NULL, 10));
		ck_assert_uint_eq(m.term, strtoull(json_get(want,
		    "Term")->str, NULL, 10));
		ck_assert_int_eq(m.size, (int64_t)state.len);
		ck_assert_int_eq(m.version, 1);
		ck_assert_ptr_null(archive_meta_refusal(&m, state.len, buf,
		    sizeof(buf)));
		archive_meta_clear(&m);
		wb_free(&state);
	}
	json_free(top);
	free(text);
	free(p);
}
END_TEST

/* The two lines of SHA256SUMS stand in random order. */
static void
same_tar(const uint8_t *a, const uint8_t *b, size_t n)
{
	size_t	i, size;

	for (i = 0; i + BLOCK <= n && a[i] != 0;
	    i += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK) {
		size = strtoul((const char *)a + i + 124, NULL, 8);
		ck_assert_int_eq(memcmp(a + i, b + i, BLOCK), 0);
		if (strcmp((const char *)a + i, "SHA256SUMS") == 0) {
			ck_assert(memcmp(a + i + BLOCK, b + i + BLOCK,
			    size) == 0 || memcmp(a + i + BLOCK,
			    b + i + BLOCK + 76, 76) == 0);
		} else
			ck_assert_int_eq(memcmp(a + i + BLOCK, b + i + BLOCK,
			    size), 0);
	}
	ck_assert_uint_eq(n - i, 2 * BLOCK);
}

START_TEST(writes_them_again_byte_for_byte)
{
	size_t			 len, tlen, blen, jlen, i;
	char			*p = file(vectors[_i], "snap", &len), err[256];
	char			*text = file(vectors[_i], "json", &jlen);
	struct json		*top = json_parse(text, jlen, err, sizeof(err));
	const struct json	*j;
	uint8_t			*tar = gunzip(p, len, &tlen), *back;
	struct archive_meta	 m;
	struct archive_out	*a;
	struct wbuf		 state, out;

	wb_init(&state, 0);
	wb_init(&out, 0);
	ck_assert_ptr_null(read_all(p, len, len, &m, &state));
	j = json_get(json_get(top, "meta.json"), "Configuration");
	for (j = json_get(j, "Servers")->child; j != NULL; j = j->next) {
		m.servers.item = xcalloc(1, sizeof(*m.servers.item));
		m.servers.n = 1;
		m.servers.item[0].id = xstrdup(json_get(j, "ID")->str);
		m.servers.item[0].address = xstrdup(json_get(j,
		    "Address")->str);
	}
	a = archive_out_new(&m, &state, (int64_t)strtoull((char *)tar + 136,
	    NULL, 8));
	for (i = 0; archive_out_next(a, &out); i++)
		;
	archive_out_free(a);
	ck_assert_int_eq(memcmp(out.p, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10), 0);
	back = gunzip(out.p, out.len, &blen);
	/* Not Consul's own writing, whose peers are an empty text. */
	if (strcmp(vectors[_i], "made") != 0) {
		ck_assert_int_eq(memcmp(p, out.p, 10), 0);
		ck_assert_uint_eq(blen, tlen);
		same_tar(tar, back, tlen);
	}
	archive_meta_clear(&m);
	ck_assert_ptr_null(read_all(out.p, out.len, 100, &m, &state));
	archive_meta_clear(&m);
	wb_free(&out);
	wb_free(&state);
	json_free(top);
	free(text);
	free(p);
	free(tar);
	free(back);
}
END_TEST

START_TEST(large_states_go_through_in_slices)
{
	struct archive_meta	 m = { .version = 1, .id = xstrdup("1-2-3") };
	struct archive_out	*a;
	struct wbuf		 state, out, back;
	size_t			 i, n = 0;

	wb_init(&state, 0);
	wb_init(&out, 0);
	wb_init(&back, 0);
	for (i = 0; i < 700000; i++)
		wb_u8(&state, (uint8_t)(i * i >> 7));
	a = archive_out_new(&m, &state, 1);
	ck_assert_uint_eq(state.len, 0);
	while (archive_out_next(a, &out))
		n++;
	ck_assert_uint_ge(n, 11);
	archive_out_free(a);
	archive_meta_clear(&m);
	ck_assert_ptr_null(read_all(out.p, out.len, 4096, &m, &back));
	ck_assert_uint_eq(back.len, 700000);
	for (i = 0; i < 700000 && back.p[i] == (uint8_t)(i * i >> 7); i++)
		;
	ck_assert_uint_eq(i, 700000);
	archive_meta_clear(&m);
	wb_free(&out);
	wb_free(&back);
}
END_TEST

/* ---- no good ---- */

START_TEST(what_is_no_archive)
{
	struct archive_meta	m;
	size_t			len, tlen;
	char			*p = file("basic", "snap", &len);
	uint8_t			*tar = gunzip(p, len, &tlen);

	ck_assert_str_eq(read_all("", 0, 1, &m, NULL),
	    "failed to decompress snapshot: EOF");
	ck_assert_str_eq(read_all("garbage", 7, 9, &m, NULL),
	    "failed to decompress snapshot: unexpected EOF");
	ck_assert_str_eq(read_all("{\"data_dir\": \"x\"}", 17, 17, &m, NULL),
	    "failed to decompress snapshot: gzip: invalid header");
	ck_assert_str_eq(read_all(tar, tlen, 1000, &m, NULL),
	    "failed to decompress snapshot: gzip: invalid header");
	ck_assert_str_eq(read_all(p, 5, 5, &m, NULL),
	    "failed to decompress snapshot: unexpected EOF");
	free(p);
	free(tar);
}
END_TEST

START_TEST(cut_anywhere_it_is_refused)
{
	struct archive_meta	m;
	size_t			len, i;
	char			*p = file("basic", "snap", &len);
	const char		*why;

	for (i = 0; i < len; i++) {
		why = read_all(p, i, 1000, &m, NULL);
		ck_assert_msg(why != NULL, "cut at %zu", i);
		ck_assert_msg(strstr(why, "EOF") != NULL, "%zu: %s", i, why);
	}
	ck_assert_str_eq(read_all(p, len / 2, 1000, &m, NULL),
	    "failed to read snapshot file: failed to read or write snapshot "
	    "data: unexpected EOF");
	ck_assert_str_eq(read_all(p, len - 3, 1000, &m, NULL),
	    "unexpected EOF");
	free(p);
}
END_TEST

/* Bits that mean nothing there are, in headers and where gzip fills bytes. */
START_TEST(changed_anywhere_it_is_refused_or_the_same)
{
	struct archive_meta	m;
	size_t			len, i, same = 0;
	char			*p = file("basic", "snap", &len);
	struct wbuf		 want, got;

	wb_init(&want, 0);
	ck_assert_ptr_null(read_all(p, len, 1000, &m, &want));
	archive_meta_clear(&m);
	for (i = 0; i < len; i++) {
		wb_init(&got, 0);
		p[i] ^= 0x10;
		if (read_all(p, len, 1000, &m, &got) == NULL) {
			same++;
			ck_assert_uint_eq(got.len, want.len);
			ck_assert_int_eq(memcmp(got.p, want.p, got.len), 0);
			ck_assert_str_eq(m.id, "2-39-1795344730117");
			archive_meta_clear(&m);
		}
		p[i] ^= 0x10;
		wb_free(&got);
	}
	ck_assert_uint_lt(same, 12);
	wb_free(&want);
	p[len - 8] ^= 1;
	ck_assert_str_eq(read_all(p, len, 1000, &m, NULL),
	    "gzip: invalid checksum");
	free(p);
}
END_TEST

/* A member written by hand. */
static void
put(struct wbuf *w, const char *name, const void *p, size_t n, char kind)
{
	uint8_t		h[BLOCK] = { 0 };
	static uint8_t	zero[BLOCK];
	unsigned	sum = 0, i;

	snprintf((char *)h, 100, "%s", name);
	snprintf((char *)h + 100, 8, "0000600");
	snprintf((char *)h + 124, 12, "%011zo", n);
	h[156] = (uint8_t)kind;
	memset(h + 148, ' ', 8);
	for (i = 0; i < BLOCK; i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
	wb_bytes(w, h, BLOCK);
	wb_bytes(w, p, n);
	if (n % BLOCK != 0)
		wb_bytes(w, zero, BLOCK - n % BLOCK);
}

#define META	"{\"Version\":1,\"Size\":5}"

static void
sum_line(struct wbuf *w, const char *name, const void *p, size_t n,
    const char *sep, bool upper)
{
	uint8_t		digest[EVP_MAX_MD_SIZE];
	char		hex[65];
	unsigned	len, i;

	EVP_Digest(p, n, digest, &len, EVP_sha256(), NULL);
	hex_encode(digest, 32, hex);
	for (i = 0; upper && i < 64; i++)
		if (hex[i] >= 'a')
			hex[i] = (char)(hex[i] - 'a' + 'A');
	wb_printf(w, "%s%s%s\n", hex, sep, name);
}

enum { ORDER = 1, NO_END = 2, ONE_ZERO = 4, PADDED = 8, JUNK = 16, EXTRA = 32,
    NO_STATE = 64, NO_SUMS = 128, UPPER = 256, NO_LF = 512, BLANK = 1024,
    STAR = 2048, THIRD = 4096, NO_META_LINE = 8192, DOT = 16384,
    PAX = 32768, BAD_JSON = 65536, TWICE = 1 << 17, BAD_HEX = 1 << 18,
    WRONG = 1 << 19, GNU = 1 << 20, TWO_GZIP = 1 << 21 };

static const struct { int how; const char *why; } made[] = {
	{ 0, NULL },
	{ ORDER, NULL },
	{ NO_END, NULL },
	{ ONE_ZERO, NULL },
	{ PADDED, NULL },
	{ PAX, NULL },
	{ GNU, NULL },
	{ UPPER | NO_LF, NULL },
	{ TWO_GZIP, NULL },
	{ JUNK, "9728 unread uncompressed bytes remain" },
	{ EXTRA, "failed to read snapshot file: unexpected file "
	    "\"extra.txt\" in snapshot" },
	{ DOT, "failed to read snapshot file: unexpected file "
	    "\"./meta.json\" in snapshot" },
	{ TWICE, "failed to read snapshot file: unexpected file "
	    "\"state.bin\" in snapshot" },
	{ NO_STATE, "failed to read snapshot file: failed checking integrity "
	    "of snapshot: hash check failed for \"state.bin\"" },
	{ WRONG, "failed to read snapshot file: failed checking integrity "
	    "of snapshot: hash check failed for \"state.bin\"" },
	{ NO_SUMS, "failed to read snapshot file: failed checking integrity "
	    "of snapshot: file missing for \"meta.json\"" },
	{ NO_META_LINE, "failed to read snapshot file: failed checking "
	    "integrity of snapshot: file missing for \"meta.json\"" },
	{ BLANK, "failed to read snapshot file: failed checking integrity of "
	    "snapshot: EOF" },
	{ STAR, "failed to read snapshot file: failed checking integrity of "
	    "snapshot: list missing hash for \"*state.bin\"" },
	{ THIRD, "failed to read snapshot file: failed checking integrity of "
	    "snapshot: list missing hash for \"other\"" },
	{ BAD_HEX, "failed to read snapshot file: failed checking integrity "
	    "of snapshot: no hex data for %x string" },
	{ BAD_JSON, "failed to read snapshot file: failed to decode snapshot "
	    "metadata: invalid character" },
};

static void
make(int how, struct wbuf *gz)
{
	const char	*meta = how & BAD_JSON ? "no json" : META;
	struct wbuf	 w, sums;
	size_t		 i;

	wb_init(&w, 0);
	wb_init(&sums, 0);
	if (how & BAD_HEX)
		wb_str(&sums, "zz  meta.json\n");
	if (!(how & NO_META_LINE))
		sum_line(&sums, "meta.json", meta, strlen(meta), "  ", false);
	if (how & BLANK)
		wb_str(&sums, "\n");
	sum_line(&sums, how & STAR ? "*state.bin" : "state.bin",
	    how & WRONG ? "world" : "hello", 5, how & UPPER ? " " : "  ",
	    how & UPPER);
	if (how & THIRD)
		sum_line(&sums, "other", "", 0, "  ", false);
	if (how & NO_LF)
		sums.len--;
	if (how & ORDER)
		put(&w, "SHA256SUMS", sums.p, sums.len, '0');
	if (how & PAX)
		put(&w, "pax", "18 path=meta.json\n", 18, 'x');
	if (how & GNU)
		put(&w, "././@LongLink", "meta.json", 10, 'L');
	put(&w, how & DOT ? "./meta.json" : how & (PAX | GNU) ? "short" :
	    "meta.json", meta, strlen(meta), '0');
	if (!(how & NO_STATE))
		put(&w, "state.bin", "hello", 5, how & UPPER ? '\0' : '0');
	if (how & TWICE)
		put(&w, "state.bin", "hello", 5, '0');
	if (how & EXTRA)
		put(&w, "extra.txt", "x", 1, '0');
	if (!(how & (ORDER | NO_SUMS)))
		put(&w, "SHA256SUMS", sums.p, sums.len, '0');
	for (i = 0; i < (how & NO_END ? 0 : how & ONE_ZERO ? 512 : 1024); i++)
		wb_u8(&w, 0);
	for (i = 0; i < (how & (PADDED | JUNK) ? 9728 : 0); i++)
		wb_u8(&w, how & JUNK && i > 9000);
	if (how & TWO_GZIP) {
		gzip(w.p, 700, gz);
		gzip(w.p + 700, w.len - 700, gz);
	} else
		gzip(w.p, w.len, gz);
	wb_free(&w);
	wb_free(&sums);
}

START_TEST(accepts_and_refuses_as_consul)
{
	struct archive_meta	m;
	struct wbuf		gz, state;
	const char		*why;
	size_t			piece;

	wb_init(&gz, 0);
	make(made[_i].how, &gz);
	for (piece = 1; piece < 3000; piece = piece * 9 + 2) {
		wb_init(&state, 0);
		why = read_all(gz.p, gz.len, piece, &m, &state);
		if (made[_i].why == NULL) {
			ck_assert_msg(why == NULL, "%d: %s", made[_i].how,
			    why);
			ck_assert_uint_eq(state.len, 5);
			archive_meta_clear(&m);
		} else
			ck_assert_msg(why != NULL && strncmp(why, made[_i].why,
			    strlen(made[_i].why)) == 0, "%s: %s",
			    made[_i].why, why == NULL ? "accepted" : why);
		wb_free(&state);
	}
	wb_free(&gz);
}
END_TEST

START_TEST(junk_behind_the_stream)
{
	struct archive_meta	m;
	struct wbuf		gz;

	wb_init(&gz, 0);
	make(0, &gz);
	wb_str(&gz, "junk");
	ck_assert_str_eq(read_all(gz.p, gz.len, 100, &m, NULL),
	    "gzip: invalid header");
	wb_free(&gz);
}
END_TEST

START_TEST(a_state_beyond_the_bound)
{
	struct archive_meta	 m = { .version = 1 };
	struct archive_in	*in = archive_in_new(1000);
	struct archive_out	*a;
	struct wbuf		 state, out;

	wb_init(&state, 0);
	wb_init(&out, 0);
	memset(wb_reserve(&state, 1001), 0, 1001);
	a = archive_out_new(&m, &state, 1);
	while (archive_out_next(a, &out))
		;
	archive_out_free(a);
	ck_assert_int_eq(archive_in_feed(in, out.p, out.len), -1);
	ck_assert_str_eq(archive_in_error(in), "failed to read snapshot file: "
	    "failed to read or write snapshot data: larger than 1000 bytes");
	archive_in_free(in);
	wb_free(&out);
}
END_TEST

START_TEST(what_inspecting_does_not_look_at)
{
	struct archive_meta	m = { .version = 1, .size = 5 };
	char			buf[200];

	ck_assert_ptr_null(archive_meta_refusal(&m, 5, buf, sizeof(buf)));
	ck_assert_str_eq(archive_meta_refusal(&m, 4, buf, sizeof(buf)),
	    "Raft error when restoring snapshot: failed to write snapshot, "
	    "size didn't match (4 != 5)");
	m.version = 0;
	ck_assert_str_eq(archive_meta_refusal(&m, 5, buf, sizeof(buf)),
	    "Raft error when restoring snapshot: failed to create snapshot: "
	    "unsupported snapshot version 0");
	m.version = 2;
	ck_assert_str_eq(archive_meta_refusal(&m, 5, buf, sizeof(buf)),
	    "Raft error when restoring snapshot: unsupported snapshot "
	    "version 2");
}
END_TEST

int
main(void)
{
	TCase	*t = unit_case("catalogd_archive");

	tcase_add_loop_test(t, reads_what_real_servers_wrote, 0,
	    NELEM(vectors));
	tcase_add_loop_test(t, writes_them_again_byte_for_byte, 0,
	    NELEM(vectors));
	tcase_add_test(t, large_states_go_through_in_slices);
	tcase_add_test(t, what_is_no_archive);
	tcase_add_test(t, cut_anywhere_it_is_refused);
	tcase_add_test(t, changed_anywhere_it_is_refused_or_the_same);
	tcase_add_loop_test(t, accepts_and_refuses_as_consul, 0, NELEM(made));
	tcase_add_test(t, junk_behind_the_stream);
	tcase_add_test(t, a_state_beyond_the_bound);
	tcase_add_test(t, what_inspecting_does_not_look_at);
	return unit_case_run("catalogd_archive", t);
}
