/*
 * Every socket of the suite, bound before anything starts and kept open while
 * children come and go: clients wait in the backlog and are not refused.
 * Where there are several dnsd each has its own of each address, and the
 * kernel chooses one by the client's address and port.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "discod/parent.h"

/* Bursts of datagrams wait here while the process is busy; the kernel cuts it
 * down to net.core.rmem_max. */
#define UDP_BUFFER (2 << 20)

static const struct {
	enum proc	proc;
	int		type;
} kinds[] = {
	[SOCK_LAN_UDP] = { PROC_GOSSIPD, SOCK_DGRAM },
	[SOCK_LAN_TCP] = { PROC_GOSSIPD, SOCK_STREAM },
	[SOCK_WAN_UDP] = { PROC_GOSSIPD, SOCK_DGRAM },
	[SOCK_WAN_TCP] = { PROC_GOSSIPD, SOCK_STREAM },
	[SOCK_RPC_TCP] = { PROC_RPCD, SOCK_STREAM },
	[SOCK_DNS_UDP] = { PROC_DNSD, SOCK_DGRAM },
	[SOCK_DNS_TCP] = { PROC_DNSD, SOCK_STREAM },
	[SOCK_HTTP_TCP] = { PROC_APID, SOCK_STREAM },
	[SOCK_HTTPS_TCP] = { PROC_APID, SOCK_STREAM },
	[SOCK_HTTP_UNIX] = { PROC_APID, SOCK_STREAM },
};

static const char *
remedy(int err, const struct listen_addr *a)
{
	switch (err) {
	case EADDRINUSE:
		return a->port == 0 ? "another agent is using it" :
		    "another agent or program is using it: `ss -lnptu` shows "
		    "which; choose another port or address";
	case EADDRNOTAVAIL:
		return "no interface of this machine has that address";
	case EACCES:
		return a->port != 0 && a->port < 1024 ?
		    "ports below 1024 need root" : "permission denied";
	default:
		return "check the address";
	}
}

__attribute__((noreturn)) static void
cannot(struct parent *p, const struct listen_addr *a, const char *text,
    int err)
{
	start_fail(p, "%s: cannot listen on %s: %s (%s)", a->key, text,
	    strerror(err), remedy(err, a));
}

static void
options(int fd, const struct listen_addr *a, int family)
{
	int	one = 1, size = UDP_BUFFER;

	/*
	 * Failures cost comfort only; bind() says what matters.  For UDP
	 * SO_REUSEADDR would let a second agent have the same port.
	 */
	if (kinds[a->kind].type == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
		    sizeof(one));
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one,
		    sizeof(one));
	if (kinds[a->kind].type == SOCK_DGRAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size,
		    sizeof(size));
}

static bool
is_shared(const struct parent *p, const struct listen_addr *a)
{
	return kinds[a->kind].proc == PROC_DNSD && p->cfg.dns_workers > 1;
}

static void
share(struct parent *p, const struct listen_addr *a, int fd, const char *text)
{
	int	one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) == -1)
		cannot(p, a, text, errno);
}

/*
 * The first of several is bound before it is shared: so another program that
 * has the port is found, even one that would share it.
 */
static int
bind_ip(struct parent *p, const struct listen_addr *a, unsigned worker,
    char *text, size_t len)
{
	struct sockaddr_storage	ss;
	int			fd;

	if (addr_parse(a->ip, a->port, &ss) == -1)
		start_fail(p, "%s: %s is no IP address", a->key, a->ip);
	addr_set_port(&ss, a->port);
	(void)addr_text(&ss, text, len);
	fd = socket(ss.ss_family, kinds[a->kind].type | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	if (fd == -1)
		cannot(p, a, text, errno);
	options(fd, a, ss.ss_family);
	if (worker > 0)
		share(p, a, fd, text);
	if (bind(fd, (struct sockaddr *)&ss, addr_len(&ss)) == -1)
		cannot(p, a, text, errno);
	if (worker == 0 && is_shared(p, a))
		share(p, a, fd, text);
	return fd;
}

/* A socket file that nobody listens on is left from a crash. */
static bool
is_stale(const struct sockaddr_un *sun)
{
	struct stat	st;
	int		fd, rc;

	if (lstat(sun->sun_path, &st) == -1 || !S_ISSOCK(st.st_mode))
		return false;
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return false;
	rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	rc = rc == -1 && errno == ECONNREFUSED;
	close(fd);
	return rc;
}

/* The id of a user or a group, by name or number; -1: keep it. */
static long
owner_id(struct parent *p, const struct listen_addr *a, const char *name,
    bool group)
{
	const struct passwd	*pw;
	const struct group	*gr;
	char			*end;
	long			 id;

	if (name == NULL)
		return -1;
	errno = 0;
	id = strtol(name, &end, 10);
	if (errno == 0 && *end == '\0' && id >= 0 && *name != '\0')
		return id;
	if (group ? (gr = getgrnam(name)) != NULL :
	    (pw = getpwnam(name)) != NULL)
		return group ? (long)gr->gr_gid : (long)pw->pw_uid;
	start_fail(p, "unix_sockets.%s: there is no %s for %s",
	    group ? "group" : "user", name, a->path);
}

/* By a descriptor: what the name leads to may not be ours any more. */
static void
give_away(struct parent *p, const struct listen_addr *a)
{
	uid_t		uid = (uid_t)owner_id(p, a, a->user, false);
	gid_t		gid = (gid_t)owner_id(p, a, a->group, true);
	struct stat	st;
	int		fd;

	if (a->user == NULL && a->group == NULL)
		return;
	if ((fd = open(a->path, O_PATH | O_NOFOLLOW | O_CLOEXEC)) == -1 ||
	    fstat(fd, &st) == -1 || !S_ISSOCK(st.st_mode) ||
	    st.st_uid != geteuid() ||
	    fchownat(fd, "", uid, gid, AT_EMPTY_PATH) == -1)
		cannot(p, a, a->path, errno);
	close(fd);
}

static int
bind_unix(struct parent *p, const struct listen_addr *a)
{
	struct sockaddr_un	sun = { .sun_family = AF_UNIX };
	mode_t			old;
	int			fd, rc;

	if (strlen(a->path) >= sizeof(sun.sun_path))
		start_fail(p, "%s: %s: longer than the %zu characters of a "
		    "Unix socket's name (give a shorter -run-dir)", a->key,
		    a->path, sizeof(sun.sun_path) - 1);
	memcpy(sun.sun_path, a->path, strlen(a->path));
	if (is_stale(&sun))
		(void)unlink(a->path);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0)) == -1)
		cannot(p, a, a->path, errno);
	/* Its mode from the first moment, and never by name. */
	old = umask(0777 & ~a->mode);
	rc = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(old);
	if (rc == -1)
		cannot(p, a, a->path, errno);
	give_away(p, a);
	return fd;
}

const char *
bound_proto(const struct bound *b)
{
	if (b->ip == NULL)
		return "unix";
	return kinds[b->kind].type == SOCK_DGRAM ? "udp" : "tcp";
}

static void
listen_one(struct parent *p, const struct listen_addr *a, unsigned worker)
{
	struct bound	*b = &p->bound[p->nbound];
	char		 text[ADDR_TEXT_MAX + 16];

	b->kind = a->kind;
	b->worker = worker;
	b->key = xstrdup(a->key);
	if (a->path != NULL) {
		b->fd = bind_unix(p, a);
		b->text = xstrdup(a->path);
	} else {
		b->fd = bind_ip(p, a, worker, text, sizeof(text));
		b->text = xstrdup(text);
		b->ip = xstrdup(a->ip);
		b->port = a->port;
	}
	p->nbound++;
	if (kinds[a->kind].type == SOCK_STREAM &&
	    listen(b->fd, SOMAXCONN) == -1)
		cannot(p, a, b->text, errno);
}

void
listen_all(struct parent *p)
{
	const struct listen_addr	*a;
	unsigned			 w;
	size_t				 i;

	p->bound = xcalloc(p->cfg.listen.n * p->cfg.dns_workers + 1,
	    sizeof(*p->bound));
	for (i = 0; i < p->cfg.listen.n; i++) {
		a = &p->cfg.listen.item[i];
		for (w = 0; w < (is_shared(p, a) ? p->cfg.dns_workers : 1); w++)
			listen_one(p, a, w);
	}
}

void
listen_close(struct parent *p)
{
	struct bound	*b;

	while (p->nbound > 0) {
		b = &p->bound[--p->nbound];
		if (b->ip == NULL)
			(void)unlink(b->text);
		close(b->fd);
		free(b->key);
		free(b->text);
		free(b->ip);
	}
	free(p->bound);
	p->bound = NULL;
}

static void
send_one(struct kid *k, const struct bound *b)
{
	struct msg_socket	m = { .kind = b->kind, .text = b->text,
				    .ip = b->ip, .port = b->port };
	struct wbuf		w;
	int			fd;

	if ((fd = fcntl(b->fd, F_DUPFD_CLOEXEC, 0)) == -1)
		fatal("%s: socket %s", k->name, b->text);
	wb_init(&w, 0);
	schema_encode(&msg_socket_schema, &m, &w);
	ipc_send(k->ipc, IMSG_SOCKET, 0, w.p, w.len, fd);
	wb_free(&w);
}

void
listen_send(struct parent *p, struct kid *k)
{
	size_t	i;

	for (i = 0; i < p->nbound; i++)
		if (kinds[p->bound[i].kind].proc == k->proc &&
		    p->bound[i].worker == k->worker)
			send_one(k, &p->bound[i]);
}
