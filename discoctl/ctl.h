/*
 * What the commands of discoctl share: options, requests to an agent, tables.
 */
#ifndef DISCOCTL_CTL_H
#define DISCOCTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/json.h"
#include "common/schema/schema.h"

/* ---- options ---- */

/* OPT_PAIRS is a list of "key=value", OPT_DUR nanoseconds. */
enum opt_kind { OPT_FLAG, OPT_STR, OPT_LIST, OPT_PAIRS, OPT_UINT, OPT_DUR };

struct opt {
	const char	*name;		/* without dashes; NULL ends a list */
	enum opt_kind	 kind;
	void		*value;		/* bool *, const char **, struct strs *,
					   uint64_t *, int64_t * */
	const char	*arg;		/* "<address>", NULL for a flag */
	const char	*help;
	const char	*env;		/* default from there, or NULL */
};

/* Where and as whom to ask: options of every command that talks HTTP. */
struct target {
	const char	*addr;		/* host:port, http://..., unix:///path */
	const char	*token;
	const char	*token_file;
	const char	*datacenter;
	bool		 stale;
	/* files, for HTTPS */
	const char	*ca_file, *ca_path, *client_cert, *client_key;
	const char	*server_name;
};

struct command;

/* One run of a command. */
struct ctl {
	const char		*prog;		/* "discoctl" or "consul" */
	const struct command	*cmd;
	struct target		 target;
	const char		*complete;	/* list options that begin so */
	const char		*format;	/* of tables: NULL, pretty, json */
};

/* Takes the options of a target; of a read; prints a table. */
enum { CMD_HTTP = 1, CMD_DC = 2, CMD_TABLE = 4 };

struct command {
	const char	*name;		/* "catalog nodes" */
	unsigned	 flags;
	const char	*synopsis;	/* after the name */
	const char	*summary;	/* for the list of commands */
	const char	*text;		/* for -h */
	int		(*run)(struct ctl *, int argc, char **argv);
};

/*
 * Parses options (one or two dashes, = or a space) in front of the arguments,
 * those of the command and, as its flags say, of a target.  Returns the index
 * of the first argument, or -1 with *status set: help was asked for, or an
 * option is wrong (said on standard error).
 */
int options(struct ctl *, const struct opt *, int argc, char **argv,
    int *status);
void usage(const struct ctl *, const struct opt *, FILE *);
/* 0 arguments are left, or the error is printed and false returned. */
bool no_args(int argc, int first);

/* ---- requests ---- */

struct answer {
	long		 status;
	char		*body;
	size_t		 len;
	struct json	*json;		/* of a 200 with a JSON body, else NULL */
	unsigned long long index;	/* X-Consul-Index, or 0 */
};

/*
 * Sends METHOD path (path and query, values escaped by the caller) and reads
 * the whole answer.  On anything but a 200 it prints "Error WHAT: ..." as
 * Consul does and returns -1; then answer is empty.  A WHAT with a capital,
 * and "error", stand there as they are.
 */
int request(struct ctl *, const char *method, const char *path,
    const char *body, const char *what, struct answer *);
void answer_free(struct answer *);
/* The same with a body of any bytes.  1: 404, which is an answer like others
 * and nothing is said of it. */
int request_bytes(struct ctl *, const char *method, const char *path,
    const void *body, size_t len, const char *what, struct answer *);
/* The same with a file of that size as the body (NULL: none), and what a 200
 * brings into another one (NULL: into the answer). */
int request_files(struct ctl *, const char *method, const char *path,
    FILE *from, long long size, FILE *to, const char *what, struct answer *);
/* A value for a path or a query; the caller frees it. */
char *escape(const char *);
/* "?dc=..&stale" of the target as far as given; the caller frees it. */
char *query_of(const struct ctl *);

/* Text of a member; "" when it is not there. */
const char *text_of(const struct json *, const char *key);
long long number_of(const struct json *, const char *key);

/* ---- tables ---- */

/* Cells are copied; columns are a gap apart, nothing after the last. */
#define TABLE_GAP 2
struct table;
struct table *table_new(int gap);
/* One row: cells separated by '\t'. */
void table_row(struct table *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* By the first cell; a heading stays on top. */
void table_sort(struct table *, bool heading);
void table_print(struct table *, FILE *);
/* As -format says: JSON has the cells under their headings, those of the first
 * row, or where there is none these.  On a terminal states are in colour. */
void table_show(struct table *, const struct ctl *, const char *headings);
/* The cell in the colour of the state that it names, or as it is. */
const char *colour_of(const char *cell, size_t len);
#define COLOUR_END "\033[0m"
bool colours_wanted(void);
void table_free(struct table *);

/* Path of discod, found from our own place; the caller frees it. */
char *discod_path(void);

/* ---- discoctl.c ---- */
extern const struct command commands[];
extern const size_t ncommands;
/* Does the command line start with these words?  Their number, or 0. */
int words_match(const char *name, int argc, char **argv);

/* ---- cmd_gossip.c ---- */
/* Expressions that say for whom an event is; false: said what is wrong. */
bool event_filters_good(const char *node, const char *service,
    const char *tag);

/* ---- complete.c ---- */
/* A shell asks for completions: they are printed.  false: it does not. */
bool complete_line(const char *prog);

/* ---- the commands, by file ---- */
int cmd_agent(struct ctl *, int, char **);
int cmd_autopilot_get(struct ctl *, int, char **);
int cmd_autopilot_set(struct ctl *, int, char **);
int cmd_catalog_datacenters(struct ctl *, int, char **);
int cmd_catalog_nodes(struct ctl *, int, char **);
int cmd_catalog_services(struct ctl *, int, char **);
int cmd_checks(struct ctl *, int, char **);
int cmd_completion(struct ctl *, int, char **);
int cmd_exec(struct ctl *, int, char **);
int cmd_event(struct ctl *, int, char **);
int cmd_force_leave(struct ctl *, int, char **);
int cmd_info(struct ctl *, int, char **);
int cmd_join(struct ctl *, int, char **);
int cmd_kv_delete(struct ctl *, int, char **);
int cmd_kv_export(struct ctl *, int, char **);
int cmd_kv_get(struct ctl *, int, char **);
int cmd_kv_import(struct ctl *, int, char **);
int cmd_kv_put(struct ctl *, int, char **);
int cmd_keygen(struct ctl *, int, char **);
int cmd_keyring(struct ctl *, int, char **);
int cmd_lock(struct ctl *, int, char **);
int cmd_leave(struct ctl *, int, char **);
int cmd_maint(struct ctl *, int, char **);
int cmd_members(struct ctl *, int, char **);
int cmd_monitor(struct ctl *, int, char **);
int cmd_recover(struct ctl *, int, char **);
int cmd_remove_peer(struct ctl *, int, char **);
int cmd_list_peers(struct ctl *, int, char **);
int cmd_dns_log(struct ctl *, int argc, char **argv);
int cmd_reload(struct ctl *, int, char **);
int cmd_rtt(struct ctl *, int, char **);
int cmd_snapshot_inspect(struct ctl *, int, char **);
int cmd_snapshot_restore(struct ctl *, int, char **);
int cmd_snapshot_save(struct ctl *, int, char **);
int cmd_services_deregister(struct ctl *, int, char **);
int cmd_services_register(struct ctl *, int, char **);
int cmd_status(struct ctl *, int, char **);
int cmd_top(struct ctl *, int, char **);
int cmd_validate(struct ctl *, int, char **);
int cmd_version(struct ctl *, int, char **);
int cmd_watch(struct ctl *, int, char **);

#endif
