/*
 * rpcd: the transport of server RPC.  Owns the sockets of port 8300, sessions,
 * framing, the connection pool, the choice of a server and retries.  What a
 * method does, and where a call has to go, is catalogd's to say.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "rpcd/rpcd.h"

/* Nothing beyond sockets, which every child may use. */
static const struct sandbox_role rpcd_role = { .name = "rpcd" };

static void
on_socket(struct child *c, const struct msg_socket *m, int fd, void *arg)
{
	struct rpcd	*r = arg;

	(void)c;
	if (m->kind != SOCK_RPC_TCP || r->nlisten == NELEM(r->listen))
		fatalx("socket %s is not for rpcd", str_or(m->text, "?"));
	r->listen[r->nlisten++] = fd;
}

static void
on_conf_item(struct child *c, enum conf_kind kind, struct rbuf *b, void *arg)
{
	struct rpcd	*r = arg;

	(void)c;
	switch ((int)kind) {
	case CONF_AGENT:
		schema_clear(&conf_agent_schema, &r->agent);
		if (schema_decode(&conf_agent_schema, b, &r->agent) == -1)
			fatalx("agent configuration: %s", b->err);
		break;
	case CONF_RPC:
		schema_clear(&conf_rpc_schema, &r->conf);
		if (schema_decode(&conf_rpc_schema, b, &r->conf) == -1)
			fatalx("rpc configuration: %s", b->err);
		break;
	default:
		fatalx("configuration of kind %d is not for rpcd", (int)kind);
	}
}

static void
set_limits(struct rpcd *r)
{
	struct serve_limits	 l = { 0 };

	l.handshake_ms = (uint64_t)(r->conf.rpc_handshake_timeout / NS_PER_MS);
	l.conns_per_ip = (size_t)r->conf.max_conns_per_client;
	serve_set_limits(r->serve, &l);
	forward_set_hold(r->forward,
	    (uint64_t)(r->conf.rpc_hold_timeout / NS_PER_MS));
}

/* discod has looked at all of it, so what fails here is rare. */
static void
load_tls(struct rpcd *r, bool first)
{
	char	err[256];
	int	rc;

	rc = rpc_tls_load(&r->tls, &r->conf.tls, str_or(r->agent.datacenter,
	    ""), str_or(r->agent.domain, ""), err, sizeof(err));
	if (rc == -1 && first) {
		child_refuse(r->child, "TLS: %s", err);
		r->refused = true;
	} else if (rc == -1)
		log_errorx("TLS: %s: certificates stay as they were", err);
	else if (r->tls.set != NULL)
		log_info("TLS: certificates %s", first ? "loaded" :
		    "loaded anew");
	/* The contexts have what they need of it. */
	schema_clear(&conf_tls_schema, &r->conf.tls);
}

static void
on_conf_done(struct child *c, bool first, void *arg)
{
	struct rpcd	*r = arg;

	r->child = c;
	load_tls(r, first);
	if (!first)
		set_limits(r);
}

/* Calls leave from the bind address, unless it is any. */
static const struct sockaddr_storage *
local_addr(const struct rpcd *r, struct sockaddr_storage *a)
{
	uint8_t	 bytes[16], zero[16] = { 0 };
	size_t	 n;

	if (addr_parse(str_or(r->agent.bind_addr, ""), 0, a) == -1)
		return NULL;
	n = addr_to_bytes(a, bytes);
	return memcmp(bytes, zero, n) == 0 ? NULL : a;
}

static void
on_hand(struct stream *s, uint8_t type, const char *from, void *arg)
{
	hand_in(arg, s, type, from);
}

static void
on_start(struct child *c, void *arg)
{
	struct rpcd		*r = arg;
	struct ev		*ev = child_ev(c);
	struct sockaddr_storage	 a;
	struct ipc		*ipc;
	size_t			 i;

	if (r->refused)
		return;
	r->servers = servers_new(str_or(r->agent.datacenter, ""));
	r->pool = pool_new(ev, local_addr(r, &a), &r->tls);
	r->forward = forward_new(ev, r->pool, r->servers, rpcd_answer, r);
	if (!r->agent.server)
		r->rebalance = rebalance_new(ev, r->pool, r->servers);
	r->calls = calls_new(ev);
	r->serve = serve_new(ev, r->calls, &r->tls);
	r->hand = hand_new(ev, pool_dialler(r->pool), r->servers);
	if (r->agent.server)
		serve_set_hand(r->serve, on_hand, r->hand);
	set_limits(r);
	ipc = child_link(c, PROC_CATALOGD);
	calls_link(r->calls, ipc);
	hand_link(r->hand, ipc);
	serve_catalog_up(r->serve, ipc != NULL);
	for (i = 0; i < r->nlisten; i++)
		serve_listen(r->serve, r->listen[i]);
}

static void
on_stop(struct child *c, void *arg)
{
	struct rpcd	*r = arg;

	(void)c;
	serve_free(r->serve);
	hand_free(r->hand);
	rebalance_free(r->rebalance);
	forward_free(r->forward);
	pool_free(r->pool);
	servers_free(r->servers);
	calls_free(r->calls);
	r->calls = NULL;
	rpc_tls_clear(&r->tls);
	schema_clear(&conf_agent_schema, &r->agent);
	schema_clear(&conf_rpc_schema, &r->conf);
}

static const struct child_ops rpcd_ops = {
	.self = PROC_RPCD,
	.socket = on_socket,
	.link = rpcd_link,
	.conf_item = on_conf_item,
	.conf_done = on_conf_done,
	.start = on_start,
	.msg = rpcd_msg,
	.stop = on_stop,
	.role = &rpcd_role
};

int
main(int argc, char **argv)
{
	struct rpcd	 r;

	memset(&r, 0, sizeof(r));
	return child_main(argc, argv, &rpcd_ops, &r);
}
