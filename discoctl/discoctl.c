/*
 * discoctl: every command of the suite.  Called as consul it is a stand-in for
 * that command; `consul agent ...` becomes discod in the foreground.
 *
 * This file owns the table of commands and the way from argv to one of them.
 */
#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "discoctl/ctl.h"

const struct command commands[] = {
	{ "agent", 0, "[options]", "Runs an agent: discod in the foreground",
	  "Runs the suite in the foreground.  The options are those of discod.",
	  cmd_agent },
	{ "catalog datacenters", CMD_HTTP | CMD_DC, "[options]",
	  "Lists all known datacenters",
	  "Retrieves the list of all known datacenters.",
	  cmd_catalog_datacenters },
	{ "catalog nodes", CMD_HTTP | CMD_DC | CMD_TABLE, "[options]",
	  "Lists all nodes in the given datacenter",
	  "Retrieves the list of nodes registered in a given datacenter.",
	  cmd_catalog_nodes },
	{ "catalog services", CMD_HTTP | CMD_DC | CMD_TABLE, "[options]",
	  "Lists all registered services in a datacenter",
	  "Retrieves the list of services registered in a given datacenter.",
	  cmd_catalog_services },
	{ "checks", CMD_HTTP, "[options] [CHECK]",
	  "Shows this agent's checks and their runs",
	  "Lists the checks of this agent: state, how long the last run took, "
	  "how long ago it\nwas and when the next one is.  With an ID: that "
	  "check with its output and its last\nchanges.",
	  cmd_checks },
	{ "dns log", CMD_HTTP, "[options] on | off",
	  "Logs DNS queries while the agent runs",
	  "Has dnsd write its queries, or with -every a part of them, to its "
	  "log: who asked\nwhat, and what came.  At most 100 a second are "
	  "written; the others are counted.",
	  cmd_dns_log },
	{ "completion", 0, "[options] bash|zsh|fish",
	  "Prints what a shell needs to complete commands",
	  "Prints what a shell has to be told to complete commands and "
	  "options, as in\n\n    eval \"$(discoctl completion bash)\"",
	  cmd_completion },
	{ "event", CMD_HTTP, "[options] [payload]", "Fire a new event",
	  "Sends a user event to all nodes of the datacenter, or to those that "
	  "the\nexpressions match.  The payload may have about 400 bytes.",
	  cmd_event },
	{ "exec", CMD_HTTP, "[options] [-|command...]",
	  "Executes a command on Consul nodes",
	  "Runs a command on the agents that allow it: those of Consul whose "
	  "disable_remote_exec\nis false, never those of disco.  - takes a "
	  "script from standard input.",
	  cmd_exec },
	{ "force-leave", CMD_HTTP, "[options] name",
	  "Forces a member of the cluster to enter the \"left\" state",
	  "Forces a member of the cluster to enter the \"left\" state.  If it "
	  "is still alive,\nit will rejoin.",
	  cmd_force_leave },
	{ "info", CMD_HTTP, "[options]",
	  "Provides debugging information for operators",
	  "Figures of the agent: membership, consensus, checks.",
	  cmd_info },
	{ "join", CMD_HTTP, "[options] address ...",
	  "Tell an agent to join a cluster",
	  "Tells a running agent to join the cluster by at least one existing "
	  "member.",
	  cmd_join },
	{ "keygen", 0, "", "Generates a new encryption key",
	  "Prints a new key of 32 bytes for the gossip, as encrypt takes it.",
	  cmd_keygen },
	{ "keyring", CMD_HTTP, "[options]",
	  "Manages gossip layer encryption keys",
	  "Lists, installs, changes and removes the keys of the gossip on all "
	  "members, of\nthe LAN and the WAN.  Asks a server.  Exits with 1 "
	  "when a member failed or was silent.",
	  cmd_keyring },
	{ "kv delete", CMD_HTTP | CMD_DC, "[options] KEY_OR_PREFIX",
	  "Removes data from the KV store",
	  "Removes a key, or with -recurse all keys that begin so.",
	  cmd_kv_delete },
	{ "kv export", CMD_HTTP | CMD_DC, "[options] [PREFIX]",
	  "Exports a tree from the KV store as JSON",
	  "Prints keys, flags and values as JSON, as kv import takes it.",
	  cmd_kv_export },
	{ "kv get", CMD_HTTP | CMD_DC, "[options] [KEY_OR_PREFIX]",
	  "Retrieves or lists data from the KV store",
	  "Prints the value of a key, or with -recurse all keys that begin so.",
	  cmd_kv_get },
	{ "kv import", CMD_HTTP | CMD_DC, "[options] DATA",
	  "Imports a tree stored as JSON to the KV store",
	  "Writes keys as kv export printed them.  DATA is JSON, @FILE, or - "
	  "for\nstandard input.",
	  cmd_kv_import },
	{ "kv put", CMD_HTTP | CMD_DC, "[options] KEY [DATA]",
	  "Sets or updates data in the KV store",
	  "Writes a key.  DATA is the value, @FILE, or - for standard input; "
	  "none is\nan empty value.",
	  cmd_kv_put },
	{ "leave", CMD_HTTP, "[options]",
	  "Gracefully leaves the cluster and shuts down",
	  "Causes the agent to gracefully leave the cluster and stop.",
	  cmd_leave },
	{ "lock", CMD_HTTP | CMD_DC, "[options] PREFIX COMMAND...",
	  "Execute a command holding a lock",
	  "Takes the lock, or with -n one place of several, at PREFIX, and runs "
	  "the command\nwhile it is held.  The command is told to end when the "
	  "lock is lost.",
	  cmd_lock },
	{ "maint", CMD_HTTP, "[options]",
	  "Controls node or service maintenance mode",
	  "Takes a node, or with -service one service, out of DNS and of "
	  "healthy answers.\nWithout options: shows what is in maintenance.",
	  cmd_maint },
	{ "members", CMD_HTTP | CMD_TABLE, "[options]",
	  "Lists the members of a cluster",
	  "Outputs the members as the agent knows them.",
	  cmd_members },
	{ "monitor", CMD_HTTP, "[options]", "Stream logs from a Consul agent",
	  "Shows the log of the agent as it is written, also lines of levels "
	  "that its own log\nleaves out.",
	  cmd_monitor },
	{ "operator autopilot get-config", CMD_HTTP | CMD_DC, "[options]",
	  "Display the current Autopilot configuration",
	  "Displays the current Autopilot configuration.",
	  cmd_autopilot_get },
	{ "operator autopilot set-config", CMD_HTTP | CMD_DC, "[options]",
	  "Modify the current Autopilot configuration",
	  "Modifies the current Autopilot configuration.  What is not given "
	  "stays as it is.",
	  cmd_autopilot_set },
	{ "operator raft list-peers", CMD_HTTP | CMD_DC | CMD_TABLE, "[options]",
	  "Display the current Raft peer configuration",
	  "Displays the current Raft peer configuration.",
	  cmd_list_peers },
	{ "operator raft recover", CMD_HTTP, "[options]",
	  "Goes on with one server when the others are lost",
	  "On a server whose majority is lost for good: shows what is there, "
	  "and with -yes\nmakes this server go on alone.  Refuses while a "
	  "majority, or a server with more of\nthe log, is alive.  Others may "
	  "join again with an empty catalog/raft directory.",
	  cmd_recover },
	{ "operator raft remove-peer", CMD_HTTP | CMD_DC, "[options]",
	  "Remove a Consul server from the Raft configuration",
	  "Removes the server with the given -address or -id from the Raft "
	  "configuration.  One that is alive is added again.",
	  cmd_remove_peer },
	{ "reload", CMD_HTTP, "",
	  "Triggers the agent to reload configuration files",
	  "Causes the agent to read its configuration again, as SIGHUP does.",
	  cmd_reload },
	{ "rtt", CMD_HTTP, "[options] node1 [node2]",
	  "Estimates network round trip time between nodes",
	  "Estimates the round trip between two nodes, or a node and the "
	  "agent's own, by\ntheir network coordinates.",
	  cmd_rtt },
	{ "services deregister", CMD_HTTP | CMD_DC, "[options] [FILE...]",
	  "Deregister services with the local agent",
	  "Deregisters services, by definition files or by -id.",
	  cmd_services_deregister },
	{ "services register", CMD_HTTP | CMD_DC, "[options] [FILE...]",
	  "Register services with the local agent",
	  "Registers services, by definition files or by options.",
	  cmd_services_register },
	{ "snapshot inspect", 0, "[options] FILE",
	  "Displays information about a snapshot file",
	  "Displays information about a snapshot file on disk.",
	  cmd_snapshot_inspect },
	{ "snapshot restore", CMD_HTTP | CMD_DC, "[options] FILE",
	  "Restores a snapshot of the state of the servers",
	  "Puts the state that is in a snapshot file in the place of what the "
	  "servers have: catalog, keys, sessions, prepared queries.  Services "
	  "and checks of agents that are running come back by themselves.",
	  cmd_snapshot_restore },
	{ "snapshot save", CMD_HTTP | CMD_DC, "[options] FILE",
	  "Saves a snapshot of the state of the servers",
	  "Writes the state of the servers, as of one moment, to a file that "
	  "only its owner can read, and verifies it.",
	  cmd_snapshot_save },
	{ "status", CMD_HTTP | CMD_TABLE, "[options]",
	  "Shows the daemons of this node",
	  "A table of the daemons: pid, user, state, restarts, uptime, memory, "
	  "sandbox.",
	  cmd_status },
	{ "top", CMD_HTTP, "[options]",
	  "Shows members, services and daemons, live",
	  "Members, services, the leader and the daemons of this node with "
	  "their CPU and\nmemory, drawn again as time passes; q ends it.  "
	  "Not on a terminal: once.",
	  cmd_top },
	{ "validate", 0, "[options] FILE_OR_DIRECTORY...",
	  "Validate config files and directories",
	  "Checks configuration files as a starting agent does.",
	  cmd_validate },
	{ "version", 0, "", "Prints the version", "Prints the version.",
	  cmd_version },
	{ "watch", CMD_HTTP | CMD_DC, "[options] [child...]",
	  "Watch for changes in Consul",
	  "Follows keys, services, nodes, checks or events.  Without a child "
	  "shows them once;\nelse runs it at each change, with what is there "
	  "now as JSON on its standard input\nand the index in CONSUL_INDEX.",
	  cmd_watch },
};

const size_t ncommands = NELEM(commands);

int
words_match(const char *name, int argc, char **argv)
{
	const char	*p = name;
	size_t		 n;
	int		 words = 0;

	while (*p != '\0') {
		n = strcspn(p, " ");
		if (words >= argc || strlen(argv[words]) != n ||
		    strncmp(argv[words], p, n) != 0)
			return 0;
		words++;
		p += n + (p[n] == ' ');
	}
	return words;
}

/* Is there a command of several words that starts with this one? */
static bool
is_group(const char *word)
{
	size_t	i, n = strlen(word);

	for (i = 0; i < NELEM(commands); i++)
		if (strncmp(commands[i].name, word, n) == 0 &&
		    commands[i].name[n] == ' ')
			return true;
	return false;
}

static void
list_commands(const char *prog, const char *group, FILE *out)
{
	size_t	i, n = group == NULL ? 0 : strlen(group);

	if (group == NULL)
		fprintf(out, "Usage: %s [--version] [--help] <command> "
		    "[<args>]\n\nAvailable commands are:\n", prog);
	else
		fprintf(out, "Usage: %s %s <subcommand> [options] [args]\n\n"
		    "Subcommands:\n", prog, group);
	for (i = 0; i < NELEM(commands); i++)
		if (group == NULL || (strncmp(commands[i].name, group, n) == 0
		    && commands[i].name[n] == ' '))
			fprintf(out, "    %-26s %s\n", commands[i].name +
			    (group == NULL ? 0 : n + 1), commands[i].summary);
	if (group == NULL)
		fputc('\n', out);
}

static bool
is_option(const char *arg, const char *name)
{
	if (*arg != '-')
		return false;
	arg += arg[1] == '-' ? 2 : 1;
	return strcmp(arg, name) == 0;
}

int
main(int argc, char **argv)
{
	struct ctl	 ctl;
	const char	*slash;
	size_t		 i;
	int		 words;

	memset(&ctl, 0, sizeof(ctl));
	slash = strrchr(argv[0], '/');
	ctl.prog = slash == NULL ? argv[0] : slash + 1;
	if (strcmp(ctl.prog, "consul") != 0)
		ctl.prog = "discoctl";

	if (complete_line(ctl.prog))
		return 0;
	if (argc < 2 || strcmp(argv[1], "help") == 0) {
		list_commands(ctl.prog, NULL, stderr);
		return 127;
	}
	if (is_option(argv[1], "h") || is_option(argv[1], "help")) {
		list_commands(ctl.prog, NULL, stdout);
		return 0;
	}
	if (is_option(argv[1], "v") || is_option(argv[1], "version"))
		return cmd_version(&ctl, 0, NULL);

	for (i = 0; i < NELEM(commands); i++) {
		words = words_match(commands[i].name, argc - 1, argv + 1);
		if (words == 0)
			continue;
		ctl.cmd = &commands[i];
		return ctl.cmd->run(&ctl, argc - 1 - words, argv + 1 + words);
	}
	if (is_group(argv[1])) {
		list_commands(ctl.prog, argv[1], stderr);
		return 1;
	}
	list_commands(ctl.prog, NULL, stderr);
	if (strcmp(ctl.prog, "consul") != 0)	/* which says no more */
		fprintf(stderr, "%s: no such command: %s\n", ctl.prog, argv[1]);
	return 127;
}
