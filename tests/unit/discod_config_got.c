/*
 * A configuration from texts: see discod_config_got.h.
 */
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "tests/unit/discod_config_got.h"

static const struct iface one_private[] = {
	{ (char *)(uintptr_t)"lo", (char *)(uintptr_t)"127.0.0.1" },
	{ (char *)(uintptr_t)"eth0", (char *)(uintptr_t)"10.0.0.2" },
	{ (char *)(uintptr_t)"eth0", (char *)(uintptr_t)"fe80::1" },
	{ (char *)(uintptr_t)"eth1", (char *)(uintptr_t)"198.51.100.7" },
	{ (char *)(uintptr_t)"eth1", (char *)(uintptr_t)"2001:db8::7" },
};

struct config_env
env_default(void)
{
	struct config_env env = { .hostname = "host1", .cwd = "/srv" };

	env.ifaces.item = (struct iface *)(uintptr_t)one_private;
	env.ifaces.n = NELEM(one_private);
	return env;
}

void
build_env(struct got *g, const struct config_env *env,
    const char *const *texts)
{
	struct defs d = { 0 };
	struct json *j;
	char err[256], file[16];
	size_t i;

	memset(g, 0, sizeof(*g));
	values_init(&g->v, env->dev);
	for (i = 0; texts[i] != NULL; i++) {
		snprintf(file, sizeof(file), "%c.json", (int)('a' + i));
		j = json_parse(texts[i], strlen(texts[i]), err, sizeof(err));
		ck_assert_msg(j != NULL, "%s: %s", texts[i], err);
		values_tree(&g->v, &d, j, file, &g->c.warnings, &g->p);
		json_free(j);
	}
	if (g->p.line.n == 0)
		config_build(&g->v, &d, env, &g->c, &g->p);
	defs_clear(&d);
}

void
build(struct got *g, const char *text)
{
	struct config_env env = env_default();
	const char *texts[] = { text, NULL };

	build_env(g, &env, texts);
}

void
build_ok(struct got *g, const char *text)
{
	build(g, text);
	ck_assert_msg(g->p.line.n == 0, "%s: %s", text,
	    g->p.line.n > 0 ? g->p.line.item[0] : "");
}

void
got_clear(struct got *g)
{
	values_clear(&g->v);
	strs_clear(&g->p.line);
	config_clear(&g->c);
}

bool
any_line(const struct strs *s, const char *part)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (strstr(s->item[i], part) != NULL)
			return true;
	return false;
}

const struct listen_addr *
listener(const struct config *c, enum socket_kind kind, size_t nth)
{
	size_t i;

	for (i = 0; i < c->listen.n; i++)
		if (c->listen.item[i].kind == kind && nth-- == 0)
			return &c->listen.item[i];
	return NULL;
}
