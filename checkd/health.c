/*
 * Protocol buffers, as far as one field of the health protocol needs them.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "checkd/health.h"
#include "common/util.h"

#define SERVICE_MAX	1024
#define MESSAGE_MAX	1024

enum { WIRE_VARINT, WIRE_64, WIRE_BYTES, WIRE_32 = 5 };

static void
put_varint(struct wbuf *w, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		wb_u8(w, (uint8_t)(n | 0x80));
	wb_u8(w, (uint8_t)n);
}

void
health_request(const char *service, struct wbuf *out)
{
	struct wbuf	 m;
	size_t		 n = strnlen(service, SERVICE_MAX);

	wb_init(&m, 0);
	if (n > 0) {
		wb_u8(&m, 1 << 3 | WIRE_BYTES);
		put_varint(&m, n);
		wb_bytes(&m, service, n);
	}
	wb_u8(out, 0);			/* not compressed */
	wb_u32(out, (uint32_t)m.len);
	wb_bytes(out, m.p, m.len);
	wb_free(&m);
}

static uint64_t
get_varint(struct rbuf *r)
{
	uint64_t	 n = 0;
	unsigned	 shift;
	uint8_t		 b;

	for (shift = 0; shift < 64; shift += 7) {
		b = rb_u8(r);
		n |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return n;
	}
	rb_fail(r, "varint");
	return 0;
}

static void
skip_field(struct rbuf *r, unsigned wire)
{
	uint64_t	 n;

	switch (wire) {
	case WIRE_VARINT:
		(void)get_varint(r);
		break;
	case WIRE_64:
		(void)rb_bytes(r, 8);
		break;
	case WIRE_BYTES:
		n = get_varint(r);
		if (n > r->n)
			rb_fail(r, "length");
		else
			(void)rb_bytes(r, (size_t)n);
		break;
	case WIRE_32:
		(void)rb_bytes(r, 4);
		break;
	default:
		rb_fail(r, "wire type");
		break;
	}
}

int
health_answer(const uint8_t *p, size_t n, uint64_t *status)
{
	struct rbuf	 r;
	uint64_t	 tag, found = HEALTH_UNKNOWN;
	uint32_t	 len;

	rb_init(&r, p, n);
	/* Compression was not offered. */
	if (rb_u8(&r) != 0)
		return -1;
	len = rb_u32(&r);
	if (!rb_ok(&r) || len != r.n)
		return -1;
	while (rb_ok(&r) && r.n > 0) {
		tag = get_varint(&r);
		if (tag == (1 << 3 | WIRE_VARINT))
			found = get_varint(&r);
		else
			skip_field(&r, tag & 7);
	}
	if (!rb_done(&r))
		return -1;
	*status = found;
	return 0;
}

const char *
health_code(long code)
{
	static const char *const	 names[] = {
		"OK", "Canceled", "Unknown", "InvalidArgument",
		"DeadlineExceeded", "NotFound", "AlreadyExists",
		"PermissionDenied", "ResourceExhausted", "FailedPrecondition",
		"Aborted", "OutOfRange", "Unimplemented", "Internal",
		"Unavailable", "DataLoss", "Unauthenticated"
	};

	if (code < 0 || (size_t)code >= NELEM(names))
		return "Unknown";
	return names[code];
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *
health_message(const char *s, size_t n)
{
	char	*out;
	size_t	 i, k = 0;
	int	 c;

	if (n > MESSAGE_MAX)
		n = MESSAGE_MAX;
	out = xmalloc(n + 1);
	for (i = 0; i < n; i++) {
		c = (unsigned char)s[i];
		if (c == '%' && n - i > 2 && hex_digit(s[i + 1]) != -1 &&
		    hex_digit(s[i + 2]) != -1) {
			c = hex_digit(s[i + 1]) << 4 | hex_digit(s[i + 2]);
			i += 2;
		}
		out[k++] = c == '\0' ? '?' : (char)c;
	}
	out[k] = '\0';
	return out;
}
