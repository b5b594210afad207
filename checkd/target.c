/*
 * Taking targets apart.  URLs are libcurl's to parse, so that what is dialled
 * is what it will ask for.
 */
#include <arpa/inet.h>
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
	free(t->path);
	free(t->hostport);
	free(t->auth);
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

static char *
part(CURLU *u, CURLUPart what, unsigned flags)
{
	char	*s = NULL, *copy;

	if (curl_url_get(u, what, &s, flags) != CURLUE_OK)
		return NULL;
	copy = xstrdup(s);
	curl_free(s);
	return copy;
}

static void
set_auth(CURLU *u, struct target *t)
{
	char	*user = part(u, CURLUPART_USER, CURLU_URLDECODE);
	char	*password = part(u, CURLUPART_PASSWORD, CURLU_URLDECODE);
	char	*both, *text;

	if (user != NULL || password != NULL) {
		xasprintf(&both, "%s:%s", str_or(user, ""),
		    str_or(password, ""));
		text = base64_text(both, strlen(both));
		xasprintf(&t->auth, "Basic %s", text);
		free(text);
		free(both);
	}
	free(user);
	free(password);
}

static char *
redacted(CURLU *u)
{
	char	*password = part(u, CURLUPART_PASSWORD, 0);

	if (password != NULL)
		(void)curl_url_set(u, CURLUPART_PASSWORD, "xxxxx", 0);
	free(password);
	return part(u, CURLUPART_URL, 0);
}

/* The parts that a connection needs. */
static int
url_parts(CURLU *u, struct target *t)
{
	char	*host = part(u, CURLUPART_HOST, 0);
	char	*port = part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	char	*path = part(u, CURLUPART_PATH, 0);
	char	*query = part(u, CURLUPART_QUERY, 0);
	char	*zone = part(u, CURLUPART_ZONEID, 0);
	int	 rc = -1;

	if (host != NULL && port != NULL && zone == NULL &&
	    set_host(t, host) == 0) {
		t->port = (uint16_t)strtoul(port, NULL, 10);
		xasprintf(&t->path, "%s%s%s", str_or(path, "/"),
		    query != NULL ? "?" : "", str_or(query, ""));
		if (t->port == (t->tls ? 443 : 80))
			t->hostport = xstrdup(host);
		else
			xasprintf(&t->hostport, "%s:%u", host, t->port);
		set_auth(u, t);
		t->url = redacted(u);
		rc = t->port != 0 && t->url != NULL ? 0 : -1;
	}
	free(host);
	free(port);
	free(path);
	free(query);
	free(zone);
	return rc;
}

char *
target_join(const char *base, const char *url)
{
	CURLU	*u = curl_url();
	char	*out = NULL;

	if (u != NULL && curl_url_set(u, CURLUPART_URL, base,
	    CURLU_URLENCODE) == CURLUE_OK &&
	    curl_url_set(u, CURLUPART_URL, url,
	    CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE) == CURLUE_OK)
		out = part(u, CURLUPART_URL, 0);
	curl_url_cleanup(u);
	return out;
}

/* Only where there is something to hide: an output has the URL as it was
 * written. */
char *
target_redact(const char *url)
{
	CURLU	*u;
	char	*out = NULL, *password = NULL;

	if (strchr(url, '@') == NULL)
		return xstrdup(url);
	if ((u = curl_url()) != NULL && curl_url_set(u, CURLUPART_URL, url,
	    CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE) == CURLUE_OK) {
		password = part(u, CURLUPART_PASSWORD, 0);
		out = password != NULL ? redacted(u) : xstrdup(url);
	}
	free(password);
	curl_url_cleanup(u);
	return out != NULL ? out : xstrdup("a URL that cannot be parsed");
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

static bool
is_dotted(const char *p, size_t n)
{
	struct in_addr	 a;
	char		 text[16], back[16];

	if (n >= sizeof(text))
		return false;
	memcpy(text, p, n);
	text[n] = '\0';
	return inet_pton(AF_INET, text, &a) == 1 &&
	    inet_ntop(AF_INET, &a, back, sizeof(back)) != NULL &&
	    strcmp(text, back) == 0;
}

/*
 * Most URLs of checks are "http://host:port/path" and nothing else; libcurl's
 * parser was a fifth of what a run spends outside of the kernel.  What has
 * anything else in it is left to that, and what both take comes out the same.
 */
static bool
plain_url(const char *url, struct target *t)
{
	static const char	 host[] = "abcdefghijklmnopqrstuvwxyz"
				    "0123456789-.";
	static const char	 path[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789-_/";
	const char		*p = url + 7, *q;
	unsigned		 port = 80;
	size_t			 n, digits;

	if (strncmp(url, "http://", 7) != 0)
		return false;
	n = strspn(p, host);
	/* Numbers may be addresses in old notations, which are rewritten. */
	if (n == 0 || n >= sizeof(t->host) || (p[0] >= '0' && p[0] <= '9' &&
	    !is_dotted(p, n)))
		return false;
	q = p + n;
	if (*q == ':') {
		digits = strspn(++q, "0123456789");
		if (digits == 0 || digits > 5 || *q == '0')
			return false;
		port = (unsigned)strtoul(q, NULL, 10);
		q += digits;
	}
	if (port > 65535 || port == 0 || *q != '/' || q[strspn(q, path)] != '\0')
		return false;
	memcpy(t->host, p, n);
	t->host[n] = '\0';
	t->port = (uint16_t)port;
	t->path = xstrdup(q);
	t->url = xstrdup(url);
	if (port == 80)
		t->hostport = xstrdup(t->host);
	else
		xasprintf(&t->hostport, "%s:%u", t->host, port);
	return true;
}

int
target_url(const char *url, const char *method, struct target *t, char **err)
{
	CURLU		*u;
	CURLUcode	 code;
	int		 rc = -1;

	memset(t, 0, sizeof(*t));
	if (plain_url(url, t))
		return 0;
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

int
target_hostport(const char *text, const char *net, struct target *t,
    char **err)
{
	const char	*colon = strrchr(text, ':'), *p, *why = NULL;
	unsigned long	 port = 0;
	char		*host;

	memset(t, 0, sizeof(*t));
	*err = NULL;
	if (colon == NULL || (*text == '[' && colon[-1] != ']'))
		why = "missing port in address";
	else if (*text != '[' &&
	    memchr(text, ':', (size_t)(colon - text)) != NULL)
		why = "too many colons in address";
	if (why != NULL) {
		xasprintf(err, "dial %s: address %s: %s", net, text, why);
		return -1;
	}
	for (p = colon + 1; *p >= '0' && *p <= '9'; p++)
		if (port <= 65535)
			port = port * 10 + (unsigned long)(*p - '0');
	if (*p != '\0')
		xasprintf(err, "dial %s: address %s/%s: unknown port", net,
		    net, colon + 1);
	else if (port == 0 || port > 65535)
		xasprintf(err, "dial %s: address %s: invalid port", net,
		    colon + 1);
	if (*err != NULL)
		return -1;
	/* No host is this one. */
	host = colon == text ? xstrdup("localhost") :
	    xstrndup(text, (size_t)(colon - text));
	if (set_host(t, host) == -1)
		xasprintf(err, "dial %s: address %s: bad host", net, text);
	free(host);
	t->port = (uint16_t)port;
	return *err == NULL ? 0 : -1;
}
