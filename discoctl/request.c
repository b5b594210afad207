/*
 * Requests to an agent, over TCP or its Unix socket, by libcurl.
 */
#include <bsd/string.h>
#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/util.h"
#include "discoctl/https.h"

#define DEFAULT_ADDR	"127.0.0.1:8500"
#define DEFAULT_SOCKET	"/run/disco/disco.sock"
#define ANSWER_MAX	(256u << 20)

/* What goes out as the body, and where what comes is put. */
struct transfer {
	CURL		*curl;
	const char	*body;		/* NULL: none, or the file */
	size_t		 len;		/* of the body */
	bool		 may_miss;	/* 404 is an answer */
	unsigned long long index;
	FILE		*from;
	curl_off_t	 size;
	FILE		*to;		/* of a 200; NULL: into out */
	struct wbuf	 out;
};

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct transfer	*t = arg;
	long		 status = 0;

	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	if (t->to != NULL && status == 200)
		return fwrite(p, 1, size * n, t->to);
	wb_bytes(&t->out, p, size * n);
	return t->out.err ? 0 : size * n;
}

static size_t
on_upload(char *p, size_t size, size_t n, void *arg)
{
	struct transfer	*t = arg;

	return fread(p, 1, size * n, t->from);
}

static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
	static const char	 name[] = "X-Consul-Index:";
	struct transfer		*t = arg;

	n *= size;
	if (n > sizeof(name) && strncasecmp(p, name, sizeof(name) - 1) == 0)
		t->index = strtoull(p + sizeof(name) - 1, NULL, 10);
	return n;
}

/* URL and, for a Unix socket, its path. */
static char *
url_of(const char *addr, const char *path, const char **unix_path)
{
	char	*url;

	*unix_path = NULL;
	if (strncmp(addr, "unix://", 7) == 0) {
		*unix_path = addr + 7;
		xasprintf(&url, "http://localhost%s", path);
	} else if (strstr(addr, "://") != NULL) {
		size_t	n = strlen(addr);

		while (n > 0 && addr[n - 1] == '/')
			n--;
		xasprintf(&url, "%.*s%s", (int)n, addr, path);
	} else
		xasprintf(&url, "%s://%s%s", https_scheme(), addr, path);
	return url;
}

static char *
token_header(const struct target *t)
{
	char	*token, *header = NULL;

	if (!str_empty(t->token)) {
		xasprintf(&header, "X-Consul-Token: %s", t->token);
		return header;
	}
	if (str_empty(t->token_file))
		return NULL;
	if ((token = file_read(t->token_file, 4096, NULL)) == NULL) {
		fprintf(stderr, "Error loading token file: %s\n",
		    t->token_file);
		return NULL;
	}
	token[strcspn(token, "\r\n")] = '\0';
	xasprintf(&header, "X-Consul-Token: %s", token);
	free(token);
	return header;
}

static CURLcode
send_to(struct transfer *t, const struct target *target, const char *addr,
    const char *method, const char *path, struct curl_slist *headers,
    char *why)
{
	CURL			*curl = t->curl;
	const char		*unix_path;
	char			*url = url_of(addr, path, &unix_path);
	struct curl_slist	*instead;
	CURLcode		 rc;

	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	instead = https_setup(curl, target, url);
	if (unix_path != NULL)
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, unix_path);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
	if (t->from != NULL) {
		rewind(t->from);
		curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_upload);
		curl_easy_setopt(curl, CURLOPT_READDATA, t);
		curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, t->size);
	} else if (strcmp(method, "GET") != 0) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)t->len);
		/* A body may begin with a NUL. */
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
		    t->body != NULL ? t->body : "");
	}
	why[0] = '\0';
	rc = curl_easy_perform(curl);
	curl_slist_free_all(instead);
	free(url);
	return rc;
}

/* What went wrong, without the reason: see request(). */
static void
say_what(const char *what)
{
	bool	 whole = isupper((unsigned char)what[0]) ||
		    strcmp(what, "error") == 0;

	fprintf(stderr, "%s%s: ", whole ? "" : "Error ", what);
}

/* The connection that failed, in the words that scripts look for. */
static void
say_unreachable(CURLcode rc, long err, const char *what, const char *method,
    const char *addr, const char *path, const char *why)
{
	const char	*unix_path, *host;
	char		*url = url_of(addr, path, &unix_path), *e, reason[128];

	if (unix_path != NULL) {
		e = escape(unix_path);
		free(url);
		xasprintf(&url, "http://%s%s", e, path);
		free(e);
		host = unix_path;
	} else
		host = strstr(url, "://") + 3;
	say_what(what);
	fprintf(stderr, "%c%s \"%s\": ", method[0],
	    strcmp(method, "GET") == 0 ? "et" : strcmp(method, "PUT") == 0 ?
	    "ut" : strcmp(method, "POST") == 0 ? "ost" : "elete", url);
	if (rc == CURLE_COULDNT_CONNECT && err != 0) {
		strlcpy(reason, strerror((int)err), sizeof(reason));
		reason[0] = (char)tolower((unsigned char)reason[0]);
		fprintf(stderr, "dial %s %.*s: connect: %s\n", unix_path !=
		    NULL ? "unix" : "tcp", unix_path != NULL ?
		    (int)strlen(host) : (int)strcspn(host, "/"), host, reason);
	} else
		fprintf(stderr, "%s\n", why[0] != '\0' ? why :
		    curl_easy_strerror(rc));
	free(url);
}

static int
transfer(struct ctl *c, struct transfer *t, const char *method,
    const char *path, const char *what, struct answer *ans)
{
	struct curl_slist	*headers = NULL;
	char			 why[CURL_ERROR_SIZE], err[256], *header;
	const char		*addr = c->target.addr;
	CURLcode		 rc;
	long			 os_err = 0;

	memset(ans, 0, sizeof(*ans));
	/* Not without the token that was to be sent. */
	if ((header = token_header(&c->target)) == NULL &&
	    str_empty(c->target.token) && !str_empty(c->target.token_file))
		return -1;
	if ((t->curl = curl_easy_init()) == NULL) {
		say_what(what);
		fprintf(stderr, "out of memory\n");
		free(header);
		return -1;
	}
	wb_init(&t->out, ANSWER_MAX);
	headers = curl_slist_append(headers, "Expect:");
	headers = curl_slist_append(headers, t->from != NULL ?
	    "Content-Type: application/octet-stream" :
	    "Content-Type: application/json");
	if (header != NULL)
		headers = curl_slist_append(headers, header);
	free(header);

	rc = send_to(t, &c->target, addr == NULL ? DEFAULT_ADDR : addr, method,
	    path, headers, why);
	curl_easy_getinfo(t->curl, CURLINFO_OS_ERRNO, &os_err);
	/* An agent without an HTTP port is reached by its socket. */
	if (rc == CURLE_COULDNT_CONNECT && addr == NULL) {
		char	 first[CURL_ERROR_SIZE];

		strlcpy(first, why, sizeof(first));
		rc = send_to(t, &c->target, "unix://" DEFAULT_SOCKET, method,
		    path, headers, why);
		if (rc == CURLE_COULDNT_CONNECT)
			strlcpy(why, first, sizeof(why));
	}
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &ans->status);
	curl_slist_free_all(headers);
	if (rc != CURLE_OK)
		say_unreachable(rc, os_err, what, method, addr == NULL ?
		    DEFAULT_ADDR : addr, path, why);
	curl_easy_cleanup(t->curl);
	if (rc != CURLE_OK) {
		wb_free(&t->out);
		return -1;
	}
	ans->index = t->index;
	ans->len = t->out.len;
	ans->body = wb_detach_str(&t->out);
	if (ans->status == 404 && t->may_miss) {
		answer_free(ans);
		ans->index = t->index;
		return 1;
	}
	if (ans->status != 200) {
		say_what(what);
		fprintf(stderr, "Unexpected response code: %ld", ans->status);
		/* Consul's client reads keys by code of its own. */
		if (!t->may_miss || strcmp(method, "GET") != 0 ||
		    strncmp(path, "/v1/kv/", 7) != 0)
			fprintf(stderr, " (%s)", ans->body);
		fprintf(stderr, "\n");
		answer_free(ans);
		return -1;
	}
	if (ans->len == 0)
		return 0;
	ans->json = json_parse(ans->body, ans->len, err, sizeof(err));
	if (ans->json == NULL && (ans->body[0] == '{' || ans->body[0] == '[')) {
		say_what(what);
		fprintf(stderr, "the answer is no JSON: %s\n", err);
		answer_free(ans);
		return -1;
	}
	return 0;
}

int
request(struct ctl *c, const char *method, const char *path, const char *body,
    const char *what, struct answer *ans)
{
	struct transfer	t = { .body = body };

	t.len = body == NULL ? 0 : strlen(body);
	return transfer(c, &t, method, path, what, ans);
}

int
request_bytes(struct ctl *c, const char *method, const char *path,
    const void *body, size_t len, const char *what, struct answer *ans)
{
	struct transfer	t = { .body = body, .len = len, .may_miss = true };

	return transfer(c, &t, method, path, what, ans);
}

int
request_files(struct ctl *c, const char *method, const char *path, FILE *from,
    long long size, FILE *to, const char *what, struct answer *ans)
{
	struct transfer	t = { .from = from, .size = size, .to = to };

	return transfer(c, &t, method, path, what, ans);
}

void
answer_free(struct answer *ans)
{
	json_free(ans->json);
	free(ans->body);
	memset(ans, 0, sizeof(*ans));
}

char *
escape(const char *s)
{
	struct wbuf	b;

	wb_init(&b, 0);
	for (; *s != '\0'; s++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		    "abcdefghijklmnopqrstuvwxyz0123456789-._~:", *s) != NULL)
			wb_u8(&b, (uint8_t)*s);
		else
			wb_printf(&b, "%%%02X", (unsigned char)*s);
	return wb_detach_str(&b);
}

char *
query_of(const struct ctl *c)
{
	const struct target	*t = &c->target;
	struct wbuf		 b;
	char			*dc;

	wb_init(&b, 0);
	if (!str_empty(t->datacenter)) {
		dc = escape(t->datacenter);
		wb_printf(&b, "?dc=%s", dc);
		free(dc);
	}
	if (t->stale)
		wb_printf(&b, "%sstale", b.len > 0 ? "&" : "?");
	return wb_detach_str(&b);
}

const char *
text_of(const struct json *j, const char *key)
{
	const struct json	*m = j == NULL ? NULL : json_get(j, key);

	return m == NULL || m->str == NULL ? "" : m->str;
}

long long
number_of(const struct json *j, const char *key)
{
	return strtoll(text_of(j, key), NULL, 10);
}
