/*
 * top: the node and its cluster at a glance, drawn again every two seconds on
 * a terminal; elsewhere one frame, in plain text.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "common/proc.h"
#include "common/util.h"
#include "discoctl/ctl.h"

#define ROWS_PLAIN	1000	/* of a list, where there is no screen */
#define ROWS_MIN	5
#define FIXED_ROWS	20	/* heading, daemons, titles */
#define DAEMONS_MAX	(PROC_MAX + DNS_WORKERS_MAX)

/* CPU time of a daemon at the last frame. */
struct cpu { long long pid, ns; };

struct top {
	struct ctl	*c;
	bool		 screen;	/* a terminal */
	size_t		 rows;		/* of each list */
	struct cpu	 cpu[DAEMONS_MAX];
	size_t		 ncpu;
	long long	 last_ns;	/* when that was; 0: no frame yet */
};

static struct termios	terminal_before;	/* for the signal handler */
static volatile sig_atomic_t terminal_changed;

static long long
now_ns(void)
{
	struct timespec	 t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* ---- the terminal ---- */

static void
terminal_restore(void)
{
	if (terminal_changed)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
	terminal_changed = 0;
}

static void
on_signal(int signo)
{
	(void)signo;
	terminal_restore();
	_exit(0);
}

/* Keys come at once and are not shown. */
static void
terminal_prepare(void)
{
	struct sigaction	 sa = { .sa_handler = on_signal };
	struct termios		 t;

	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	if (isatty(STDIN_FILENO) != 1 ||
	    tcgetattr(STDIN_FILENO, &terminal_before) == -1)
		return;
	t = terminal_before;
	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0)
		terminal_changed = 1;
}

/* false: a q was pressed. */
static bool
wait_for_key(int64_t interval_ns)
{
	struct pollfd	 p = { .fd = STDIN_FILENO, .events = POLLIN };
	char		 key;

	if (!terminal_changed)
		p.fd = -1;
	if (poll(&p, 1, (int)(interval_ns / NS_PER_MS)) <= 0)
		return true;
	return read(STDIN_FILENO, &key, 1) == 1 && key != 'q';
}

static size_t
rows_of_screen(void)
{
	struct winsize	 w;
	size_t		 rest;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == -1 ||
	    w.ws_row <= FIXED_ROWS)
		return ROWS_MIN;
	rest = (size_t)(w.ws_row - FIXED_ROWS) / 2;
	return rest < ROWS_MIN ? ROWS_MIN : rest;
}

/* ---- parts of a frame ---- */

/* What could not be had is not there: the rest is shown all the same. */
static const struct json *
get(const struct top *t, const char *path, struct answer *ans)
{
	memset(ans, 0, sizeof(*ans));
	if (request(t->c, "GET", path, NULL, "querying agent", ans) == -1)
		return NULL;
	return ans->json;
}

static int
heading(const struct top *t)
{
	struct answer		 self, leader, peers;
	const struct json	*j, *config, *p;
	char			 clock[16];
	time_t			 now = time(NULL);
	struct tm		 tm;
	size_t			 n = 0;

	if ((j = get(t, "/v1/agent/self", &self)) == NULL) {
		answer_free(&self);
		return -1;
	}
	config = json_get(j, "Config");
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &tm));
	printf("%s  %s, %s of %s  ", clock, text_of(config, "NodeName"),
	    json_get(config, "Server") != NULL &&
	    json_get(config, "Server")->truth ? "server" : "client",
	    text_of(config, "Datacenter"));
	j = get(t, "/v1/status/leader", &leader);
	p = get(t, "/v1/status/peers", &peers);
	for (p = p == NULL ? NULL : p->child; p != NULL; p = p->next)
		n++;
	printf("leader %s  servers %zu\n", j == NULL || str_empty(j->str) ?
	    "none" : j->str, n);
	answer_free(&self);
	answer_free(&leader);
	answer_free(&peers);
	return 0;
}

static void
title(const struct top *t, const char *text)
{
	printf("\n%s%s%s\n", t->screen ? "\033[1m" : "", text,
	    t->screen ? "\033[0m" : "");
}

static const char *
member_state(const struct json *m)
{
	switch (number_of(m, "Status")) {
	case 1:
		return "alive";
	case 2:
		return "leaving";
	case 3:
		return "left";
	case 4:
		return "failed";
	default:
		return "none";
	}
}

/* Those that are not well come first. */
static void
member_rows(struct table *tab, const struct json *list, bool alive,
    size_t *left, size_t *more)
{
	const struct json	*m, *tags;
	const char		*state;

	for (m = list; m != NULL; m = m->next) {
		state = member_state(m);
		if ((strcmp(state, "alive") == 0) != alive)
			continue;
		if (*left == 0) {
			++*more;
			continue;
		}
		--*left;
		tags = json_get(m, "Tags");
		table_row(tab, "%s\t%s:%s\t%s\t%s", text_of(m, "Name"),
		    text_of(m, "Addr"), text_of(m, "Port"), state,
		    strcmp(text_of(tags, "role"), "consul") == 0 ? "server" :
		    "client");
	}
}

static void
show_list(const struct top *t, struct table *tab, size_t more)
{
	table_show(tab, t->c, NULL);
	table_free(tab);
	if (more > 0)
		printf("and %zu more\n", more);
}

static void
members(const struct top *t)
{
	struct answer		 ans;
	const struct json	*list = get(t, "/v1/agent/members", &ans), *m;
	struct table		*tab = table_new(TABLE_GAP);
	size_t			 left = t->rows, more = 0, n = 0, alive = 0;
	char			 text[64];

	list = list == NULL ? NULL : list->child;
	for (m = list; m != NULL; m = m->next) {
		n++;
		alive += strcmp(member_state(m), "alive") == 0;
	}
	snprintf(text, sizeof(text), "Members: %zu, %zu alive", n, alive);
	title(t, text);
	table_row(tab, "Node\tAddress\tStatus\tType");
	member_rows(tab, list, false, &left, &more);
	member_rows(tab, list, true, &left, &more);
	show_list(t, tab, more);
	answer_free(&ans);
}

static void
service_rows(struct table *tab, const struct json *list, bool well,
    size_t *left, size_t *more)
{
	const struct json	*s, *nodes, *n;
	long long		 warning, critical;
	size_t			 count;

	for (s = list; s != NULL; s = s->next) {
		warning = number_of(s, "ChecksWarning");
		critical = number_of(s, "ChecksCritical");
		if ((warning + critical == 0) != well)
			continue;
		if (*left == 0) {
			++*more;
			continue;
		}
		--*left;
		nodes = json_get(s, "Nodes");
		for (count = 0, n = nodes == NULL ? NULL : nodes->child;
		    n != NULL; n = n->next)
			count++;
		table_row(tab, "%s\t%s\t%zu\t%lld\t%lld\t%lld",
		    text_of(s, "Name"), critical > 0 ? "critical" :
		    warning > 0 ? "warning" : "passing", count,
		    number_of(s, "ChecksPassing"), warning, critical);
	}
}

static void
services(const struct top *t)
{
	struct answer		 ans;
	const struct json	*list = get(t, "/v1/internal/ui/services",
				    &ans), *s;
	struct table		*tab = table_new(TABLE_GAP);
	size_t			 left = t->rows, more = 0, n = 0;
	char			 text[64];

	list = list == NULL ? NULL : list->child;
	for (s = list; s != NULL; s = s->next)
		n++;
	snprintf(text, sizeof(text), "Services: %zu", n);
	title(t, text);
	table_row(tab, "Service\tState\tNodes\tPassing\tWarning\tCritical");
	service_rows(tab, list, false, &left, &more);
	service_rows(tab, list, true, &left, &more);
	show_list(t, tab, more);
	answer_free(&ans);
}

/* Of one CPU, since the last frame or, in the first, since its start. */
static double
cpu_percent(struct top *t, const struct json *d, struct cpu *next,
    long long now)
{
	long long	 cpu = number_of(d, "CPU"), over, used = cpu;
	size_t		 i;

	next->pid = number_of(d, "Pid");
	next->ns = cpu;
	over = number_of(d, "Uptime");
	for (i = 0; i < t->ncpu; i++)
		if (t->cpu[i].pid == next->pid) {
			used = cpu - t->cpu[i].ns;
			over = now - t->last_ns;
		}
	return over <= 0 || used < 0 ? 0 : 100.0 * (double)used /
	    (double)over;
}

static void
daemons(struct top *t)
{
	struct answer		 ans;
	const struct json	*j = get(t, "/v1/disco/status", &ans), *d;
	struct table		*tab = table_new(TABLE_GAP);
	struct cpu		 next[DAEMONS_MAX];
	long long		 now = now_ns(), memory = 0;
	size_t			 n = 0;
	char			 up[32], text[64];

	table_row(tab, "Daemon\tPID\tState\tCPU\tMemory\tRestarts\tUptime");
	d = j == NULL ? NULL : json_get(j, "Daemons");
	for (d = d == NULL ? NULL : d->child; d != NULL && n < DAEMONS_MAX;
	    d = d->next, n++) {
		memory += number_of(d, "Memory");
		table_row(tab, "%s\t%lld\t%s\t%.1f%%\t%.1f MB\t%lld\t%s",
		    text_of(d, "Name"), number_of(d, "Pid"),
		    text_of(d, "State"), cpu_percent(t, d, &next[n], now),
		    (double)number_of(d, "Memory") / 1e6,
		    number_of(d, "Restarts"), dur_format(number_of(d,
		    "Uptime") / NS_PER_S * NS_PER_S, up, sizeof(up)));
	}
	memcpy(t->cpu, next, n * sizeof(*next));
	t->ncpu = n;
	t->last_ns = now;
	snprintf(text, sizeof(text), "Daemons: %zu, %.1f MB", n,
	    (double)memory / 1e6);
	title(t, text);
	show_list(t, tab, 0);
	answer_free(&ans);
}

static int
frame(struct top *t)
{
	t->rows = t->screen ? rows_of_screen() : ROWS_PLAIN;
	if (t->screen)
		printf("\033[H\033[2J");
	if (heading(t) == -1)
		return -1;
	members(t);
	services(t);
	daemons(t);
	fflush(stdout);
	return 0;
}

int
cmd_top(struct ctl *c, int argc, char **argv)
{
	uint64_t		 count = 0, i;
	int64_t			 interval = 2 * NS_PER_S;
	const struct opt	 opts[] = {
		{ "count", OPT_UINT, &count, "<n>",
		  "Frames to draw; on a terminal without end, else one.",
		  NULL },
		{ "interval", OPT_DUR, &interval, "<duration>",
		  "Time between frames; 2s by default.", NULL },
		{ 0 }
	};
	struct top		 t = { .c = c };
	int			 first, rc;

	if ((first = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (!no_args(argc, first))
		return 1;
	if (interval < 100 * NS_PER_MS || interval > 3600 * NS_PER_S) {
		fprintf(stderr, "The interval is 100ms at least and 1h at "
		    "most\n");
		return 1;
	}
	t.screen = colours_wanted();
	if (count == 0 && !t.screen)
		count = 1;
	if (t.screen)
		terminal_prepare();
	rc = 0;
	for (i = 0; rc == 0 && (count == 0 || i < count); i++) {
		if (i > 0 && !wait_for_key(interval))
			break;
		rc = frame(&t) == -1 ? 1 : 0;
	}
	terminal_restore();
	return rc;
}
