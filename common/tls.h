/*
 * TLS by libtls: contexts made of the configuration's bytes, and a layer for
 * streams.  Reads no files, for its users have none; whether certificates are
 * good is looked at before by discod, who reads them.
 */
#ifndef COMMON_TLS_H
#define COMMON_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/schema/conf.h"
#include "common/stream.h"

/* The contexts of one configuration. */
struct tls_set;

/*
 * The library is set up by the first, for it takes half a megabyte that nodes
 * without TLS do without; so the system's openssl.cnf, which is out of reach
 * then, does not count.  NULL with a line in err.  alpn: the protocols
 * served, comma-separated.
 */
struct tls_set *tls_set_new(const struct conf_tls *, const char *alpn,
    char *err, size_t errlen);
void tls_set_free(struct tls_set *);	/* connections go on; NULL is fine */
/* Has a certificate to serve with? */
bool tls_set_serves(const struct tls_set *);
/* Is every connection that comes in to be TLS, with a client's certificate? */
bool tls_set_requires(const struct tls_set *);
/* Is a connection to a server to be TLS?  offers: it says it can. */
bool tls_set_dials(const struct tls_set *, bool offers);

extern const struct stream_layer tls_layer;

/*
 * The layer for a connection that came in.  anybody: no certificate of the
 * client's is asked for.  first: a byte of its that was read already, or -1.
 * NULL with a line in err.
 */
void *tls_layer_serve(struct tls_set *, bool anybody, int first, char *err,
    size_t errlen);
/*
 * For one going out to the server of that name.  first: a byte to be sent
 * before anything else, in clear.
 */
void *tls_layer_dial(struct tls_set *, const char *name, uint8_t first,
    char *err, size_t errlen);
/* After the handshake: the protocol agreed upon, or NULL. */
const char *tls_layer_alpn(void *layer);
/* "TLSv1.3", for logs. */
const char *tls_layer_version(void *layer);

#endif
