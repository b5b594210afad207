/*
 * This node's own services and checks: where they came from (a file, the
 * API), what state each check is in, and whether the servers know it.
 *
 * Pure: time is an argument in monotonic milliseconds, effects leave through
 * struct agent_ops.  agent_defs.c knows what a definition may say,
 * agent_api.c the methods Agent.*, agent_files.c the disk, sync.c the servers.
 */
#ifndef CATALOGD_AGENT_H
#define CATALOGD_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <bsd/sys/tree.h>

#include "catalogd/agent_defs.h"
#include "common/schema/agent.h"
#include "common/schema/conf.h"
#include "common/schema/msg.h"
#include "common/util.h"

#define AGENT_NODE_MAINT	"_node_maintenance"
#define AGENT_SERVICE_MAINT	"_service_maintenance:"
#define AGENT_NEVER		UINT64_MAX

#define AGENT_PAST_MAX		8	/* changes remembered of a check */
#define AGENT_PAST_OUTPUT	256	/* bytes of output with each */

enum agent_source { AGENT_FILE, AGENT_REMOTE };

/* What a check was before, oldest first. */
struct check_past {
	size_t	 n;
	struct {
		uint64_t	 at_ms;
		char		*status, *output;
	} change[AGENT_PAST_MAX];
};

/*
 * gen counts changes: what was sent is in sync only if it has not moved since.
 * A deleted item stays until the servers have forgotten it.
 */
struct local_service {
	RB_ENTRY(local_service)	 entry;
	struct node_service	 svc;
	char			*token;
	enum agent_source	 source;
	bool			 in_sync, deleted;
	bool			 seen;		/* during a reload */
	uint64_t		 gen;
};

struct local_check {
	RB_ENTRY(local_check)	 entry;
	struct health_check	 chk;
	struct check_def	 def;
	enum check_kind		 kind;
	char			*token;
	enum agent_source	 source;
	bool			 in_sync, deleted, seen;
	uint64_t		 gen;
	bool			 critical;	/* since critical_ms */
	uint64_t		 critical_ms;
	uint64_t		 reap_ms;	/* 0: never */
	uint64_t		 ttl_at;	/* AGENT_NEVER: not running */
	uint64_t		 defer_at;	/* output waits to be sent */
	uint64_t		 until;		/* maintenance: ends by itself */
	bool			 found;		/* its status was found by a
						   run, at some time */
	struct check_past	*past;		/* the last changes; or NULL */
};

RB_HEAD(local_services, local_service);
RB_HEAD(local_checks, local_check);

struct agent_ops {
	/* checkd is to run this, or no longer. */
	void	(*check_set)(const struct msg_check *, void *arg);
	void	(*check_remove)(const char *id, void *arg);
	/* The disk.  0, or -1 when it could not be kept. */
	int	(*save_service)(const struct local_service *, void *arg);
	int	(*save_check)(const struct local_check *, void *arg);
	void	(*drop_service)(const char *id, void *arg);
	void	(*drop_check)(const char *id, void *arg);
	/* Last state of a check; ttl_ns 0: it does not expire by itself. */
	void	(*save_state)(const char *id, const char *status,
		    const char *output, int64_t ttl_ns, void *arg);
	void	(*drop_state)(const char *id, void *arg);
	/* Something is out of sync, or a deadline moved. */
	void	(*changed)(void *arg);
	/* warning: something a person should look at. */
	void	(*log)(bool warning, const char *text, void *arg);
	void	*arg;
};

struct agent {
	struct agent_ops	 ops;
	struct rng		 rng;
	struct conf_agent	 conf;
	struct conf_catalog	 cat;
	struct local_services	 services;
	struct local_checks	 checks;
	bool			 node_in_sync;
	uint64_t		 node_gen;
	uint64_t		 wake_at;	/* no later than due */
	uint64_t		 reap_at;
	uint64_t		 gen;
	struct remembered	*remembered;	/* states found on disk */
	size_t			 nremembered;
};

int local_service_cmp(const struct local_service *,
    const struct local_service *);
int local_check_cmp(const struct local_check *, const struct local_check *);
RB_PROTOTYPE(local_services, local_service, entry, local_service_cmp)
RB_PROTOTYPE(local_checks, local_check, entry, local_check_cmp)

struct agent *agent_new(const struct agent_ops *, uint64_t seed);
void agent_free(struct agent *);
/* Copies both.  What the node says of itself may change by it. */
void agent_configure(struct agent *, const struct conf_agent *,
    const struct conf_catalog *);

/* NULL for unknown and for deleted ones. */
struct local_service *agent_service_find(struct agent *, const char *id);
struct local_check *agent_check_find(struct agent *, const char *id);

/*
 * From disk at start, in this order: states; services in files, stored
 * services; checks in files, stored checks.  An item that a file defines wins
 * over the stored one, which is dropped.
 */
/* left_ms: of a TTL; 0: it does not expire by itself. */
void agent_remember(struct agent *, const char *id, const char *status,
    const char *output, uint64_t left_ms);
/* Forgets what nobody claimed. */
void agent_remember_end(struct agent *);
/* Both take what they point to.  -1 and err: not restored. */
int agent_restore_service(struct agent *, struct node_service *,
    const char *token, uint64_t now, char *err, size_t errlen);
/* left_ms: of a maintenance mode that ends by itself; 0: it does not. */
int agent_restore_check(struct agent *, struct health_check *,
    struct check_def *, const char *token, uint64_t left_ms, uint64_t now,
    char *err, size_t errlen);

/* Definitions in files: what is not named between begin and end goes. */
void agent_files_begin(struct agent *);
int agent_file_service(struct agent *, const struct service_def *,
    uint64_t now, char *err, size_t errlen);
int agent_file_check(struct agent *, const struct check_def *, uint64_t now,
    char *err, size_t errlen);
void agent_files_end(struct agent *, uint64_t now);

/* The API.  0, or -1 with "CODE text" in err. */
int agent_register_service(struct agent *, const struct agent_register *,
    uint64_t now, char *err, size_t errlen);
int agent_register_check(struct agent *, const struct check_def *,
    uint64_t now, char *err, size_t errlen);
void agent_deregister_service(struct agent *, const char *id, uint64_t now);
void agent_deregister_check(struct agent *, const char *id, uint64_t now);
int agent_update_check(struct agent *, const struct agent_update *,
    uint64_t now, char *err, size_t errlen);
int agent_maintenance(struct agent *, const struct agent_maintenance *,
    uint64_t now, char *err, size_t errlen);

/* What checkd found; an unknown id is ignored (it was just removed). */
void agent_result(struct agent *, const struct msg_result *, uint64_t now);
/* What an alias of another node's checks shows (alias.c). */
void agent_alias_set(struct agent *, const char *id, const char *status,
    const char *output, uint64_t now);
/* Everything that checkd is to run. */
void agent_each_probe(struct agent *, void (*)(const struct msg_check *,
    void *arg), void *arg);
/* Does what is due; when to be called next, AGENT_NEVER: no need. */
uint64_t agent_run(struct agent *, uint64_t now);

/* Counters for Agent.Stats. */
void agent_counts(struct agent *, size_t *services, size_t *checks,
    size_t *ttls, size_t *monitors);

/* For sync.c: that item changed; it is gone for good. */
void agent_service_touch(struct agent *, struct local_service *);
void agent_check_touch(struct agent *, struct local_check *);
void agent_service_forget(struct agent *, struct local_service *);
void agent_check_forget(struct agent *, struct local_check *);
/* An item the servers hold and this node does not know: to be deregistered. */
void agent_service_stray(struct agent *, const char *id);
void agent_check_stray(struct agent *, const char *id);
/* Tags as a server changed them (EnableTagOverride). */
void agent_service_tags(struct agent *, struct local_service *,
    const struct strs *);

#endif
