/*
 * The skeleton of every child: the order of its start, its links, its end.
 * What a child is for stays in its ops.
 *
 *	discod			child
 *	SETUP ------------------> prepare(), privileges
 *	LOGFILE, SOCKETs, LINKs -> socket(), link()
 *	CONF_BEGIN/ITEM/DONE ---> conf_*(), start(), seccomp
 *	       <----------------- READY		(links are read from here on)
 *	LEAVE -----------------> leave()
 *	       <----------------- LEFT		child_left()
 *	STOP or EOF -----------> stop(), exit
 *
 * Links are not read before READY: until then what another child says waits
 * in the socket.
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/child.h"
#include "common/log.h"
#include "common/util.h"

#define TRIM_MS		1000	/* one burst, one walk over the heap */
#define PARENT_FD	3
#define LAST_WORDS_MS	1000	/* to get queued messages out at the end */

enum phase { PH_SETUP, PH_CONF, PH_READY, PH_STOPPED };

struct link {
	struct child	*child;
	enum proc	 peer;
	unsigned	 worker;
	struct ipc	*ipc;
	struct link	*next;		/* to another worker of the peer */
};

struct child {
	const struct child_ops	*ops;
	void			*arg;
	struct ev		*ev;
	struct ipc		*parent;
	struct link		 links[PROC_MAX];	/* to their first */
	unsigned		 peer_worker;
	struct msg_setup	 setup;
	enum phase		 phase;
	bool			 refused;	/* said so: never READY */
	enum log_level		 level;		/* as configured */
	uint8_t			 monitored;	/* as somebody wants to see */
	struct ev_timer		*trim;		/* child_give_back() */
};

/* For a child that says nothing of its own: the common calls. */
static const struct sandbox_role plain_role = { .name = "plain" };

#if defined(DISCO_SANITIZED) || defined(__SANITIZE_ADDRESS__)
/* The leak checker traces the process from a clone of it, which is forbidden
 * here.  Unit tests do that part. */
const char	*__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

struct ev *
child_ev(struct child *c)
{
	return c->ev;
}

struct ipc *
child_link(struct child *c, enum proc peer)
{
	return (unsigned)peer < PROC_MAX ? c->links[peer].ipc : NULL;
}

unsigned
child_peer_worker(struct child *c)
{
	return c->peer_worker;
}

struct ipc *
child_parent(struct child *c)
{
	return c->parent;
}

const char *
child_dir(struct child *c)
{
	return str_empty(c->setup.dir) ? NULL : c->setup.dir;
}

const struct msg_setup *
child_setup(struct child *c)
{
	return &c->setup;
}

void
child_left(struct child *c)
{
	ipc_send(c->parent, IMSG_LEFT, 0, NULL, 0, -1);
}

void
child_refuse(struct child *c, const char *fmt, ...)
{
	char	text[2048];
	va_list	ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ipc_send(c->parent, IMSG_REFUSE, 0, text, strlen(text), -1);
	c->refused = true;
}

/* The same when there is nothing to go on with. */
static void __attribute__((noreturn))
refuse_now(struct child *c, const char *text)
{
	child_refuse(c, "%s", text);
	ipc_flush(c->parent, LAST_WORDS_MS);
	exit(1);
}

static void
stop(struct child *c)
{
	struct link	*l;
	size_t		 i;

	if (c->phase == PH_STOPPED)
		return;
	if (c->phase == PH_READY && c->ops->stop != NULL)
		c->ops->stop(c, c->arg);
	c->phase = PH_STOPPED;
	for (i = 0; i < PROC_MAX; i++)
		for (l = &c->links[i]; l != NULL; l = l->next)
			ipc_flush(l->ipc, LAST_WORDS_MS);
	ipc_flush(c->parent, LAST_WORDS_MS);
	ev_stop(c->ev);
}

/* ---- links ---- */

static void
link_down(struct link *l)
{
	struct child	*c = l->child;

	if (l->ipc == NULL)
		return;
	ipc_free(l->ipc);
	l->ipc = NULL;
	c->peer_worker = l->worker;
	/* After stop() there is nothing left to tell. */
	if (c->ops->link != NULL && c->phase != PH_STOPPED)
		c->ops->link(c, l->peer, NULL, c->arg);
}

static void
on_link(struct ipc *ipc, const struct imsg *m, void *arg)
{
	struct link	*l = arg;
	struct child	*c = l->child;

	if (m == NULL) {
		log_debug("link to %s: down", proc_name(l->peer));
		link_down(l);
		return;
	}
	if (c->phase == PH_STOPPED || c->ops->msg == NULL) {
		if (m->fd != -1)
			close(m->fd);
		return;
	}
	c->peer_worker = l->worker;
	c->ops->msg(c, l->peer, ipc, m, c->arg);
}

static struct link *
link_to(struct child *c, enum proc peer, unsigned worker)
{
	struct link	*l = &c->links[peer];

	for (; l->worker != worker; l = l->next)
		if (l->next == NULL) {
			l->next = xcalloc(1, sizeof(*l));
			l->next->child = c;
			l->next->peer = peer;
			l->next->worker = worker;
		}
	return l;
}

static void
on_new_link(struct child *c, const struct imsg *m)
{
	enum proc	 peer = (enum proc)m->body[0];
	unsigned	 worker = m->body[1];
	struct link	*l;

	if (peer == PROC_DISCOD || (unsigned)peer >= PROC_MAX ||
	    (proc_peers(c->ops->self) & PROC_BIT(peer)) == 0 ||
	    worker >= (peer == PROC_DNSD ? DNS_WORKERS_MAX : 1))
		fatalx("link to process %d.%u: no such link", (int)peer,
		    worker);
	l = link_to(c, peer, worker);
	link_down(l);
	c->peer_worker = worker;
	l->ipc = ipc_new(c->ev, m->fd, c->ops->self, peer, on_link, l);
	ipc_read(l->ipc, c->phase == PH_READY);
	if (c->ops->link != NULL)
		c->ops->link(c, peer, l->ipc, c->arg);
}

static void
read_links(struct child *c)
{
	struct link	*l;
	size_t		 i;

	for (i = 0; i < PROC_MAX; i++)
		for (l = &c->links[i]; l != NULL; l = l->next)
			if (l->ipc != NULL)
				ipc_read(l->ipc, true);
}

static void
free_links(struct child *c)
{
	struct link	*l, *next;
	size_t		 i;

	for (i = 0; i < PROC_MAX; i++)
		for (l = &c->links[i]; l != NULL; l = next) {
			next = l->next;
			ipc_free(l->ipc);
			if (l != &c->links[i])
				free(l);
		}
}

/* ---- the start, in its order ---- */

static void
use_level(const struct child *c)
{
	log_set_level(c->monitored < c->level ?
	    (enum log_level)c->monitored : c->level);
}

static void
set_level(struct child *c, const char *text)
{
	if (log_level_parse(text, &c->level) == 0)
		use_level(c);
}

/* Fatal, unless the configuration makes the sandbox optional. */
static void
sandbox_failed(struct child *c, const char *err)
{
	char	text[512];

	if (c->setup.sandbox) {
		snprintf(text, sizeof(text), "%s: sandbox: %s",
		    proc_name(c->ops->self), err);
		refuse_now(c, text);
	}
	log_warnx("sandbox: %s: going on without, as configured", err);
}

static void
drop_privileges(struct child *c)
{
	const struct sandbox_role *role = c->ops->role;
	struct sandbox_privs	p = { .max_files =
				    (unsigned)c->setup.max_files };
	char			err[256];

	/* What execd starts would inherit it, and may calculate. */
	p.prompt = role == NULL || !role->exec;
	if (!str_empty(c->setup.user))
		p.user = c->setup.user;
	if (!str_empty(c->setup.chroot))
		p.chroot_dir = c->setup.chroot;
	if (sandbox_privs(&p, err, sizeof(err)) == -1)
		sandbox_failed(c, err);
}

static void
on_setup(struct child *c, const struct imsg *m)
{
	static char	 name[PROC_NAME_MAX];	/* the log's from here on */
	const char	*err;

	if (c->phase != PH_SETUP)
		fatalx("second SETUP");
	if (schema_decode_all(&msg_setup_schema, m->body, m->len, &c->setup,
	    &err) == -1)
		fatalx("SETUP: %s", err);
	if (c->setup.hash != imsg_hash())
		refuse_now(c, "discod and its daemons are of different "
		    "versions: install them together and restart");
	log_init(proc_worker_name(c->ops->self, (unsigned)c->setup.worker,
	    name));
	c->monitored = LOG_LEVEL_NONE;
	set_level(c, c->setup.log_level);
	if (c->ops->prepare != NULL)
		c->ops->prepare(c, c->arg);
	drop_privileges(c);
	c->phase = PH_CONF;
}

static void
on_socket(struct child *c, const struct imsg *m)
{
	struct msg_socket	s;
	const char		*err;

	if (schema_decode_all(&msg_socket_schema, m->body, m->len, &s,
	    &err) == -1)
		fatalx("SOCKET: %s", err);
	if (c->ops->socket != NULL)
		c->ops->socket(c, &s, m->fd, c->arg);
	else
		close(m->fd);
	schema_clear(&msg_socket_schema, &s);
}

/* The level may change at a reload: every child gets it with CONF_AGENT. */
static void
peek_level(struct child *c, const struct imsg *m)
{
	struct conf_agent	agent;
	const char		*err;

	if (schema_decode_all(&conf_agent_schema, m->body + 1, m->len - 1,
	    &agent, &err) == -1)
		fatalx("CONF_ITEM: agent: %s", err);
	set_level(c, agent.log_level);
	schema_clear(&conf_agent_schema, &agent);
}

static void
on_conf_item(struct child *c, const struct imsg *m)
{
	struct rbuf	r;

	if (m->body[0] == CONF_AGENT)
		peek_level(c, m);
	if (c->ops->conf_item == NULL)
		return;
	rb_init(&r, m->body + 1, m->len - 1);
	c->ops->conf_item(c, (enum conf_kind)m->body[0], &r, c->arg);
	/* It may have keys in it. */
	explicit_bzero((void *)(uintptr_t)m->body, m->len);
}

static void
on_conf_done(struct child *c)
{
	char	err[256];
	bool	first = c->phase == PH_CONF;

	if (c->ops->conf_done != NULL)
		c->ops->conf_done(c, first, c->arg);
	if (!first)
		return;
	if (c->ops->start != NULL)
		c->ops->start(c, c->arg);
	if (c->refused)
		return;		/* STOP will come */
	if (sandbox_syscalls(c->ops->role != NULL ? c->ops->role : &plain_role,
	    child_dir(c), err, sizeof(err)) == -1)
		sandbox_failed(c, err);
	c->phase = PH_READY;
	ipc_send(c->parent, IMSG_READY, 0, NULL, 0, -1);
	read_links(c);
}

static void
on_leave(struct child *c)
{
	if (c->ops->leave != NULL && c->phase == PH_READY)
		c->ops->leave(c, c->arg);
	else
		child_left(c);
}

static void
on_parent(struct ipc *l, const struct imsg *m, void *arg)
{
	struct child	*c = arg;

	if (m == NULL) {
		/* discod is gone; so are we. */
		log_warnx("discod is gone: stopping");
		stop(c);
		return;
	}
	if (c->phase == PH_SETUP && m->type != IMSG_SETUP &&
	    m->type != IMSG_STOP)
		fatalx("%s before SETUP", imsg_name(m->type));
	switch ((int)m->type) {
	case IMSG_SETUP:
		on_setup(c, m);
		break;
	case IMSG_LOGFILE:
		log_to(m->fd);
		break;
	case IMSG_LOG_LEVEL:
		c->monitored = m->body[0];
		use_level(c);
		break;
	case IMSG_SOCKET:
		on_socket(c, m);
		break;
	case IMSG_LINK:
		on_new_link(c, m);
		break;
	case IMSG_CONF_BEGIN:
		if (c->ops->conf_begin != NULL)
			c->ops->conf_begin(c, c->arg);
		break;
	case IMSG_CONF_ITEM:
		on_conf_item(c, m);
		break;
	case IMSG_CONF_DONE:
		on_conf_done(c);
		break;
	case IMSG_LEAVE:
		on_leave(c);
		break;
	case IMSG_STOP:
		stop(c);
		break;
	default:	/* CALL, ANSWER */
		if (c->ops->msg != NULL && c->phase == PH_READY)
			c->ops->msg(c, PROC_DISCOD, l, m, c->arg);
	}
}

/* ---- */

/*
 * A terminal's or a service manager's signals go to the whole group, but when
 * to stop is for discod to say, in its order.
 */
static void
ignore_signals(void)
{
	static const int	sigs[] = { SIGPIPE, SIGHUP, SIGINT, SIGTERM,
				    SIGQUIT, SIGUSR1, SIGUSR2 };
	size_t			i;

	for (i = 0; i < NELEM(sigs); i++)
		signal(sigs[i], SIG_IGN);
}

static void
need_discod(const char *name)
{
	struct stat	st;

	if (fstat(PARENT_FD, &st) == 0 && S_ISSOCK(st.st_mode))
		return;
	fprintf(stderr, "%s is a part of disco and is started by discod(8).\n",
	    name);
	exit(1);
}

/* ---- memory ---- */

static void
on_trim(void *arg)
{
	(void)arg;
#ifdef __GLIBC__
	(void)malloc_trim(0);
#endif
}

void
child_give_back(struct child *c)
{
	if (c->trim == NULL)
		c->trim = ev_timer_new(c->ev, on_trim, c);
	if (!ev_timer_pending(c->trim))
		ev_timer_set(c->trim, TRIM_MS);
}

/*
 * What is large is mapped on its own, always, and so goes back to the system
 * when it is freed.  glibc would raise the bound to the largest ever freed, and
 * keep one big exchange of state for good.
 */
static void
large_is_returned(void)
{
#ifdef __GLIBC__
	(void)mallopt(M_MMAP_THRESHOLD, 128 << 10);
#endif
}

int
child_main(int argc, char **argv, const struct child_ops *ops, void *arg)
{
	struct child	*c;
	size_t		 i;

	(void)argc;
	(void)argv;
	log_init(proc_name(ops->self));
	large_is_returned();
	need_discod(proc_name(ops->self));
	ignore_signals();

	c = xcalloc(1, sizeof(*c));
	c->ops = ops;
	c->arg = arg;
	c->ev = ev_new();
	for (i = 0; i < PROC_MAX; i++) {
		c->links[i].child = c;
		c->links[i].peer = (enum proc)i;
	}
	(void)fcntl(PARENT_FD, F_SETFD, FD_CLOEXEC);
	c->parent = ipc_new(c->ev, PARENT_FD, ops->self, PROC_DISCOD,
	    on_parent, c);
	ev_run(c->ev);

	free_links(c);
	ipc_free(c->parent);
	ev_timer_free(c->trim);
	ev_free(c->ev);
	schema_clear(&msg_setup_schema, &c->setup);
	free(c);
	return 0;
}
