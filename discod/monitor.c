/*
 * Log lines for agent/monitor.  While somebody looks, every daemon logs from
 * the level on that the most curious wants, and its lines come through its pipe
 * (sink.c), which writes those that the configuration wants and hands each to
 * apid.  What apid has not read yet is bounded: past that, lines are dropped,
 * and the next one that gets through says how many.
 */
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "discod/parent.h"

#define QUEUE_MAX (256u << 10)	/* bytes that apid has to read */

bool
monitor_on(const struct parent *p)
{
	return p->monitor != LOG_LEVEL_NONE;
}

enum log_level
monitor_level(const struct parent *p)
{
	return monitor_on(p) && (enum log_level)p->monitor < p->cfg.log_level ?
	    (enum log_level)p->monitor : p->cfg.log_level;
}

void
monitor_tell(struct kid *k)
{
	uint8_t	level = k->parent->monitor;

	ipc_send(k->ipc, IMSG_LOG_LEVEL, 0, &level, 1, -1);
}

void
monitor_set(struct parent *p, unsigned level)
{
	size_t	i;

	if (level > LOG_L_ERR)
		level = LOG_LEVEL_NONE;
	if (p->monitor == level)
		return;
	p->monitor = (uint8_t)level;
	p->monitor_dropped = 0;
	log_set_level(monitor_level(p));
	for (i = 0; i < p->nkids; i++)
		if (p->kids[i].state == KID_RUNNING && p->kids[i].ipc != NULL)
			monitor_tell(&p->kids[i]);
	sinks_redirect(p);
}

void
monitor_line(struct parent *p, enum log_level level, const char *line,
    size_t len)
{
	struct kid	*apid = &p->kids[PROC_APID];
	char		 note[160];
	size_t		 n;

	if (!monitor_on(p) || level < (enum log_level)p->monitor ||
	    apid->state != KID_RUNNING || apid->ipc == NULL)
		return;
	if (ipc_queued(apid->ipc) > QUEUE_MAX || len > LOG_LINE_MAX) {
		p->monitor_dropped++;
		return;
	}
	if (p->monitor_dropped > 0) {
		n = (size_t)snprintf(note, sizeof(note), "monitor: %llu lines "
		    "left out", (unsigned long long)p->monitor_dropped);
		p->monitor_dropped = 0;
		ipc_send(apid->ipc, IMSG_LOG_LINE, 0, note, n, -1);
	}
	ipc_send(apid->ipc, IMSG_LOG_LINE, 0, line, len, -1);
}
