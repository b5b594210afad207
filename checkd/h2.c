/*
 * HTTP/2 frames (RFC 9113, section 4.1) around one PING (6.7).
 */
#include <string.h>

#include "checkd/h2.h"

#define FRAMES_MAX	1000	/* before the answer */

enum { F_DATA, F_HEADERS, F_SETTINGS = 4, F_PING = 6, F_GOAWAY = 7 };
enum { FLAG_ACK = 1 };

static void
put_head(struct wbuf *w, size_t len, uint8_t type, uint8_t flags)
{
	wb_u8(w, (uint8_t)(len >> 16));
	wb_u16(w, (uint16_t)len);
	wb_u8(w, type);
	wb_u8(w, flags);
	wb_u32(w, 0);
}

void
h2_init(struct h2 *h, uint64_t opaque, struct wbuf *out)
{
	memset(h, 0, sizeof(*h));
	memcpy(h->opaque, &opaque, sizeof(h->opaque));
	wb_str(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	put_head(out, 0, F_SETTINGS, 0);
	put_head(out, sizeof(h->opaque), F_PING, 0);
	wb_bytes(out, h->opaque, sizeof(h->opaque));
}

static void
bad(struct h2 *h, const char *why)
{
	h->state = H2_BAD;
	h->error = why;
}

static void
on_frame(struct h2 *h, struct wbuf *out)
{
	uint8_t	 type = h->head[3], flags = h->head[4];

	if (!h->settled && (type != F_SETTINGS || flags & FLAG_ACK)) {
		bad(h, "the server speaks no HTTP/2");
		return;
	}
	h->settled = true;
	switch (type) {
	case F_SETTINGS:
		if (!(flags & FLAG_ACK))
			put_head(out, 0, F_SETTINGS, FLAG_ACK);
		break;
	case F_PING:
		if (h->payload_len == sizeof(h->opaque) && flags & FLAG_ACK &&
		    memcmp(h->payload, h->opaque, sizeof(h->opaque)) == 0)
			h->state = H2_PONG;
		break;
	case F_GOAWAY:
		bad(h, "the server sent GOAWAY");
		break;
	default:
		/* Nothing was asked for that these could be about. */
		break;
	}
	if (++h->nframes > FRAMES_MAX && h->state == H2_WAITS)
		bad(h, "the server answers everything but the PING");
}

/* The header of a frame, byte by byte; the number of bytes taken. */
static size_t
feed_head(struct h2 *h, const uint8_t *p, size_t n)
{
	size_t	 k = sizeof(h->head) - h->head_len;

	if (k > n)
		k = n;
	memcpy(h->head + h->head_len, p, k);
	h->head_len += k;
	if (h->head_len < sizeof(h->head))
		return k;
	h->left = (size_t)h->head[0] << 16 | (size_t)h->head[1] << 8 |
	    h->head[2];
	h->payload_len = 0;
	if (h->left > H2_FRAME_MAX)
		bad(h, h->settled ? "a frame is too long" :
		    "the server speaks no HTTP/2");
	return k;
}

static size_t
feed_payload(struct h2 *h, const uint8_t *p, size_t n)
{
	size_t	 k = n < h->left ? n : h->left, keep;

	keep = sizeof(h->payload) - h->payload_len;
	if (keep > k)
		keep = k;
	memcpy(h->payload + h->payload_len, p, keep);
	h->payload_len += keep;
	h->left -= k;
	return k;
}

void
h2_feed(struct h2 *h, const uint8_t *p, size_t n, struct wbuf *out)
{
	size_t	 k;

	while (n > 0 && h->state == H2_WAITS) {
		if (h->head_len < sizeof(h->head))
			k = feed_head(h, p, n);
		else
			k = feed_payload(h, p, n);
		p += k;
		n -= k;
		if (h->state == H2_WAITS && h->left == 0 &&
		    h->head_len == sizeof(h->head)) {
			on_frame(h, out);
			h->head_len = 0;
		}
	}
}
