/*
 * Methods of catalogd's agent half, called by apid: this node's own services
 * and checks.  Never accepted from the network.
 *
 *	method			request			answer
 *	Agent.Services		empty			agent_services
 *	Agent.Service		agent_id		agent_service, error "unknown"
 *	Agent.Checks		empty			agent_checks
 *	Agent.RegisterService	agent_register		empty
 *	Agent.DeregisterService	agent_id		empty
 *	Agent.RegisterCheck	check_def		empty
 *	Agent.DeregisterCheck	agent_id		empty
 *	Agent.UpdateCheck	agent_update (TTL)	empty
 *	Agent.Maintenance	agent_maintenance	empty
 *	Agent.CheckRuns		agent_id ("": all)	agent_check_runs
 *	Agent.Stats		empty			agent_stats
 *	Agent.Sync		empty			empty
 *	Agent.EventFire		agent_event_fire	user_event
 *	Agent.EventList		agent_event_list	agent_events
 *
 * Errors carry the HTTP status in front: "400 Missing service name".
 */
#ifndef COMMON_SCHEMA_AGENT_H
#define COMMON_SCHEMA_AGENT_H

#include "common/schema/conf.h"
#include "common/schema/rpc.h"

/* As agent/services shows it. */
#define AGENT_SERVICE(F, T)						\
	F(T, STR, , kind, "Kind", S_OMIT, NULL)				\
	F(T, STR, , id, "ID", 0, NULL)					\
	F(T, STR, , service, "Service", 0, NULL)			\
	F(T, STRS, , tags, "Tags", S_EMPTY, NULL)			\
	F(T, STRMAP, , meta, "Meta", S_EMPTY, NULL)			\
	F(T, INT, , port, "Port", 0, NULL)				\
	F(T, STR, , address, "Address", 0, NULL)			\
	F(T, MAP, service_address, tagged_addresses, "TaggedAddresses",	\
	    S_OMIT, NULL)						\
	F(T, STRUCT, service_weights, weights, "Weights", 0, NULL)	\
	F(T, BOOL, , enable_tag_override, "EnableTagOverride", 0, NULL)	\
	F(T, STR, , content_hash, "ContentHash",			\
	    S_OMIT|S_NOFILTER, NULL)		\
	F(T, PTR, proxy_config, proxy, "Proxy", S_OMIT, NULL)		\
	F(T, PTR, service_connect, connect, "Connect", S_OMIT, NULL)
SCHEMA_DECLARE(agent_service, AGENT_SERVICE)
#define AGENT_SERVICES(F, T)						\
	F(T, MAP, agent_service, services, "Services", S_EMPTY, NULL)
SCHEMA_DECLARE(agent_services, AGENT_SERVICES)
#define AGENT_CHECKS(F, T)						\
	F(T, MAP, health_check, checks, "Checks", S_EMPTY, NULL)
SCHEMA_DECLARE(agent_checks, AGENT_CHECKS)
#define AGENT_ID(F, T)							\
	F(T, STR, , id, "ID", 0, NULL)					\
	F(T, STR, , hash, "Hash", S_OPT, NULL) /* Agent.Service: answer	\
				when its ContentHash is another ... */	\
	F(T, DUR, , wait, "Wait", S_OPT, NULL) /* ... or after this */
SCHEMA_DECLARE(agent_id, AGENT_ID)
#define AGENT_REGISTER(F, T)						\
	F(T, STRUCT, service_def, service, "Service", 0, NULL)		\
	F(T, BOOL, , replace_existing_checks, "ReplaceExistingChecks",	\
	    0, NULL)
SCHEMA_DECLARE(agent_register, AGENT_REGISTER)
#define AGENT_UPDATE(F, T)						\
	F(T, STR, , id, "ID", 0, NULL)					\
	F(T, STR, , status, "Status", 0, NULL)				\
	F(T, STR, , output, "Output", 0, NULL)
SCHEMA_DECLARE(agent_update, AGENT_UPDATE)
#define AGENT_MAINTENANCE(F, T)						\
	F(T, STR, , service_id, "ServiceID", 0, NULL) /* "": the node */ \
	F(T, BOOL, , enable, "Enable", 0, NULL)				\
	F(T, STR, , reason, "Reason", 0, NULL)				\
	F(T, DUR, , lasts, "For", S_OPT, NULL) /* 0: until it is ended */
SCHEMA_DECLARE(agent_maintenance, AGENT_MAINTENANCE)

/* Checks as their owner sees them: v1/disco/checks.  Durations are ages and
 * distances from now; 0 where there is none. */
#define CHECK_CHANGE(F, T)						\
	F(T, TIME, , at, "At", 0, NULL)					\
	F(T, STR, , status, "Status", 0, NULL)				\
	F(T, STR, , output, "Output", 0, NULL)	/* its beginning */
SCHEMA_DECLARE(check_change, CHECK_CHANGE)
#define AGENT_CHECK_RUN(F, T)						\
	F(T, STR, , id, "CheckID", 0, NULL)				\
	F(T, STR, , name, "Name", 0, NULL)				\
	F(T, STR, , service_id, "ServiceID", 0, NULL)			\
	F(T, STR, , type, "Type", 0, NULL)				\
	F(T, STR, , status, "Status", 0, NULL)				\
	F(T, STR, , output, "Output", 0, NULL)				\
	F(T, DUR, , interval, "Interval", S_DURTEXT, NULL)		\
	F(T, BOOL, , running, "Running", 0, NULL)			\
	F(T, UINT, , runs, "Runs", 0, NULL)				\
	F(T, STR, , found, "LastFound", 0, NULL) /* before thresholds */ \
	F(T, UINT, , in_row, "InRow", 0, NULL)				\
	F(T, DUR, , latency, "Latency", S_DURTEXT, NULL)		\
	F(T, DUR, , ago, "LastRunAgo", S_DURTEXT, NULL)			\
	F(T, DUR, , next, "NextRunIn", S_DURTEXT, NULL) /* TTL: it expires;
					maintenance: it ends */		\
	F(T, LIST, check_change, changes, "Changes", S_EMPTY, NULL)
SCHEMA_DECLARE(agent_check_run, AGENT_CHECK_RUN)
#define AGENT_CHECK_RUNS(F, T)						\
	F(T, LIST, agent_check_run, checks, "Checks", S_EMPTY, NULL)
SCHEMA_DECLARE(agent_check_runs, AGENT_CHECK_RUNS)
/* Sections of `discoctl info`: "agent.services" -> "1" ... */
#define AGENT_STATS(F, T)						\
	F(T, STRMAP, , stats, "Stats", S_EMPTY, NULL)
SCHEMA_DECLARE(agent_stats, AGENT_STATS)

/* A user event, as event/list shows it. */
#define USER_EVENT(F, T)						\
	F(T, STR, , id, "ID", 0, NULL)					\
	F(T, STR, , name, "Name", 0, NULL)				\
	F(T, BYTES, , payload, "Payload", 0, NULL)			\
	F(T, STR, , node_filter, "NodeFilter", 0, NULL)			\
	F(T, STR, , service_filter, "ServiceFilter", 0, NULL)		\
	F(T, STR, , tag_filter, "TagFilter", 0, NULL)			\
	F(T, UINT, , version, "Version", 0, NULL)			\
	F(T, UINT, , ltime, "LTime", 0, NULL)
SCHEMA_DECLARE(user_event, USER_EVENT)
#define AGENT_EVENT_FIRE(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , token, "Token", S_SECRET, NULL)			\
	F(T, STRUCT, user_event, event, "Event", 0, NULL)
SCHEMA_DECLARE(agent_event_fire, AGENT_EVENT_FIRE)
/* Answered when the index is another, or after the wait. */
#define AGENT_EVENT_LIST(F, T)						\
	F(T, STR, , name, "Name", 0, NULL)	/* "": all */		\
	F(T, UINT, , index, "Index", 0, NULL)				\
	F(T, DUR, , wait, "Wait", 0, NULL)
SCHEMA_DECLARE(agent_event_list, AGENT_EVENT_LIST)
#define AGENT_EVENTS(F, T)						\
	F(T, LIST, user_event, events, "Events", S_EMPTY, NULL)		\
	F(T, UINT, , index, "Index", 0, NULL)
SCHEMA_DECLARE(agent_events, AGENT_EVENTS)

#endif
