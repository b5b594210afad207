/*
 * info, reload, maint, status: the agent itself.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "discoctl/ctl.h"

static int
key_cmp(const void *a, const void *b)
{
	const struct json *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

/* The members of an object by key; *n of them; the caller frees the array. */
static const struct json **
sorted(const struct json *obj, size_t *n)
{
	const struct json	*j, **list;
	size_t			 i = 0;

	for (*n = 0, j = obj->child; j != NULL; j = j->next)
		++*n;
	list = xreallocarray(NULL, *n + 1, sizeof(*list));
	for (j = obj->child; j != NULL; j = j->next)
		list[i++] = j;
	qsort(list, *n, sizeof(*list), key_cmp);
	return list;
}

int
cmd_info(struct ctl *c, int argc, char **argv)
{
	const struct json	*stats, **section, **pair;
	struct answer		 ans;
	size_t			 i, k, nsections, npairs;
	int			 rc;

	if (options(c, NULL, argc, argv, &rc) == -1)
		return rc;
	if (request(c, "GET", "/v1/agent/self", NULL, "querying agent",
	    &ans) == -1)
		return 1;
	stats = ans.json == NULL ? NULL : json_get(ans.json, "Stats");
	if (stats == NULL || stats->type != JSON_OBJECT) {
		fprintf(stderr, "Agent provided no stats\n");
		answer_free(&ans);
		return 1;
	}
	section = sorted(stats, &nsections);
	for (i = 0; i < nsections; i++) {
		printf("%s:\n", section[i]->key);
		pair = sorted(section[i], &npairs);
		for (k = 0; k < npairs; k++)
			printf("\t%s = %s\n", pair[k]->key,
			    pair[k]->str == NULL ? "" : pair[k]->str);
		free(pair);
	}
	free(section);
	answer_free(&ans);
	return 0;
}

int
cmd_reload(struct ctl *c, int argc, char **argv)
{
	struct answer	ans;
	int		i, rc;

	if ((i = options(c, NULL, argc, argv, &rc)) == -1)
		return rc;
	if (!no_args(argc, i))
		return 1;
	if (request(c, "PUT", "/v1/agent/reload", NULL, "reloading",
	    &ans) == -1)
		return 1;
	answer_free(&ans);
	printf("Configuration reload triggered\n");
	return 0;
}

int
cmd_dns_log(struct ctl *c, int argc, char **argv)
{
	uint64_t	 every = 1;
	const struct opt opts[] = {
		{ "every", OPT_UINT, &every, "<number>",
		  "Log one query of so many. The default value is 1.", NULL },
		{ NULL, 0, NULL, NULL, NULL, NULL }
	};
	struct answer	 ans;
	char		 path[64];
	int		 i, rc;

	if ((i = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (argc - i != 1 || (strcmp(argv[i], "on") != 0 &&
	    strcmp(argv[i], "off") != 0)) {
		fprintf(stderr, "%s dns log: on or off?\n", c->prog);
		return 1;
	}
	if (strcmp(argv[i], "off") == 0)
		every = 0;
	snprintf(path, sizeof(path), "/v1/disco/dns/log?every=%llu",
	    (unsigned long long)every);
	if (request(c, "PUT", path, NULL, "switching the log", &ans) == -1)
		return 1;
	answer_free(&ans);
	if (every == 0)
		printf("DNS queries are not logged\n");
	else if (every == 1)
		printf("DNS queries are logged\n");
	else
		printf("One of %llu DNS queries is logged\n",
		    (unsigned long long)every);
	return 0;
}

/* What is in maintenance: the checks that say so. */
static int
maint_show(struct ctl *c)
{
	static const char	 node[] = "_node_maintenance",
				 service[] = "_service_maintenance:";
	const struct json	**checks;
	struct answer		 ans;
	const char		*id;
	size_t			 i, n;
	char			*name;
	struct answer		 self;

	if (request(c, "GET", "/v1/agent/checks", NULL, "getting checks",
	    &ans) == -1)
		return 1;
	if (ans.json == NULL) {
		answer_free(&ans);
		return 0;
	}
	if (request(c, "GET", "/v1/agent/self", NULL, "querying agent",
	    &self) == -1) {
		answer_free(&ans);
		return 1;
	}
	name = xstrdup(text_of(json_get(self.json, "Config"), "NodeName"));
	answer_free(&self);
	checks = sorted(ans.json, &n);
	for (i = 0; i < n; i++) {
		id = text_of(checks[i], "CheckID");
		if (strcmp(id, node) == 0)
			printf("Node:\n  Name:   %s\n  Reason: %s\n\n", name,
			    text_of(checks[i], "Notes"));
		else if (strncmp(id, service, sizeof(service) - 1) == 0)
			printf("Service:\n  ID:     %s\n  Reason: %s\n\n",
			    text_of(checks[i], "ServiceID"),
			    text_of(checks[i], "Notes"));
	}
	free(checks);
	free(name);
	answer_free(&ans);
	return 0;
}

static int
maint_set(struct ctl *c, const char *service, bool enable, const char *reason,
    int64_t lasts)
{
	struct answer	 ans;
	char		*path, *id, *why, *what, dur[32], end[48] = "";
	int		 rc;

	if (lasts > 0)
		snprintf(end, sizeof(end), "&for=%s", dur_format(lasts, dur,
		    sizeof(dur)));
	why = escape(str_or(reason, ""));
	id = escape(str_or(service, ""));
	if (service != NULL)
		xasprintf(&path, "/v1/agent/service/maintenance/%s?enable=%s"
		    "&reason=%s%s", id, enable ? "true" : "false", why, end);
	else
		xasprintf(&path, "/v1/agent/maintenance?enable=%s&reason=%s"
		    "%s", enable ? "true" : "false", why, end);
	xasprintf(&what, "%s %s maintenance", enable ? "enabling" :
	    "disabling", service != NULL ? "service" : "node");
	rc = request(c, "PUT", path, NULL, what, &ans);
	if (rc == 0 && service != NULL)
		printf("Service maintenance is now %s for \"%s\"\n",
		    enable ? "enabled" : "disabled", service);
	else if (rc == 0)
		printf("Node maintenance is now %s\n",
		    enable ? "enabled" : "disabled");
	answer_free(&ans);
	free(what);
	free(path);
	free(id);
	free(why);
	return rc == 0 ? 0 : 1;
}

int
cmd_maint(struct ctl *c, int argc, char **argv)
{
	bool			 enable = false, disable = false;
	const char		*reason = NULL, *service = NULL, *bad = NULL;
	int64_t			 lasts = 0;
	const struct opt	 opts[] = {
		{ "disable", OPT_FLAG, &disable, NULL,
		  "Disable maintenance mode.", NULL },
		{ "enable", OPT_FLAG, &enable, NULL,
		  "Enable maintenance mode.", NULL },
		{ "for", OPT_DUR, &lasts, "<duration>",
		  "Maintenance ends by itself after that.", NULL },
		{ "reason", OPT_STR, &reason, "<string>",
		  "Text that says why.", NULL },
		{ "service", OPT_STR, &service, "<string>",
		  "The service by its ID; without it the node.", NULL },
		{ 0 }
	};
	int			 rc;

	if (options(c, opts, argc, argv, &rc) == -1)
		return rc;
	if (enable && disable)
		bad = "Only one of -enable or -disable may be provided";
	else if (!enable && reason != NULL)
		bad = "Reason may only be provided with -enable";
	else if (!enable && lasts != 0)
		bad = "For may only be provided with -enable";
	else if (lasts < 0)
		bad = "For must be a duration above zero";
	else if (!enable && !disable && service != NULL)
		bad = "Service requires either -enable or -disable";
	if (bad != NULL) {
		fprintf(stderr, "%s\n", bad);
		return 1;
	}
	if (!enable && !disable)
		return maint_show(c);
	return maint_set(c, service, enable, reason, lasts);
}

/* "3.4 MB": figures of memory as a person reads them. */
static const char *
megabytes(long long bytes, char *buf, size_t len)
{
	snprintf(buf, len, "%.1f MB", (double)bytes / 1e6);
	return buf;
}

int
cmd_status(struct ctl *c, int argc, char **argv)
{
	const struct json	*d, *list;
	struct answer		 ans;
	struct table		*t;
	char			 up[32], pss[32], anon[32];
	int			 i, rc;

	if ((i = options(c, NULL, argc, argv, &rc)) == -1)
		return rc;
	if (!no_args(argc, i))
		return 1;
	if (request(c, "GET", "/v1/disco/status", NULL, "getting status",
	    &ans) == -1)
		return 1;
	t = table_new(TABLE_GAP);
	table_row(t, "Daemon\tPID\tUser\tState\tRestarts\tUptime\tPSS\t"
	    "Anonymous\tSandbox");
	list = ans.json == NULL ? NULL : json_get(ans.json, "Daemons");
	for (d = list == NULL ? NULL : list->child; d != NULL; d = d->next)
		table_row(t, "%s\t%lld\t%s\t%s\t%lld\t%s\t%s\t%s\t%s",
		    text_of(d, "Name"), number_of(d, "Pid"),
		    text_of(d, "User"), text_of(d, "State"),
		    number_of(d, "Restarts"),
		    dur_format(number_of(d, "Uptime") / NS_PER_S * NS_PER_S,
		    up, sizeof(up)),
		    megabytes(number_of(d, "Memory"), pss, sizeof(pss)),
		    megabytes(number_of(d, "Anonymous"), anon, sizeof(anon)),
		    text_of(d, "Sandbox"));
	table_show(t, c, NULL);
	table_free(t);
	answer_free(&ans);
	return 0;
}
