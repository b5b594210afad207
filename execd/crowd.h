/*
 * How many processes a command has made, by what the kernel shows of sessions.
 */
#ifndef EXECD_CROWD_H
#define EXECD_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Has the number of processes of this host grown by so many?  Cheap; *seen is
 * what it was, and is moved on. */
bool crowd_grew(unsigned *seen, unsigned by);
/* Counts those of each of n sessions.  -1: /proc cannot be read. */
int crowd_count(const pid_t *session, size_t *count, size_t n);
/* Kills every process of a session, whichever group it is in. */
void crowd_kill(pid_t session);
/* The session in the text of /proc/PID/stat; -1: it is none. */
pid_t crowd_session(const char *stat);

#endif
