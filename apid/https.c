/*
 * HTTPS by the HTTP library and GnuTLS.
 */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

#include "apid/https.h"
#include "common/util.h"

/* By tls_min_version, in GnuTLS's words; 1.0 and 1.1 need asking for. */
static const struct { const char *min, *priorities; } versions[] = {
	{ "tls10", "NORMAL:+VERS-TLS1.0:+VERS-TLS1.1" },
	{ "tls11", "NORMAL:+VERS-TLS1.1" },
	{ "tls12", "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3" },
	{ "tls13", "NORMAL:-VERS-ALL:+VERS-TLS1.3" },
};
#define PRIORITIES_DEFAULT 2	/* tls12 */

static const char *
priorities_of(const char *min)
{
	size_t	i;

	for (i = 0; i < NELEM(versions); i++)
		if (strcmp(versions[i].min, str_or(min, "")) == 0)
			return versions[i].priorities;
	return versions[PRIORITIES_DEFAULT].priorities;
}

static void
put(struct MHD_OptionItem **o, enum MHD_OPTION option, const char *text)
{
	(*o)->option = option;
	(*o)->value = 0;
	(*o)->ptr_value = (void *)(uintptr_t)text;
	(*o)++;
}

void
https_options(const struct conf_tls *t,
    struct MHD_OptionItem options[HTTPS_OPTIONS_MAX])
{
	struct MHD_OptionItem	*o = options;

	put(&o, MHD_OPTION_HTTPS_MEM_CERT, t->cert);
	put(&o, MHD_OPTION_HTTPS_MEM_KEY, t->key);
	put(&o, MHD_OPTION_HTTPS_PRIORITIES, priorities_of(t->min_version));
	if (t->verify_incoming)
		put(&o, MHD_OPTION_HTTPS_MEM_TRUST, t->ca);
	put(&o, MHD_OPTION_END, NULL);
}

bool
https_client_known(struct MHD_Connection *conn)
{
	gnutls_typed_vdata_st	 purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT
	};
	const union MHD_ConnectionInfo	*info;
	unsigned			 status;

	info = MHD_get_connection_info(conn,
	    MHD_CONNECTION_INFO_GNUTLS_SESSION);
	return info != NULL && gnutls_certificate_verify_peers(
	    info->tls_session, &purpose, 1, &status) == GNUTLS_E_SUCCESS &&
	    status == 0;
}
