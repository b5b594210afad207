/*
 * The tables of configuration.
 */
#include <stddef.h>

#include "common/schema/conf.h"

SCHEMA_DEFINE(conf_agent, CONF_AGENT_)
SCHEMA_DEFINE(conf_pool, CONF_POOL)
SCHEMA_DEFINE(conf_gossip, CONF_GOSSIP_)
SCHEMA_DEFINE(conf_tls, CONF_TLS)
SCHEMA_DEFINE(conf_rpc, CONF_RPC_)
SCHEMA_DEFINE(conf_catalog, CONF_CATALOG_)
SCHEMA_DEFINE(conf_checkd, CONF_CHECKD_)
SCHEMA_DEFINE(dns_ttl, DUR_PAIR_)
SCHEMA_DEFINE(conf_dns, CONF_DNS_)
SCHEMA_DEFINE(conf_http, CONF_HTTP_)
SCHEMA_DEFINE(exec_command, EXEC_COMMAND)
SCHEMA_DEFINE(conf_exec, CONF_EXEC_)
SCHEMA_DEFINE(check_def, CHECK_DEF_FIELDS)
SCHEMA_DEFINE(service_def, SERVICE_DEF)
