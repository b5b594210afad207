/*
 * exec: a command on other nodes, by way of an event and keys.
 *
 *	here				agents whose disable_remote_exec is false
 *	session, key SESSION/job
 *	event _rexec {prefix, session}  ->
 *					SESSION/NODE/ack
 *					SESSION/NODE/out/00000 ...
 *					SESSION/NODE/exit
 *	keys read as they come, until it has been quiet for a while
 *	keys and session removed
 *
 * Agents of disco never take part: whoever may write keys would run commands.
 * Those of Consul in the same datacenter do, where they are told to.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/util.h"
#include "discoctl/ctl.h"

#define SCRIPT_MAX	(256u << 10)	/* it travels in a key */
#define POLL_MS		200
#define RENEW_MS	5000		/* of 15 s */

struct exec {
	struct ctl	*c;
	const char	*node, *service, *tag, *prefix;
	bool		 shell, verbose;
	int64_t		 wait_ns, wait_repl_ns;
	char		*session;
	struct strs	 seen;		/* keys that were shown */
	size_t		 nack, nexit;
	bool		 failed;	/* a command's status was not 0 */
};

static long long
now_ms(void)
{
	struct timespec	 t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / NS_PER_MS;
}

static void
sleep_ns(int64_t ns)
{
	struct timespec	 t = { ns / NS_PER_S, ns % NS_PER_S };

	(void)nanosleep(&t, NULL);
}

/* ---- what goes out ---- */

static int
make_session(struct exec *x)
{
	struct answer	 ans;

	if (request(x->c, "PUT", "/v1/session/create",
	    "{\"Name\":\"Remote Exec\",\"Behavior\":\"delete\",\"TTL\":\"15s\"}",
	    "Failed to create session", &ans) == -1)
		return -1;
	x->session = xstrdup(text_of(ans.json, "ID"));
	answer_free(&ans);
	if (x->verbose)
		printf("Created remote execution session: %s\n", x->session);
	return 0;
}

static int
put_job(struct exec *x, int argc, char **argv, const char *script)
{
	struct jw	*jw = jw_new(false);
	struct answer	 ans;
	struct wbuf	 line;
	char		*path, *text;
	int		 i, rc;

	jw_obj(jw);
	if (script != NULL) {
		text = base64_text(script, strlen(script));
		jw_key(jw, "Script");
		jw_str(jw, text);
		free(text);
	} else if (x->shell) {
		wb_init(&line, 0);
		for (i = 0; i < argc; i++)
			wb_printf(&line, "%s%s", i > 0 ? " " : "", argv[i]);
		text = wb_detach_str(&line);
		jw_key(jw, "Command");
		jw_str(jw, text);
		free(text);
	} else {
		jw_key(jw, "Args");
		jw_arr(jw);
		for (i = 0; i < argc; i++)
			jw_str(jw, argv[i]);
		jw_end_arr(jw);
	}
	jw_key(jw, "Wait");
	jw_int(jw, x->wait_ns);
	jw_end_obj(jw);
	xasprintf(&path, "/v1/kv/%s/%s/job?acquire=%s", x->prefix, x->session,
	    x->session);
	rc = request(x->c, "PUT", path, jw_text(jw, NULL),
	    "Failed to create job file", &ans);
	free(path);
	jw_free(jw);
	answer_free(&ans);
	if (rc == 0 && x->verbose)
		printf("Uploaded remote execution spec\n");
	return rc;
}

static void
put_filter(struct wbuf *b, const char *name, const char *value)
{
	char	*e;

	if (value == NULL)
		return;
	e = escape(value);
	wb_printf(b, "%c%s=%s", memchr(b->p, '?', b->len) == NULL ? '?' : '&',
	    name, e);
	free(e);
}

static int
fire(struct exec *x)
{
	struct jw	*jw = jw_new(false);
	struct answer	 ans;
	struct wbuf	 b;
	char		*path;
	int		 rc;

	jw_obj(jw);
	jw_key(jw, "Prefix");
	jw_str(jw, x->prefix);
	jw_key(jw, "Session");
	jw_str(jw, x->session);
	jw_end_obj(jw);
	wb_init(&b, 0);
	wb_str(&b, "/v1/event/fire/_rexec");
	put_filter(&b, "node", x->node);
	put_filter(&b, "service", x->service);
	put_filter(&b, "tag", x->tag);
	path = wb_detach_str(&b);
	rc = request(x->c, "PUT", path, jw_text(jw, NULL),
	    "Failed to fire event", &ans);
	if (rc == 0 && x->verbose)
		printf("Fired remote execution event: %s\n",
		    text_of(ans.json, "ID"));
	free(path);
	jw_free(jw);
	answer_free(&ans);
	return rc;
}

static void
clean_up(struct exec *x)
{
	struct answer	 ans;
	char		*path;

	xasprintf(&path, "/v1/kv/%s/%s/?recurse", x->prefix, x->session);
	if (request(x->c, "DELETE", path, NULL, "Failed to remove keys",
	    &ans) == 0)
		answer_free(&ans);
	free(path);
	xasprintf(&path, "/v1/session/destroy/%s", x->session);
	if (request(x->c, "PUT", path, NULL, "Failed to destroy session",
	    &ans) == 0)
		answer_free(&ans);
	free(path);
}

/* ---- what comes back ---- */

/* Each line under the node's name; empty ones at the end lose their space. */
static void
show_output(const char *node, const char *text)
{
	size_t	 n;

	for (;;) {
		n = strcspn(text, "\n");
		printf("    %s:%s%.*s\n", node, n > 0 ? " " : "", (int)n,
		    text);
		if (text[n] == '\0')
			break;
		text += n + 1;
	}
}

static char *
value_of(struct exec *x, const char *key)
{
	struct answer	 ans;
	char		*path, *e = escape(key), *value;
	int		 rc;

	xasprintf(&path, "/v1/kv/%s?raw", e);
	rc = request_bytes(x->c, "GET", path, NULL, 0, "Failed to read key",
	    &ans);
	free(path);
	free(e);
	if (rc != 0)
		return xstrdup("");
	value = xstrdup(str_or(ans.body, ""));
	answer_free(&ans);
	return value;
}

/* KEY is PREFIX/SESSION/NODE/what: after the session. */
static void
on_key(struct exec *x, const char *key, const char *rest)
{
	size_t		 n = strcspn(rest, "/");
	char		*node = xstrndup(rest, n), *value;
	const char	*what = rest[n] == '/' ? rest + n + 1 : "";

	if (strcmp(what, "ack") == 0) {
		x->nack++;
		if (x->verbose)
			printf("==> %s: acknowledged\n", node);
	} else if (strcmp(what, "exit") == 0) {
		value = value_of(x, key);
		x->nexit++;
		x->failed |= strcmp(value, "0") != 0;
		printf("==> %s: finished with exit code %s\n", node, value);
		free(value);
	} else if (strncmp(what, "out/", 4) == 0) {
		value = value_of(x, key);
		if (*value != '\0')	/* else it says that it is alive */
			show_output(node, value);
		free(value);
	}
	free(node);
}

static bool
ends_with(const char *s, const char *end)
{
	size_t	 n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

/* What a command printed comes before its end. */
static bool
new_keys(struct exec *x, const struct json *list, const char *dir, bool ends)
{
	const struct json	*j;
	bool			 any = false;

	for (j = list == NULL ? NULL : list->child; j != NULL; j = j->next) {
		if (j->str == NULL || strncmp(j->str, dir, strlen(dir)) != 0 ||
		    ends_with(j->str, "/exit") != ends ||
		    strs_has(&x->seen, j->str))
			continue;
		strs_add(&x->seen, j->str);
		if (strcmp(j->str + strlen(dir), "job") == 0)
			continue;
		on_key(x, j->str, j->str + strlen(dir));
		any = true;
	}
	return any;
}

/* true: something new came. */
static bool
poll_keys(struct exec *x)
{
	struct answer	 ans;
	char		*path, *dir;
	bool		 any = false;
	int		 rc;

	xasprintf(&dir, "%s/%s/", x->prefix, x->session);
	xasprintf(&path, "/v1/kv/%s?keys", dir);
	rc = request_bytes(x->c, "GET", path, NULL, 0, "Failed to read keys",
	    &ans);
	free(path);
	if (rc == 0) {
		any = new_keys(x, ans.json, dir, false);
		any |= new_keys(x, ans.json, dir, true);
		answer_free(&ans);
	}
	free(dir);
	fflush(stdout);
	return any;
}

static void
renew(struct exec *x)
{
	struct answer	 ans;
	char		*path;

	xasprintf(&path, "/v1/session/renew/%s", x->session);
	if (request(x->c, "PUT", path, NULL, "Failed to renew session",
	    &ans) == 0)
		answer_free(&ans);
	free(path);
}

/* Until it has been quiet; twice as long while somebody is not done. */
static void
follow(struct exec *x)
{
	long long	 quiet = now_ms(), renewed = quiet, wait, now;

	for (;;) {
		now = now_ms();
		if (poll_keys(x))
			quiet = now;
		wait = x->wait_ns / NS_PER_MS * (x->nexit < x->nack ? 2 : 1);
		if (now - quiet > wait)
			return;
		if (now - renewed > RENEW_MS) {
			renew(x);
			renewed = now;
		}
		sleep_ns(POLL_MS * NS_PER_MS);
	}
}

/* ---- the command ---- */

static char *
read_script(void)
{
	size_t	 len;
	char	*text = file_read("/dev/stdin", SCRIPT_MAX, &len);

	if (text == NULL)
		fprintf(stderr, "Failed to read stdin\n");
	return text;
}

static int
run(struct exec *x, int argc, char **argv, const char *script)
{
	long long	 start = now_ms();
	int		 rc = 1;

	if (make_session(x) == -1)
		return 1;
	if (put_job(x, argc, argv, script) == 0) {
		/* So that stale reads see it. */
		sleep_ns(x->wait_repl_ns);
		if (fire(x) == 0) {
			follow(x);
			printf("%zu / %zu node(s) completed / acknowledged\n",
			    x->nexit, x->nack);
			if (x->verbose)
				printf("Completed in %0.2f seconds\n",
				    (double)(now_ms() - start) / 1000);
			rc = x->failed || x->nexit < x->nack ? 2 : 0;
		}
	}
	clean_up(x);
	return rc;
}

int
cmd_exec(struct ctl *c, int argc, char **argv)
{
	struct exec		 x = { .c = c, .prefix = "_rexec",
				    .shell = true, .wait_ns = 2 * NS_PER_S,
				    .wait_repl_ns = 200 * NS_PER_MS };
	const struct opt	 opts[] = {
		{ "node", OPT_STR, &x.node, "<string>",
		  "Expression for names of nodes.", NULL },
		{ "prefix", OPT_STR, &x.prefix, "<string>",
		  "Prefix of the keys; by default _rexec.", NULL },
		{ "service", OPT_STR, &x.service, "<string>",
		  "Expression for services of nodes.", NULL },
		{ "shell", OPT_FLAG, &x.shell, NULL,
		  "Run the command by a shell; so by default.", NULL },
		{ "tag", OPT_STR, &x.tag, "<string>",
		  "Expression for tags of these services.", NULL },
		{ "verbose", OPT_FLAG, &x.verbose, NULL, "Say more.", NULL },
		{ "wait", OPT_DUR, &x.wait_ns, "<duration>",
		  "How long without an answer is the end; 2s by default.",
		  NULL },
		{ "wait-repl", OPT_DUR, &x.wait_repl_ns, "<duration>",
		  "Wait before the event, for the keys to be everywhere; 200ms "
		  "by default.", NULL },
		{ 0 }
	};
	char			*script = NULL;
	int			 i, rc;

	if ((i = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (i == argc) {
		fprintf(stderr, "Must specify a command to execute\n\n");
		usage(c, opts, stderr);
		return 1;
	}
	if (!event_filters_good(x.node, x.service, x.tag))
		return 1;
	if (argc == i + 1 && strcmp(argv[i], "-") == 0 &&
	    (script = read_script()) == NULL)
		return 1;
	rc = run(&x, argc - i, argv + i, script);
	strs_clear(&x.seen);
	free(x.session);
	free(script);
	return rc;
}
