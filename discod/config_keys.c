/*
 * Keys and their values: one list gives names, types and defaults; a value is
 * set from a JSON node, whether that stood in a file or was made of a flag's
 * text.  Rules between keys are config_build.c's.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "discod/config_parts.h"

const struct key_info config_keys[KEY_MAX] = {
#define K(id, path, type, def, flags)					\
	[KEY_##id] = { path, T_##type, def, flags },
	CONFIG_KEYS(K)
#undef K
};

/* What -dev changes before any file is read. */
static const struct { enum key key; const char *text; } dev_values[] = {
	{ KEY_BIND_ADDR, "127.0.0.1" },
	{ KEY_SERVER, "true" },
	{ KEY_LOG_LEVEL, "DEBUG" },
	{ KEY_FOREGROUND, "true" },
	{ KEY_NO_KEYRING_FILE, "true" },
	{ KEY_ENABLE_DEBUG, "true" },
	{ KEY_UI, "true" },
	{ KEY_NO_SIGNATURE, "true" },
	{ KEY_RAFT_MULT, "1" },
	{ KEY_LAN_GOSSIP_INTERVAL, "100ms" },
	{ KEY_LAN_PROBE_INTERVAL, "100ms" },
	{ KEY_LAN_PROBE_TIMEOUT, "100ms" },
	{ KEY_LAN_SUSPICION, "3" },
	{ KEY_WAN_GOSSIP_INTERVAL, "100ms" },
	{ KEY_WAN_PROBE_INTERVAL, "100ms" },
	{ KEY_WAN_PROBE_TIMEOUT, "100ms" },
	{ KEY_WAN_SUSPICION, "3" },
};

/* Old names that Consul still takes, and what they became. */
static const struct { const char *old; enum key key; } old_names[] = {
	{ "acl_datacenter", KEY_PRIMARY_DC },
	{ "acl_token", KEY_TOKEN_DEFAULT },
	{ "acl_agent_token", KEY_TOKEN_AGENT },
	{ "acl_agent_master_token", KEY_TOKEN_AGENT_MASTER },
	{ "acl_master_token", KEY_TOKEN_MASTER },
	{ "acl_replication_token", KEY_TOKEN_REPLICATION },
	{ "acl_default_policy", KEY_ACL_DEFAULT },
	{ "acl_down_policy", KEY_ACL_DOWN },
	{ "acl_ttl", KEY_ACL_TOKEN_TTL },
	{ "acl_enable_key_list_policy", KEY_ACL_KEY_LIST },
	{ "enable_acl_replication", KEY_ACL_REPLICATE },
};

__attribute__((format(printf, 3, 0)))
static void
add_line(struct strs *to, const char *where, const char *fmt, va_list ap)
{
	char *text, *line;

	if (vasprintf(&text, fmt, ap) == -1)
		abort();
	xasprintf(&line, "%s%s%s", where != NULL ? where : "",
	    where != NULL ? ": " : "", text);
	strs_add(to, line);
	free(line);
	free(text);
}

void
problem(struct problems *p, const char *where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_line(&p->line, where, fmt, ap);
	va_end(ap);
}

void
warning(struct strs *w, const char *where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_line(w, where, fmt, ap);
	va_end(ap);
}

/* ---- one value ---- */

static const char *
type_wants(enum key_type type)
{
	switch (type) {
	case T_BOOL:
		return "true or false, without quotes";
	case T_INT:
	case T_UINT:
	case T_PORT:
		return "a whole number, without quotes";
	case T_FLOAT:
		return "a number, without quotes";
	case T_STR:
		return "a string";
	case T_DUR:
		return "a string with a unit, as \"30s\"";
	case T_STRS:
		return "a list of strings, as [\"a\", \"b\"]";
	case T_STRMAP:
		return "an object of strings, as {\"a\": \"b\"}";
	case T_DURMAP:
		return "an object of durations, as {\"web\": \"10s\"}";
	case T_OBJ:
	case T_SERVICE:
	case T_CHECK:
		return "an object, as {...}";
	case T_LIST:
	case T_WATCHES:
	case T_SERVICES:
	case T_CHECKS:
		return "a list of objects, as [{...}]";
	}
	return "something else";
}

static enum json_type
type_json(enum key_type type)
{
	switch (type) {
	case T_BOOL:
		return JSON_BOOL;
	case T_INT:
	case T_UINT:
	case T_PORT:
	case T_FLOAT:
		return JSON_NUMBER;
	case T_STR:
	case T_DUR:
		return JSON_STRING;
	case T_STRS:
	case T_LIST:
	case T_WATCHES:
	case T_SERVICES:
	case T_CHECKS:
		return JSON_ARRAY;
	case T_STRMAP:
	case T_DURMAP:
	case T_OBJ:
	case T_SERVICE:
	case T_CHECK:
		break;
	}
	return JSON_OBJECT;
}

static void
wrong_type(struct problems *p, const char *where, const char *path,
    enum key_type type, const struct json *got)
{
	problem(p, where, "%s: expected %s, got a value of type %s", path,
	    type_wants(type), json_type_name(got->type));
}

static bool
is_text(const struct json *n)
{
	return n->type == JSON_STRING && n->str != NULL &&
	    memchr(n->str, '\0', n->len) == NULL;
}

static void
set_number(struct value *v, const struct key_info *k, const struct json *n,
    const char *where, struct problems *p)
{
	char *end;
	double d = strtod(n->str, &end);

	if (end == n->str || *end != '\0' || !isfinite(d)) {
		problem(p, where, "%s: \"%s\" is no number", k->path, n->str);
		return;
	}
	if (k->type == T_FLOAT) {
		v->real = d;
		return;
	}
	if (d != floor(d) || fabs(d) > 9007199254740992.0) {
		problem(p, where, "%s: expected %s, got %s", k->path,
		    type_wants(k->type), n->str);
		return;
	}
	if (k->type == T_UINT && d < 0) {
		problem(p, where, "%s: cannot be %s: must be greater than or "
		    "equal to zero", k->path, n->str);
		return;
	}
	if (k->type == T_PORT && d > 65535) {
		problem(p, where, "%s: invalid port: %s: use 1 to 65535, or "
		    "-1 for none", k->path, n->str);
		return;
	}
	v->num = (int64_t)d;
}

static bool
duration_ok(const char *path, const char *text, const char *where,
    int64_t *ns, struct problems *p)
{
	if (dur_parse(text, ns) == -1) {
		problem(p, where, "%s: invalid duration: \"%s\": write a "
		    "number with a unit, as \"30s\" or \"5m\"", path, text);
		return false;
	}
	if (*ns < 0) {
		problem(p, where, "%s: invalid duration: \"%s\": it cannot be "
		    "negative", path, text);
		return false;
	}
	return true;
}

static void
set_list(struct value *v, const struct key_info *k, const struct json *n,
    const char *where, struct problems *p)
{
	const struct json *c;

	for (c = n->child; c != NULL; c = c->next) {
		if (!is_text(c)) {
			wrong_type(p, where, k->path, k->type, c);
			return;
		}
		strs_add(&v->list, c->str);
	}
}

static void
set_map(struct value *v, const struct key_info *k, const struct json *n,
    const char *where, struct problems *p)
{
	const struct json *c;
	char *path;
	int64_t ns;

	for (c = n->child; c != NULL; c = c->next) {
		if (!is_text(c)) {
			wrong_type(p, where, k->path, k->type, c);
			return;
		}
		xasprintf(&path, "%s[\"%s\"]", k->path, c->key);
		if (k->type == T_STRMAP ||
		    duration_ok(path, c->str, where, &ns, p))
			strmap_put(&v->map, c->key, c->str);
		free(path);
	}
}

static void
set_value(struct values *vs, enum key key, const struct json *n,
    const char *where, struct problems *p)
{
	const struct key_info *k = &config_keys[key];
	struct value *v = &vs->v[key];

	if (n->type == JSON_NULL)
		return;
	if (n->type != type_json(k->type) ||
	    (n->type == JSON_STRING && !is_text(n))) {
		wrong_type(p, where, k->path, k->type, n);
		return;
	}
	switch (k->type) {
	case T_BOOL:
		v->truth = n->truth;
		break;
	case T_INT:
	case T_UINT:
	case T_PORT:
	case T_FLOAT:
		set_number(v, k, n, where, p);
		break;
	case T_STR:
		str_set(&v->str, n->str);
		break;
	case T_DUR:
		(void)duration_ok(k->path, n->str, where, &v->num, p);
		break;
	case T_STRS:
		set_list(v, k, n, where, p);
		break;
	case T_STRMAP:
	case T_DURMAP:
		set_map(v, k, n, where, p);
		break;
	case T_WATCHES:
		watches_set(&v->list, n, where, p);
		break;
	case T_OBJ:
	case T_LIST:
	case T_SERVICE:
	case T_SERVICES:
	case T_CHECK:
	case T_CHECKS:
		break;
	}
	v->set = where != NULL;
	str_set(&v->where, where);
}

void
values_text(struct values *vs, enum key key, const char *text,
    const char *where, struct problems *p)
{
	struct json n = { 0 }, inner = { 0 };
	const char *colon;
	char *copy = NULL;

	n.type = type_json(config_keys[key].type);
	n.str = inner.str = (char *)(uintptr_t)text;
	n.len = inner.len = strlen(text);
	inner.type = JSON_STRING;
	switch (n.type) {
	case JSON_BOOL:
		n.truth = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
		if (!n.truth && strcmp(text, "false") != 0 &&
		    strcmp(text, "0") != 0) {
			problem(p, where, "\"%s\" is neither true nor false",
			    text);
			return;
		}
		break;
	case JSON_ARRAY:
		n.child = n.last = &inner;
		break;
	case JSON_OBJECT:
		if ((colon = strchr(text, ':')) == NULL)
			colon = text + inner.len;
		inner.key = copy = xstrndup(text, (size_t)(colon - text));
		inner.str = (char *)(uintptr_t)(*colon == ':' ? colon + 1 :
		    colon);
		inner.len = strlen(inner.str);
		n.child = n.last = &inner;
		break;
	case JSON_NULL:
	case JSON_NUMBER:
	case JSON_STRING:
		break;
	}
	set_value(vs, key, &n, where, p);
	free(copy);
}

void
values_init(struct values *vs, bool dev)
{
	struct problems none = { 0 };
	size_t i;

	memset(vs, 0, sizeof(*vs));
	for (i = 0; i < KEY_MAX; i++)
		if (config_keys[i].def != NULL)
			values_text(vs, i, config_keys[i].def, NULL, &none);
	for (i = 0; dev && i < NELEM(dev_values); i++)
		values_text(vs, dev_values[i].key, dev_values[i].text, NULL,
		    &none);
	strs_clear(&none.line);
}

static void
value_clear(struct value *v)
{
	free(v->where);
	free(v->str);
	strs_clear(&v->list);
	strmap_clear(&v->map);
	memset(v, 0, sizeof(*v));
}

void
values_clear(struct values *vs)
{
	size_t i;

	for (i = 0; i < KEY_MAX; i++)
		value_clear(&vs->v[i]);
}

static void
value_copy(struct value *to, const struct value *from)
{
	value_clear(to);
	*to = *from;
	to->where = xstrdup(from->where);
	to->str = xstrdup(from->str);
	strs_copy(&to->list, &from->list);
	strmap_copy(&to->map, &from->map);
}

static bool
value_equal(const struct value *a, const struct value *b)
{
	return strcmp(str_or(a->str, ""), str_or(b->str, "")) == 0 &&
	    a->num == b->num && a->real == b->real && a->truth == b->truth &&
	    strs_equal(&a->list, &b->list) && strmap_equal(&a->map, &b->map);
}

void
values_keep_fixed(struct values *vs, const struct values *running,
    struct strs *warnings)
{
	size_t i;

	for (i = 0; i < KEY_MAX; i++) {
		if (!(config_keys[i].flags & KF_FIXED) ||
		    value_equal(&vs->v[i], &running->v[i]))
			continue;
		warning(warnings, vs->v[i].where, "%s cannot change while "
		    "disco runs: the old value stays until a restart",
		    config_keys[i].path);
		value_copy(&vs->v[i], &running->v[i]);
	}
}

/* ---- a file ---- */

struct walk {
	struct values	*vs;
	struct defs	*defs;
	const char	*file;
	struct strs	*warnings;
	struct problems	*problems;
};

/* The key of that name; KEY_MAX for none, *group if others begin with it. */
static enum key
key_find(const char *path, bool *group, bool *old)
{
	size_t i, n = strlen(path);

	*group = *old = false;
	for (i = 0; i < KEY_MAX; i++) {
		if (strcmp(config_keys[i].path, path) == 0)
			return i;
		if (strncmp(config_keys[i].path, path, n) == 0 &&
		    config_keys[i].path[n] == '.')
			*group = true;
	}
	for (i = 0; i < NELEM(old_names); i++)
		if (strcmp(old_names[i].old, path) == 0) {
			*old = true;
			return old_names[i].key;
		}
	return KEY_MAX;
}

static void
walk_list(struct walk *w, const struct json *n, enum key key)
{
	const struct json *c;
	size_t i = 0;
	char *path;

	for (c = n->child; c != NULL; c = c->next) {
		xasprintf(&path, "%s[%zu]", config_keys[key].path, i++);
		if (config_keys[key].type == T_SERVICES)
			defs_service(w->defs, c, path, w->file, w->problems);
		else
			defs_check(w->defs, c, path, w->file, w->problems);
		free(path);
	}
}

static void
walk_key(struct walk *w, const struct json *n, enum key key,
    const char *where)
{
	const struct key_info *k = &config_keys[key];
	size_t before = w->problems->line.n;

	set_value(w->vs, key, n, where, w->problems);
	if (n->type == JSON_NULL || w->problems->line.n != before)
		return;
	switch (k->type) {
	case T_SERVICE:
		defs_service(w->defs, n, k->path, w->file, w->problems);
		break;
	case T_CHECK:
		defs_check(w->defs, n, k->path, w->file, w->problems);
		break;
	case T_SERVICES:
	case T_CHECKS:
		walk_list(w, n, key);
		break;
	case T_BOOL:
	case T_INT:
	case T_UINT:
	case T_FLOAT:
	case T_PORT:
	case T_STR:
	case T_DUR:
	case T_STRS:
	case T_STRMAP:
	case T_DURMAP:
	case T_OBJ:
	case T_LIST:
	case T_WATCHES:
		break;
	}
}

/* Keys that Consul 1.8 has in its Enterprise version alone. */
static bool
of_enterprise(const char *path)
{
	static const char *const	keys[] = {
		"acl.msp_disable_bootstrap",
		"acl.tokens.managed_service_provider",
		"dns_config.prefer_namespace",
	};
	size_t				i;

	for (i = 0; i < NELEM(keys); i++)
		if (strcmp(path, keys[i]) == 0)
			return true;
	return false;
}

static void
walk_object(struct walk *w, const struct json *obj, const char *prefix)
{
	const struct json *c;
	enum key key;
	bool group, old;
	char *path, *where;

	for (c = obj->child; c != NULL; c = c->next) {
		xasprintf(&path, "%s%s%s", prefix, *prefix != '\0' ? "." : "",
		    c->key);
		xasprintf(&where, "%s:%u:%u", w->file, c->line, c->col);
		key = key_find(path, &group, &old);
		if (key != KEY_MAX) {
			if (old)
				warning(w->warnings, where, "The '%s' field is "
				    "deprecated. Use the '%s' field instead.",
				    path, config_keys[key].path);
			walk_key(w, c, key, where);
		} else if (!group)
			problem(w->problems, where, "invalid config key %s%s",
			    path, of_enterprise(path) ?
			    ": only Consul Enterprise has it" : "");
		else if (c->type == JSON_OBJECT)
			walk_object(w, c, path);
		else if (c->type != JSON_NULL)
			wrong_type(w->problems, where, path, T_OBJ, c);
		free(where);
		free(path);
	}
}

void
values_tree(struct values *vs, struct defs *defs, const struct json *tree,
    const char *file, struct strs *warnings, struct problems *p)
{
	struct walk w = { vs, defs, file, warnings, p };

	if (tree->type != JSON_OBJECT) {
		problem(p, file, "expected an object, as {...}, got a value "
		    "of type %s", json_type_name(tree->type));
		return;
	}
	walk_object(&w, tree, "");
}

/* ---- reading ---- */

const char *
v_str(const struct values *vs, enum key key)
{
	return str_empty(vs->v[key].str) ? NULL : vs->v[key].str;
}

int64_t
v_num(const struct values *vs, enum key key)
{
	return vs->v[key].num;
}

bool
v_bool(const struct values *vs, enum key key)
{
	return vs->v[key].truth;
}

bool
v_set(const struct values *vs, enum key key)
{
	return vs->v[key].set;
}

const char *
v_where(const struct values *vs, enum key key)
{
	return vs->v[key].where;
}
