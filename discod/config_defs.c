/*
 * Services and checks in files: keys (whatever their case, as Consul takes
 * them), types, and the rules that Consul applies when it registers them at
 * start.  What an id or a name defaults to inside a service is catalogd's.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/util.h"
#include "discod/config_parts.h"

#define INTERVAL_MIN_NS		NS_PER_S
#define DEREGISTER_MIN_NS	(60 * NS_PER_S)
#define META_PAIRS_MAX		64
#define META_KEY_MAX		128
#define META_VALUE_MAX		512
#define WEIGHT_MAX		65535

/* The HTTP API knows these; in a file Consul refuses them. */
static const char *const not_in_files[] = { "check_id", "CheckID" };

/* ---- keys ---- */

static bool
alias_is(const char *aliases, const char *key)
{
	size_t n, len = strlen(key);

	while (aliases != NULL && *aliases != '\0') {
		n = strcspn(aliases, "|");
		if (n == len && strncasecmp(aliases, key, n) == 0)
			return true;
		aliases += n + (aliases[n] == '|');
	}
	return false;
}

static const struct schema_field *
field_find(const struct schema *s, const char *key)
{
	size_t i;

	for (i = 0; i < NELEM(not_in_files); i++)
		if (strcasecmp(not_in_files[i], key) == 0)
			return NULL;
	for (i = 0; i < s->nfields; i++)
		if (strcasecmp(s->fields[i].name, key) == 0 ||
		    alias_is(s->fields[i].aliases, key))
			return &s->fields[i];
	return NULL;
}

/* What a field of that kind is written as. */
static enum json_type
kind_json(enum schema_kind kind, const char **wants)
{
	switch (kind) {
	case K_STR:
	case K_BYTES:
	case K_TIME:
		*wants = "a string";
		return JSON_STRING;
	case K_DUR:
		*wants = "a string with a unit, as \"10s\"";
		return JSON_STRING;
	case K_BOOL:
		*wants = "true or false, without quotes";
		return JSON_BOOL;
	case K_INT:
	case K_UINT:
	case K_DOUBLE:
		*wants = "a number, without quotes";
		return JSON_NUMBER;
	case K_STRS:
		*wants = "a list of strings, as [\"a\", \"b\"]";
		return JSON_ARRAY;
	case K_DOUBLES:
	case K_LIST:
		*wants = "a list, as [...]";
		return JSON_ARRAY;
	case K_STRSMAP:
		*wants = "an object of lists, as {\"a\": [\"b\"]}";
		return JSON_OBJECT;
	case K_STRMAP:
		*wants = "an object of strings, as {\"a\": \"b\"}";
		return JSON_OBJECT;
	case K_INTMAP:
	case K_STRUCT:
	case K_PTR:
	case K_MAP:
		break;
	case K_ANY:
		*wants = NULL;
		return JSON_NULL;
	}
	*wants = "an object, as {...}";
	return JSON_OBJECT;
}

static void
bad_value(const struct json *at, const char *path, const char *file,
    struct problems *p, const char *wants)
{
	char *where;

	xasprintf(&where, "%s:%u:%u", file, at->line, at->col);
	problem(p, where, "%s: expected %s, got a value of type %s", path,
	    wants, json_type_name(at->type));
	free(where);
}

static void check_keys(const struct schema *, const struct json *,
    const char *path, const char *file, struct problems *);

/* Elements of a list or map of values: all of one type. */
static void
check_elements(const struct schema_field *f, const struct json *n,
    const char *path, const char *file, struct problems *p)
{
	enum json_type type = f->kind == K_STRSMAP ? JSON_ARRAY : JSON_STRING;
	const struct json *c, *e;
	const char *wants;

	(void)kind_json(f->kind, &wants);
	for (c = n->child; c != NULL; c = c->next) {
		if (c->type != type) {
			bad_value(c, path, file, p, wants);
			continue;
		}
		for (e = c->child; e != NULL; e = e->next)
			if (e->type != JSON_STRING)
				bad_value(e, path, file, p, wants);
	}
}

static void
check_duration(const struct json *n, const char *path, const char *file,
    struct problems *p)
{
	int64_t ns;
	char *where;

	if (dur_parse(n->str, &ns) == 0 && ns >= 0)
		return;
	xasprintf(&where, "%s:%u:%u", file, n->line, n->col);
	problem(p, where, "%s: invalid duration: \"%s\": write a number with a "
	    "unit, as \"10s\" or \"5m\"", path, n->str);
	free(where);
}

static void
check_field(const struct schema_field *f, const struct json *n,
    const char *path, const char *file, struct problems *p)
{
	const struct json *c;
	const char *wants;
	enum json_type type = kind_json(f->kind, &wants);
	size_t i = 0;
	char *sub;

	if (wants == NULL || n->type == JSON_NULL)
		return;
	if (n->type != type) {
		bad_value(n, path, file, p, wants);
		return;
	}
	switch (f->kind) {
	case K_STRUCT:
	case K_PTR:
		check_keys(f->sub, n, path, file, p);
		break;
	case K_LIST:
	case K_MAP:
		for (c = n->child; c != NULL; c = c->next) {
			if (f->kind == K_LIST)
				xasprintf(&sub, "%s[%zu]", path, i++);
			else
				xasprintf(&sub, "%s.%s", path, c->key);
			check_keys(f->sub, c, sub, file, p);
			free(sub);
		}
		break;
	case K_STRS:
	case K_STRMAP:
	case K_STRSMAP:
		check_elements(f, n, path, file, p);
		break;
	case K_DUR:
		check_duration(n, path, file, p);
		break;
	case K_UINT:
		if (n->str[0] == '-')
			bad_value(n, path, file, p, "a number that is not "
			    "negative");
		break;
	case K_STR:
	case K_BOOL:
	case K_INT:
	case K_DOUBLE:
	case K_BYTES:
	case K_TIME:
	case K_ANY:
	case K_DOUBLES:
	case K_INTMAP:
		break;
	}
}

/* The decoder stops at the first fault, in the words of the HTTP API; who
 * reads a file's messages wants them all, with a remedy. */
static void
check_keys(const struct schema *s, const struct json *n, const char *path,
    const char *file, struct problems *p)
{
	const struct schema_field *f;
	const struct json *c;
	char *sub, *where;

	if (n->type != JSON_OBJECT) {
		bad_value(n, path, file, p, "an object, as {...}");
		return;
	}
	for (c = n->child; c != NULL; c = c->next) {
		xasprintf(&sub, "%s.%s", path, c->key);
		if ((f = field_find(s, c->key)) != NULL)
			check_field(f, c, sub, file, p);
		else {
			xasprintf(&where, "%s:%u:%u", file, c->line, c->col);
			problem(p, where, "invalid config key %s", sub);
			free(where);
		}
		free(sub);
	}
}

static const struct json *
get_fold(const struct json *n, const char *key)
{
	const struct json *c;

	for (c = n->child; c != NULL; c = c->next)
		if (c->key != NULL && strcasecmp(c->key, key) == 0)
			return c;
	return NULL;
}

/* False, with the problems noted, if it is not to be used. */
static bool
decode(struct schema *s, const struct json *n, const char *path,
    const char *file, void *obj, struct problems *p)
{
	const struct json *at = NULL;
	size_t before = p->line.n;
	char err[512], *where;

	check_keys(s, n, path, file, p);
	if (p->line.n != before)
		return false;
	if (schema_json_decode(s, n, SJ_STRICT | SJ_FOLD, obj, err,
	    sizeof(err), &at) == 0)
		return true;
	if (at == NULL)
		at = n;
	xasprintf(&where, "%s:%u:%u", file, at->line, at->col);
	problem(p, where, "%s: %s", path, err);
	free(where);
	return false;
}

void
defs_service(struct defs *d, const struct json *n, const char *path,
    const char *file, struct problems *p)
{
	const struct json *weights;
	struct service_def def, *slot;
	char *where;

	if (!decode(&service_def_schema, n, path, file, &def, p))
		return;
	/* What is not given of the weights is 1, not 0. */
	if (def.weights != NULL && (weights = get_fold(n, "weights")) != NULL) {
		if (get_fold(weights, "passing") == NULL)
			def.weights->passing = 1;
		if (get_fold(weights, "warning") == NULL)
			def.weights->warning = 1;
	}
	slot = VEC_ADD(&d->services);
	*slot = def;
	xasprintf(&where, "%s:%u:%u", file, n->line, n->col);
	strs_add(&d->service_at, where);
	free(where);
}

void
defs_check(struct defs *d, const struct json *n, const char *path,
    const char *file, struct problems *p)
{
	struct check_def def, *slot;
	char *where;

	if (!decode(&check_def_schema, n, path, file, &def, p))
		return;
	slot = VEC_ADD(&d->checks);
	*slot = def;
	xasprintf(&where, "%s:%u:%u", file, n->line, n->col);
	strs_add(&d->check_at, where);
	free(where);
}

/* ---- rules ---- */

bool
dns_name_ok(const char *name)
{
	if (*name == '\0')
		return false;
	for (; *name != '\0'; name++)
		if (!isalnum((unsigned char)*name) && *name != '-')
			return false;
	return true;
}

const char *
meta_check(const struct strmap *m, char *buf, size_t len)
{
	const char *why = NULL, *c;
	size_t i;

	if (m->n > META_PAIRS_MAX) {
		snprintf(buf, len, "Node metadata cannot contain more than "
		    "%d key/value pairs", META_PAIRS_MAX);
		return buf;
	}
	for (i = 0; i < m->n && why == NULL; i++) {
		for (c = m->item[i].key; *c != '\0'; c++)
			if (!isalnum((unsigned char)*c) && *c != '_' &&
			    *c != '-')
				break;
		if (m->item[i].key[0] == '\0')
			why = "Key cannot be blank";
		else if (*c != '\0')
			why = "Key contains invalid characters";
		else if (strlen(m->item[i].key) > META_KEY_MAX)
			why = "Key is too long (limit: 128 characters)";
		else if (strncmp(m->item[i].key, "consul-", 7) == 0)
			why = "Key prefix 'consul-' is reserved for internal "
			    "use";
		else if (strlen(str_or(m->item[i].val, "")) > META_VALUE_MAX)
			why = "Value is too long (limit: 512 characters)";
		else
			continue;
		snprintf(buf, len, "Couldn't load metadata pair ('%.128s'): %s",
		    m->item[i].key, why);
	}
	return why != NULL ? buf : NULL;
}

static const char *
status_check(const struct check_def *c)
{
	static const char *const known[] = { "passing", "warning", "critical" };
	size_t i;

	if (str_empty(c->status))
		return NULL;
	for (i = 0; i < NELEM(known); i++)
		if (strcmp(known[i], c->status) == 0)
			return NULL;
	return c->status;
}

static bool
check_empty(const struct check_def *c)
{
	struct check_def none = { 0 }, same = *c;

	/* `set` of an empty list is no content. */
	same.args.set = none.args.set;
	same.header.set = none.header.set;
	return schema_equal(&check_def_schema, &same, &none);
}

struct rules {
	bool		 scripts;
	struct strs	*warnings;
	struct problems	*problems;
};

/* What makes a check impossible: NULL, or the reason and the remedy. */
static const char *
check_fault(const struct check_def *c, bool scripts)
{
	bool script = c->args.n > 0 || !str_empty(c->docker_container_id);
	bool timed = script || !str_empty(c->http) || !str_empty(c->tcp) ||
	    !str_empty(c->udp) || !str_empty(c->dns) ||
	    !str_empty(c->grpc) || !str_empty(c->h2ping);
	bool alias = !str_empty(c->alias_node) || !str_empty(c->alias_service);

	if (c->interval > 0 && c->ttl > 0)
		return "Interval and TTL cannot both be specified: remove one";
	if (timed && c->interval <= 0)
		return "Interval must be > 0 for Script, HTTP, or TCP checks: "
		    "add \"interval\": \"10s\"";
	if (timed && alias)
		return "Interval cannot be set for Alias checks: remove "
		    "alias_node and alias_service, or the rest";
	if (alias && c->ttl > 0)
		return "TTL must be not be set for Alias checks: remove ttl";
	if (!timed && !alias && c->ttl <= 0)
		return "TTL must be > 0 for TTL checks: give one of ttl, http, "
		    "tcp, args, alias_service";
	if (c->args.n > 0 && !scripts)
		return "Scripts are disabled on this agent; to enable, "
		    "configure 'enable_script_checks' or "
		    "'enable_local_script_checks' to true";
	return NULL;
}

static void
check_rules(const struct rules *r, struct check_def *c, const char *where,
    const char *what)
{
	const char *why;

	if ((why = check_fault(c, r->scripts)) != NULL) {
		problem(r->problems, where, "%s: Check is not valid: %s", what,
		    why);
		return;
	}
	if (status_check(c) != NULL)
		warning(r->warnings, where, "%s: status \"%s\" is none of "
		    "passing, warning, critical; it is kept as it is", what,
		    c->status);
	if (c->interval > 0 && c->interval < INTERVAL_MIN_NS) {
		warning(r->warnings, where, "%s: interval below the minimum is "
		    "raised to 1s", what);
		c->interval = INTERVAL_MIN_NS;
	}
	if (c->deregister_critical_service_after > 0 &&
	    c->deregister_critical_service_after < DEREGISTER_MIN_NS) {
		warning(r->warnings, where, "%s: "
		    "deregister_critical_service_after below the minimum is "
		    "raised to 1m", what);
		c->deregister_critical_service_after = DEREGISTER_MIN_NS;
	}
	if (!str_empty(c->docker_container_id))
		warning(r->warnings, where, "%s: docker checks are not run: it "
		    "stays as it is", what);
}

static void
service_checks(const struct rules *r, struct service_def *s,
    const char *where)
{
	char *what;
	size_t i;

	if (s->check != NULL && check_empty(s->check)) {
		schema_clear(&check_def_schema, s->check);
		free(s->check);
		s->check = NULL;
	}
	if (s->check != NULL) {
		xasprintf(&what, "service \"%s\": check", s->name);
		check_rules(r, s->check, where, what);
		free(what);
	}
	for (i = 0; i < s->checks.n; i++) {
		xasprintf(&what, "service \"%s\": checks[%zu]", s->name, i);
		check_rules(r, &s->checks.item[i], where, what);
		free(what);
	}
}

static void
service_rules(const struct rules *r, struct service_def *s, const char *where)
{
	const struct service_weights *w = s->weights;
	char buf[256];
	const char *why;

	if (str_empty(s->name)) {
		problem(r->problems, where, "service \"%s\": Service name "
		    "missing: add \"name\"", str_or(s->id, ""));
		return;
	}
	if (!dns_name_ok(s->name))
		warning(r->warnings, where, "Service name will not be "
		    "discoverable via DNS due to invalid characters. Valid "
		    "characters include all alpha-numerics and dashes.: "
		    "service=%s", s->name);
	if (w != NULL && w->passing < 1)
		problem(r->problems, where, "Invalid weight definition for "
		    "service %s: Passing must be greater than 0", s->name);
	else if (w != NULL && w->warning < 0)
		problem(r->problems, where, "Invalid weight definition for "
		    "service %s: Warning must be greater than or equal to 0",
		    s->name);
	else if (w != NULL && (w->passing > WEIGHT_MAX ||
	    w->warning > WEIGHT_MAX))
		problem(r->problems, where, "Invalid weight definition for "
		    "service %s: DNS Weight must be between 0 and 65535",
		    s->name);
	if ((why = meta_check(&s->meta, buf, sizeof(buf))) != NULL)
		problem(r->problems, where, "invalid meta for service %s: %s",
		    s->name, why);
	service_checks(r, s, where);
}

static void
strs_drop(struct strs *s, size_t i)
{
	free(s->item[i]);
	memmove(&s->item[i], &s->item[i + 1],
	    (s->n - i - 1) * sizeof(*s->item));
	s->n--;
}

/* A growing list of thousands of services must not cost their square. */
struct by_id { const char *id; size_t i; };

static int
by_id_order(const void *a, const void *b)
{
	const struct by_id *x = a, *y = b;
	int d = strcmp(x->id, y->id);

	return d != 0 ? d : x->i < y->i ? -1 : x->i > y->i;
}

/* Marks in drop[] whichever is followed by another of the same id. */
static void
find_repeated(struct by_id *v, size_t n, bool *drop, const char *kind,
    const struct strs *at, struct strs *warnings)
{
	size_t i;

	qsort(v, n, sizeof(*v), by_id_order);
	for (i = 0; i + 1 < n; i++) {
		if (strcmp(v[i].id, v[i + 1].id) != 0)
			continue;
		drop[v[i].i] = true;
		warning(warnings, at->item[v[i].i], "%s \"%s\" is defined "
		    "again at %s: the later one is used", kind, v[i].id,
		    at->item[v[i + 1].i]);
	}
}

static void
drop_repeated_services(struct defs *d, struct strs *warnings)
{
	size_t i, n = d->services.n, kept = 0;
	struct by_id *v = xcalloc(n + 1, sizeof(*v));
	bool *drop = xcalloc(n + 1, sizeof(*drop));

	for (i = 0; i < n; i++)
		v[i] = (struct by_id){ str_or(d->services.item[i].id, ""), i };
	find_repeated(v, n, drop, "service", &d->service_at, warnings);
	for (i = 0; i < n; i++) {
		if (drop[i]) {
			schema_clear(&service_def_schema,
			    &d->services.item[i]);
			strs_drop(&d->service_at, kept);
		} else
			d->services.item[kept++] = d->services.item[i];
	}
	d->services.n = kept;
	free(drop);
	free(v);
}

static void
drop_repeated_checks(struct defs *d, struct strs *warnings)
{
	size_t i, n = d->checks.n, kept = 0;
	struct by_id *v = xcalloc(n + 1, sizeof(*v));
	bool *drop = xcalloc(n + 1, sizeof(*drop));

	for (i = 0; i < n; i++)
		v[i] = (struct by_id){ str_or(d->checks.item[i].id, ""), i };
	find_repeated(v, n, drop, "check", &d->check_at, warnings);
	for (i = 0; i < n; i++) {
		if (drop[i]) {
			schema_clear(&check_def_schema, &d->checks.item[i]);
			strs_drop(&d->check_at, kept);
		} else
			d->checks.item[kept++] = d->checks.item[i];
	}
	d->checks.n = kept;
	free(drop);
	free(v);
}

static bool
service_known(const struct defs *d, const char *id)
{
	size_t i;

	for (i = 0; i < d->services.n; i++)
		if (strcmp(str_or(d->services.item[i].id, ""), id) == 0)
			return true;
	return false;
}

void
defs_check_all(struct defs *d, bool scripts, struct strs *warnings,
    struct problems *p)
{
	struct rules r = { scripts, warnings, p };
	struct service_def *s;
	struct check_def *c;
	char *what;
	size_t i;

	for (i = 0; i < d->services.n; i++) {
		s = &d->services.item[i];
		service_rules(&r, s, d->service_at.item[i]);
		if (str_empty(s->id))
			str_set(&s->id, s->name);
	}
	for (i = 0; i < d->checks.n; i++) {
		c = &d->checks.item[i];
		if (str_empty(c->id))
			str_set(&c->id, c->name);
		if (str_empty(c->id)) {
			problem(p, d->check_at.item[i], "check: CheckID "
			    "missing: add \"name\"");
			continue;
		}
		xasprintf(&what, "check \"%s\"", c->id);
		check_rules(&r, c, d->check_at.item[i], what);
		if (!str_empty(c->service_id) &&
		    !service_known(d, c->service_id))
			problem(p, d->check_at.item[i], "%s: ServiceID \"%s\" "
			    "does not exist: define that service in a file",
			    what, c->service_id);
		free(what);
	}
	if (p->line.n > 0)
		return;
	drop_repeated_services(d, warnings);
	drop_repeated_checks(d, warnings);
}

void
defs_clear(struct defs *d)
{
	size_t i;

	for (i = 0; i < d->services.n; i++)
		schema_clear(&service_def_schema, &d->services.item[i]);
	for (i = 0; i < d->checks.n; i++)
		schema_clear(&check_def_schema, &d->checks.item[i]);
	free(d->services.item);
	free(d->checks.item);
	strs_clear(&d->service_at);
	strs_clear(&d->check_at);
	memset(d, 0, sizeof(*d));
}
