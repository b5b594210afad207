/*
 * Inside the server half: what server*.c share.
 *
 *	server.c		life, the log's side, what catalogd asks
 *	server_call.c		the turn of the loop, calls and their ends
 *	server_share.c		one answer for calls that ask the same
 *	server_forward.c	calls that the leader, or another datacenter,
 *				has to answer
 *	server_raft.c		servers: from gossip into the membership
 *	server_methods.c	which method is carried out how
 *	server_catalog.c	Catalog.*
 *	server_health.c		Health.*, Internal dumps
 *	server_status.c		Status.*, Operator.*, what is answered emptily
 *	server_coordinate.c	Coordinate.*
 *	server_kv.c		KVS.*
 *	server_session.c	Session.*, their timers, delays of locks
 *	server_txn.c		Txn.*
 *	server_query.c		PreparedQuery.*
 *	server_failover.c	a query that found nothing here
 *	server_near.c		sorting by distance
 *	server_snapshot.c	the state as a whole
 *	server_watch.c		who waits for what
 *	server_leader.c		members, and the leader's duties
 */
#ifndef CATALOGD_SERVER_I_H
#define CATALOGD_SERVER_I_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include "catalogd/raft.h"
#include "catalogd/server.h"
#include "catalogd/store.h"
#include "common/filter.h"
#include "common/util.h"

/* RB_GENERATE_STATIC needs an __unused that glibc has not. */
#define TREE_STATIC __attribute__((unused)) static

/* A call waits for this many things at most. */
#define WATCH_MAX 3

struct watch;
struct watch_link {
	LIST_ENTRY(watch_link)	 entry;
	struct watch		*watch;		/* NULL: unused */
	struct server_call	*call;
};
struct watch {
	RB_ENTRY(watch)		 entry;
	enum watch_kind		 kind;
	char			*name;
	LIST_HEAD(, watch_link)	 links;
};
RB_HEAD(watch_tree, watch);

/* What a read depends on: its index, and what to wait for. */
struct depends {
	uint64_t	 index;
	struct {
		enum watch_kind	 kind;
		const char	*name;
		size_t		 len;
	} on[WATCH_MAX];
	size_t		 n;
};

/* A method's result: a body, or an error that the caller sees. */
struct reply {
	struct wbuf	 body;
	char		*error;
	const struct filter *filter;	/* for the rows, or NULL */
	bool		 failover;	/* other datacenters may know more */
};

enum method_kind {
	METHOD_READ,	/* held without a leader; blocks if it has `depends` */
	METHOD_WRITE,	/* makes a log entry (none: answered at once) */
	METHOD_LOCAL,	/* needs neither leader nor datacenter */
	METHOD_REFUSED	/* always the same error, for this datacenter */
};

struct method {
	const char		*name;
	enum method_kind	 kind;
	struct schema		*schema;	/* NULL: the body is not read */
	void	(*depends)(struct server *, const void *req,
		    struct depends *);
	void	(*read)(struct server *, const void *req,
		    const struct query_meta *, struct reply *);
	void	(*write)(struct server *, void *req, struct wbuf *entry,
		    struct reply *);
	const char		*error;
	bool			 any_dc;	/* Datacenter may be empty */
	struct schema		*rows;		/* Filter is of these, or NULL */
};
const struct method *method_find(const char *name);
bool method_service_known(const char *name);

enum call_state {
	CALL_QUEUED,
	CALL_HELD,		/* until there is a leader */
	CALL_FORWARDED,		/* to the leader */
	CALL_REMOTE,		/* another datacenter is asked */
	CALL_CONFIRMING,	/* that we lead, for a consistent read */
	CALL_BLOCKED,
	CALL_PROPOSED
};

struct server_call {
	TAILQ_ENTRY(server_call) entry;		/* in the list of its state */
	struct server		*srv;
	enum call_state		 state;
	const struct method	*method;	/* NULL: unknown */
	char			*name;
	uint8_t			*body;
	size_t			 len;
	bool			 relayed;	/* by another server, to the
						   leader */
	bool			 from_dc;	/* from another datacenter */
	struct query_head	 head;
	void			*req;
	bool			 watching;
	struct watch_link	 link[WATCH_MAX];
	struct ev_timer		*timer;		/* hold, retry or block */
	struct filter		*filter;	/* made at the first turn */
	uint64_t		 start_ms;
	bool			 retry;		/* it is for another try */
	bool			 expired;
	bool			 confirmed;	/* we lead, or did just now */
	uint64_t		 confirm;	/* number of that question */
	void			*forward;	/* CALL_FORWARDED, _REMOTE */
	struct failover		*failover;	/* CALL_REMOTE, or NULL */
	uint64_t		 forward_to;	/* that server's id */
	char			*last_error;	/* of the last try */
	call_fn			*fn;		/* NULL: cancelled */
	void			*arg;
};
TAILQ_HEAD(server_calls, server_call);

/* The answer of this turn that others may want (server_share.c). */
struct share {
	const struct method	*method;	/* NULL: none */
	struct wbuf		 question, answer;
	struct query_meta	 meta;
};

struct member_row {
	RB_ENTRY(member_row)	 entry;
	struct member		 m;
	bool			 seen;		/* in the list being told */
	uint64_t		 lost_ms;	/* since when gossip does not
						   know it; 0: it does */
	bool			 proposed;	/* on its way to the log */
};
RB_HEAD(member_tree, member_row);
int member_cmp(struct member_row *, struct member_row *);
RB_PROTOTYPE(member_tree, member_row, entry, member_cmp)

/* A session's time to live, armed by whoever leads. */
struct session_timer {
	RB_ENTRY(session_timer)	 entry;
	struct server		*srv;
	struct ev_timer		*timer;
	unsigned		 tries;
	char			 id[];
};
RB_HEAD(session_timers, session_timer);

/* A key that nobody may lock yet. */
struct lock_hold {
	RB_ENTRY(lock_hold)	 entry;
	struct server		*srv;
	struct ev_timer		*timer;		/* until then */
	char			 key[];
};
RB_HEAD(lock_delays, lock_hold);

/* Tombstones up to that index go at that time. */
struct tomb_bin {
	TAILQ_ENTRY(tomb_bin)	 entry;
	uint64_t		 at_ms, index;
};
TAILQ_HEAD(tomb_bins, tomb_bin);

struct coord_pending {
	RB_ENTRY(coord_pending)	 entry;
	struct coordinate_update u;
};
RB_HEAD(coord_tree, coord_pending);

struct server {
	struct ev		*ev;
	struct conf_agent	 agent;
	struct conf_catalog	 conf;
	struct server_env	 env;
	char			*dir;
	struct rng		 rng;

	struct store		*store;
	struct store		*unusable;	/* holds the reason */
	struct replica		*replica;
	bool			 started, leaving;
	int64_t			 start_ns, leader_ns;	/* wall clock */

	struct ev_timer		*turn;		/* calls wait in `queued` */
	struct server_calls	 list[CALL_PROPOSED + 1];
	struct share		 share;
	struct watch_tree	 watches;

	struct member_tree	 members;
	bool			 members_known, members_telling;
	struct ev_timer		*reconcile;

	struct coord_tree	 coords;
	size_t			 ncoords;
	struct ev_timer		*coords_flush;

	struct server_raft	*raft;		/* server_raft.c */
	struct server_snapshot	*snapshot;	/* server_snapshot.c */
#define ENTRY_RESTORE 126	/* beside the store's, which never sees it */

	struct session_timers	 session_timers;	/* while in office */
	struct lock_delays	 lock_delays;
	struct tomb_bins	 tomb_bins;
	struct ev_timer		*tomb_timer;

	void			(*left)(void *);
	void			*left_arg;
	struct ev_timer		*left_timer;
	uint64_t		 left_ms;	/* it waits until then */
};

/* server_call.c */
void calls_turn(void *srv);
void call_move(struct server_call *, enum call_state);
void call_free(struct server_call *);
void call_end(struct server_call *, struct reply *);	/* frees the reply */
void call_fail(struct server_call *, const char *text);
void call_wake(struct server_call *);
void call_set_timer(struct server_call *, uint64_t ms);
void calls_requeue(struct server *, enum call_state);
/* Another leader, or none: what is held, blocked or asked looks again. */
void calls_office(struct server *);
void calls_confirmed(struct server *, uint64_t number);
uint64_t call_hold_ms(const struct server *);

/* server_share.c */
void share_init(struct server *);
/* Anything else than a read happens, or the turn is over. */
void share_drop(struct server *);
/* True: the reply is the one that the same question had. */
bool share_take(const struct server_call *, const struct query_meta *,
    struct reply *);
/* Keeps it if the next call may want it. */
void share_keep(const struct server_call *, const struct query_meta *,
    const struct reply *);

/* server_forward.c */
/* True: the leader has been asked, or is to be asked again. */
bool forward_call(struct server_call *);
void forward_cancel(struct server_call *);
/* To a datacenter that is not ours: its answer is the answer. */
void forward_datacenter(struct server_call *);
/* Another leads now.  A call that waits too long for the one before ends. */
void forward_leader_changed(struct server *);
void forward_give_up(struct server_call *);

/* server_failover.c: the call waits for them; the reply is what was found
 * here, and taken. */
void failover_start(struct server_call *, struct reply *);
void failover_free(struct failover *);

/* server_raft.c */
void raft_members_init(struct server *);
void raft_members_free(struct server *);
/* Members, membership or leader changed. */
void raft_members_changed(struct server *);
/* Of a server of the membership, as gossip has it or as it was added. */
void raft_address(const struct server *, const struct replica_server *,
    char *, size_t);
bool raft_where(const struct server *, const char *node_id, char *, size_t);
/* The member that is this server of the membership, or NULL. */
const struct member *raft_member(const struct server *,
    const struct replica_server *);
const struct autopilot_config *raft_autopilot(const struct server *);
/* As the autopilot judges it, and since when (wall clock). */
bool raft_healthy(const struct server *, const struct replica_server *,
    int64_t *since_ns);

/* server_snapshot.c */
void snapshot_init(struct server *);
void snapshot_free(struct server *);
/* An index of the log as one of the store. */
uint64_t snapshot_index(const struct server *, uint64_t);
/* True: the entry is of a restore. */
bool snapshot_apply(struct server *, uint64_t index, const uint8_t *, size_t);
void snapshot_office(struct server *, bool);
/* The whole state for the log's snapshots, and back. */
void snapshot_dump(struct server *, struct wbuf *);
int snapshot_restore(struct server *, uint64_t index, const uint8_t *, size_t,
    const char **why);

/* server.c */
void server_propose(struct server *, const struct wbuf *entry);
bool server_in_office(const struct server *);
/* "10.0.0.1:8300" of this server; of any. */
void server_rpc_addr(const struct server *, char *, size_t);
void rpc_addr_text(const char *ip, unsigned port, char *, size_t);
void reply_error(struct reply *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void reply_empty(struct reply *);		/* an empty map */
/* Encodes one struct, with those of its rows that the call's filter lets by. */
void reply_schema(struct reply *, struct schema *, void *);
/* The flattened head of every read's answer. */
#define META_PUT(a, m) do {						\
	(a)->index = (m)->index;					\
	(a)->last_contact = (m)->last_contact;				\
	(a)->known_leader = (m)->known_leader;				\
	(a)->consistency_level = (m)->consistency_level;		\
} while (0)

/* server_watch.c */
void watch_add(struct server_call *, const struct depends *);
void watch_drop(struct server_call *);
/* All that wait for anything. */
void watch_wake_all(struct server *, void (*)(struct server_call *));
/* Calls fn for each call that waits for this. */
void watch_wake(struct server *, const struct change *,
    void (*)(struct server_call *));
/* The same for everybody who waits at all. */
void watch_wake_all(struct server *, void (*)(struct server_call *));
void depends_on(struct depends *, enum watch_kind, const char *name);
/* The first n bytes of that name. */
void depends_on_part(struct depends *, enum watch_kind, const char *name,
    size_t n);

/* server_catalog.c: what a registration has to be, as far as it is judged
 * before the log; missing parts that follow from others are filled in. */
void check_node_id(const char *id, struct reply *);
void check_service(struct node_service *, struct reply *);

/* Filters that several methods share. */
bool node_meta_matches(const struct node *, const struct strmap *filters);
bool tags_match(const struct strs *tags, const struct service_request *);
/* A node by its name, or by a prefix of its ID that is one node's only. */
const struct node *node_by_name_or_id(const struct server *, const char *);

/* server_near.c: items of that size, each of which names its node. */
void near_sort(const struct server *, const struct query_source *,
    void *items, size_t n, size_t size, const char *(*node)(const void *));

/* methods */
#define READ_METHOD(n)							\
	void n##_depends(struct server *, const void *, struct depends *); \
	void n##_read(struct server *, const void *,			\
	    const struct query_meta *, struct reply *);
#define LOCAL_METHOD(n)							\
	void n##_read(struct server *, const void *,			\
	    const struct query_meta *, struct reply *);
#define WRITE_METHOD(n)							\
	void n##_write(struct server *, void *, struct wbuf *, struct reply *);
WRITE_METHOD(catalog_register)
WRITE_METHOD(catalog_deregister)
READ_METHOD(catalog_list_nodes)
READ_METHOD(catalog_list_services)
READ_METHOD(catalog_service_list)
READ_METHOD(catalog_service_nodes)
READ_METHOD(catalog_node_services)
READ_METHOD(catalog_node_service_list)
READ_METHOD(catalog_gateway_services)
READ_METHOD(health_service_nodes)
READ_METHOD(health_service_checks)
READ_METHOD(health_node_checks)
READ_METHOD(health_checks_in_state)
READ_METHOD(internal_node_info)
READ_METHOD(internal_node_dump)
READ_METHOD(internal_service_dump)
LOCAL_METHOD(internal_event_fire)
LOCAL_METHOD(status_ping)
LOCAL_METHOD(status_leader)
LOCAL_METHOD(status_peers)
LOCAL_METHOD(status_raft_stats)
LOCAL_METHOD(status_disco_server)
LOCAL_METHOD(agent_raft_recover)
LOCAL_METHOD(operator_raft_remove)
WRITE_METHOD(operator_autopilot_set)
LOCAL_METHOD(operator_raft_configuration)
LOCAL_METHOD(operator_autopilot_configuration)
LOCAL_METHOD(operator_server_health)
LOCAL_METHOD(intention_list)
LOCAL_METHOD(intention_match)
LOCAL_METHOD(intention_check)
LOCAL_METHOD(intention_get)
LOCAL_METHOD(config_entry_get)
LOCAL_METHOD(config_entry_list)
LOCAL_METHOD(config_entry_list_all)
LOCAL_METHOD(config_entry_resolve)
LOCAL_METHOD(internal_gateway_service_dump)
LOCAL_METHOD(federation_list)
LOCAL_METHOD(federation_get)
LOCAL_METHOD(federation_gateways)
void nothing_depends(struct server *, const void *, struct depends *);
WRITE_METHOD(coordinate_update)
READ_METHOD(coordinate_list_nodes)
READ_METHOD(coordinate_node)
void coordinate_free(struct server *);
WRITE_METHOD(kvs_apply)
READ_METHOD(kvs_get)
READ_METHOD(kvs_list)
READ_METHOD(kvs_list_keys)
WRITE_METHOD(session_apply)
READ_METHOD(session_get)
READ_METHOD(session_list)
READ_METHOD(session_node_sessions)
LOCAL_METHOD(session_renew)
WRITE_METHOD(txn_apply)
LOCAL_METHOD(txn_read)
WRITE_METHOD(query_apply)
READ_METHOD(query_get)
READ_METHOD(query_list)
LOCAL_METHOD(query_execute)
LOCAL_METHOD(query_execute_remote)
LOCAL_METHOD(query_explain)

/* Requests that common/schema has no list for. */
#define KIND_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , kind, "Kind", 0, NULL)				\
	F(T, STR, , name, "Name", 0, NULL)
SCHEMA_DECLARE(kind_request, KIND_REQUEST)
#define INTENTION_NAME(F, T)						\
	F(T, STR, , name, "Name", 0, NULL)
SCHEMA_DECLARE(intention_name, INTENTION_NAME)
#define INTENTION_MATCH(F, T)						\
	F(T, LIST, intention_name, entries, "Entries", 0, NULL)
SCHEMA_DECLARE(intention_match, INTENTION_MATCH)
#define INTENTION_REQUEST(F, T)						\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , id, "IntentionID", 0, NULL)				\
	F(T, PTR, intention_match, match, "Match", 0, NULL)
SCHEMA_DECLARE(intention_request, INTENTION_REQUEST)
#define SERVICE_DUMP_REQUEST(F, T)					\
	F(T, STR, , datacenter, "Datacenter", 0, NULL)			\
	F(T, STR, , service_kind, "ServiceKind", 0, NULL)		\
	F(T, BOOL, , use_service_kind, "UseServiceKind", 0, NULL)	\
	QUERY_OPTIONS(F, T)
SCHEMA_DECLARE(service_dump_request, SERVICE_DUMP_REQUEST)

/* server_kv.c: false: nobody may lock it yet, or the error is set. */
bool kvs_allowed(const struct server *, const char *op,
    const struct dir_entry *, struct reply *);
/* Would a lock be refused, for another session has the key? */
bool kvs_held_by_another(const struct server *, const char *op,
    const struct dir_entry *);

/* server_session.c */
void session_init(struct server *);
void session_office(struct server *, bool);
/* What an entry did to sessions, locks and tombstones. */
void session_applied(struct server *, uint64_t index, const struct changes *);
void session_free(struct server *);
bool lock_delayed(const struct server *, const char *key);

/* server_query.c: the query that a request means; clear it.  False: the reply
 * has the error. */
bool query_resolve(const struct server *, const struct query_execute_request *,
    struct prepared_query *, struct reply *);

/* server_leader.c */
void leader_office(struct server *, bool);
void leader_applied(struct server *, const struct changes *);
void leader_free(struct server *);

#endif
