/*
 * Happy path: connect within 10 s; then the type byte, or 3, the TLS
 * handshake within 10 s and the type byte inside.
 *
 * Failures: nobody there, no answer, a certificate that is not the server's.
 */
#include <bsd/string.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "rpcd/incoming.h"
#include "rpcd/outgoing.h"

#define DIAL_MS		10000
#define HANDSHAKE_MS	10000

struct outgoing {
	struct stream		*stream;
	const struct dialler	*from;
	struct sockaddr_storage	 to;
	char			*dc;
	bool			 use_tls;
	uint8_t			 type;
	outgoing_fn		*fn;
	void			*arg;
};

void
outgoing_free(struct outgoing *o)
{
	if (o == NULL)
		return;
	stream_free(o->stream);
	free(o->dc);
	free(o);
}

/* Why a dial failed, as callers and logs of the network's other half say it. */
static void
dial_error(const struct outgoing *o, const char *why, char *buf, size_t len)
{
	char	 from[ADDR_TEXT_MAX] = "<nil>", to[ADDR_TEXT_MAX];
	char	 reason[320];

	if (o->from->has_local)
		addr_text(&o->from->local, from, sizeof(from));
	if (why == NULL || strcmp(why, "timed out") == 0)
		(void)strlcpy(reason, why == NULL ? "EOF" : "i/o timeout",
		    sizeof(reason));
	else if (strncmp(why, "TLS", 3) == 0)
		(void)strlcpy(reason, why, sizeof(reason));
	else
		(void)snprintf(reason, sizeof(reason), "connect: %c%s",
		    tolower((unsigned char)*why), why + 1);
	(void)snprintf(buf, len, "dial tcp %s->%s: %s", from,
	    addr_text(&o->to, to, sizeof(to)), reason);
}

static void
outgoing_fail(struct outgoing *o, const char *why)
{
	outgoing_fn	*fn = o->fn;
	void		*arg = o->arg;
	char		 error[512];

	dial_error(o, why, error, sizeof(error));
	outgoing_free(o);
	fn(NULL, error, arg);
}

static void
outgoing_done(struct stream *s, void *arg)
{
	struct outgoing	*o = arg;
	outgoing_fn	*fn = o->fn;

	arg = o->arg;
	stream_deadline(s, 0);
	stream_write(s, &o->type, 1);
	o->stream = NULL;
	outgoing_free(o);
	fn(s, NULL, arg);
}

static void
on_connected(struct stream *s, void *arg)
{
	struct outgoing		*o = arg;
	const struct rpc_tls	*tls = o->from->tls;
	char			 err[256], why[300], name[RPC_TLS_NAME_MAX];
	void			*layer;

	if (!tls_set_dials(tls->set, o->use_tls)) {
		outgoing_done(s, o);
		return;
	}
	layer = tls_layer_dial(tls->set, rpc_tls_name(tls, o->dc, name),
	    RPC_TYPE_TLS, err, sizeof(err));
	if (layer == NULL) {
		(void)snprintf(why, sizeof(why), "TLS: %s", err);
		outgoing_fail(o, why);
		return;
	}
	stream_deadline(s, HANDSHAKE_MS);
	stream_secure(s, &tls_layer, layer, outgoing_done);
}

/* A server speaks when it is spoken to. */
static size_t
on_data(struct stream *s, const uint8_t *p, size_t n, void *arg)
{
	(void)s;
	(void)p;
	outgoing_fail(arg, "unasked bytes");
	return n;
}

static void
on_closed(struct stream *s, const char *why, void *arg)
{
	struct outgoing	*o = arg;

	/* During a handshake that is an answer to it. */
	if (stream_is_secure(s) && why == NULL)
		why = "TLS: closed during the handshake";
	outgoing_fail(o, why);
}

static const struct stream_ops stream_ops = {
	.connected = on_connected, .data = on_data, .closed = on_closed
};

struct outgoing *
outgoing_new(const struct dialler *d, const struct server_id *id, uint8_t type,
    outgoing_fn *fn, void *arg)
{
	const struct sockaddr	*local = (const struct sockaddr *)&d->local;
	struct outgoing		*o = xcalloc(1, sizeof(*o));

	o->from = d;
	o->to = id->addr;
	o->dc = xstrdup(id->dc);
	o->use_tls = id->use_tls;
	o->type = type;
	o->fn = fn;
	o->arg = arg;
	o->stream = stream_connect(d->ev, (const struct sockaddr *)&id->addr,
	    addr_len(&id->addr), d->has_local ? local : NULL,
	    d->has_local ? addr_len(&d->local) : 0, DIAL_MS, &stream_ops, o);
	return o;
}
