/*
 * Configuration: command line and files read, merged, checked and taken apart
 * for each child.  Here is what touches the world outside: files, host name,
 * interfaces, the node's id.  The rest is pure (discod/config_parts.h).
 */
#include <sys/stat.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <bsd/string.h>
#include <ctype.h>
#include <errno.h>
#include <ifaddrs.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/util.h"
#include "discod/config.h"
#include "discod/config_parts.h"

#define NODE_ID_FILE	"node-id"
#define TEMP_NAME_MAX	128
#define NODE_ID_MAX	256	/* 36 and a newline; room to see it is wrong */

/* ---- outside ---- */

static void
read_ifaces(struct iface_vec *v)
{
	struct ifaddrs *list, *a;
	struct sockaddr_storage ss;
	struct iface *i;
	char ip[ADDR_TEXT_MAX];

	if (getifaddrs(&list) == -1)
		return;		/* then nothing is found, and that is said */
	for (a = list; a != NULL; a = a->ifa_next) {
		if (a->ifa_addr == NULL)
			continue;
		memset(&ss, 0, sizeof(ss));
		if (a->ifa_addr->sa_family == AF_INET)
			memcpy(&ss, a->ifa_addr, sizeof(struct sockaddr_in));
		else if (a->ifa_addr->sa_family == AF_INET6)
			memcpy(&ss, a->ifa_addr, sizeof(struct sockaddr_in6));
		else
			continue;
		i = VEC_ADD(v);
		i->name = xstrdup(a->ifa_name);
		i->ip = xstrdup(addr_ip(&ss, ip, sizeof(ip)));
	}
	freeifaddrs(list);
}

static void
ifaces_clear(struct iface_vec *v)
{
	size_t i;

	for (i = 0; i < v->n; i++) {
		free(v->item[i].name);
		free(v->item[i].ip);
	}
	free(v->item);
	memset(v, 0, sizeof(*v));
}

int
path_make(const char *path, mode_t mode)
{
	char *copy = xstrdup(path), *s = copy;
	int rc = 0;

	while (rc == 0 && (s = strchr(s + 1, '/')) != NULL) {
		*s = '\0';
		if (mkdir(copy, 0755) == -1 && errno != EEXIST)
			rc = -1;
		*s = '/';
	}
	if (rc == 0 && mkdir(path, mode) == -1 && errno != EEXIST)
		rc = -1;
	free(copy);
	return rc;
}

static void
node_id_trim(char *id)
{
	size_t n = strlen(id);

	while (n > 0 && isspace((unsigned char)id[n - 1]))
		id[--n] = '\0';
	for (; *id != '\0'; id++)
		*id = (char)tolower((unsigned char)*id);
}

/* Of the configuration, else of the data directory, else a new one; `write`
 * false leaves the directory as it is. */
static void
node_id(struct config *c, const char *given, bool write, struct problems *p)
{
	char *path, *old, fresh[37];
	size_t len;

	if (given != NULL) {
		c->agent.node_id = xstrdup(given);
		node_id_trim(c->agent.node_id);
		return;
	}
	if (c->data_dir == NULL) {
		uuid_make(fresh);
		c->agent.node_id = xstrdup(fresh);
		return;
	}
	xasprintf(&path, "%s/" NODE_ID_FILE, c->data_dir);
	if ((old = file_read(path, NODE_ID_MAX, &len)) != NULL) {
		node_id_trim(old);
		if (uuid_valid(old))
			c->agent.node_id = xstrdup(old);
		else
			problem(p, path, "it holds no UUID: correct the file, "
			    "or remove it and the node gets a new id");
	} else if (errno != ENOENT)
		problem(p, path, "cannot read the node's id: %s: run as its "
		    "owner, or give another -data-dir", strerror(errno));
	else if (write) {
		uuid_make(fresh);
		if (path_make(c->data_dir, 0755) == -1)
			problem(p, c->data_dir, "cannot make the data "
			    "directory: %s: give another -data-dir",
			    strerror(errno));
		else if (file_write_atomic(path, fresh, strlen(fresh),
		    0600) == -1)
			problem(p, path, "cannot write the node's id: %s: is "
			    "-data-dir writable?", strerror(errno));
		else
			c->agent.node_id = xstrdup(fresh);
	}
	free(old);
	free(path);
}

/* For the sockets of a node that leaves nothing behind: several of them may
 * be on one machine.  Short, for a socket's name has 108 bytes. */
static const char *
temp_name(char name[TEMP_NAME_MAX])
{
	const char *dir = getenv("TMPDIR");
	char uuid[37];

	uuid_make(uuid);
	if (str_empty(dir) || dir[0] != '/' || strlen(dir) > TEMP_NAME_MAX / 2)
		dir = "/tmp";
	snprintf(name, TEMP_NAME_MAX, "%s/disco-%.13s", dir, uuid);
	return name;
}

/* ---- load ---- */

/* The lines as one text; what does not fit is counted. */
static void
problems_text(const struct problems *p, char *err, size_t len)
{
	size_t i, at = 0, n, keep = len > 32 ? len - 32 : 0;

	if (len == 0)
		return;
	err[0] = '\0';
	for (i = 0; i < p->line.n; i++) {
		n = strlen(p->line.item[i]) + (at > 0);
		if (at > 0 && at + n >= keep) {
			snprintf(err + at, len - at, "\n(and %zu more)",
			    p->line.n - i);
			return;
		}
		snprintf(err + at, len - at, "%s%s", at > 0 ? "\n" : "",
		    p->line.item[i]);
		at += n < len - at ? n : len - at - 1;
	}
}

static void
read_all(const struct flags *f, struct values *v, struct defs *d,
    struct strs *warnings, struct problems *p)
{
	struct sources s;
	char where[64];
	size_t i;

	sources_read(&s, &f->sources, f->syntax, warnings, p);
	for (i = 0; i < s.n; i++)
		values_tree(v, d, s.item[i].tree, s.item[i].file, warnings, p);
	sources_clear(&s);
	for (i = 0; i < f->nval; i++) {
		snprintf(where, sizeof(where), "-%s", f->val[i].name);
		values_text(v, f->val[i].key, f->val[i].text, where, p);
	}
	memset(&s, 0, sizeof(s));
	for (i = 0; i < f->hcl.n; i++)
		sources_fragment(&s, f->hcl.item[i], "-hcl", p);
	for (i = 0; i < s.n; i++)
		values_tree(v, d, s.item[i].tree, s.item[i].file, warnings, p);
	sources_clear(&s);
}

static void
show(const struct config *c)
{
	char *text = config_show(c->values, c);
	size_t i;

	for (i = 0; i < c->warnings.n; i++)
		fprintf(stderr, "%s\n", c->warnings.item[i]);
	printf("Configuration is valid!\n%s\n", text);
	free(text);
}

/* Everything after the flags are known. */
static void
load_rest(const struct flags *f, struct config_env *env, struct config *c,
    struct problems *p)
{
	const struct config *running = env->running;
	struct defs d = { 0 };

	c->values = xcalloc(1, sizeof(*c->values));
	values_init(c->values, f->dev);
	read_all(f, c->values, &d, &c->warnings, p);
	if (running != NULL)
		values_keep_fixed(c->values, running->values, &c->warnings);
	if (p->line.n == 0)
		config_build(c->values, &d, env, c, p);
	defs_clear(&d);
	if (p->line.n > 0)
		return;
	if (running != NULL)
		c->agent.node_id = xstrdup(running->agent.node_id);
	else
		node_id(c, v_str(c->values, KEY_NODE_ID),
		    f->what == FLAGS_RUN, p);
	if (p->line.n == 0)
		c->http.debug_config = config_debug(c->values, c);
}

static enum config_result
load(int argc, char **argv, const struct config *running, struct config *c,
    char *err, size_t errlen)
{
	char host[HOST_NAME_MAX + 1] = "", cwd[PATH_MAX] = "/";
	char temp[TEMP_NAME_MAX];
	struct config_env env = { .hostname = host, .cwd = cwd };
	struct problems p = { 0 };
	struct flags f;
	enum config_result res = CONFIG_BAD;

	memset(c, 0, sizeof(*c));
	if (gethostname(host, sizeof(host) - 1) == -1)
		host[0] = '\0';
	if (getcwd(cwd, sizeof(cwd)) == NULL)
		strlcpy(cwd, "/", sizeof(cwd));
	env.xdg_runtime_dir = getenv("XDG_RUNTIME_DIR");
	env.uid = geteuid();
	env.temp_dir = temp_name(temp);
	env.running = running;
	flags_parse(&f, argc, argv, cwd, &p);
	env.dev = f.dev;
	env.as_consul = f.as_consul;
	if (p.line.n == 0 && f.what == FLAGS_HELP) {
		printf("%s", config_usage);
		res = CONFIG_CHECKED;
	} else if (p.line.n == 0 && f.what == FLAGS_VERSION) {
		printf("discod " DISCO_VERSION " (speaks Consul 1.8.7)\n");
		res = CONFIG_CHECKED;
	} else if (p.line.n == 0) {
		read_ifaces(&env.ifaces);
		load_rest(&f, &env, c, &p);
		ifaces_clear(&env.ifaces);
		if (p.line.n == 0)
			res = CONFIG_RUN;
	}
	flags_argv(argc, argv, cwd, &c->argc, &c->argv);
	if (res == CONFIG_RUN && f.what == FLAGS_CHECK && running == NULL) {
		show(c);
		res = CONFIG_CHECKED;
	}
	if (res == CONFIG_BAD)
		problems_text(&p, err, errlen);
	flags_clear(&f);
	strs_clear(&p.line);
	if (res != CONFIG_RUN)
		config_clear(c);
	return res;
}

enum config_result
config_load(int argc, char **argv, struct config *c, char *err, size_t errlen)
{
	return load(argc, argv, NULL, c, err, errlen);
}

enum config_result
config_reload(const struct config *running, struct config *c, char *err,
    size_t errlen)
{
	return load(running->argc, running->argv, running, c, err, errlen);
}

void
config_clear(struct config *c)
{
	size_t i;

	schema_clear(&conf_agent_schema, &c->agent);
	schema_clear(&conf_gossip_schema, &c->gossip);
	schema_clear(&conf_rpc_schema, &c->rpc);
	schema_clear(&conf_catalog_schema, &c->catalog);
	schema_clear(&conf_checkd_schema, &c->checkd);
	schema_clear(&conf_dns_schema, &c->dns);
	schema_clear(&conf_http_schema, &c->http);
	schema_clear(&conf_exec_schema, &c->exec);
	for (i = 0; i < c->services.n; i++)
		schema_clear(&service_def_schema, &c->services.item[i]);
	free(c->services.item);
	for (i = 0; i < c->checks.n; i++)
		schema_clear(&check_def_schema, &c->checks.item[i]);
	free(c->checks.item);
	for (i = 0; i < c->listen.n; i++) {
		free(c->listen.item[i].ip);
		free(c->listen.item[i].path);
		free(c->listen.item[i].user);
		free(c->listen.item[i].group);
		free(c->listen.item[i].key);
	}
	free(c->listen.item);
	free(c->data_dir);
	free(c->run_dir);
	free(c->pid_file);
	free(c->log_dir);
	strs_clear(&c->warnings);
	for (i = 0; i < (size_t)c->argc; i++)
		free(c->argv[i]);
	free(c->argv);
	if (c->values != NULL)
		values_clear(c->values);
	free(c->values);
	memset(c, 0, sizeof(*c));
}

/* ---- for each child ---- */

static const struct {
	enum proc	 to;
	enum conf_kind	 kind;
	struct schema	*schema;
	size_t		 off;
} items[] = {
#define I(proc, kind, schema, member)					\
	{ PROC_##proc, kind, &schema##_schema, offsetof(struct config, member) }
	I(GOSSIPD, CONF_GOSSIP, conf_gossip, gossip),
	I(RPCD, CONF_RPC, conf_rpc, rpc),
	I(CATALOGD, CONF_CATALOG, conf_catalog, catalog),
	I(CHECKD, CONF_CHECKD, conf_checkd, checkd),
	I(DNSD, CONF_DNS, conf_dns, dns),
	I(APID, CONF_HTTP, conf_http, http),
	I(EXECD, CONF_EXEC, conf_exec, exec),
#undef I
};

static void
give(enum conf_kind kind, struct schema *s, const void *obj,
    config_item_fn *fn, void *arg)
{
	struct wbuf w;

	wb_init(&w, 0);
	wb_u8(&w, (uint8_t)kind);
	schema_encode(s, obj, &w);
	fn(w.p, w.len, arg);
	explicit_bzero(w.p, w.len);	/* it may have keys in it */
	wb_free(&w);
}

void
config_items(const struct config *c, enum proc to, config_item_fn *fn,
    void *arg)
{
	size_t i;

	give(CONF_AGENT, &conf_agent_schema, &c->agent, fn, arg);
	for (i = 0; i < NELEM(items); i++)
		if (items[i].to == to)
			give(items[i].kind, items[i].schema,
			    (const char *)c + items[i].off, fn, arg);
	if (to != PROC_CATALOGD)
		return;
	for (i = 0; i < c->services.n; i++)
		give(CONF_SERVICE, &service_def_schema, &c->services.item[i],
		    fn, arg);
	for (i = 0; i < c->checks.n; i++)
		give(CONF_CHECK, &check_def_schema, &c->checks.item[i], fn,
		    arg);
}
