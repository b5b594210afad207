/*
 * From an argument vector to a process with limits, in a session of its own.
 */
#ifndef EXECD_SPAWN_H
#define EXECD_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/schema/schema.h"

struct spawn {
	const struct strs	*args;
	unsigned		 cpu_s;		/* limit of CPU time; 0: none */
	int			 in;		/* standard input; -1: nothing */
	bool			 own_user;	/* limit processes, too */
};

/*
 * The process, with *fd at the reading end of its standard output and error.
 * -1: it could not be started, err says why as the network has it.
 */
pid_t spawn(const struct spawn *, int *fd, char *err, size_t errlen);

#endif
