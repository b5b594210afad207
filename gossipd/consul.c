/*
 * Consul's tags and admission rules, as judgements over meta.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "gossipd/consul.h"
#include "gossipd/tags.h"

const uint8_t consul_vsn[VSN_LEN] = { 1, 5, 2, 2, 5, 4 };

static int
pair_cmp(const void *a, const void *b)
{
	return strcmp(((const struct str_pair *)a)->key,
	    ((const struct str_pair *)b)->key);
}

static void
make_tags(const struct conf_agent *a, bool wan, struct strmap *tags)
{
	strmap_put(tags, "role", a->server ? "consul" : "node");
	strmap_put(tags, "dc", str_or(a->datacenter, ""));
	strmap_put(tags, "segment", "");
	strmap_put(tags, "id", str_or(a->node_id, ""));
	strmap_put(tags, "vsn", "2");
	strmap_put(tags, "vsn_min", "2");
	strmap_put(tags, "vsn_max", "3");
	strmap_put(tags, "build", DISCO_BUILD);
	strmap_put(tags, "acls", "0");
	if (a->server) {
		tags_put_number(tags, "port", a->port_rpc);
		strmap_put(tags, "raft_vsn", "3");
		/* No ft_fs: with it Consul's servers of other datacenters
		 * would write federation states here. */
		strmap_put(tags, TAG_DISCO, DISCO_VERSION);
		if (a->port_wan != 0 && !wan)
			tags_put_number(tags, "wan_join_port", a->port_wan);
		if (a->bootstrap || a->bootstrap_expect == 1)
			strmap_put(tags, "bootstrap", "1");
		else if (a->bootstrap_expect > 1)
			tags_put_number(tags, "expect", a->bootstrap_expect);
		if (a->use_tls)
			strmap_put(tags, "use_tls", "1");
	}
	qsort(tags->item, tags->n, sizeof(*tags->item), pair_cmp);
}

void
consul_tags(const struct conf_agent *a, struct strmap *tags)
{
	make_tags(a, false, tags);
}

void
consul_tags_wan(const struct conf_agent *a, struct strmap *tags)
{
	make_tags(a, true, tags);
}

/* x.y.z somewhere in it? */
static bool
has_version(struct span s)
{
	unsigned	dots = 0;
	bool		digit = false;
	size_t		i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] >= '0' && s.p[i] <= '9') {
			digit = true;
			if (dots == 2)
				return true;
		} else if (s.p[i] == '.' && digit) {
			dots++;
			digit = false;
		} else {
			dots = 0;
			digit = false;
		}
	}
	return false;
}

/* Tags that make a server invalid when they are there and malformed. */
static void
check_tag(struct span key, struct span val, void *arg)
{
	bool	*valid = arg;
	size_t	 i;
	char	 host[256], *text;
	int	 port;

	if (span_is(key, "expect") || span_is(key, "wan_join_port") ||
	    span_is(key, "raft_vsn") ||
	    (key.n > 3 && memcmp(key.p, "ft_", 3) == 0)) {
		*valid &= val.n > 0 && val.n < 10;
		for (i = 0; i < val.n; i++)
			*valid &= val.p[i] >= '0' && val.p[i] <= '9';
	} else if (key.n > 3 && memcmp(key.p, "sl_", 3) == 0) {
		text = xmemdup_str(val.p, val.n);
		*valid &= hostport_split(text, host, sizeof(host),
		    &port) == 0 && port >= 0;
		free(text);
	}
}

bool
consul_valid_server(struct span meta)
{
	struct span	build;
	bool		valid = true;
	int		n;

	if (!tag_is(meta, "role", "consul") || !tag_number(meta, "port", &n) ||
	    !tag_number(meta, "vsn", &n) ||
	    !tag_get(meta, "build", &build) || !has_version(build))
		return false;
	tags_each(meta, check_tag, &valid);
	return valid;
}

bool
consul_foreign_server(struct span meta, const char *dc)
{
	return consul_valid_server(meta) && tag_is(meta, "dc", dc) &&
	    !tag_has(meta, TAG_DISCO);
}

const char *
consul_server_clash(const struct consul_rules *c, const struct swim_said *a)
{
	if (!c->server ||
	    (a->state != SWIM_ALIVE && a->state != SWIM_SUSPECT))
		return NULL;
	if (consul_foreign_server(a->meta, c->dc))
		return "it is a Consul server: all servers of a datacenter "
		    "must be disco's, or all Consul's";
	return NULL;
}

const struct swim_said *
consul_find_clash(const struct consul_rules *c, const struct swim_said *a,
    size_t n)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (consul_server_clash(c, &a[i]) != NULL)
			return &a[i];
	return NULL;
}

/* Only members with build 0.8.5 and later are held to have ids of their own. */
static bool
build_has_ids(struct span meta)
{
	struct span	build;
	char		text[32];
	unsigned	major, minor, patch;

	if (!tag_get(meta, "build", &build) || build.n >= sizeof(text))
		return false;
	memcpy(text, build.p, build.n);
	text[build.n] = '\0';
	if (sscanf(text, "%u.%u.%u", &major, &minor, &patch) != 3)
		return false;
	return major * 1000000 + minor * 1000 + patch >= 8005;
}

static int
id_cmp(const void *a, const void *b)
{
	const struct span	*x = a, *y = b;
	size_t			 n = x->n < y->n ? x->n : y->n;
	int			 c = memcmp(x->p, y->p, n);

	return c != 0 ? c : (x->n > y->n) - (x->n < y->n);
}

static bool
ids_repeat(struct span *id, size_t n)
{
	size_t	i;

	qsort(id, n, sizeof(*id), id_cmp);
	for (i = 1; i < n; i++)
		if (span_same(id[i - 1], id[i]))
			return true;
	return false;
}

/* "web1.dc1", as every server is called in the WAN pool. */
static bool
named_for_wan(const struct swim_said *a)
{
	struct span	dc, name = a->name;

	return tag_get(a->meta, "dc", &dc) && name.n > dc.n + 1 &&
	    name.p[name.n - dc.n - 1] == '.' &&
	    memcmp(name.p + name.n - dc.n, dc.p, dc.n) == 0;
}

/*
 * Servers of all datacenters, of disco and of Consul, and nobody else.  The
 * name keeps apart pools that a join to the wrong port would connect; peers do
 * not look at it, so that a list with such a one in it is no reason to stay
 * away.
 */
static const char *
admit_wan(const struct consul_rules *c, const struct swim_said *a, size_t n)
{
	const char	*why;
	size_t		 i;

	for (i = 0; i < n; i++) {
		if (!consul_valid_server(a[i].meta))
			return "it is no server";
		if (n == 1 && !named_for_wan(&a[i]))
			return "its name does not end in its datacenter: it is "
			    "of a LAN pool";
		if ((why = consul_server_clash(c, &a[i])) != NULL)
			return why;
	}
	return NULL;
}

static const char *
admit_one(const struct consul_rules *c, const struct swim_said *a,
    struct span id)
{
	struct span	segment;
	bool		in_dc = tag_is(a->meta, "dc", c->dc);

	if (id.n > 0 && span_is(id, c->id) && !span_is(a->name, c->name))
		return "it has this node's id under another name";
	if (tag_is(a->meta, "role", "node") && !in_dc)
		return "it belongs to another datacenter";
	if (consul_valid_server(a->meta) && !in_dc)
		return "it is a server of another datacenter";
	if (tag_get(a->meta, "segment", &segment) && segment.n > 0)
		return "it belongs to another segment";
	return consul_server_clash(c, a);
}

static const char *
admit_lan(const struct consul_rules *c, const struct swim_said *a, size_t n)
{
	struct span	*ids = n > 1 ? xreallocarray(NULL, n, sizeof(*ids)) :
			    NULL;
	struct span	 id;
	const char	*why = NULL;
	size_t		 i, nids = 0;

	for (i = 0; i < n && why == NULL; i++) {
		if (!tag_get(a[i].meta, "id", &id))
			id.n = 0;
		if (id.n > 0 && a[i].state == SWIM_LEFT)
			continue;
		why = admit_one(c, &a[i], id);
		if (id.n > 0 && ids != NULL && build_has_ids(a[i].meta))
			ids[nids++] = id;
	}
	if (why == NULL && nids > 1 && ids_repeat(ids, nids))
		why = "two members have one id";
	free(ids);
	return why;
}

const char *
consul_admit(const struct consul_rules *c, const struct swim_said *a, size_t n)
{
	return c->wan ? admit_wan(c, a, n) : admit_lan(c, a, n);
}
