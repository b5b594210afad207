/*
 * members, join, leave, force-leave: the cluster as this agent sees it.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/regex.h"
#include "common/util.h"
#include "discoctl/ctl.h"

static const char *
status_name(long long status)
{
	static const char *const names[] = {
		"none", "alive", "leaving", "left", "failed"
	};

	return status < 0 || status >= (long long)NELEM(names) ? "unknown" :
	    names[status];
}

/* What is shown for the segment: all of them for a server. */
static const char *
segment_of(const struct json *tags)
{
	if (strcmp(text_of(tags, "role"), "consul") == 0)
		return "<all>";
	if (*text_of(tags, "segment") == '\0')
		return "<default>";
	return text_of(tags, "segment");
}

static int
pair_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "k=v,k=v" by key; the caller frees it. */
static char *
tags_text(const struct json *tags)
{
	const struct json	*t;
	struct strs		 pairs = { 0 };
	struct wbuf		 b;
	char			*pair;
	size_t			 i;

	for (t = tags == NULL ? NULL : tags->child; t != NULL; t = t->next) {
		xasprintf(&pair, "%s=%s", t->key, strcmp(t->key, "segment") == 0
		    ? segment_of(tags) : t->str == NULL ? "" : t->str);
		strs_add(&pairs, pair);
		free(pair);
	}
	if (pairs.n > 1)
		qsort(pairs.item, pairs.n, sizeof(*pairs.item), pair_cmp);
	wb_init(&b, 0);
	for (i = 0; i < pairs.n; i++)
		wb_printf(&b, "%s%s", i > 0 ? "," : "", pairs.item[i]);
	strs_clear(&pairs);
	return wb_detach_str(&b);
}

static void
member_row(struct table *t, const struct json *m, bool detailed)
{
	const struct json	*tags = json_get(m, "Tags");
	const char		*addr = text_of(m, "Addr"), *role, *build;
	char			*where, *text;
	bool			 v6 = strchr(addr, ':') != NULL;

	xasprintf(&where, "%s%s%s:%lld", v6 ? "[" : "", addr, v6 ? "]" : "",
	    number_of(m, "Port"));
	if (detailed) {
		text = tags_text(tags);
		table_row(t, "%s\t%s\t%s\t%s", text_of(m, "Name"), where,
		    status_name(number_of(m, "Status")), text);
		free(text);
		free(where);
		return;
	}
	role = text_of(tags, "role");
	role = strcmp(role, "consul") == 0 ? "server" :
	    strcmp(role, "node") == 0 ? "client" : "unknown";
	build = text_of(tags, "build");
	text = xstrndup(build, strcspn(build, ":"));
	table_row(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", text_of(m, "Name"),
	    where, status_name(number_of(m, "Status")), role,
	    *text == '\0' ? "< 0.3" : text, text_of(tags, "vsn"),
	    text_of(tags, "dc"), segment_of(tags));
	free(text);
	free(where);
}

int
cmd_members(struct ctl *c, int argc, char **argv)
{
	bool			 detailed = false, wan = false;
	const char		*status = ".*", *segment = "_all";
	const struct opt	 opts[] = {
		{ "detailed", OPT_FLAG, &detailed, NULL,
		  "Show the tags of each member.", NULL },
		{ "segment", OPT_STR, &segment, "<string>",
		  "Only members of that network segment (Enterprise).", NULL },
		{ "status", OPT_STR, &status, "<string>",
		  "Only members whose status matches this regular expression.",
		  NULL },
		{ "wan", OPT_FLAG, &wan, NULL,
		  "The other servers of the WAN pool, on a server.", NULL },
		{ 0 }
	};
	const struct json	*m;
	struct answer		 ans;
	struct table		*t;
	struct regex		*re;
	const char		*state;
	char			*path, *why, *seg;
	int			 rc, shown = 0;

	if (options(c, opts, argc, argv, &rc) == -1)
		return rc;
	if ((re = regex_new(status, &why)) == NULL) {
		fprintf(stderr, "Failed to compile status regexp: %s\n", why);
		free(why);
		return 1;
	}
	seg = escape(segment);
	xasprintf(&path, "/v1/agent/members?segment=%s%s", seg,
	    wan ? "&wan=1" : "");
	free(seg);
	rc = request(c, "GET", path, NULL, "retrieving members", &ans);
	free(path);
	if (rc == -1) {
		regex_free(re);
		return 1;
	}
	t = table_new(TABLE_GAP);
	table_row(t, detailed ? "Node\tAddress\tStatus\tTags" :
	    "Node\tAddress\tStatus\tType\tBuild\tProtocol\tDC\tSegment");
	for (m = ans.json == NULL ? NULL : ans.json->child; m != NULL;
	    m = m->next) {
		state = status_name(number_of(m, "Status"));
		if (regex_match(re, state, strlen(state))) {
			member_row(t, m, detailed);
			shown++;
		}
	}
	table_sort(t, true);
	if (shown > 0 || c->format != NULL)
		table_show(t, c, NULL);
	table_free(t);
	regex_free(re);
	answer_free(&ans);
	return shown > 0 ? 0 : 2;
}

int
cmd_join(struct ctl *c, int argc, char **argv)
{
	bool			 wan = false;
	const struct opt	 opts[] = {
		{ "wan", OPT_FLAG, &wan, NULL,
		  "Join the WAN pool of servers.", NULL },
		{ 0 }
	};
	struct answer		 ans;
	char			*path, *what, *addr;
	int			 rc, i, joined = 0;

	if ((i = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (i == argc) {
		fprintf(stderr, "At least one address to join must be "
		    "specified.\n\n");
		usage(c, opts, stderr);
		return 1;
	}
	for (; i < argc; i++) {
		addr = escape(argv[i]);
		xasprintf(&path, "/v1/agent/join/%s%s", addr,
		    wan ? "?wan=1" : "");
		xasprintf(&what, "joining address '%s'", argv[i]);
		if (request(c, "PUT", path, NULL, what, &ans) == 0) {
			joined++;
			answer_free(&ans);
		}
		free(what);
		free(path);
		free(addr);
	}
	if (joined == 0) {
		fprintf(stderr, "Failed to join any nodes.\n");
		return 1;
	}
	printf("Successfully joined cluster by contacting %d nodes.\n", joined);
	return 0;
}

int
cmd_leave(struct ctl *c, int argc, char **argv)
{
	struct answer	ans;
	int		i, rc;

	if ((i = options(c, NULL, argc, argv, &rc)) == -1)
		return rc;
	if (i < argc) {
		fprintf(stderr, "Error found unexpected args: [");
		for (rc = i; rc < argc; rc++)
			fprintf(stderr, "%s%s", rc > i ? " " : "", argv[rc]);
		fprintf(stderr, "]\n");
		usage(c, NULL, stdout);
		return 1;
	}
	if (request(c, "PUT", "/v1/agent/leave", NULL, "leaving", &ans) == -1)
		return 1;
	answer_free(&ans);
	printf("Graceful leave complete\n");
	return 0;
}

int
cmd_force_leave(struct ctl *c, int argc, char **argv)
{
	bool			 prune = false;
	const struct opt	 opts[] = {
		{ "prune", OPT_FLAG, &prune, NULL,
		  "Remove the member from the list altogether.", NULL },
		{ 0 }
	};
	struct answer		 ans;
	char			*path, *name;
	int			 i, rc;

	if ((i = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (argc - i != 1) {
		fprintf(stderr, "A single node name must be specified to force "
		    "leave.\n\n");
		usage(c, opts, stderr);
		return 1;
	}
	name = escape(argv[i]);
	xasprintf(&path, "/v1/agent/force-leave/%s%s", name,
	    prune ? "?prune" : "");
	rc = request(c, "PUT", path, NULL, "force leaving", &ans);
	free(path);
	free(name);
	answer_free(&ans);
	return rc == -1 ? 1 : 0;
}
