/*
 * The configuration as discod holds it: command line and files read, merged
 * and checked, then taken apart for each child.
 */
#ifndef DISCOD_CONFIG_H
#define DISCOD_CONFIG_H

#include <sys/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/log.h"
#include "common/proc.h"
#include "common/schema/conf.h"
#include "common/schema/msg.h"

struct values;

/* A socket to bind before anything starts. */
struct listen_addr {
	enum socket_kind	 kind;
	char			*ip;		/* "0.0.0.0", "::1"; Unix: NULL */
	uint16_t		 port;
	char			*path;		/* Unix */
	unsigned		 mode;		/* Unix: permissions */
	char			*user, *group;	/* Unix: owner; NULL: as discod */
	char			*key;		/* for errors: "ports.http" */
};
struct listen_vec { struct listen_addr *item; size_t n; bool set; };

struct config {
	/* for the children */
	struct conf_agent	 agent;
	struct conf_gossip	 gossip;
	struct conf_rpc		 rpc;
	struct conf_catalog	 catalog;
	struct conf_checkd	 checkd;
	struct conf_dns		 dns;
	struct conf_http	 http;
	struct conf_exec	 exec;
	struct service_def_vec	 services;
	struct check_def_vec	 checks;

	/* for discod itself */
	struct listen_vec	 listen;	/* rpc only on servers */
	char			*data_dir;	/* NULL with -dev */
	char			*run_dir;
	char			*pid_file;	/* NULL: run_dir/discod.pid */
	char			*log_dir;	/* a file each; NULL: terminal */
	enum log_level		 log_level;
	bool			 syslog;
	bool			 foreground;	/* -f, -dev, called as consul */
	bool			 as_consul;
	bool			 run_temporary;	/* run_dir is ours alone, and
						   goes when we go */
	bool			 need_exec;	/* execd is to be started */
	unsigned		 dns_workers;	/* processes of dnsd */
	bool			 sandbox_optional; /* go on without, and warn */
	bool			 leave_on_terminate;
	bool			 skip_leave_on_interrupt;
	int64_t			 leave_drain_ns;
	struct strs		 warnings;	/* to be logged at start */

	struct values		*values;	/* as read; config_parts.h */
	int			 argc;		/* kept for reload */
	char			**argv;
};

enum config_result {
	CONFIG_RUN,		/* start */
	CONFIG_CHECKED,		/* -n: it is fine; -version: printed; exit 0 */
	CONFIG_BAD		/* err has one clear line (or several for keys) */
};

/*
 * Reads the command line (argv[0] may be discod, or consul with "agent") and
 * every file it names.  Touches nothing but those files, the data directory's
 * node-id (made when missing) and the interface list.
 */
enum config_result config_load(int argc, char **argv, struct config *,
    char *err, size_t errlen);
/* The same sources again; what cannot change at run time keeps the running
 * value, with a warning. */
enum config_result config_reload(const struct config *running,
    struct config *, char *err, size_t errlen);
void config_clear(struct config *);
/* A line for each certificate that is about to expire; past: or has. */
void config_expiring(const struct config *, bool past, struct strs *lines);

/* Calls fn for each item that this child is to get, in order, encoded: one
 * byte of enum conf_kind, then the msgpack. */
typedef void config_item_fn(const uint8_t *, size_t, void *arg);
void config_items(const struct config *, enum proc, config_item_fn *,
    void *arg);

/* mkdir -p.  The last part gets mode.  -1 and errno. */
int path_make(const char *, mode_t mode);

/* The text of -h. */
extern const char config_usage[];

#endif
