/*
 * The lists of common/proc.h as tables.
 */
#include <stdio.h>

#include "common/proc.h"

static const struct {
	const char	*name;
	const char	*user;
} procs[PROC_MAX] = {
#define P(n, prog, usr, what)						\
	[PROC_##n] = { .name = prog, .user = usr },
	PROC_LIST(P)
#undef P
};

static const uint8_t links[][2] = {
#define L(a, b) { PROC_##a, PROC_##b },
	LINK_LIST(L)
#undef L
};

const char *
proc_name(enum proc p)
{
	return (unsigned)p < PROC_MAX ? procs[p].name : "?";
}

const char *
proc_worker_name(enum proc p, unsigned worker, char buf[PROC_NAME_MAX])
{
	if (worker == 0)
		(void)snprintf(buf, PROC_NAME_MAX, "%s", proc_name(p));
	else
		(void)snprintf(buf, PROC_NAME_MAX, "%s.%u", proc_name(p),
		    worker + 1);
	return buf;
}

const char *
proc_user(enum proc p)
{
	return (unsigned)p < PROC_MAX ? procs[p].user : "?";
}

uint32_t
proc_peers(enum proc p)
{
	uint32_t	mask;
	size_t		i;

	if (p == PROC_DISCOD)
		return (PROC_BIT(PROC_MAX) - 1) & ~PROC_BIT(PROC_DISCOD);
	mask = PROC_BIT(PROC_DISCOD);
	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (links[i][0] == p)
			mask |= PROC_BIT(links[i][1]);
		if (links[i][1] == p)
			mask |= PROC_BIT(links[i][0]);
	}
	return mask;
}
