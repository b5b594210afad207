/*
 * HTTPS of the API: what the options and variables of Consul's command say of
 * certificates, told to libcurl.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "discoctl/https.h"

/* As Consul reads a variable that is true or false; unset is `other`. */
static bool
env_bool(const char *name, bool other)
{
	static const char *const no[] = {
		"0", "f", "F", "FALSE", "false", "False"
	};
	const char	*s = getenv(name);
	size_t		 i;

	if (str_empty(s))
		return other;
	for (i = 0; i < NELEM(no); i++)
		if (strcmp(s, no[i]) == 0)
			return false;
	return true;
}

const char *
https_scheme(void)
{
	return env_bool("CONSUL_HTTP_SSL", false) ? "https" : "http";
}

static void
set_text(CURL *curl, CURLoption option, const char *text)
{
	if (!str_empty(text))
		curl_easy_setopt(curl, option, text);
}

struct curl_slist *
https_setup(CURL *curl, const struct target *t, const char *url)
{
	struct curl_slist	*to = NULL;
	char			*host = NULL, *port = NULL, *as = NULL, *line;
	CURLU			*u;

	set_text(curl, CURLOPT_CAINFO, t->ca_file);
	set_text(curl, CURLOPT_CAPATH, t->ca_path);
	set_text(curl, CURLOPT_SSLCERT, t->client_cert);
	set_text(curl, CURLOPT_SSLKEY, t->client_key);
	if (!env_bool("CONSUL_HTTP_SSL_VERIFY", true)) {
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (str_empty(t->server_name) || strncmp(url, "https://", 8) != 0 ||
	    (u = curl_url()) == NULL)
		return NULL;
	/* The name that is looked for in the certificate is the URL's: so the
	 * URL gets it, and the connection goes where it did before. */
	if (curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ==
	    CURLUE_OK &&
	    curl_url_set(u, CURLUPART_HOST, t->server_name, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_URL, &as, 0) == CURLUE_OK) {
		xasprintf(&line, "%s:%s:%s:%s", t->server_name, port, host,
		    port);
		to = curl_slist_append(NULL, line);
		free(line);
		curl_easy_setopt(curl, CURLOPT_URL, as);
		curl_easy_setopt(curl, CURLOPT_CONNECT_TO, to);
	}
	curl_free(host);
	curl_free(port);
	curl_free(as);
	curl_url_cleanup(u);
	return to;
}
