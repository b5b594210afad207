/*
 * Tables as Consul's command prints them: columns padded to the widest cell,
 * a gap between, nothing behind the last.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Not in a file, a pipe, or where somebody has said so. */
bool
colours_wanted(void)
{
	const char	*term = getenv("TERM");

	return isatty(STDOUT_FILENO) == 1 && str_empty(getenv("NO_COLOR")) &&
	    (term == NULL || strcmp(term, "dumb") != 0);
}

const char *
colour_of(const char *cell, size_t len)
{
	static const struct { const char *word, *colour; } states[] = {
		{ "alive", "\033[32m" }, { "passing", "\033[32m" },
		{ "running", "\033[32m" }, { "leader", "\033[32m" },
		{ "failed", "\033[31m" }, { "critical", "\033[31m" },
		{ "down", "\033[31m" }, { "left", "\033[33m" },
		{ "leaving", "\033[33m" }, { "warning", "\033[33m" },
		{ "starting", "\033[33m" },
	};
	size_t	 i;

	for (i = 0; i < NELEM(states); i++)
		if (strlen(states[i].word) == len &&
		    memcmp(states[i].word, cell, len) == 0)
			return states[i].colour;
	return "";
}

static void
print_cell(const char *cell, size_t len, size_t width, bool colours, FILE *out)
{
	const char	*colour = colours ? colour_of(cell, len) : "";

	fprintf(out, "%s%.*s%s", colour, (int)len, cell,
	    *colour == '\0' ? "" : COLOUR_END);
	if (width > len)
		fprintf(out, "%*s", (int)(width - len), "");
}

static void
print(struct table *t, bool colours, FILE *out)
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
			print_cell(p, len, width[col] + (size_t)t->gap,
			    colours, out);
			p += len + 1;
		}
		print_cell(p, strlen(p), 0, colours, out);
		fputc('\n', out);
	}
}

void
table_print(struct table *t, FILE *out)
{
	print(t, false, out);
}

static void
row_json(struct jw *w, const char *names, const char *row)
{
	size_t	 n, len;
	char	*name;

	jw_obj(w);
	for (;;) {
		n = strcspn(names, "\t");
		len = strcspn(row, "\t");
		if (n > 0) {
			name = xstrndup(names, n);
			jw_key(w, name);
			jw_strn(w, row, len);
			free(name);
		}
		if (names[n] == '\0' || row[len] == '\0')
			break;
		names += n + 1;
		row += len + 1;
	}
	jw_end_obj(w);
}

void
table_show(struct table *t, const struct ctl *c, const char *headings)
{
	struct jw	*w;
	size_t		 i = 0;

	if (c->format == NULL || strcmp(c->format, "json") != 0) {
		print(t, colours_wanted(), stdout);
		return;
	}
	if (headings == NULL && t->n > 0)
		headings = t->row[i++];
	w = jw_new(true);
	jw_arr(w);
	for (; i < t->n; i++)
		row_json(w, headings, t->row[i]);
	jw_end_arr(w);
	fputs(jw_text(w, NULL), stdout);
	jw_free(w);
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
