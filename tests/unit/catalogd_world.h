/*
 * A server half in a loop of its own: node1 of dc1, which leads alone, unless
 * the test says otherwise between world_init() and world_start().  Calls to it
 * with their answers, and short hands for what most tests register and read.
 * What its surroundings are asked is noted here; a test that has surroundings
 * of its own puts functions into env.
 */
#ifndef TESTS_UNIT_CATALOGD_WORLD_H
#define TESTS_UNIT_CATALOGD_WORLD_H

#include "catalogd/server.h"
#include "common/schema/rpc.h"
#include "common/schema/state.h"
#include "tests/unit/common_unit.h"

#define S(text) ((char *)(uintptr_t)(text))
#define DC S("dc1")

struct world {
	struct ev		*ev;
	struct ev_timer		*limit;
	struct server		*srv;
	struct conf_agent	 agent;
	struct conf_catalog	 conf;
	struct server_env	 env;		/* its arg is the world */
	void			*own;		/* the test's */
	char			 dir[64];	/* "": in memory */
	unsigned		 flags;		/* of calls that are begun */
	size_t			 nanswers;
	/* what it was told */
	char			 fired[64], payload[64], refused[512];
	char			 names[1024];	/* "+s:web -n:n1 ..." */
	size_t			 nnames;	/* times they were all others */
	bool			 no_gossip;	/* events are not sent */
	bool			 may_refuse;
	/* a call to others, about to fail */
	struct ev_timer		*far;
	call_fn			*far_fn;
	void			*far_arg;
};

struct answer {
	struct world		*w;
	bool			 there;
	enum call_status	 status;
	char			*error;
	struct wbuf		 body;
};

/* dir: where the log is; "" for memory. */
void world_init(struct world *, const char *dir);
void world_start(struct world *);
/* 0, or -1 with why it does not start. */
int  world_try_start(struct world *, char *err, size_t);
void world_clear(struct world *);
/* world_init() and world_start(), in memory. */
void world_setup(struct world *);
void world_run(struct world *, uint64_t ms);
/* Until *count is n. */
void world_until(struct world *, const size_t *count, size_t n);
/* An ev_timer's callback, and others': ends ev_run(). */
void world_stop(void *);

/* Calls; those that wait do so until there is an answer. */
struct server_call *begin(struct world *, const char *method, struct schema *,
    const void *req, struct answer *);
struct server_call *begin_bytes(struct world *, const char *method,
    const void *body, size_t, struct answer *);
void await(struct answer *);
void answer_clear(struct answer *);
/* A good answer's body into obj; clears the answer. */
void answer_decode(struct answer *, struct schema *, void *obj);
void ask(struct world *, const char *method, struct schema *, const void *req,
    struct schema *as, void *obj);
/* The error of a call, NULL for none; static. */
const char *error_of(struct world *, const char *method, struct schema *,
    const void *req);
void ck_error(struct world *, const char *method, struct schema *,
    const void *req, const char *want);

struct register_request node_request(const char *node, const char *address);
void put_node(struct world *, const char *node, const char *address);
void put_service(struct world *, const char *node, const char *id,
    const char *name, const char *tag);
void put_check(struct world *, const char *node, const char *id,
    const char *service, const char *status);
void drop_node(struct world *, const char *node);
void list_nodes(struct world *, struct indexed_nodes *);
size_t count_nodes(struct world *);
void service_nodes(struct world *, const char *name,
    struct indexed_check_service_nodes *);

/* Of gossip's; role "consul" is a server of disco. */
struct member member(const char *name, const char *addr, enum member_status,
    const char *role);

#endif
