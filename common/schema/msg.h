/*
 * Bodies of the messages between our own processes (common/imsg.def).
 */
#ifndef COMMON_SCHEMA_MSG_H
#define COMMON_SCHEMA_MSG_H

#include "common/schema/rpc.h"
#include "common/schema/schema.h"

/* SETUP: who this child is and what it may do. */
#define MSG_SETUP(F, T)							\
	F(T, UINT, , hash, "hash", 0, NULL)	/* imsg_hash() */	\
	F(T, STR, , user, "user", 0, NULL)	/* "": stay */		\
	F(T, STR, , chroot, "chroot", 0, NULL)	/* "": none */		\
	F(T, STR, , dir, "dir", 0, NULL)	/* as child_dir() */	\
	F(T, STR, , log_level, "log_level", 0, NULL)			\
	F(T, BOOL, , sandbox, "sandbox", 0, NULL)			\
	F(T, UINT, , max_files, "max_files", 0, NULL)			\
	F(T, UINT, , restarts, "restarts", 0, NULL)			\
	F(T, UINT, , worker, "worker", 0, NULL)	/* which one, from 0 */
SCHEMA_DECLARE(msg_setup, MSG_SETUP)

enum socket_kind {
	SOCK_LAN_UDP, SOCK_LAN_TCP, SOCK_WAN_UDP, SOCK_WAN_TCP,	/* gossipd */
	SOCK_RPC_TCP,						/* rpcd */
	SOCK_DNS_UDP, SOCK_DNS_TCP,				/* dnsd */
	SOCK_HTTP_TCP, SOCK_HTTPS_TCP, SOCK_HTTP_UNIX		/* apid */
};
/* SOCKET: one bound (TCP, Unix: listening) socket. */
#define MSG_SOCKET(F, T)						\
	F(T, UINT, , kind, "kind", 0, NULL)				\
	F(T, STR, , text, "text", 0, NULL)  /* "10.0.0.2:8301", path */	\
	F(T, STR, , ip, "ip", 0, NULL)					\
	F(T, UINT, , port, "port", 0, NULL)
SCHEMA_DECLARE(msg_socket, MSG_SOCKET)

/* CALL: then the body, as on the network. */
#define MSG_CALL(F, T)							\
	F(T, STR, , method, "method", 0, NULL)				\
	F(T, UINT, , target, "target", 0, NULL)	/* enum call_target */	\
	F(T, UINT, , flags, "flags", 0, NULL)	/* CALL_WRITE ... */	\
	F(T, STR, , datacenter, "datacenter", S_OPT, NULL)		\
	F(T, STR, , server, "server", S_OPT, NULL) /* CALL_SERVER: node name */ \
	F(T, UINT, , timeout_ms, "timeout_ms", S_OPT, NULL)
SCHEMA_DECLARE(msg_call, MSG_CALL)

/* ANSWER: then the body. */
#define MSG_ANSWER(F, T)						\
	F(T, UINT, , status, "status", 0, NULL)	/* enum call_status */	\
	F(T, STR, , error, "error", S_OPT, NULL)
SCHEMA_DECLARE(msg_answer, MSG_ANSWER)

enum member_status {
	MEMBER_NONE, MEMBER_ALIVE, MEMBER_LEAVING, MEMBER_LEFT, MEMBER_FAILED
};
/* MEMBER, and the elements of Gossip.Members.  JSON as agent/members shows. */
#define MEMBER(F, T)							\
	F(T, STR, , name, "Name", 0, NULL)				\
	F(T, STR, , addr, "Addr", 0, NULL)	/* "10.0.0.2" */	\
	F(T, UINT, , port, "Port", 0, NULL)				\
	F(T, STRMAP, , tags, "Tags", S_EMPTY, NULL)			\
	F(T, UINT, , status, "Status", 0, NULL)	/* enum member_status */ \
	F(T, UINT, , pmin, "ProtocolMin", 0, NULL)			\
	F(T, UINT, , pmax, "ProtocolMax", 0, NULL)			\
	F(T, UINT, , pcur, "ProtocolCur", 0, NULL)			\
	F(T, UINT, , dmin, "DelegateMin", 0, NULL)			\
	F(T, UINT, , dmax, "DelegateMax", 0, NULL)			\
	F(T, UINT, , dcur, "DelegateCur", 0, NULL)			\
	F(T, BOOL, , wan, "wan", S_NOJSON|S_OPT, NULL)			\
	F(T, BOOL, , self, "self", S_NOJSON|S_OPT, NULL)
SCHEMA_DECLARE(member, MEMBER)

/* EVENT, FIRE: a Serf user event, name as on the wire. */
#define MSG_EVENT(F, T)							\
	F(T, STR, , name, "name", 0, NULL)				\
	F(T, BYTES, , payload, "payload", 0, NULL)			\
	F(T, BOOL, , coalesce, "coalesce", 0, NULL)			\
	F(T, UINT, , ltime, "ltime", 0, NULL)
SCHEMA_DECLARE(msg_event, MSG_EVENT)

/* Methods of gossipd.  Gossip.Join answers {joined}, or the error. */
#define GOSSIP_JOIN(F, T)						\
	F(T, STRS, , addrs, "addrs", 0, NULL)				\
	F(T, BOOL, , wan, "wan", 0, NULL)
SCHEMA_DECLARE(gossip_join, GOSSIP_JOIN)
#define GOSSIP_JOINED(F, T)						\
	F(T, UINT, , joined, "joined", 0, NULL)
SCHEMA_DECLARE(gossip_joined, GOSSIP_JOINED)
/* Gossip.ForceLeave */
#define GOSSIP_FORCE_LEAVE(F, T)					\
	F(T, STR, , node, "node", 0, NULL)				\
	F(T, BOOL, , prune, "prune", 0, NULL)				\
	F(T, BOOL, , wan, "wan", 0, NULL)
SCHEMA_DECLARE(gossip_force_leave, GOSSIP_FORCE_LEAVE)
/* Gossip.Members {wan} answers {members, stats} (sorted by name). */
#define GOSSIP_MEMBERS_REQUEST(F, T)					\
	F(T, BOOL, , wan, "wan", 0, NULL)
SCHEMA_DECLARE(gossip_members_request, GOSSIP_MEMBERS_REQUEST)
#define GOSSIP_MEMBERS(F, T)						\
	F(T, LIST, member, members, "members", S_EMPTY, NULL)		\
	F(T, STRMAP, , stats, "stats", S_EMPTY, NULL) /* as serf_lan in info */ \
	F(T, BOOL, , encrypted, "encrypted", 0, NULL)
SCHEMA_DECLARE(gossip_members, GOSSIP_MEMBERS)
/*
 * Gossip.Keyring runs a key query over one pool and answers one
 * keyring_response (rpc.h), Error set where a node failed or was silent.
 */
#define GOSSIP_KEYRING(F, T)						\
	F(T, STR, , operation, "operation", 0, NULL) /* list install use remove */ \
	F(T, STR, , key, "key", S_SECRET, NULL)	/* base64; "" for list */ \
	F(T, UINT, , relay_factor, "relay_factor", 0, NULL)		\
	F(T, BOOL, , wan, "wan", 0, NULL)
SCHEMA_DECLARE(gossip_keyring, GOSSIP_KEYRING)
/*
 * Gossip.Coordinates answers {own, others}: as measured by this node.  others
 * (all: of every member whose ack brought one) by name as in that pool.
 */
#define GOSSIP_COORDINATES_REQUEST(F, T)				\
	F(T, BOOL, , wan, "wan", 0, NULL)				\
	F(T, BOOL, , all, "all", 0, NULL)
SCHEMA_DECLARE(gossip_coordinates_request, GOSSIP_COORDINATES_REQUEST)
#define GOSSIP_COORDINATES(F, T)					\
	F(T, STRUCT, coordinate, own, "own", 0, NULL)			\
	F(T, LIST, node_coordinate, others, "others", S_EMPTY, NULL)
SCHEMA_DECLARE(gossip_coordinates, GOSSIP_COORDINATES)

/* Parent.Status answers {daemons}. */
#define DAEMON_STATUS(F, T)						\
	F(T, STR, , name, "Name", 0, NULL)				\
	F(T, INT, , pid, "Pid", 0, NULL)				\
	F(T, STR, , user, "User", 0, NULL)				\
	F(T, STR, , state, "State", 0, NULL) /* running starting down */ \
	F(T, UINT, , restarts, "Restarts", 0, NULL)			\
	F(T, DUR, , uptime, "Uptime", 0, NULL)				\
	F(T, UINT, , memory, "Memory", 0, NULL)	/* PSS, bytes */	\
	F(T, UINT, , anonymous, "Anonymous", 0, NULL) /* bytes */	\
	F(T, UINT, , cpu, "CPU", 0, NULL)	/* used so far, ns */	\
	F(T, STR, , sandbox, "Sandbox", 0, NULL) /* "chroot,seccomp" */
SCHEMA_DECLARE(daemon_status, DAEMON_STATUS)
#define PARENT_STATUS(F, T)						\
	F(T, LIST, daemon_status, daemons, "Daemons", S_EMPTY, NULL)	\
	F(T, STR, , version, "Version", 0, NULL)			\
	F(T, DUR, , uptime, "Uptime", 0, NULL)
SCHEMA_DECLARE(parent_status, PARENT_STATUS)
/* Parent.DNSLog */
#define DNS_LOG_REQUEST(F, T)						\
	F(T, UINT, , every, "Every", 0, NULL)	/* one of so many; 0: off */
SCHEMA_DECLARE(dns_log_request, DNS_LOG_REQUEST)
/* Parent.Host: texts as the system has them. */
#define PARENT_HOST(F, T)						\
	F(T, STR, , meminfo, "meminfo", 0, NULL)			\
	F(T, STR, , cpuinfo, "cpuinfo", 0, NULL)			\
	F(T, STR, , os_release, "os_release", 0, NULL)			\
	F(T, STR, , machine_id, "machine_id", 0, NULL)			\
	F(T, STR, , mounts, "mounts", 0, NULL)				\
	F(T, STR, , hostname, "hostname", 0, NULL)			\
	F(T, STR, , kernel, "kernel", 0, NULL)				\
	F(T, STR, , machine, "machine", 0, NULL)			\
	F(T, UINT, , uptime_s, "uptime", 0, NULL)			\
	F(T, UINT, , procs, "procs", 0, NULL)				\
	F(T, STR, , path, "path", 0, NULL)	/* the disk's */	\
	F(T, UINT, , disk_total, "disk_total", 0, NULL)			\
	F(T, UINT, , disk_free, "disk_free", 0, NULL)			\
	F(T, UINT, , disk_used, "disk_used", 0, NULL)			\
	F(T, UINT, , inodes, "inodes", 0, NULL)				\
	F(T, UINT, , inodes_free, "inodes_free", 0, NULL)
SCHEMA_DECLARE(parent_host, PARENT_HOST)

/*
 * A check as catalogd has it checkd run it.  Which of http, tcp, args is set
 * says the kind; TTL and alias checks never leave catalogd.
 */
#define MSG_CHECK(F, T)							\
	F(T, STR, , id, "id", 0, NULL)					\
	F(T, STR, , http, "http", S_OPT, NULL)				\
	F(T, STR, , method, "method", S_OPT, NULL)			\
	F(T, STRSMAP, , header, "header", S_OPT|S_SECRET, NULL)		\
	F(T, STR, , body, "body", S_OPT, NULL)				\
	F(T, BOOL, , follow_redirects, "follow_redirects", S_OPT, NULL)	\
	F(T, BOOL, , tls, "tls", S_OPT, NULL)	/* all but http */	\
	F(T, BOOL, , tls_skip_verify, "tls_skip_verify", S_OPT, NULL)	\
	F(T, STR, , tls_server_name, "tls_server_name", S_OPT, NULL)	\
	F(T, STR, , tcp, "tcp", S_OPT, NULL)				\
	F(T, STR, , udp, "udp", S_OPT, NULL)				\
	F(T, STR, , dns, "dns", S_OPT, NULL)				\
	F(T, STR, , grpc, "grpc", S_OPT, NULL) /* "host:port/service" */ \
	F(T, STR, , h2ping, "h2ping", S_OPT, NULL)			\
	F(T, STRS, , args, "args", S_OPT, NULL)				\
	F(T, DUR, , interval, "interval", 0, NULL)			\
	F(T, DUR, , timeout, "timeout", 0, NULL)			\
	F(T, UINT, , output_max, "output_max", 0, NULL)			\
	F(T, UINT, , success_before_passing, "success", S_OPT, NULL)	\
	F(T, UINT, , failures_before_critical, "failures", S_OPT, NULL)	\
	F(T, STR, , status, "status", 0, NULL)	/* as it stands now */	\
	F(T, BOOL, , failing, "failing", S_OPT, NULL) /* found so by a run:
					look at it first */
SCHEMA_DECLARE(msg_check, MSG_CHECK)

#define MSG_RESULT(F, T)						\
	F(T, STR, , id, "id", 0, NULL)					\
	F(T, STR, , status, "status", 0, NULL)	/* after thresholds */	\
	F(T, STR, , output, "output", 0, NULL)				\
	F(T, DUR, , latency, "latency", 0, NULL)
SCHEMA_DECLARE(msg_result, MSG_RESULT)

/* CHECK_RUNS: where every check of checkd stands. */
#define CHECK_RUN(F, T)							\
	F(T, STR, , id, "id", 0, NULL)					\
	F(T, BOOL, , running, "running", S_OPT, NULL)			\
	F(T, UINT, , runs, "runs", S_OPT, NULL)	/* that ended */	\
	F(T, STR, , found, "found", S_OPT, NULL) /* by the last, before
					thresholds */			\
	F(T, UINT, , in_row, "in_row", S_OPT, NULL) /* runs that found the
					same sort */			\
	F(T, DUR, , latency, "latency", S_OPT, NULL)			\
	F(T, DUR, , ago, "ago", S_OPT, NULL)	/* the last began */	\
	F(T, DUR, , next, "next", S_OPT, NULL)	/* the next begins in */
SCHEMA_DECLARE(check_run, CHECK_RUN)
#define MSG_CHECK_RUNS(F, T)						\
	F(T, LIST, check_run, runs, "runs", 0, NULL)
SCHEMA_DECLARE(msg_check_runs, MSG_CHECK_RUNS)

/* RUN: execd runs it only if these very args stand in its configuration, or
 * the configuration allows any. */
#define MSG_RUN(F, T)							\
	F(T, STRS, , args, "args", 0, NULL)				\
	F(T, DUR, , timeout, "timeout", 0, NULL)			\
	F(T, UINT, , output_max, "output_max", 0, NULL)
SCHEMA_DECLARE(msg_run, MSG_RUN)
enum run_end { RUN_EXIT, RUN_SIGNAL, RUN_TIMEOUT, RUN_REFUSED, RUN_FAILED };
#define MSG_EXITED(F, T)						\
	F(T, UINT, , end, "end", 0, NULL)	/* enum run_end */	\
	F(T, INT, , code, "code", 0, NULL)	/* status or signal */	\
	F(T, BYTES, , output, "output", 0, NULL) /* the last output_max */ \
	F(T, UINT, , total, "total", 0, NULL)	/* bytes it wrote */	\
	F(T, STR, , error, "error", S_OPT, NULL)
SCHEMA_DECLARE(msg_exited, MSG_EXITED)

enum view_kind {
	VIEW_SERVICE = 1, VIEW_NODE, VIEW_REVERSE, VIEW_QUERY,
	VIEW_OUTSIDE	/* dnsd's own: a recursor's answer; never asked for */
};
/*
 * A VIEW is the whole of one name: each instance with what an answer needs.
 * service: all instances, healthy or not; node: one entry without service;
 * reverse: the name is an IP address as text, entries are its nodes.
 */
#define VIEW_ENTRY(F, T)						\
	F(T, STR, , node, "node", 0, NULL)				\
	F(T, STR, , address, "address", 0, NULL)	/* the node's */ \
	F(T, STRMAP, , node_tagged, "node_tagged", S_OPT, NULL)		\
	F(T, STRMAP, , node_meta, "node_meta", S_OPT, NULL)		\
	F(T, STR, , service_id, "service_id", S_OPT, NULL)		\
	F(T, STR, , service_address, "service_address", S_OPT, NULL)	\
	F(T, INT, , port, "port", S_OPT, NULL)				\
	F(T, STRS, , tags, "tags", S_OPT, NULL)				\
	F(T, INT, , weight, "weight", S_OPT, NULL) /* by state: passing or
						      warning weight */	\
	F(T, UINT, , health, "health", S_OPT, NULL) /* 0 passing 1 warning
						       2 critical */	\
	F(T, STR, , service, "service", S_OPT, NULL) /* reverse: its name,
					when the address is a service's */ \
	F(T, STRMAP, , service_tagged, "service_tagged", S_OPT, NULL) /* name
					to address: lan_ipv4, lan_ipv6 */
SCHEMA_DECLARE(view_entry, VIEW_ENTRY)
#define MSG_VIEW(F, T)							\
	F(T, UINT, , kind, "kind", 0, NULL)	/* enum view_kind */	\
	F(T, STR, , name, "name", 0, NULL)	/* as in WATCH */	\
	F(T, STR, , datacenter, "datacenter", S_OPT, NULL) /* as in WATCH */ \
	F(T, UINT, , index, "index", 0, NULL)				\
	F(T, BOOL, , exists, "exists", 0, NULL)				\
	/* a prepared query's: whose TTL, or its own, as Go writes it; the \
	 * datacenter of the entries; they come nearest first */	\
	F(T, STR, , service, "service", S_OPT, NULL)			\
	F(T, STR, , ttl, "ttl", S_OPT, NULL)				\
	F(T, STR, , answered_by, "answered_by", S_OPT, NULL)		\
	F(T, BOOL, , ordered, "ordered", S_OPT, NULL)			\
	F(T, STR, , error, "error", S_OPT, NULL) /* no server: SERVFAIL, or
					what dnsd has */		\
	F(T, LIST, view_entry, entries, "entries", 0, NULL)
SCHEMA_DECLARE(msg_view, MSG_VIEW)

/* RESOLVED; addrs as text without port, in order of preference. */
#define MSG_RESOLVED(F, T)						\
	F(T, STRS, , addrs, "addrs", 0, NULL)				\
	F(T, STR, , error, "error", S_OPT, NULL)
SCHEMA_DECLARE(msg_resolved, MSG_RESOLVED)

#endif
