/*
 * Reading /proc/PID/status, smaps_rollup and stat.  Pure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "discod/status.h"

/* The number after "\nkey:", or -1 (as a found flag) when there is none. */
static int
field(const char *text, const char *key, int base, uint64_t *v)
{
	char		 pat[32];
	const char	*p;
	char		*end;

	(void)snprintf(pat, sizeof(pat), "\n%s:", key);
	if ((p = strstr(text, pat)) == NULL)
		return -1;
	p += strlen(pat);
	*v = strtoull(p, &end, base);
	return end == p ? -1 : 0;
}

int
status_parse(const char *text, struct proc_status *st)
{
	uint64_t	v;

	memset(st, 0, sizeof(*st));
	if (field(text, "Uid", 10, &v) == -1)
		return -1;
	st->uid = (uid_t)v;
	if (field(text, "VmRSS", 10, &v) == 0)
		st->rss = v * 1024;
	if (field(text, "RssAnon", 10, &v) == 0)
		st->anonymous = v * 1024;
	if (field(text, "CapEff", 16, &v) == 0)
		st->caps = v;
	if (field(text, "Seccomp", 10, &v) == 0)
		st->seccomp = (unsigned)v;
	if (field(text, "NoNewPrivs", 10, &v) == 0)
		st->no_new_privs = v == 1;
	return 0;
}

int
smaps_parse(const char *text, uint64_t *pss, uint64_t *anonymous)
{
	uint64_t	p, a;

	if (field(text, "Pss", 10, &p) == -1 ||
	    field(text, "Anonymous", 10, &a) == -1)
		return -1;
	*pss = p * 1024;
	*anonymous = a * 1024;
	return 0;
}

int
stat_parse(const char *text, uint64_t *ticks)
{
	unsigned long long	 user, system;
	const char		*p = strrchr(text, ')');	/* of its name */

	if (p == NULL || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u "
	    "%*u %*u %llu %llu", &user, &system) != 2)
		return -1;
	*ticks = user + system;
	return 0;
}

const char *
sandbox_text(const struct proc_status *st, bool chrooted, char *buf,
    size_t len)
{
	int	n;

	n = snprintf(buf, len, "%s%s%s%s",
	    chrooted ? ",chroot" : "",
	    st->uid != 0 && st->caps == 0 ? ",no-caps" : "",
	    st->no_new_privs ? ",no-new-privs" : "",
	    st->seccomp == 2 ? ",seccomp" : "");
	if (n <= 0 || (size_t)n >= len) {
		(void)snprintf(buf, len, "none");
		return buf;
	}
	return buf + 1;		/* without the first comma */
}
