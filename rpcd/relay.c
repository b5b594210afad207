/*
 * What is passed on: a descriptor cannot carry TLS to another process.
 */
#include <sys/socket.h>

#include "common/log.h"
#include "rpcd/relay.h"

/* Nothing is said on this end before the relay has it. */
static const struct stream_ops no_ops;

int
relay_fd(struct relays *all, struct stream *s)
{
	int	sv[2];

	if (!stream_is_secure(s))
		return stream_detach(s);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1) {
		log_warn("relay: socketpair");
		stream_free(s);
		return -1;
	}
	relay_join(all, s, stream_new(relays_ev(all), sv[0], &no_ops,
	    NULL));
	return sv[1];
}
