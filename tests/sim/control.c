/*
 * Forgeries: runs in which a message that nobody sent, or a core that was
 * tampered with, breaks one invariant.  The check that does not notice is
 * worth nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "gossipd/consul.h"
#include "tests/sim/sim.h"

static const uint64_t second = NS_PER_S;

/* An alive about y to x, with these tags and incarnation. */
static void
forge(struct host *x, struct host *y, const char *meta, uint32_t inc)
{
	char		name[SIM_NAME_LEN];
	struct ml_alive	a = {
		.addr = gaddr_ip(&y->addr), .inc = inc,
		.meta = span_str(meta), .port = y->addr.port,
		.vsn = span_of(consul_vsn, VSN_LEN)
	};

	sim_name(y->name, name);
	a.node = span_str(name);
	host_inject(x, ML_ALIVE, &ml_alive_body, &a);
}

static void
accuse(struct host *x, struct host *y)
{
	char		name[SIM_NAME_LEN];
	struct ml_claim	c = {
		.from = span_str("n00000"),
		.inc = swim_incarnation(serf_swim(y->serf))
	};

	sim_name(y->name, name);
	c.node = span_str(name);
	host_inject(x, ML_DEAD, &ml_claim_body, &c);
}

static void
content_run(struct sim *s)
{
	sim_prime(s, s->n);
	forge(&s->host[1], &s->host[2], "other tags", 2);
	sim_run(s, 5 * second);
}

static void
backwards_run(struct sim *s)
{
	struct sview	*v;

	sim_prime(s, s->n);
	host_retag(&s->host[2], 1);
	sim_run(s, 5 * second);
	v = swim_view(serf_swim(s->host[1].serf), span_str("n00002"));
	v->inc--;
	sim_run(s, 5 * second);
}

static void
resurrected_run(struct sim *s)
{
	sim_prime(s, s->n);
	host_leave(&s->host[2]);
	sim_run(s, 20 * second);
	forge(&s->host[1], &s->host[2], "", 9);
	sim_run(s, 5 * second);
}

static void
queue_run(struct sim *s)
{
	uint8_t	msg[40] = { ML_USER, SF_EVENT };
	int	i;

	sim_prime(s, s->n);
	for (i = 0; i < 5000; i++)
		bcast_add(swim_bcast(serf_swim(s->host[1].serf)), BC_EVENT,
		    BCAST_NAMELESS, false, msg, sizeof(msg));
	sim_run(s, 5 * second);
}

/* It answers, but never says that it is alive after all. */
static void
make_mute(struct host *h)
{
	h->mute = true;
	serf_swim(h->serf)->leaving = true;
}

static void
reaped_conf(struct sim_conf *c)
{
	c->serf.reconnect_timeout_ns = 30 * second;
}

static void
reaped_run(struct sim *s)
{
	sim_prime(s, s->n);
	sim_run(s, 60 * second);
	make_mute(&s->host[2]);
	accuse(&s->host[1], &s->host[2]);
	sim_run(s, 200 * second);
}

static void
refuted_run(struct sim *s)
{
	sim_prime(s, s->n);
	sim_run(s, 5 * second);
	make_mute(&s->host[2]);
	accuse(&s->host[1], &s->host[2]);
	(void)check_agree(s, 20 * second);
}

static void
agree_run(struct sim *s)
{
	sim_prime(s, s->n);
	sim_cut(s, 3, 1);
	(void)check_agree(s, 60 * second);
	sim_run(s, 60 * second);
	(void)check_agree(s, 60 * second);
}

static void
wronged_conf(struct sim_conf *c)
{
	c->no_wrong = true;
}

static void
wronged_run(struct sim *s)
{
	sim_prime(s, s->n);
	sim_run(s, 60 * second);
	accuse(&s->host[1], &s->host[2]);
	sim_run(s, 5 * second);
}

static void
duplicate_run(struct sim *s)
{
	s->nseen = 10;
	s->seen = xcalloc((size_t)s->n * s->nseen, 1);
	sim_prime(s, s->n);
	(void)host_fire(&s->host[1], "e1", 0);
	/* One forgets, and hears it again in an exchange of state. */
	sim_run(s, 2 * second);
	serf_events_clear(s->host[1].serf);
	sim_run(s, 60 * second);
}

const struct control controls[] = {
	{ "forged-content", INV_CONTENT, 20, NULL, content_run,
	    "tags that the member never had" },
	{ "forged-backwards", INV_BACKWARDS, 20, NULL, backwards_run,
	    "a view that goes back by one" },
	{ "forged-resurrection", INV_RESURRECTED, 20, NULL, resurrected_run,
	    "an alive about one that left" },
	{ "forged-queue", INV_QUEUE, 20, NULL, queue_run,
	    "messages queued past the bound" },
	{ "forged-death", INV_REAPED, 20, reaped_conf, reaped_run,
	    "one is said to be dead, and refutes nothing, for long" },
	{ "forged-silence", INV_REFUTED, 20, NULL, refuted_run,
	    "one is said to be dead, and refutes nothing" },
	{ "forged-heal", INV_AGREE, 20, NULL, agree_run,
	    "one link stays cut" },
	{ "forged-failure", INV_WRONGED, 20, wronged_conf, wronged_run,
	    "one that runs is said to be dead" },
	{ "forged-duplicate", INV_DUPLICATE, 20, NULL, duplicate_run,
	    "one forgets which events it took" },
};
const size_t ncontrols = NELEM(controls);
