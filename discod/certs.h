/*
 * Whether certificates are what a node needs: read as PEM texts, measured
 * against the clock, the CA, the key and the name.  Pure; who reads the files
 * is config_tls.c.
 */
#ifndef DISCOD_CERTS_H
#define DISCOD_CERTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/schema/schema.h"

#define CERT_WARN_DAYS 30

struct certs {
	/* texts; NULL: none */
	const char	*ca, *cert, *key;
	/* where they came from, for lines: "ca_file /etc/ca.pem" */
	const char	*ca_from, *cert_from, *key_from;
	/* server.<datacenter>.<domain>, which a server's has to have; NULL:
	 * this is no server */
	const char	*name;
	int64_t		 now_s;
};

/*
 * Lines for what makes them useless (hard) and for what makes those who verify
 * them refuse them (soft: expired, not signed by the CA, another name).
 */
void certs_check(const struct certs *, struct strs *hard, struct strs *soft);
/*
 * A line for each that is about to expire; past: and for what has.  Of several
 * CAs none, for an old one may stand beside its successor.
 */
void certs_expiring(const struct certs *, bool past, struct strs *);

#endif
