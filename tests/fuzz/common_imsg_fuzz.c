/*
 * Frames through the real reader.  The first two bytes choose who reads from
 * whom, the third how the rest is cut into pieces, the fourth how many
 * descriptors come with it.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/frame.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct ctx {
	enum proc	self, peer;
};

/* What the reader lets through must pass the check by itself. */
static bool
on_frame(const struct imsg *m, void *arg)
{
	struct ctx	*c = arg;
	const char	*why;

	if (imsg_check(m->type, c->peer, c->self, m->len, m->fd != -1,
	    &why) == -1)
		abort();
	if (m->fd != -1)
		close(m->fd);
	return m->id != 0xdeadbeef;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct frames	f;
	struct ctx	c;
	size_t		piece, len;
	int		nfds;

	if (n < 4)
		return 0;
	c.self = (enum proc)(p[0] % PROC_MAX);
	c.peer = (enum proc)(p[1] % PROC_MAX);
	piece = (size_t)p[2] + 1;
	frames_init(&f, c.self, c.peer);
	for (nfds = p[3] % 6; nfds > 0; nfds--)
		if (frames_fd(&f, open("/dev/null", O_RDONLY | O_CLOEXEC)) ==
		    -1)
			break;
	for (p += 4, n -= 4; n > 0; p += len, n -= len) {
		len = n < piece ? n : piece;
		if (frames_feed(&f, p, len, on_frame, &c) != 0)
			break;
	}
	frames_clear(&f);
	return 0;
}
