/*
 * kv get, put, delete, export, import.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "discoctl/ctl.h"

#define VALUE_MAX (64u << 20)	/* read from a file; servers take less */

/* ---- what the commands share ---- */

/* "/v1/kv/KEY?..."; slashes stay as they are.  The caller frees it. */
static char *
path_of(const struct ctl *c, const char *key, const char *params)
{
	struct wbuf	 b;
	char		*q = query_of(c), *part, *escaped;
	size_t		 n;

	wb_init(&b, 0);
	wb_str(&b, "/v1/kv/");
	for (; *key != '\0'; key += n) {
		n = strcspn(key, "/");
		part = xstrndup(key, n);
		escaped = escape(part);
		wb_str(&b, escaped);
		free(escaped);
		free(part);
		if (key[n] == '/') {
			wb_u8(&b, '/');
			n++;
		}
	}
	wb_str(&b, q);
	if (*params != '\0')
		wb_printf(&b, "%c%s", *q == '\0' ? '?' : '&', params);
	free(q);
	return wb_detach_str(&b);
}

/* What follows @, all of standard input for -, else the text itself.  NULL:
 * said why not. */
static char *
data_of(const char *arg, size_t *len)
{
	struct wbuf	 b;
	char		*text, buf[4096];
	size_t		 n;

	if (arg[0] == '@') {
		text = file_read(arg + 1, VALUE_MAX, len);
		if (text == NULL)
			fprintf(stderr, "Error! Failed to read file: open %s: "
			    "%s\n", arg + 1, errno == ENOENT ?
			    "no such file or directory" : strerror(errno));
		return text;
	}
	if (strcmp(arg, "-") != 0) {
		*len = strlen(arg);
		return xstrdup(arg);
	}
	wb_init(&b, VALUE_MAX);
	while ((n = fread(buf, 1, sizeof(buf), stdin)) > 0)
		wb_bytes(&b, buf, n);
	if (b.err || ferror(stdin)) {
		fprintf(stderr, "Error! Failed to read stdin: %s\n",
		    b.err ? "too much" : strerror(errno));
		wb_free(&b);
		return NULL;
	}
	*len = b.len;
	wb_u8(&b, '\0');
	return (char *)b.p;
}

/* What the answer lists; NULL: nothing. */
static const struct json *
first(const struct answer *a)
{
	return a->json != NULL ? a->json->child : NULL;
}

/* The value of an answer's entry, for the caller to free. */
static uint8_t *
value_of(const struct json *entry, size_t *len)
{
	const char	*text = text_of(entry, "Value");
	size_t		 max = strlen(text) / 4 * 3 + 1;
	uint8_t		*p = xmalloc(max);
	int		 n = base64_decode(text, p, max);

	*len = n < 0 ? 0 : (size_t)n;
	return p;
}

/* "true", or false. */
static bool
is_true(const struct answer *a)
{
	return a->len >= 4 && strncmp(a->body, "true", 4) == 0;
}

/* The one argument without the slash that keys never begin with.  NULL: said
 * that there are too many. */
static const char *
one_key(int argc, char **argv, int a)
{
	if (argc - a > 1) {
		fprintf(stderr, "Too many arguments (expected 1, got %d)\n",
		    argc - a);
		return NULL;
	}
	if (a == argc)
		return "";
	return argv[a][0] == '/' ? argv[a] + 1 : argv[a];
}

static int
missing_key(void)
{
	fprintf(stderr, "Error! Missing KEY argument\n");
	return 1;
}

/* ---- get ---- */

struct get {
	bool		 base64, detailed, keys, recurse;
	const char	*separator;
};

static void
print_value(const struct json *e, bool base64)
{
	uint8_t	*value;
	size_t	 n;

	if (base64) {
		fputs(text_of(e, "Value"), stdout);
		return;
	}
	value = value_of(e, &n);
	fwrite(value, 1, n, stdout);
	free(value);
}

static void
print_detailed(const struct json *e, bool base64)
{
	const char	*session = text_of(e, "Session");

	printf("CreateIndex      %s\n", text_of(e, "CreateIndex"));
	printf("Flags            %s\n", text_of(e, "Flags"));
	printf("Key              %s\n", text_of(e, "Key"));
	printf("LockIndex        %s\n", text_of(e, "LockIndex"));
	printf("ModifyIndex      %s\n", text_of(e, "ModifyIndex"));
	printf("Session          %s\n", *session == '\0' ? "-" : session);
	printf("Value%s", *text_of(e, "Value") == '\0' ? "" : "            ");
	print_value(e, base64);
	printf("\n");
}

static int
get_keys(struct ctl *c, const char *key, const struct get *g)
{
	const struct json	*k;
	struct answer		 a;
	char			*path, *sep, *params;
	int			 rc;

	sep = escape(g->separator);
	xasprintf(&params, "keys&separator=%s", sep);
	path = path_of(c, key, params);
	rc = request_bytes(c, "GET", path, NULL, 0, "querying Consul agent",
	    &a);
	free(path);
	free(params);
	free(sep);
	if (rc == 0) {
		for (k = first(&a); k != NULL; k = k->next)
			printf("%s\n", k->str);
		answer_free(&a);
	}
	return rc == -1;
}

static int
get_tree(struct ctl *c, const char *key, const struct get *g)
{
	const struct json	*e;
	struct answer		 a;
	char			*path = path_of(c, key, "recurse");
	int			 rc;

	rc = request_bytes(c, "GET", path, NULL, 0, "querying Consul agent",
	    &a);
	free(path);
	if (rc != 0)
		return rc == -1;
	for (e = first(&a); e != NULL; e = e->next) {
		if (g->detailed) {
			print_detailed(e, g->base64);
			if (e->next != NULL)
				printf("\n");
			continue;
		}
		printf("%s:", text_of(e, "Key"));
		print_value(e, g->base64);
		printf("\n");
	}
	answer_free(&a);
	return 0;
}

static int
get_one(struct ctl *c, const char *key, const struct get *g)
{
	struct answer	 a;
	char		*path = path_of(c, key, "");
	int		 rc;

	rc = request_bytes(c, "GET", path, NULL, 0, "querying Consul agent",
	    &a);
	free(path);
	if (rc == 1)
		fprintf(stderr, "Error! No key exists at: %s\n", key);
	if (rc != 0)
		return 1;
	if (g->detailed)
		print_detailed(first(&a), g->base64);
	else {
		print_value(first(&a), g->base64);
		printf("\n");
	}
	answer_free(&a);
	return 0;
}

int
cmd_kv_get(struct ctl *c, int argc, char **argv)
{
	struct get	 g = { .separator = "/" };
	struct opt	 own[] = {
		{ "base64", OPT_FLAG, &g.base64, NULL,
		  "Show the value in base 64.", NULL },
		{ "detailed", OPT_FLAG, &g.detailed, NULL,
		  "Also show indexes, flags and session.", NULL },
		{ "keys", OPT_FLAG, &g.keys, NULL,
		  "List the keys that begin so, without values.", NULL },
		{ "recurse", OPT_FLAG, &g.recurse, NULL,
		  "All keys that begin so, with their values.", NULL },
		{ "separator", OPT_STR, &g.separator, "<string>",
		  "With -keys: up to this text, each once.  Default: /.",
		  NULL },
		{ 0 }
	};
	const char	*key;
	int		 a, rc;

	if ((a = options(c, own, argc, argv, &rc)) == -1)
		return rc;
	if ((key = one_key(argc, argv, a)) == NULL)
		return 1;
	if (*key == '\0' && !g.keys && !g.recurse)
		return missing_key();
	if (g.keys)
		return get_keys(c, key, &g);
	return g.recurse ? get_tree(c, key, &g) : get_one(c, key, &g);
}

/* ---- put ---- */

struct put {
	bool		 base64, cas, acquire, release;
	const char	*session;
	uint64_t	 flags, index;
};

/* 0, or what exit status: said why not. */
static int
put_check(const struct put *p, int nargs, const char *key)
{
	if (nargs < 1)
		return missing_key();
	if (nargs > 2)
		fprintf(stderr, "Error! Too many arguments (expected 1 or 2, "
		    "got %d)\n", nargs);
	else if (*key == '\0')
		return missing_key();
	else if (*key == '/')
		fprintf(stderr, "Error! Failed writing data: Invalid key. Key "
		    "must not begin with a '/': %s\n", key);
	else if ((p->acquire || p->release) && str_empty(p->session))
		fprintf(stderr, "Error! Missing -session (required with "
		    "-acquire and -release)\n");
	else if (p->cas && p->index == 0)
		fprintf(stderr, "Must specify -modify-index with -cas!\n");
	else
		return 0;
	return 1;
}

/* The value, for the caller to free; NULL: said why there is none. */
static char *
put_value(const struct put *p, const char *arg, size_t *len)
{
	char	*text = data_of(arg, len);
	uint8_t	*value;
	size_t	 max;
	int	 n;

	if (text == NULL || !p->base64)
		return text;
	max = *len / 4 * 3 + 1;
	value = xmalloc(max);
	if ((n = base64_decode(text, value, max)) == -1) {
		fprintf(stderr, "Error! Cannot base 64 decode data: illegal "
		    "base64 data at input byte %zu\n", base64_bad_at(text));
		free(value);
		free(text);
		return NULL;
	}
	free(text);
	*len = (size_t)n;
	return (char *)value;
}

static char *
put_params(const struct put *p)
{
	struct wbuf	 b;
	char		*s;

	wb_init(&b, 0);
	wb_printf(&b, "flags=%llu", (unsigned long long)p->flags);
	if (p->cas)
		wb_printf(&b, "&cas=%llu", (unsigned long long)p->index);
	if (p->acquire || p->release) {
		s = escape(p->session);
		wb_printf(&b, "&%s=%s", p->acquire ? "acquire" : "release", s);
		free(s);
	}
	return wb_detach_str(&b);
}

static int
put_send(struct ctl *c, const struct put *p, const char *key,
    const char *value, size_t len)
{
	struct answer	 a;
	char		*params = put_params(p), *path;
	int		 rc;

	path = path_of(c, key, params);
	rc = request_bytes(c, "PUT", path, value, len,
	    "Error! Failed writing data", &a);
	free(path);
	free(params);
	if (rc != 0)
		return 1;
	rc = 1;
	if (is_true(&a)) {
		printf("%s: %s\n", p->acquire ? "Success! Lock acquired on" :
		    p->release ? "Success! Lock released on" :
		    "Success! Data written to", key);
		rc = 0;
	} else if (p->cas)
		fprintf(stderr, "Error! Did not write to %s: CAS failed\n",
		    key);
	else
		fprintf(stderr, "Error! Did not %s lock\n",
		    p->acquire ? "acquire" : "release");
	answer_free(&a);
	return rc;
}

int
cmd_kv_put(struct ctl *c, int argc, char **argv)
{
	struct put	 p = { 0 };
	struct opt	 own[] = {
		{ "acquire", OPT_FLAG, &p.acquire, NULL,
		  "Lock the key for the session of -session.", NULL },
		{ "base64", OPT_FLAG, &p.base64, NULL,
		  "The data is in base 64.", NULL },
		{ "cas", OPT_FLAG, &p.cas, NULL,
		  "Only if the key still has the index of -modify-index.",
		  NULL },
		{ "flags", OPT_UINT, &p.flags, "<uint>",
		  "A number to keep with the value.", NULL },
		{ "modify-index", OPT_UINT, &p.index, "<uint>",
		  "ModifyIndex of the key, for -cas.", NULL },
		{ "release", OPT_FLAG, &p.release, NULL,
		  "Let go of the lock that the session of -session holds.",
		  NULL },
		{ "session", OPT_STR, &p.session, "<id>",
		  "The session for -acquire and -release.", NULL },
		{ 0 }
	};
	char		*value;
	size_t		 len = 0;
	int		 a, rc;

	if ((a = options(c, own, argc, argv, &rc)) == -1)
		return rc;
	if ((rc = put_check(&p, argc - a, a < argc ? argv[a] : "")) != 0)
		return rc;
	value = put_value(&p, a + 1 < argc ? argv[a + 1] : "", &len);
	if (value == NULL)
		return 1;
	rc = put_send(c, &p, argv[a], value, len);
	free(value);
	return rc;
}

/* ---- delete ---- */

/* 0, or 1: said why not. */
static int
delete_check(bool cas, bool recurse, uint64_t index, const char *key)
{
	if (*key == '\0' && !recurse)
		return missing_key();
	if (cas && index == 0)
		fprintf(stderr, "Must specify -modify-index with -cas!\n");
	else if (!cas && index != 0)
		fprintf(stderr, "Cannot specify -modify-index without "
		    "-cas!\n");
	else if (cas && recurse)
		fprintf(stderr, "Cannot specify both -cas and -recurse!\n");
	else
		return 0;
	return 1;
}

int
cmd_kv_delete(struct ctl *c, int argc, char **argv)
{
	struct answer	 ans;
	bool		 cas = false, recurse = false;
	uint64_t	 index = 0;
	struct opt	 own[] = {
		{ "cas", OPT_FLAG, &cas, NULL,
		  "Only if the key still has the index of -modify-index.",
		  NULL },
		{ "modify-index", OPT_UINT, &index, "<uint>",
		  "ModifyIndex of the key, for -cas.", NULL },
		{ "recurse", OPT_FLAG, &recurse, NULL,
		  "All keys that begin so.", NULL },
		{ 0 }
	};
	const char	*key;
	char		*params, *path;
	int		 a, rc;

	if ((a = options(c, own, argc, argv, &rc)) == -1)
		return rc;
	if ((key = one_key(argc, argv, a)) == NULL ||
	    delete_check(cas, recurse, index, key) != 0)
		return 1;
	if (cas)
		xasprintf(&params, "cas=%llu", (unsigned long long)index);
	else
		params = xstrdup(recurse ? "recurse" : "");
	path = path_of(c, key, params);
	rc = request_bytes(c, "DELETE", path, NULL, 0,
	    recurse ? "Error! Did not delete prefix" :
	    "Error deleting key", &ans);
	free(path);
	free(params);
	if (rc != 0)
		return 1;
	rc = !is_true(&ans);
	answer_free(&ans);
	if (rc != 0)
		fprintf(stderr, "Error! Did not delete key %s: CAS failed\n",
		    key);
	else
		printf("Success! Deleted %s: %s\n", recurse ?
		    "keys with prefix" : "key", key);
	return rc;
}

/* ---- export, import ---- */

/* A text in quotes. */
static void
print_quoted(const char *s)
{
	struct jw	*jw = jw_new(false);
	const char	*text;
	size_t		 len;

	jw_str(jw, s);
	text = jw_text(jw, &len);
	fwrite(text, 1, len, stdout);
	jw_free(jw);
}

int
cmd_kv_export(struct ctl *c, int argc, char **argv)
{
	const struct json	*e = NULL;
	struct answer		 ans;
	const char		*key;
	char			*path;
	int			 a, rc;

	if ((a = options(c, NULL, argc, argv, &rc)) == -1)
		return rc;
	if ((key = one_key(argc, argv, a)) == NULL)
		return 1;
	path = path_of(c, key, "recurse");
	rc = request_bytes(c, "GET", path, NULL, 0, "querying Consul agent",
	    &ans);
	free(path);
	if (rc == -1)
		return 1;
	if (rc == 0)
		e = first(&ans);
	printf("[%s", e == NULL ? "" : "\n");
	for (; e != NULL; e = e->next) {
		printf("\t{\n\t\t\"key\": ");
		print_quoted(text_of(e, "Key"));
		printf(",\n\t\t\"flags\": %s,\n\t\t\"value\": \"%s\"\n\t}%s\n",
		    text_of(e, "Flags"), text_of(e, "Value"),
		    e->next != NULL ? "," : "");
	}
	printf("]\n");
	answer_free(&ans);
	return 0;
}

/* 0, or -1: said why not. */
static int
import_one(struct ctl *c, const struct json *e)
{
	const char	*key = text_of(e, "key"), *text = text_of(e, "value");
	const char	*flags = text_of(e, "flags");
	size_t		 max = strlen(text) / 4 * 3 + 1;
	uint8_t		*value = xmalloc(max);
	struct answer	 a;
	char		*params, *path, *what;
	int		 n, rc = -1;

	if ((n = base64_decode(text, value, max)) == -1) {
		fprintf(stderr, "Error base 64 decoding value for key %s: "
		    "illegal base64 data at input byte %zu\n", key,
		    base64_bad_at(text));
		free(value);
		return -1;
	}
	xasprintf(&params, "flags=%s", *flags == '\0' ? "0" : flags);
	xasprintf(&what, "Error! Failed writing data for key %s", key);
	path = path_of(c, key, params);
	if (request_bytes(c, "PUT", path, value, (size_t)n, what, &a) == 0) {
		printf("Imported: %s\n", key);
		answer_free(&a);
		rc = 0;
	}
	free(path);
	free(what);
	free(params);
	free(value);
	return rc;
}

int
cmd_kv_import(struct ctl *c, int argc, char **argv)
{
	const struct json	*e;
	struct json		*tree;
	char			*data, err[256];
	size_t			 len;
	int			 a, rc;

	if ((a = options(c, NULL, argc, argv, &rc)) == -1)
		return rc;
	if (a == argc) {
		fprintf(stderr, "Error! Missing DATA argument\n");
		return 1;
	}
	if (one_key(argc, argv, a) == NULL ||
	    (data = data_of(argv[a], &len)) == NULL)
		return 1;
	tree = json_parse(data, len, err, sizeof(err));
	free(data);
	if (tree == NULL || tree->type != JSON_ARRAY) {
		fprintf(stderr, "Cannot unmarshal data: %s\n", tree == NULL ?
		    err : "not a list");
		json_free(tree);
		return 1;
	}
	rc = 0;
	for (e = tree->child; e != NULL && rc == 0; e = e->next)
		rc = import_one(c, e);
	json_free(tree);
	return rc != 0;
}
