/*
 * HTTPS of the API, as options and variables say it.
 */
#ifndef DISCOCTL_HTTPS_H
#define DISCOCTL_HTTPS_H

#include <curl/curl.h>

#include "discoctl/ctl.h"

/* The scheme of an address that has none, by CONSUL_HTTP_SSL. */
const char *https_scheme(void);
/*
 * Tells curl what the target says of certificates.  What is returned, or NULL,
 * is freed by the caller after the transfer.
 */
struct curl_slist *https_setup(CURL *, const struct target *, const char *url);

#endif
