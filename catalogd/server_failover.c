/*
 * A prepared query that found nothing here, and names others to ask.
 *
 *	PreparedQuery.Execute ----> Catalog.ListDatacenters (the nearest first)
 *	                      ----> PreparedQuery.ExecuteRemote, one datacenter
 *	                            after the other until one has an instance
 *
 * Happy path: the answer of the first that has one, with how many were asked.
 * Failures: a datacenter that nobody knows is left out; one that does not
 * answer, or not in time, counts as asked.  When none has an instance the last
 * answer that came is the answer, be it our own.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/server_i.h"
#include "common/log.h"
#include "common/mp.h"

/* A datacenter's servers hold a call for 7 s while they have no leader. */
#define REMOTE_MS 10000
#define NAMES_MS 6000

struct failover {
	struct server_call	*c;
	void			*call;		/* what is waited for */
	struct prepared_query	 query;
	struct strs		 dcs;		/* to ask, in order */
	size_t			 asked;
	struct query_execute_response found;
};

void
failover_free(struct failover *f)
{
	if (f == NULL)
		return;
	if (f->call != NULL)
		f->c->srv->env.call_cancel(f->call, f->c->srv->env.arg);
	schema_clear(&prepared_query_schema, &f->query);
	schema_clear(&query_execute_response_schema, &f->found);
	strs_clear(&f->dcs);
	free(f);
}

/* ---- whom to ask ---- */

static void
add_once(struct strs *out, const char *dc)
{
	if (!strs_has(out, dc))
		strs_add(out, dc);
}

/* known: all datacenters, the nearest first, our own among them. */
static void
choose(struct failover *f, const struct strs *known)
{
	const struct query_failover *want = &f->query.service.failover;
	const char *own = str_or(f->c->srv->agent.datacenter, "");
	size_t i;

	for (i = 0; i < known->n && (int64_t)f->dcs.n < want->nearest_n; i++)
		if (strcmp(known->item[i], own) != 0)
			strs_add(&f->dcs, known->item[i]);
	for (i = 0; i < want->datacenters.n; i++) {
		if (str_empty(want->datacenters.item[i]) ||
		    strcmp(want->datacenters.item[i], own) == 0)
			continue;
		if (strs_has(known, want->datacenters.item[i]))
			add_once(&f->dcs, want->datacenters.item[i]);
		else
			log_debug("prepared query %s: nobody knows datacenter "
			    "%s", str_or(f->query.id, ""),
			    want->datacenters.item[i]);
	}
}

/* ---- asking ---- */

static void
end(struct failover *f)
{
	struct reply r;

	memset(&r, 0, sizeof(r));
	wb_init(&r.body, 0);
	f->found.failovers = (int64_t)f->asked;
	reply_schema(&r, &query_execute_response_schema, &f->found);
	call_end(f->c, &r);
}

static void ask_next(struct failover *);

static void
on_found(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct query_execute_response a;
	struct failover *f = arg;
	const char *dc = f->dcs.item[f->asked - 1];

	f->call = NULL;
	if (status != CALL_OK || schema_decode_all(
	    &query_execute_response_schema, body, len, &a, &error) == -1) {
		log_warnx("prepared query %s: datacenter %s: %s",
		    str_or(f->query.id, ""), dc, str_or(error, "no answer"));
		ask_next(f);
		return;
	}
	schema_clear(&query_execute_response_schema, &f->found);
	f->found = a;
	if (a.nodes.n > 0)
		end(f);
	else
		ask_next(f);
}

static void
ask_next(struct failover *f)
{
	const struct query_execute_request *req = f->c->req;
	struct server *srv = f->c->srv;
	struct query_remote_request q;
	struct msg_call m;
	struct wbuf w;

	if (f->asked == f->dcs.n) {
		end(f);
		return;
	}
	memset(&q, 0, sizeof(q));
	q.datacenter = f->dcs.item[f->asked++];
	q.query = f->query;
	q.limit = req->limit;
	q.connect = req->connect;
	q.token = req->token;
	q.allow_stale = req->allow_stale;
	q.require_consistent = req->require_consistent;
	memset(&m, 0, sizeof(m));
	m.method = (char *)(uintptr_t)"PreparedQuery.ExecuteRemote";
	m.target = CALL_DC;
	m.datacenter = q.datacenter;
	m.flags = CALL_VIA_DC;
	wb_init(&w, 0);
	schema_encode(&query_remote_request_schema, &q, &w);
	f->call = srv->env.call(&m, w.p, w.len, REMOTE_MS, on_found, f,
	    srv->env.arg);
	wb_free(&w);
}

static void
on_names(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct failover *f = arg;
	const uint8_t *p;
	struct strs known;
	struct rbuf r;
	size_t n, left;
	char *name;

	f->call = NULL;
	memset(&known, 0, sizeof(known));
	if (status != CALL_OK)
		log_warnx("prepared query %s: datacenters: %s",
		    str_or(f->query.id, ""), str_or(error, "no answer"));
	rb_init(&r, body, len);
	for (left = len > 0 ? mp_get_array(&r) : 0; left > 0; left--) {
		if ((p = mp_get_raw(&r, &n)) == NULL)
			break;
		name = xmemdup_str(p, n);
		strs_add(&known, name);
		free(name);
	}
	choose(f, &known);
	strs_clear(&known);
	ask_next(f);
}

void
failover_start(struct server_call *c, struct reply *r)
{
	const char *why;
	struct failover *f = xcalloc(1, sizeof(*f));
	struct server *srv = c->srv;
	struct msg_call m;
	struct reply again;
	const uint8_t none[] = { 0x80 };

	f->c = c;
	memset(&again, 0, sizeof(again));
	if (schema_decode_all(&query_execute_response_schema, r->body.p,
	    r->body.len, &f->found, &why) == -1)
		fatalx("own answer to %s: %s", c->name, why);
	if (!query_resolve(srv, c->req, &f->query, &again)) {
		free(again.error);
		failover_free(f);
		call_end(c, r);
		return;
	}
	free(r->error);
	wb_free(&r->body);
	c->failover = f;
	call_move(c, CALL_REMOTE);
	memset(&m, 0, sizeof(m));
	m.method = (char *)(uintptr_t)"Catalog.ListDatacenters";
	m.target = CALL_HERE;
	f->call = srv->env.call(&m, none, sizeof(none), NAMES_MS, on_names, f,
	    srv->env.arg);
}
