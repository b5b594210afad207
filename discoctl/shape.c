/*
 * Tables of Go's structs, and the writer that goes through them.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "discoctl/shape.h"

enum { OMIT = 1 };	/* not shown when it is empty */

struct shape {
	const char		*key;
	const char		*none;	/* JSON that stands for what is not
					   there: "" a text, 0, false, null */
	unsigned		 flags;
	const struct shape	*object, *list;
};

#define STR(k)	{ .key = k, .none = "\"\"" }
#define NUM(k)	{ .key = k, .none = "0" }
#define BOOL(k)	{ .key = k, .none = "false" }
#define ANY(k)	{ .key = k, .none = "null" }
#define DUR(k)	{ .key = k, .none = "\"0s\"" }
#define END	{ .key = NULL }

static const struct shape key_shape[] = {
	STR("Key"), NUM("CreateIndex"), NUM("ModifyIndex"), NUM("LockIndex"),
	NUM("Flags"), ANY("Value"), STR("Session"), END
};
static const struct shape node_shape[] = {
	STR("ID"), STR("Node"), STR("Address"), STR("Datacenter"),
	ANY("TaggedAddresses"), ANY("Meta"), NUM("CreateIndex"),
	NUM("ModifyIndex"), END
};
static const struct shape service_shape[] = {
	{ .key = "Kind", .flags = OMIT }, STR("ID"), STR("Service"),
	ANY("Tags"), ANY("Meta"), NUM("Port"), STR("Address"),
	{ .key = "TaggedAddresses", .flags = OMIT }, ANY("Weights"),
	BOOL("EnableTagOverride"), NUM("CreateIndex"), NUM("ModifyIndex"),
	{ .key = "Proxy", .flags = OMIT }, { .key = "Connect", .flags = OMIT },
	END
};
static const struct shape definition_shape[] = {
	DUR("Interval"), DUR("Timeout"), DUR("DeregisterCriticalServiceAfter"),
	STR("HTTP"), ANY("Header"), STR("Method"), STR("Body"),
	BOOL("TLSSkipVerify"), STR("TCP"), END
};
static const struct shape check_shape[] = {
	STR("Node"), STR("CheckID"), STR("Name"), STR("Status"), STR("Notes"),
	STR("Output"), STR("ServiceID"), STR("ServiceName"),
	ANY("ServiceTags"), STR("Type"),
	{ .key = "Definition", .object = definition_shape },
	NUM("CreateIndex"), NUM("ModifyIndex"), END
};
static const struct shape entry_shape[] = {
	{ .key = "Node", .object = node_shape },
	{ .key = "Service", .object = service_shape },
	{ .key = "Checks", .list = check_shape }, END
};
static const struct shape event_shape[] = {
	STR("ID"), STR("Name"), ANY("Payload"), STR("NodeFilter"),
	STR("ServiceFilter"), STR("TagFilter"), NUM("Version"), NUM("LTime"),
	END
};

/* Of the rows of each type; services is a map, shown as it is. */
static const struct shape *const shapes[] = {
	[WATCH_KEY] = key_shape, [WATCH_KEYPREFIX] = key_shape,
	[WATCH_SERVICES] = NULL, [WATCH_NODES] = node_shape,
	[WATCH_SERVICE] = entry_shape, [WATCH_CHECKS] = check_shape,
	[WATCH_EVENT] = event_shape, [WATCH_AGENT_SERVICE] = NULL
};

static void	put_object(struct jw *, const struct shape *,
		    const struct json *);

static void
put_none(struct jw *w, const char *none)
{
	if (none[0] == '"')
		jw_strn(w, none + 1, strlen(none) - 2);
	else if (none[0] == '0')
		jw_uint(w, 0);
	else if (none[0] == 'f')
		jw_bool(w, false);
	else
		jw_null(w);
}

static void
put_list(struct jw *w, const struct shape *s, const struct json *j)
{
	const struct json	*c;

	jw_arr(w);
	for (c = j == NULL ? NULL : j->child; c != NULL; c = c->next)
		put_object(w, s, c);
	jw_end_arr(w);
}

static void
put_field(struct jw *w, const struct shape *s, const struct json *j)
{
	if (s->flags & OMIT && (j == NULL || j->type == JSON_NULL ||
	    (j->type == JSON_STRING && j->len == 0)))
		return;
	jw_key(w, s->key);
	if (s->object != NULL)
		put_object(w, s->object, j);
	else if (s->list != NULL)
		put_list(w, s->list, j);
	else if (j == NULL || (j->type == JSON_NULL && s->none != NULL))
		put_none(w, s->none);
	else
		jw_tree(w, j);
}

static void
put_object(struct jw *w, const struct shape *s, const struct json *j)
{
	jw_obj(w);
	for (; s->key != NULL; s++)
		put_field(w, s, json_get(j, s->key));
	jw_end_obj(w);
}

/* Events that came after that one; all, when it is not among them. */
static const struct json *
first_new(const struct json *j, const char *after)
{
	const struct json	*c, *id;

	for (c = j->child; after != NULL && c != NULL; c = c->next) {
		id = json_get(c, "ID");
		if (id != NULL && id->type == JSON_STRING &&
		    strcmp(id->str, after) == 0)
			return c->next;
	}
	return j->child;
}

char *
shape_text(enum watch_type type, const struct json *j, const char *after,
    bool pretty)
{
	struct jw		*w = jw_new(pretty);
	const struct json	*c;
	char			*text;

	if (j == NULL)
		jw_null(w);
	else if (shapes[type] == NULL)
		jw_tree(w, j);
	else if (type == WATCH_KEY && j->child == NULL)
		jw_null(w);
	else if (type == WATCH_KEY)
		put_object(w, shapes[type], j->child);
	else {
		jw_arr(w);
		c = type == WATCH_EVENT ? first_new(j, after) : j->child;
		for (; c != NULL; c = c->next)
			put_object(w, shapes[type], c);
		jw_end_arr(w);
	}
	text = xstrdup(jw_text(w, NULL));
	jw_free(w);
	return text;
}
