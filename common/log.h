/*
 * One log format for the suite: time, level, daemon, message.
 *
 *	2026-11-22T10:20:19.758Z [INFO]  gossipd: member node2: joined
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_L_TRACE, LOG_L_DEBUG, LOG_L_INFO, LOG_L_WARN, LOG_L_ERR };
#define LOG_LEVEL_NONE 0xff	/* where one is a byte of a message */
#define LOG_LINE_MAX 16384

/* Until log_to(), lines go to standard error. */
void log_init(const char *daemon);
/* Writes to fd from now on; takes it and closes the one before, unless 2. */
void log_to(int fd);
void log_set_level(enum log_level);
bool log_enabled(enum log_level);
/* "info", "INFO", "warn", "err"...; -1 for none of them. */
int log_level_parse(const char *, enum log_level *);
const char *log_level_name(enum log_level);

/*
 * One line for another daemon, as that would have written it, with the
 * newline; its length.  What does not fit ends in "...".
 */
size_t log_line(char *buf, size_t len, enum log_level, const char *daemon,
    const char *text);

/*
 * What a stranger can cause must not fill a disk: information and warnings are
 * bounded per second, and what was left out is counted.  Errors always pass;
 * debugging was asked for.
 */
#define LOG_LINES_PER_S 500
struct log_rate { int64_t second; unsigned lines, left_out; };
/*
 * May one more line be written in this second?  In the first of a new second
 * *left_out is how many were not in the one before, else 0.
 */
bool log_rate_pass(struct log_rate *, int64_t second, unsigned *left_out);

#define LOG_FMT(a, b) __attribute__((format(printf, a, b)))
void log_debug(const char *, ...) LOG_FMT(1, 2);
void log_info(const char *, ...) LOG_FMT(1, 2);
/* After a failed system call: appends strerror(errno). */
void log_warn(const char *, ...) LOG_FMT(1, 2);
/* Our own judgement. */
void log_warnx(const char *, ...) LOG_FMT(1, 2);
void log_errorx(const char *, ...) LOG_FMT(1, 2);
/* Our own bug or an impossible start: logs and exits 1. */
__attribute__((noreturn)) void fatal(const char *, ...) LOG_FMT(1, 2);
__attribute__((noreturn)) void fatalx(const char *, ...) LOG_FMT(1, 2);

#endif
