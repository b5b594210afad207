/*
 * What discod answers: Parent.Status, .Host, .Reload, .Leave, to apid
 * alone.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "discod/parent.h"
#include "discod/status.h"

#define PROC_TEXT_MAX 65536

static char *
proc_file(pid_t pid, const char *name)
{
	char	path[64];
	size_t	len;

	(void)snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
	return file_read(path, PROC_TEXT_MAX, &len);
}

static void
set_user(struct daemon_status *d, uid_t uid)
{
	struct passwd	*pw = getpwuid(uid);

	if (pw != NULL)
		str_set(&d->user, pw->pw_name);
	else
		xasprintf(&d->user, "%lu", (unsigned long)uid);
}

/* What the kernel says, not what we asked for. */
static void
from_proc(struct daemon_status *d, pid_t pid, bool chrooted)
{
	struct proc_status	st;
	uint64_t		ticks;
	char			buf[64], *text;

	if ((text = proc_file(pid, "status")) != NULL &&
	    status_parse(text, &st) == 0) {
		set_user(d, st.uid);
		d->memory = st.rss;
		d->anonymous = st.anonymous;
		str_set(&d->sandbox, sandbox_text(&st, chrooted, buf,
		    sizeof(buf)));
	}
	free(text);
	/* Closed to an ordinary user for a process that may not be traced:
	 * the resident size stands in for it. */
	if ((text = proc_file(pid, "smaps_rollup")) != NULL)
		(void)smaps_parse(text, &d->memory, &d->anonymous);
	free(text);
	if ((text = proc_file(pid, "stat")) != NULL &&
	    stat_parse(text, &ticks) == 0 && sysconf(_SC_CLK_TCK) > 0)
		d->cpu = ticks * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
	free(text);
}

static void
add_daemon(struct parent *p, struct parent_status *s, struct kid *k)
{
	struct daemon_status	*d;
	bool			 self = k->proc == PROC_DISCOD;
	pid_t			 pid = self ? getpid() : k->pid;
	uint64_t		 now = ev_hrtime() / NS_PER_MS, since;

	if (!self && k->state == KID_OFF)
		return;
	d = VEC_ADD(&s->daemons);
	str_set(&d->name, k->name);
	str_set(&d->state, self ? "running" : kid_state_name(k->state));
	d->pid = pid;
	d->restarts = k->restarts;
	if (pid == 0)
		return;
	since = self ? p->started_ms : k->started_ms;
	d->uptime = (int64_t)(now - since) * NS_PER_MS;
	from_proc(d, pid, !self && p->as_root && k->proc != PROC_EXECD);
}

static void
on_status(struct parent *p, struct ipc *l, uint32_t id)
{
	struct parent_status	s = { 0 };
	size_t			i;

	s.daemons.set = true;
	for (i = 0; i < p->nkids; i++)
		add_daemon(p, &s, &p->kids[i]);
	str_set(&s.version, DISCO_VERSION);
	s.uptime = (int64_t)(ev_hrtime() / NS_PER_MS - p->started_ms) *
	    NS_PER_MS;
	call_answer_schema(l, id, &parent_status_schema, &s);
	schema_clear(&parent_status_schema, &s);
}

static void
on_host(struct parent *p, struct ipc *l, uint32_t id)
{
	struct parent_host	h;

	host_read(p->cfg.data_dir, &h);
	call_answer_schema(l, id, &parent_host_schema, &h);
	schema_clear(&parent_host_schema, &h);
}

static void
on_reload(struct parent *p, struct ipc *l, uint32_t id)
{
	char	err[1024];

	if (suite_reload(p, err, sizeof(err)) == -1)
		call_error(l, id, "%s", err);
	else
		call_answer(l, id, NULL, 0);
}

/* Answered when the node has left. */
static void
on_leave(struct parent *p, struct ipc *l, uint32_t id)
{
	if (p->phase != SUITE_RUNNING || p->leave_asked) {
		call_error(l, id, "already leaving or stopping");
		return;
	}
	p->leave_asked = true;
	p->leave_call = id;
	suite_leave(p);
}

void
discod_left(struct parent *p)
{
	if (p->leave_asked)
		call_answer(p->kids[PROC_APID].ipc, p->leave_call, NULL, 0);
}

static void
send_dns_log(struct kid *k)
{
	uint32_t	every = k->parent->dns_log;
	uint8_t		body[4] = { (uint8_t)(every >> 24),
			    (uint8_t)(every >> 16), (uint8_t)(every >> 8),
			    (uint8_t)every };

	ipc_send(k->ipc, IMSG_DNS_LOG, 0, body, sizeof(body), -1);
}

void
discod_tell_dns_log(struct kid *k)
{
	if (k->parent->dns_log > 0)
		send_dns_log(k);
}

/* One that is away hears of it when it is READY. */
static void
on_dns_log(struct parent *p, struct ipc *l, uint32_t id, const uint8_t *body,
    size_t len)
{
	struct dns_log_request	 q;
	const char		*why;
	size_t			 i;

	if (schema_decode_all(&dns_log_request_schema, body, len, &q,
	    &why) == -1) {
		call_error(l, id, "%s", why);
		return;
	}
	p->dns_log = q.every > UINT32_MAX ? UINT32_MAX : (uint32_t)q.every;
	schema_clear(&dns_log_request_schema, &q);
	for (i = 0; i < p->nkids; i++)
		if (p->kids[i].proc == PROC_DNSD &&
		    p->kids[i].state == KID_RUNNING)
			send_dns_log(&p->kids[i]);
	call_answer(l, id, NULL, 0);
}

static const struct {
	const char	*method;
	void		(*fn)(struct parent *, struct ipc *, uint32_t);
	void		(*with)(struct parent *, struct ipc *, uint32_t,
			    const uint8_t *, size_t);
} methods[] = {
	{ "Parent.Status", on_status, NULL },
	{ "Parent.Host", on_host, NULL },
	{ "Parent.Reload", on_reload, NULL },
	{ "Parent.Leave", on_leave, NULL },
	{ "Parent.DNSLog", NULL, on_dns_log },
};

void
discod_msg(struct ipc *l, const struct imsg *m, void *arg)
{
	struct parent	*p = arg;
	struct msg_call	 call;
	const uint8_t	*body;
	size_t		 i, len;

	if (m->type == IMSG_MONITOR) {
		monitor_set(p, m->body[0]);
		return;
	}
	if (m->type != IMSG_CALL)
		return;		/* an ANSWER: we ask nothing */
	if (call_read(m, &call, &body, &len) == -1)
		fatalx("%s: malformed call", proc_name(ipc_peer(l)));
	for (i = 0; i < NELEM(methods); i++)
		if (ipc_peer(l) == PROC_APID &&
		    strcmp(str_or(call.method, ""), methods[i].method) == 0)
			break;
	if (i < NELEM(methods) && methods[i].with != NULL)
		methods[i].with(p, l, m->id, body, len);
	else if (i < NELEM(methods))
		methods[i].fn(p, l, m->id);
	else
		call_error(l, m->id, "rpc: can't find method %s",
		    str_or(call.method, ""));
	schema_clear(&msg_call_schema, &call);
}
