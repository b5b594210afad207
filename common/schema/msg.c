/*
 * The tables of messages between our own processes.
 */
#include <stddef.h>

#include "common/schema/msg.h"

SCHEMA_DEFINE(msg_setup, MSG_SETUP)
SCHEMA_DEFINE(msg_socket, MSG_SOCKET)
SCHEMA_DEFINE(msg_call, MSG_CALL)
SCHEMA_DEFINE(msg_answer, MSG_ANSWER)
SCHEMA_DEFINE(member, MEMBER)
SCHEMA_DEFINE(msg_event, MSG_EVENT)
SCHEMA_DEFINE(gossip_join, GOSSIP_JOIN)
SCHEMA_DEFINE(gossip_joined, GOSSIP_JOINED)
SCHEMA_DEFINE(gossip_force_leave, GOSSIP_FORCE_LEAVE)
SCHEMA_DEFINE(gossip_members_request, GOSSIP_MEMBERS_REQUEST)
SCHEMA_DEFINE(gossip_members, GOSSIP_MEMBERS)
SCHEMA_DEFINE(gossip_keyring, GOSSIP_KEYRING)
SCHEMA_DEFINE(gossip_coordinates_request, GOSSIP_COORDINATES_REQUEST)
SCHEMA_DEFINE(gossip_coordinates, GOSSIP_COORDINATES)
SCHEMA_DEFINE(daemon_status, DAEMON_STATUS)
SCHEMA_DEFINE(parent_status, PARENT_STATUS)
SCHEMA_DEFINE(dns_log_request, DNS_LOG_REQUEST)
SCHEMA_DEFINE(parent_host, PARENT_HOST)
SCHEMA_DEFINE(msg_check, MSG_CHECK)
SCHEMA_DEFINE(msg_result, MSG_RESULT)
SCHEMA_DEFINE(check_run, CHECK_RUN)
SCHEMA_DEFINE(msg_check_runs, MSG_CHECK_RUNS)
SCHEMA_DEFINE(msg_run, MSG_RUN)
SCHEMA_DEFINE(msg_exited, MSG_EXITED)
SCHEMA_DEFINE(view_entry, VIEW_ENTRY)
SCHEMA_DEFINE(msg_view, MSG_VIEW)
SCHEMA_DEFINE(msg_resolved, MSG_RESOLVED)
