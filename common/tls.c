/*
 * Contexts and layers over libtls.
 *
 * libtls reads and writes through callbacks, so that the byte that chose TLS
 * can go before the handshake (3) or belong to it (a TLS record begins with
 * 22) without a second way of reading.
 */
#include <bsd/string.h>

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <tls.h>

#include "common/tls.h"
#include "common/util.h"

struct tls_set {
	struct tls		*server;	/* NULL: no certificate */
	struct tls		*anybody;	/* asks for none of a client */
	struct tls_config	*client;
	bool			 has_ca, verify_incoming, verify_outgoing;
};

struct layer {
	struct tls	*ctx;
	int		 fd;
	int		 first_in;	/* read before, or -1 */
	int		 first_out;	/* to be written before, or -1 */
	char		 why[256];
};

_Static_assert(TLS_WANT_POLLIN == LAYER_READ &&
    TLS_WANT_POLLOUT == LAYER_WRITE, "results of layers are libtls's");

/* ---- contexts ---- */

static const struct { const char *name; uint32_t protocols; } versions[] = {
	{ "tls10", TLS_PROTOCOLS_ALL },
	{ "tls11", TLS_PROTOCOLS_ALL & ~TLS_PROTOCOL_TLSv1_0 },
	{ "tls12", TLS_PROTOCOL_TLSv1_2 | TLS_PROTOCOL_TLSv1_3 },
	{ "tls13", TLS_PROTOCOL_TLSv1_3 },
};

static uint32_t
protocols_of(const char *min)
{
	size_t	i;

	for (i = 0; i < NELEM(versions); i++)
		if (strcmp(versions[i].name, str_or(min, "tls12")) == 0)
			return versions[i].protocols;
	return TLS_PROTOCOLS_DEFAULT;
}

/* Names of the RFCs to those of OpenSSL. */
static int
set_ciphers(struct tls_config *cfg, const char *suites, uint32_t protocols,
    char *err, size_t errlen)
{
	struct wbuf	 w;
	const char	*p, *name;
	char		 one[128], *text;
	size_t		 n;
	int		 rc;

	if (str_empty(suites))
		return tls_config_set_ciphers(cfg, protocols ==
		    TLS_PROTOCOLS_ALL ? "compat" : "default");
	wb_init(&w, 0);
	for (p = suites; *p != '\0'; p += n + (p[n] == ',')) {
		n = strcspn(p, ",");
		(void)snprintf(one, sizeof(one), "%.*s", (int)n, p);
		name = OPENSSL_cipher_name(one);
		if (name == NULL || strcmp(name, "(NONE)") == 0) {
			(void)snprintf(err, errlen, "unknown cipher suite %s",
			    one);
			wb_free(&w);
			return -1;
		}
		wb_printf(&w, "%s%s", w.len > 0 ? ":" : "", name);
	}
	text = wb_detach_str(&w);
	rc = tls_config_set_ciphers(cfg, text);
	free(text);
	return rc;
}

static struct tls_config *
base_config(const struct conf_tls *c, char *err, size_t errlen)
{
	struct tls_config	*cfg = tls_config_new();
	uint32_t		 protocols = protocols_of(c->min_version);

	if (cfg == NULL) {
		(void)strlcpy(err, "out of memory", errlen);
		return NULL;
	}
	*err = '\0';
	if (tls_config_set_protocols(cfg, protocols) == 0 &&
	    set_ciphers(cfg, c->ciphers, protocols, err, errlen) == 0 &&
	    (str_empty(c->ca) || tls_config_set_ca_mem(cfg,
	    (const uint8_t *)c->ca, strlen(c->ca)) == 0) &&
	    (str_empty(c->cert) || tls_config_set_keypair_mem(cfg,
	    (const uint8_t *)c->cert, strlen(c->cert),
	    (const uint8_t *)str_or(c->key, ""),
	    strlen(str_or(c->key, ""))) == 0))
		return cfg;
	if (*err == '\0')
		(void)strlcpy(err, str_or(tls_config_error(cfg),
		    "bad configuration"), errlen);
	tls_config_free(cfg);
	return NULL;
}

static struct tls *
server_context(const struct conf_tls *c, bool verify, const char *alpn,
    char *err, size_t errlen)
{
	struct tls_config	*cfg = base_config(c, err, errlen);
	struct tls		*ctx = tls_server();

	if (cfg == NULL || ctx == NULL) {
		tls_config_free(cfg);
		tls_free(ctx);
		return NULL;
	}
	if (verify)
		tls_config_verify_client(cfg);
	if (c->prefer_server)
		tls_config_prefer_ciphers_server(cfg);
	else
		tls_config_prefer_ciphers_client(cfg);
	if (tls_config_set_alpn(cfg, alpn) == -1) {
		(void)strlcpy(err, str_or(tls_config_error(cfg), "ALPN"),
		    errlen);
		tls_free(ctx);
		ctx = NULL;
	} else if (tls_configure(ctx, cfg) == -1) {
		(void)strlcpy(err, str_or(tls_error(ctx), "bad certificate"),
		    errlen);
		tls_free(ctx);
		ctx = NULL;
	}
	/* The key is in the context now. */
	tls_config_clear_keys(cfg);
	tls_config_free(cfg);
	return ctx;
}

/* Whom we call is verified only where somebody asked for it, as ever. */
static struct tls_config *
client_config(const struct conf_tls *c, char *err, size_t errlen)
{
	struct tls_config	*cfg = base_config(c, err, errlen);

	if (cfg == NULL)
		return NULL;
	if (!c->verify_outgoing && !c->verify_name)
		tls_config_insecure_noverifycert(cfg);
	if (!c->verify_name)
		tls_config_insecure_noverifyname(cfg);
	return cfg;
}

struct tls_set *
tls_set_new(const struct conf_tls *c, const char *alpn, char *err,
    size_t errlen)
{
	struct tls_set	*s = xcalloc(1, sizeof(*s));

	s->has_ca = !str_empty(c->ca);
	s->verify_incoming = c->verify_incoming;
	s->verify_outgoing = c->verify_outgoing || c->verify_name;
	if (!str_empty(c->cert)) {
		s->server = server_context(c, c->verify_incoming, alpn, err,
		    errlen);
		if (s->server != NULL)
			s->anybody = server_context(c, false, alpn, err,
			    errlen);
		if (s->anybody == NULL)
			goto fail;
	}
	if ((s->client = client_config(c, err, errlen)) == NULL)
		goto fail;
	return s;
fail:
	tls_set_free(s);
	return NULL;
}

void
tls_set_free(struct tls_set *s)
{
	if (s == NULL)
		return;
	tls_free(s->server);
	tls_free(s->anybody);
	if (s->client != NULL)
		tls_config_clear_keys(s->client);
	tls_config_free(s->client);
	free(s);
}

bool
tls_set_serves(const struct tls_set *s)
{
	return s != NULL && s->server != NULL;
}

bool
tls_set_requires(const struct tls_set *s)
{
	return s != NULL && s->verify_incoming;
}

bool
tls_set_dials(const struct tls_set *s, bool offers)
{
	return s != NULL && (s->verify_outgoing || (offers && s->has_ca));
}

/* ---- what libtls reads and writes ---- */

static ssize_t
on_read(struct tls *ctx, void *buf, size_t n, void *arg)
{
	struct layer	*l = arg;
	ssize_t		 got;

	(void)ctx;
	if (l->first_in != -1 && n > 0) {
		*(uint8_t *)buf = (uint8_t)l->first_in;
		l->first_in = -1;
		return 1;
	}
	do
		got = recv(l->fd, buf, n, MSG_DONTWAIT);
	while (got == -1 && errno == EINTR);
	if (got == -1 && errno == EAGAIN)
		return TLS_WANT_POLLIN;
	return got;
}

/* The byte in clear goes with the first record, in one segment. */
static ssize_t
write_first(struct layer *l, const void *buf, size_t n)
{
	uint8_t		 first = (uint8_t)l->first_out;
	struct iovec	 iov[2] = { { &first, 1 },
			    { (void *)(uintptr_t)buf, n } };
	struct msghdr	 m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t		 sent;

	sent = sendmsg(l->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 1)
		return sent;
	l->first_out = -1;
	if (sent > 1)
		return sent - 1;
	errno = EAGAIN;
	return -1;
}

static ssize_t
on_write(struct tls *ctx, const void *buf, size_t n, void *arg)
{
	struct layer	*l = arg;
	ssize_t		 sent;

	(void)ctx;
	do
		sent = l->first_out != -1 ? write_first(l, buf, n) :
		    send(l->fd, buf, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent == -1 && errno == EINTR);
	if (sent == -1 && (errno == EAGAIN || errno == ENOBUFS))
		return TLS_WANT_POLLOUT;
	return sent;
}

/* ---- layers ---- */

static struct layer *
layer_new(int first_in, int first_out)
{
	struct layer	*l = xcalloc(1, sizeof(*l));

	l->fd = -1;
	l->first_in = first_in;
	l->first_out = first_out;
	return l;
}

static void
layer_free(void *arg)
{
	struct layer	*l = arg;

	tls_free(l->ctx);
	free(l);
}

void *
tls_layer_serve(struct tls_set *s, bool anybody, int first, char *err,
    size_t errlen)
{
	struct layer	*l = layer_new(first, -1);
	struct tls	*ctx = anybody ? s->anybody : s->server;

	if (tls_accept_cbs(ctx, &l->ctx, on_read, on_write, l) == 0)
		return l;
	(void)strlcpy(err, str_or(tls_error(ctx), "no context"), errlen);
	layer_free(l);
	return NULL;
}

void *
tls_layer_dial(struct tls_set *s, const char *name, uint8_t first, char *err,
    size_t errlen)
{
	struct layer	*l = layer_new(-1, first);

	if ((l->ctx = tls_client()) != NULL &&
	    tls_configure(l->ctx, s->client) == 0 &&
	    tls_connect_cbs(l->ctx, on_read, on_write, l, name) == 0)
		return l;
	(void)strlcpy(err, l->ctx == NULL ? "out of memory" :
	    str_or(tls_error(l->ctx), "no context"), errlen);
	layer_free(l);
	return NULL;
}

static void
layer_attach(void *arg, int fd)
{
	struct layer	*l = arg;

	l->fd = fd;
}

/* What OpenSSL says, and what it means. */
static const struct { const char *says, *means; } reasons[] = {
	{ "peer did not return a certificate",
	    "the client has sent no certificate" },
	{ "certificate verify failed", "the client's certificate is expired, "
	    "not valid yet or not signed by the CA" },
	{ "unexpected eof while reading", "EOF" },
	{ "wrong version number", "what came is no TLS" },
	{ "alert certificate required", "the server wants a certificate" },
	{ "alert unknown ca", "the other end does not know the CA of our "
	    "certificate" },
	{ "alert certificate expired", "the other end says that our "
	    "certificate is expired" },
	{ "alert bad certificate", "the other end does not take our "
	    "certificate" },
};

static ssize_t
result(struct layer *l, ssize_t n)
{
	const char	*text;
	size_t		 i;

	if (n != -1)
		return n;
	text = str_or(tls_error(l->ctx), "connection lost");
	(void)snprintf(l->why, sizeof(l->why), "TLS: %s", text);
	for (i = 0; i < NELEM(reasons); i++)
		if (strstr(text, "SSL routines::") != NULL &&
		    strstr(text, reasons[i].says) != NULL)
			(void)snprintf(l->why, sizeof(l->why),
			    "TLS: handshake failed: %s", reasons[i].means);
	return n;
}

static int
layer_handshake(void *arg)
{
	struct layer	*l = arg;

	return (int)result(l, tls_handshake(l->ctx));
}

static ssize_t
layer_read(void *arg, void *p, size_t n)
{
	struct layer	*l = arg;

	return result(l, tls_read(l->ctx, p, n));
}

static ssize_t
layer_write(void *arg, const void *p, size_t n)
{
	struct layer	*l = arg;

	return result(l, tls_write(l->ctx, p, n));
}

static int
layer_finish(void *arg)
{
	struct layer	*l = arg;

	/* What failed is over, and its reason stays. */
	return l->why[0] != '\0' ? LAYER_FAIL :
	    (int)result(l, tls_close(l->ctx));
}

static const char *
layer_why(void *arg)
{
	struct layer	*l = arg;

	return l->why;
}

const struct stream_layer tls_layer = {
	.attach = layer_attach, .handshake = layer_handshake,
	.read = layer_read, .write = layer_write, .finish = layer_finish,
	.why = layer_why, .free = layer_free
};

const char *
tls_layer_alpn(void *arg)
{
	struct layer	*l = arg;

	return tls_conn_alpn_selected(l->ctx);
}

const char *
tls_layer_version(void *arg)
{
	struct layer	*l = arg;

	return str_or(tls_conn_version(l->ctx), "TLS");
}
