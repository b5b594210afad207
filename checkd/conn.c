/*
 * Connections, plain and with OpenSSL, on the loop.
 *
 * Happy path: dial, handshake, up(), what is sent is sent, data() until the
 * probe has enough and frees it.  Failures: no connection, no handshake (a
 * certificate that is not trusted), an error or the end while it lasts; each
 * is one down().
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkd/conn.h"
#include "checkd/outcome.h"
#include "common/util.h"
#include "common/wire.h"

#define READ_MAX	16384
#define READS_PER_TURN	8	/* so that a flood does not stop the rest */
#define OUT_MAX		(1u << 20)
#define ERROR_MAX	512

struct conn {
	struct net		*net;
	struct dial		*dial;
	char			*name;		/* of the certificate */
	bool			 tls, skip_verify, h2, up;
	int			 fd;
	SSL			*ssl;
	struct poll_item	 item;
	struct wbuf		 out;
	size_t			 sent;
	const struct conn_ops	*ops;
	void			*arg;
	bool			 busy, gone;	/* freed while it is in use */
};

enum { IO_OK, IO_AGAIN, IO_END, IO_ERROR };

static void	 run(struct conn *);

/* ---- life ---- */

void
conn_free(struct conn *c)
{
	if (c == NULL)
		return;
	dial_cancel(c->dial);
	c->dial = NULL;
	poller_forget(c->net->poller, &c->item);
	SSL_free(c->ssl);
	c->ssl = NULL;
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	c->gone = true;
	if (c->busy)
		return;
	wb_free(&c->out);
	free(c->name);
	free(c);
}

static void
down(struct conn *c, const char *error)
{
	c->ops->down(error, c->arg);
}

/* ---- TLS ---- */

static const char *
verify_text(struct conn *c, char *buf, size_t len)
{
	long	 why = SSL_get_verify_result(c->ssl);

	switch (why) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return "x509: certificate signed by unknown authority";
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "x509: certificate has expired or is not yet valid";
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		(void)snprintf(buf, len, "x509: certificate is not valid for "
		    "%s", c->name);
		return buf;
	default:
		(void)snprintf(buf, len, "x509: %s",
		    X509_verify_cert_error_string(why));
		return buf;
	}
}

static const char *
ssl_error_text(struct conn *c, int rc, char *buf, size_t len)
{
	unsigned long	 e;
	char		 text[128];

	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_SYSCALL:
		if (errno == 0)
			return "EOF";
		(void)snprintf(buf, len, "read: %s", error_text(errno, text,
		    sizeof(text)));
		return buf;
	case SSL_ERROR_ZERO_RETURN:
		return "EOF";
	}
	if (!c->up && !c->skip_verify &&
	    SSL_get_verify_result(c->ssl) != X509_V_OK)
		return verify_text(c, buf, len);
	e = ERR_peek_error();
	if (ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return "EOF";
	if (ERR_GET_REASON(e) == SSL_R_WRONG_VERSION_NUMBER)
		return "tls: first record does not look like a TLS handshake";
	(void)snprintf(buf, len, "tls: %s", e != 0 &&
	    ERR_reason_error_string(e) != NULL ? ERR_reason_error_string(e) :
	    "handshake failure");
	return buf;
}

/* From an SSL_ call's result to one of ours. */
static int
ssl_result(struct conn *c, int rc, int *want)
{
	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		*want |= EV_READ;
		return IO_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		*want |= EV_WRITE;
		return IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return IO_END;
	}
	return IO_ERROR;
}

static bool
name_is_address(const char *name)
{
	struct sockaddr_storage	 ss;

	return strchr(name, ']') == NULL && addr_parse(name, 0, &ss) == 0;
}

static bool
ssl_make(struct conn *c)
{
	static const uint8_t	 alpn[] = { 2, 'h', '2' };
	SSL_CTX			*ctx = trust_ctx(c->net->trust,
				    !c->skip_verify);
	int			 one = 1;

	if (ctx == NULL || (c->ssl = SSL_new(ctx)) == NULL ||
	    SSL_set_fd(c->ssl, c->fd) != 1)
		return false;
	SSL_set_connect_state(c->ssl);
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (name_is_address(c->name))
		(void)X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl),
		    c->name);
	else {
		(void)SSL_set_tlsext_host_name(c->ssl, c->name);
		(void)SSL_set1_host(c->ssl, c->name);
	}
	if (c->h2)
		(void)SSL_set_alpn_protos(c->ssl, alpn, sizeof(alpn));
	return true;
}

/* ---- bytes ---- */

static int
write_some(struct conn *c, size_t *n, int *want)
{
	const uint8_t	*p = c->out.p + c->sent;
	size_t		 left = c->out.len - c->sent;
	ssize_t		 k;
	int		 rc;

	if (c->ssl != NULL) {
		ERR_clear_error();
		errno = 0;
		if ((rc = SSL_write(c->ssl, p, (int)left)) > 0) {
			*n = (size_t)rc;
			return IO_OK;
		}
		return ssl_result(c, rc, want);
	}
	if ((k = send(c->fd, p, left, MSG_NOSIGNAL)) >= 0) {
		*n = (size_t)k;
		return IO_OK;
	}
	*want |= EV_WRITE;
	return errno == EAGAIN || errno == EINTR ? IO_AGAIN : IO_ERROR;
}

static int
read_some(struct conn *c, uint8_t *buf, size_t len, size_t *n, int *want)
{
	ssize_t	 k;
	int	 rc;

	if (c->ssl != NULL) {
		ERR_clear_error();
		errno = 0;
		if ((rc = SSL_read(c->ssl, buf, (int)len)) > 0) {
			*n = (size_t)rc;
			return IO_OK;
		}
		return ssl_result(c, rc, want);
	}
	if ((k = recv(c->fd, buf, len, 0)) > 0) {
		*n = (size_t)k;
		return IO_OK;
	}
	if (k == 0)
		return IO_END;
	*want |= EV_READ;
	return errno == EAGAIN || errno == EINTR ? IO_AGAIN : IO_ERROR;
}

static void
io_failed(struct conn *c, const char *what)
{
	char	 buf[ERROR_MAX], text[128];

	if (c->ssl != NULL) {
		down(c, ssl_error_text(c, -1, buf, sizeof(buf)));
		return;
	}
	(void)snprintf(buf, sizeof(buf), "%s: %s", what,
	    error_text(errno, text, sizeof(text)));
	down(c, buf);
}

/* 0: go on, -1: it is over. */
static int
handshake(struct conn *c, int *want)
{
	char	 buf[ERROR_MAX];
	int	 rc;

	ERR_clear_error();
	errno = 0;
	if ((rc = SSL_do_handshake(c->ssl)) == 1) {
		c->up = true;
		c->ops->up(c->arg);
		return c->gone ? -1 : 0;
	}
	if (ssl_result(c, rc, want) == IO_AGAIN)
		return 0;
	down(c, ssl_error_text(c, rc, buf, sizeof(buf)));
	return -1;
}

static int
write_out(struct conn *c, int *want)
{
	size_t	 n = 0;
	int	 rc = IO_OK;

	while (c->sent < c->out.len) {
		if ((rc = write_some(c, &n, want)) != IO_OK)
			break;
		c->sent += n;
	}
	if (c->sent == c->out.len) {
		wb_reset(&c->out);
		c->sent = 0;
	}
	if (rc != IO_ERROR && rc != IO_END)
		return 0;
	/* A server may answer and close before it has read all. */
	wb_reset(&c->out);
	c->sent = 0;
	return 0;
}

static int
read_in(struct conn *c, int *want)
{
	uint8_t	 buf[READ_MAX];
	size_t	 n = 0;
	int	 i, rc = IO_OK;

	for (i = 0; i < READS_PER_TURN && rc == IO_OK; i++) {
		rc = read_some(c, buf, sizeof(buf), &n, want);
		if (rc == IO_OK) {
			c->ops->data(buf, n, c->arg);
			if (c->gone)
				return -1;
			/* Less than it could have been: that was all. */
			if (c->ssl == NULL && n < sizeof(buf)) {
				*want |= EV_READ;
				return 0;
			}
		}
	}
	switch (rc) {
	case IO_END:
		down(c, NULL);
		return -1;
	case IO_ERROR:
		io_failed(c, "read");
		return -1;
	}
	*want |= EV_READ;
	/* What OpenSSL has read already wakes nobody: come back at once. */
	if (rc == IO_OK && c->ssl != NULL && SSL_has_pending(c->ssl))
		*want |= EV_WRITE;
	return 0;
}

static void
turn(struct conn *c, bool readable)
{
	int	 want = 0;

	if (c->gone)
		return;
	if (!c->up && handshake(c, &want) == -1)
		return;
	if (c->up && write_out(c, &want) == -1)
		return;
	if (c->up && (readable || c->ssl != NULL)) {
		if (read_in(c, &want) == -1)
			return;
		/* What data() has sent. */
		if (c->out.len > 0 && write_out(c, &want) == -1)
			return;
	} else if (c->up)
		want |= EV_READ;
	poller_set(c->net->poller, &c->item, c->fd, want);
}

static void
run(struct conn *c)
{
	c->busy = true;
	turn(c, true);
	c->busy = false;
	if (c->gone)
		conn_free(c);
}

static void
on_io(void *arg)
{
	run(arg);
}

static void
on_dial(int fd, const char *error, void *arg)
{
	struct conn	*c = arg;

	c->dial = NULL;
	c->busy = true;
	if (fd == -1)
		down(c, error);
	else {
		c->fd = fd;
		c->item.fn = on_io;
		c->item.arg = c;
		if (c->tls && !ssl_make(c))
			down(c, "tls: out of memory");
		else if (!c->tls) {
			c->up = true;
			c->ops->up(c->arg);
		}
		turn(c, false);
	}
	c->busy = false;
	if (c->gone)
		conn_free(c);
}

/* ---- for probes ---- */

void
conn_send(struct conn *c, const void *p, size_t n)
{
	wb_bytes(&c->out, p, n);
	if (!c->busy && c->up)
		run(c);
}

bool
conn_dialling(const struct conn *c, char *text, size_t len)
{
	if (c->dial == NULL)
		return false;
	(void)dial_timeout(c->dial, text, len);
	return true;
}

struct conn *
conn_start(struct net *net, const struct conn_to *to,
    const struct conn_ops *ops, void *arg)
{
	struct conn	*c = xcalloc(1, sizeof(*c));

	c->net = net;
	c->fd = -1;
	c->tls = to->tls;
	c->skip_verify = to->skip_verify;
	c->h2 = to->h2;
	if (to->tls)
		c->name = xstrdup(str_empty(to->server_name) ? to->host :
		    to->server_name);
	c->ops = ops;
	c->arg = arg;
	wb_init(&c->out, OUT_MAX);
	c->dial = dial_start(net->ev, net->resolver, &net->allow, to->host,
	    to->port, on_dial, c);
	return c;
}
