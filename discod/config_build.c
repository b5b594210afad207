/*
 * From values to struct config: what each child is told.  Pure: host name,
 * interfaces and time come in config_env.
 */
#include <sys/stat.h>
#include <bsd/string.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "discod/config_parts.h"

#define DEFAULT_RUN_DIR		"/run/disco"
#define DEFAULT_LOG_DIR		"/var/log/disco"

char *
path_absolute(const char *cwd, const char *path)
{
	char *out;

	if (str_empty(path))
		return NULL;
	if (path[0] == '/')
		return xstrdup(path);
	while (strncmp(path, "./", 2) == 0)
		path += 2;
	if (*path == '\0' || strcmp(path, ".") == 0)
		return xstrdup(cwd);
	xasprintf(&out, "%s%s%s", cwd, strcmp(cwd, "/") == 0 ? "" : "/", path);
	return out;
}

/* ---- who this node is ---- */

static void
build_names(const struct build *b)
{
	const struct values *v = b->v;
	struct conf_agent *a = &b->c->agent;
	const char *name = v_str(v, KEY_NODE_NAME), *s;

	if (b->env->running != NULL)
		name = b->env->running->agent.node_name;
	a->node_name = xstrdup(name != NULL ? name : b->env->hostname);
	if (str_empty(a->node_name))
		problem(b->p, NULL, "node_name: this host has no name: give "
		    "-node");
	else if (!dns_name_ok(a->node_name))
		warning(&b->c->warnings, v_where(v, KEY_NODE_NAME), "Node name "
		    "\"%s\" will not be discoverable via DNS due to invalid "
		    "characters. Valid characters include all alpha-numerics "
		    "and dashes.", a->node_name);

	a->datacenter = xstrdup(str_or(v_str(v, KEY_DATACENTER), "dc1"));
	for (char *c = a->datacenter; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	for (s = a->datacenter; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && *s != '-' && *s != '_') {
			problem(b->p, v_where(v, KEY_DATACENTER), "datacenter "
			    "cannot be \"%s\". Please use only [a-z0-9-_]",
			    a->datacenter);
			break;
		}
	a->primary_datacenter = xstrdup(str_or(v_str(v, KEY_PRIMARY_DC),
	    a->datacenter));
	for (char *c = a->primary_datacenter; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
}

/* Lower case with a dot at the end; NULL stays NULL. */
static char *
domain_text(const char *text)
{
	size_t n;
	char *out, *c;

	if (text == NULL)
		return NULL;
	n = strlen(text);
	xasprintf(&out, "%s%s", text, text[n - 1] == '.' ? "" : ".");
	for (c = out; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	return out;
}

static void
build_domains(const struct build *b)
{
	static const enum key keys[] = { KEY_DOMAIN, KEY_ALT_DOMAIN };
	const char *text, *s;
	size_t i;

	b->c->agent.domain = domain_text(str_or(v_str(b->v, KEY_DOMAIN),
	    "consul."));
	b->c->agent.alt_domain = domain_text(v_str(b->v, KEY_ALT_DOMAIN));
	for (i = 0; i < NELEM(keys); i++) {
		if ((text = v_str(b->v, keys[i])) == NULL)
			continue;
		for (s = text; *s != '\0'; s++)
			if (!isalnum((unsigned char)*s) &&
			    strchr("-_.", *s) == NULL)
				break;
		if (*s != '\0' || strlen(text) > 253)
			problem(b->p, v_where(b->v, keys[i]), "%s: \"%s\" is "
			    "no DNS domain", config_keys[keys[i]].path, text);
	}
}

static uint64_t
port_or_off(const struct values *v, enum key key)
{
	return v_num(v, key) > 0 ? (uint64_t)v_num(v, key) : 0;
}

static void
build_agent(const struct build *b)
{
	const struct values *v = b->v;
	struct conf_agent *a = &b->c->agent;

	a->dev = b->env->dev;
	build_names(b);
	build_domains(b);
	strmap_copy(&a->node_meta, &v->v[KEY_NODE_META].map);
	/* Consul's every node has it. */
	strmap_put(&a->node_meta, "consul-network-segment", "");
	a->server = v_bool(v, KEY_SERVER);
	a->translate_wan = v_bool(v, KEY_TRANSLATE_WAN);
	a->bootstrap_expect = v_num(v, KEY_BOOTSTRAP_EXPECT) > 0 ?
	    (uint64_t)v_num(v, KEY_BOOTSTRAP_EXPECT) : 0;
	a->bootstrap = v_bool(v, KEY_BOOTSTRAP) || a->bootstrap_expect == 1 ||
	    (a->dev && a->server && a->bootstrap_expect == 0);
	a->port_rpc = port_or_off(v, KEY_PORT_SERVER);
	a->port_lan = port_or_off(v, KEY_PORT_LAN);
	a->port_wan = port_or_off(v, KEY_PORT_WAN);
	if (v_str(v, KEY_NODE_ID) != NULL && !uuid_valid(v_str(v,
	    KEY_NODE_ID)))
		problem(b->p, v_where(v, KEY_NODE_ID), "node_id: specified "
		    "NodeID is invalid: \"%s\" is no UUID", v_str(v,
		    KEY_NODE_ID));
}

/* ---- for discod itself ---- */

static void
build_log_dir(const struct build *b)
{
	const char *file = v_str(b->v, KEY_LOG_FILE), *dot;
	struct config *c = b->c;
	char *slash;
	size_t n;

	if (b->env->running != NULL) {
		c->log_dir = xstrdup(b->env->running->log_dir);
		return;
	}
	if (file == NULL) {
		if (c->foreground)
			return;
		if (b->env->uid == 0)
			c->log_dir = xstrdup(DEFAULT_LOG_DIR);
		else if (c->data_dir != NULL)
			xasprintf(&c->log_dir, "%s/log", c->data_dir);
		return;
	}
	/* Consul's is one file: its directory is what is meant. */
	c->log_dir = path_absolute(b->env->cwd, file);
	n = strlen(c->log_dir);
	while (n > 1 && c->log_dir[n - 1] == '/')
		c->log_dir[--n] = '\0';
	slash = strrchr(c->log_dir, '/');
	dot = strrchr(slash, '.');
	if (dot != NULL && strcmp(dot, ".log") == 0 && slash != c->log_dir) {
		*slash = '\0';
		warning(&c->warnings, v_where(b->v, KEY_LOG_FILE), "log_file: "
		    "each daemon has its own log file in %s", c->log_dir);
	}
}

static void
build_log(const struct build *b)
{
	const struct values *v = b->v;
	struct config *c = b->c;
	const char *level = str_or(v_str(v, KEY_LOG_LEVEL), "INFO");

	if (log_level_parse(level, &c->log_level) == -1)
		problem(b->p, v_where(v, KEY_LOG_LEVEL), "Invalid log level: "
		    "%s. Valid log levels are: [TRACE DEBUG INFO WARN ERR "
		    "ERROR]", level);
	c->agent.log_level = xstrdup(level);
	for (char *s = c->agent.log_level; *s != '\0'; s++)
		*s = (char)tolower((unsigned char)*s);
	c->syslog = v_bool(v, KEY_SYSLOG);
	build_log_dir(b);
}

static void
build_dirs(const struct build *b)
{
	const struct values *v = b->v;
	const struct config_env *env = b->env;
	struct config *c = b->c;

	if (env->running != NULL) {	/* relative to where it was started */
		c->data_dir = xstrdup(env->running->data_dir);
		c->run_dir = xstrdup(env->running->run_dir);
		c->run_temporary = env->running->run_temporary;
		c->pid_file = xstrdup(env->running->pid_file);
		c->agent.data_dir = xstrdup(c->data_dir);
		c->agent.run_dir = xstrdup(c->run_dir);
		return;
	}
	if (c->agent.dev) {
		if (v_set(v, KEY_DATA_DIR))
			warning(&c->warnings, v_where(v, KEY_DATA_DIR),
			    "data_dir: -dev keeps everything in memory");
	} else
		c->data_dir = path_absolute(env->cwd, v_str(v, KEY_DATA_DIR));
	c->agent.data_dir = xstrdup(c->data_dir);

	if (v_str(v, KEY_RUN_DIR) != NULL)
		c->run_dir = path_absolute(env->cwd, v_str(v, KEY_RUN_DIR));
	else if (env->temp_dir != NULL && (c->agent.dev || env->as_consul)) {
		/* Consul has no such directory, and several agents may run. */
		c->run_dir = xstrdup(env->temp_dir);
		c->run_temporary = true;
	} else if (env->uid == 0)
		c->run_dir = xstrdup(DEFAULT_RUN_DIR);
	else if (env->xdg_runtime_dir != NULL)
		xasprintf(&c->run_dir, "%s/disco", env->xdg_runtime_dir);
	else if (c->data_dir != NULL)
		xasprintf(&c->run_dir, "%s/run", c->data_dir);
	else if (c->agent.dev)
		problem(b->p, NULL, "disco.run_dir: there is no directory for "
		    "sockets: give -run-dir");
	c->agent.run_dir = xstrdup(c->run_dir);
	c->pid_file = path_absolute(env->cwd, v_str(v, KEY_PID_FILE));
}

static void
check_dirs(const struct build *b)
{
	const struct config *c = b->c;
	struct stat st;

	if (c->agent.dev)
		return;
	if (c->data_dir == NULL)
		problem(b->p, NULL, "data_dir cannot be empty: give -data-dir, "
		    "or \"data_dir\" in a file");
	else if (stat(c->data_dir, &st) == 0 && !S_ISDIR(st.st_mode))
		problem(b->p, v_where(b->v, KEY_DATA_DIR), "data_dir \"%s\" is "
		    "not a directory", c->data_dir);
}

static void
build_parent(const struct build *b)
{
	const struct values *v = b->v;
	struct config *c = b->c;
	bool server = v_bool(v, KEY_SERVER);

	c->as_consul = b->env->as_consul;
	c->foreground = v_bool(v, KEY_FOREGROUND) || b->env->dev ||
	    b->env->as_consul;
	build_dirs(b);
	build_log(b);
	check_dirs(b);
	c->sandbox_optional = strcmp(str_or(v_str(v, KEY_SANDBOX), ""),
	    "optional") == 0;
	c->dns_workers = (unsigned)v_num(v, KEY_DNS_WORKERS);
	c->leave_on_terminate = v_set(v, KEY_LEAVE_ON_TERM) ?
	    v_bool(v, KEY_LEAVE_ON_TERM) : !server;
	c->skip_leave_on_interrupt = v_set(v, KEY_SKIP_LEAVE_INT) ?
	    v_bool(v, KEY_SKIP_LEAVE_INT) : server;
	c->leave_drain_ns = v_num(v, KEY_DRAIN_TIME);
}

/* ---- for the children ---- */

static void
build_gossip(const struct build *b)
{
	const struct values *v = b->v;
	struct conf_gossip *g = &b->c->gossip;

	g->lan.gossip_interval = v_num(v, KEY_LAN_GOSSIP_INTERVAL);
	g->lan.gossip_nodes = (uint64_t)v_num(v, KEY_LAN_GOSSIP_NODES);
	g->lan.probe_interval = v_num(v, KEY_LAN_PROBE_INTERVAL);
	g->lan.probe_timeout = v_num(v, KEY_LAN_PROBE_TIMEOUT);
	g->lan.suspicion_mult = (uint64_t)v_num(v, KEY_LAN_SUSPICION);
	g->lan.retransmit_mult = (uint64_t)v_num(v, KEY_LAN_RETRANSMIT);
	g->wan.gossip_interval = v_num(v, KEY_WAN_GOSSIP_INTERVAL);
	g->wan.gossip_nodes = (uint64_t)v_num(v, KEY_WAN_GOSSIP_NODES);
	g->wan.probe_interval = v_num(v, KEY_WAN_PROBE_INTERVAL);
	g->wan.probe_timeout = v_num(v, KEY_WAN_PROBE_TIMEOUT);
	g->wan.suspicion_mult = (uint64_t)v_num(v, KEY_WAN_SUSPICION);
	g->wan.retransmit_mult = (uint64_t)v_num(v, KEY_WAN_RETRANSMIT);
	g->encrypt = xstrdup(v_str(v, KEY_ENCRYPT));
	g->verify_incoming = v_bool(v, KEY_ENCRYPT_IN);
	g->verify_outgoing = v_bool(v, KEY_ENCRYPT_OUT);
	g->disable_keyring_file = v_bool(v, KEY_NO_KEYRING_FILE);
	strs_copy(&g->start_join, &v->v[KEY_START_JOIN].list);
	strs_copy(&g->retry_join, &v->v[KEY_RETRY_JOIN].list);
	g->retry_interval = v_num(v, KEY_RETRY_INTERVAL);
	g->retry_max = (uint64_t)v_num(v, KEY_RETRY_MAX);
	g->rejoin_after_leave = v_bool(v, KEY_REJOIN);
	g->reconnect_timeout = v_num(v, KEY_RECONNECT);
	strs_copy(&g->lan_allowed_cidrs, &v->v[KEY_LAN_CIDRS].list);
	strs_copy(&g->start_join_wan, &v->v[KEY_START_JOIN_WAN].list);
	strs_copy(&g->retry_join_wan, &v->v[KEY_RETRY_JOIN_WAN].list);
	g->retry_interval_wan = v_num(v, KEY_RETRY_INTERVAL_WAN);
	g->retry_max_wan = (uint64_t)v_num(v, KEY_RETRY_MAX_WAN);
	g->reconnect_timeout_wan = v_num(v, KEY_RECONNECT_WAN);
	strs_copy(&g->wan_allowed_cidrs, &v->v[KEY_WAN_CIDRS].list);
	g->disable_coordinates = v_bool(v, KEY_NO_COORDINATES);
}

/* Negative is without a limit, for which a child gets 0. */
static uint64_t
limit(const struct values *v, enum key key)
{
	return v_num(v, key) > 0 ? (uint64_t)v_num(v, key) : 0;
}

static void
build_dns(const struct build *b)
{
	const struct values *v = b->v;
	const struct strmap *ttl = &v->v[KEY_DNS_SERVICE_TTL].map;
	struct conf_dns *d = &b->c->dns;
	struct dns_ttl *t;
	size_t i;

	strs_copy(&d->recursors, &v->v[KEY_RECURSORS].list);
	d->recursor_timeout = v_num(v, KEY_DNS_REC_TIMEOUT);
	d->node_ttl = v_num(v, KEY_DNS_NODE_TTL);
	for (i = 0; i < ttl->n; i++) {
		t = VEC_ADD(&d->service_ttl);
		t->name = xstrdup(ttl->item[i].key);
		(void)dur_parse(ttl->item[i].val, &t->ttl);
	}
	d->only_passing = v_bool(v, KEY_DNS_PASSING);
	d->enable_truncate = v_bool(v, KEY_DNS_TRUNCATE);
	d->udp_answer_limit = limit(v, KEY_DNS_UDP_LIMIT);
	d->a_record_limit = limit(v, KEY_DNS_A_LIMIT);
	d->node_meta_txt = v_bool(v, KEY_DNS_META_TXT);
	d->disable_compression = v_bool(v, KEY_DNS_NO_COMPRESS);
	strs_copy(&d->recursion_acl, &v->v[KEY_DNS_ACL].list);
	d->recursion = v_bool(v, KEY_DNS_RECURSION);
	d->dnssec = v_bool(v, KEY_DNS_DNSSEC);
	strs_copy(&d->trust_anchors, &v->v[KEY_DNS_ANCHORS].list);
	strs_copy(&d->secondaries, &v->v[KEY_DNS_SECONDARIES].list);
	d->serve_stale = v_num(v, KEY_DNS_SERVE_STALE);
	d->responses_per_second = limit(v, KEY_DNS_RATE);
	d->soa_refresh = limit(v, KEY_SOA_REFRESH);
	d->soa_retry = limit(v, KEY_SOA_RETRY);
	d->soa_expire = limit(v, KEY_SOA_EXPIRE);
	d->soa_min_ttl = limit(v, KEY_SOA_MIN_TTL);
}

/* As Consul takes it: "x" is "/x/". */
static char *
ui_path(const char *text)
{
	char	*path;
	size_t	 n;

	text += strspn(text, "/");
	n = strlen(text);
	while (n > 0 && text[n - 1] == '/')
		n--;
	if (n == 0)
		return xstrdup("/");
	xasprintf(&path, "/%.*s/", (int)n, text);
	return path;
}

static void
build_http(const struct build *b)
{
	const struct values *v = b->v;
	struct conf_http *h = &b->c->http;

	strmap_copy(&h->response_headers, &v->v[KEY_HTTP_HEADERS].map);
	strs_copy(&h->block_endpoints, &v->v[KEY_HTTP_BLOCK].list);
	strs_copy(&h->allow_write_from, &v->v[KEY_HTTP_WRITE_FROM].list);
	h->max_conns_per_client = limit(v, KEY_LIM_HTTP_CONNS);
	h->default_query_time = v_num(v, KEY_DEF_QUERY_TIME);
	h->max_query_time = v_num(v, KEY_MAX_QUERY_TIME);
	h->kv_max_value_size = limit(v, KEY_LIM_KV);
	h->txn_max_req_len = limit(v, KEY_LIM_TXN);
	h->disable_coordinates = v_bool(v, KEY_NO_COORDINATES);
	h->unprintable = v_bool(v, KEY_NO_UNPRINTABLE);
	h->prometheus_retention = v_num(v, KEY_TEL_PROMETHEUS);
	if (v_bool(v, KEY_UI))
		h->ui_path = ui_path(v_str(v, KEY_UI_PATH));
}

static bool
scripts_in_files(const struct values *v)
{
	return v_bool(v, KEY_SCRIPTS) || v_bool(v, KEY_SCRIPTS_LOCAL);
}

static void
build_calls(const struct build *b)
{
	const struct values *v = b->v;
	struct config *c = b->c;

	c->catalog.check_update_interval = v_num(v, KEY_CHECK_UPDATE);
	c->catalog.discard_check_output = v_bool(v, KEY_DISCARD_OUTPUT);
	c->catalog.check_output_max_size = limit(v, KEY_OUTPUT_MAX);
	c->catalog.script_checks_http = v_bool(v, KEY_SCRIPTS);
	c->catalog.script_checks_files = scripts_in_files(v);
	c->catalog.rpc_hold_timeout = v_num(v, KEY_RPC_HOLD);
	c->catalog.raft_multiplier = limit(v, KEY_RAFT_MULT);
	c->catalog.session_ttl_min = v_num(v, KEY_SESSION_TTL_MIN);
	c->catalog.default_query_time = v_num(v, KEY_DEF_QUERY_TIME);
	c->catalog.max_query_time = v_num(v, KEY_MAX_QUERY_TIME);
	c->catalog.snapshot_interval = v_num(v, KEY_SNAP_INTERVAL);
	c->catalog.snapshot_retain = limit(v, KEY_SNAP_RETAIN);
	c->catalog.token_agent = xstrdup(v_str(v, KEY_TOKEN_AGENT));
	c->catalog.token_default = xstrdup(v_str(v, KEY_TOKEN_DEFAULT));
	c->rpc.rpc_hold_timeout = v_num(v, KEY_RPC_HOLD);
	c->rpc.rpc_handshake_timeout = v_num(v, KEY_LIM_RPC_SHAKE);
	c->rpc.max_conns_per_client = limit(v, KEY_LIM_RPC_CONNS);
}

static void
add_command(struct conf_exec *e, const struct check_def *c)
{
	struct exec_command *cmd;

	if (c->args.n == 0)
		return;
	cmd = VEC_ADD(&e->commands);
	strs_copy(&cmd->args, &c->args);
}

static void
build_checks(const struct build *b, struct defs *d)
{
	const struct values *v = b->v;
	struct config *c = b->c;
	const struct service_def *s;
	bool any = v_bool(v, KEY_SCRIPTS);
	size_t i, j;

	defs_check_all(d, scripts_in_files(v), &c->warnings, b->p);
	c->services = d->services;
	c->checks = d->checks;
	memset(&d->services, 0, sizeof(d->services));
	memset(&d->checks, 0, sizeof(d->checks));

	for (i = 0; i < c->services.n; i++) {
		s = &c->services.item[i];
		if (s->check != NULL)
			add_command(&c->exec, s->check);
		for (j = 0; j < s->checks.n; j++)
			add_command(&c->exec, &s->checks.item[j]);
	}
	for (i = 0; i < c->checks.n; i++)
		add_command(&c->exec, &c->checks.item[i]);
	c->exec.any = any;
	strs_copy(&c->exec.watches, &v->v[KEY_WATCHES].list);
	c->need_exec = any || c->exec.commands.n > 0 ||
	    c->exec.watches.n > 0;
	/* One that runs is not ended by a reload. */
	if (b->env->running != NULL && b->env->running->need_exec)
		c->need_exec = true;
	c->checkd.output_max_size = limit(v, KEY_OUTPUT_MAX);
	strs_copy(&c->checkd.allow_targets, &v->v[KEY_CHECK_TARGETS].list);
}

void
config_build(const struct values *v, struct defs *d,
    const struct config_env *env, struct config *c, struct problems *p)
{
	struct build b = { v, env, c, p };

	build_agent(&b);
	build_parent(&b);
	config_rules(&b);
	build_calls(&b);
	build_checks(&b, d);
	build_gossip(&b);
	tls_build(v, env, c, p);
	build_dns(&b);
	build_http(&b);
	if (p->line.n > 0)
		return;
	addr_advertise(v, env, c, p);
	if (p->line.n == 0)
		addr_listeners(v, env, c, p);
	if (p->line.n == 0)
		watches_address(v, env, c, p);
}
