/*
 * snapshot save, restore, inspect.  What is saved is written beside its place,
 * verified by reading it again, and moved there: a file of that name is whole.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/archive.h"
#include "common/util.h"
#include "discoctl/ctl.h"

/* Errors of the system as Go says them. */
static const char *
reason(void)
{
	static char	text[128];

	(void)snprintf(text, sizeof(text), "%s", strerror(errno));
	text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}

/* The one argument, or NULL after the error is printed. */
static const char *
file_arg(int argc, char **argv, int first)
{
	if (argc - first == 1)
		return argv[first];
	if (argc == first)
		fprintf(stderr, "Missing FILE argument\n");
	else
		fprintf(stderr, "Too many arguments (expected 1, got %d)\n",
		    argc - first);
	return NULL;
}

static FILE *
open_file(const char *path)
{
	FILE	*f = fopen(path, "re");

	if (f == NULL)
		fprintf(stderr, "Error opening snapshot file: open %s: %s\n",
		    path, reason());
	return f;
}

/* 0 and the description, which the caller clears; or -1 and what is wrong. */
static int
verify(FILE *f, struct archive_meta *m, char *why, size_t len)
{
	struct archive_in	*a = archive_in_new(ARCHIVE_STATE_MAX);
	const uint8_t		*state;
	uint8_t			 buf[65536];
	size_t			 n, size;
	int			 rc = 0;

	rewind(f);
	while (rc == 0 && (n = fread(buf, 1, sizeof(buf), f)) > 0)
		rc = archive_in_feed(a, buf, n);
	if (ferror(f)) {
		(void)snprintf(why, len, "read: %s", reason());
		rc = -1;
	} else {
		if (rc == 0)
			rc = archive_in_end(a, m, &state, &size);
		if (rc == -1)
			(void)snprintf(why, len, "%s", archive_in_error(a));
	}
	archive_in_free(a);
	return rc;
}

/* ---- save ---- */

/* A new file that nobody else can read; its name in *path. */
static FILE *
make_unverified(const char *name, char **path)
{
	struct rng	 rng;
	FILE		*f;
	int		 fd;

	rng_seed_os(&rng);
	xasprintf(path, "%s.unverified.tmp%09u", name,
	    rng_below(&rng, 1000000000));
	fd = open(*path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd != -1 && (f = fdopen(fd, "w+")) != NULL)
		return f;
	fprintf(stderr, "Error writing unverified snapshot file: open %s: "
	    "%s\n", *path, reason());
	if (fd != -1)
		close(fd);
	return NULL;
}

static int
save_to(struct ctl *c, FILE *f, const char *tmp, const char *name)
{
	struct archive_meta	 m;
	struct answer		 ans;
	char			*query = query_of(c), *path, why[512];
	int			 rc;

	xasprintf(&path, "/v1/snapshot%s", query);
	free(query);
	rc = request_files(c, "GET", path, NULL, 0, f, "saving snapshot",
	    &ans);
	free(path);
	if (rc == -1)
		return 1;
	answer_free(&ans);
	if (fflush(f) != 0 || fsync(fileno(f)) == -1) {
		fprintf(stderr, "Error writing unverified snapshot file: %s\n",
		    reason());
		return 1;
	}
	if (verify(f, &m, why, sizeof(why)) == -1) {
		fprintf(stderr, "Error verifying snapshot: %s\n", why);
		return 1;
	}
	if (rename(tmp, name) == -1) {
		fprintf(stderr, "Error renaming \"%s\" to \"%s\": %s\n", tmp,
		    name, reason());
		archive_meta_clear(&m);
		return 1;
	}
	printf("Saved and verified snapshot to index %llu\n",
	    (unsigned long long)m.index);
	archive_meta_clear(&m);
	return 0;
}

int
cmd_snapshot_save(struct ctl *c, int argc, char **argv)
{
	const char	*name;
	char		*tmp;
	FILE		*f;
	int		 first, rc = 1;

	if ((first = options(c, NULL, argc, argv, &rc)) == -1)
		return rc;
	if ((name = file_arg(argc, argv, first)) == NULL)
		return 1;
	if ((f = make_unverified(name, &tmp)) != NULL) {
		rc = save_to(c, f, tmp, name);
		fclose(f);
		if (rc != 0)
			(void)unlink(tmp);
	} else
		rc = 1;
	free(tmp);
	return rc;
}

/* ---- restore, inspect ---- */

int
cmd_snapshot_restore(struct ctl *c, int argc, char **argv)
{
	struct answer	 ans;
	struct stat	 st;
	const char	*name;
	char		*query, *path;
	FILE		*f;
	int		 first, rc = 1;

	if ((first = options(c, NULL, argc, argv, &rc)) == -1)
		return rc;
	if ((name = file_arg(argc, argv, first)) == NULL ||
	    (f = open_file(name)) == NULL)
		return 1;
	if (fstat(fileno(f), &st) == -1) {
		fprintf(stderr, "Error opening snapshot file: stat %s: %s\n",
		    name, reason());
		fclose(f);
		return 1;
	}
	query = query_of(c);
	xasprintf(&path, "/v1/snapshot%s", query);
	rc = request_files(c, "PUT", path, f, st.st_size, NULL,
	    "restoring snapshot", &ans);
	free(path);
	free(query);
	fclose(f);
	if (rc == -1)
		return 1;
	answer_free(&ans);
	printf("Restored snapshot\n");
	return 0;
}

int
cmd_snapshot_inspect(struct ctl *c, int argc, char **argv)
{
	struct archive_meta	 m;
	const char		*name;
	char			 why[512];
	FILE			*f;
	int			 first, rc = 1;

	if ((first = options(c, NULL, argc, argv, &rc)) == -1)
		return rc;
	if ((name = file_arg(argc, argv, first)) == NULL ||
	    (f = open_file(name)) == NULL)
		return 1;
	rc = verify(f, &m, why, sizeof(why));
	fclose(f);
	if (rc == -1) {
		fprintf(stderr, "Error verifying snapshot: %s\n", why);
		return 1;
	}
	printf("ID           %s\nSize         %lld\nIndex        %llu\n"
	    "Term         %llu\nVersion      %lld\n\n", m.id,
	    (long long)m.size, (unsigned long long)m.index,
	    (unsigned long long)m.term, (long long)m.version);
	archive_meta_clear(&m);
	return 0;
}
