/*
 * The connections by server.  Callers that come while one is being dialled
 * wait for that one.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "rpcd/conn.h"

TAILQ_HEAD(conns, conn);

struct pool {
	struct conns		 conns;
	struct conn_owner	 owner;
	struct dialler		 dialler;
	uint64_t		 seq;
	size_t			 n;
};

static void
on_gone(struct conn *conn, void *arg)
{
	struct pool	*p = arg;

	TAILQ_REMOVE(&p->conns, conn, entry);
	p->n--;
}

struct pool *
pool_new(struct ev *ev, const struct sockaddr_storage *local,
    const struct rpc_tls *tls)
{
	struct pool	*p = xcalloc(1, sizeof(*p));

	p->dialler.ev = ev;
	p->dialler.tls = tls;
	TAILQ_INIT(&p->conns);
	p->owner.gone = on_gone;
	p->owner.arg = p;
	if (local != NULL) {
		p->dialler.local = *local;
		addr_set_port(&p->dialler.local, 0);
		p->dialler.has_local = true;
	}
	return p;
}

void
pool_free(struct pool *p)
{
	struct conn	*conn;

	if (p == NULL)
		return;
	while ((conn = TAILQ_FIRST(&p->conns)) != NULL) {
		on_gone(conn, p);
		conn_free(conn);
	}
	free(p);
}

static struct conn *
conn_get(struct pool *p, const struct server_id *id)
{
	struct conn	*conn;

	TAILQ_FOREACH(conn, &p->conns, entry)
		if (strcmp(conn->id.name, id->name) == 0 &&
		    addr_equal_ip(&conn->id.addr, &id->addr) &&
		    addr_port(&conn->id.addr) == addr_port(&id->addr) &&
		    conn_usable(conn))
			return conn;
	conn = conn_dial(&p->dialler, id, &p->owner);
	TAILQ_INSERT_HEAD(&p->conns, conn, entry);
	p->n++;
	return conn;
}

struct pool_call *
pool_call(struct pool *p, const struct server_id *id, const char *method,
    unsigned via, const void *body, size_t len, pool_fn *fn, void *arg)
{
	struct pool_call	*c = xcalloc(1, sizeof(*c));

	c->method = xstrdup(method);
	c->via = id->disco ? via : 0;
	c->seq = ++p->seq;
	c->fn = fn;
	c->arg = arg;
	conn_call(conn_get(p, id), c, body, len);
	return c;
}

void
pool_cancel(struct pool_call *c)
{
	conn_cancel(c);
}

const struct dialler *
pool_dialler(const struct pool *p)
{
	return &p->dialler;
}

size_t
pool_nconns(const struct pool *p)
{
	return p->n;
}
