/*
 * Options as Consul's command takes them: one dash or two, a value after = or
 * as the next word, options before arguments.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "discoctl/ctl.h"

#define OPTIONS_MAX 32

/* The options of a command and of its target, in one list. */
static size_t
all_options(struct ctl *c, const struct opt *own, struct opt *out)
{
	struct target	*t = &c->target;
	const struct opt http[] = {
		{ "http-addr", OPT_STR, &t->addr, "<address>",
		  "Address of the agent's HTTP API: host:port, "
		  "http://host:port, https://host:port or unix:///path.",
		  "CONSUL_HTTP_ADDR" },
		{ "token", OPT_STR, &t->token, "<value>",
		  "ACL token to use in the request.", "CONSUL_HTTP_TOKEN" },
		{ "token-file", OPT_STR, &t->token_file, "<value>",
		  "File that holds the ACL token.", "CONSUL_HTTP_TOKEN_FILE" },
		{ "ca-file", OPT_STR, &t->ca_file, "<value>",
		  "CA certificate that the agent's is checked by, for HTTPS.",
		  "CONSUL_CACERT" },
		{ "ca-path", OPT_STR, &t->ca_path, "<value>",
		  "Directory of such CA certificates.", "CONSUL_CAPATH" },
		{ "client-cert", OPT_STR, &t->client_cert, "<value>",
		  "Certificate to show, for HTTPS.", "CONSUL_CLIENT_CERT" },
		{ "client-key", OPT_STR, &t->client_key, "<value>",
		  "Its key.", "CONSUL_CLIENT_KEY" },
		{ "tls-server-name", OPT_STR, &t->server_name, "<value>",
		  "Name that the agent's certificate has to have, if not the "
		  "address's.", "CONSUL_TLS_SERVER_NAME" },
	};
	const struct opt dc[] = {
		{ "datacenter", OPT_STR, &t->datacenter, "<value>",
		  "Datacenter to query; the agent's own by default.", NULL },
		{ "stale", OPT_FLAG, &t->stale, NULL,
		  "Permit any server to answer, with what it has.", NULL },
	};
	const struct opt table = {
		"format", OPT_STR, &c->format, "<pretty|json>",
		"How the table is printed; pretty by default.", NULL
	};
	size_t	 n = 0, i;

	for (; own != NULL && own->name != NULL; own++)
		out[n++] = *own;
	if (c->cmd->flags & CMD_TABLE)
		out[n++] = table;
	for (i = 0; c->cmd->flags & CMD_HTTP && i < NELEM(http); i++)
		out[n++] = http[i];
	for (i = 0; c->cmd->flags & CMD_DC && i < NELEM(dc); i++)
		out[n++] = dc[i];
	return n;
}

static void
print_options(const struct opt *opts, size_t n, FILE *out)
{
	size_t	i;

	for (i = 0; i < n; i++) {
		fprintf(out, "\n  -%s%s%s\n     %s\n", opts[i].name,
		    opts[i].arg == NULL ? "" : "=",
		    opts[i].arg == NULL ? "" : opts[i].arg, opts[i].help);
		if (opts[i].env != NULL)
			fprintf(out, "     Also by the environment variable "
			    "%s.\n", opts[i].env);
	}
}

void
usage(const struct ctl *c, const struct opt *own, FILE *out)
{
	struct opt	opts[OPTIONS_MAX];
	struct ctl	copy = *c;	/* only names are printed */
	size_t		n;

	fprintf(out, "Usage: %s %s %s\n\n%s\n", c->prog, c->cmd->name,
	    c->cmd->synopsis, c->cmd->text);
	n = all_options(&copy, own, opts);
	if (n > 0)
		fprintf(out, "\nOptions\n");
	print_options(opts, n, out);
}

static bool
bad_value(const struct opt *o, const char *value)
{
	fprintf(stderr, "invalid value \"%s\" for flag -%s: parse error\n",
	    value, o->name);
	return false;
}

/* false: said why it is not good. */
static bool
set_value(const struct opt *o, const char *value)
{
	char	*end;

	switch (o->kind) {
	case OPT_FLAG:
		*(bool *)o->value = strcmp(value, "false") != 0 &&
		    strcmp(value, "0") != 0;
		break;
	case OPT_STR:
		*(const char **)o->value = value;
		break;
	case OPT_UINT:
		errno = 0;
		*(uint64_t *)o->value = strtoull(value, &end, 10);
		if (*value < '0' || *value > '9' || *end != '\0' || errno != 0)
			return bad_value(o, value);
		break;
	case OPT_DUR:
		if (dur_parse(value, o->value) == -1)
			return bad_value(o, value);
		break;
	case OPT_PAIRS:
		if (strchr(value, '=') == NULL) {
			fprintf(stderr, "invalid value \"%s\" for flag -%s: "
			    "Missing \"=\" value in argument: %s\n", value,
			    o->name, value);
			return false;
		}
		/* FALLTHROUGH */
	case OPT_LIST:
		strs_add(o->value, value);
		break;
	}
	return true;
}

static void
list_options(const struct opt *opts, size_t n, const char *start)
{
	size_t	i;

	start += start[1] == '-' ? 2 : 1;
	for (i = 0; i < n; i++)
		if (strncmp(opts[i].name, start, strlen(start)) == 0)
			printf("-%s\n", opts[i].name);
}

/* name is argv[*a] without its dashes; false: complained of. */
static bool
take_option(struct opt *opts, size_t n, const char *name, int argc,
    char **argv, int *a)
{
	const char	*eq = strchr(name, '='), *value;
	size_t		 i, len;

	len = eq == NULL ? strlen(name) : (size_t)(eq - name);
	for (i = 0; i < n; i++)
		if (strlen(opts[i].name) == len &&
		    strncmp(opts[i].name, name, len) == 0)
			break;
	if (i == n) {
		fprintf(stderr, "flag provided but not defined: -%.*s\n",
		    (int)len, name);
		return false;
	}
	if (eq != NULL)
		value = eq + 1;
	else if (opts[i].kind == OPT_FLAG)
		value = "true";
	else if (*a + 1 < argc)
		value = argv[++*a];
	else {
		fprintf(stderr, "flag needs an argument: -%s\n", name);
		return false;
	}
	return set_value(&opts[i], value);
}

int
options(struct ctl *c, const struct opt *own, int argc, char **argv,
    int *status)
{
	struct opt	 opts[OPTIONS_MAX];
	const char	*name, *env;
	size_t		 n, i;
	int		 a;

	n = all_options(c, own, opts);
	if (c->complete != NULL) {
		list_options(opts, n, c->complete);
		*status = 0;
		return -1;
	}
	for (i = 0; i < n; i++)
		if (opts[i].env != NULL && (env = getenv(opts[i].env)) != NULL
		    && *env != '\0')
			(void)set_value(&opts[i], env);

	for (a = 0; a < argc && argv[a][0] == '-' && argv[a][1] != '\0'; a++) {
		name = argv[a] + (argv[a][1] == '-' ? 2 : 1);
		if (*name == '\0')
			return a + 1;		/* "--" */
		if (strcmp(name, "h") == 0 || strcmp(name, "help") == 0) {
			usage(c, own, stdout);
			*status = 0;
			return -1;
		}
		if (!take_option(opts, n, name, argc, argv, &a)) {
			usage(c, own, stderr);
			*status = 1;
			return -1;
		}
	}
	if (c->format != NULL && strcmp(c->format, "json") != 0 &&
	    strcmp(c->format, "pretty") != 0) {
		fprintf(stderr, "Invalid format \"%s\": it is pretty or "
		    "json\n", c->format);
		*status = 1;
		return -1;
	}
	return a;
}

bool
no_args(int argc, int first)
{
	if (argc == first)
		return true;
	fprintf(stderr, "Too many arguments (expected 0, got %d)\n",
	    argc - first);
	return false;
}
