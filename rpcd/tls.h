/*
 * TLS as rpcd has it: the contexts in use and the name that servers have.
 * What a connection does with them is incoming.c's and outgoing.c's.
 */
#ifndef RPCD_TLS_H
#define RPCD_TLS_H

#include "common/tls.h"

/* The protocols of native TLS, and the type bytes that they stand for. */
#define RPC_ALPN "consul/rpc-single,consul/raft,consul/rpc-multi," \
	"consul/rpc-snapshot"

struct rpc_tls {
	struct tls_set	*set;		/* NULL: no TLS at all */
	char		*name;		/* server.<datacenter>.<domain> */
	char		*domain;	/* without a dot at its end */
};

#define RPC_TLS_NAME_MAX 256
/* The name of the servers of a datacenter; NULL: of one's own. */
const char *rpc_tls_name(const struct rpc_tls *, const char *dc,
    char buf[RPC_TLS_NAME_MAX]);

/*
 * Replaces what there was; connections that are open go on.  -1 with a line in
 * err: everything stays as it was.
 */
int rpc_tls_load(struct rpc_tls *, const struct conf_tls *, const char *dc,
    const char *domain, char *err, size_t errlen);
void rpc_tls_clear(struct rpc_tls *);

#endif
