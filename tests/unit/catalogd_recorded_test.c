/*
 * Recorded requests get the recorded answers from the server half, and what
 * has no recording the bytes that agents expect.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "tests/unit/catalogd_world.h"

#define VECTORS "tests/vectors/rpc/"

static uint8_t *
vector(const char *name, const char *which, size_t *len)
{
	char path[256], *text;
	size_t n, i, k = 0;
	uint8_t *out;

	snprintf(path, sizeof(path), VECTORS "%s.%s.hex", name, which);
	if ((text = file_read(path, 1 << 20, &n)) == NULL)
		ck_abort_msg("%s", path);
	for (i = 0; i < n; i++)
		if (text[i] != '\n' && text[i] != ' ')
			text[k++] = text[i];
	out = xmalloc(k / 2 + 1);
	ck_assert_int_eq(hex_decode(text, k, out), 0);
	free(text);
	*len = k / 2;
	return out;
}

/* Header and body of a recorded message; the header's method is copied. */
static const uint8_t *
split(const uint8_t *p, size_t len, bool request, char *method, size_t mlen,
    char *error, size_t elen, size_t *body_len)
{
	struct rpc_request_header q;
	struct rpc_response_header a;
	struct rbuf r;

	rb_init(&r, p, len);
	if (request) {
		ck_assert_int_eq(schema_decode(&rpc_request_header_schema, &r,
		    &q), 0);
		snprintf(method, mlen, "%s", q.method);
		schema_clear(&rpc_request_header_schema, &q);
	} else {
		ck_assert_int_eq(schema_decode(&rpc_response_header_schema, &r,
		    &a), 0);
		snprintf(error, elen, "%s", str_or(a.error, ""));
		schema_clear(&rpc_response_header_schema, &a);
	}
	*body_len = r.n;
	return r.p;
}

/*
 * Sends the recorded request.  The answer's body must be the recorded one,
 * `exact`ly or (where indexes, order of maps differ) in kind: NULL error.
 */
static void
replay(struct world *w, const char *name, bool exact)
{
	char method[128], error[512], dummy[1];
	const uint8_t *qb, *ab;
	size_t ql, al, qbl, abl;
	uint8_t *q, *r;
	struct answer a;

	q = vector(name, "req", &ql);
	r = vector(name, "resp", &al);
	qb = split(q, ql, true, method, sizeof(method), dummy, 1, &qbl);
	ab = split(r, al, false, dummy, 1, error, sizeof(error), &abl);
	begin_bytes(w, method, qb, qbl, &a);
	await(&a);
	ck_assert_msg(strcmp(str_or(a.error, ""), error) == 0,
	    "%s: \"%s\", not \"%s\"", name, str_or(a.error, ""), error);
	if (error[0] == '\0' && exact) {
		ck_assert_msg(a.body.len == abl &&
		    memcmp(a.body.p, ab, abl) == 0, "%s: body differs: "
		    "%zu bytes, not %zu", name, a.body.len, abl);
	}
	answer_clear(&a);
	free(q);
	free(r);
}

START_TEST(recorded_requests_get_the_recorded_answers)
{
	/* In the order of the recording; true: to the byte. */
	static const struct { const char *name; bool exact; } v[] = {
		{ "003-ae-register-node", true },
		{ "004-register-service-2-checks", true },
		{ "005-register-service-1-check", true },
		{ "006-register-check-status-change", true },
		{ "007-register-node-check", true },
		{ "008-register-external", true },
		{ "009-deregister-service", true },
		{ "010-deregister-check", true },
		{ "013-status-ping", true },
		{ "014-status-leader", true },
		{ "015-status-peers", true },
		{ "016-catalog-list-nodes", false },
		{ "017-catalog-list-services", false },
		{ "018-catalog-service-nodes-tag", false },
		{ "019-catalog-node-services", false },
		{ "021-catalog-gateway-services", true },
		{ "022-health-service-nodes", false },
		{ "025-health-service-checks", false },
		{ "026-health-checks-in-state", false },
		{ "027-kv-set", true },
		{ "028-kv-get-hit", false },
		{ "029-kv-get-miss", false },
		{ "031-kv-cas-fail", true },
		{ "033-kv-set-binary-300", true },
		{ "034-kv-list", false },
		{ "035-kv-list-keys", false },
		{ "039-kv-delete", true },
		{ "040-kv-delete-tree", true },
		{ "041-kv-delete-cas-missing", true },
		{ "043-session-get", false },
		{ "044-session-list", false },
		{ "045-session-node-sessions", false },
		{ "047-session-renew-unknown", false },
		{ "048-session-destroy", true },
		{ "049-session-create-bad-ttl", true },
		{ "050-session-create-missing-check", false },
		{ "051-kv-lock-bad-session", true },
		{ "052-txn-apply-mixed", false },
		{ "053-txn-apply-failed", true },
		{ "054-txn-read", false },
		{ "060-prepared-query-create", false },
		{ "061-prepared-query-list", false },
		{ "062-prepared-query-execute", false },
		{ "063-prepared-query-execute-unknown", true },
		{ "064-prepared-query-explain", false },
		{ "055-event-fire", true },
		{ "056-coordinate-update", true },
		{ "057-coordinate-list-nodes", false },
		{ "066-internal-node-info", false },
		{ "067-internal-node-dump", false },
		{ "068-internal-service-dump", false },
		{ "069-internal-gateway-service-dump", true },
		{ "070-operator-server-health", false },
		{ "071-operator-raft-configuration", false },
		{ "072-operator-autopilot-configuration", false },
		{ "073-status-raft-stats", false },
		{ "075-config-entry-get-missing", false },
		{ "077-config-entry-resolve", false },
		{ "078-connect-ca-roots-disabled", true },
		{ "079-discovery-chain-disabled", true },
		{ "080-intention-list-empty", true },
		{ "085-error-unknown-datacenter", true },
		{ "087-error-register-no-address", true },
		{ "088-error-register-missing-service", true },
		{ "089-error-unknown-service", true },
		{ "095-catalog-node-services-unknown", true },
		{ "096-catalog-node-service-list-unknown", true },
		{ "011-deregister-node", true },
	};
	struct world w;
	size_t i;

	world_setup(&w);
	for (i = 0; i < NELEM(v); i++)
		replay(&w, v[i].name, v[i].exact);
	world_clear(&w);
}
END_TEST

#define DC1 "\xaa" "Datacenter\xa3" "dc1"
#define KIND "\xa4" "Kind"

/* What is not recorded, or not without a feature that nobody has here. */
START_TEST(features_that_nobody_has_answer_with_nothing)
{
	static const struct {
		const char *method, *body, *has, *error;
	} t[] = {
		{ "Intention.Match", "\x82" DC1 "\xa5Match\x81\xa7" "Entries"
		    "\x92\x81\xa4Name\xa3web\x81\xa4Name\xa2" "db",
		    "\xa7Matches\x92\xc0\xc0", NULL },
		{ "Intention.Check", "\x81" DC1, "\x81\xa7" "Allowed\xc3",
		    NULL },
		{ "Intention.Get", "\x82" DC1 "\xabIntentionID\xa1x", NULL,
		    "failed intention lookup: index error: UUID must be 36 "
		    "characters" },
		{ "Intention.Get", "\x82" DC1 "\xabIntentionID\xd9\x24"
		    "11111111-2222-4333-8444-555555555555", NULL,
		    "Intention not found" },
		{ "Intention.Apply", "\x81" DC1, NULL,
		    "disco's servers do not have intentions" },
		/* Inside a raw string: how many, the kind, then the rest. */
		{ "ConfigEntry.List", "\x82" DC1 KIND "\xb0service-defaults",
		    "\x00\xb0service-defaults\x86", NULL },
		{ "ConfigEntry.List", "\x82" DC1 KIND "\xa7nothing", NULL,
		    "invalid config entry kind: nothing" },
		{ "ConfigEntry.ListAll", "\x81" DC1, "\x00\x85", NULL },
		{ "ConfigEntry.Get", "\x82" DC1 KIND "\xb0service-defaults",
		    "\xa0\x84", NULL },
		{ "ConfigEntry.Apply", "\xa0", NULL,
		    "disco's servers do not have configuration entries" },
		{ "FederationState.List", "\x81" DC1, "\xa6States\x90",
		    NULL },
		{ "FederationState.Get", "\x81" DC1, "\xa5State\xc0", NULL },
		{ "FederationState.ListMeshGateways", "\x81" DC1,
		    "\xaf" "DatacenterNodes\x80", NULL },
		{ "ACL.TokenRead", "\x81" DC1, NULL, "ACL support disabled" },
		{ "ConnectCA.SignIntermediate", "\x81" DC1, NULL, "Connect "
		    "must be enabled in order to use this endpoint" },
	};
	size_t i, n;
	struct world w;
	struct answer a;

	world_setup(&w);
	for (i = 0; i < NELEM(t); i++) {
		begin_bytes(&w, t[i].method, t[i].body, strlen(t[i].body), &a);
		await(&a);
		ck_assert_msg(strcmp(str_or(a.error, ""),
		    str_or(t[i].error, "")) == 0, "%s: %s", t[i].method,
		    a.error);
		if (t[i].has != NULL) {
			/* A zero byte in front is part of it. */
			n = t[i].has[0] != '\0' ? strlen(t[i].has) :
			    1 + strlen(t[i].has + 1);
			ck_assert_msg(memmem(a.body.p, a.body.len, t[i].has,
			    n) != NULL, "%s", t[i].method);
		}
		answer_clear(&a);
	}
	world_clear(&w);
}
END_TEST

/* As recorded, but for the indexes and what is in the rows' order of maps. */
START_TEST(rows_come_back_as_they_were_registered)
{
	struct register_request q;
	struct indexed_node_service_list a, b;
	struct node_request nq;
	struct world w;
	uint8_t *p, *r;
	const uint8_t *body;
	size_t len, rlen, blen;
	char m[128], e[8];
	const char *err;

	world_setup(&w);
	replay(&w, "003-ae-register-node", true);
	replay(&w, "004-register-service-2-checks", true);
	p = vector("004-register-service-2-checks", "req", &len);
	body = split(p, len, true, m, sizeof(m), e, sizeof(e), &blen);
	ck_assert_int_eq(schema_decode_all(&register_request_schema, body,
	    blen, &q, &err), 0);
	memset(&nq, 0, sizeof(nq));
	nq.datacenter = DC;
	nq.node = q.node;
	ask(&w, "Catalog.NodeServiceList", &node_request_schema, &nq,
	    &indexed_node_service_list_schema, &a);
	ck_assert_uint_eq(a.node_services.services.n, 1);
	r = vector("012-ae-node-service-list-populated", "resp", &rlen);
	body = split(r, rlen, false, m, 1, e, sizeof(e), &blen);
	ck_assert_int_eq(schema_decode_all(&indexed_node_service_list_schema,
	    body, blen, &b, &err), 0);
	ck_assert_uint_eq(b.node_services.services.n, 1);
	b.node_services.services.item[0].create_index =
	    a.node_services.services.item[0].create_index;
	b.node_services.services.item[0].modify_index =
	    a.node_services.services.item[0].modify_index;
	ck_assert(schema_equal(&node_service_schema,
	    &a.node_services.services.item[0],
	    &b.node_services.services.item[0]));
	b.node_services.node->create_index =
	    a.node_services.node->create_index;
	b.node_services.node->modify_index =
	    a.node_services.node->modify_index;
	ck_assert(schema_equal(&node_schema, a.node_services.node,
	    b.node_services.node));
	schema_clear(&indexed_node_service_list_schema, &a);
	schema_clear(&indexed_node_service_list_schema, &b);
	schema_clear(&register_request_schema, &q);
	free(p);
	free(r);
	world_clear(&w);
}
END_TEST

UNIT_MAIN("catalogd_recorded",
    recorded_requests_get_the_recorded_answers,
    features_that_nobody_has_answer_with_nothing,
    rows_come_back_as_they_were_registered)
