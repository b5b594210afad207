/*
 * The rules that hold for the value of a key, and between keys.  Pure.
 */
#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/nets.h"
#include "common/proc.h"
#include "common/util.h"
#include "discod/config_parts.h"

#define RECONNECT_MIN_NS	(8 * 3600 * NS_PER_S)

/* Numbers that Consul bounds. */
static const struct { enum key key; int64_t min, max; } bounds[] = {
	{ KEY_BOOTSTRAP_EXPECT, 0, INT64_MAX },
	{ KEY_DNS_UDP_LIMIT, 0, INT64_MAX },
	{ KEY_DNS_A_LIMIT, 0, INT64_MAX },
	{ KEY_AP_TRAILING, 0, INT64_MAX },
	{ KEY_RETRY_MAX, 0, INT64_MAX },
	{ KEY_RETRY_MAX_WAN, 0, INT64_MAX },
	{ KEY_OUTPUT_MAX, 1, INT64_MAX },
	{ KEY_RAFT_MULT, 1, 10 },
	{ KEY_PROTOCOL, 2, 3 },
	{ KEY_SOA_REFRESH, 0, UINT32_MAX },
	{ KEY_SOA_RETRY, 0, UINT32_MAX },
	{ KEY_SOA_EXPIRE, 0, UINT32_MAX },
	{ KEY_SOA_MIN_TTL, 0, UINT32_MAX },
	{ KEY_LAN_GOSSIP_NODES, 1, 64 },
	{ KEY_LAN_SUSPICION, 1, 1000 },
	{ KEY_LAN_RETRANSMIT, 1, 1000 },
	{ KEY_LAN_GOSSIP_INTERVAL, NS_PER_MS, INT64_MAX },
	{ KEY_LAN_PROBE_INTERVAL, NS_PER_MS, INT64_MAX },
	{ KEY_LAN_PROBE_TIMEOUT, NS_PER_MS, INT64_MAX },
	{ KEY_WAN_GOSSIP_NODES, 1, 64 },
	{ KEY_WAN_SUSPICION, 1, 1000 },
	{ KEY_WAN_RETRANSMIT, 1, 1000 },
	{ KEY_WAN_GOSSIP_INTERVAL, NS_PER_MS, INT64_MAX },
	{ KEY_WAN_PROBE_INTERVAL, NS_PER_MS, INT64_MAX },
	{ KEY_WAN_PROBE_TIMEOUT, NS_PER_MS, INT64_MAX },
	{ KEY_RETRY_INTERVAL, NS_PER_MS, INT64_MAX },
	{ KEY_SNAP_INTERVAL, 0, INT64_MAX },
	{ KEY_DNS_WORKERS, 1, DNS_WORKERS_MAX },
	{ KEY_SNAP_RETAIN, 1, INT64_MAX },
	{ KEY_RETRY_INTERVAL_WAN, NS_PER_MS, INT64_MAX },
	{ KEY_RECONNECT, RECONNECT_MIN_NS, INT64_MAX },
	{ KEY_RECONNECT_WAN, RECONNECT_MIN_NS, INT64_MAX },
};

/* Text that is one of a few words. */
static const struct { enum key key; const char *words; } choices[] = {
	{ KEY_ACL_DEFAULT, "allow deny" },
	{ KEY_ACL_DOWN, "allow deny extend-cache async-cache" },
	{ KEY_TLS_MIN, "tls10 tls11 tls12 tls13" },
	{ KEY_SANDBOX, "required optional" },
};

static void
bound_text(const struct key_info *k, int64_t n, char *buf, size_t len)
{
	if (k->type == T_DUR)
		dur_format(n, buf, len);
	else
		snprintf(buf, len, "%lld", (long long)n);
}

static void
check_bounds(const struct build *b)
{
	char is[32], min[32], max[32];
	const struct key_info *k;
	int64_t n;
	size_t i;

	for (i = 0; i < NELEM(bounds); i++) {
		k = &config_keys[bounds[i].key];
		n = v_num(b->v, bounds[i].key);
		if (n >= bounds[i].min && n <= bounds[i].max)
			continue;
		bound_text(k, n, is, sizeof(is));
		bound_text(k, bounds[i].min, min, sizeof(min));
		bound_text(k, bounds[i].max, max, sizeof(max));
		if (bounds[i].max == INT64_MAX && bounds[i].min == 0)
			problem(b->p, v_where(b->v, bounds[i].key), "%s cannot "
			    "be %s. Must be greater than or equal to zero",
			    k->path, is);
		else if (bounds[i].max == INT64_MAX)
			problem(b->p, v_where(b->v, bounds[i].key), "%s cannot "
			    "be %s. Must be at least %s", k->path, is, min);
		else
			problem(b->p, v_where(b->v, bounds[i].key), "%s cannot "
			    "be %s. Must be between %s and %s", k->path, is,
			    min, max);
	}
}

static bool
word_in(const char *words, const char *word)
{
	size_t n, len = strlen(word);

	for (; *words != '\0'; words += n + (words[n] == ' ')) {
		n = strcspn(words, " ");
		if (n == len && strncmp(words, word, n) == 0)
			return true;
	}
	return false;
}

static void
check_choices(const struct build *b)
{
	const char *text;
	size_t i;

	for (i = 0; i < NELEM(choices); i++) {
		text = v_str(b->v, choices[i].key);
		if (text != NULL && !word_in(choices[i].words, text))
			problem(b->p, v_where(b->v, choices[i].key), "%s: "
			    "\"%s\" is none of: %s",
			    config_keys[choices[i].key].path, text,
			    choices[i].words);
	}
}

static bool
value_given(const struct value *v, enum key_type type)
{
	switch (type) {
	case T_BOOL:
		return v->truth;
	case T_INT:
	case T_UINT:
	case T_PORT:
	case T_DUR:
		return v->num > 0;
	case T_FLOAT:
		return v->real > 0;
	case T_STR:
		return !str_empty(v->str);
	case T_STRS:
		return v->list.n > 0;
	case T_STRMAP:
	case T_DURMAP:
		return v->map.n > 0;
	case T_OBJ:
	case T_LIST:
	case T_WATCHES:
	case T_SERVICE:
	case T_SERVICES:
	case T_CHECK:
	case T_CHECKS:
		break;
	}
	return true;
}

/* Whoever sets these must not believe that they have an effect. */
static void
warn_unused(const struct build *b)
{
	const struct value *v;
	size_t i;

	for (i = 0; i < KEY_MAX; i++) {
		v = &b->v->v[i];
		if ((config_keys[i].flags & KF_WARN) && v->set &&
		    value_given(v, config_keys[i].type))
			warning(&b->c->warnings, v->where, "%s is accepted, "
			    "but this version does not act on it",
			    config_keys[i].path);
	}
}

/* Who switches protection on is not to be left believing that it is there. */
static void
refuse_promises(const struct build *b)
{
	const struct value *v;
	size_t i;

	for (i = 0; i < KEY_MAX; i++) {
		v = &b->v->v[i];
		if ((config_keys[i].flags & KF_REFUSE) && v->truth)
			problem(b->p, v->where, "%s: not supported in this "
			    "version: the protection that it promises would "
			    "not be there; remove it, and keep strangers out "
			    "with encrypt and a firewall",
			    config_keys[i].path);
	}
}

static void
check_bootstrap(const struct build *b)
{
	const struct values *v = b->v;
	struct strs *w = &b->c->warnings;
	int64_t n = v_num(v, KEY_BOOTSTRAP_EXPECT);
	const char *where = v_where(v, KEY_BOOTSTRAP_EXPECT);

	if (!v_bool(v, KEY_SERVER)) {
		if (v_bool(v, KEY_BOOTSTRAP))
			problem(b->p, v_where(v, KEY_BOOTSTRAP),
			    "'bootstrap = true' requires 'server = true'");
		if (n > 0)
			problem(b->p, where,
			    "'bootstrap_expect > 0' requires 'server = true'");
		return;
	}
	if (v_bool(v, KEY_BOOTSTRAP) && n > 0)
		problem(b->p, where, "'bootstrap_expect > 0' and 'bootstrap = "
		    "true' are mutually exclusive: remove one");
	if (n == 1)
		warning(w, NULL, "BootstrapExpect is set to 1; this is the "
		    "same as Bootstrap mode.");
	if (v_bool(v, KEY_BOOTSTRAP) || n == 1)
		warning(w, NULL, "bootstrap = true: do not enable unless "
		    "necessary");
	if (n == 2)
		warning(w, NULL, "bootstrap_expect = 2: A cluster with 2 "
		    "servers will provide no failure tolerance.");
	else if (n > 0 && n % 2 == 0)
		warning(w, NULL, "bootstrap_expect is even number: A cluster "
		    "with an even number of servers does not achieve optimum "
		    "fault tolerance.");
	if (n > 1)
		warning(w, NULL, "bootstrap_expect > 0: expecting %lld servers",
		    (long long)n);
}

static void
check_encrypt(const struct build *b)
{
	const char *text = v_str(b->v, KEY_ENCRYPT);
	const char *where = v_where(b->v, KEY_ENCRYPT);
	uint8_t key[64];
	int n;

	if (text == NULL)
		return;
	n = strlen(text) > sizeof(key) ? -1 :
	    base64_decode(text, key, sizeof(key));
	if (n == -1)
		problem(b->p, where, "encrypt has invalid key: it is not "
		    "base64");
	else if (n != 16 && n != 24 && n != 32)
		problem(b->p, where, "encrypt: Invalid key: key size must be "
		    "16, 24 or 32 bytes, not %d", n);
	explicit_bzero(key, sizeof(key));
}

static void
check_joins(const struct build *b)
{
	static const enum key keys[] = {
		KEY_START_JOIN, KEY_RETRY_JOIN, KEY_START_JOIN_WAN,
		KEY_RETRY_JOIN_WAN
	};
	const struct strs *list;
	size_t i, j;

	for (i = 0; i < NELEM(keys); i++) {
		list = &b->v->v[keys[i]].list;
		for (j = 0; j < list->n; j++)
			if (strstr(list->item[j], "provider=") != NULL)
				problem(b->p, v_where(b->v, keys[i]), "%s: "
				    "\"%s\": cloud providers are not asked: "
				    "give addresses or a DNS name",
				    config_keys[keys[i]].path, list->item[j]);
	}
}

/* Who joins the WAN pool must have one: servers do. */
static void
check_wan(const struct build *b)
{
	static const char needs[] = "only a server with a port for it "
	    "(ports.serf_wan) is in a WAN pool";
	const struct values *v = b->v;

	if (v_bool(v, KEY_SERVER) && v_num(v, KEY_PORT_WAN) > 0)
		return;
	if (v->v[KEY_START_JOIN_WAN].list.n > 0)
		problem(b->p, v_where(v, KEY_START_JOIN_WAN),
		    "start_join_wan: %s", needs);
	if (v->v[KEY_RETRY_JOIN_WAN].list.n > 0)
		warning(&b->c->warnings, v_where(v, KEY_RETRY_JOIN_WAN),
		    "retry_join_wan: ignored: %s", needs);
}

static void
check_recursors(const struct build *b)
{
	const struct strs *list = &b->v->v[KEY_RECURSORS].list;
	const char *where = v_where(b->v, KEY_RECURSORS);
	struct sockaddr_storage ss;
	size_t i;

	for (i = 0; i < list->n; i++)
		if (strncmp(list->item[i], "unix://", 7) == 0)
			problem(b->p, where, "recursors: DNS Recursors cannot "
			    "be unix sockets: %s", list->item[i]);
		else if (addr_parse(list->item[i], 53, &ss) == -1)
			problem(b->p, where, "recursors: Invalid recursor "
			    "address: \"%s\": give an IP address, and :port "
			    "if it is not 53", list->item[i]);
}

static void
check_secondaries(const struct build *b)
{
	const struct strs *list = &b->v->v[KEY_DNS_SECONDARIES].list;
	struct sockaddr_storage ss;
	size_t i;

	for (i = 0; i < list->n; i++)
		if (addr_parse(list->item[i], 53, &ss) == -1)
			problem(b->p, v_where(b->v, KEY_DNS_SECONDARIES),
			    "dns_config.secondaries: \"%s\": give an IP "
			    "address, and :port if NOTIFY is not for 53",
			    list->item[i]);
}

static void
check_networks(const struct build *b)
{
	static const enum key keys[] = {
		KEY_LAN_CIDRS, KEY_WAN_CIDRS, KEY_HTTP_WRITE_FROM, KEY_DNS_ACL,
		KEY_CHECK_TARGETS
	};
	const struct strs *list;
	size_t i, j;

	for (i = 0; i < NELEM(keys); i++) {
		list = &b->v->v[keys[i]].list;
		for (j = 0; j < list->n; j++)
			if (!prefix_is(list->item[j]))
				problem(b->p, v_where(b->v, keys[i]), "%s: "
				    "invalid CIDR address: %s: write it as "
				    "10.0.0.0/8", config_keys[keys[i]].path,
				    list->item[j]);
	}
}

void
config_rules(const struct build *b)
{
	const struct values *v = b->v;
	char buf[256];
	const char *why;

	check_bounds(b);
	check_choices(b);
	check_bootstrap(b);
	check_encrypt(b);
	check_joins(b);
	check_wan(b);
	check_recursors(b);
	check_secondaries(b);
	check_networks(b);
	why = meta_check(&v->v[KEY_NODE_META].map, buf, sizeof(buf));
	if (why != NULL)
		problem(b->p, v_where(v, KEY_NODE_META), "node_meta invalid: "
		    "%s", why);
	if (v_str(v, KEY_UI_PATH)[strspn(v_str(v, KEY_UI_PATH), "/-_"
	    "0123456789abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] != '\0')
		problem(b->p, v_where(v, KEY_UI_PATH), "ui-content-path can "
		    "only contain alphanumeric, -, _, or /. received: %s",
		    v_str(v, KEY_UI_PATH));
	if (v_bool(v, KEY_UI) && v_str(v, KEY_UI_DIR) != NULL)
		problem(b->p, v_where(v, KEY_UI_DIR), "Both the ui and ui-dir "
		    "flags were specified, please provide only one.");
	if (v_num(v, KEY_DEF_QUERY_TIME) > v_num(v, KEY_MAX_QUERY_TIME))
		warning(&b->c->warnings, v_where(v, KEY_DEF_QUERY_TIME),
		    "default_query_time is above max_query_time, which bounds "
		    "it");
	refuse_promises(b);
	warn_unused(b);
}
