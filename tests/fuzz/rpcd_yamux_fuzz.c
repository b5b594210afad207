/*
 * rpcd/yamux under hostile bytes: a server (first byte even) or a client.  The
 * rest is cut into pieces of 1 to 64 bytes; what arrives is consumed now and
 * then, answered, closed or reset, as the bytes have it.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "rpcd/yamux.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
on_opened(struct yamux_stream *s, void *arg)
{
	if (yamux_id(s) % 16 == 15)
		yamux_reset(s);
	else if (yamux_id(s) % 16 != 13)
		yamux_accept(s, arg);
}

static void
on_data(struct yamux_stream *s, const uint8_t *p, size_t n, void *arg)
{
	static const uint8_t	 fill[70000];

	(void)arg;
	if (p[0] & 1)
		yamux_consumed(s, n);
	if (p[0] & 2)
		yamux_send(s, fill, (size_t)p[0] * 256);
	if ((p[0] & 0x1c) == 0x14)
		yamux_close(s);
	else if ((p[0] & 0x1c) == 0x18)
		yamux_reset(s);
}

static void
on_fin(struct yamux_stream *s, void *arg)
{
	(void)arg;
	if (yamux_id(s) % 4 != 0)
		yamux_close(s);
}

static void
on_reset(struct yamux_stream *s, void *arg)
{
	(void)s;
	(void)arg;
}

static void
on_acked(void *arg)
{
	(void)arg;
}

static void
on_pong(uint32_t value, void *arg)
{
	(void)value;
	(void)arg;
}

static const struct yamux_ops server_ops = {
	on_opened, on_data, on_fin, on_reset, NULL, on_pong
};
static const struct yamux_ops client_ops = {
	NULL, on_data, on_fin, on_reset, on_acked, on_pong
};

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct yamux	*y;
	bool		 client;
	size_t		 k, out;
	int		 i;

	if (n < 1)
		return 0;
	client = (p[0] & 1) != 0;
	y = yamux_new(client, client ? &client_ops : &server_ops, NULL);
	for (i = 0; client && i < 5; i++)
		(void)yamux_open(y, NULL);
	for (p++, n--; n > 0; p += k, n -= k) {
		k = 1 + (p[0] & 63);
		if (k > n)
			k = n;
		if (yamux_input(y, p, k) == -1 && yamux_error(y) == NULL)
			abort();
		(void)yamux_output(y, &out);
		yamux_written(y);
		if (yamux_nstreams(y) > 65536 / 12 * YAMUX_BACKLOG)
			abort();
	}
	yamux_free(y);
	return 0;
}
