/*
 * Taking targets apart.  URLs are libcurl's to parse, so that what is dialled
 * is what it will ask for.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "checkd/outcome.h"
#include "checkd/target.h"

void
target_clear(struct target *t)
{
	free(t->url);
	memset(t, 0, sizeof(*t));
}

/*
 * A zone ("fe80::1%eth0") would need a look at interfaces, which the sandbox
 * does not allow.
 */
static int
set_host(struct target *t, const char *host)
{
	size_t	 n = strlen(host);

	if (n > 1 && *host == '[' && host[n - 1] == ']') {
		host++;
		n -= 2;
	}
	if (n == 0 || n >= sizeof(t->host) ||
	    memchr(host, '%', n) != NULL)
		return -1;
	memcpy(t->host, host, n);
	t->host[n] = '\0';
	return 0;
}

static int
bad_url(const char *url, const char *why, char **err)
{
	xasprintf(err, "parse \"%s\": %s", url, why);
	return -1;
}

/* The parts that a connection needs. */
static int
url_parts(CURLU *u, struct target *t)
{
	char	*host = NULL, *port = NULL, *url = NULL, *zone = NULL;
	int	 rc = -1;

	if (curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ==
	    CURLUE_OK &&
	    curl_url_get(u, CURLUPART_URL, &url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_ZONEID, &zone, 0) ==
	    CURLUE_NO_ZONEID && set_host(t, host) == 0) {
		t->port = (uint16_t)strtoul(port, NULL, 10);
		t->url = xstrdup(url);
		rc = t->port != 0 ? 0 : -1;
	}
	curl_free(host);
	curl_free(port);
	curl_free(url);
	curl_free(zone);
	return rc;
}

static int
url_scheme(CURLU *u, const char *url, const char *method, struct target *t,
    char **err)
{
	char	*scheme = NULL, *why;
	int	 rc = -1;

	if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		return bad_url(url, "no scheme", err);
	t->tls = strcmp(scheme, "https") == 0;
	if (t->tls || strcmp(scheme, "http") == 0)
		rc = 0;
	else {
		xasprintf(&why, "unsupported protocol scheme \"%s\"", scheme);
		*err = http_failure(method, url, why);
		free(why);
	}
	curl_free(scheme);
	return rc;
}

int
target_url(const char *url, const char *method, struct target *t, char **err)
{
	CURLU		*u;
	CURLUcode	 code;
	int		 rc = -1;

	memset(t, 0, sizeof(*t));
	if ((u = curl_url()) == NULL)
		return bad_url(url, "out of memory", err);
	code = curl_url_set(u, CURLUPART_URL, url,
	    CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE);
	if (code != CURLUE_OK)
		(void)bad_url(url, curl_url_strerror(code), err);
	else if (url_scheme(u, url, method, t, err) == 0) {
		if (url_parts(u, t) == 0)
			rc = 0;
		else
			(void)bad_url(url, "bad host or port", err);
	}
	curl_url_cleanup(u);
	if (rc == -1)
		target_clear(t);
	return rc;
}

static int
bad_tcp(char **err, const char *fmt, const char *what)
{
	xasprintf(err, "dial tcp: address %s%s", what, fmt);
	return -1;
}

int
target_tcp(const char *text, struct target *t, char **err)
{
	const char	*colon = strrchr(text, ':'), *p;
	unsigned long	 port = 0;
	char		*host;
	int		 rc;

	memset(t, 0, sizeof(*t));
	if (colon == NULL || (*text == '[' && colon[-1] != ']'))
		return bad_tcp(err, ": missing port in address", text);
	if (*text != '[' && memchr(text, ':', (size_t)(colon - text)) != NULL)
		return bad_tcp(err, ": too many colons in address", text);
	for (p = colon + 1; *p != '\0'; p++) {
		if (*p < '0' || *p > '9') {
			xasprintf(err, "dial tcp: address tcp/%s: "
			    "unknown port", colon + 1);
			return -1;
		}
		if (port <= 65535)
			port = port * 10 + (unsigned long)(*p - '0');
	}
	if (port == 0 || port > 65535)
		return bad_tcp(err, ": invalid port", colon + 1);
	/* No host is this one. */
	host = colon == text ? xstrdup("localhost") :
	    xstrndup(text, (size_t)(colon - text));
	rc = set_host(t, host);
	free(host);
	if (rc == -1)
		return bad_tcp(err, ": bad host", text);
	t->port = (uint16_t)port;
	return 0;
}
