/*
 * What common/imsg.def says, as a table: names, the check before dispatch, and
 * the hash that two processes compare before they talk.
 */
#include <string.h>

#include "common/ipc.h"
#include "common/schema/agent.h"
#include "common/schema/conf.h"
#include "common/schema/msg.h"
#include "common/util.h"

#define B(p) PROC_BIT(PROC_##p)

struct imsg_rule {
	const char	*name;
	uint32_t	 from, to;
	size_t		 min, max;
	int		 fd;
};

static const struct imsg_rule rules[IMSG_MAX_] = {
#define IMSG(n, value, f, t, lo, hi, has)				\
	[value] = { .name = #n, .from = (f), .to = (t), .min = (lo),	\
	    .max = (hi), .fd = (has) },
#include "common/imsg.def"
#undef IMSG
};

/* Those whose layout two processes have to agree on. */
static struct schema *const schemas[] = {
	&msg_setup_schema, &msg_socket_schema, &msg_call_schema,
	&msg_answer_schema, &member_schema, &msg_event_schema,
	&gossip_join_schema, &gossip_joined_schema,
	&gossip_force_leave_schema, &gossip_members_request_schema,
	&gossip_members_schema, &parent_status_schema, &msg_check_schema,
	&msg_result_schema, &msg_run_schema, &msg_exited_schema,
	&msg_view_schema, &msg_resolved_schema, &conf_agent_schema,
	&conf_gossip_schema, &conf_rpc_schema, &conf_catalog_schema,
	&conf_checkd_schema, &conf_dns_schema, &conf_http_schema,
	&conf_exec_schema, &service_def_schema, &check_def_schema,
	&agent_services_schema, &agent_checks_schema, &agent_id_schema,
	&agent_register_schema, &agent_update_schema,
	&agent_maintenance_schema, &agent_stats_schema,
};

static const struct imsg_rule *
rule(enum imsg_type type)
{
	if ((unsigned)type >= IMSG_MAX_ || rules[type].name == NULL)
		return NULL;
	return &rules[type];
}

const char *
imsg_name(enum imsg_type type)
{
	const struct imsg_rule	*r = rule(type);

	return r == NULL ? "?" : r->name;
}

int
imsg_check(enum imsg_type type, enum proc from, enum proc to, size_t len,
    int has_fd, const char **why)
{
	const struct imsg_rule	*r = rule(type);

	*why = NULL;
	if (r == NULL)
		*why = "unknown message type";
	else if ((unsigned)from >= PROC_MAX || (unsigned)to >= PROC_MAX ||
	    (proc_peers(from) & PROC_BIT(to)) == 0)
		*why = "no such link";
	else if ((r->from & PROC_BIT(from)) == 0)
		*why = "not from there";
	else if ((r->to & PROC_BIT(to)) == 0)
		*why = "not to here";
	else if ((has_fd != 0) != r->fd)
		*why = r->fd ? "descriptor missing" : "unexpected descriptor";
	else if (len > r->max)
		*why = IMSG_TOO_LONG;
	else if (len < r->min)
		*why = IMSG_TOO_SHORT;
	return *why == NULL ? 0 : -1;
}

static uint64_t
hash_num(uint64_t h, uint64_t v)
{
	return hash_bytes(&v, sizeof(v), h);
}

static uint64_t
hash_str(uint64_t h, const char *s)
{
	return hash_bytes(s, strlen(s) + 1, h);
}

static uint64_t
hash_schema(uint64_t h, const struct schema *s)
{
	const struct schema_field	*f;
	size_t				 i;

	h = hash_str(h, s->name);
	for (i = 0; i < s->nfields; i++) {
		f = &s->fields[i];
		h = hash_str(h, f->name);
		h = hash_num(h, (uint64_t)f->kind << 32 | f->flags);
		if (f->sub != NULL && f->sub != s)
			h = hash_schema(h, f->sub);
	}
	return h;
}

uint64_t
imsg_hash(void)
{
	const struct imsg_rule	*r;
	uint64_t		 h;
	size_t			 i;

	h = hash_str(0, DISCO_VERSION);
	for (i = 0; i < NELEM(rules); i++) {
		if ((r = rule((enum imsg_type)i)) == NULL)
			continue;
		h = hash_str(h, r->name);
		h = hash_num(h, i);
		h = hash_num(h, (uint64_t)r->from << 32 | r->to);
		h = hash_num(h, r->min);
		h = hash_num(h, r->max);
		h = hash_num(h, (uint64_t)r->fd);
	}
	for (i = 0; i < NELEM(schemas); i++)
		h = hash_schema(h, schemas[i]);
	return h;
}
