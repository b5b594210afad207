/*
 * services register | deregister: definitions from files, or from options.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/hcl.h"
#include "common/schema/conf.h"
#include "common/util.h"
#include "discoctl/ctl.h"

#define FILE_MAX (4u << 20)

/*
 * The definitions of a file: "service" or "services", as a configuration file
 * has them.  0, or -1 with the reason said.
 */
static int
read_file(const char *path, struct service_def_vec *out)
{
	const struct json	*at, *j, *s;
	struct json		*root;
	char			*text, err[512];
	size_t			 len, n;

	if ((text = file_read(path, FILE_MAX, &len)) == NULL) {
		fprintf(stderr, "Error: config: Open failed on %s. open %s: "
		    "%s\n", path, path, errno == ENOENT ?
		    "no such file or directory" : strerror(errno));
		return -1;
	}
	n = strlen(path);
	if (n > 4 && strcmp(path + n - 4, ".hcl") == 0)
		root = hcl_parse(text, len, err, sizeof(err));
	else
		root = json_parse(text, len, err, sizeof(err));
	free(text);
	if (root == NULL) {
		fprintf(stderr, "Error: failed to parse %s: %s\n", path, err);
		return -1;
	}
	hcl_as_lists(root, hcl_config_lists);
	for (j = root->child; j != NULL; j = j->next) {
		if (strcmp(j->key, "service") == 0)
			s = j;
		else if (strcmp(j->key, "services") == 0)
			s = j->child;
		else
			continue;
		for (; s != NULL; s = s == j ? NULL : s->next)
			if (schema_json_decode(&service_def_schema, s,
			    SJ_STRICT | SJ_FOLD, VEC_ADD(out), err,
			    sizeof(err), &at) == -1) {
				fprintf(stderr, "Error: failed to parse %s: "
				    "%s\n", path, err);
				json_free(root);
				return -1;
			}
	}
	json_free(root);
	return 0;
}

static void
defs_clear(struct service_def_vec *defs)
{
	size_t	i;

	for (i = 0; i < defs->n; i++)
		schema_clear(&service_def_schema, &defs->item[i]);
	free(defs->item);
	memset(defs, 0, sizeof(*defs));
}

static int
put_service(struct ctl *c, const struct service_def *def)
{
	struct answer	 ans;
	struct jw	*jw = jw_new(false);
	char		*what;
	int		 rc;

	schema_json_encode(&service_def_schema, def, jw);
	xasprintf(&what, "registering service \"%s\"", str_or(def->name, ""));
	rc = request(c, "PUT", "/v1/agent/service/register",
	    jw_text(jw, NULL), what, &ans);
	free(what);
	jw_free(jw);
	if (rc == 0)
		printf("Registered service: %s\n", def->name);
	answer_free(&ans);
	return rc;
}

/* One definition made of options. */
static int
def_of_options(struct service_def *def, const char *port,
    const struct strs *tags, const struct strs *meta)
{
	size_t	 i;
	char	*key, *end;

	if (port != NULL) {
		def->port = strtol(port, &end, 10);
		if (*port == '\0' || *end != '\0') {
			fprintf(stderr, "invalid value \"%s\" for flag -port: "
			    "parse error\n", port);
			return -1;
		}
	}
	strs_copy(&def->tags, tags);
	for (i = 0; i < meta->n; i++) {
		key = xstrndup(meta->item[i], strcspn(meta->item[i], "="));
		strmap_put(&def->meta, key, strchr(meta->item[i], '=') + 1);
		free(key);
	}
	return 0;
}

int
cmd_services_register(struct ctl *c, int argc, char **argv)
{
	const char		*id = NULL, *name = NULL, *address = NULL,
				*port = NULL, *kind = NULL;
	struct strs		 tags = { 0 }, meta = { 0 };
	const struct opt	 opts[] = {
		{ "address", OPT_STR, &address, "<string>",
		  "Address of the service.", NULL },
		{ "id", OPT_STR, &id, "<string>",
		  "ID of the service; its name by default.", NULL },
		{ "kind", OPT_STR, &kind, "<string>",
		  "The service's kind.", NULL },
		{ "meta", OPT_PAIRS, &meta, "<key=value>",
		  "Metadata; may be given several times.", NULL },
		{ "name", OPT_STR, &name, "<string>",
		  "Name of the service.", NULL },
		{ "port", OPT_STR, &port, "<int>", "Its port.", NULL },
		{ "tag", OPT_LIST, &tags, "<value>",
		  "A tag; may be given several times.", NULL },
		{ 0 }
	};
	struct service_def_vec	 defs = { 0 };
	struct service_def	*def;
	size_t			 k;
	int			 i, rc;

	if ((i = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (i < argc && name != NULL) {
		fprintf(stderr, "Service registration requires arguments or "
		    "-id, not both.\n");
		return 1;
	}
	if (i == argc && name == NULL) {
		fprintf(stderr, "Service registration requires at least one "
		    "argument or flags.\n");
		return 1;
	}
	rc = 0;
	if (name != NULL) {
		def = VEC_ADD(&defs);
		str_set(&def->name, name);
		str_set(&def->id, id);
		str_set(&def->kind, kind);
		str_set(&def->address, address);
		rc = def_of_options(def, port, &tags, &meta);
	}
	strs_clear(&tags);
	strs_clear(&meta);
	for (; rc == 0 && i < argc; i++)
		rc = read_file(argv[i], &defs);
	for (k = 0; rc == 0 && k < defs.n; k++)
		rc = put_service(c, &defs.item[k]);
	defs_clear(&defs);
	return rc == 0 ? 0 : 1;
}

static int
drop_service(struct ctl *c, const char *id)
{
	struct answer	 ans;
	char		*e, *path, *what;
	int		 rc;

	if (*id == '\0')
		return 0;	/* a definition without a name: nothing */
	e = escape(id);
	xasprintf(&path, "/v1/agent/service/deregister/%s", e);
	xasprintf(&what, "deregistering service \"%s\"", id);
	rc = request(c, "PUT", path, NULL, what, &ans);
	if (rc == 0)
		printf("Deregistered service: %s\n", id);
	answer_free(&ans);
	free(what);
	free(path);
	free(e);
	return rc;
}

int
cmd_services_deregister(struct ctl *c, int argc, char **argv)
{
	const char		*id = NULL;
	const struct opt	 opts[] = {
		{ "id", OPT_STR, &id, "<string>",
		  "ID of the service to deregister.", NULL },
		{ 0 }
	};
	struct service_def_vec	 defs = { 0 };
	size_t			 k;
	int			 i, rc;

	if ((i = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (i == argc && id == NULL) {
		fprintf(stderr, "Service deregistration requires at least one "
		    "argument or -id.\n");
		return 1;
	}
	if (i < argc && id != NULL) {
		fprintf(stderr, "Service deregistration requires arguments or "
		    "-id, not both.\n");
		return 1;
	}
	if (id != NULL)
		return drop_service(c, id) == 0 ? 0 : 1;
	rc = 0;
	for (; rc == 0 && i < argc; i++)
		rc = read_file(argv[i], &defs);
	for (k = 0; rc == 0 && k < defs.n; k++)
		rc = drop_service(c, str_empty(defs.item[k].id) ?
		    str_or(defs.item[k].name, "") : defs.item[k].id);
	defs_clear(&defs);
	return rc == 0 ? 0 : 1;
}
