/*
 * gossipd: this node's membership in the LAN pool and, on a server, in the WAN
 * pool.  Start, the cores' clock, leaving, the end; the rest is in the files
 * that gossipd.h lists.
 *
 * Start: configuration, keyrings, snapshots; this node comes alive; then, all
 * at once, members of an earlier life, start_join and retry_join are contacted.
 * The list of members is told to others once it is worth telling: after a
 * restart, when the first of the earlier members has answered.
 */
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "gossipd/gossipd.h"

/* ---- the clock ---- */

/* After each turn of the loop. */
static void
after_turn(void *arg)
{
	struct gossipd	*g = arg;

	pool_turn(&g->lan);
	if (pool_of(g, true) != NULL)
		pool_turn(&g->wan);
}

/* ---- start ---- */

static void
warn_of_half(const struct gossipd *g)
{
	bool	lan = pool_encrypted(&g->lan);

	if (lan != pool_encrypted(&g->wan))
		log_warnx("only the %s pool is encrypted: the other has no "
		    "keyring file, and encrypt is not set",
		    lan ? "LAN" : "WAN");
}

static void
on_start(struct child *c, void *arg)
{
	struct gossipd	*g = arg;

	(void)c;
	joins_start(g);
	if (pool_start(&g->lan) == -1)
		return;
	if (g->agent.server && g->agent.port_wan != 0) {
		if (pool_start(&g->wan) == -1) {
			files_keyring_undo(&g->lan);
			return;
		}
		warn_of_half(g);
	}
	ev_after(g->ev, after_turn, g);
	retry_start(g);
}

static void
on_prepare(struct child *c, void *arg)
{
	struct gossipd	*g = arg;

	g->child = c;
	g->ev = child_ev(c);
	g->hosts = hosts_load(NULL);
}

static void
on_socket(struct child *c, const struct msg_socket *s, int fd, void *arg)
{
	struct gossipd	*g = arg;
	int		*slot = NULL;

	(void)c;
	switch ((enum socket_kind)s->kind) {
	case SOCK_LAN_UDP:
		slot = &g->lan.udp_fd;
		break;
	case SOCK_LAN_TCP:
		slot = &g->lan.tcp_fd;
		break;
	case SOCK_WAN_UDP:
		slot = &g->wan.udp_fd;
		break;
	case SOCK_WAN_TCP:
		slot = &g->wan.tcp_fd;
		break;
	default:
		break;
	}
	if (slot == NULL || *slot != -1)
		close(fd);
	else
		*slot = fd;
}

static void
on_link(struct child *c, enum proc peer, struct ipc *ipc, void *arg)
{
	(void)c;
	imsg_link(arg, peer, ipc);
}

static void
on_conf_item(struct child *c, enum conf_kind kind, struct rbuf *r, void *arg)
{
	struct gossipd	*g = arg;

	(void)c;
	/* What gossip is told once is good for a life: a member's name, place
	 * and key do not change under way. */
	if (g->lan.serf != NULL)
		return;
	if ((kind == CONF_AGENT &&
	    schema_decode(&conf_agent_schema, r, &g->agent) == -1) ||
	    (kind == CONF_GOSSIP &&
	    schema_decode(&conf_gossip_schema, r, &g->conf) == -1))
		fatalx("configuration: %s", r->err);
}

static void
on_msg(struct child *c, enum proc peer, struct ipc *ipc, const struct imsg *m,
    void *arg)
{
	(void)c;
	imsg_msg(arg, peer, ipc, m);
}

/* ---- leaving: the WAN pool first ---- */

void
gossipd_left(struct pool *p)
{
	if (p->wan)
		pool_leave(&p->g->lan);
	else
		child_left(p->g->child);
}

static void
on_leave(struct child *c, void *arg)
{
	struct gossipd	*g = arg;

	(void)c;
	g->leaving = true;
	pool_leave(pool_of(g, true) != NULL ? &g->wan : &g->lan);
}

static void
on_stop(struct child *c, void *arg)
{
	struct gossipd	*g = arg;

	(void)c;
	ev_after(g->ev, NULL, NULL);
	/* The cores first: who waits for their answers is forgotten after. */
	pool_stop(&g->lan);
	pool_stop(&g->wan);
	methods_stop(g);
	joins_stop(g);
	retry_stop(g);
	hosts_free(g->hosts);
	schema_clear(&conf_agent_schema, &g->agent);
	schema_clear(&conf_gossip_schema, &g->conf);
}

static const struct sandbox_role role = { .name = "gossipd", .files = true };

static const struct child_ops ops = {
	.self = PROC_GOSSIPD,
	.prepare = on_prepare,
	.socket = on_socket,
	.link = on_link,
	.conf_item = on_conf_item,
	.start = on_start,
	.msg = on_msg,
	.leave = on_leave,
	.stop = on_stop,
	.role = &role,
};

int
main(int argc, char **argv)
{
	static struct gossipd	g;

	pool_init(&g, &g.lan, false);
	pool_init(&g, &g.wan, true);
	TAILQ_INIT(&g.askers);
	return child_main(argc, argv, &ops, &g);
}
