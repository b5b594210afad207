/*
 * Certificates.  A bundle costs 16 ms and a megabyte to read, so it is read
 * when the first probe needs it, once for all.
 */
#include <errno.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkd/trust.h"
#include "common/log.h"
#include "common/util.h"
#include "common/wire.h"

#define CA_MAX	(4u << 20)

struct trust {
	int		 ca_fd;
	char		*ca;		/* the agent's, PEM; or NULL */
	X509		*cert;
	EVP_PKEY	*key;
	X509_STORE	*store;
	SSL_CTX		*ctx[2];	/* by verify */
};

struct trust *
trust_new(int ca_fd)
{
	struct trust	*t = xcalloc(1, sizeof(*t));

	t->ca_fd = ca_fd;
	return t;
}

static void
forget(struct trust *t)
{
	SSL_CTX_free(t->ctx[0]);
	SSL_CTX_free(t->ctx[1]);
	t->ctx[0] = t->ctx[1] = NULL;
	X509_STORE_free(t->store);
	t->store = NULL;
	X509_free(t->cert);
	t->cert = NULL;
	EVP_PKEY_free(t->key);
	t->key = NULL;
	free(t->ca);
	t->ca = NULL;
}

void
trust_free(struct trust *t)
{
	if (t == NULL)
		return;
	forget(t);
	if (t->ca_fd != -1)
		close(t->ca_fd);
	free(t);
}

/* discod has looked whether they are good. */
void
trust_configure(struct trust *t, const struct conf_tls *conf)
{
	BIO	*bio;

	forget(t);
	str_set(&t->ca, conf->ca);
	if (str_empty(conf->cert) || str_empty(conf->key))
		return;
	if ((bio = BIO_new_mem_buf(conf->cert, -1)) != NULL)
		t->cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if ((bio = BIO_new_mem_buf(conf->key, -1)) != NULL)
		t->key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
}

static void
read_bundle(int fd, struct wbuf *w)
{
	uint8_t	*room;
	ssize_t	 n = 0;

	do {
		if ((room = wb_reserve(w, 65536)) == NULL)
			break;
		n = read(fd, room, 65536);
		w->len -= 65536 - (n > 0 ? (size_t)n : 0);
	} while (n > 0);
	if (n == -1)
		log_warn("certificates: read");
}

static X509_STORE *
store_make(const void *pem, size_t len)
{
	X509_STORE	*store = X509_STORE_new();
	BIO		*bio = BIO_new_mem_buf(pem, (int)len);
	X509		*cert;

	while (bio != NULL && store != NULL &&
	    (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		(void)X509_STORE_add_cert(store, cert);
		X509_free(cert);
	}
	BIO_free(bio);
	return store;
}

X509_STORE *
trust_store(struct trust *t)
{
	struct wbuf	 w;

	if (t->store != NULL)
		return t->store;
	if (!str_empty(t->ca)) {
		t->store = store_make(t->ca, strlen(t->ca));
		return t->store;
	}
	if (t->ca_fd == -1 || lseek(t->ca_fd, 0, SEEK_SET) == -1)
		return NULL;
	wb_init(&w, CA_MAX);
	read_bundle(t->ca_fd, &w);
	t->store = store_make(w.p, w.len);
	wb_free(&w);
	return t->store;
}

void
trust_identify(struct trust *t, SSL_CTX *ctx)
{
	if (t->cert != NULL && t->key != NULL &&
	    (SSL_CTX_use_certificate(ctx, t->cert) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, t->key) != 1))
		log_warnx("certificate for checks: cannot be used");
}

SSL_CTX *
trust_ctx(struct trust *t, bool verify)
{
	X509_STORE	*store;
	SSL_CTX		*ctx;

	if (t->ctx[verify] != NULL)
		return t->ctx[verify];
	if ((ctx = SSL_CTX_new(TLS_client_method())) == NULL)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(ctx, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
	    NULL);
	if (verify && (store = trust_store(t)) != NULL)
		SSL_CTX_set1_cert_store(ctx, store);
	trust_identify(t, ctx);
	return t->ctx[verify] = ctx;
}
