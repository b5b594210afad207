/*
 * Addresses: what text in a file means, which address this node tells others,
 * and the list of sockets to bind.  Interfaces come in as a list.
 */
#include <sys/socket.h>
#include <sys/un.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "discod/config_parts.h"

#define UNIX_SCHEME	"unix://"
#define API_SOCKET	"disco.sock"
#define API_SOCKET_MODE	0660

/* ---- literal addresses ---- */

static bool
is_ip4(const char *s)
{
	struct in_addr a;

	return inet_pton(AF_INET, s, &a) == 1;
}

static bool
is_ip(const char *s)
{
	struct in6_addr a;

	return is_ip4(s) || inet_pton(AF_INET6, s, &a) == 1;
}

static bool
is_any(const char *ip)
{
	return strcmp(ip, "0.0.0.0") == 0 || strcmp(ip, "::") == 0;
}

/* RFC 1918, and RFC 6598's shared space, which Consul counts as private. */
static bool
is_private4(const char *ip)
{
	static const struct { uint32_t net, mask; } nets[] = {
		{ 0x0a000000, 0xff000000 }, { 0x64400000, 0xffc00000 },
		{ 0xac100000, 0xfff00000 }, { 0xc0a80000, 0xffff0000 }
	};
	struct in_addr a;
	size_t i;

	if (inet_pton(AF_INET, ip, &a) != 1)
		return false;
	for (i = 0; i < NELEM(nets); i++)
		if ((ntohl(a.s_addr) & nets[i].mask) == nets[i].net)
			return true;
	return false;
}

/* Neither loopback, link-local, unique-local nor unspecified. */
static bool
is_public6(const char *ip)
{
	struct in6_addr a;

	return inet_pton(AF_INET6, ip, &a) == 1 && !IN6_IS_ADDR_LOOPBACK(&a) &&
	    !IN6_IS_ADDR_LINKLOCAL(&a) && !IN6_IS_ADDR_UNSPECIFIED(&a) &&
	    !IN6_IS_ADDR_MULTICAST(&a) && (a.s6_addr[0] & 0xfe) != 0xfc;
}

static bool
is_public4(const char *ip)
{
	return is_ip4(ip) && !is_private4(ip) && !is_any(ip) &&
	    strncmp(ip, "127.", 4) != 0 && strncmp(ip, "169.254.", 8) != 0;
}

/* ---- templates: {{ GetPrivateIP }} and the like ---- */

static const struct {
	const char	*name;
	bool		 (*fits)(const char *ip);
	bool		 all;		/* all of them, not the first */
	bool		 named;		/* takes an interface's name */
} functions[] = {
	{ "GetPrivateIP", is_private4, false, false },
	{ "GetPrivateIPs", is_private4, true, false },
	{ "GetPublicIP", is_public4, false, false },
	{ "GetPublicIPs", is_public4, true, false },
	{ "GetInterfaceIP", is_ip4, false, true },
	{ "GetInterfaceIPs", is_ip4, true, true },
};

/* Appends what one template stands for; -1 if it is not understood. */
static int
template_eval(const char *body, const struct iface_vec *ifs, struct wbuf *w)
{
	char name[32], arg[64] = "";
	int at = 0, end = 0;
	bool named;
	size_t i, j;

	if (sscanf(body, " %31[A-Za-z] %n", name, &at) != 1)
		return -1;
	named = body[at] != '\0';
	if (named && (sscanf(body + at, "\"%63[^\"]\" %n", arg, &end) != 1 ||
	    end == 0 || body[at + end] != '\0'))
		return -1;
	for (i = 0; i < NELEM(functions); i++)
		if (strcmp(functions[i].name, name) == 0)
			break;
	if (i == NELEM(functions) || functions[i].named != named)
		return -1;
	for (j = 0; j < ifs->n; j++) {
		if (!functions[i].fits(ifs->item[j].ip) ||
		    (named && strcmp(ifs->item[j].name, arg) != 0))
			continue;
		wb_printf(w, "%s ", ifs->item[j].ip);
		if (!functions[i].all)
			break;
	}
	return 0;
}

/* Text with each {{...}} replaced; NULL, with the problem noted. */
static char *
templates(const char *text, const struct iface_vec *ifs, const char *key,
    const char *where, struct problems *p)
{
	const char *open, *close;
	struct wbuf w;
	char *body;
	int rc;

	wb_init(&w, 0);
	while ((open = strstr(text, "{{")) != NULL) {
		wb_bytes(&w, text, (size_t)(open - text));
		if ((close = strstr(open, "}}")) == NULL)
			break;
		body = xstrndup(open + 2, (size_t)(close - open - 2));
		rc = template_eval(body, ifs, &w);
		free(body);
		if (rc == -1)
			break;
		text = close + 2;
	}
	if (open != NULL) {
		problem(p, where, "%s: cannot evaluate %s: write the address, "
		    "or one of GetPrivateIP, GetPublicIP, GetInterfaceIP "
		    "\"name\"", key, open);
		wb_free(&w);
		return NULL;
	}
	wb_str(&w, text);
	return wb_detach_str(&w);
}

/*
 * The addresses of a key, or of `other` where it has none.  Each is an IP
 * address without brackets, or unix://path if that is allowed.
 */
static void
addr_list(const struct values *v, enum key key, enum key other, bool unix_ok,
    const struct config_env *env, struct strs *out, struct problems *p)
{
	const char *text, *name, *where;
	char *all, *save, *tok;
	size_t n;

	if (v_str(v, key) == NULL)
		key = other;
	name = config_keys[key].path;
	where = v_where(v, key);
	if ((text = v_str(v, key)) == NULL ||
	    (all = templates(text, &env->ifaces, name, where, p)) == NULL)
		return;
	for (tok = strtok_r(all, " \t\n", &save); tok != NULL;
	    tok = strtok_r(NULL, " \t\n", &save)) {
		n = strlen(tok);
		if (strncmp(tok, UNIX_SCHEME, strlen(UNIX_SCHEME)) == 0) {
			if (unix_ok)
				strs_add(out, tok);
			else
				problem(p, where, "%s: cannot be a unix "
				    "socket: %s: give an IP address", name,
				    tok);
			continue;
		}
		if (n > 2 && tok[0] == '[' && tok[n - 1] == ']') {
			tok[n - 1] = '\0';
			tok++;
		}
		if (is_ip(tok))
			strs_add(out, tok);
		else
			problem(p, where, "%s: invalid ip address: %s", name,
			    tok);
	}
	free(all);
	if (out->n == 0 && p->line.n == 0)
		problem(p, where, "%s cannot be empty: %s names no address of "
		    "this host", name, text);
}

/* The one address of a key; NULL when it is not set, or is wrong. */
static char *
addr_one(const struct values *v, enum key key,
    const struct config_env *env, struct problems *p)
{
	struct strs list = { 0 };
	char *ip = NULL;

	if (v_str(v, key) == NULL)
		return NULL;
	addr_list(v, key, key, false, env, &list, p);
	if (list.n > 1)
		problem(p, v_where(v, key), "%s cannot contain multiple "
		    "addresses. Use 'addresses.{dns,http,https}' instead.",
		    config_keys[key].path);
	else if (list.n == 1)
		ip = xstrdup(list.item[0]);
	strs_clear(&list);
	return ip;
}

/* ---- what others are told ---- */

/* With 0.0.0.0 or ::, the one address of this host that can be meant. */
static char *
addr_detect(const char *bind, const struct config_env *env,
    struct problems *p)
{
	bool v6 = strcmp(bind, "::") == 0;
	const char *kind = v6 ? "public IPv6" : "private IPv4";
	const char *found = NULL;
	struct wbuf all;
	size_t i, n = 0;
	char *list;

	wb_init(&all, 0);
	for (i = 0; i < env->ifaces.n; i++) {
		if (!(v6 ? is_public6 : is_private4)(env->ifaces.item[i].ip))
			continue;
		found = env->ifaces.item[i].ip;
		wb_printf(&all, "%s%s", n++ > 0 ? ", " : "", found);
	}
	list = wb_detach_str(&all);
	if (n == 0)
		problem(p, NULL, "No %s address found: configure one with "
		    "'bind' and/or 'advertise'", kind);
	else if (n > 1)
		problem(p, NULL, "Multiple %s addresses found (%s). Please "
		    "configure one with 'bind' and/or 'advertise'.", kind,
		    list);
	free(list);
	return n == 1 ? xstrdup(found) : NULL;
}

static void
tag_address(struct strmap *m, const char *pool, const char *ip)
{
	char key[16];

	snprintf(key, sizeof(key), "%s_%s", pool, is_ip4(ip) ? "ipv4" :
	    "ipv6");
	if (strmap_get(m, key) == NULL)
		strmap_put(m, key, ip);
}

static void
put_tags(const struct values *v, const struct config_env *env,
    struct conf_agent *a, struct problems *p)
{
	static const struct { enum key key; const char *tag; } explicit[] = {
		{ KEY_ADVERTISE_4, "lan_ipv4" },
		{ KEY_ADVERTISE_6, "lan_ipv6" },
		{ KEY_ADVERTISE_WAN_4, "wan_ipv4" }
	};
	size_t i;
	char *ip;

	strmap_put(&a->tagged_addresses, "lan", a->advertise_addr);
	strmap_put(&a->tagged_addresses, "wan", a->advertise_addr_wan);
	for (i = 0; i < NELEM(explicit); i++) {
		ip = addr_one(v, explicit[i].key, env, p);
		if (ip != NULL)
			strmap_put(&a->tagged_addresses, explicit[i].tag, ip);
		free(ip);
	}
	tag_address(&a->tagged_addresses, "lan", a->advertise_addr);
	tag_address(&a->tagged_addresses, "wan", a->advertise_addr_wan);
}

void
addr_advertise(const struct values *v, const struct config_env *env,
    struct config *c, struct problems *p)
{
	struct conf_agent *a = &c->agent;

	if (env->running != NULL) {	/* interfaces may have changed */
		a->bind_addr = xstrdup(env->running->agent.bind_addr);
		a->advertise_addr = xstrdup(env->running->agent.advertise_addr);
		a->advertise_addr_wan =
		    xstrdup(env->running->agent.advertise_addr_wan);
		strmap_copy(&a->tagged_addresses,
		    &env->running->agent.tagged_addresses);
		return;
	}
	if (v_str(v, KEY_BIND_ADDR) == NULL)
		problem(p, v_where(v, KEY_BIND_ADDR), "bind_addr cannot be "
		    "empty: give an address, or 0.0.0.0");
	if ((a->bind_addr = addr_one(v, KEY_BIND_ADDR, env, p)) == NULL)
		return;
	a->advertise_addr = addr_one(v, KEY_ADVERTISE, env, p);
	a->advertise_addr_wan = addr_one(v, KEY_ADVERTISE_WAN, env, p);
	if (p->line.n > 0)
		return;
	if (a->advertise_addr != NULL && is_any(a->advertise_addr))
		problem(p, v_where(v, KEY_ADVERTISE), "advertise_addr: "
		    "Advertise address cannot be 0.0.0.0, :: or [::]");
	if (a->advertise_addr_wan != NULL && is_any(a->advertise_addr_wan))
		problem(p, v_where(v, KEY_ADVERTISE_WAN), "advertise_addr_wan: "
		    "Advertise WAN address cannot be 0.0.0.0, :: or [::]");
	if (a->advertise_addr == NULL)
		a->advertise_addr = is_any(a->bind_addr) ?
		    addr_detect(a->bind_addr, env, p) : xstrdup(a->bind_addr);
	if (a->advertise_addr == NULL || p->line.n > 0)
		return;
	if (a->advertise_addr_wan == NULL)
		a->advertise_addr_wan = xstrdup(a->advertise_addr);
	put_tags(v, env, a, p);
}

/* ---- sockets ---- */

static const char *
kind_name(enum socket_kind kind)
{
	switch (kind) {
	case SOCK_LAN_UDP:
	case SOCK_LAN_TCP:
		return "Serf LAN";
	case SOCK_WAN_UDP:
	case SOCK_WAN_TCP:
		return "Serf WAN";
	case SOCK_RPC_TCP:
		return "RPC";
	case SOCK_DNS_UDP:
	case SOCK_DNS_TCP:
		return "DNS";
	case SOCK_HTTP_TCP:
	case SOCK_HTTP_UNIX:
		return "HTTP";
	case SOCK_HTTPS_TCP:
		return "HTTPS";
	}
	return "?";
}

static bool
is_udp(enum socket_kind kind)
{
	return kind == SOCK_LAN_UDP || kind == SOCK_WAN_UDP ||
	    kind == SOCK_DNS_UDP;
}

static bool
same_socket(const struct listen_addr *a, const struct listen_addr *b)
{
	if (a->path != NULL || b->path != NULL)
		return a->path != NULL && b->path != NULL &&
		    strcmp(a->path, b->path) == 0;
	return a->port == b->port && is_udp(a->kind) == is_udp(b->kind) &&
	    (strcmp(a->ip, b->ip) == 0 ||
	    (is_ip4(a->ip) == is_ip4(b->ip) &&
	    (is_any(a->ip) || is_any(b->ip))));
}

static struct listen_addr *
add_listener(struct config *c, enum socket_kind kind, const char *ip,
    uint16_t port, const char *key)
{
	struct listen_addr *l = VEC_ADD(&c->listen);

	l->kind = kind;
	l->ip = xstrdup(ip);
	l->port = port;
	l->key = xstrdup(key);
	return l;
}

static void
add_unix(struct config *c, const char *path, unsigned mode,
    const struct values *owner, const char *key, struct problems *p)
{
	struct sockaddr_un un;
	struct listen_addr *l;

	if (strlen(path) >= sizeof(un.sun_path)) {
		problem(p, NULL, "%s: socket path %s is longer than %zu bytes: "
		    "choose a shorter one", key, path,
		    sizeof(un.sun_path) - 1);
		return;
	}
	l = add_listener(c, SOCK_HTTP_UNIX, NULL, 0, key);
	l->path = xstrdup(path);
	l->mode = mode;
	if (owner != NULL) {
		str_set(&l->user, v_str(owner, KEY_UNIX_USER));
		str_set(&l->group, v_str(owner, KEY_UNIX_GROUP));
	}
}

/* Where two want one address, binding would fail with less to say. */
static void
find_clashes(const struct values *v, const struct config *c,
    struct problems *p)
{
	const struct listen_addr *a, *b;
	size_t i, j, k;

	for (i = 0; i < c->listen.n; i++) {
		b = &c->listen.item[i];
		for (j = 0; j < i; j++) {
			a = &c->listen.item[j];
			if (!same_socket(a, b))
				continue;
			for (k = 0; k < KEY_MAX; k++)
				if (strcmp(config_keys[k].path, b->key) == 0)
					break;
			problem(p, k < KEY_MAX ? v_where(v, k) : NULL,
			    "%s: %s address %s:%u already configured for %s: "
			    "change %s or %s", b->key, kind_name(b->kind),
			    b->path != NULL ? b->path : b->ip, b->port,
			    kind_name(a->kind), b->key, a->key);
			return;
		}
	}
}

static unsigned
unix_mode(const struct values *v, struct problems *p)
{
	const char *text = v_str(v, KEY_UNIX_MODE);
	unsigned long mode;
	char *end;

	if (text == NULL)
		return API_SOCKET_MODE;
	errno = 0;
	mode = strtoul(text, &end, 8);
	if (errno != 0 || *end != '\0' || mode > 0777 || *text == '-') {
		problem(p, v_where(v, KEY_UNIX_MODE), "unix_sockets.mode: "
		    "\"%s\" is no octal mode: write it as \"0660\"", text);
		return API_SOCKET_MODE;
	}
	return (unsigned)mode;
}

static void
https_listeners(const struct values *v, const struct config_env *env,
    struct config *c, struct problems *p)
{
	struct strs list = { 0 };
	size_t i;

	/* Test suites give the port to every agent that they start. */
	if (v_str(v, KEY_CERT_FILE) == NULL || v_str(v, KEY_KEY_FILE) == NULL) {
		warning(&c->warnings, v_where(v, KEY_PORT_HTTPS), "ports.https: "
		    "no certificate to show, so nothing listens there: give "
		    "cert_file and key_file");
		return;
	}
	addr_list(v, KEY_ADDR_HTTPS, KEY_CLIENT_ADDR, false, env, &list, p);
	for (i = 0; i < list.n; i++)
		add_listener(c, SOCK_HTTPS_TCP, list.item[i],
		    (uint16_t)v_num(v, KEY_PORT_HTTPS), "ports.https");
	strs_clear(&list);
}

static void
http_listeners(const struct values *v, const struct config_env *env,
    struct config *c, struct problems *p)
{
	int64_t port = v_num(v, KEY_PORT_HTTP);
	unsigned mode = unix_mode(v, p);
	struct strs list = { 0 };
	char *path;
	size_t i;

	if (v_num(v, KEY_PORT_HTTPS) > 0)
		https_listeners(v, env, c, p);
	addr_list(v, KEY_ADDR_HTTP, KEY_CLIENT_ADDR, true, env, &list, p);
	for (i = 0; i < list.n; i++) {
		if (strncmp(list.item[i], UNIX_SCHEME,
		    strlen(UNIX_SCHEME)) == 0) {
			path = path_absolute(env->cwd, list.item[i] +
			    strlen(UNIX_SCHEME));
			if (path != NULL)
				add_unix(c, path, mode, v, "addresses.http", p);
			free(path);
		} else if (port > 0)
			add_listener(c, SOCK_HTTP_TCP, list.item[i],
			    (uint16_t)port, "ports.http");
	}
	strs_clear(&list);
	if (c->run_dir != NULL) {
		xasprintf(&path, "%s/%s", c->run_dir, API_SOCKET);
		add_unix(c, path, API_SOCKET_MODE, NULL,
		    "disco.run_dir", p);
		free(path);
	}
}

static void
dns_listeners(const struct values *v, const struct config_env *env,
    struct config *c, struct problems *p)
{
	int64_t port = v_num(v, KEY_PORT_DNS);
	struct strs list = { 0 };
	size_t i;

	if (port <= 0)
		return;
	addr_list(v, KEY_ADDR_DNS, KEY_CLIENT_ADDR, false, env, &list, p);
	for (i = 0; i < list.n; i++) {
		add_listener(c, SOCK_DNS_UDP, list.item[i], (uint16_t)port,
		    "ports.dns");
		add_listener(c, SOCK_DNS_TCP, list.item[i], (uint16_t)port,
		    "ports.dns");
	}
	strs_clear(&list);
}

static void
gossip_listeners(const struct values *v, const struct config_env *env,
    struct config *c, bool wan, struct problems *p)
{
	const char *key = wan ? "ports.serf_wan" : "ports.serf_lan";
	uint16_t port = (uint16_t)v_num(v, wan ? KEY_PORT_WAN : KEY_PORT_LAN);
	char *ip;

	if ((ip = addr_one(v, wan ? KEY_SERF_WAN : KEY_SERF_LAN, env, p)) ==
	    NULL)
		ip = xstrdup(c->agent.bind_addr);
	add_listener(c, wan ? SOCK_WAN_UDP : SOCK_LAN_UDP, ip, port, key);
	add_listener(c, wan ? SOCK_WAN_TCP : SOCK_LAN_TCP, ip, port, key);
	free(ip);
}

/* Gossip on the LAN and RPC cannot be switched off. */
static bool
port_needed(const struct values *v, enum key key, struct problems *p)
{
	if (v_num(v, key) > 0)
		return true;
	problem(p, v_where(v, key), "%s: cannot be switched off: give a port "
	    "from 1 to 65535", config_keys[key].path);
	return false;
}

void
addr_listeners(const struct values *v, const struct config_env *env,
    struct config *c, struct problems *p)
{
	if (port_needed(v, KEY_PORT_LAN, p))
		gossip_listeners(v, env, c, false, p);
	if (v_bool(v, KEY_SERVER) && v_num(v, KEY_PORT_WAN) > 0)
		gossip_listeners(v, env, c, true, p);
	if (v_bool(v, KEY_SERVER) && port_needed(v, KEY_PORT_SERVER, p))
		add_listener(c, SOCK_RPC_TCP, c->agent.bind_addr,
		    (uint16_t)v_num(v, KEY_PORT_SERVER), "ports.server");
	dns_listeners(v, env, c, p);
	http_listeners(v, env, c, p);
	if (p->line.n == 0)
		find_clashes(v, c, p);
}
