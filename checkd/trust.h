/*
 * What TLS probes trust and show: the system's certificates, or the agent's
 * own CA and certificate where checks are to use them.
 */
#ifndef CHECKD_TRUST_H
#define CHECKD_TRUST_H

#include <openssl/ssl.h>

#include "common/schema/conf.h"

struct trust;

/* ca_fd: a bundle in PEM, read when first needed; or -1.  Taken. */
struct trust *trust_new(int ca_fd);
void trust_free(struct trust *);
/* The agent's own; empty: the system's.  What was made before is made anew. */
void trust_configure(struct trust *, const struct conf_tls *);
/* The store; NULL when there is none. */
X509_STORE *trust_store(struct trust *);
/* For probes that verify, and those that do not.  NULL: no memory. */
SSL_CTX *trust_ctx(struct trust *, bool verify);
/* The agent's certificate and key, if it has them. */
void trust_identify(struct trust *, SSL_CTX *);

#endif
