/*
 * A snapshot that comes from elsewhere, in pieces: each goes to a file as it
 * comes, so that a state as large as memory can be received.  It becomes a
 * snapshot of ours when the thread has synced it and given it its name.
 */
#include "catalogd/raft_disk_i.h"

#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/util.h"

struct disk_incoming *
disk_incoming_new(struct disk *d, uint64_t size)
{
	struct disk_incoming *in;
	int e;

	if (d->dirfd == -1) {
		errno = ENOTDIR;
		return NULL;
	}
	in = xcalloc(1, sizeof(*in));
	in->d = d;
	in->size = size;
	snprintf(in->name, sizeof(in->name), DISK_INCOMING "%llu",
	    (unsigned long long)++d->nincoming);
	in->fd = openat(d->dirfd, in->name, O_RDWR | O_CREAT | O_TRUNC |
	    O_CLOEXEC, 0600);
	/* What would not fit is better known now. */
	if (in->fd != -1 && (fallocate(in->fd, 0, 0, (off_t)size) == 0 ||
	    !disk_no_space()))
		return in;
	e = errno;
	disk_incoming_free(in);
	errno = e;
	return NULL;
}

int
disk_incoming_add(struct disk_incoming *in, const uint8_t *p, size_t n)
{
	if (n > in->size - in->len) {
		errno = EFBIG;
		return -1;
	}
	if (disk_write_all(in->fd, p, n) == -1)
		return -1;
	in->len += n;
	return 0;
}

uint64_t
disk_incoming_len(const struct disk_incoming *in)
{
	return in->len;
}

const uint8_t *
disk_incoming_map(struct disk_incoming *in)
{
	void *p;

	if (in->map == NULL && in->size > 0) {
		p = mmap(NULL, in->size, PROT_READ, MAP_SHARED, in->fd, 0);
		in->map = p == MAP_FAILED ? NULL : p;
	}
	return in->map;
}

void
disk_incoming_free(struct disk_incoming *in)
{
	if (in == NULL)
		return;
	if (in->map != NULL)
		munmap(in->map, in->size);
	if (in->fd != -1)
		close(in->fd);
	/* If it has another name by now, this one is no more. */
	(void)unlinkat(in->d->dirfd, in->name, 0);
	free(in);
}
