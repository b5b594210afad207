/*
 * The command line: flags of discod and of `consul agent`, one or two dashes,
 * "=" or a space.  One list gives names, keys and the text of -h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "discod/config_parts.h"

/*	name, argument with a space before it, key, help */
#define KEY_FLAGS(F)							\
	F("advertise", " address", ADVERTISE, "address told to other members") \
	F("advertise-wan", " address", ADVERTISE_WAN,			\
	    "the same for other datacenters")				\
	F("allow-write-http-from", " network", HTTP_WRITE_FROM,		\
	    "networks that may write over HTTP (repeatable)")		\
	F("alt-domain", " name", ALT_DOMAIN, "second DNS domain")	\
	F("bind", " address", BIND_ADDR, "address for gossip and RPC")	\
	F("bootstrap", "", BOOTSTRAP, "be the only server")		\
	F("bootstrap-expect", " n", BOOTSTRAP_EXPECT,			\
	    "servers to wait for before the first election")		\
	F("check_output_max_size", " bytes", OUTPUT_MAX, \
	    "bytes of output kept per check")				\
	F("client", " addresses", CLIENT_ADDR, "addresses for HTTP and DNS") \
	F("data-dir", " directory", DATA_DIR, "where state is kept")	\
	F("datacenter", " name", DATACENTER, "datacenter")		\
	F("default-query-time", " duration", DEF_QUERY_TIME,		\
	    "how long a blocking query waits")				\
	F("disable-host-node-id", "", DISABLE_HOST_NODE_ID,		\
	    "accepted: ids are always random")				\
	F("disable-keyring-file", "", NO_KEYRING_FILE,		\
	    "keep gossip keys in memory")				\
	F("dns-port", " port", PORT_DNS, "port for DNS") \
	F("domain", " name", DOMAIN, "DNS domain")			\
	F("enable-local-script-checks", "", SCRIPTS_LOCAL,		\
	    "allow script checks from files")				\
	F("enable-script-checks", "", SCRIPTS,			\
	    "allow script checks from files and HTTP")			\
	F("encrypt", " key", ENCRYPT, "gossip key, base64")		\
	F("f", "", FOREGROUND, "stay in the foreground, log to the terminal") \
	F("grpc-port", " port", PORT_GRPC, "accepted, unused")		\
	F("http-port", " port", PORT_HTTP, "port for HTTP")		\
	F("https-port", " port", PORT_HTTPS, "port for HTTPS; -1: none") \
	F("join", " address", START_JOIN,				\
	    "join this member, or give up (repeatable)")		\
	F("join-wan", " address", START_JOIN_WAN,			\
	    "join this server's WAN pool, or give up (repeatable)")	\
	F("log-file", " directory", LOG_FILE, "where log files go")	\
	F("log-json", "", LOG_JSON, "accepted, unused")		\
	F("log-level", " level", LOG_LEVEL, "trace debug info warn err") \
	F("log-rotate-bytes", " n", LOG_ROTATE_BYTES, "accepted, unused") \
	F("log-rotate-duration", " duration", LOG_ROTATE_TIME,		\
	    "accepted, unused")						\
	F("log-rotate-max-files", " n", LOG_ROTATE_FILES,		\
	    "accepted, unused")						\
	F("max-query-time", " duration", MAX_QUERY_TIME, \
	    "longest wait of a blocking query")				\
	F("node", " name", NODE_NAME, "name of this node")		\
	F("node-id", " uuid", NODE_ID, "id of this node")		\
	F("node-meta", " key:value", NODE_META,				\
	    "metadata of this node (repeatable)")			\
	F("non-voting-server", "", NON_VOTING, "accepted, unused")	\
	F("pid-file", " file", PID_FILE, "pid file")			\
	F("primary-gateway", " address", PRIMARY_GATEWAYS,		\
	    "accepted, unused")						\
	F("protocol", " n", PROTOCOL, "gossip protocol, 2 or 3") \
	F("raft-protocol", " n", RAFT_PROTOCOL, "accepted, unused")	\
	F("recursor", " address", RECURSORS,				\
	    "upstream DNS server (repeatable)")				\
	F("rejoin", "", REJOIN, "rejoin even after a leave")		\
	F("retry-interval", " duration", RETRY_INTERVAL, \
	    "time between attempts of -retry-join")			\
	F("retry-interval-wan", " duration", RETRY_INTERVAL_WAN,	\
	    "time between attempts of -retry-join-wan")			\
	F("retry-join", " address", RETRY_JOIN,				\
	    "join this member, and keep trying (repeatable)")		\
	F("retry-join-wan", " address", RETRY_JOIN_WAN,			\
	    "join this server's WAN pool, and keep trying (repeatable)") \
	F("retry-max", " n", RETRY_MAX, "attempts of -retry-join; 0: no end") \
	F("retry-max-wan", " n", RETRY_MAX_WAN,				\
	    "attempts of -retry-join-wan; 0: no end")			\
	F("run-dir", " directory", RUN_DIR, "sockets and pid file")	\
	F("sandbox", " required|optional", SANDBOX,			\
	    "whether to go on when it cannot be set up")		\
	F("segment", " name", SEGMENT, "accepted, unused")		\
	F("serf-lan-allowed-cidrs", " network", LAN_CIDRS,		\
	    "networks that may gossip (repeatable)")			\
	F("serf-lan-bind", " address", SERF_LAN, "address for LAN gossip") \
	F("serf-lan-port", " port", PORT_LAN, "port for LAN gossip")	\
	F("serf-wan-allowed-cidrs", " network", WAN_CIDRS,		\
	    "networks that may gossip over WAN (repeatable)")		\
	F("serf-wan-bind", " address", SERF_WAN, "address for WAN gossip") \
	F("serf-wan-port", " port", PORT_WAN, "port for WAN gossip; -1: none")	\
	F("server", "", SERVER, "be a server")			\
	F("server-port", " port", PORT_SERVER, "port for server RPC")	\
	F("syslog", "", SYSLOG, "log to syslog besides")		\
	F("ui", "", UI, "serve the web page")					\
	F("ui-content-path", " path", UI_PATH, "the web page's path")	\
	F("ui-dir", " directory", UI_DIR, "accepted, unused")

enum special {
	SP_CONFIG, SP_FORMAT, SP_HCL, SP_DEV, SP_CHECK, SP_HELP, SP_VERSION
};

/*	name, argument with a space before it, what, help */
#define SPECIAL_FLAGS(F)						\
	F("config-dir", " directory", CONFIG,				\
	    "read *.json and *.hcl in it, in order (repeatable)")			\
	F("config-file", " file", CONFIG, "read this file (repeatable)") \
	F("config-format", " json|hcl", FORMAT,				\
	    "files are in this syntax, whatever their name")		\
	F("dev", "", DEV, "one server in memory, in the foreground")	\
	F("hcl", " text", HCL,						\
	    "configuration in HCL, after all files (repeatable)")	\
	F("n", "", CHECK, "check the configuration, show it, exit")	\
	F("h", "", HELP, "this text")					\
	F("help", "", HELP, "this text")				\
	F("version", "", VERSION, "show the version")

const char config_usage[] =
    "usage: discod [option ...]\n"
    "       consul agent [option ...]\n"
    "\n"
    "Options take one dash or two, and their value after = or a space.\n"
    "disco.conf(5) has the keys of configuration files.\n"
    "\n"
#define F(name, arg, key, help) "  -" name arg "\n\t" help "\n"
    SPECIAL_FLAGS(F)
    KEY_FLAGS(F)
#undef F
    ;

struct flag {
	const char	*name;
	const char	*arg;
	bool		 special;
	enum key	 key;
	enum special	 what;
};

static const struct flag flag_table[] = {
#define F(name, arg, what, help) { name, arg, true, KEY_MAX, SP_##what },
	SPECIAL_FLAGS(F)
#undef F
#define F(name, arg, key, help) { name, arg, false, KEY_##key, SP_CONFIG },
	KEY_FLAGS(F)
#undef F
};

static const struct flag *
flag_find(const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < NELEM(flag_table); i++)
		if (strncmp(flag_table[i].name, name, n) == 0 &&
		    flag_table[i].name[n] == '\0')
			return &flag_table[i];
	return NULL;
}

/* One argument of the command line, taken apart. */
struct arg {
	const struct flag	*flag;
	const char		*text;	/* value; NULL for a bare switch */
	int			 used;	/* elements of argv */
};

static int
arg_read(int argc, char **argv, int i, struct arg *a, struct problems *p)
{
	const char *s = argv[i], *eq;

	if (s[0] != '-' || s[1] == '\0') {
		problem(p, NULL, "Unexpected extra arguments: [%s]", s);
		return -1;
	}
	s += s[1] == '-' ? 2 : 1;
	eq = strchr(s, '=');
	a->flag = flag_find(s, eq != NULL ? (size_t)(eq - s) : strlen(s));
	if (a->flag == NULL) {
		problem(p, NULL, "flag provided but not defined: %s (discod "
		    "-h lists them)", argv[i]);
		return -1;
	}
	a->used = 1;
	a->text = eq != NULL ? eq + 1 : NULL;
	if (a->text == NULL && a->flag->arg[0] != '\0') {
		if (i + 1 >= argc) {
			problem(p, NULL, "flag needs an argument: -%s%s",
			    a->flag->name, a->flag->arg);
			return -1;
		}
		a->text = argv[i + 1];
		a->used = 2;
	}
	return 0;
}

static void
do_special(struct flags *f, const struct arg *a, const char *cwd,
    struct problems *p)
{
	bool on = a->text == NULL || strcmp(a->text, "true") == 0;
	char *path;

	switch (a->flag->what) {
	case SP_CONFIG:
		if ((path = path_absolute(cwd, a->text)) == NULL) {
			problem(p, NULL, "-%s: needs a path", a->flag->name);
			break;
		}
		strs_add(&f->sources, path);
		free(path);
		break;
	case SP_FORMAT:
		if (strcmp(a->text, "json") == 0)
			f->syntax = SYNTAX_JSON;
		else if (strcmp(a->text, "hcl") == 0)
			f->syntax = SYNTAX_HCL;
		else
			problem(p, NULL, "-config-format: cannot read \"%s\": "
			    "use json or hcl", a->text);
		break;
	case SP_HCL:
		strs_add(&f->hcl, a->text);
		break;
	case SP_DEV:
		f->dev = on;
		break;
	case SP_CHECK:
		if (on)
			f->what = FLAGS_CHECK;
		break;
	case SP_HELP:
		f->what = FLAGS_HELP;
		break;
	case SP_VERSION:
		f->what = FLAGS_VERSION;
		break;
	}
}

static bool
called_consul(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	return strcmp(slash != NULL ? slash + 1 : argv0, "consul") == 0;
}

/* The index of the first option. */
static int
first_option(int argc, char **argv)
{
	return argc > 1 && called_consul(argv[0]) &&
	    strcmp(argv[1], "agent") == 0 ? 2 : 1;
}

void
flags_parse(struct flags *f, int argc, char **argv, const char *cwd,
    struct problems *p)
{
	struct flag_value *v;
	struct arg a;
	int i;

	memset(f, 0, sizeof(*f));
	f->as_consul = argc > 0 && called_consul(argv[0]);
	for (i = first_option(argc, argv); i < argc; i += a.used) {
		if (arg_read(argc, argv, i, &a, p) == -1)
			return;
		if (a.flag->special) {
			do_special(f, &a, cwd, p);
			if (f->what == FLAGS_HELP || f->what == FLAGS_VERSION)
				return;
			continue;
		}
		f->val = xreallocarray(f->val, f->nval + 1, sizeof(*f->val));
		v = &f->val[f->nval++];
		v->name = a.flag->name;
		v->key = a.flag->key;
		v->text = xstrdup(a.text != NULL ? a.text : "true");
	}
}

void
flags_clear(struct flags *f)
{
	size_t i;

	for (i = 0; i < f->nval; i++)
		free(f->val[i].text);
	free(f->val);
	strs_clear(&f->sources);
	strs_clear(&f->hcl);
	memset(f, 0, sizeof(*f));
}

void
flags_argv(int argc, char **argv, const char *cwd, int *nargc, char ***nargv)
{
	struct problems none = { 0 };
	char **out = xcalloc((size_t)argc + 1, sizeof(*out)), *path;
	struct arg a;
	int i, n = 0, first = first_option(argc, argv);

	for (i = 0; i < argc; i += a.used) {
		a.used = 1;
		if (i < first || arg_read(argc, argv, i, &a, &none) == -1) {
			out[n++] = xstrdup(argv[i]);
			continue;
		}
		if (a.flag->special && a.flag->what == SP_CONFIG) {
			path = path_absolute(cwd, a.text);
			xasprintf(&out[n++], "-%s=%s", a.flag->name, path);
			free(path);
		} else if (a.text != NULL)
			xasprintf(&out[n++], "-%s=%s", a.flag->name, a.text);
		else
			out[n++] = xstrdup(argv[i]);
	}
	strs_clear(&none.line);
	*nargc = n;
	*nargv = out;
}
