/*
 * Any text as a configuration file.  What is accepted must be accepted again
 * as -n prints it, and come out the same.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "discod/config.h"
#include "discod/config_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const struct iface ifaces[] = {
	{ (char *)(uintptr_t)"eth0", (char *)(uintptr_t)"10.0.0.2" },
	{ (char *)(uintptr_t)"eth1", (char *)(uintptr_t)"2001:db8::7" },
};

static void
nothing(const uint8_t *p, size_t n, void *arg)
{
	(void)p;
	(void)n;
	(void)arg;
}

/* The configuration as shown, or NULL if it is refused. */
static char *
read_one(const char *text, size_t len)
{
	struct config_env env = { .hostname = "h", .cwd = "/srv" };
	struct problems p = { 0 };
	struct defs d = { 0 };
	struct config c = { 0 };
	struct values *v;
	struct json *j;
	char err[256], *out = NULL;

	if ((j = json_parse(text, len, err, sizeof(err))) == NULL)
		return NULL;
	env.ifaces.item = (struct iface *)(uintptr_t)ifaces;
	env.ifaces.n = NELEM(ifaces);
	v = xcalloc(1, sizeof(*v));
	values_init(v, false);
	values_tree(v, &d, j, "f", &c.warnings, &p);
	json_free(j);
	if (p.line.n == 0)
		config_build(v, &d, &env, &c, &p);
	if (p.line.n == 0) {
		free(config_debug(v, &c));
		config_items(&c, PROC_CATALOGD, nothing, NULL);
		config_items(&c, PROC_EXECD, nothing, NULL);
		out = config_show(v, &c);
	}
	defs_clear(&d);
	strs_clear(&p.line);
	config_clear(&c);
	values_clear(v);
	free(v);
	return out;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *first, *second;

	if ((first = read_one((const char *)data, len)) == NULL)
		return 0;
	second = read_one(first, strlen(first));
	if (second == NULL || strcmp(first, second) != 0)
		abort();
	free(first);
	free(second);
	return 0;
}
