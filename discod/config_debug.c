/*
 * DebugConfig of agent/self: the names of Consul 1.8.7, in its order, from the
 * effective values.  Secrets are "hidden"; what disco has no value for holds
 * what Consul shows by default.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "discod/config_parts.h"

typedef void debug_fn(struct jw *, const struct values *,
    const struct config *);

/* ---- computed rows ---- */

static void
debug_bootstrap(struct jw *jw, const struct values *v, const struct config *c)
{
	(void)v;
	jw_bool(jw, c->agent.bootstrap);
}

/* Of 1 Consul makes bootstrap, and 0. */
static void
debug_expect(struct jw *jw, const struct values *v, const struct config *c)
{
	(void)v;
	jw_uint(jw, c->agent.bootstrap_expect == 1 ? 0 :
	    c->agent.bootstrap_expect);
}

static void
debug_watches(struct jw *jw, const struct values *v, const struct config *c)
{
	show_value(jw, KEY_WATCHES, v, c, true);
}

static void
debug_dev(struct jw *jw, const struct values *v, const struct config *c)
{
	(void)v;
	jw_bool(jw, c->agent.dev);
}

static void
debug_local_scripts(struct jw *jw, const struct values *v,
    const struct config *c)
{
	(void)v;
	jw_bool(jw, c->catalog.script_checks_files);
}

static void
debug_client_addrs(struct jw *jw, const struct values *v,
    const struct config *c)
{
	char *copy = xstrdup(str_or(v_str(v, KEY_CLIENT_ADDR), "")), *save,
	    *tok;

	(void)c;
	jw_arr(jw);
	for (tok = strtok_r(copy, " ", &save); tok != NULL;
	    tok = strtok_r(NULL, " ", &save))
		jw_str(jw, tok);
	jw_end_arr(jw);
	free(copy);
}

static void
put_addr(struct jw *jw, const char *scheme, const char *ip, uint64_t port)
{
	char *text;

	xasprintf(&text, strchr(str_or(ip, ""), ':') != NULL ?
	    "%s://[%s]:%llu" : "%s://%s:%llu", scheme, str_or(ip, ""),
	    (unsigned long long)port);
	jw_str(jw, text);
	free(text);
}

static void
put_listeners(struct jw *jw, const struct config *c, enum socket_kind kind)
{
	const char *scheme = kind == SOCK_DNS_UDP ? "udp" : "tcp";
	size_t i;

	for (i = 0; i < c->listen.n; i++)
		if (c->listen.item[i].kind == kind)
			put_addr(jw, scheme, c->listen.item[i].ip,
			    c->listen.item[i].port);
}

static void
debug_dns_addrs(struct jw *jw, const struct values *v, const struct config *c)
{
	(void)v;
	jw_arr(jw);
	put_listeners(jw, c, SOCK_DNS_TCP);
	put_listeners(jw, c, SOCK_DNS_UDP);
	jw_end_arr(jw);
}

/* The Unix socket that is always there is not of the configuration. */
static void
debug_http_addrs(struct jw *jw, const struct values *v,
    const struct config *c)
{
	const struct listen_addr *l;
	char *text;
	size_t i;

	(void)v;
	jw_arr(jw);
	put_listeners(jw, c, SOCK_HTTP_TCP);
	for (i = 0; i < c->listen.n; i++) {
		l = &c->listen.item[i];
		if (l->kind != SOCK_HTTP_UNIX ||
		    strcmp(l->key, "addresses.http") != 0)
			continue;
		xasprintf(&text, "unix://%s", l->path);
		jw_str(jw, text);
		free(text);
	}
	jw_end_arr(jw);
}

static void
debug_rpc_advertise(struct jw *jw, const struct values *v,
    const struct config *c)
{
	(void)v;
	put_addr(jw, "tcp", c->agent.advertise_addr, c->agent.port_rpc);
}

static void
debug_rpc_bind(struct jw *jw, const struct values *v, const struct config *c)
{
	(void)v;
	put_addr(jw, "tcp", c->agent.bind_addr, c->agent.port_rpc);
}

static void
debug_lan_advertise(struct jw *jw, const struct values *v,
    const struct config *c)
{
	(void)v;
	put_addr(jw, "tcp", c->agent.advertise_addr, c->agent.port_lan);
}

static void
debug_wan_advertise(struct jw *jw, const struct values *v,
    const struct config *c)
{
	(void)v;
	put_addr(jw, "tcp", c->agent.advertise_addr_wan, c->agent.port_wan);
}

static void
debug_lan_bind(struct jw *jw, const struct values *v, const struct config *c)
{
	put_addr(jw, "tcp", str_or(v_str(v, KEY_SERF_LAN), c->agent.bind_addr),
	    c->agent.port_lan);
}

static void
debug_wan_bind(struct jw *jw, const struct values *v, const struct config *c)
{
	put_addr(jw, "tcp", str_or(v_str(v, KEY_SERF_WAN), c->agent.bind_addr),
	    c->agent.port_wan);
}

static void
debug_tagged(struct jw *jw, const struct values *v, const struct config *c)
{
	(void)v;
	put_strmap(jw, &c->agent.tagged_addresses);
}

/* Election and heartbeat: a second times the multiplier. */
static void
debug_raft_time(struct jw *jw, const struct values *v, const struct config *c)
{
	char buf[32];

	(void)c;
	jw_str(jw, dur_format(v_num(v, KEY_RAFT_MULT) * NS_PER_S, buf,
	    sizeof(buf)));
}

static void
debug_raft_lease(struct jw *jw, const struct values *v,
    const struct config *c)
{
	char buf[32];

	(void)c;
	jw_str(jw, dur_format(v_num(v, KEY_RAFT_MULT) * (NS_PER_S / 2), buf,
	    sizeof(buf)));
}

static void
put_prefixes(struct jw *jw, const struct values *v, char sign)
{
	const struct strs *s = &v->v[KEY_TEL_FILTER].list;
	size_t i;

	jw_arr(jw);
	for (i = 0; i < s->n; i++)
		if (s->item[i][0] == sign)
			jw_str(jw, s->item[i] + 1);
	jw_end_arr(jw);
}

static void
debug_prefix_allow(struct jw *jw, const struct values *v,
    const struct config *c)
{
	(void)c;
	put_prefixes(jw, v, '+');
}

static void
debug_prefix_block(struct jw *jw, const struct values *v,
    const struct config *c)
{
	(void)c;
	put_prefixes(jw, v, '-');
}

/* ---- the rows ---- */

struct debug_row {
	const char	*name;
	enum key	 key;		/* KEY_MAX: one of the others */
	const char	*text;		/* JSON */
	debug_fn	*fn;
};

#define D_KEY(name, key)	{ name, KEY_##key, NULL, NULL }
#define D_TEXT(name, text)	{ name, KEY_MAX, text, NULL }
#define D_FN(name, fn)		{ name, KEY_MAX, NULL, fn }

static const struct debug_row rows[] = {
	D_TEXT("ACLAgentMasterToken", "\"hidden\""),
	D_TEXT("ACLAgentToken", "\"hidden\""),
	D_KEY("ACLDatacenter", PRIMARY_DC),
	D_KEY("ACLDefaultPolicy", ACL_DEFAULT),
	D_KEY("ACLDisabledTTL", ACL_DISABLED_TTL),
	D_KEY("ACLDownPolicy", ACL_DOWN),
	D_KEY("ACLEnableKeyListPolicy", ACL_KEY_LIST),
	D_KEY("ACLEnableTokenPersistence", ACL_PERSIST),
	D_TEXT("ACLMasterToken", "\"hidden\""),
	D_KEY("ACLPolicyTTL", ACL_POLICY_TTL),
	D_TEXT("ACLReplicationToken", "\"hidden\""),
	D_KEY("ACLRoleTTL", ACL_ROLE_TTL),
	D_TEXT("ACLToken", "\"hidden\""),
	D_KEY("ACLTokenReplication", ACL_REPLICATE),
	D_KEY("ACLTokenTTL", ACL_TOKEN_TTL),
	D_KEY("ACLsEnabled", ACL_ENABLED),
	D_TEXT("AEInterval", "\"1m0s\""),
	D_KEY("AdvertiseAddrLAN", ADVERTISE),
	D_KEY("AdvertiseAddrWAN", ADVERTISE_WAN),
	D_KEY("AllowWriteHTTPFrom", HTTP_WRITE_FROM),
	D_TEXT("AutoConfig.Enabled", "false"),
	D_TEXT("AutoEncryptAllowTLS", "false"),
	D_TEXT("AutoEncryptDNSSAN", "[]"),
	D_TEXT("AutoEncryptIPSAN", "[]"),
	D_TEXT("AutoEncryptTLS", "false"),
	D_KEY("AutopilotCleanupDeadServers", AP_CLEANUP),
	D_KEY("AutopilotDisableUpgradeMigration", AP_NO_UPGRADE),
	D_KEY("AutopilotLastContactThreshold", AP_CONTACT),
	D_KEY("AutopilotMaxTrailingLogs", AP_TRAILING),
	D_KEY("AutopilotMinQuorum", AP_QUORUM),
	D_KEY("AutopilotRedundancyZoneTag", AP_ZONE),
	D_KEY("AutopilotServerStabilizationTime", AP_STABLE),
	D_KEY("AutopilotUpgradeVersionTag", AP_VERSION),
	D_KEY("BindAddr", BIND_ADDR),
	D_FN("Bootstrap", debug_bootstrap),
	D_FN("BootstrapExpect", debug_expect),
	D_KEY("CAFile", CA_FILE),
	D_KEY("CAPath", CA_PATH),
	D_TEXT("Cache.EntryFetchMaxBurst", "2"),
	D_TEXT("Cache.EntryFetchRate", "1.7976931348623157e+308"),
	D_KEY("CertFile", CERT_FILE),
	D_TEXT("CheckDeregisterIntervalMin", "\"1m0s\""),
	D_KEY("CheckOutputMaxSize", OUTPUT_MAX),
	D_TEXT("CheckReapInterval", "\"30s\""),
	D_KEY("CheckUpdateInterval", CHECK_UPDATE),
	D_KEY("Checks", CHECKS),
	D_FN("ClientAddrs", debug_client_addrs),
	D_TEXT("ConfigEntryBootstrap", "[]"),
	D_TEXT("ConnectCAConfig", "{}"),
	D_TEXT("ConnectCAProvider", "\"\""),
	D_TEXT("ConnectEnabled", "false"),
	D_TEXT("ConnectMeshGatewayWANFederationEnabled", "false"),
	D_KEY("ConnectSidecarMaxPort", PORT_SIDECAR_MAX),
	D_KEY("ConnectSidecarMinPort", PORT_SIDECAR_MIN),
	D_TEXT("ConnectTestCALeafRootChangeSpread", "\"0s\""),
	D_TEXT("ConsulCoordinateUpdateBatchSize", "128"),
	D_TEXT("ConsulCoordinateUpdateMaxBatches", "5"),
	D_TEXT("ConsulCoordinateUpdatePeriod", "\"5s\""),
	D_FN("ConsulRaftElectionTimeout", debug_raft_time),
	D_FN("ConsulRaftHeartbeatTimeout", debug_raft_time),
	D_FN("ConsulRaftLeaderLeaseTimeout", debug_raft_lease),
	D_TEXT("ConsulServerHealthInterval", "\"2s\""),
	D_KEY("DNSARecordLimit", DNS_A_LIMIT),
	D_FN("DNSAddrs", debug_dns_addrs),
	D_KEY("DNSAllowStale", DNS_STALE),
	D_KEY("DNSAltDomain", ALT_DOMAIN),
	D_KEY("DNSCacheMaxAge", DNS_CACHE_AGE),
	D_KEY("DNSDisableCompression", DNS_NO_COMPRESS),
	D_KEY("DNSDomain", DOMAIN),
	D_KEY("DNSEnableTruncate", DNS_TRUNCATE),
	D_KEY("DNSMaxStale", DNS_MAX_STALE),
	D_KEY("DNSNodeMetaTXT", DNS_META_TXT),
	D_KEY("DNSNodeTTL", DNS_NODE_TTL),
	D_KEY("DNSOnlyPassing", DNS_PASSING),
	D_KEY("DNSPort", PORT_DNS),
	D_KEY("DNSRecursorTimeout", DNS_REC_TIMEOUT),
	D_KEY("DNSRecursors", RECURSORS),
	D_KEY("DNSSOA.Expire", SOA_EXPIRE),
	D_KEY("DNSSOA.Minttl", SOA_MIN_TTL),
	D_KEY("DNSSOA.Refresh", SOA_REFRESH),
	D_KEY("DNSSOA.Retry", SOA_RETRY),
	D_KEY("DNSServiceTTL", DNS_SERVICE_TTL),
	D_KEY("DNSUDPAnswerLimit", DNS_UDP_LIMIT),
	D_KEY("DNSUseCache", DNS_CACHE),
	D_KEY("DataDir", DATA_DIR),
	D_KEY("Datacenter", DATACENTER),
	D_KEY("DefaultQueryTime", DEF_QUERY_TIME),
	D_FN("DevMode", debug_dev),
	D_KEY("DisableAnonymousSignature", NO_SIGNATURE),
	D_KEY("DisableCoordinates", NO_COORDINATES),
	D_KEY("DisableHTTPUnprintableCharFilter", NO_UNPRINTABLE),
	D_KEY("DisableHostNodeID", DISABLE_HOST_NODE_ID),
	D_KEY("DisableKeyringFile", NO_KEYRING_FILE),
	D_KEY("DisableRemoteExec", NO_REMOTE_EXEC),
	D_KEY("DisableUpdateCheck", NO_UPDATE_CHECK),
	D_KEY("DiscardCheckOutput", DISCARD_OUTPUT),
	D_KEY("DiscoveryMaxStale", MAX_STALE),
	D_KEY("EnableAgentTLSForChecks", TLS_FOR_CHECKS),
	D_KEY("EnableCentralServiceConfig", CENTRAL_CONFIG),
	D_KEY("EnableDebug", ENABLE_DEBUG),
	D_FN("EnableLocalScriptChecks", debug_local_scripts),
	D_KEY("EnableRemoteScriptChecks", SCRIPTS),
	D_KEY("EnableUI", UI),
	D_TEXT("EncryptKey", "\"hidden\""),
	D_KEY("EncryptVerifyIncoming", ENCRYPT_IN),
	D_KEY("EncryptVerifyOutgoing", ENCRYPT_OUT),
	D_TEXT("EnterpriseRuntimeConfig", "{}"),
	D_KEY("ExposeMaxPort", PORT_EXPOSE_MAX),
	D_KEY("ExposeMinPort", PORT_EXPOSE_MIN),
	D_TEXT("GRPCAddrs", "[]"),
	D_KEY("GRPCPort", PORT_GRPC),
	D_KEY("GossipLANGossipInterval", LAN_GOSSIP_INTERVAL),
	D_KEY("GossipLANGossipNodes", LAN_GOSSIP_NODES),
	D_KEY("GossipLANProbeInterval", LAN_PROBE_INTERVAL),
	D_KEY("GossipLANProbeTimeout", LAN_PROBE_TIMEOUT),
	D_KEY("GossipLANRetransmitMult", LAN_RETRANSMIT),
	D_KEY("GossipLANSuspicionMult", LAN_SUSPICION),
	D_KEY("GossipWANGossipInterval", WAN_GOSSIP_INTERVAL),
	D_KEY("GossipWANGossipNodes", WAN_GOSSIP_NODES),
	D_KEY("GossipWANProbeInterval", WAN_PROBE_INTERVAL),
	D_KEY("GossipWANProbeTimeout", WAN_PROBE_TIMEOUT),
	D_KEY("GossipWANRetransmitMult", WAN_RETRANSMIT),
	D_KEY("GossipWANSuspicionMult", WAN_SUSPICION),
	D_FN("HTTPAddrs", debug_http_addrs),
	D_KEY("HTTPBlockEndpoints", HTTP_BLOCK),
	D_KEY("HTTPMaxConnsPerClient", LIM_HTTP_CONNS),
	D_KEY("HTTPPort", PORT_HTTP),
	D_KEY("HTTPResponseHeaders", HTTP_HEADERS),
	D_TEXT("HTTPSAddrs", "[]"),
	D_KEY("HTTPSHandshakeTimeout", LIM_HTTPS_SHAKE),
	D_KEY("HTTPSPort", PORT_HTTPS),
	D_KEY("HTTPUseCache", HTTP_CACHE),
	D_KEY("KVMaxValueSize", LIM_KV),
	D_TEXT("KeyFile", "\"hidden\""),
	D_KEY("LeaveDrainTime", DRAIN_TIME),
	D_KEY("LeaveOnTerm", LEAVE_ON_TERM),
	D_KEY("Logging.EnableSyslog", SYSLOG),
	D_KEY("Logging.LogFilePath", LOG_FILE),
	D_KEY("Logging.LogJSON", LOG_JSON),
	D_KEY("Logging.LogLevel", LOG_LEVEL),
	D_KEY("Logging.LogRotateBytes", LOG_ROTATE_BYTES),
	D_KEY("Logging.LogRotateDuration", LOG_ROTATE_TIME),
	D_KEY("Logging.LogRotateMaxFiles", LOG_ROTATE_FILES),
	D_TEXT("Logging.Name", "\"\""),
	D_KEY("Logging.SyslogFacility", SYSLOG_FACILITY),
	D_KEY("MaxQueryTime", MAX_QUERY_TIME),
	D_KEY("NodeID", NODE_ID),
	D_KEY("NodeMeta", NODE_META),
	D_KEY("NodeName", NODE_NAME),
	D_KEY("NonVotingServer", NON_VOTING),
	D_KEY("PidFile", PID_FILE),
	D_KEY("PrimaryDatacenter", PRIMARY_DC),
	D_KEY("PrimaryGateways", PRIMARY_GATEWAYS),
	D_KEY("PrimaryGatewaysInterval", PRIMARY_GATEWAYS_TIME),
	D_FN("RPCAdvertiseAddr", debug_rpc_advertise),
	D_FN("RPCBindAddr", debug_rpc_bind),
	D_KEY("RPCHandshakeTimeout", LIM_RPC_SHAKE),
	D_KEY("RPCHoldTimeout", RPC_HOLD),
	D_KEY("RPCMaxBurst", LIM_RPC_BURST),
	D_KEY("RPCMaxConnsPerClient", LIM_RPC_CONNS),
	D_KEY("RPCProtocol", PROTOCOL),
	D_KEY("RPCRateLimit", LIM_RPC_RATE),
	D_KEY("RaftProtocol", RAFT_PROTOCOL),
	D_KEY("RaftSnapshotInterval", RAFT_SNAP_TIME),
	D_KEY("RaftSnapshotThreshold", RAFT_SNAP_COUNT),
	D_KEY("RaftTrailingLogs", RAFT_TRAILING),
	D_TEXT("ReconnectTimeoutLAN", "\"0s\""),
	D_TEXT("ReconnectTimeoutWAN", "\"0s\""),
	D_KEY("RejoinAfterLeave", REJOIN),
	D_KEY("RetryJoinIntervalLAN", RETRY_INTERVAL),
	D_KEY("RetryJoinIntervalWAN", RETRY_INTERVAL_WAN),
	D_KEY("RetryJoinLAN", RETRY_JOIN),
	D_KEY("RetryJoinMaxAttemptsLAN", RETRY_MAX),
	D_KEY("RetryJoinMaxAttemptsWAN", RETRY_MAX_WAN),
	D_KEY("RetryJoinWAN", RETRY_JOIN_WAN),
	D_TEXT("Revision", "\"\""),
	D_TEXT("SegmentLimit", "64"),
	D_KEY("SegmentName", SEGMENT),
	D_TEXT("SegmentNameLimit", "64"),
	D_TEXT("Segments", "[]"),
	D_FN("SerfAdvertiseAddrLAN", debug_lan_advertise),
	D_FN("SerfAdvertiseAddrWAN", debug_wan_advertise),
	D_KEY("SerfAllowedCIDRsLAN", LAN_CIDRS),
	D_KEY("SerfAllowedCIDRsWAN", WAN_CIDRS),
	D_FN("SerfBindAddrLAN", debug_lan_bind),
	D_FN("SerfBindAddrWAN", debug_wan_bind),
	D_KEY("SerfPortLAN", PORT_LAN),
	D_KEY("SerfPortWAN", PORT_WAN),
	D_KEY("ServerMode", SERVER),
	D_KEY("ServerName", SERVER_NAME),
	D_KEY("ServerPort", PORT_SERVER),
	D_KEY("Services", SERVICES),
	D_KEY("SessionTTLMin", SESSION_TTL_MIN),
	D_KEY("SkipLeaveOnInt", SKIP_LEAVE_INT),
	D_KEY("StartJoinAddrsLAN", START_JOIN),
	D_KEY("StartJoinAddrsWAN", START_JOIN_WAN),
	D_TEXT("SyncCoordinateIntervalMin", "\"15s\""),
	D_TEXT("SyncCoordinateRateTarget", "64"),
	D_TEXT("TLSCipherSuites", "[]"),
	D_KEY("TLSMinVersion", TLS_MIN),
	D_KEY("TLSPreferServerCipherSuites", TLS_PREFER),
	D_FN("TaggedAddresses", debug_tagged),
	D_FN("Telemetry.AllowedPrefixes", debug_prefix_allow),
	D_FN("Telemetry.BlockedPrefixes", debug_prefix_block),
	D_KEY("Telemetry.CirconusAPIApp", TEL_CIR_APP),
	D_TEXT("Telemetry.CirconusAPIToken", "\"hidden\""),
	D_KEY("Telemetry.CirconusAPIURL", TEL_CIR_URL),
	D_KEY("Telemetry.CirconusBrokerID", TEL_CIR_BROKER),
	D_KEY("Telemetry.CirconusBrokerSelectTag", TEL_CIR_BROKER_TAG),
	D_KEY("Telemetry.CirconusCheckDisplayName", TEL_CIR_NAME),
	D_KEY("Telemetry.CirconusCheckForceMetricActivation", TEL_CIR_FORCE),
	D_KEY("Telemetry.CirconusCheckID", TEL_CIR_ID),
	D_KEY("Telemetry.CirconusCheckInstanceID", TEL_CIR_INSTANCE),
	D_KEY("Telemetry.CirconusCheckSearchTag", TEL_CIR_SEARCH),
	D_KEY("Telemetry.CirconusCheckTags", TEL_CIR_TAGS),
	D_KEY("Telemetry.CirconusSubmissionInterval", TEL_CIR_INTERVAL),
	D_KEY("Telemetry.CirconusSubmissionURL", TEL_CIR_SUBMIT),
	D_TEXT("Telemetry.Disable", "false"),
	D_KEY("Telemetry.DisableHostname", TEL_NO_HOSTNAME),
	D_KEY("Telemetry.DogstatsdAddr", TEL_DOGSTATSD),
	D_KEY("Telemetry.DogstatsdTags", TEL_DOGSTATSD_TAGS),
	D_KEY("Telemetry.FilterDefault", TEL_FILTER_DEFAULT),
	D_KEY("Telemetry.MetricsPrefix", TEL_PREFIX),
	D_KEY("Telemetry.PrometheusRetentionTime", TEL_PROMETHEUS),
	D_KEY("Telemetry.StatsdAddr", TEL_STATSD),
	D_KEY("Telemetry.StatsiteAddr", TEL_STATSITE),
	D_KEY("TranslateWANAddrs", TRANSLATE_WAN),
	D_KEY("TxnMaxReqLen", LIM_TXN),
	D_KEY("UIContentPath", UI_PATH),
	D_KEY("UIDir", UI_DIR),
	D_KEY("UnixSocketGroup", UNIX_GROUP),
	D_KEY("UnixSocketMode", UNIX_MODE),
	D_KEY("UnixSocketUser", UNIX_USER),
	D_KEY("VerifyIncoming", VERIFY_IN),
	D_KEY("VerifyIncomingHTTPS", VERIFY_IN_HTTPS),
	D_KEY("VerifyIncomingRPC", VERIFY_IN_RPC),
	D_KEY("VerifyOutgoing", VERIFY_OUT),
	D_KEY("VerifyServerHostname", VERIFY_NAME),
	D_TEXT("Version", "\"1.8.7\""),
	D_TEXT("VersionPrerelease", "\"\""),
	D_FN("Watches", debug_watches),
};

/* A constant of the table. */
static void
put_text(struct jw *jw, const char *text)
{
	char err[64];
	struct json *j = json_parse(text, strlen(text), err, sizeof(err));

	if (j == NULL)
		fatalx("debug config: %s: %s", text, err);
	jw_tree(jw, j);
	json_free(j);
}

char *
config_debug(const struct values *v, const struct config *c)
{
	struct nest n = { .jw = jw_new(false) };
	const struct debug_row *r;
	size_t i, len;
	char *text;

	jw_obj(n.jw);
	for (i = 0; i < NELEM(rows); i++) {
		r = &rows[i];
		nest_key(&n, r->name);
		if (r->fn != NULL)
			r->fn(n.jw, v, c);
		else if (r->text != NULL)
			put_text(n.jw, r->text);
		else
			show_value(n.jw, r->key, v, c, true);
	}
	nest_end(&n);
	jw_end_obj(n.jw);
	text = xstrdup(jw_text(n.jw, &len));
	jw_free(n.jw);
	return text;
}
