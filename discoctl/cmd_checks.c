/*
 * checks: what this agent's checks found, when, and what comes next.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "discoctl/ctl.h"

#define LINE_MAX_LEN	60	/* of an output in the list */

/* A duration as a person reads it: two figures are enough. */
static const char *
short_dur(const char *text, char *buf, size_t len)
{
	int64_t	 ns, unit = NS_PER_S;

	if (dur_parse(text, &ns) == -1 || ns == 0)
		return "-";
	/* Go's sign for micro would not stand in columns. */
	if (ns < NS_PER_MS) {
		snprintf(buf, len, "%dus", (int)(ns / 1000));
		return buf;
	}
	if (ns < 10 * NS_PER_S)
		unit = NS_PER_MS;
	return dur_format(ns / unit * unit, buf, len);
}

/* The first line of an output, cut. */
static void
first_line(const char *output, char *buf, size_t len)
{
	size_t	 n = strcspn(output, "\r\n\t"), i;

	if (n >= len)
		n = len - 1;
	for (i = 0; i < n; i++)
		buf[i] = (unsigned char)output[i] < ' ' ? '?' : output[i];
	buf[n] = '\0';
}

static void
row(struct table *t, const struct json *c)
{
	char	 line[LINE_MAX_LEN], latency[32], ago[32], next[32];

	first_line(text_of(c, "Output"), line, sizeof(line));
	table_row(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", text_of(c, "CheckID"),
	    *text_of(c, "ServiceID") != '\0' ? text_of(c, "ServiceID") : "-",
	    text_of(c, "Type"), text_of(c, "Status"),
	    short_dur(text_of(c, "Latency"), latency, sizeof(latency)),
	    short_dur(text_of(c, "LastRunAgo"), ago, sizeof(ago)),
	    short_dur(text_of(c, "NextRunIn"), next, sizeof(next)), line);
}

/* Terminals act on control characters, and outputs are others' words. */
static void
print_text(const char *indent, const char *s)
{
	bool	 begin = true;

	for (; *s != '\0'; s++) {
		if (begin)
			fputs(indent, stdout);
		begin = *s == '\n';
		putchar((unsigned char)*s < ' ' && *s != '\n' && *s != '\t' ?
		    '?' : *s);
	}
	if (!begin)
		putchar('\n');
}

static void
field(const char *name, const char *value)
{
	if (*value != '\0')
		printf("%-14s = %s\n", name, value);
}

static void
show(const struct json *c)
{
	const struct json	*list = json_get(c, "Changes"), *e;
	char			 buf[32], line[LINE_MAX_LEN];

	field("CheckID", text_of(c, "CheckID"));
	field("Name", text_of(c, "Name"));
	field("ServiceID", text_of(c, "ServiceID"));
	field("Type", text_of(c, "Type"));
	field("Status", text_of(c, "Status"));
	printf("%-14s = %lld\n", "Runs", number_of(c, "Runs"));
	if (*text_of(c, "LastFound") != '\0')
		printf("%-14s = %s, %lld in a row\n", "Last found",
		    text_of(c, "LastFound"), number_of(c, "InRow"));
	field("Interval", short_dur(text_of(c, "Interval"), buf,
	    sizeof(buf)));
	field("Latency", short_dur(text_of(c, "Latency"), buf, sizeof(buf)));
	field("Last run ago", short_dur(text_of(c, "LastRunAgo"), buf,
	    sizeof(buf)));
	field("Next in", short_dur(text_of(c, "NextRunIn"), buf,
	    sizeof(buf)));
	printf("Output\n");
	print_text("    ", text_of(c, "Output"));
	printf("Changes\n");
	for (e = list == NULL ? NULL : list->child; e != NULL; e = e->next) {
		first_line(text_of(e, "Output"), line, sizeof(line));
		printf("    %.19s  %-8s  %s\n", text_of(e, "At"),
		    text_of(e, "Status"), line);
	}
}

static void
show_list(const struct json *list)
{
	const struct json	*c;
	struct table		*t = table_new(TABLE_GAP);

	table_row(t, "Check\tService\tType\tStatus\tLatency\tAgo\tNext\t"
	    "Output");
	for (c = list->child; c != NULL; c = c->next)
		row(t, c);
	table_print(t, stdout);
	table_free(t);
}

int
cmd_checks(struct ctl *c, int argc, char **argv)
{
	bool			 json = false;
	const struct opt	 opts[] = {
		{ "json", OPT_FLAG, &json, NULL, "Print the answer as it is.",
		  NULL },
		{ 0 }
	};
	struct answer		 ans;
	char			*id, *path;
	int			 i, rc;

	if ((i = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (argc > i + 1)
		return no_args(argc, i + 1) ? 0 : 1;
	id = escape(argc > i ? argv[i] : "");
	xasprintf(&path, "/v1/disco/checks%s%s", *id != '\0' ? "/" : "", id);
	rc = request(c, "GET", path, NULL, "getting checks", &ans);
	free(path);
	free(id);
	if (rc == -1)
		return 1;
	if (json)
		printf("%s\n", ans.body);
	else if (argc > i && ans.json != NULL && ans.json->child != NULL)
		show(ans.json->child);
	else if (ans.json != NULL)
		show_list(ans.json);
	answer_free(&ans);
	return 0;
}
