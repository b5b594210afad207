/*
 * HTTP/1 answers (RFC 9112).  Lines may end in LF alone; a head that is no
 * head, or too long, is bad, and so is a length that is no number.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "checkd/h1.h"
#include "common/util.h"

#define LENGTH_MAX	(UINT64_C(1) << 62)

static const char	malformed[] = "malformed HTTP response";

void
h1_init(struct h1 *h, bool to_head)
{
	memset(h, 0, sizeof(*h));
	h->to_head = to_head;
}

void
h1_clear(struct h1 *h)
{
	free(h->location);
	free(h->line);
	memset(h, 0, sizeof(*h));
}

static void
bad(struct h1 *h, const char *why)
{
	h->state = H1_BAD;
	h->error = why;
}

/* ---- lines ---- */

/* "HTTP/1.1 200 OK" */
static void
status_line(struct h1 *h, const char *line)
{
	const char	*p = line + 9;

	free(h->location);
	h->location = NULL;
	h->chunked = h->has_length = false;
	if (strncmp(line, "HTTP/1.", 7) != 0 || line[7] < '0' ||
	    line[7] > '9' || line[8] != ' ' || p[0] < '1' || p[0] > '9' ||
	    p[1] < '0' || p[1] > '9' || p[2] < '0' || p[2] > '9' ||
	    (p[3] != ' ' && p[3] != '\0')) {
		bad(h, malformed);
		return;
	}
	h->code = strtol(p, NULL, 10);
	/* A long reason is cut. */
	(void)snprintf(h->status, sizeof(h->status), "%s", p);
	h->state = H1_HEAD;
}

static const char *
value_of(const char *line, const char *name)
{
	size_t	 n = strlen(name);

	if (strncasecmp(line, name, n) != 0 || line[n] != ':')
		return NULL;
	line += n + 1;
	return line + strspn(line, " \t");
}

static void
set_length(struct h1 *h, const char *v)
{
	uint64_t	 n = 0;
	const char	*p;

	for (p = v; *p >= '0' && *p <= '9' && n < LENGTH_MAX / 16; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	if (p == v || *p != '\0' || (h->has_length && h->left != n)) {
		bad(h, "bad Content-Length");
		return;
	}
	h->has_length = true;
	h->left = n;
}

static void
header_line(struct h1 *h, const char *line)
{
	const char	*v;

	if (strchr(line, ':') == NULL)
		bad(h, "malformed MIME header line");
	else if ((v = value_of(line, "Content-Length")) != NULL)
		set_length(h, v);
	else if ((v = value_of(line, "Transfer-Encoding")) != NULL) {
		if (strcasecmp(v, "chunked") == 0)
			h->chunked = true;
		else if (strcasecmp(v, "identity") != 0)
			bad(h, "unsupported transfer encoding");
	} else if ((v = value_of(line, "Location")) != NULL &&
	    h->location == NULL)
		h->location = xstrdup(v);
}

static void
head_end(struct h1 *h)
{
	if (h->code < 200 && h->code != 101) {
		h->state = H1_STATUS;
		return;
	}
	h->answered = true;
	if (h->to_head || h->code == 204 || h->code == 304)
		h->state = H1_DONE;
	else if (h->chunked)
		h->state = H1_CHUNK_SIZE;
	else if (h->has_length)
		h->state = h->left > 0 ? H1_BODY_LENGTH : H1_DONE;
	else
		h->state = H1_BODY_EOF;
}

/* "1a;extension" */
static void
chunk_size(struct h1 *h, const char *line)
{
	uint64_t	 n = 0;
	const char	*p;
	int		 d;

	for (p = line; n < LENGTH_MAX / 16; p++) {
		if (*p >= '0' && *p <= '9')
			d = *p - '0';
		else if ((*p | 32) >= 'a' && (*p | 32) <= 'f')
			d = (*p | 32) - 'a' + 10;
		else
			break;
		n = n * 16 + (uint64_t)d;
	}
	if (p == line || (*p != '\0' && *p != ';' && *p != ' ')) {
		bad(h, "invalid chunk");
		return;
	}
	h->left = n;
	h->state = n > 0 ? H1_CHUNK : H1_TRAILER;
}

static void
on_line(struct h1 *h, const char *line)
{
	switch (h->state) {
	case H1_STATUS:
		status_line(h, line);
		break;
	case H1_HEAD:
		if (*line == '\0')
			head_end(h);
		else
			header_line(h, line);
		break;
	case H1_CHUNK_SIZE:
		chunk_size(h, line);
		break;
	case H1_CHUNK_END:
		if (*line == '\0')
			h->state = H1_CHUNK_SIZE;
		else
			bad(h, "invalid chunk");
		break;
	case H1_TRAILER:
		if (*line == '\0')
			h->state = H1_DONE;
		break;
	case H1_BODY_LENGTH:
	case H1_BODY_EOF:
	case H1_CHUNK:
	case H1_DONE:
	case H1_BAD:
		break;
	}
}

/* Keeps a part of a line; the number of bytes taken. */
static size_t
feed_line(struct h1 *h, const uint8_t *p, size_t n)
{
	const uint8_t	*nl = memchr(p, '\n', n);
	size_t		 k = nl != NULL ? (size_t)(nl - p) + 1 : n;

	if (k > H1_LINE_MAX - h->line_len) {
		bad(h, "a line of the answer is too long");
		return n;
	}
	if (h->state == H1_CHUNK_SIZE || h->state == H1_CHUNK_END)
		h->head_len = 0;
	else if ((h->head_len += k) > H1_HEAD_MAX) {
		bad(h, "server response headers are too long");
		return n;
	}
	if (h->line_len + k + 1 > h->line_cap) {
		h->line_cap = h->line_len + k + 256;
		h->line = xrealloc(h->line, h->line_cap);
	}
	memcpy(h->line + h->line_len, p, k);
	h->line_len += k;
	if (nl == NULL)
		return k;
	h->line_len--;
	while (h->line_len > 0 && (h->line[h->line_len - 1] == '\r' ||
	    h->line[h->line_len - 1] == ' '))
		h->line_len--;
	h->line[h->line_len] = '\0';
	if (memchr(h->line, '\0', h->line_len) != NULL)
		bad(h, malformed);
	else
		on_line(h, h->line);
	h->line_len = 0;
	return k;
}

static size_t
feed_body(struct h1 *h, const uint8_t *p, size_t n, h1_body_fn *fn, void *arg)
{
	size_t	 k = n;

	if (h->state != H1_BODY_EOF && k > h->left)
		k = (size_t)h->left;
	if (h->state != H1_BODY_EOF && (h->left -= k) == 0)
		h->state = h->state == H1_CHUNK ? H1_CHUNK_END : H1_DONE;
	fn(p, k, arg);
	return k;
}

void
h1_feed(struct h1 *h, const uint8_t *p, size_t n, h1_body_fn *fn, void *arg)
{
	size_t	 k = 0;

	while (n > 0) {
		switch (h->state) {
		case H1_BODY_LENGTH:
		case H1_BODY_EOF:
		case H1_CHUNK:
			k = feed_body(h, p, n, fn, arg);
			break;
		case H1_STATUS:
		case H1_HEAD:
		case H1_CHUNK_SIZE:
		case H1_CHUNK_END:
		case H1_TRAILER:
			k = feed_line(h, p, n);
			break;
		case H1_DONE:
		case H1_BAD:
			return;
		}
		p += k;
		n -= k;
	}
}

void
h1_eof(struct h1 *h)
{
	if (h->state == H1_BODY_EOF)
		h->state = H1_DONE;
	else if (h->state != H1_DONE && h->state != H1_BAD)
		bad(h, h->state == H1_STATUS && h->line_len == 0 &&
		    h->code == 0 ? "EOF" : "unexpected EOF");
}
