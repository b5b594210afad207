/*
 * checkd's probes against a small server over loopback, and the set of checks
 * above them.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "checkd/checks.h"
#include "checkd/outcome.h"
#include "tests/unit/common_unit.h"

struct world {
	struct ev	*ev;
	struct hosts	*hosts;
	struct prober	 prober;
	struct ev_timer	*limit;
	uint16_t	 port, dead;
	pid_t		 server;
	char		*status, *output;
	size_t		 nresults, want;
	struct checks	*checks;
	struct ipc	*execd_end, *checkd_end;
	struct strs	 ran;		/* commands that execd was given */
};

/* ---- the server ---- */

static void
respond(int fd, const char *path, const char *head)
{
	char	 buf[9000];
	int	 n = 0, i;

	if (strcmp(path, "/ok") == 0)
		n = snprintf(buf, sizeof(buf),
		    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	else if (strcmp(path, "/429") == 0)
		n = snprintf(buf, sizeof(buf),
		    "HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n");
	else if (strcmp(path, "/loop") == 0)
		n = snprintf(buf, sizeof(buf), "HTTP/1.1 302 Found\r\n"
		    "Location: /loop\r\nContent-Length: 0\r\n\r\n");
	else if (strcmp(path, "/away") == 0)
		n = snprintf(buf, sizeof(buf), "HTTP/1.1 302 Found\r\n"
		    "Location: /head\r\nContent-Length: 0\r\n\r\n");
	else if (strcmp(path, "/nowhere") == 0)
		n = snprintf(buf, sizeof(buf), "HTTP/1.1 302 Found\r\n"
		    "Content-Length: 0\r\n\r\n");
	else if (strcmp(path, "/part") == 0)
		n = snprintf(buf, sizeof(buf), "HTTP/1.1 200 OK\r\n"
		    "Content-Length: 100\r\n\r\npart");
	else if (strcmp(path, "/head") == 0)
		n = snprintf(buf, sizeof(buf), "HTTP/1.1 200 OK\r\n"
		    "Content-Length: %zu\r\n\r\n%s", strlen(head), head);
	else if (strcmp(path, "/big") == 0) {
		n = snprintf(buf, sizeof(buf),
		    "HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n");
		for (i = 0; i < 800; i++)
			n += snprintf(buf + n, sizeof(buf) - (size_t)n,
			    "%09d\n", i);
	} else if (strcmp(path, "/hang") == 0)
		sleep(10);
	if (n > 0)
		(void)!write(fd, buf, (size_t)n);
}

static void __attribute__((noreturn))
serve(int fd)
{
	char	 head[8192], path[256];
	ssize_t	 n;
	int	 c;

	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		if ((c = accept(fd, NULL, NULL)) == -1)
			_exit(1);
		if (fork() != 0) {
			close(c);
			continue;
		}
		n = read(c, head, sizeof(head) - 1);
		head[n > 0 ? n : 0] = '\0';
		if (sscanf(head, "%*s %255s", path) == 1)
			respond(c, path, head);
		_exit(0);
	}
}

static int
listen_any(uint16_t *port)
{
	struct sockaddr_in	 a;
	socklen_t		 len = sizeof(a);
	int			 fd = socket(AF_INET, SOCK_STREAM |
				    SOCK_CLOEXEC, 0);

	memset(&a, 0, sizeof(a));
	a.sin_family = AF_INET;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, len), 0);
	ck_assert_int_eq(listen(fd, 64), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

/* ---- the world ---- */

static void
on_limit(void *arg)
{
	struct world	*w = arg;

	ev_stop(w->ev);
}

static void
on_checkd(struct ipc *ipc, const struct imsg *m, void *arg)
{
	struct world	*w = arg;

	(void)ipc;
	if (m != NULL && m->type == IMSG_EXITED)
		scripts_exited(w->prober.scripts, m);
}

/* A stand-in for execd: every command says "ran" and exits with 1. */
static void
on_execd(struct ipc *ipc, const struct imsg *m, void *arg)
{
	struct world		*w = arg;
	struct msg_run		 run;
	struct msg_exited	 e;
	const char		*err;

	if (m == NULL)
		return;
	ck_assert_int_eq(schema_decode_all(&msg_run_schema, m->body, m->len,
	    &run, &err), 0);
	strs_add(&w->ran, run.args.item[0]);
	memset(&e, 0, sizeof(e));
	e.end = RUN_EXIT;
	e.code = 1;
	e.total = 3;
	bytes_set(&e.output, "ran", 3);
	ipc_send_schema(ipc, IMSG_EXITED, m->id, &msg_exited_schema, &e);
	schema_clear(&msg_exited_schema, &e);
	schema_clear(&msg_run_schema, &run);
}

static void
on_checks_result(const struct msg_result *r, void *arg)
{
	struct world	*w = arg;

	str_set(&w->status, r->status);
	str_set(&w->output, r->output);
	if (++w->nresults == w->want)
		ev_stop(w->ev);
}

static void
world_init(struct world *w)
{
	int	 fd, sv[2];

	log_init("test");
	log_set_level(LOG_L_ERR);
	memset(w, 0, sizeof(*w));
	fd = listen_any(&w->dead);
	close(fd);
	fd = listen_any(&w->port);
	if ((w->server = fork()) == 0)
		serve(fd);
	close(fd);
	w->ev = ev_new();
	w->hosts = hosts_load(NULL);
	w->prober.net.ev = w->ev;
	w->prober.net.resolver = resolver_new(w->hosts);
	w->prober.net.trust = trust_new(-1);
	w->prober.net.poller = poller_new(w->ev);
	w->prober.grpcs = grpcs_new(&w->prober.net);
	w->prober.scripts = scripts_new();
	w->limit = ev_timer_new(w->ev, on_limit, w);
	w->checks = checks_new(w->ev, &w->prober, 1, on_checks_result, w);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0, sv), 0);
	w->checkd_end = ipc_new(w->ev, sv[0], PROC_CHECKD, PROC_EXECD,
	    on_checkd, w);
	w->execd_end = ipc_new(w->ev, sv[1], PROC_EXECD, PROC_CHECKD,
	    on_execd, w);
	scripts_link(w->prober.scripts, w->checkd_end);
}

static void
world_clear(struct world *w)
{
	kill(w->server, SIGKILL);
	waitpid(w->server, NULL, 0);
	checks_free(w->checks);
	grpcs_free(w->prober.grpcs);
	scripts_free(w->prober.scripts);
	resolver_free(w->prober.net.resolver);
	trust_free(w->prober.net.trust);
	poller_free(w->prober.net.poller);
	nets_clear(&w->prober.net.allow);
	hosts_free(w->hosts);
	ipc_free(w->checkd_end);
	ipc_free(w->execd_end);
	ev_timer_free(w->limit);
	ev_free(w->ev);
	strs_clear(&w->ran);
	free(w->status);
	free(w->output);
}

static void
spin(struct world *w, size_t want, uint64_t ms)
{
	w->want = want;
	ev_timer_set(w->limit, ms);
	ev_run(w->ev);
}

static void
on_probe(const char *status, const char *output, void *arg)
{
	struct world	*w = arg;

	str_set(&w->status, str_or(status, "none"));
	str_set(&w->output, output);
	ev_stop(w->ev);
}

static void
probe(struct world *w, const struct msg_check *c)
{
	(void)probe_start(&w->prober, c, on_probe, w);
	ck_assert_ptr_null(w->output);
	spin(w, 0, 5000);
}

static void
http(struct world *w, struct msg_check *c, const char *path)
{
	char	 url[128];

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", w->port,
	    path);
	str_set(&c->http, url);
	free(w->output);
	w->output = NULL;
	probe(w, c);
}

static bool
ends_with(const char *s, const char *end)
{
	size_t	 a = strlen(s), b = strlen(end);

	return a >= b && strcmp(s + a - b, end) == 0;
}

/* ---- probes ---- */

START_TEST(http_status_decides)
{
	struct world	 w;
	struct msg_check c;
	char		 want[160];

	world_init(&w);
	memset(&c, 0, sizeof(c));
	http(&w, &c, "/ok");
	ck_assert_str_eq(w.status, "passing");
	(void)snprintf(want, sizeof(want),
	    "HTTP GET http://127.0.0.1:%u/ok: 200 OK Output: ok", w.port);
	ck_assert_str_eq(w.output, want);
	http(&w, &c, "/429");
	ck_assert_str_eq(w.status, "warning");
	/* Redirects are not followed unless asked for. */
	http(&w, &c, "/away");
	ck_assert_str_eq(w.status, "critical");
	ck_assert_ptr_nonnull(strstr(w.output, "/away: 302 Found Output: "));
	c.follow_redirects = true;
	http(&w, &c, "/away");
	ck_assert_str_eq(w.status, "passing");
	http(&w, &c, "/nowhere");
	ck_assert_str_eq(w.status, "critical");
	ck_assert(ends_with(w.output, "302 response missing Location header"));
	http(&w, &c, "/loop");
	ck_assert_str_eq(w.output, "Get \"/loop\": stopped after 10 redirects");
	http(&w, &c, "/empty");
	ck_assert(ends_with(w.output, "/empty\": EOF"));
	schema_clear(&msg_check_schema, &c);
	world_clear(&w);
}
END_TEST

START_TEST(http_request_is_as_configured)
{
	struct world	 w;
	struct msg_check c;
	struct strs_pair pair = { 0 };

	world_init(&w);
	memset(&c, 0, sizeof(c));
	str_set(&c.method, "PUT");
	str_set(&c.body, "the body");
	pair.key = xstrdup("X-Key");
	strs_add(&pair.val, "one");
	strs_add(&pair.val, "two");
	c.header.item = xmalloc(sizeof(pair));
	c.header.item[0] = pair;
	c.header.n = 1;
	c.header.set = true;
	http(&w, &c, "/head");
	ck_assert_ptr_nonnull(strstr(w.output, "PUT /head HTTP/1.1\r\n"));
	ck_assert_ptr_nonnull(strstr(w.output, "\r\nX-Key: one\r\n"));
	ck_assert_ptr_nonnull(strstr(w.output, "\r\nX-Key: two\r\n"));
	ck_assert_ptr_nonnull(strstr(w.output,
	    "\r\nUser-Agent: Consul Health Check\r\n"));
	ck_assert_ptr_nonnull(strstr(w.output, "\r\nContent-Length: 8\r\n"));
	ck_assert_ptr_null(strstr(w.output, "Content-Type"));
	ck_assert_ptr_null(strstr(w.output, "Expect"));
	ck_assert(ends_with(w.output, "\r\n\r\nthe body"));
	/* After a redirect it is a plain GET. */
	c.follow_redirects = true;
	http(&w, &c, "/away");
	ck_assert_ptr_nonnull(strstr(w.output, "GET /head HTTP/1.1\r\n"));
	ck_assert_ptr_nonnull(strstr(w.output, "\r\nX-Key: two\r\n"));
	ck_assert_ptr_null(strstr(w.output, "the body"));
	/* A header cannot smuggle another. */
	free(c.header.item[0].val.item[0]);
	c.header.item[0].val.item[0] = xstrdup("one\r\nEvil: yes");
	http(&w, &c, "/head");
	ck_assert(ends_with(w.output, "invalid header field value"));
	schema_clear(&msg_check_schema, &c);
	world_clear(&w);
}
END_TEST

START_TEST(http_keeps_the_end_of_a_long_body)
{
	struct world	 w;
	struct msg_check c;

	world_init(&w);
	memset(&c, 0, sizeof(c));
	c.output_max = 20;
	http(&w, &c, "/big");
	ck_assert(ends_with(w.output,
	    "200 OK Output: 000000798\n000000799\n"));
	schema_clear(&msg_check_schema, &c);
	world_clear(&w);
}
END_TEST

START_TEST(http_runs_out_of_time)
{
	struct world	 w;
	struct msg_check c;

	world_init(&w);
	memset(&c, 0, sizeof(c));
	c.timeout = 200 * NS_PER_MS;
	http(&w, &c, "/hang");
	ck_assert_str_eq(w.status, "critical");
	ck_assert(ends_with(w.output, "/hang\": context deadline exceeded "
	    "(Client.Timeout exceeded while awaiting headers)"));
	/* The head was there: its status counts. */
	http(&w, &c, "/part");
	ck_assert_str_eq(w.status, "passing");
	ck_assert(ends_with(w.output, "200 OK Output: part"));
	schema_clear(&msg_check_schema, &c);
	world_clear(&w);
}
END_TEST

START_TEST(nobody_listens)
{
	struct world	 w;
	struct msg_check c;
	char		 text[64], want[160];

	world_init(&w);
	memset(&c, 0, sizeof(c));
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u", w.dead);
	str_set(&c.tcp, text);
	probe(&w, &c);
	ck_assert_str_eq(w.status, "critical");
	(void)snprintf(want, sizeof(want),
	    "dial tcp %s: connect: connection refused", text);
	ck_assert_str_eq(w.output, want);
	(void)snprintf(text, sizeof(text), "http://127.0.0.1:%u/", w.dead);
	str_set(&c.http, text);
	free(w.output);
	w.output = NULL;
	probe(&w, &c);
	ck_assert_int_eq(strncmp(w.output, "Get \"http://127.0.0.1:", 22), 0);
	ck_assert(ends_with(w.output, want));
	schema_clear(&msg_check_schema, &c);
	world_clear(&w);
}
END_TEST

START_TEST(tcp_connects_by_name_on_any_address)
{
	struct world	 w;
	struct msg_check c;
	char		 text[64], want[128];

	world_init(&w);
	memset(&c, 0, sizeof(c));
	/* The server is on 127.0.0.1 alone; ::1 refuses. */
	(void)snprintf(text, sizeof(text), "localhost:%u", w.port);
	str_set(&c.tcp, text);
	probe(&w, &c);
	ck_assert_str_eq(w.status, "passing");
	(void)snprintf(want, sizeof(want), "TCP connect %s: Success", text);
	ck_assert_str_eq(w.output, want);
	schema_clear(&msg_check_schema, &c);
	world_clear(&w);
}
END_TEST

START_TEST(unknown_name_without_dnsd_fails)
{
	struct world	 w;
	struct msg_check c;

	world_init(&w);
	memset(&c, 0, sizeof(c));
	str_set(&c.tcp, "nosuch.invalid:80");
	probe(&w, &c);
	ck_assert_str_eq(w.output, "dial tcp: lookup nosuch.invalid: "
	    "dnsd is being restarted");
	schema_clear(&msg_check_schema, &c);
	world_clear(&w);
}
END_TEST

START_TEST(script_goes_to_execd)
{
	struct world	 w;
	struct msg_check c;

	world_init(&w);
	memset(&c, 0, sizeof(c));
	strs_add(&c.args, "/bin/thing");
	probe(&w, &c);
	ck_assert_str_eq(w.status, "warning");
	ck_assert_str_eq(w.output, "ran");
	ck_assert(strs_has(&w.ran, "/bin/thing"));
	/* Without execd there is no result at all. */
	scripts_link(w.prober.scripts, NULL);
	free(w.output);
	w.output = NULL;
	probe(&w, &c);
	ck_assert_str_eq(w.status, "none");
	schema_clear(&msg_check_schema, &c);
	world_clear(&w);
}
END_TEST

START_TEST(cancelled_probe_says_nothing)
{
	struct world	 w;
	struct msg_check c;
	struct probe	*p;
	char		 url[64];

	world_init(&w);
	memset(&c, 0, sizeof(c));
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/hang", w.port);
	str_set(&c.http, url);
	p = probe_start(&w.prober, &c, on_probe, &w);
	spin(&w, 0, 100);
	probe_cancel(p);
	p = probe_start(&w.prober, &c, on_probe, &w);
	probe_cancel(p);
	spin(&w, 0, 100);
	ck_assert_ptr_null(w.status);
	schema_clear(&msg_check_schema, &c);
	world_clear(&w);
}
END_TEST

/* ---- the set ---- */

static void
set(struct world *w, const char *id, uint16_t port, int64_t interval_ms)
{
	struct msg_check	 c;
	char			 text[64];

	memset(&c, 0, sizeof(c));
	str_set(&c.id, id);
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u", port);
	str_set(&c.tcp, text);
	c.interval = interval_ms * NS_PER_MS;
	checks_set(w->checks, &c);
	schema_clear(&msg_check_schema, &c);
}

START_TEST(result_is_told_once_while_it_stays)
{
	struct world	 w;

	world_init(&w);
	set(&w, "a", w.port, 20);
	spin(&w, 99, 500);
	ck_assert_uint_eq(w.nresults, 1);
	ck_assert_str_eq(w.status, "passing");
	world_clear(&w);
}
END_TEST

START_TEST(check_told_again_keeps_its_place_and_repeats_its_result)
{
	struct world	 w;

	world_init(&w);
	set(&w, "a", w.port, 3600000);
	ck_assert_uint_eq(checks_count(w.checks), 1);
	set(&w, "b", w.port, 20);
	spin(&w, 1, 2000);
	ck_assert_uint_eq(w.nresults, 1);
	/* catalogd came back: it tells all, and hears what is known. */
	checks_begin(w.checks);
	set(&w, "a", w.port, 3600000);
	set(&w, "b", w.port, 20);
	checks_end(w.checks);
	ck_assert_uint_eq(w.nresults, 2);
	ck_assert_uint_eq(checks_count(w.checks), 2);
	world_clear(&w);
}
END_TEST

START_TEST(whole_set_replaces_what_was_there)
{
	struct world	 w;

	world_init(&w);
	set(&w, "a", w.port, 20);
	set(&w, "b", w.port, 20);
	checks_begin(w.checks);
	set(&w, "b", w.dead, 20);
	checks_end(w.checks);
	ck_assert_uint_eq(checks_count(w.checks), 1);
	spin(&w, 1, 2000);
	ck_assert_str_eq(w.status, "critical");
	checks_remove(w.checks, "b");
	ck_assert_uint_eq(checks_count(w.checks), 0);
	spin(&w, 99, 100);
	ck_assert_uint_eq(w.nresults, 1);
	world_clear(&w);
}
END_TEST

START_TEST(stopped_checks_run_no_more)
{
	struct world	 w;

	world_init(&w);
	set(&w, "a", w.port, 20);
	checks_stop(w.checks);
	spin(&w, 1, 200);
	ck_assert_uint_eq(w.nresults, 0);
	world_clear(&w);
}
END_TEST

UNIT_MAIN("checkd_probe",
    http_status_decides,
    http_request_is_as_configured,
    http_keeps_the_end_of_a_long_body,
    http_runs_out_of_time,
    nobody_listens,
    tcp_connects_by_name_on_any_address,
    unknown_name_without_dnsd_fails,
    script_goes_to_execd,
    cancelled_probe_says_nothing,
    result_is_told_once_while_it_stays,
    check_told_again_keeps_its_place_and_repeats_its_result,
    whole_set_replaces_what_was_there,
    stopped_checks_run_no_more)
