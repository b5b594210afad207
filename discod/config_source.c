/*
 * Configuration files and directories, read into trees.  A second syntax
 * would be a second parser here, giving the same tree.
 */
#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void
read_file(struct sources *s, const char *path, struct problems *p)
{
	char err[256], *text;
	struct json *tree;
	size_t len, i;

	if ((text = file_read(path, CONFIG_FILE_MAX, &len)) == NULL) {
		problem(p, path, "cannot read it: %s", strerror(errno));
		return;
	}
	for (i = 0; i < len; i++)
		if (strchr(" \t\r\n", text[i]) == NULL)
			break;
	if (i == len)		/* an empty file says nothing */
		tree = json_parse("{}", 2, err, sizeof(err));
	else
		tree = json_parse(text, len, err, sizeof(err));
	free(text);
	if (tree == NULL) {
		problem(p, path, "not JSON: %s", err);
		return;
	}
	s->item = xreallocarray(s->item, s->n + 1, sizeof(*s->item));
	s->item[s->n].file = xstrdup(path);
	s->item[s->n++].tree = tree;
}

static void
consider(struct sources *s, const char *path, bool any_format,
    struct strs *warnings, struct problems *p)
{
	if (any_format || has_suffix(path, ".json"))
		read_file(s, path, p);
	else if (has_suffix(path, ".hcl"))
		problem(p, path, "HCL is not understood yet: write the file as "
		    "JSON");
	else
		warning(warnings, NULL, "skipping file %s, extension must be "
		    ".json, or config format must be set", path);
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
read_dir(struct sources *s, const char *dir, bool any_format,
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
			consider(s, path, any_format, warnings, p);
		free(path);
		free(list[i]);
	}
	free(list);
}

void
sources_read(struct sources *s, const struct strs *paths, bool any_format,
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
			read_dir(s, paths->item[i], any_format, warnings, p);
		else
			consider(s, paths->item[i], any_format, warnings, p);
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
