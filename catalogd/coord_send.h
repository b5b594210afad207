/*
 * This node's network coordinate, told to the servers now and then: what rtt
 * and ?near= go by.
 *
 * Pure: gossipd is asked and a server is called through ops, the answers come
 * to coord_send_got() and coord_send_done(); time is an argument in
 * milliseconds.
 */
#ifndef CATALOGD_COORD_SEND_H
#define CATALOGD_COORD_SEND_H

#include "catalogd/agent.h"

struct coord_send;

struct coord_send_ops {
	void	(*ask)(void *arg);
	void	(*send)(const struct coordinate_update *, void *arg);
	void	(*log)(bool warning, const char *text, void *arg);
	void	*arg;
};

struct coord_send *coord_send_new(struct agent *, const struct coord_send_ops *,
    uint64_t now, uint64_t seed);
void coord_send_free(struct coord_send *);
/* Members of the cluster: all together are to send 64 a second. */
void coord_send_members(struct coord_send *, size_t n);
/* Starts what is due.  The next time, AGENT_NEVER: after an answer. */
uint64_t coord_send_run(struct coord_send *, uint64_t now);
/* gossipd's answer; NULL: it has none. */
void coord_send_got(struct coord_send *, const struct coordinate *,
    uint64_t now);
/* The server's; error NULL: it went well. */
void coord_send_done(struct coord_send *, const char *error, uint64_t now);
void coord_send_stop(struct coord_send *);	/* leaving */

#endif
