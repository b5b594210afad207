/*
 * A snapshot of the state by a process of its own, which has all memory as it
 * was when it began: to put a large state into records takes longer than the
 * loop may stand still.
 *
 * It writes a file that is open before it begins, has no other descriptor but
 * the one on which it says how it ended, and ends when nobody is there to hear
 * it.  The thread then gives the file its name (raft_disk_write.c).
 */
#include "catalogd/raft_disk_i.h"

#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"

#define WRITER_CHUNK (1u << 20)	/* synced before the next: others write, too */

/* ---- in the other process ---- */

static void
close_from_to(int from, int to)
{
	long max;

	if (from > to || close_range((unsigned)from, (unsigned)to, 0) == 0)
		return;
	max = sysconf(_SC_OPEN_MAX);
	for (; from <= to && from < max; from++)
		close(from);
}

/* Connections and links must end when the one who serves them ends. */
static void
close_but(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a;

	close_from_to(0, low - 1);
	close_from_to(low + 1, high - 1);
	close_from_to(high + 1, INT_MAX);
}

/* Handlers are the loop's, which is not here. */
static void
no_handlers(void)
{
	static const int sigs[] = { SIGHUP, SIGINT, SIGUSR1, SIGUSR2, SIGPIPE };
	sigset_t none;
	size_t i;

	for (i = 0; i < NELEM(sigs); i++)
		(void)signal(sigs[i], SIG_IGN);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool
nobody_listens(int report)
{
	struct pollfd p = { .fd = report, .events = 0 };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0;
}

/* 0, or errno. */
static int
write_snapshot(int fd, int report, struct log_snapshot *s, disk_dump_fn *dump,
    void *arg)
{
	struct wbuf head, data;
	size_t at, n;

	wb_init(&data, 0);
	dump(&data, arg);
	s->data = data.p;
	s->data_len = data.len;
	wb_init(&head, 0);
	log_snapshot_head(&head, s);
	if (disk_write_all(fd, head.p, head.len) == -1)
		return errno;
	for (at = 0; at < data.len; at += n) {
		n = data.len - at;
		if (n > WRITER_CHUNK)
			n = WRITER_CHUNK;
		if (disk_write_all(fd, data.p + at, n) == -1 ||
		    fdatasync(fd) == -1)
			return errno;
		if (nobody_listens(report))
			return EPIPE;
	}
	return 0;
}

static _Noreturn void
writer(int fd, int report, const struct log_snapshot *snap,
    disk_dump_fn *dump, void *arg)
{
	struct log_snapshot s = *snap;
	uint8_t code;

	close_but(fd, report);
	no_handlers();
	code = (uint8_t)write_snapshot(fd, report, &s, dump, arg);
	(void)!write(report, &code, 1);
	_exit(code);
}

/* ---- in this one ---- */

static void
writer_end(struct disk *d)
{
	ev_io_free(d->writer_io);
	close(d->writer_fd);
	d->writer_io = NULL;
	d->writer_fd = -1;
}

static void
written(struct disk *d, struct snapshot_job *j, int code)
{
	if (code == 0) {
		pthread_mutex_lock(&d->lock);
		d->snap = j;
		pthread_cond_signal(&d->cond);
		pthread_mutex_unlock(&d->lock);
		return;
	}
	errno = code;
	if (code > 0 && !disk_no_space())
		fatal("write %s/snap.tmp", d->shown);
	if (code > 0)
		log_warn("%s/snap.tmp", d->shown);
	(void)unlinkat(d->dirfd, "snap.tmp", 0);
	disk_snapshot_free(j);
	d->ops.snapshotted(0, d->ops.arg);
}

static void
on_writer(struct ev_io *io, int fd, int events, void *arg)
{
	struct disk *d = arg;
	struct snapshot_job *j = d->writing;
	int status = 0, code = -1;
	uint8_t byte;
	ssize_t n;

	(void)io;
	(void)events;
	if ((n = read(fd, &byte, 1)) == -1)
		return;
	if (n == 1)
		code = byte;
	writer_end(d);
	d->writing = NULL;
	while (waitpid(d->writer, &status, 0) == -1 && errno == EINTR)
		;
	/* Killed for its memory, perhaps: that is not the state's end. */
	if (n == 0)
		log_warnx("snapshot: its writer, pid %d, ended by %s %d",
		    (int)d->writer, WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status) :
		    WEXITSTATUS(status));
	written(d, j, code);
}

int
disk_snapshot_fork(struct disk *d, const struct log_snapshot *s,
    disk_dump_fn *dump, void *arg)
{
	sigset_t all, old;
	int fd, fds[2];
	pid_t pid;

	fd = openat(d->dirfd, "snap.tmp", O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) == -1) {
		close(fd);
		return -1;
	}
	/* No handler runs in it that is the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if ((pid = fork()) == 0)
		writer(fd, fds[1], s, dump, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	close(fds[1]);
	if (pid == -1) {
		close(fds[0]);
		close(fd);
		return -1;
	}
	d->writing = xcalloc(1, sizeof(*d->writing));
	d->writing->index = s->index;
	d->writing->term = s->term;
	d->writing->fd = fd;
	wb_init(&d->writing->head, 0);
	wb_init(&d->writing->data, 0);
	d->writer = pid;
	d->writer_fd = fds[0];
	d->writer_io = ev_io_new(d->ev, d->writer_fd, on_writer, d);
	ev_io_set(d->writer_io, EV_READ);
	return 0;
}

void
disk_writer_leave(struct disk *d)
{
	if (d->writing == NULL)
		return;
	writer_end(d);
	(void)waitpid(d->writer, NULL, WNOHANG);
	disk_snapshot_free(d->writing);
	d->writing = NULL;
}
