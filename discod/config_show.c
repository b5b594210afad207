/*
 * The effective configuration as a file that discod reads again: what -n
 * prints.  Secrets are left out.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "discod/config_parts.h"

/* ---- nested objects from dotted names in order ---- */

void
nest_key(struct nest *n, const char *path)
{
	const char *dot;
	size_t len;
	char *last;

	while (strncmp(n->open, path, strlen(n->open)) != 0) {
		jw_end_obj(n->jw);
		n->open[strlen(n->open) - 1] = '\0';
		last = strrchr(n->open, '.');
		if (last == NULL)
			n->open[0] = '\0';
		else
			last[1] = '\0';
	}
	while ((dot = strchr(path + strlen(n->open), '.')) != NULL) {
		char name[64];

		len = (size_t)(dot - path);
		snprintf(name, sizeof(name), "%.*s",
		    (int)(len - strlen(n->open)), path + strlen(n->open));
		jw_key(n->jw, name);
		jw_obj(n->jw);
		snprintf(n->open, sizeof(n->open), "%.*s.", (int)len, path);
	}
	jw_key(n->jw, path + strlen(n->open));
}

void
nest_end(struct nest *n)
{
	const char *c;

	for (c = n->open; *c != '\0'; c++)
		if (*c == '.')
			jw_end_obj(n->jw);
	n->open[0] = '\0';
}

/* ---- values ---- */

static void
put_dur(struct jw *jw, int64_t ns)
{
	char buf[32];

	jw_str(jw, dur_format(ns, buf, sizeof(buf)));
}

static void
put_strs(struct jw *jw, const struct strs *s)
{
	size_t i;

	jw_arr(jw);
	for (i = 0; i < s->n; i++)
		jw_str(jw, s->item[i]);
	jw_end_arr(jw);
}

static int
by_key(const void *a, const void *b)
{
	const struct str_pair *x = a, *y = b;

	return strcmp(x->key, y->key);
}

void
put_strmap(struct jw *jw, const struct strmap *m)
{
	struct str_pair *sorted = xcalloc(m->n + 1, sizeof(*sorted));
	size_t i;

	for (i = 0; i < m->n; i++)
		sorted[i] = m->item[i];
	qsort(sorted, m->n, sizeof(*sorted), by_key);
	jw_obj(jw);
	for (i = 0; i < m->n; i++) {
		jw_key(jw, sorted[i].key);
		jw_str(jw, sorted[i].val);
	}
	jw_end_obj(jw);
	free(sorted);
}

static void
put_number(struct jw *jw, double d)
{
	if (d == floor(d) && fabs(d) < 1e15)
		jw_int(jw, (int64_t)d);
	else
		jw_double(jw, d);
}

static void
put_value(struct jw *jw, const struct value *v, enum key_type type)
{
	switch (type) {
	case T_BOOL:
		jw_bool(jw, v->truth);
		break;
	case T_INT:
	case T_UINT:
	case T_PORT:
		jw_int(jw, v->num);
		break;
	case T_FLOAT:
		put_number(jw, v->real);
		break;
	case T_STR:
		jw_str(jw, v->str);
		break;
	case T_DUR:
		put_dur(jw, v->num);
		break;
	case T_STRS:
		put_strs(jw, &v->list);
		break;
	case T_STRMAP:
	case T_DURMAP:
		put_strmap(jw, &v->map);
		break;
	case T_OBJ:
	case T_SERVICE:
	case T_CHECK:
		jw_obj(jw);
		jw_end_obj(jw);
		break;
	case T_WATCHES:
		watches_show(jw, &v->list);
		break;
	case T_LIST:
	case T_SERVICES:
	case T_CHECKS:
		jw_arr(jw);
		jw_end_arr(jw);
		break;
	}
}

/* ---- services and checks ---- */

/* Does this field hold anything? */
static bool
field_given(const struct schema_field *f, const void *p)
{
	static const struct strs nothing;

	switch (f->kind) {
	case K_STR:
		return !str_empty(*(char *const *)p);
	case K_BOOL:
		return *(const bool *)p;
	case K_INT:
	case K_UINT:
	case K_DUR:
		return *(const int64_t *)p != 0;
	case K_PTR:
		return *(void *const *)p != NULL;
	case K_STRS:
	case K_STRMAP:
	case K_STRSMAP:
	case K_LIST:
	case K_MAP:
		/* all containers begin alike: pointer, count */
		return ((const struct strs *)p)->n != nothing.n;
	case K_DOUBLE:
	case K_BYTES:
	case K_TIME:
	case K_ANY:
	case K_DOUBLES:
	case K_INTMAP:
	case K_STRUCT:
		break;
	}
	return false;	/* what is only kept for Connect is not shown */
}

static void put_object(struct jw *, const struct schema *, const void *,
    bool api);

/* A password in a URL is not for those who may read the configuration. */
static void
put_text(struct jw *jw, const char *s)
{
	const char *user = s != NULL ? strstr(s, "://") : NULL;
	const char *colon, *at;
	char *shown;

	if (user == NULL ||
	    (at = memchr(user + 3, '@', strcspn(user + 3, "/?#"))) == NULL ||
	    (colon = memchr(user + 3, ':', (size_t)(at - user - 3))) == NULL) {
		jw_str(jw, s);
		return;
	}
	xasprintf(&shown, "%.*s:xxxxx%s", (int)(colon - s), s, at);
	jw_str(jw, shown);
	free(shown);
}

static void
put_field(struct jw *jw, const struct schema_field *f, const void *p,
    bool api)
{
	const struct service_address_map *addrs = p;
	const struct check_def_vec *list = p;
	const struct strsmap *sm = p;
	size_t i;

	switch (f->kind) {
	case K_STR:
		put_text(jw, *(char *const *)p);
		break;
	case K_BOOL:
		jw_bool(jw, *(const bool *)p);
		break;
	case K_INT:
	case K_UINT:
		jw_int(jw, *(const int64_t *)p);
		break;
	case K_DUR:
		put_dur(jw, *(const int64_t *)p);
		break;
	case K_STRS:
		put_strs(jw, p);
		break;
	case K_STRMAP:
		put_strmap(jw, p);
		break;
	case K_STRSMAP:
		jw_obj(jw);
		for (i = 0; i < sm->n; i++) {
			jw_key(jw, sm->item[i].key);
			put_strs(jw, &sm->item[i].val);
		}
		jw_end_obj(jw);
		break;
	case K_PTR:
		put_object(jw, f->sub, *(void *const *)p, api);
		break;
	case K_LIST:	/* of a service: its checks */
		jw_arr(jw);
		for (i = 0; i < list->n; i++)
			put_object(jw, f->sub, &list->item[i], api);
		jw_end_arr(jw);
		break;
	case K_MAP:	/* of a service: its tagged addresses */
		jw_obj(jw);
		for (i = 0; i < addrs->n; i++) {
			jw_key(jw, addrs->item[i].key);
			put_object(jw, f->sub, &addrs->item[i].val, api);
		}
		jw_end_obj(jw);
		break;
	case K_DOUBLE:
	case K_BYTES:
	case K_TIME:
	case K_ANY:
	case K_DOUBLES:
	case K_INTMAP:
	case K_STRUCT:
		jw_null(jw);
		break;
	}
}

/* Only what is set, under the names of files or of the API. */
static void
put_object(struct jw *jw, const struct schema *s, const void *obj, bool api)
{
	const struct schema_field *f;
	const char *p, *name;
	char key[64];
	size_t i;

	jw_obj(jw);
	for (i = 0; i < s->nfields; i++) {
		f = &s->fields[i];
		p = (const char *)obj + f->off;
		/* A weight of 0 is not the weight that is not given. */
		if ((f->flags & S_SECRET) ||
		    (!field_given(f, p) && s != &service_weights_schema))
			continue;
		name = api || f->aliases == NULL ? f->name : f->aliases;
		snprintf(key, sizeof(key), "%.*s", (int)strcspn(name, "|"),
		    name);
		jw_key(jw, key);
		put_field(jw, f, p, api);
	}
	jw_end_obj(jw);
}

static void
put_services(struct jw *jw, const struct config *c, bool api)
{
	size_t i;

	jw_arr(jw);
	for (i = 0; i < c->services.n; i++)
		put_object(jw, &service_def_schema, &c->services.item[i], api);
	jw_end_arr(jw);
}

static void
put_checks(struct jw *jw, const struct config *c, bool api)
{
	size_t i;

	jw_arr(jw);
	for (i = 0; i < c->checks.n; i++)
		put_object(jw, &check_def_schema, &c->checks.item[i], api);
	jw_end_arr(jw);
}

/* ---- -n ---- */

/* What has become of a key that was left empty. */
static const char *
effective(enum key key, const struct config *c)
{
	switch ((int)key) {
	case KEY_NODE_NAME:
		return c->agent.node_name;
	case KEY_NODE_ID:
		return c->agent.node_id;
	case KEY_DATACENTER:
		return c->agent.datacenter;
	case KEY_PRIMARY_DC:
		return c->agent.primary_datacenter;
	case KEY_DOMAIN:
		return c->agent.domain;
	case KEY_DATA_DIR:
		return c->data_dir;
	case KEY_ADVERTISE:
		return c->agent.advertise_addr;
	case KEY_ADVERTISE_WAN:
		return c->agent.advertise_addr_wan;
	case KEY_LOG_FILE:
		return c->log_dir;
	case KEY_RUN_DIR:
		return c->run_dir;
	case KEY_PID_FILE:
		return c->pid_file;
	default:
		return NULL;
	}
}

void
show_value(struct jw *jw, enum key key, const struct values *vs,
    const struct config *c, bool api)
{
	const char *text = effective(key, c);

	if (text != NULL)
		jw_str(jw, text);
	else if (key == KEY_SERVICES)
		put_services(jw, c, api);
	else if (key == KEY_CHECKS)
		put_checks(jw, c, api);
	else if (key == KEY_LEAVE_ON_TERM)
		jw_bool(jw, c->leave_on_terminate);
	else if (key == KEY_SKIP_LEAVE_INT)
		jw_bool(jw, c->skip_leave_on_interrupt);
	else if (key == KEY_FOREGROUND)
		jw_bool(jw, c->foreground);
	else
		put_value(jw, &vs->v[key], config_keys[key].type);
}

/* Not shown: secrets, what is empty, what is only accepted. */
static bool
shown(enum key key, const struct values *vs, const struct config *c)
{
	const struct key_info *k = &config_keys[key];

	if (k->flags & KF_SECRET)
		return false;
	switch (k->type) {
	case T_STR:
		return effective(key, c) != NULL || k->def != NULL ||
		    !str_empty(vs->v[key].str);
	case T_OBJ:
	case T_LIST:
	case T_SERVICE:
	case T_CHECK:
		return false;
	case T_WATCHES:
		return vs->v[key].list.n > 0;
	case T_BOOL:
	case T_INT:
	case T_UINT:
	case T_FLOAT:
	case T_PORT:
	case T_DUR:
	case T_STRS:
	case T_STRMAP:
	case T_DURMAP:
	case T_SERVICES:
	case T_CHECKS:
		break;
	}
	return true;
}

char *
config_show(const struct values *vs, const struct config *c)
{
	struct nest n = { .jw = jw_new(true) };
	size_t i, len;
	char *text;

	jw_obj(n.jw);
	for (i = 0; i < KEY_MAX; i++) {
		if (!shown(i, vs, c))
			continue;
		nest_key(&n, config_keys[i].path);
		show_value(n.jw, i, vs, c, false);
	}
	nest_end(&n);
	jw_end_obj(n.jw);
	text = xstrdup(jw_text(n.jw, &len));
	jw_free(n.jw);
	return text;
}
