/*
 * Certificates by libcrypto.
 *
 * What a peer would find out at the first connection is found out here, where
 * somebody sees it, and said by what it is: libssl has one line for all of it.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/util.h"
#include "discod/certs.h"

#define DAY_S 86400

static void
line(struct strs *to, const char *from, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
line(struct strs *to, const char *from, const char *fmt, ...)
{
	char	 text[512], *all;
	va_list	 ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	xasprintf(&all, "%s: %s", from, text);
	strs_add(to, all);
	free(all);
}

/* ---- reading ---- */

static STACK_OF(X509) *
read_certs(const char *text)
{
	STACK_OF(X509)	*list = sk_X509_new_null();
	BIO		*in = BIO_new_mem_buf(text, -1);
	X509		*x;

	if (list == NULL || in == NULL)
		abort();
	while ((x = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL)
		sk_X509_push(list, x);
	BIO_free(in);
	return list;
}

/* NULL, and a line, unless there is at least one and nothing is broken. */
static STACK_OF(X509) *
take_certs(const char *text, const char *from, struct strs *hard)
{
	STACK_OF(X509)	*list;
	unsigned long	 e;

	ERR_clear_error();
	list = read_certs(text);
	e = ERR_peek_last_error();
	if (ERR_GET_LIB(e) == ERR_LIB_PEM &&
	    ERR_GET_REASON(e) == PEM_R_NO_START_LINE && sk_X509_num(list) > 0)
		e = 0;
	ERR_clear_error();
	if (sk_X509_num(list) > 0 && e == 0)
		return list;
	if (strstr(text, "-----BEGIN CERTIFICATE-----") == NULL)
		line(hard, from, "not PEM: there is no certificate in it");
	else
		line(hard, from, "a certificate in it is damaged");
	sk_X509_pop_free(list, X509_free);
	return NULL;
}

static int
no_passphrase(char *buf, int size, int rw, void *arg)
{
	(void)buf;
	(void)size;
	(void)rw;
	(void)arg;
	return -1;
}

static EVP_PKEY *
take_key(const char *text, const char *from, struct strs *hard)
{
	BIO		*in = BIO_new_mem_buf(text, -1);
	EVP_PKEY	*key;

	if (in == NULL)
		abort();
	key = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL);
	BIO_free(in);
	ERR_clear_error();
	if (key != NULL)
		return key;
	if (strstr(text, "ENCRYPTED") != NULL)
		line(hard, from, "the key has a passphrase: nobody could type "
		    "it; give it without");
	else if (strstr(text, "PRIVATE KEY-----") == NULL)
		line(hard, from, "not PEM: there is no private key in it");
	else
		line(hard, from, "the private key in it is damaged");
	return NULL;
}

/* ---- time ---- */

static int64_t
seconds_of(const ASN1_TIME *t)
{
	struct tm	tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static const char *
date_text(int64_t s, char *buf, size_t len)
{
	time_t		t = (time_t)s;
	struct tm	tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(buf, len, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		(void)snprintf(buf, len, "%lld", (long long)s);
	return buf;
}

static void
check_times(const struct certs *c, X509 *x, const char *from,
    struct strs *soft)
{
	int64_t	 begins = seconds_of(X509_get0_notBefore(x));
	int64_t	 ends = seconds_of(X509_get0_notAfter(x));
	char	 when[64];

	if (c->now_s < begins)
		line(soft, from, "not valid before %s: is the clock right?",
		    date_text(begins, when, sizeof(when)));
	else if (c->now_s > ends)
		line(soft, from, "expired at %s: renew it",
		    date_text(ends, when, sizeof(when)));
}

static void
expiry(const struct certs *c, X509 *x, const char *from, bool past,
    struct strs *out)
{
	int64_t	 ends = seconds_of(X509_get0_notAfter(x));
	int64_t	 left = ends - c->now_s;
	char	 when[64];

	if (left > (int64_t)CERT_WARN_DAYS * DAY_S || (left < 0 && !past))
		return;
	date_text(ends, when, sizeof(when));
	if (left < 0)
		line(out, from, "expired at %s: renew it", when);
	else if (left < DAY_S)
		line(out, from, "expires within a day, at %s: renew it, then "
		    "reload", when);
	else
		line(out, from, "expires in %d day%s, at %s: renew it, then "
		    "reload", (int)(left / DAY_S), left < 2 * DAY_S ? "" : "s",
		    when);
}

void
certs_expiring(const struct certs *c, bool past, struct strs *out)
{
	const char	*texts[] = { c->cert, c->ca };
	const char	*from[] = { c->cert_from, c->ca_from };
	STACK_OF(X509)	*list;
	size_t		 i;

	for (i = 0; i < NELEM(texts); i++) {
		if (texts[i] == NULL)
			continue;
		list = read_certs(texts[i]);
		/* Behind the first of cert_file stand those that signed it. */
		if (sk_X509_num(list) == 1 ||
		    (i == 0 && sk_X509_num(list) > 1))
			expiry(c, sk_X509_value(list, 0), from[i], past, out);
		sk_X509_pop_free(list, X509_free);
	}
	ERR_clear_error();
}

/* ---- the chain, the name, the purpose ---- */

/* Times are looked at apart from this. */
static void
check_chain(const struct certs *c, STACK_OF(X509) *chain, STACK_OF(X509) *cas,
    struct strs *soft)
{
	X509_STORE	*store = X509_STORE_new();
	X509_STORE_CTX	*ctx = X509_STORE_CTX_new();
	int		 i;

	if (store == NULL || ctx == NULL)
		abort();
	for (i = 0; i < sk_X509_num(cas); i++)
		X509_STORE_add_cert(store, sk_X509_value(cas, i));
	if (X509_STORE_CTX_init(ctx, store, sk_X509_value(chain, 0),
	    chain) != 1)
		abort();
	X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_NO_CHECK_TIME);
	if (X509_verify_cert(ctx) != 1)
		line(soft, c->cert_from, "not signed by the CA of %s: %s",
		    c->ca_from, X509_verify_cert_error_string(
		    X509_STORE_CTX_get_error(ctx)));
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	ERR_clear_error();
}

static void
check_leaf(const struct certs *c, X509 *x, struct strs *soft)
{
	check_times(c, x, c->cert_from, soft);
	if (c->name != NULL && X509_check_host(x, c->name, 0, 0, NULL) != 1)
		line(soft, c->cert_from, "not for the name %s, which agents "
		    "with verify_server_hostname ask of a server", c->name);
	if (c->name != NULL && X509_check_purpose(x, X509_PURPOSE_SSL_SERVER,
	    0) != 1)
		line(soft, c->cert_from, "its use is limited, and being a TLS "
		    "server is not among its uses");
	if (X509_check_purpose(x, X509_PURPOSE_SSL_CLIENT, 0) != 1)
		line(soft, c->cert_from, "its use is limited, and being a TLS "
		    "client is not among its uses");
}

void
certs_check(const struct certs *c, struct strs *hard, struct strs *soft)
{
	STACK_OF(X509)	*cas = NULL, *chain = NULL;
	EVP_PKEY	*key = NULL;

	if (c->ca != NULL)
		cas = take_certs(c->ca, c->ca_from, hard);
	if (c->cert != NULL)
		chain = take_certs(c->cert, c->cert_from, hard);
	if (c->key != NULL)
		key = take_key(c->key, c->key_from, hard);
	if (chain != NULL && key != NULL &&
	    X509_check_private_key(sk_X509_value(chain, 0), key) != 1)
		line(hard, c->key_from, "the key does not belong to the "
		    "certificate of %s", c->cert_from);
	if (cas != NULL && sk_X509_num(cas) == 1)
		check_times(c, sk_X509_value(cas, 0), c->ca_from, soft);
	if (chain != NULL)
		check_leaf(c, sk_X509_value(chain, 0), soft);
	if (chain != NULL && cas != NULL)
		check_chain(c, chain, cas, soft);
	sk_X509_pop_free(cas, X509_free);
	sk_X509_pop_free(chain, X509_free);
	EVP_PKEY_free(key);
	ERR_clear_error();
}
