/*
 * /v1/agent/monitor: the log of all daemons as it is written, from a level on,
 * for as long as the client stays.
 *
 *	client		apid			discod
 *	GET ----------> MONITOR level --------> daemons log through it
 *	   <----------- lines <---------------- LOG_LINE ...
 *	(hangs up)	MONITOR 0xff ---------> files again
 *
 * A client that reads slowly loses lines, and is told how many.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apid/apid.h"
#include "common/log.h"
#include "common/util.h"

#define MONITORS_MAX 16
#define WAITING_MAX (64u << 10)	/* bytes that a client has to take */
#define HEAD_LEN 33		/* "2026-11-22T10:20:19.758Z [INFO]  " */

struct monitor {
	LIST_ENTRY(monitor)	 entry;
	struct request		*r;
	enum log_level		 level;
	bool			 json, gone;
	struct wbuf		 out;
	size_t			 at;		/* sent of it */
	uint64_t		 dropped;
	struct ev_io		*watch;
};

/* ---- what discod shall send ---- */

static void
tell_discod(struct apid *a)
{
	struct monitor	*m;
	uint8_t		 level = LOG_LEVEL_NONE;

	LIST_FOREACH(m, &a->monitors, entry)
		if (m->level < level)
			level = (uint8_t)m->level;
	if (level == a->monitor_level)
		return;
	a->monitor_level = level;
	ipc_send(child_parent(a->child), IMSG_MONITOR, 0, &level, 1, -1);
}

static void
monitor_free(void *arg)
{
	struct monitor	*m = arg;
	struct apid	*a = m->r->apid;

	LIST_REMOVE(m, entry);
	ev_io_free(m->watch);
	wb_free(&m->out);
	free(m);
	tell_discod(a);
}

/* ---- lines ---- */

static enum log_level
level_of(const char *line, size_t len)
{
	enum log_level	level;
	char		word[8];

	if (len < HEAD_LEN || line[25] != '[')
		return LOG_L_WARN;
	(void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(line + 26, "]"),
	    line + 26);
	return log_level_parse(word, &level) == 0 ? level : LOG_L_WARN;
}

/* "time [LEVEL] daemon: text" as an object. */
static void
put_json(struct monitor *m, const char *line, size_t len, enum log_level level)
{
	struct jw	*jw = jw_new(false);
	const char	*rest = line, *colon, *text;
	size_t		 n;

	jw_obj(jw);
	jw_key(jw, "@level");
	jw_str(jw, level == LOG_L_ERR ? "error" : log_level_name(level));
	if (len >= HEAD_LEN && line[25] == '[' &&
	    (colon = memchr(line + HEAD_LEN, ':', len - HEAD_LEN)) != NULL) {
		rest = colon + 1 + (colon[1] == ' ');
		jw_key(jw, "@message");
		jw_strn(jw, rest, len - (size_t)(rest - line));
		jw_key(jw, "@module");
		for (text = colon; text[-1] != ' '; text--)
			;
		jw_strn(jw, text, (size_t)(colon - text));
		jw_key(jw, "@timestamp");
		jw_strn(jw, line, 24);
	} else {
		jw_key(jw, "@message");
		jw_strn(jw, line, len);
	}
	jw_end_obj(jw);
	text = jw_text(jw, &n);
	wb_bytes(&m->out, text, n);
	jw_free(jw);
}

static void
put_line(struct monitor *m, const char *line, size_t len, enum log_level level)
{
	if (m->json)
		put_json(m, line, len, level);
	else
		wb_bytes(&m->out, line, len);
	wb_u8(&m->out, '\n');
}

static void
put_dropped(struct monitor *m)
{
	char	text[96];
	int	n;

	n = snprintf(text, sizeof(text), "monitor: %" PRIu64 " lines left out: "
	    "the client reads too slowly", m->dropped);
	m->dropped = 0;
	put_line(m, text, (size_t)n, LOG_L_WARN);
}

void
monitor_line(struct apid *a, const uint8_t *line, size_t len)
{
	enum log_level	 level = level_of((const char *)line, len);
	struct monitor	*m;

	LIST_FOREACH(m, &a->monitors, entry) {
		if (level < m->level || m->gone)
			continue;
		if (m->out.len - m->at > WAITING_MAX) {
			m->dropped++;
			continue;
		}
		if (m->dropped > 0)
			put_dropped(m);
		put_line(m, (const char *)line, len, level);
		request_more(m->r);
	}
}

/* ---- one client ---- */

static ssize_t
give(struct request *r, void *buf, size_t max)
{
	struct monitor	*m = r->state;
	size_t		 n = m->out.len - m->at;

	if (m->gone)
		return -1;
	if (n > max)
		n = max;
	if (n == 0)
		return 0;
	memcpy(buf, m->out.p + m->at, n);
	m->at += n;
	if (m->at == m->out.len) {
		wb_reset(&m->out);
		m->at = 0;
	}
	return (ssize_t)n;
}

/* While nothing is logged the library would not notice. */
static void
on_hangup(struct ev_io *io, int fd, int events, void *arg)
{
	struct monitor	*m = arg;

	(void)fd;
	(void)events;
	ev_io_set(io, 0);
	m->gone = true;
	request_more(m->r);
}

void
ep_agent_monitor(struct request *r)
{
	const char			*level = params_get(&r->params,
					    "loglevel");
	const union MHD_ConnectionInfo	*info;
	struct apid			*a = r->apid;
	struct monitor			*m;
	enum log_level			 from = LOG_L_INFO;
	size_t				 n = 0;

	if (!str_empty(level) && log_level_parse(level, &from) == -1) {
		reply_text(r, 400, "Bad request: Unknown log level: %s", level);
		return;
	}
	LIST_FOREACH(m, &a->monitors, entry)
		n++;
	if (n == MONITORS_MAX) {
		reply_text(r, 503, "%d clients monitor already", MONITORS_MAX);
		return;
	}
	m = xcalloc(1, sizeof(*m));
	m->r = r;
	m->level = from;
	m->json = params_get(&r->params, "logjson") != NULL;
	wb_init(&m->out, 0);
	LIST_INSERT_HEAD(&a->monitors, m, entry);
	r->state = m;
	r->state_free = monitor_free;
	r->give = give;
	info = MHD_get_connection_info(r->conn,
	    MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info != NULL) {
		m->watch = ev_io_new(a->ev, info->connect_fd, on_hangup, m);
		ev_io_set(m->watch, EV_HANGUP);
	}
	tell_discod(a);
	reply_empty(r, 200);
}
