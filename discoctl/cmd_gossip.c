/*
 * keygen, keyring, event, rtt: keys of the gossip, what is sent by it, what it
 * measured.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "common/distance.h"
#include "common/regex.h"
#include "common/util.h"
#include "discoctl/ctl.h"

#define KEY_BYTES 32
#define RELAY_FACTOR_MAX 5

int
cmd_keygen(struct ctl *c, int argc, char **argv)
{
	uint8_t	 key[KEY_BYTES];
	char	*text;
	int	 rc;

	if (options(c, NULL, argc, argv, &rc) == -1)
		return rc;
	if (getrandom(key, sizeof(key), 0) != sizeof(key)) {
		fprintf(stderr, "Error reading random data\n");
		return 1;
	}
	text = base64_text(key, sizeof(key));
	printf("%s\n", text);
	free(text);
	return 0;
}

/* ---- keyring ---- */

struct keyring {
	bool		 list, list_primary, local_only;
	const char	*install, *use, *remove, *relay;
	long		 relay_factor;
};

static const struct {
	size_t		 value;		/* in struct keyring */
	const char	*method, *doing;
} key_actions[] = {
	{ offsetof(struct keyring, install), "POST",
	  "Installing new gossip encryption key" },
	{ offsetof(struct keyring, use), "PUT",
	  "Changing primary gossip encryption key" },
	{ offsetof(struct keyring, remove), "DELETE",
	  "Removing gossip encryption key" },
};

static const char *
key_of(const struct keyring *k, size_t action)
{
	return *(const char *const *)((const char *)k +
	    key_actions[action].value);
}

/* Their number. */
static int
actions_given(const struct keyring *k)
{
	size_t	 i;
	int	 n = k->list + k->list_primary;

	for (i = 0; i < NELEM(key_actions); i++)
		n += !str_empty(key_of(k, i));
	return n;
}

/* 0, or -1: said why not. */
static int
keyring_check(struct keyring *k)
{
	char	*end;

	k->relay_factor = strtol(k->relay, &end, 10);
	if (*end != '\0' || end == k->relay) {
		fprintf(stderr, "invalid value \"%s\" for flag -relay-factor: "
		    "parse error\n", k->relay);
		return -1;
	}
	if (k->relay_factor < 0 || k->relay_factor > RELAY_FACTOR_MAX) {
		fprintf(stderr, "Error parsing relay factor: Relay factor must "
		    "be in range: [0, %d]\n", RELAY_FACTOR_MAX);
		return -1;
	}
	if (k->local_only && !k->list && !k->list_primary) {
		fprintf(stderr, "Error validating local-only: local-only can "
		    "only be set for list requests\n");
		return -1;
	}
	return 0;
}

static void
print_pool(const struct json *pool, bool primary)
{
	const struct json	*keys, *k, *wan = json_get(pool, "WAN");

	if (wan != NULL && wan->truth)
		printf("\nWAN:\n");
	else
		printf("\n%s (LAN):\n", text_of(pool, "Datacenter"));
	keys = json_get(pool, primary ? "PrimaryKeys" : "Keys");
	for (k = keys == NULL ? NULL : keys->child; k != NULL; k = k->next)
		printf("  %s [%s/%lld]\n", k->key, k->str,
		    number_of(pool, "NumNodes"));
}

/* The caller frees it. */
static char *
keyring_path(const struct keyring *k)
{
	struct wbuf	 b;

	wb_init(&b, 0);
	wb_str(&b, "/v1/operator/keyring");
	if (k->relay_factor > 0)
		wb_printf(&b, "?relay-factor=%ld", k->relay_factor);
	if (k->local_only)
		wb_printf(&b, "%clocal-only=true",
		    k->relay_factor > 0 ? '&' : '?');
	return wb_detach_str(&b);
}

static int
keyring_list(struct ctl *c, const struct keyring *k)
{
	const struct json	*pool;
	struct answer		 ans;
	char			*path;
	int			 rc;

	printf("==> Gathering installed %sencryption keys...\n",
	    k->list_primary ? "primary " : "");
	fflush(stdout);
	path = keyring_path(k);
	rc = request(c, "GET", path, NULL, "error", &ans);
	free(path);
	if (rc == -1)
		return 1;
	for (pool = ans.json == NULL ? NULL : ans.json->child; pool != NULL;
	    pool = pool->next)
		print_pool(pool, k->list_primary);
	answer_free(&ans);
	return 0;
}

static int
keyring_change(struct ctl *c, const struct keyring *k, size_t action)
{
	struct answer	 ans;
	struct jw	*jw = jw_new(false);
	size_t		 len;
	char		*path;
	int		 rc;

	printf("==> %s...\n", key_actions[action].doing);
	fflush(stdout);
	jw_obj(jw);
	jw_key(jw, "Key");
	jw_str(jw, key_of(k, action));
	jw_end_obj(jw);
	path = keyring_path(k);
	rc = request(c, key_actions[action].method, path, jw_text(jw, &len),
	    "error", &ans);
	free(path);
	jw_free(jw);
	answer_free(&ans);
	return rc == -1 ? 1 : 0;
}

int
cmd_keyring(struct ctl *c, int argc, char **argv)
{
	struct keyring		 k = { .relay = "0" };
	const struct opt	 opts[] = {
		{ "install", OPT_STR, &k.install, "<string>",
		  "Install a new key on all members.", NULL },
		{ "list", OPT_FLAG, &k.list, NULL,
		  "List all keys in use within the cluster.", NULL },
		{ "list-primary", OPT_FLAG, &k.list_primary, NULL,
		  "List all primary keys in use within the cluster.", NULL },
		{ "local-only", OPT_FLAG, &k.local_only, NULL,
		  "Ask this datacenter's pool alone; for lists.", NULL },
		{ "relay-factor", OPT_STR, &k.relay, "<int>",
		  "Have answers relayed by so many other members, 5 at most.",
		  NULL },
		{ "remove", OPT_STR, &k.remove, "<string>",
		  "Remove a key, which must not be the primary one.", NULL },
		{ "use", OPT_STR, &k.use, "<string>",
		  "Make an installed key the primary one, which encrypts.",
		  NULL },
		{ 0 }
	};
	size_t			 i;
	int			 rc;

	if (options(c, opts, argc, argv, &rc) == -1)
		return rc;
	if (actions_given(&k) > 1) {
		fprintf(stderr, "Only a single action is allowed\n");
		return 1;
	}
	if (actions_given(&k) == 0) {
		usage(c, opts, stderr);
		return 1;
	}
	if (keyring_check(&k) == -1)
		return 1;
	if (k.list || k.list_primary)
		return keyring_list(c, &k);
	for (i = 0; str_empty(key_of(&k, i)); i++)
		;
	return keyring_change(c, &k, i);
}

/* ---- event ---- */

struct event {
	const char	*name, *node, *service, *tag;
};

static bool
is_regex(const char *what, const char *pattern)
{
	struct regex	*re;
	char		*why;

	if (str_empty(pattern))
		return true;
	if ((re = regex_new(pattern, &why)) == NULL) {
		fprintf(stderr, "Failed to compile %s filter regexp: %s\n",
		    what, why);
		free(why);
		return false;
	}
	regex_free(re);
	return true;
}

bool
event_filters_good(const char *node, const char *service, const char *tag)
{
	if (!str_empty(tag) && str_empty(service)) {
		fprintf(stderr, "Cannot provide tag filter without service "
		    "filter.\n");
		return false;
	}
	return is_regex("node", node) && is_regex("service", service) &&
	    is_regex("tag", tag);
}

static void
add_query(struct wbuf *b, const char *key, const char *value)
{
	char	*e;

	if (str_empty(value))
		return;
	e = escape(value);
	wb_printf(b, "%c%s=%s", memchr(b->p, '?', b->len) == NULL ? '?' : '&',
	    key, e);
	free(e);
}

static int
event_fire(struct ctl *c, const struct event *e, const char *payload)
{
	struct answer	 ans;
	struct wbuf	 b;
	char		*name = escape(e->name), *path;
	int		 rc;

	if (request(c, "GET", "/v1/agent/self", NULL, "querying Consul agent",
	    &ans) == -1) {
		free(name);
		return 1;
	}
	answer_free(&ans);
	wb_init(&b, 0);
	wb_printf(&b, "/v1/event/fire/%s", name);
	free(name);
	add_query(&b, "node", e->node);
	add_query(&b, "service", e->service);
	add_query(&b, "tag", e->tag);
	path = wb_detach_str(&b);
	rc = request(c, "PUT", path, payload, "firing event", &ans);
	free(path);
	if (rc == -1)
		return 1;
	printf("Event ID: %s\n", text_of(ans.json, "ID"));
	answer_free(&ans);
	return 0;
}

int
cmd_event(struct ctl *c, int argc, char **argv)
{
	struct event		 e = { 0 };
	const struct opt	 opts[] = {
		{ "name", OPT_STR, &e.name, "<string>",
		  "Name of the event.", NULL },
		{ "node", OPT_STR, &e.node, "<string>",
		  "Regular expression: only nodes of such names.", NULL },
		{ "service", OPT_STR, &e.service, "<string>",
		  "Regular expression: only nodes with such a service.", NULL },
		{ "tag", OPT_STR, &e.tag, "<string>",
		  "Regular expression: and with such a tag; with -service.",
		  NULL },
		{ 0 }
	};
	const char		*what = NULL;
	int			 i, rc;

	if ((i = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (str_empty(e.name))
		what = "Event name must be specified";
	else if (argc - i > 1)
		what = "Too many command line arguments.";
	if (what != NULL) {
		fprintf(stderr, "%s\n\n", what);
		usage(c, opts, stderr);
		return 1;
	}
	if (!event_filters_good(e.node, e.service, e.tag))
		return 1;
	return event_fire(c, &e, i < argc ? argv[i] : NULL);
}

/* ---- rtt ---- */

/* A node as it was named, and where it was found to be. */
struct place {
	char			*name, *datacenter;	/* WAN: taken apart */
	char			*text;
	struct node_coordinate	 at;
	bool			 found;
};

static void
place_clear(struct place *p)
{
	free(p->name);
	free(p->datacenter);
	free(p->text);
	schema_clear(&node_coordinate_schema, &p->at);
}

/* "node", or with -wan "node.datacenter" and nothing else. */
static int
place_set(struct place *p, const char *text, bool wan)
{
	const char	*dot = strchr(text, '.');

	p->text = xstrdup(text);
	if (!wan) {
		p->name = xstrdup(text);
		return 0;
	}
	if (dot == NULL || strchr(dot + 1, '.') != NULL) {
		fprintf(stderr, "Node names must be specified as "
		    "<node name>.<datacenter> with -wan\n");
		return -1;
	}
	p->name = xstrndup(text, (size_t)(dot - text));
	p->datacenter = xstrdup(dot + 1);
	return 0;
}

static int
place_self(struct ctl *c, struct place *p, bool wan)
{
	const struct json	*config;
	struct answer		 ans;

	if (request(c, "GET", "/v1/agent/self", NULL,
	    "Unable to look up agent info", &ans) == -1)
		return -1;
	config = ans.json == NULL ? NULL : json_get(ans.json, "Config");
	p->name = xstrdup(text_of(config, "NodeName"));
	p->datacenter = xstrdup(text_of(config, "Datacenter"));
	if (wan)
		xasprintf(&p->text, "%s.%s", p->name, p->datacenter);
	else
		p->text = xstrdup(p->name);
	answer_free(&ans);
	return 0;
}

static void
look(struct place *p, const struct json *list, const char *datacenter)
{
	const struct json	*j;
	char			 err[128];

	for (j = list == NULL ? NULL : list->child; j != NULL && !p->found;
	    j = j->next)
		if (strcasecmp(text_of(j, "Node"), p->name) == 0 &&
		    (datacenter == NULL ||
		    strcmp(datacenter, p->datacenter) == 0))
			p->found = schema_json_decode(&node_coordinate_schema,
			    j, SJ_FOLD, &p->at, err, sizeof(err), NULL) == 0;
}

/* Both places, from one answer. */
static int
places_look(struct ctl *c, struct place *p, bool wan)
{
	const struct json	*dc;
	struct answer		 ans;
	size_t			 i;

	if (request(c, "GET", wan ? "/v1/coordinate/datacenters" :
	    "/v1/coordinate/nodes", NULL, "getting coordinates", &ans) == -1)
		return -1;
	for (i = 0; i < 2 && !wan; i++)
		look(&p[i], ans.json, NULL);
	for (dc = wan && ans.json != NULL ? ans.json->child : NULL;
	    dc != NULL; dc = dc->next)
		for (i = 0; i < 2; i++)
			look(&p[i], json_get(dc, "Coordinates"),
			    text_of(dc, "Datacenter"));
	answer_free(&ans);
	return 0;
}

static int
rtt(struct ctl *c, struct place *p, int n, char **names, bool wan)
{
	double	 s;
	int	 i;

	if (place_set(&p[0], names[0], wan) == -1 ||
	    (n == 2 ? place_set(&p[1], names[1], wan) :
	    place_self(c, &p[1], wan)) == -1 || places_look(c, p, wan) == -1)
		return 1;
	for (i = 0; i < 2; i++)
		if (!p[i].found) {
			fprintf(stderr, "Could not find a coordinate for node "
			    "\"%s\"\n", p[i].text);
			return 1;
		}
	s = coordinate_distance(&p[0].at.coord, &p[1].at.coord);
	printf("Estimated %s <-> %s rtt: %.3f ms (using %s coordinates)\n",
	    p[0].text, p[1].text, s * 1000, wan ? "WAN" : "LAN");
	return 0;
}

int
cmd_rtt(struct ctl *c, int argc, char **argv)
{
	bool			 wan = false;
	const struct opt	 opts[] = {
		{ "wan", OPT_FLAG, &wan, NULL,
		  "Between servers of the WAN pool: node.datacenter.", NULL },
		{ 0 }
	};
	struct place		 p[2] = { 0 };
	int			 i, rc;

	if ((i = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (argc - i < 1 || argc - i > 2) {
		fprintf(stderr, "One or two node names must be specified\n\n");
		usage(c, opts, stderr);
		return 1;
	}
	rc = rtt(c, p, argc - i, argv + i, wan);
	place_clear(&p[0]);
	place_clear(&p[1]);
	return rc;
}
