/*
 * Log lines: made here, one write() each, so that lines of several writers to
 * one file (opened for appending) do not mix.  Where the descriptor leads is
 * the parent's business.
 */
#include <bsd/string.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"

#define TEXT_MAX 8192	/* a longer message ends in "..." */

/* One process, one log: the only state of its kind in the suite. */
static const char	*log_name = "disco";
static int		 log_fd = STDERR_FILENO;
static enum log_level	 log_min = LOG_L_INFO;
static struct log_rate	 log_rate;

static const char *const level_names[] = {
	[LOG_L_TRACE] = "trace",
	[LOG_L_DEBUG] = "debug",
	[LOG_L_INFO] = "info",
	[LOG_L_WARN] = "warn",
	[LOG_L_ERR] = "err",
};

void
log_init(const char *daemon)
{
	log_name = daemon;
}

void
log_to(int fd)
{
	if (log_fd != STDERR_FILENO && log_fd != fd)
		close(log_fd);
	log_fd = fd;
}

void
log_set_level(enum log_level level)
{
	log_min = level;
}

bool
log_enabled(enum log_level level)
{
	return level >= log_min;
}

int
log_level_parse(const char *s, enum log_level *level)
{
	size_t	i;

	if (s == NULL)
		return -1;
	if (strcasecmp(s, "error") == 0)
		s = "err";
	if (strcasecmp(s, "warning") == 0)
		s = "warn";
	for (i = 0; i < NELEM(level_names); i++) {
		if (strcasecmp(s, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

const char *
log_level_name(enum log_level level)
{
	return level_names[level];
}

static const char *
tag(enum log_level level)
{
	switch (level) {
	case LOG_L_TRACE:
		return "[TRACE]";
	case LOG_L_DEBUG:
		return "[DEBUG]";
	case LOG_L_INFO:
		return "[INFO] ";
	case LOG_L_WARN:
		return "[WARN] ";
	case LOG_L_ERR:
		return "[ERROR]";
	}
	return "[?]";
}

/* "2026-11-22T10:20:19.758Z [INFO]  gossipd: "; its length. */
static size_t
line_head(char *buf, size_t len, enum log_level level, const char *daemon)
{
	struct timespec	ts;
	struct tm	tm;
	int		n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = snprintf(buf, len, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s %s: ",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	    tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000000, tag(level), daemon);
	return n > 0 && (size_t)n < len ? (size_t)n : 0;
}

/* A name or text from outside must not start a line of its own. */
static void
no_controls(char *p, size_t n)
{
	for (; n > 0; n--, p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = *p == '\t' ? ' ' : '?';
}

size_t
log_line(char *buf, size_t len, enum log_level level, const char *daemon,
    const char *text)
{
	size_t	head, n, left;

	head = line_head(buf, len, level, daemon);
	n = strlen(text);
	left = len - head - 1;			/* the newline */
	if (n > left) {
		memcpy(buf + head, text, left - 3);
		memcpy(buf + head + left - 3, "...", 3);
		n = left;
	} else
		memcpy(buf + head, text, n);
	no_controls(buf + head, n);
	buf[head + n] = '\n';
	return head + n + 1;
}

bool
log_rate_pass(struct log_rate *r, int64_t second, unsigned *left_out)
{
	*left_out = 0;
	if (second != r->second) {
		*left_out = r->left_out;
		r->second = second;
		r->lines = r->left_out = 0;
	}
	if (r->lines < LOG_LINES_PER_S) {
		r->lines++;
		return true;
	}
	r->left_out++;
	return false;
}

/* A full disk loses log lines, not the service. */
static void
write_line(enum log_level level, const char *text)
{
	char	line[TEXT_MAX + 128];
	size_t	n;
	ssize_t	w;

	n = log_line(line, sizeof(line), level, log_name, text);
	do
		w = write(log_fd, line, n);
	while (w == -1 && errno == EINTR);
}

/* Is this line to be written?  Says first what was not. */
static bool
passes(enum log_level level)
{
	struct timespec	ts;
	unsigned	left_out;
	char		text[64];
	bool		pass;

	if (level != LOG_L_INFO && level != LOG_L_WARN)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	pass = log_rate_pass(&log_rate, ts.tv_sec, &left_out);
	if (left_out > 0) {
		(void)snprintf(text, sizeof(text), "log: %u lines left out: "
		    "more than %d in a second", left_out, LOG_LINES_PER_S);
		write_line(LOG_L_WARN, text);
	}
	return pass;
}

static LOG_FMT(3, 0) void
vlog(enum log_level level, int err, const char *fmt, va_list ap)
{
	char	text[TEXT_MAX];
	size_t	n;
	int	rc, saved = errno;

	if (level < log_min || !passes(level))
		return;
	rc = vsnprintf(text, sizeof(text), fmt, ap);
	n = rc < 0 ? 0 : (size_t)rc < sizeof(text) ? (size_t)rc :
	    sizeof(text) - 1;
	if (err != 0)
		(void)snprintf(text + n, sizeof(text) - n, ": %s",
		    strerror(err));
	else if (rc > 0 && n < (size_t)rc)
		memcpy(text + n - 3, "...", 3);
	write_line(level, text);
	errno = saved;
}

#define LOG_AS(level, err)						\
	do {								\
		va_list	ap;						\
		int	err_ = (err);					\
									\
		va_start(ap, fmt);					\
		vlog((level), err_, fmt, ap);				\
		va_end(ap);						\
	} while (0)

void
log_debug(const char *fmt, ...)
{
	LOG_AS(LOG_L_DEBUG, 0);
}

void
log_info(const char *fmt, ...)
{
	LOG_AS(LOG_L_INFO, 0);
}

void
log_warn(const char *fmt, ...)
{
	LOG_AS(LOG_L_WARN, errno);
}

void
log_warnx(const char *fmt, ...)
{
	LOG_AS(LOG_L_WARN, 0);
}

void
log_errorx(const char *fmt, ...)
{
	LOG_AS(LOG_L_ERR, 0);
}

void
fatal(const char *fmt, ...)
{
	LOG_AS(LOG_L_ERR, errno);
	exit(1);
}

void
fatalx(const char *fmt, ...)
{
	LOG_AS(LOG_L_ERR, 0);
	exit(1);
}
