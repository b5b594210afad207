/*
 * /v1/disco/checks: this node's checks as their owner sees them.
 */
#include "apid/apid.h"
#include "common/util.h"

static void
check_list(struct request *r, const uint8_t *body, size_t len)
{
	struct agent_check_runs	 runs;
	struct jw		*jw;
	size_t			 i;

	if (decoded(r, &agent_check_runs_schema, body, len, &runs) == -1)
		return;
	jw = json_of(r);
	jw_arr(jw);
	for (i = 0; i < runs.checks.n; i++)
		schema_json_encode(&agent_check_run_schema,
		    &runs.checks.item[i], jw);
	jw_end_arr(jw);
	schema_clear(&agent_check_runs_schema, &runs);
	reply_json(r, jw);
}

/* All of them, or the one whose id is the rest of the path. */
void
ep_disco_checks(struct request *r)
{
	struct agent_id	 q = { 0 };

	str_set(&q.id, r->tail);
	ask_catalogd(r, "Agent.CheckRuns", &agent_id_schema, &q, 0,
	    check_list);
	schema_clear(&agent_id_schema, &q);
}
