/*
 * HTTPS: what the HTTP library is told about certificates, and whether a
 * client's is one of ours.  TLS itself is GnuTLS's, as the library has it.
 */
#ifndef APID_HTTPS_H
#define APID_HTTPS_H

#include <microhttpd.h>
#include <stdbool.h>

#include "common/schema/conf.h"

#define HTTPS_OPTIONS_MAX 6

/* Options for MHD_OPTION_ARRAY; the texts are read when the daemon starts. */
void https_options(const struct conf_tls *,
    struct MHD_OptionItem[HTTPS_OPTIONS_MAX]);
/* Has the client shown a certificate for clients, signed by our CA? */
bool https_client_known(struct MHD_Connection *);

#endif
