/*
 * Tells the service manager, as sd_notify(3) does: one datagram.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "discod/parent.h"

/* Children are not to speak to it: the variable goes. */
void
notify_init(struct parent *p)
{
	p->notify_path = xstrdup(getenv("NOTIFY_SOCKET"));
	(void)unsetenv("NOTIFY_SOCKET");
}

void
notify(const struct parent *p, const char *state)
{
	struct sockaddr_un	sun = { .sun_family = AF_UNIX };
	size_t			n;
	int			fd;

	if (p->notify_path == NULL ||
	    (n = strlen(p->notify_path)) >= sizeof(sun.sun_path))
		return;
	memcpy(sun.sun_path, p->notify_path, n);
	if (sun.sun_path[0] == '@')		/* the abstract namespace */
		sun.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || sendto(fd, state, strlen(state), MSG_NOSIGNAL |
	    MSG_DONTWAIT, (struct sockaddr *)&sun,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) == -1)
		log_warn("NOTIFY_SOCKET %s", p->notify_path);
	if (fd != -1)
		close(fd);
}
