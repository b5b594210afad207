/*
 * Internal.KeyringOperation: one operation is for the WAN pool and for the LAN
 * pools of all datacenters.
 *
 * Happy path: gossipd runs a query over the WAN pool, then one over the LAN's;
 * with the latter the other datacenters are asked for theirs, each at a server
 * of it, which is told that it has been forwarded and goes no further.  All
 * answers go out together.  Failures: the error of a pool, or of a datacenter
 * that is not to be reached, stands in its answer and does not keep the others
 * from being asked; gossipd going away ends the call.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/gossip_i.h"
#include "common/util.h"

/* Twice this is within what apid waits.  A query's own time grows with the
 * pool. */
#define KEYRING_TIMEOUT_MS 14000
#define REMOTE_TIMEOUT_MS 15000

/* One datacenter's. */
struct key_part {
	struct gossip_call		*c;
	char				*dc;
	void				*call;	/* NULL: it has answered */
	char				*error;
	struct keyring_responses	 keys;
};

static void
remote_got(enum call_status status, const char *error, const uint8_t *body,
    size_t len, void *arg)
{
	struct key_part		*p = arg;
	struct gossip_call	*c = p->c;

	p->call = NULL;
	if (status != CALL_OK)
		p->error = xstrdup(str_or(error, "no answer"));
	else if (schema_decode_all(&keyring_responses_schema, body, len,
	    &p->keys, &error) == -1)
		p->error = xstrdup(error);
	c->nopen--;
	/* Else gossipd's answer is still to come. */
	if (c->step == STEP_END && c->nopen == 0)
		gossip_run(c);
}

static void
remote_ask(struct gossip_call *c, struct key_part *p)
{
	struct keyring_request	 q = c->keyring;
	struct msg_call		 m;
	struct wbuf		 w;

	q.forwarded = true;
	q.datacenter = p->dc;
	memset(&m, 0, sizeof(m));
	m.method = (char *)(uintptr_t)c->method->name;
	m.target = CALL_DC;
	m.datacenter = p->dc;
	m.flags = CALL_WRITE | CALL_VIA_DC;
	wb_init(&w, 0);
	schema_encode(&keyring_request_schema, &q, &w);
	p->call = c->g->remote.call(&m, w.p, w.len, REMOTE_TIMEOUT_MS,
	    remote_got, p, c->g->remote.arg);
	c->nopen++;
	wb_free(&w);
}

static void
ask_others(struct gossip_call *c)
{
	struct strs	 names;
	size_t		 i;

	datacenters_names(c->g->dcs, &names);
	c->part = xcalloc(names.n, sizeof(*c->part));
	for (i = 0; i < names.n; i++) {
		if (strcmp(names.item[i], datacenters_own(c->g->dcs)) == 0)
			continue;
		c->part[c->npart].c = c;
		c->part[c->npart].dc = xstrdup(names.item[i]);
		remote_ask(c, &c->part[c->npart++]);
	}
	strs_clear(&names);
}

static void
put_others(struct gossip_call *c)
{
	struct keyring_response	*r;
	struct key_part		*p;
	size_t			 i, j;

	for (i = 0; i < c->npart; i++) {
		p = &c->part[i];
		for (j = 0; j < p->keys.responses.n; j++)
			schema_copy(&keyring_response_schema,
			    VEC_ADD(&c->keys.responses),
			    &p->keys.responses.item[j]);
		if (p->error == NULL)
			continue;
		r = VEC_ADD(&c->keys.responses);
		r->datacenter = xstrdup(p->dc);
		r->error = xstrdup(p->error);
	}
}

bool
keyring_run(struct gossip_call *c)
{
	struct keyring_request	*q = &c->keyring;
	struct gossip_keyring	 k;
	bool			 far = c->g->wan && !q->local_only &&
				    !q->forwarded;

	if (c->step == STEP_START && q->local_only &&
	    strcmp(str_or(q->operation, ""), "list") != 0) {
		c->error = xstrdup("argument error: LocalOnly can only be "
		    "used for List operations");
		return false;
	}
	if (c->step < STEP_END)
		c->step++;
	if (c->step == STEP_WAN && !far)
		c->step++;
	if (c->step == STEP_END) {
		if (c->nopen > 0)
			return true;
		put_others(c);
		schema_encode(&keyring_responses_schema, &c->keys, &c->reply);
		return false;
	}
	memset(&k, 0, sizeof(k));
	k.operation = q->operation;
	k.key = q->key;
	k.relay_factor = q->relay_factor;
	k.wan = c->step == STEP_WAN;
	gossip_step(c, "Gossip.Keyring", &gossip_keyring_schema, &k,
	    KEYRING_TIMEOUT_MS);
	if (c->step == STEP_LAN && far && c->g->remote.call != NULL)
		ask_others(c);
	return true;
}

void
keyring_got(struct gossip_call *c, const char *error, const uint8_t *body,
    size_t len)
{
	struct keyring_response	*r = VEC_ADD(&c->keys.responses);

	if (error == NULL)
		(void)schema_decode_all(&keyring_response_schema, body, len, r,
		    &error);
	if (error != NULL) {
		schema_clear(&keyring_response_schema, r);
		r->error = xstrdup(error);
	}
	r->wan = c->step == STEP_WAN;
	str_set(&r->datacenter, datacenters_own(c->g->dcs));
}

void
keyring_drop(struct gossip_call *c)
{
	struct key_part	*p;
	size_t		 i;

	for (i = 0; i < c->npart; i++) {
		p = &c->part[i];
		if (p->call != NULL)
			c->g->remote.cancel(p->call, c->g->remote.arg);
		schema_clear(&keyring_responses_schema, &p->keys);
		free(p->dc);
		free(p->error);
	}
	free(c->part);
}
