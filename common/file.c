/*
 * Whole files, read and written at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util.h"

/* Reads until the end or past max; the length, or -1. */
static ssize_t
fd_slurp(int fd, char **buf, size_t max)
{
	size_t	 cap = 4096, len = 0;
	ssize_t	 n;

	*buf = xmalloc(cap + 1);
	while ((n = read(fd, *buf + len, cap - len)) != 0) {
		if (n == -1) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		len += (size_t)n;
		if (len > max) {
			errno = EFBIG;
			return -1;
		}
		if (len == cap) {
			cap *= 2;
			*buf = xrealloc(*buf, cap + 1);
		}
	}
	(*buf)[len] = '\0';
	return (ssize_t)len;
}

char *
file_read(const char *path, size_t max, size_t *len)
{
	char	*buf = NULL;
	ssize_t	 n;
	int	 fd, saved;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return NULL;
	n = fd_slurp(fd, &buf, max);
	saved = errno;
	close(fd);
	if (n == -1) {
		free(buf);
		errno = saved;
		return NULL;
	}
	if (len != NULL)
		*len = (size_t)n;
	return buf;
}

static int
fd_write_all(int fd, const void *data, size_t len)
{
	const char	*p = data;
	ssize_t		 n;

	while (len > 0) {
		if ((n = write(fd, p, len)) == -1) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The rename is on disk once the directory is. */
static int
sync_dir_of(const char *path)
{
	char	*copy = xstrdup(path);
	int	 fd, rc;

	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd == -1)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

int
file_write_atomic(const char *path, const void *data, size_t len,
    unsigned mode)
{
	char	*tmp;
	int	 fd, saved;

	xasprintf(&tmp, "%s.XXXXXX", path);
	if ((fd = mkostemp(tmp, O_CLOEXEC)) == -1) {
		free(tmp);
		return -1;
	}
	if (fchmod(fd, (mode_t)mode) == -1 ||
	    fd_write_all(fd, data, len) == -1 || fsync(fd) == -1)
		goto fail;
	if (close(fd) == -1) {
		fd = -1;
		goto fail;
	}
	fd = -1;
	if (rename(tmp, path) == -1)
		goto fail;
	free(tmp);
	return sync_dir_of(path);
fail:
	saved = errno;
	if (fd != -1)
		close(fd);
	(void)unlink(tmp);
	free(tmp);
	errno = saved;
	return -1;
}

int
file_remove(const char *path)
{
	return unlink(path) == -1 ? -1 : sync_dir_of(path);
}

int
dir_make(const char *path, unsigned mode)
{
	if (mkdir(path, (mode_t)mode) == -1)
		return errno == EEXIST ? 0 : -1;
	return sync_dir_of(path);
}

int
fd_nonblock(int fd)
{
	int	 flags = fcntl(fd, F_GETFL);

	if (flags == -1)
		return -1;
	return fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}
