/*
 * An agent whose effects are written down: for the tests of what stands on it.
 */
#ifndef TESTS_UNIT_CATALOGD_AGENT_UNIT_H
#define TESTS_UNIT_CATALOGD_AGENT_UNIT_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/agent.h"
#include "catalogd/agent_api.h"
#include "tests/unit/common_unit.h"

#define SEC 1000u	/* milliseconds */

/* Each effect is a line: "set web-tcp passing". */
struct effects {
	char	*text;
	int	 changes;
	bool	 disk_full;
	int64_t	 ttl_ns;
};

static void __attribute__((format(printf, 2, 3)))
note(struct effects *e, const char *fmt, ...)
{
	char	*line, *all;
	va_list	 ap;

	va_start(ap, fmt);
	ck_assert_int_ge(vasprintf(&line, fmt, ap), 0);
	va_end(ap);
	xasprintf(&all, "%s%s\n", e->text != NULL ? e->text : "", line);
	free(line);
	free(e->text);
	e->text = all;
}

static void
fx_set(const struct msg_check *m, void *arg)
{
	note(arg, "set %s %s", m->id, m->status);
}

static void
fx_remove(const char *id, void *arg)
{
	note(arg, "remove %s", id);
}

static int
fx_save_service(const struct local_service *s, void *arg)
{
	struct effects	*e = arg;

	if (e->disk_full)
		return -1;
	note(e, "save service %s", s->svc.id);
	return 0;
}

static int
fx_save_check(const struct local_check *c, void *arg)
{
	note(arg, "save check %s", c->chk.check_id);
	return 0;
}

static void
fx_drop_service(const char *id, void *arg)
{
	note(arg, "drop service %s", id);
}

static void
fx_drop_check(const char *id, void *arg)
{
	note(arg, "drop check %s", id);
}

static void
fx_save_state(const char *id, const char *status, const char *output,
    int64_t ttl_ns, void *arg)
{
	struct effects	*e = arg;

	e->ttl_ns = ttl_ns;
	note(e, "state %s %s '%s'", id, status, output);
}

static void
fx_drop_state(const char *id, void *arg)
{
	note(arg, "forget %s", id);
}

static void
fx_changed(void *arg)
{
	((struct effects *)arg)->changes++;
}

static void
fx_log(bool warning, const char *text, void *arg)
{
	(void)warning;
	(void)text;
	(void)arg;
}

static inline struct agent *
agent_make(struct effects *e)
{
	struct agent_ops	 ops = {
		.check_set = fx_set, .check_remove = fx_remove,
		.save_service = fx_save_service, .save_check = fx_save_check,
		.drop_service = fx_drop_service, .drop_check = fx_drop_check,
		.save_state = fx_save_state, .drop_state = fx_drop_state,
		.changed = fx_changed, .log = fx_log, .arg = e
	};
	struct conf_catalog	 cat;
	struct conf_agent	 conf;
	struct agent		*a;

	memset(e, 0, sizeof(*e));
	memset(&conf, 0, sizeof(conf));
	memset(&cat, 0, sizeof(cat));
	conf.node_name = xstrdup("node1");
	conf.node_id = xstrdup("22222222-2222-4222-8222-222222222222");
	conf.datacenter = xstrdup("dc1");
	conf.advertise_addr = xstrdup("10.77.0.2");
	strmap_put(&conf.tagged_addresses, "lan", "10.77.0.2");
	strmap_put(&conf.tagged_addresses, "wan", "10.77.0.2");
	cat.check_update_interval = 300 * NS_PER_S;
	cat.check_output_max_size = 4096;
	cat.script_checks_files = true;
	a = agent_new(&ops, 1);
	agent_configure(a, &conf, &cat);
	schema_clear(&conf_agent_schema, &conf);
	schema_clear(&conf_catalog_schema, &cat);
	return a;
}

static inline void
effects_clear(struct effects *e)
{
	free(e->text);
	e->text = NULL;
}

/* What happened since the last time. */
#define expect(e, want) do {						\
	ck_assert_str_eq(str_or((e)->text, ""), want);			\
	effects_clear(e);						\
} while (0)

/* From JSON as the API takes it. */
static inline void
from_json(struct schema *s, const char *text, void *obj)
{
	char		 err[256];
	struct json	*j;

	j = json_parse(text, strlen(text), err, sizeof(err));
	ck_assert_msg(j != NULL, "%s", err);
	ck_assert_msg(schema_json_decode(s, j, SJ_FOLD | SJ_STRICT |
	    SJ_DURNUM, obj, err, sizeof(err), NULL) == 0, "%s", err);
	json_free(j);
}

static inline int
register_service(struct agent *a, const char *json, bool replace,
    uint64_t now, char *err, size_t errlen)
{
	struct agent_register	 r;
	int			 rc;

	memset(&r, 0, sizeof(r));
	from_json(&service_def_schema, json, &r.service);
	r.replace_existing_checks = replace;
	rc = agent_register_service(a, &r, now, err, errlen);
	schema_clear(&agent_register_schema, &r);
	return rc;
}

static inline int
register_check(struct agent *a, const char *json, uint64_t now, char *err,
    size_t errlen)
{
	struct check_def	 d;
	int			 rc;

	from_json(&check_def_schema, json, &d);
	rc = agent_register_check(a, &d, now, err, errlen);
	schema_clear(&check_def_schema, &d);
	return rc;
}

static inline int
update_check(struct agent *a, const char *id, const char *status,
    const char *output, uint64_t now)
{
	struct agent_update	 u;
	char			 err[256];

	memset(&u, 0, sizeof(u));
	u.id = (char *)(uintptr_t)id;
	u.status = (char *)(uintptr_t)status;
	u.output = (char *)(uintptr_t)output;
	return agent_update_check(a, &u, now, err, sizeof(err));
}

static inline void
result(struct agent *a, const char *id, const char *status,
    const char *output, uint64_t now)
{
	struct msg_result	 r;

	memset(&r, 0, sizeof(r));
	r.id = (char *)(uintptr_t)id;
	r.status = (char *)(uintptr_t)status;
	r.output = (char *)(uintptr_t)output;
	agent_result(a, &r, now);
}

/* An answer of a method, the last of n. */
struct got { int n; enum call_status status; char *error; struct wbuf body; };

static inline void
got_answer(enum call_status status, const char *error, const uint8_t *p,
    size_t len, void *arg)
{
	struct got	*g = arg;

	g->n++;
	g->status = status;
	free(g->error);
	g->error = xstrdup(error);
	wb_reset(&g->body);
	wb_bytes(&g->body, p, len);
}

static inline struct agent_wait *
agent_ask(struct agent_api *api, const char *method, struct schema *s,
    const void *obj, uint64_t now, struct got *g)
{
	struct agent_wait	*w;
	struct wbuf		 b;

	wb_init(&b, 0);
	schema_encode(s, obj, &b);
	w = agent_api_call(api, method, b.p, b.len, now, got_answer, g);
	wb_free(&b);
	return w;
}

#define status_is(a, id, want) do {					\
	struct local_check *sc = agent_check_find(a, id);		\
	ck_assert_ptr_nonnull(sc);					\
	ck_assert_str_eq(sc->chk.status, want);				\
} while (0)
#define output_is(a, id, want) do {					\
	struct local_check *oc = agent_check_find(a, id);		\
	ck_assert_ptr_nonnull(oc);					\
	ck_assert_str_eq(str_or(oc->chk.output, ""), want);		\
} while (0)

#endif
