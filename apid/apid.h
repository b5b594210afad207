/*
 * apid's own structures: the process, a request, and what handlers may do
 * with one.
 */
#ifndef APID_APID_H
#define APID_APID_H

#include <bsd/sys/queue.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apid/metrics.h"
#include "apid/params.h"
#include "common/call.h"
#include "common/child.h"
#include "common/nets.h"
#include "common/schema/agent.h"
#include "common/schema/msg.h"

/* Bodies above this are refused; an agent's registration is a few kB. */
#define BODY_MAX_BYTES (4u << 20)

/* One client's connection, from its first byte. */
struct conn {
	TAILQ_ENTRY(conn)	 entry;
	struct apid		*apid;
	uint64_t		 since_ms;	/* has sent no whole request */
	int			 fd;
	bool			 waiting;	/* in the list of those */
};

struct listener {
	SLIST_ENTRY(listener)	 entry;
	struct apid		*apid;
	struct MHD_Daemon	*mhd;
	struct ev_io		*io;		/* on its epoll descriptor */
	struct ev_timer		*timer;
	enum socket_kind	 kind;
	bool			 verify;	/* the certificates of clients */
	bool			 closing;	/* replaced; till all have gone */
	bool			 kick;		/* run it when the turn ends */
};

struct request;
/* Gets the answer's body, decoded or not; must reply. */
typedef void answered_fn(struct request *, const uint8_t *body, size_t len);

/* The last text that a read was answered with, and what it was made of. */
struct same {
	answered_fn		*fn;
	const char		*type;
	struct wbuf		 question, body, text, headers;
	struct wbuf		 asked;		/* by who may have the same */
	struct ev_timer		*forget;	/* of a large one; or NULL */
};

struct apid {
	struct child		*child;
	struct ev		*ev;
	struct conf_agent	 agent;
	struct conf_http	 http;
	struct nets		 may_write;	/* none: all */
	SLIST_HEAD(, listener)	 listeners;
	TAILQ_HEAD(, request)	 young;		/* suspended a moment ago */
	struct ev_timer		*young_timer;
	TAILQ_HEAD(, conn)	 waiting;	/* the longest first */
	struct ev_timer		*waiting_timer;
	struct calls		*catalogd, *gossipd, *discod;
	bool			 catalogd_up;
	struct cache		*cache;		/* NULL: nobody asked for it */
	struct metrics		 metrics;
	LIST_HEAD(, monitor)	 monitors;
	uint8_t			 monitor_level;	/* that discod was told */
	struct same		 same;
};

enum method { M_GET = 1, M_PUT = 2, M_DELETE = 4, M_POST = 8, M_OTHER = 0 };
#define M_STREAMED 16	/* in a mask: it runs before the body has come */
#define M_LOGGED 32	/* writes are logged, with who asked for them */

struct route;
struct header {
	SLIST_ENTRY(header)	 entry;
	char			*name, *value;
};

/* One HTTP request, from its first byte to the last of the answer. */
struct request {
	struct apid		*apid;
	struct listener		*listener;
	struct MHD_Connection	*conn;
	const struct route	*route;
	uint64_t		 began_ns;	/* when it was dispatched */
	enum method		 method;
	char			*method_text;
	char			*path;
	const char		*tail;		/* of the path: what is left */
	struct params		 params;
	struct wbuf		 body;		/* of the request */
	const char		*blame;		/* in front of what is wrong
						   with it, or NULL */

	struct call		*call;		/* what it waits for */
	void			*asked;		/* ask.c's, freed with it */
	void			*state;		/* a handler's, between calls */
	void			(*state_free)(void *);
	TAILQ_ENTRY(request)	 young_entry;
	uint64_t		 suspended_ms;
	bool			 is_young;	/* and not watched yet */
	struct ev_io		*watch;		/* notices a client that left */
	bool			 suspended, answered, queued;
	bool			 begun;		/* dispatched by its header */
	bool			 cut;		/* a NUL in its path or query */

	/* Of those that stream: the body as it comes, its end, and what is
	 * sent (0: wait, then request_more(); -1: that was it). */
	void			(*take)(struct request *, const void *, size_t);
	void			(*took)(struct request *);
	ssize_t			(*give)(struct request *, void *, size_t);
	bool			 held;		/* no more of it for now */

	unsigned		 status;
	const char		*type;
	struct wbuf		 answer;
	SLIST_HEAD(, header)	 headers;
};

typedef void handler_fn(struct request *);

struct route {
	const char	*path;		/* a final '/' takes the rest as tail */
	unsigned	 methods;	/* mask; in Allow in this order */
	handler_fn	*fn;
	const char	*arg;		/* which of a family: "pass", "any" ... */
};

/* ---- http.c: the library's side ---- */

/* Serves a listening socket; takes fd.  -1 and a log line when it can't. */
int listener_open(struct apid *, int fd, enum socket_kind);
/* Those with TLS begin again, with the certificates that are there now. */
void listeners_renew(struct apid *);
void listeners_close(struct apid *);
/* The answer is complete: sends it now, or when the library asks again. */
void request_answered(struct request *);
/* Who takes the body wants no more of it, or goes on. */
void request_hold(struct request *);
void request_more(struct request *);

/* ---- routes.c ---- */

/* Finds the route and runs its handler, or answers 404, 405, 301, OPTIONS. */
void dispatch(struct request *);
/* Is it one whose body the handler takes as it comes? */
bool dispatch_streams(const struct request *);

/* Moved for good, to a path that is safe in a header and in HTML. */
void redirect(struct request *, const char *path);

/* ---- client.c ---- */

/* The client's address; false: it has none, but a Unix socket. */
bool client_addr(const struct request *, struct sockaddr_storage *);
#define CLIENT_TEXT_MAX 64
/* For a line in the log; returns buf. */
const char *client_text(const struct request *, char *buf, size_t);

/* ---- page.c ---- */

/* Answers "/" and what is below ui_content_path; false: not its own. */
bool page_serves(struct request *);

/* ---- routes.c ---- */

/* For whoever has something for each route. */
size_t routes_count(void);
const struct route *route_at(size_t);
size_t route_number(const struct route *);

/* ---- ep_metrics.c: what is counted ---- */

void count_start(struct apid *);
void count_call(struct apid *, bool failed);
void count_answer(struct request *);

/* ---- answer.c: what handlers say ---- */

void add_header(struct request *, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void reply_empty(struct request *, unsigned status);
void reply_text(struct request *, unsigned status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The one way out of each handler: r->answer and r->type are as they shall be. */
void reply_done(struct request *, unsigned status);
/* The client takes an answer that is compressed. */
bool takes_gzip(const struct request *);
/* Takes the writer. */
void reply_json(struct request *, struct jw *);
void reply_json_status(struct request *, unsigned, struct jw *);
/* A writer, pretty as the request wants it. */
struct jw *json_of(const struct request *);
/*
 * The answer for a call that failed: the status that Consul gives this text,
 * 503 with Retry-After when a process of the suite is away.
 */
void reply_failure(struct request *, enum call_status, const char *error);

/* ---- ask.c: requests to the other daemons ---- */

/*
 * Calls a method of catalogd (gossipd, discod) and hands a good answer to fn;
 * a failure is replied to here.
 */
void ask_catalogd(struct request *, const char *method, struct schema *,
    const void *obj, unsigned flags, answered_fn *);
void ask_gossipd(struct request *, const char *method, struct schema *,
    const void *obj, answered_fn *);
void ask_discod(struct request *, const char *method, answered_fn *);
void ask_discod_with(struct request *, const char *method, struct schema *,
    const void *, answered_fn *);
/* Like the above, but a failure reaches fn too, with body NULL. */
void try_catalogd(struct request *, const char *method, struct schema *,
    const void *obj, answered_fn *);
void try_gossipd(struct request *, const char *method, struct schema *,
    const void *obj, answered_fn *);

/* An answer that says nothing: 200. */
answered_fn done_empty;
/* The id of what was made, as {"ID": it}. */
answered_fn done_id;
/* Into any request struct that has datacenter and token, for a write. */
#define FILL_WRITE(b, r) do {						\
	str_set(&(b)->datacenter,					\
	    str_empty(params_get(&(r)->params, "dc")) ?			\
	    (r)->apid->agent.datacenter : params_get(&(r)->params, "dc")); \
	str_set(&(b)->token, token_of(r));				\
} while (0)
/* ?token or the header X-Consul-Token; NULL: neither. */
const char *token_of(const struct request *);

/* An answer's body as a struct; -1: replied, for what is sent to us is wrong. */
int decoded(struct request *, struct schema *, const uint8_t *body,
    size_t len, void *obj);

/*
 * What every read takes from the query: ?dc ?stale ?consistent ?index ?wait
 * ?token ?filter ?near ?node-meta.  -1: replied 400.
 */
struct read_options {
	const char	*dc, *token, *filter, *near;
	uint64_t	 index;
	int64_t		 wait_ns;
	bool		 stale, consistent, cached;
	int64_t		 max_stale_ns;
	struct strmap	 node_meta;
};
int read_options(struct request *, struct read_options *);
void read_options_clear(struct read_options *);
/* Into any request struct that has QUERY_OPTIONS and datacenter. */
#define FILL_OPTIONS(b, o) do {						\
	str_set(&(b)->datacenter, (o)->dc);				\
	str_set(&(b)->token, (o)->token);				\
	str_set(&(b)->filter, (o)->filter);				\
	(b)->min_query_index = (o)->index;				\
	(b)->max_query_time = (o)->wait_ns;				\
	(b)->allow_stale = (o)->stale;					\
	(b)->require_consistent = (o)->consistent;			\
	(b)->max_stale_duration = (o)->max_stale_ns;			\
} while (0)
#define FILL_SOURCE(b, o) do {						\
	strmap_copy(&(b)->node_meta_filters, &(o)->node_meta);		\
	str_set(&(b)->source.node, (o)->near);				\
	if ((o)->near != NULL)						\
		str_set(&(b)->source.datacenter, (o)->dc);		\
} while (0)
/* A read that has no more than that to it. */
void ask_dc(struct request *, const char *method, answered_fn *);
/* Is there a last part of the path?  Otherwise replied 400: "Missing what". */
bool named(struct request *, const char *what);
/* A read of the node that the last part of the path names. */
void ask_node(struct request *, const char *method, answered_fn *);
/* The X-Consul headers of a read; consistency too where `effective`. */
void meta_headers(struct request *, const uint8_t *body, size_t len,
    bool effective);
/* The same of a read that failed, as Consul puts them there too. */
void failed_read_headers(struct request *);

/*
 * Decodes the body of the request as JSON; -1: replied 400 with the text that
 * Consul's clients know.  In two steps for who looks at the keys in between:
 * tree_json takes the tree.
 */
int body_json(struct request *, struct schema *, unsigned flags, void *obj);
struct json *body_tree(struct request *);
int tree_json(struct request *, struct json *, struct schema *,
    unsigned flags, void *obj);

/* ---- cache.c ---- */

/*
 * Asks, or answers with what is known.  The offsets are those of
 * min_query_index and max_query_time in *q, which are set to 0; once: there is
 * nothing to wait for, a time has to do.
 */
void cache_ask(struct request *, const char *method, struct schema *, void *q,
    size_t index_off, size_t wait_off, bool once, answered_fn *);
/* Asks as the options say; q is a pointer to a struct with QUERY_OPTIONS. */
#define ASK_MAYBE_CACHED(r, method, type, q, o, once, fn) do {		\
	if ((o)->cached)						\
		cache_ask((r), (method), &type##_schema, (q),		\
		    offsetof(struct type, min_query_index),		\
		    offsetof(struct type, max_query_time), (once), (fn)); \
	else								\
		ask_catalogd((r), (method), &type##_schema, (q), 0, (fn)); \
} while (0)

/* ---- ep_monitor.c ---- */

/* A line of some daemon's log. */
void monitor_line(struct apid *, const uint8_t *line, size_t len);

/* ---- same.c: one text for those who ask the same ---- */

/* True: replied as somebody was just now to the same question and answer. */
bool same_reply(struct request *, answered_fn *, const uint8_t *body,
    size_t len);
/* After the handler: its reply is kept if it can be shared. */
void same_keep(struct request *, answered_fn *, const uint8_t *body,
    size_t len);

/* ---- handlers, by file ---- */
#define HANDLERS(H)							\
	H(agent_self) H(agent_members) H(agent_services)		\
	H(agent_service) H(agent_checks) H(agent_register_service)	\
	H(agent_deregister_service) H(agent_register_check)		\
	H(agent_deregister_check) H(agent_check_status)			\
	H(agent_check_update) H(agent_maintenance)			\
	H(agent_service_maintenance) H(agent_join)			\
	H(agent_force_leave) H(agent_leave) H(agent_reload)		\
	H(disco_status) H(disco_dns_log) H(disco_checks) H(disco_recover) \
	H(catalog_register) H(catalog_deregister)			\
	H(catalog_datacenters) H(catalog_nodes) H(catalog_services)	\
	H(catalog_service) H(catalog_node) H(catalog_node_services)	\
	H(health_service) H(health_checks) H(health_node) H(health_state) \
	H(status_leader) H(status_peers)				\
	H(operator_raft_configuration) H(operator_keyring)		\
	H(operator_raft_peer) H(operator_autopilot) H(operator_health)	\
	H(coordinate_datacenters) H(coordinate_nodes)			\
	H(coordinate_node) H(coordinate_update)				\
	H(event_fire) H(event_list)					\
	H(kv) H(session_create) H(session_destroy) H(session_renew)	\
	H(session_info) H(session_node) H(session_list) H(txn)		\
	H(query) H(query_one)						\
	H(ui_nodes) H(ui_node) H(ui_services) H(ui_gateway_services)	\
	H(agent_metrics) H(agent_host) H(agent_monitor)			\
	H(agent_health) H(gateway_services) H(federation_states)	\
	H(config_entry) H(config_write)					\
	H(snapshot) H(acl_disabled) H(connect_disabled)
#define HANDLER_PROTO(name) void ep_##name(struct request *);
HANDLERS(HANDLER_PROTO)
#undef HANDLER_PROTO

#endif
