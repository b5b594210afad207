/*
 * operator raft remove-peer, recover, operator autopilot get-config, set-config.
 */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/util.h"
#include "discoctl/ctl.h"

int
cmd_remove_peer(struct ctl *c, int argc, char **argv)
{
	const char	*id = NULL, *address = NULL;
	const struct opt opts[] = {
		{ "address", OPT_STR, &address, "<value>",
		  "The address to remove from the Raft configuration.", NULL },
		{ "id", OPT_STR, &id, "<value>",
		  "The ID to remove from the Raft configuration.", NULL },
		{ NULL, OPT_FLAG, NULL, NULL, NULL, NULL }
	};
	struct answer	 ans;
	char		*path, *query, *value;
	int		 i, rc;

	if ((i = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (!no_args(argc, i))
		return 1;
	if (str_empty(id) == str_empty(address)) {
		fprintf(stderr, "Error removing peer: %s\n", str_empty(id) ?
		    "an address or id is required for the peer to remove" :
		    "cannot give both an address and id");
		return 1;
	}
	query = query_of(c);
	value = escape(str_empty(id) ? address : id);
	xasprintf(&path, "/v1/operator/raft/peer%s%c%s=%s", query,
	    *query == '\0' ? '?' : '&', str_empty(id) ? "address" : "id",
	    value);
	rc = request(c, "DELETE", path, NULL, "removing peer", &ans);
	free(path);
	free(value);
	free(query);
	if (rc == -1)
		return 1;
	printf("Removed peer with %s \"%s\"\n", str_empty(id) ? "address" :
	    "id", str_empty(id) ? address : id);
	answer_free(&ans);
	return 0;
}

int
cmd_recover(struct ctl *c, int argc, char **argv)
{
	bool		 yes = false;
	const struct opt opts[] = {
		{ "yes", OPT_FLAG, &yes, NULL,
		  "Do it.  Without: show what would be done.", NULL },
		{ NULL, OPT_FLAG, NULL, NULL, NULL, NULL }
	};
	struct answer	 ans;
	int		 i, rc;

	if ((i = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (!no_args(argc, i))
		return 1;
	if (request(c, yes ? "PUT" : "GET", "/v1/disco/raft/recover", NULL,
	    "recovering", &ans) == -1)
		return 1;
	printf("%s%s\n", ans.json != NULL ? text_of(ans.json, "Plan") : "",
	    yes ? "Recovery begun: the server starts its log again, alone." :
	    "Nothing was done.  With -yes this server goes on alone, and what "
	    "only\nthe others had is lost.");
	answer_free(&ans);
	return 0;
}

/* ---- autopilot ---- */

#define CONFIG_PATH "/v1/operator/autopilot/configuration"

static bool
truth_of(const struct json *j, const char *key)
{
	const struct json	*v = json_get(j, key);

	return v != NULL && v->truth;
}

int
cmd_autopilot_get(struct ctl *c, int argc, char **argv)
{
	struct answer	 ans;
	char		*path, *query;
	int		 i, rc;

	if ((i = options(c, NULL, argc, argv, &rc)) == -1)
		return rc;
	if (!no_args(argc, i))
		return 1;
	query = query_of(c);
	xasprintf(&path, CONFIG_PATH "%s", query);
	free(query);
	rc = request(c, "GET", path, NULL,
	    "querying Autopilot configuration", &ans);
	free(path);
	if (rc == -1)
		return 1;
	if (ans.json != NULL)
		printf("CleanupDeadServers = %s\n"
		    "LastContactThreshold = %s\n"
		    "MaxTrailingLogs = %lld\n"
		    "MinQuorum = %lld\n"
		    "ServerStabilizationTime = %s\n"
		    "RedundancyZoneTag = \"%s\"\n"
		    "DisableUpgradeMigration = %s\n"
		    "UpgradeVersionTag = \"%s\"\n",
		    truth_of(ans.json, "CleanupDeadServers") ? "true" : "false",
		    text_of(ans.json, "LastContactThreshold"),
		    number_of(ans.json, "MaxTrailingLogs"),
		    number_of(ans.json, "MinQuorum"),
		    text_of(ans.json, "ServerStabilizationTime"),
		    text_of(ans.json, "RedundancyZoneTag"),
		    truth_of(ans.json, "DisableUpgradeMigration") ? "true" :
		    "false", text_of(ans.json, "UpgradeVersionTag"));
	answer_free(&ans);
	return 0;
}

/* What set-config changes; NULL and below 0: stays as it is. */
struct settings {
	const char	*cleanup;
	int64_t		 contact_ns, stable_ns;
	uint64_t	 trailing, quorum;
};

static char *
settings_json(const struct settings *s, const struct json *now)
{
	struct jw	*jw = jw_new(false);
	char		 buf[40], *text;
	size_t		 len;

	jw_obj(jw);
	jw_key(jw, "CleanupDeadServers");
	jw_bool(jw, s->cleanup != NULL ? strcmp(s->cleanup, "true") == 0 :
	    truth_of(now, "CleanupDeadServers"));
	jw_key(jw, "LastContactThreshold");
	jw_str(jw, s->contact_ns >= 0 ? dur_format(s->contact_ns, buf,
	    sizeof(buf)) : text_of(now, "LastContactThreshold"));
	jw_key(jw, "MaxTrailingLogs");
	jw_uint(jw, s->trailing != UINT64_MAX ? s->trailing :
	    (uint64_t)number_of(now, "MaxTrailingLogs"));
	jw_key(jw, "MinQuorum");
	jw_uint(jw, s->quorum != UINT64_MAX ? s->quorum :
	    (uint64_t)number_of(now, "MinQuorum"));
	jw_key(jw, "ServerStabilizationTime");
	jw_str(jw, s->stable_ns >= 0 ? dur_format(s->stable_ns, buf,
	    sizeof(buf)) : text_of(now, "ServerStabilizationTime"));
	jw_end_obj(jw);
	text = xstrdup(jw_text(jw, &len));
	jw_free(jw);
	return text;
}

/* Only if nobody else changes it meanwhile. */
static int
settings_put(struct ctl *c, const struct settings *s)
{
	struct answer	 now, ans;
	char		*path, *query, *body;
	long long	 index;
	int		 rc;

	query = query_of(c);
	xasprintf(&path, CONFIG_PATH "%s", query);
	rc = request(c, "GET", path, NULL,
	    "querying Autopilot configuration", &now);
	free(path);
	if (rc == -1) {
		free(query);
		return 1;
	}
	index = number_of(now.json, "ModifyIndex");
	body = settings_json(s, now.json);
	answer_free(&now);
	xasprintf(&path, CONFIG_PATH "%s%ccas=%lld", query,
	    *query == '\0' ? '?' : '&', index);
	free(query);
	rc = request(c, "PUT", path, body,
	    "setting Autopilot configuration", &ans);
	free(path);
	free(body);
	if (rc == -1)
		return 1;
	rc = ans.len >= 4 && strncmp(ans.body, "true", 4) == 0 ? 0 : 1;
	answer_free(&ans);
	if (rc == 0)
		printf("Configuration updated!\n");
	else
		printf("Configuration could not be atomically updated, please "
		    "try again\n");
	return rc;
}

int
cmd_autopilot_set(struct ctl *c, int argc, char **argv)
{
	struct settings	 s = { NULL, -1, -1, UINT64_MAX, UINT64_MAX };
	const struct opt opts[] = {
		{ "cleanup-dead-servers", OPT_STR, &s.cleanup, "<true|false>",
		  "Controls whether Consul will automatically remove dead "
		  "servers when new ones are successfully added.", NULL },
		{ "last-contact-threshold", OPT_DUR, &s.contact_ns,
		  "<duration>", "Controls the maximum amount of time a server "
		  "can go without contact from the leader before being "
		  "considered unhealthy.", NULL },
		{ "max-trailing-logs", OPT_UINT, &s.trailing, "<value>",
		  "Controls the maximum number of log entries that a server "
		  "can trail the leader by before being considered unhealthy.",
		  NULL },
		{ "min-quorum", OPT_UINT, &s.quorum, "<value>",
		  "Sets the minimum number of servers required in a cluster "
		  "before autopilot is allowed to prune dead servers.", NULL },
		{ "server-stabilization-time", OPT_DUR, &s.stable_ns,
		  "<duration>", "Controls the minimum amount of time a server "
		  "must be stable in the 'healthy' state before being added to "
		  "the cluster.", NULL },
		{ NULL, OPT_FLAG, NULL, NULL, NULL, NULL }
	};
	int		 i, rc;

	if ((i = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (!no_args(argc, i))
		return 1;
	if (s.cleanup != NULL && strcmp(s.cleanup, "true") != 0 &&
	    strcmp(s.cleanup, "false") != 0) {
		fprintf(stderr, "Failed to parse args: invalid boolean value "
		    "\"%s\" for -cleanup-dead-servers\n", s.cleanup);
		return 1;
	}
	return settings_put(c, &s);
}
