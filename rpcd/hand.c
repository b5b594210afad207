/*
 * Handing over: see hand.h.
 *
 * A peer that vanished without a word is noticed by what it does not
 * acknowledge: TCP would go on trying for many minutes, and after a partition
 * wait as long again.
 */
#include <bsd/sys/queue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "rpcd/hand.h"
#include "rpcd/relay.h"

#define UNACKED_MS 3000

/* On its way out. */
struct dial {
	LIST_ENTRY(dial)	 entry;
	struct hand		*hand;
	uint32_t		 id;
	char			*name;		/* whom we chose, or NULL */
	struct outgoing		*out;
	struct stream		*stream;	/* its type byte is going out */
};

struct hand {
	struct ev		*ev;
	struct rng		 rng;
	const struct dialler	*dialler;
	struct servers		*servers;
	struct relays		*relays;
	struct ipc		*ipc;
	LIST_HEAD(, dial)	 dials;
};

struct hand *
hand_new(struct ev *ev, const struct dialler *d, struct servers *servers)
{
	struct hand	*h = xcalloc(1, sizeof(*h));

	h->ev = ev;
	rng_seed_os(&h->rng);
	h->dialler = d;
	h->servers = servers;
	h->relays = relays_new(ev);
	LIST_INIT(&h->dials);
	return h;
}

static void
dial_free(struct dial *d)
{
	LIST_REMOVE(d, entry);
	outgoing_free(d->out);
	stream_free(d->stream);
	free(d->name);
	free(d);
}

static void
dials_drop(struct hand *h)
{
	while (!LIST_EMPTY(&h->dials))
		dial_free(LIST_FIRST(&h->dials));
}

void
hand_free(struct hand *h)
{
	if (h == NULL)
		return;
	dials_drop(h);
	relays_free(h->relays);
	free(h);
}

void
hand_link(struct hand *h, struct ipc *ipc)
{
	if (ipc == NULL)
		dials_drop(h);
	h->ipc = ipc;
}

void
hand_in(struct hand *h, struct stream *s, uint8_t type, const char *from)
{
	struct wbuf	 w;
	int		 fd;

	if (h->ipc == NULL) {
		log_info("client %s: closed: catalogd is away", from);
		stream_free(s);
		return;
	}
	if ((fd = relay_fd(h->relays, s)) == -1)
		return;
	wb_init(&w, 0);
	wb_u8(&w, type);
	wb_str(&w, from);
	ipc_send(h->ipc, IMSG_PEER, 0, w.p, w.len, fd);
	wb_free(&w);
}

static void
dial_failed(struct dial *d, const char *why)
{
	struct hand	*h = d->hand;
	uint32_t	 id = d->id;

	if (d->name != NULL)
		servers_failed(h->servers, d->name);
	dial_free(d);
	ipc_send(h->ipc, IMSG_DIAL_FAILED, id, why, strlen(why), -1);
}

static void
on_sent(struct stream *s, void *arg)
{
	struct dial	*d = arg;
	struct hand	*h = d->hand;
	uint32_t	 id = d->id;
	int		 fd;

	d->stream = NULL;
	fd = relay_fd(h->relays, s);
	if (fd == -1) {
		dial_failed(d, "no descriptor for it");
		return;
	}
	dial_free(d);
	ipc_send(h->ipc, IMSG_DIALED, id, NULL, 0, fd);
}

static size_t
on_data(struct stream *s, const uint8_t *p, size_t n, void *arg)
{
	(void)s;
	(void)p;
	dial_failed(arg, "unasked bytes");
	return n;
}

static void
on_closed(struct stream *s, const char *why, void *arg)
{
	(void)s;
	dial_failed(arg, str_or(why, "EOF"));
}

static const struct stream_ops stream_ops = {
	.data = on_data, .drained = on_sent, .closed = on_closed
};

static void
on_dialled(struct stream *s, const char *why, void *arg)
{
	struct dial	*d = arg;

	d->out = NULL;
	if (s == NULL) {
		dial_failed(d, why);
		return;
	}
	stream_user_timeout(s, UNACKED_MS);
	d->stream = s;
	stream_set_ops(s, &stream_ops, d);
}

/* "*": one of our servers, "*dc2": one of theirs.  NULL, or why nobody. */
static const char *
whom(struct hand *h, const char *address, struct server_id *to)
{
	const struct server_id	*known = NULL;
	const char		*why = "No known Consul servers";
	size_t			 n;

	memset(to, 0, sizeof(*to));
	if (address[0] == '*') {
		known = address[1] == '\0' ? servers_first(h->servers) :
		    servers_remote(h->servers, address + 1, ev_now(h->ev),
		    &h->rng, &n, &why);
		if (known == NULL)
			return why;
		*to = *known;
		return NULL;
	}
	if (addr_parse(address, 0, &to->addr) == -1 ||
	    addr_port(&to->addr) == 0)
		return "no address";
	known = servers_at(h->servers, &to->addr);
	to->use_tls = known != NULL && known->use_tls;
	return NULL;
}

void
hand_dial(struct hand *h, uint32_t id, uint8_t type, const char *address)
{
	struct server_id	 to;
	struct dial		*d;
	const char		*why;

	if ((why = whom(h, address, &to)) != NULL) {
		ipc_send(h->ipc, IMSG_DIAL_FAILED, id, why, strlen(why), -1);
		return;
	}
	d = xcalloc(1, sizeof(*d));
	d->hand = h;
	d->id = id;
	d->name = xstrdup(to.name);
	LIST_INSERT_HEAD(&h->dials, d, entry);
	d->out = outgoing_new(h->dialler, &to, type, on_dialled, d);
}
