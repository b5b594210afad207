/*
 * Loading: at the start and again at every reload.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "rpcd/tls.h"

void
rpc_tls_clear(struct rpc_tls *t)
{
	tls_set_free(t->set);
	free(t->name);
	free(t->domain);
	memset(t, 0, sizeof(*t));
}

const char *
rpc_tls_name(const struct rpc_tls *t, const char *dc,
    char buf[RPC_TLS_NAME_MAX])
{
	if (dc == NULL)
		return t->name;
	/* What does not fit is no name of a certificate. */
	(void)snprintf(buf, RPC_TLS_NAME_MAX, "server.%s.%s", dc,
	    str_or(t->domain, ""));
	return buf;
}

int
rpc_tls_load(struct rpc_tls *t, const struct conf_tls *conf, const char *dc,
    const char *domain, char *err, size_t errlen)
{
	struct rpc_tls	 fresh = { 0 };
	size_t		 n = strlen(domain);

	if (!str_empty(conf->ca) || !str_empty(conf->cert)) {
		fresh.set = tls_set_new(conf, RPC_ALPN, err, errlen);
		if (fresh.set == NULL)
			return -1;
	}
	if (n > 0 && domain[n - 1] == '.')
		n--;
	fresh.domain = xmemdup_str(domain, n);
	xasprintf(&fresh.name, "server.%s.%s", dc, fresh.domain);
	rpc_tls_clear(t);
	*t = fresh;
	return 0;
}
