/*
 * Where log lines end up.  Each process of the suite has a sink: a file (or
 * the terminal), and a pipe into which the child's standard error goes, so
 * that what a library or the C runtime prints is not lost.
 *
 * A child usually writes its log to the file itself.  While it starts, and
 * always when syslog is on, its log comes through the pipe as well: the last
 * line says why a start failed.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "discod/parent.h"

#define SINK_LINE 8704		/* a log line at its longest */
#define READS_PER_TURN 16	/* a full pipe; one that floods us shall not
				   keep us from the others */

struct sink {
	struct parent	*parent;
	enum proc	 proc;		/* several have one file */
	char		*path;		/* NULL: the terminal */
	int		 file;
	int		 rd, wr;	/* the pipe */
	struct ev_io	*io;
	char		 buf[SINK_LINE];
	size_t		 len;
	char		 last[512];
};

/* "2026-11-22T10:20:19.758Z [INFO]  gossipd: text": where the level stands,
 * or NULL when it is no log line. */
static const char *
level_of(const char *line)
{
	if (strlen(line) < 33 || !isdigit((unsigned char)line[0]) ||
	    line[10] != 'T' || line[23] != 'Z' || line[25] != '[')
		return NULL;
	return line + 26;
}

static int
priority_of(const char *level)
{
	switch (level[0]) {
	case 'T':
	case 'D':
		return LOG_DEBUG;
	case 'W':
		return LOG_WARNING;
	case 'E':
		return LOG_ERR;
	default:
		return LOG_INFO;
	}
}

static void
remember(struct sink *s, const char *line)
{
	const char	*text;

	if (level_of(line) != NULL && (text = strstr(line, ": ")) != NULL)
		line = text + 2;
	(void)snprintf(s->last, sizeof(s->last), "%s", line);
}

static enum log_level
rank_of(const char *level)
{
	switch (level[0]) {
	case 'T':
		return LOG_L_TRACE;
	case 'D':
		return LOG_L_DEBUG;
	case 'W':
		return LOG_L_WARN;
	case 'E':
		return LOG_L_ERR;
	default:
		return LOG_L_INFO;
	}
}

/* A line with its newline. */
static void
out(struct sink *s, const char *line, size_t len)
{
	const char	*level = level_of(line), *text;

	if (level != NULL) {
		monitor_line(s->parent, rank_of(level), line, len - 1);
		if (rank_of(level) < s->parent->cfg.log_level)
			return;		/* only somebody who looks wants it */
	}
	(void)!write(s->file, line, len);
	if (!s->parent->cfg.syslog || level == NULL)
		return;
	text = strchr(level, ' ');
	while (text != NULL && *text == ' ')
		text++;
	if (text != NULL)
		syslog(LOG_DAEMON | priority_of(level), "%.*s",
		    (int)strcspn(text, "\n"), text);
}

/* One line that came through the pipe, without its newline. */
static void
on_line(struct sink *s, const char *line)
{
	char	buf[SINK_LINE + 128];
	size_t	n;

	if (*line == '\0')
		return;
	remember(s, line);
	if (level_of(line) != NULL)
		n = (size_t)snprintf(buf, sizeof(buf), "%s\n", line);
	else
		n = log_line(buf, sizeof(buf), LOG_L_WARN, proc_name(s->proc),
		    line);
	out(s, buf, n);
}

static void
take_lines(struct sink *s)
{
	char	*start = s->buf, *nl;
	size_t	 left = s->len;

	while ((nl = memchr(start, '\n', left)) != NULL) {
		*nl = '\0';
		on_line(s, start);
		left -= (size_t)(nl + 1 - start);
		start = nl + 1;
	}
	if (left == sizeof(s->buf) - 1) {
		start[left] = '\0';
		on_line(s, start);
		left = 0;
	}
	memmove(s->buf, start, left);
	s->len = left;
}

void
sink_drain(struct sink *s)
{
	ssize_t	n;
	int	i;

	for (i = 0; i < READS_PER_TURN; i++) {
		n = read(s->rd, s->buf + s->len, sizeof(s->buf) - 1 - s->len);
		if (n <= 0)
			return;
		s->len += (size_t)n;
		take_lines(s);
	}
}

static void
on_pipe(struct ev_io *io, int fd, int events, void *arg)
{
	(void)io;
	(void)fd;
	(void)events;
	sink_drain(arg);
}

const char *
sink_last(const struct sink *s)
{
	return s->last;
}

int
sink_stderr(const struct sink *s)
{
	return s->wr;
}

int
sink_child_fd(struct sink *s, bool starting)
{
	int	fd;

	if (!starting)
		sink_drain(s);
	fd = starting || s->parent->cfg.syslog || monitor_on(s->parent) ?
	    s->wr : s->file;
	if ((fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1)
		fatal("log of %s", proc_name(s->proc));
	return fd;
}

/* -1 and errno. */
static int
open_file(const struct sink *s)
{
	if (s->path == NULL)
		return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	return open(s->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

static struct sink *
sink_new(struct parent *p, enum proc proc)
{
	struct sink	*s = xcalloc(1, sizeof(*s));
	int		 fds[2];

	s->parent = p;
	s->proc = proc;
	if (p->cfg.log_dir != NULL)
		xasprintf(&s->path, "%s/%s.log", p->cfg.log_dir,
		    proc_name(proc));
	if ((s->file = open_file(s)) == -1)
		start_fail(p, "log file %s: %s", s->path, strerror(errno));
	if (pipe2(fds, O_CLOEXEC) == -1 || fd_nonblock(fds[0]) == -1)
		start_fail(p, "pipe: %s", strerror(errno));
	s->rd = fds[0];
	s->wr = fds[1];
	s->io = ev_io_new(p->ev, s->rd, on_pipe, s);
	ev_io_set(s->io, EV_READ);
	return s;
}

/* Our own lines; with syslog through the pipe, which must not block us. */
static void
own_log(struct parent *p)
{
	struct sink	*s = p->kids[PROC_DISCOD].sink;

	(void)fd_nonblock(s->wr);
	log_to(sink_child_fd(s, false));
}

void
sinks_open(struct parent *p)
{
	size_t	i;

	if (p->cfg.syslog)
		openlog("disco", LOG_NDELAY, LOG_DAEMON);
	for (i = 0; i < p->nkids; i++)
		p->kids[i].sink = sink_new(p, p->kids[i].proc);
	own_log(p);
}

void
sinks_redirect(struct parent *p)
{
	size_t	i;

	for (i = 0; i < p->nkids; i++)
		if (p->kids[i].state == KID_RUNNING && p->kids[i].ipc != NULL)
			ipc_send(p->kids[i].ipc, IMSG_LOGFILE, 0, NULL, 0,
			    sink_child_fd(p->kids[i].sink, false));
	own_log(p);
}

int
sinks_reopen(struct parent *p)
{
	struct sink	*s;
	size_t		 i;
	int		 fd, rc = 0;

	for (i = 0; i < p->nkids; i++) {
		s = p->kids[i].sink;
		if (s->path == NULL)
			continue;
		if ((fd = open_file(s)) == -1) {
			log_warn("log file %s: kept the old one", s->path);
			rc = -1;
			continue;
		}
		close(s->file);
		s->file = fd;
		if (p->kids[i].state == KID_RUNNING)
			ipc_send(p->kids[i].ipc, IMSG_LOGFILE, 0, NULL, 0,
			    sink_child_fd(s, false));
	}
	own_log(p);
	return rc;
}

void
sinks_close(struct parent *p)
{
	struct sink	*s;
	size_t		 i;

	for (i = 0; i < p->nkids; i++) {
		if ((s = p->kids[i].sink) == NULL)
			continue;
		sink_drain(s);
		ev_io_free(s->io);
		close(s->rd);
		close(s->wr);
		close(s->file);
		free(s->path);
		free(s);
		p->kids[i].sink = NULL;
	}
}
