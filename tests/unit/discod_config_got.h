/*
 * A configuration from texts, as discod makes it of files, on a host with a
 * few addresses.
 */
#ifndef TESTS_UNIT_DISCOD_CONFIG_GOT_H
#define TESTS_UNIT_DISCOD_CONFIG_GOT_H

#include "discod/config.h"
#include "discod/config_parts.h"
#include "tests/unit/common_unit.h"

/* What no configuration does without. */
#define BASE "\"data_dir\": \"/srv/data\", \"bind_addr\": \"10.0.0.2\""

struct got {
	struct config	 c;
	struct values	 v;
	struct problems	 p;
};

struct config_env env_default(void);
/* Of one text or more (then NULL); what is wrong is in g->p. */
void build(struct got *, const char *text);
void build_env(struct got *, const struct config_env *,
    const char *const *texts);
void build_ok(struct got *, const char *text);
void got_clear(struct got *);
/* Has a line that part? */
bool any_line(const struct strs *, const char *part);
/* The nth listener of that kind, or NULL. */
const struct listen_addr *listener(const struct config *, enum socket_kind,
    size_t nth);

#endif
