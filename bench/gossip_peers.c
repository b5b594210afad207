/*
 * gossip_peers: plays thousands of members of a LAN pool from one process, so
 * that one agent can be measured in a large cluster.
 *
 * Members are at 10.64.0.0/16, one address each, which the host must hold as
 * its own (ip route add local 10.64.0.0/16 dev lo).  They answer pings, carry
 * out indirect ones, refute, exchange their full state, and pass on what one
 * real agent gossips to the others.  They do not suspect anybody: that is left
 * to the agents under measurement.
 *
 * Commands on standard input, each answered by one line:
 *	ping RATE		pings a second to every agent
 *	gossip RATE NEWS	filled packets a second to every agent; news a
 *				second among what they repeat
 *	exchange NAME COUNT	asks that agent for its state, COUNT times
 *	agents			how many are known, packets to and from each
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/peers.h"
#include "common/acceptor.h"
#include "common/log.h"
#include "common/util.h"

#define FILL		1350		/* of a packet, before compression */
#define TICK_MS		10
#define BASE_PING	1		/* a second, as in any cluster */

/* ---- load ---- */

/* A member is suspected by another, and refutes. */
static void
make_news(struct peers *x)
{
	struct ml_claim	 c = { 0 };
	struct piece	*e;
	struct wbuf	 w;
	uint32_t	 i = rng_below(&x->rng, x->n);
	char		 node[PEER_NAME], from[PEER_NAME];

	c.node = span_of(node, peer_name(i, node));
	c.from = span_of(from, peer_name(rng_below(&x->rng, x->n), from));
	c.inc = x->inc[i];
	wb_init(&w, PIECE_MAX);
	wb_u8(&w, ML_SUSPECT);
	body_encode(&ml_claim_body, &c, &w);
	e = &x->window[x->nwindow++ % WINDOW];
	memcpy(e->p, w.p, w.len);
	e->n = w.len;
	x->inc[i]++;
	wb_reset(&w);
	wb_u8(&w, ML_ALIVE);
	peer_alive(x, i, &w);
	e = &x->window[x->nwindow++ % WINDOW];
	memcpy(e->p, w.p, w.len);
	e->n = w.len;
	wb_free(&w);
}

static void
send_gossip(struct peers *x)
{
	struct compound	 c;
	struct wbuf	 w;
	struct piece	*e;
	unsigned	 i, n = x->nwindow < WINDOW ? x->nwindow : WINDOW;
	unsigned	 at = n > 0 ? rng_below(&x->rng, n) : 0;

	compound_init(&c);
	wb_init(&w, 0);
	for (i = 0; i < n; i++) {
		e = &x->window[(at + i) % n];
		if (c.body.len + e->n + 2 * (c.n + 1) > FILL)
			break;
		(void)compound_add(&c, e->p, e->n);
	}
	if (c.n > 0) {
		compound_encode(&c, &w);
		peers_tell(x, NULL, w.p, w.len);
	}
	compound_clear(&c);
	wb_free(&w);
}

static void
send_pings(struct peers *x)
{
	struct sockaddr_storage	ss;
	size_t			i;

	for (i = 0; i < x->nagents; i++)
		if (x->agent[i].state < SWIM_DEAD &&
		    gaddr_to_sockaddr(&x->agent[i].addr, &ss) == 0)
			peers_ping(x, rng_below(&x->rng, x->n), ++x->seq,
			    span_str(x->agent[i].name), &ss);
}

static void
on_timer(void *arg)
{
	struct peers	*x = arg;
	uint64_t	 now = ev_hrtime();
	double		 dt = (double)(now - x->tick_at) / (double)NS_PER_S;

	x->tick_at = now;
	x->pings_due += dt * (x->ping_rate + BASE_PING);
	x->gossip_due += dt * x->gossip_rate;
	x->news_due += dt * x->news_rate;
	for (; x->news_due >= 1; x->news_due--)
		make_news(x);
	for (; x->gossip_due >= 1; x->gossip_due--)
		send_gossip(x);
	for (; x->pings_due >= 1; x->pings_due--)
		send_pings(x);
	ev_timer_set(x->timer, TICK_MS);
}

/* ---- commands ---- */

static void
say_agents(struct peers *x)
{
	const struct agent	*g;
	size_t			 i, n = 0;

	for (i = 0; i < x->nagents; i++)
		n += x->agent[i].state < SWIM_DEAD;
	printf("%zu", n);
	for (i = 0; i < x->nagents; i++) {
		g = &x->agent[i];
		printf(" %s %s %llu %llu", g->name, swim_state_name(g->state),
		    (unsigned long long)g->sent,
		    (unsigned long long)g->received);
	}
	printf("\n");
}

static void
command(struct peers *x, const char *line)
{
	struct sockaddr_storage	 ss;
	struct agent		*g;
	char			 name[64];
	double			 a, b;
	unsigned		 n;

	if (sscanf(line, "ping %lf", &a) == 1) {
		x->ping_rate = a;
		printf("ok\n");
	} else if (sscanf(line, "gossip %lf %lf", &a, &b) == 2) {
		x->gossip_rate = a;
		x->news_rate = b;
		printf("ok\n");
	} else if (sscanf(line, "exchange %63s %u", name, &n) == 2 && n > 0) {
		if ((g = agent_find(x, span_str(name))) == NULL ||
		    gaddr_to_sockaddr(&g->addr, &ss) == -1)
			printf("no such agent\n");
		else
			peers_exchange(x, &ss, n - 1);
	} else if (strcmp(line, "agents") == 0)
		say_agents(x);
	else
		printf("unknown command\n");
}

static void
on_stdin(struct ev_io *io, int fd, int events, void *arg)
{
	struct peers	*x = arg;
	char		 c;
	ssize_t		 n;

	(void)io;
	(void)events;
	while ((n = read(fd, &c, 1)) == 1) {
		if (c != '\n') {
			if (x->line_len < sizeof(x->line) - 1)
				x->line[x->line_len++] = c;
			continue;
		}
		x->line[x->line_len] = '\0';
		x->line_len = 0;
		command(x, x->line);
	}
	if (n == 0)
		ev_stop(x->ev);
}

/* ---- start ---- */

static void
sockets(struct peers *x)
{
	struct sockaddr_in	sin = { .sin_family = AF_INET,
				    .sin_port = htons(x->port) };
	int			on = 1, size = 8 << 20;

	x->udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	x->tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (x->udp == -1 || x->tcp == -1 ||
	    setsockopt(x->tcp, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(x->udp, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) ||
	    bind(x->udp, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    bind(x->tcp, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(x->tcp, 128) == -1)
		fatal("port %u", x->port);
	(void)setsockopt(x->udp, SOL_SOCKET, SO_RCVBUFFORCE, &size,
	    sizeof(size));
}

static int
usage(void)
{
	fprintf(stderr, "usage: gossip_peers [-k KEY] [-m META-BYTES] "
	    "[-n MEMBERS] [-p PORT]\n");
	return 1;
}

int
main(int argc, char **argv)
{
	static struct peers	 x = { .n = 9999, .port = 8301,
				    .meta_len = 250 };
	struct keyring		*ring = keyring_new();
	uint8_t			 key[CRYPT_KEY_MAX];
	int			 ch, n;
	uint32_t		 i;

	while ((ch = getopt(argc, argv, "k:m:n:p:")) != -1)
		switch (ch) {
		case 'k':
			n = base64_decode(optarg, key, sizeof(key));
			if (n == -1 || keyring_add(ring, key, (size_t)n) !=
			    NULL)
				return usage();
			break;
		case 'm':
			x.meta_len = (size_t)atoi(optarg);
			break;
		case 'n':
			x.n = (uint32_t)atoi(optarg);
			break;
		case 'p':
			x.port = (uint16_t)atoi(optarg);
			break;
		default:
			return usage();
		}
	if (x.n == 0 || x.n > 65000 || x.meta_len > META_MAX)
		return usage();
	setvbuf(stdout, NULL, _IOLBF, 0);
	x.inc = xcalloc(x.n, sizeof(*x.inc));
	for (i = 0; i < x.n; i++)
		x.inc[i] = 1;
	rng_seed(&x.rng, 1);
	layers_init(&x.layers, ring);
	wb_init(&x.out, 0);
	wb_init(&x.msg, 0);
	x.ev = ev_new();
	sockets(&x);
	ev_io_set(ev_io_new(x.ev, x.udp, peers_on_udp, &x), EV_READ);
	(void)acceptor_new(x.ev, x.tcp, peers_accept, &x);
	if (fd_nonblock(STDIN_FILENO) == -1)
		fatal("standard input");
	ev_io_set(ev_io_new(x.ev, STDIN_FILENO, on_stdin, &x), EV_READ);
	x.tick_at = ev_hrtime();
	x.timer = ev_timer_new(x.ev, on_timer, &x);
	on_timer(&x);
	ev_run(x.ev);
	return 0;
}
