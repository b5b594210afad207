/*
 * The tables of catalogd's agent methods.
 */
#include <stddef.h>

#include "common/schema/agent.h"

SCHEMA_DEFINE(agent_service, AGENT_SERVICE)
SCHEMA_DEFINE(agent_services, AGENT_SERVICES)
SCHEMA_DEFINE(agent_checks, AGENT_CHECKS)
SCHEMA_DEFINE(agent_id, AGENT_ID)
SCHEMA_DEFINE(agent_register, AGENT_REGISTER)
SCHEMA_DEFINE(agent_update, AGENT_UPDATE)
SCHEMA_DEFINE(agent_maintenance, AGENT_MAINTENANCE)
SCHEMA_DEFINE(check_change, CHECK_CHANGE)
SCHEMA_DEFINE(agent_check_run, AGENT_CHECK_RUN)
SCHEMA_DEFINE(agent_check_runs, AGENT_CHECK_RUNS)
SCHEMA_DEFINE(agent_stats, AGENT_STATS)
SCHEMA_DEFINE(user_event, USER_EVENT)
SCHEMA_DEFINE(agent_event_fire, AGENT_EVENT_FIRE)
SCHEMA_DEFINE(agent_event_list, AGENT_EVENT_LIST)
SCHEMA_DEFINE(agent_events, AGENT_EVENTS)
