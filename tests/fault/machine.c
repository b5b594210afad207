/*
 * A machine whose clock and disk the test spoils.  Preloaded; a mapped file of
 * two numbers says how:
 *
 *	seconds that are added to CLOCK_REALTIME; the monotonic clock is left
 *	alone, as a machine's is when somebody sets its time
 *
 *	not 0: what was written cannot be made durable, fsync() fails with EIO
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/time.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct machine {
	int64_t	shift, bad_disk;
};
static const volatile struct machine *machine;
static int (*real_gettime)(clockid_t, struct timespec *);

/* Before main, and so before the sandbox that would forbid it. */
__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("MACHINE");
	void *p;
	int fd;

	if (path == NULL || (fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return;
	p = mmap(NULL, sizeof(*machine), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		machine = p;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc;

	/* Other libraries ask before our constructor runs. */
	if (real_gettime == NULL)
		real_gettime = (int (*)(clockid_t, struct timespec *))
		    dlsym(RTLD_NEXT, "clock_gettime");
	rc = real_gettime(id, ts);
	if (rc == 0 && machine != NULL &&
	    (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		ts->tv_sec += machine->shift;
	return rc;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec ts;

	(void)tz;
	if (clock_gettime(CLOCK_REALTIME, &ts) == -1)
		return -1;
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *t)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_REALTIME, &ts) == -1)
		return -1;
	if (t != NULL)
		*t = ts.tv_sec;
	return ts.tv_sec;
}

static int
sync_by(const char *name, int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

	if (machine != NULL && machine->bad_disk != 0) {
		errno = EIO;
		return -1;
	}
	return real(fd);
}

int
fsync(int fd)
{
	return sync_by("fsync", fd);
}

int
fdatasync(int fd)
{
	return sync_by("fdatasync", fd);
}
