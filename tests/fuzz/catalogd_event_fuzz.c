/*
 * The payload of a user event, which any member of the pool can send: what is
 * read is written and read again and has to be the same, its filters run
 * against this node, and it goes into the list.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/user_event.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void no_check(const struct msg_check *m, void *a) { (void)m; (void)a; }
static void no_id(const char *id, void *a) { (void)id; (void)a; }
static void nothing(void *a) { (void)a; }

static int
saved_service(const struct local_service *s, void *a)
{
	(void)s;
	(void)a;
	return 0;
}

static void
no_log(bool warning, const char *text, void *a)
{
	(void)warning;
	(void)text;
	(void)a;
}

static struct agent *
node_with_a_service(void)
{
	struct agent_ops	 ops = {
		.check_set = no_check, .check_remove = no_id,
		.save_service = saved_service, .drop_service = no_id,
		.changed = nothing, .log = no_log
	};
	struct conf_catalog	 cat;
	struct conf_agent	 conf;
	struct agent_register	 r;
	struct agent		*a;
	char			 err[256];

	memset(&conf, 0, sizeof(conf));
	memset(&cat, 0, sizeof(cat));
	conf.node_name = xstrdup("node1");
	a = agent_new(&ops, 1);
	agent_configure(a, &conf, &cat);
	memset(&r, 0, sizeof(r));
	r.service.name = xstrdup("web-service-with-a-longer-name-aaaaaaaaaaa");
	strs_add(&r.service.tags, "primary");
	if (agent_register_service(a, &r, 0, err, sizeof(err)) == -1)
		abort();
	schema_clear(&agent_register_schema, &r);
	schema_clear(&conf_agent_schema, &conf);
	return a;
}

/* A filter or a name with a byte that is no text may be altered when read. */
static void
round_trip(const struct user_event *e)
{
	struct user_event	 again;
	struct wbuf		 w;
	const char		*why;

	wb_init(&w, 0);
	user_event_encode(e, &w);
	if (w.len > USER_EVENT_MAX) {	/* shorter forms were longer */
		wb_free(&w);
		return;
	}
	if (user_event_decode(w.p, w.len, &again, &why) == -1)
		abort();
	if (strcmp(again.id, e->id) != 0 ||
	    strcmp(str_or(again.name, ""), str_or(e->name, "")) != 0 ||
	    strcmp(str_or(again.tag_filter, ""),
	    str_or(e->tag_filter, "")) != 0 ||
	    again.payload.n != e->payload.n)
		abort();
	schema_clear(&user_event_schema, &again);
	wb_free(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct agent		*agent;
	static struct user_events	 events;
	struct user_event		 e;
	char				 err[2048];
	const char			*why;

	if (agent == NULL)
		agent = node_with_a_service();
	if (user_event_decode(p, n, &e, &why) == -1)
		return 0;
	round_trip(&e);
	(void)user_event_check(&e, err, sizeof(err));
	(void)user_event_index(e.id);
	if (user_event_for(&e, agent))
		(void)user_events_add(&events, &e);
	schema_clear(&user_event_schema, &e);
	return 0;
}
