/*
 * Configuration files and directories, read into trees.  JSON and HCL give the
 * same tree; nothing after this knows which it was.
 */
#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hcl.h"
#include "common/util.h"
#include "discod/config_parts.h"

/* Far above any real one; a device given by mistake must not fill memory. */
#define CONFIG_FILE_MAX (16u << 20)

static bool
has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n > m && strcmp(name + n - m, suffix) == 0;
}

static struct json *
parse(const char *text, size_t len, enum syntax syntax, char *err,
    size_t errlen)
{
	struct json *tree;

	if (syntax == SYNTAX_HCL) {
		tree = hcl_parse(text, len, err, errlen);
		if (tree != NULL)
			hcl_as_lists(tree, hcl_config_lists);
		return tree;
	}
	if (strspn(text, " \t\r\n") == len)	/* an empty file says nothing */
		return json_parse("{}", 2, err, errlen);
	return json_parse(text, len, err, errlen);
}

static void
add(struct sources *s, const char *file, struct json *tree)
{
	s->item = xreallocarray(s->item, s->n + 1, sizeof(*s->item));
	s->item[s->n].file = xstrdup(file);
	s->item[s->n++].tree = tree;
}

static void
read_file(struct sources *s, const char *path, enum syntax syntax,
    struct problems *p)
{
	char err[256], *text;
	struct json *tree;
	size_t len;

	if ((text = file_read(path, CONFIG_FILE_MAX, &len)) == NULL) {
		problem(p, path, "cannot read it: %s", strerror(errno));
		return;
	}
	tree = parse(text, len, syntax, err, sizeof(err));
	free(text);
	if (tree == NULL) {
		problem(p, path, "not %s: %s", syntax == SYNTAX_HCL ? "HCL" :
		    "JSON", err);
		return;
	}
	add(s, path, tree);
}

void
sources_fragment(struct sources *s, const char *text, const char *where,
    struct problems *p)
{
	char err[256];
	struct json *tree = parse(text, strlen(text), SYNTAX_HCL, err,
	    sizeof(err));

	if (tree == NULL)
		problem(p, where, "not HCL: %s", err);
	else
		add(s, where, tree);
}

static void
consider(struct sources *s, const char *path, enum syntax syntax,
    struct strs *warnings, struct problems *p)
{
	if (syntax == SYNTAX_BY_NAME && has_suffix(path, ".json"))
		syntax = SYNTAX_JSON;
	else if (syntax == SYNTAX_BY_NAME && has_suffix(path, ".hcl"))
		syntax = SYNTAX_HCL;
	if (syntax != SYNTAX_BY_NAME)
		read_file(s, path, syntax, p);
	else
		warning(warnings, NULL, "skipping file %s, extension must be "
		    ".hcl or .json, or config format must be set", path);
}

static int
not_hidden(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
read_dir(struct sources *s, const char *dir, enum syntax syntax,
    struct strs *warnings, struct problems *p)
{
	struct dirent **list;
	struct stat st;
	char *path;
	int i, n;

	if ((n = scandir(dir, &list, not_hidden, by_bytes)) == -1) {
		problem(p, dir, "cannot read the directory: %s",
		    strerror(errno));
		return;
	}
	for (i = 0; i < n; i++) {
		xasprintf(&path, "%s/%s", dir, list[i]->d_name);
		/* Sub-directories are passed over, as Consul does. */
		if (stat(path, &st) == -1)
			problem(p, path, "cannot read it: %s",
			    strerror(errno));
		else if (!S_ISDIR(st.st_mode))
			consider(s, path, syntax, warnings, p);
		free(path);
		free(list[i]);
	}
	free(list);
}

void
sources_read(struct sources *s, const struct strs *paths, enum syntax syntax,
    struct strs *warnings, struct problems *p)
{
	struct stat st;
	size_t i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < paths->n; i++) {
		if (stat(paths->item[i], &st) == -1)
			problem(p, NULL, "config: Open failed on %s: %s",
			    paths->item[i], strerror(errno));
		else if (S_ISDIR(st.st_mode))
			read_dir(s, paths->item[i], syntax, warnings, p);
		else
			consider(s, paths->item[i], syntax, warnings, p);
	}
}

void
sources_clear(struct sources *s)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		free(s->item[i].file);
		json_free(s->item[i].tree);
	}
	free(s->item);
	memset(s, 0, sizeof(*s));
}
