/*
 * Tables as Consul's command prints them: columns padded to the widest cell,
 * a gap between, nothing behind the last.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "discoctl/ctl.h"

#define COLUMNS_MAX 16

struct table {
	char	**row;
	size_t	  n;
	int	  gap;
};

struct table *
table_new(int gap)
{
	struct table	*t = xcalloc(1, sizeof(*t));

	t->gap = gap;
	return t;
}

void
table_row(struct table *t, const char *fmt, ...)
{
	va_list	 ap;
	char	*row;

	va_start(ap, fmt);
	if (vasprintf(&row, fmt, ap) == -1)
		abort();
	va_end(ap);
	t->row = xreallocarray(t->row, t->n + 1, sizeof(*t->row));
	t->row[t->n++] = row;
}

static int
row_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
table_sort(struct table *t, bool heading)
{
	size_t	top = heading ? 1 : 0;

	if (t->n > top + 1)
		qsort(t->row + top, t->n - top, sizeof(*t->row), row_cmp);
}

void
table_print(struct table *t, FILE *out)
{
	size_t		 width[COLUMNS_MAX] = { 0 }, i, col, len;
	const char	*p;

	for (i = 0; i < t->n; i++)
		for (p = t->row[i], col = 0; col < COLUMNS_MAX; col++) {
			len = strcspn(p, "\t");
			if (p[len] == '\0')
				break;		/* the last is not padded */
			if (len > width[col])
				width[col] = len;
			p += len + 1;
		}
	for (i = 0; i < t->n; i++) {
		for (p = t->row[i], col = 0; col < COLUMNS_MAX; col++) {
			len = strcspn(p, "\t");
			if (p[len] == '\0')
				break;
			fprintf(out, "%-*.*s%*s", (int)width[col],
			    (int)len, p, t->gap, "");
			p += len + 1;
		}
		fprintf(out, "%s\n", p);
	}
}

void
table_free(struct table *t)
{
	size_t	i;

	for (i = 0; i < t->n; i++)
		free(t->row[i]);
	free(t->row);
	free(t);
}
