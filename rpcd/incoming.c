/*
 * Happy paths, each within the handshake time:
 *
 *	type byte
 *	3, TLS handshake, type byte
 *	7, TLS handshake, for which a client needs no certificate
 *	the first byte of a TLS record, handshake; ALPN stands for the type
 *
 * Failures, all of which close it: no byte in time; TLS without a certificate
 * of ours; anything in clear when verify_incoming is set; TLS within TLS; a
 * client without a certificate, or with one that the CA has not signed.
 */
#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "rpcd/incoming.h"

#define TYPE_LAST	7	/* above it: the first byte of a TLS record */

struct incoming {
	struct stream		*stream;
	const struct rpc_tls	*tls;
	incoming_fn		*fn;
	void			*arg;
	uint8_t			 outer;		/* the byte that chose TLS */
};

static const struct { const char *alpn; enum rpc_type type; } protocols[] = {
	{ "consul/rpc-single", RPC_TYPE_PLAIN },
	{ "consul/raft", RPC_TYPE_RAFT },
	{ "consul/rpc-multi", RPC_TYPE_MULTIPLEX },
	{ "consul/rpc-snapshot", RPC_TYPE_SNAPSHOT },
};

void
incoming_free(struct incoming *e)
{
	if (e == NULL)
		return;
	stream_free(e->stream);
	free(e);
}

static void
incoming_fail(struct incoming *e, const char *why)
{
	incoming_fn	*fn = e->fn;
	void		*arg = e->arg;

	stream_free(e->stream);
	free(e);
	fn(NULL, 0, why, arg);
}

static void
incoming_done(struct incoming *e, uint8_t type)
{
	struct stream	*s = e->stream;
	incoming_fn	*fn = e->fn;
	void		*arg = e->arg;

	free(e);
	stream_deadline(s, 0);
	stream_limit(s, 0);
	fn(s, type, NULL, arg);
}

static void
on_secured(struct stream *s, void *arg)
{
	struct incoming	*e = arg;
	const char	*alpn = tls_layer_alpn(stream_layer(s));
	size_t		 i;

	if (e->outer == RPC_TYPE_TLS)
		return;		/* the type byte follows */
	if (e->outer == RPC_TYPE_ANYBODY) {
		incoming_done(e, RPC_TYPE_ANYBODY);
		return;
	}
	for (i = 0; i < NELEM(protocols); i++)
		if (alpn != NULL && strcmp(alpn, protocols[i].alpn) == 0) {
			incoming_done(e, protocols[i].type);
			return;
		}
	incoming_fail(e, "TLS: no protocol of ours was asked for");
}

/* NULL, or why there is no TLS to be had. */
static const char *
begin_tls(struct incoming *e, uint8_t type)
{
	static char	 err[256];
	void		*layer;

	if (!tls_set_serves(e->tls->set))
		return "TLS, but cert_file is not set";
	e->outer = type;
	layer = tls_layer_serve(e->tls->set, type == RPC_TYPE_ANYBODY,
	    type > TYPE_LAST ? type : -1, err, sizeof(err));
	if (layer == NULL)
		return err;
	stream_secure(e->stream, &tls_layer, layer, on_secured);
	return NULL;
}

static size_t
on_data(struct stream *s, const uint8_t *p, size_t n, void *arg)
{
	struct incoming	*e = arg;
	uint8_t		 type = *p;
	const char	*why;
	bool		 chooses_tls = type == RPC_TYPE_TLS ||
			    type == RPC_TYPE_ANYBODY || type > TYPE_LAST;

	(void)n;
	if (stream_is_secure(s)) {
		if (chooses_tls)
			incoming_fail(e, "TLS within TLS");
		else
			incoming_done(e, type);
		return 1;
	}
	if (!chooses_tls && tls_set_requires(e->tls->set))
		incoming_fail(e, "not TLS, but verify_incoming is set");
	else if (!chooses_tls)
		incoming_done(e, type);
	else if ((why = begin_tls(e, type)) != NULL)
		incoming_fail(e, why);
	return 1;
}

static void
on_closed(struct stream *s, const char *why, void *arg)
{
	struct incoming	*e = arg;
	char		 text[320];

	if (stream_is_secure(s) && why != NULL && strncmp(why, "TLS", 3) == 0)
		(void)strlcpy(text, why, sizeof(text));
	else
		(void)snprintf(text, sizeof(text), "%s: %s",
		    stream_is_secure(s) ? "no TLS handshake and type byte" :
		    "no type byte", str_or(why, "EOF"));
	incoming_fail(e, text);
}

static const struct stream_ops stream_ops = {
	.data = on_data, .closed = on_closed
};

struct incoming *
incoming_new(struct ev *ev, int fd, const struct rpc_tls *tls,
    uint64_t handshake_ms, incoming_fn *fn, void *arg)
{
	struct incoming	*e = xcalloc(1, sizeof(*e));

	e->tls = tls;
	e->fn = fn;
	e->arg = arg;
	e->stream = stream_new(ev, fd, &stream_ops, e);
	/* Nothing behind the byte, for whom that is for is not known yet. */
	stream_limit(e->stream, 1);
	stream_deadline(e->stream, handshake_ms);
	return e;
}
