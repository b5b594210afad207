/*
 * watch: shows one answer, or follows what is watched and tells a handler of
 * each change.  Of an agent's own watches this is the process, started by
 * execd with -plan.
 *
 * Follows by blocking calls: the first answer counts as a change; after that
 * a new index whose answer is another one.  In the command a handler that
 * fails, and an agent that cannot be asked at first, are its end; with -plan
 * nothing is, and an agent that does not answer is asked again later and later.
 */
#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/util.h"
#include "common/watch.h"
#include "discoctl/ctl.h"
#include "discoctl/shape.h"

#define PLAN_MAX	(1u << 20)
#define RETRY_FIRST_MS	250
#define RETRY_MAX_MS	180000

struct watcher {
	struct ctl		*c;
	struct watch		 watch;
	char			*title;
	bool			 plan;		/* goes on whatever happens */
	bool			 told;		/* the handler, once */
	unsigned long long	 index;
	char			*last;		/* what it was told */
	char			*last_event;	/* id */
	char			*hash;		/* of an agent's service */
};

static void
sleep_ms(unsigned ms)
{
	struct timespec	 t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) == -1 && errno == EINTR)
		continue;
}

/* ---- handlers ---- */

static char **
handler_argv(const struct watch *w)
{
	const char	*shell = getenv("SHELL");
	char		**argv;
	size_t		 i;

	if (w->script == NULL) {
		argv = xcalloc(w->args.n + 1, sizeof(*argv));
		for (i = 0; i < w->args.n; i++)
			argv[i] = w->args.item[i];
		return argv;
	}
	argv = xcalloc(4, sizeof(*argv));
	argv[0] = (char *)(uintptr_t)(str_empty(shell) ? "/bin/sh" : shell);
	argv[1] = (char *)(uintptr_t)"-c";
	argv[2] = w->script;
	return argv;
}

__attribute__((noreturn)) static void
exec_handler(char **argv, int in, unsigned long long index)
{
	char	 number[24];

	snprintf(number, sizeof(number), "%llu", index);
	if (dup2(in, STDIN_FILENO) == -1 ||
	    setenv("CONSUL_INDEX", number, 1) == -1)
		_exit(127);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGTERM, SIG_DFL);
	execvp(argv[0], argv);
	fprintf(stderr, "Error executing handler: exec: \"%s\": %s\n", argv[0],
	    strerror(errno));
	_exit(127);
}

/* One that does not read to the end is as good as one that does. */
static void
write_all(int fd, const char *p, size_t n)
{
	ssize_t	 did;

	while (n > 0) {
		if ((did = write(fd, p, n)) == -1) {
			if (errno == EINTR)
				continue;
			return;
		}
		p += did;
		n -= (size_t)did;
	}
}

/* 0, or -1 with the reason said. */
static int
run_command(const struct watcher *w, const char *text)
{
	char	**argv = handler_argv(&w->watch);
	int	 fds[2], status = 0;
	pid_t	 pid;

	fflush(NULL);
	if (pipe(fds) == -1 || (pid = fork()) == -1) {
		fprintf(stderr, "Error executing handler: %s\n",
		    strerror(errno));
		free(argv);
		return -1;
	}
	if (pid == 0) {
		close(fds[1]);
		exec_handler(argv, fds[0], w->index);
	}
	close(fds[0]);
	free(argv);
	write_all(fds[1], text, strlen(text));
	write_all(fds[1], "\n", 1);
	close(fds[1]);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		fprintf(stderr, "Error executing handler: signal: %s\n",
		    strsignal(WTERMSIG(status)));
	else
		fprintf(stderr, "Error executing handler: exit status %d\n",
		    WEXITSTATUS(status));
	return -1;
}

/* What the other side says of it is of no use here. */
static size_t
drop(char *p, size_t size, size_t n, void *arg)
{
	(void)p;
	(void)arg;
	return size * n;
}

static int
send_http(const struct watcher *w, const char *text)
{
	const struct watch_http	*h = &w->watch.http;
	struct curl_slist	*headers = NULL;
	char			*index, why[CURL_ERROR_SIZE] = "";
	CURL			*curl = curl_easy_init();
	CURLcode		 rc;
	long			 status = 0;
	size_t			 i;

	if (curl == NULL)
		return -1;
	xasprintf(&index, "X-Consul-Index: %llu", w->index);
	headers = curl_slist_append(headers, "Content-Type: application/json");
	headers = curl_slist_append(headers, "Expect:");
	headers = curl_slist_append(headers, index);
	for (i = 0; i < h->headers.n; i++)
		headers = curl_slist_append(headers, h->headers.item[i]);
	curl_easy_setopt(curl, CURLOPT_URL, h->path);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, h->method);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
	    (long)(h->timeout / NS_PER_MS));
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
	if (h->skip_verify) {
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	rc = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	free(index);
	if (rc == CURLE_OK && status >= 200 && status < 300)
		return 0;
	if (rc != CURLE_OK)
		fprintf(stderr, "Error calling handler %s: %s\n", h->path,
		    why[0] != '\0' ? why : curl_easy_strerror(rc));
	else
		fprintf(stderr, "Error calling handler %s: status %ld\n",
		    h->path, status);
	return -1;
}

static int
tell(const struct watcher *w, const char *text)
{
	return w->watch.http.path != NULL ? send_http(w, text) :
	    run_command(w, text);
}

/* ---- following ---- */

static void
note_last_event(struct watcher *w, const struct json *j)
{
	const char	*id;

	if (w->watch.type != WATCH_EVENT || j == NULL || j->last == NULL)
		return;
	id = text_of(j->last, "ID");
	if (*id != '\0') {
		free(w->last_event);
		w->last_event = xstrdup(id);
	}
}

/* What is new in an answer goes to the handler: 0, or -1 if that failed. */
static int
on_answer(struct watcher *w, const struct answer *ans)
{
	bool	 same = w->told && ans->index == w->index && w->index > 0;
	char	*text;
	int	 rc = 0;

	/* Backwards: the servers began anew. */
	w->index = ans->index < w->index ? 0 : ans->index;
	if (same)
		return 0;
	text = shape_text(w->watch.type, ans->json, w->last_event, false);
	note_last_event(w, ans->json);
	if (!w->told || (strcmp(text, w->last) != 0 &&
	    !(w->watch.type == WATCH_EVENT && strcmp(text, "[]") == 0))) {
		free(w->last);
		w->last = text;
		w->told = true;
		return tell(w, text);
	}
	free(text);
	return rc;
}

static int
ask(struct watcher *w, struct answer *ans)
{
	char	*path, *what;
	int	 rc;

	path = w->watch.type == WATCH_AGENT_SERVICE ?
	    watch_path_hash(&w->watch, w->hash) :
	    watch_path(&w->watch, w->index);
	if (w->plan)
		xasprintf(&what, "Error watching %s", w->title);
	else
		what = xstrdup("Error querying Consul agent");
	/* A key that is not there is an answer. */
	rc = request_bytes(w->c, "GET", path, NULL, 0, what, ans);
	free(what);
	free(path);
	return rc == -1 ? -1 : 0;
}

/* Whether a question can wait for the next change of what was answered. */
static bool
can_wait(struct watcher *w, const struct answer *ans)
{
	const char	*hash;

	if (w->watch.type != WATCH_AGENT_SERVICE)
		return ans->index != 0;
	hash = ans->json == NULL ? "" : text_of(ans->json, "ContentHash");
	free(w->hash);
	w->hash = *hash == '\0' ? NULL : xstrdup(hash);
	return w->hash != NULL;
}

/* A service that the agent does not have is no change, as in Consul. */
static bool
is_missing(const struct watcher *w, const struct answer *ans)
{
	return w->watch.type == WATCH_AGENT_SERVICE && ans->json == NULL;
}

static int
follow(struct watcher *w)
{
	struct answer	 ans;
	unsigned	 retry_ms = 0;

	for (;;) {
		fflush(stdout);
		if (ask(w, &ans) == -1) {
			if (!w->plan && !w->told)
				return 1;
			retry_ms = retry_ms == 0 ? RETRY_FIRST_MS :
			    retry_ms < RETRY_MAX_MS / 2 ? retry_ms * 2 :
			    RETRY_MAX_MS;
			sleep_ms(retry_ms);
			w->index = 0;	/* nothing that happened is missed */
			free(w->hash);
			w->hash = NULL;
			continue;
		}
		retry_ms = 0;
		if (!is_missing(w, &ans) && on_answer(w, &ans) == -1 &&
		    !w->plan) {
			answer_free(&ans);
			return 1;
		}
		/* What answers at once, always, is not to be asked so. */
		if (!can_wait(w, &ans))
			sleep_ms(1000);
		answer_free(&ans);
	}
}

/* Without a handler: one answer. */
static int
show(struct watcher *w)
{
	struct answer	 ans;
	char		*text;

	if (ask(w, &ans) == -1)
		return 1;
	text = shape_text(w->watch.type, ans.json, NULL, true);
	printf("%s", text);
	free(text);
	answer_free(&ans);
	return 0;
}

static void
on_signal(int signo)
{
	(void)signo;
	_exit(0);
}

static void
catch_signals(void)
{
	struct sigaction	 sa = { .sa_handler = on_signal };

	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

/* ---- the command line ---- */

struct watch_opts {
	const char	*type, *key, *name, *passing, *prefix, *service,
			*state, *plan;
	struct strs	 tags;
	bool		 shell;
};

static void
put_opt(struct jw *jw, const char *key, const char *value)
{
	if (value == NULL)
		return;
	jw_key(jw, key);
	jw_str(jw, value);
}

/* Types that a configuration may have, and the command may not. */
static bool
plans_only(const char *type)
{
	static const char *const	 types[] = {
		"agent_service", "connect_roots", "connect_leaf"
	};
	size_t				 i;

	for (i = 0; i < NELEM(types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

/* The options as a configuration would have them. */
static struct json *
plan_of_options(const struct ctl *c, const struct watch_opts *o)
{
	struct jw	*jw = jw_new(false);
	struct json	*j;
	const char	*text;
	char		 err[128];
	size_t		 i, len;

	jw_obj(jw);
	put_opt(jw, "type", o->type);
	put_opt(jw, "datacenter", c->target.datacenter);
	put_opt(jw, "key", o->key);
	put_opt(jw, "name", o->name);
	put_opt(jw, "passingonly", o->passing);
	put_opt(jw, "prefix", o->prefix);
	put_opt(jw, "service", o->service);
	put_opt(jw, "state", o->state);
	if (c->target.stale)
		put_opt(jw, "stale", "true");
	if (o->tags.n > 0) {
		jw_key(jw, "tag");
		jw_arr(jw);
		for (i = 0; i < o->tags.n; i++)
			jw_str(jw, o->tags.item[i]);
		jw_end_arr(jw);
	}
	jw_end_obj(jw);
	text = jw_text(jw, &len);
	j = json_parse(text, len, err, sizeof(err));
	jw_free(jw);
	return j;
}

/* Of a file, or - for standard input. */
static struct json *
plan_of_file(const char *path)
{
	struct json	*j;
	char		*text, err[256];
	size_t		 len;

	text = file_read(strcmp(path, "-") == 0 ? "/dev/stdin" : path,
	    PLAN_MAX, &len);
	if (text == NULL) {
		fprintf(stderr, "Error reading %s: %s\n", path,
		    strerror(errno));
		return NULL;
	}
	if ((j = json_parse(text, len, err, sizeof(err))) == NULL)
		fprintf(stderr, "Error reading %s: %s\n", path, err);
	free(text);
	return j;
}

static void
take_handler(struct watch *w, bool shell, int argc, char **argv)
{
	struct wbuf	 b;
	int		 i;

	if (argc == 0)
		return;
	if (!shell) {
		for (i = 0; i < argc; i++)
			strs_add(&w->args, argv[i]);
		return;
	}
	wb_init(&b, 0);
	for (i = 0; i < argc; i++)
		wb_printf(&b, "%s%s", i > 0 ? " " : "", argv[i]);
	w->script = wb_detach_str(&b);
}

static int
run_watch(struct watcher *w)
{
	const struct watch	*p = &w->watch;
	int			 rc;

	if (p->token != NULL)
		w->c->target.token = p->token;
	w->title = watch_title(p);
	catch_signals();
	rc = p->args.n == 0 && p->script == NULL && p->http.path == NULL ?
	    show(w) : follow(w);
	free(w->last);
	free(w->last_event);
	free(w->hash);
	free(w->title);
	return rc;
}

int
cmd_watch(struct ctl *c, int argc, char **argv)
{
	struct watch_opts	 o = { .shell = true };
	struct watcher		 w = { .c = c };
	const struct opt	 opts[] = {
		{ "type", OPT_STR, &o.type, "<string>",
		  "key, keyprefix, services, nodes, service, checks or event.",
		  NULL },
		{ "key", OPT_STR, &o.key, "<string>", "Key, of type key.",
		  NULL },
		{ "name", OPT_STR, &o.name, "<string>",
		  "Name of events, of type event.", NULL },
		{ "passingonly", OPT_STR, &o.passing, "<true|false>",
		  "Only instances whose checks all pass, of type service.",
		  NULL },
		{ "plan", OPT_STR, &o.plan, "<file>",
		  "Take the watch, with its handler, from a file (- for "
		  "standard input) as\n     an agent's configuration has it, "
		  "and go on when something fails.", NULL },
		{ "prefix", OPT_STR, &o.prefix, "<string>",
		  "Prefix of keys, of type keyprefix.", NULL },
		{ "service", OPT_STR, &o.service, "<string>",
		  "Service, of type service, and if wanted of checks.", NULL },
		{ "shell", OPT_FLAG, &o.shell, NULL,
		  "Run the handler by a shell, that of SHELL if it is set; "
		  "so by default.", NULL },
		{ "state", OPT_STR, &o.state, "<string>",
		  "State, of type checks.", NULL },
		{ "tag", OPT_LIST, &o.tags, "<value>",
		  "Tag, of type service; may be given more than once.", NULL },
		{ 0 }
	};
	struct json		*plan = NULL;
	char			 err[256];
	int			 i, rc;

	if ((i = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (o.plan == NULL && str_empty(o.type)) {
		fprintf(stderr, "Watch type must be specified\n\n");
		usage(c, opts, stderr);
		return 1;
	}
	w.plan = o.plan != NULL;
	if (!w.plan && plans_only(o.type)) {
		fprintf(stderr, "Type %s is not supported in the CLI tool\n",
		    o.type);
		return 1;
	}
	plan = w.plan ? plan_of_file(o.plan) : plan_of_options(c, &o);
	if (plan == NULL)
		return 1;
	rc = watch_read(plan, w.plan, &w.watch, err, sizeof(err));
	json_free(plan);
	strs_clear(&o.tags);
	if (rc == -1) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	if (!w.plan)
		take_handler(&w.watch, o.shell, argc - i, argv + i);
	rc = run_watch(&w);
	watch_clear(&w.watch);
	return rc;
}
