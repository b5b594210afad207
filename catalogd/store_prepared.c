/*
 * Prepared queries: the table, and finding the one that a name means: by id,
 * by name, or the template whose name is the longest beginning of it.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/store_i.h"
#include "common/mp.h"
#include "common/util.h"

static int
query_cmp(struct query_row *a, struct query_row *b)
{
	return strcasecmp(str_or(a->q.id, ""), str_or(b->q.id, ""));
}

/* Two of one name come with old snapshots: the id tells them apart. */
static int
query_name_cmp(struct query_row *a, struct query_row *b)
{
	int c;

	c = strcasecmp(str_or(a->q.name, ""), str_or(b->q.name, ""));
	return c != 0 ? c : query_cmp(a, b);
}

RB_GENERATE(query_tree, query_row, entry, query_cmp)
RB_GENERATE(query_name_tree, query_row, name_entry, query_name_cmp)

struct query_row *
query_find(const struct store *s, const char *id)
{
	struct query_row want;

	want.q.id = (char *)(uintptr_t)str_or(id, "");
	return RB_FIND(query_tree,
	    (struct query_tree *)(uintptr_t)&s->queries, &want);
}

static struct query_row *
find_name(const struct store *s, const char *name)
{
	struct query_row want, *row;

	want.q.id = NULL;
	want.q.name = (char *)(uintptr_t)name;
	row = RB_NFIND(query_name_tree,
	    (struct query_name_tree *)(uintptr_t)&s->query_names, &want);
	return row != NULL && strcasecmp(row->q.name, name) == 0 ? row : NULL;
}

/* ---- rows ---- */

static void
query_link(struct store *s, struct query_row *row)
{
	RB_INSERT(query_tree, &s->queries, row);
	if (!str_empty(row->q.name))
		RB_INSERT(query_name_tree, &s->query_names, row);
	else if (template_is(&row->q))
		s->any_query = row;
	s->ntemplates += template_is(&row->q);
	row->bound = str_empty(row->q.session) ? NULL :
	    session_find(s, row->q.session);
	if (row->bound != NULL)
		LIST_INSERT_HEAD(&row->bound->bound, row, bound_entry);
}

static void
query_free(struct store *s, struct query_row *row)
{
	RB_REMOVE(query_tree, &s->queries, row);
	if (!str_empty(row->q.name))
		RB_REMOVE(query_name_tree, &s->query_names, row);
	if (s->any_query == row)
		s->any_query = NULL;
	s->ntemplates -= template_is(&row->q);
	if (row->bound != NULL)
		LIST_REMOVE(row, bound_entry);
	template_free(row->tmpl);
	schema_clear(&prepared_query_schema, &row->q);
	free(row);
}

/* Takes over what the source holds.  A template that cannot be compiled is
 * kept, and says so when it is asked for: the log has the last word. */
static struct query_row *
query_insert(struct store *s, struct prepared_query *src)
{
	struct query_row *row;
	char *why = NULL;

	row = xcalloc(1, sizeof(*row));
	row->q = *src;
	memset(src, 0, sizeof(*src));
	if (template_is(&row->q)) {
		row->tmpl = template_new(&row->q, &why);
		free(why);
	}
	query_link(s, row);
	return row;
}

/* What it may be asked for by, for those who keep a list: its id, its name, or
 * with an asterisk what the names that a template answers begin with. */
void
query_each_name(const struct prepared_query *q, void (*fn)(enum view_kind,
    const char *, void *), void *arg)
{
	char *prefix;

	fn(VIEW_QUERY, str_or(q->id, ""), arg);
	if (template_is(q)) {
		xasprintf(&prefix, "%s*", str_or(q->name, ""));
		fn(VIEW_QUERY, prefix, arg);
		free(prefix);
	} else if (!str_empty(q->name))
		fn(VIEW_QUERY, q->name, arg);
}

static void
name_there(enum view_kind kind, const char *name, void *arg)
{
	changes_name(arg, kind, name, true);
}

static void
name_gone(enum view_kind kind, const char *name, void *arg)
{
	changes_name(arg, kind, name, false);
}

static void
query_changed(struct store *s, uint64_t index, const char *id,
    struct changes *ch)
{
	s->index.queries = index;
	changes_add(ch, WATCH_QUERIES, "");
	changes_add(ch, WATCH_QUERY, str_or(id, ""));
}

void
query_remove(struct store *s, uint64_t index, struct query_row *row,
    struct changes *ch)
{
	query_changed(s, index, row->q.id, ch);
	query_each_name(&row->q, name_gone, ch);
	query_free(s, row);
}

/* ---- entries ---- */

static bool
query_allowed(const struct store *s, const struct prepared_query *q,
    const struct query_row *old, char **error)
{
	const struct query_row *other;

	if (store_id_error(q->id) != NULL) {
		*error = xstrdup("Missing query ID");
		return false;
	}
	if (!str_empty(q->name)) {
		other = find_name(s, q->name);
		if (other != NULL && other != old) {
			xasprintf(error, "name '%s' aliases an existing query "
			    "name", q->name);
			return false;
		}
	} else if (template_is(q) && s->any_query != NULL &&
	    s->any_query != old) {
		*error = xstrdup("a query template with an empty name "
		    "already exists");
		return false;
	}
	if (uuid_valid(q->name) && query_find(s, q->name) != NULL) {
		xasprintf(error, "name '%s' aliases an existing query ID",
		    q->name);
		return false;
	}
	if (!str_empty(q->session) && session_find(s, q->session) == NULL) {
		xasprintf(error, "invalid session \"%s\"", q->session);
		return false;
	}
	return true;
}

bool
query_put(struct store *s, uint64_t index, struct prepared_query *src,
    char **error, struct changes *ch)
{
	struct query_row *old = query_find(s, src->id);

	if (!query_allowed(s, src, old, error))
		return false;
	src->create_index = old != NULL ? old->q.create_index : index;
	src->modify_index = index;
	if (old != NULL) {
		query_each_name(&old->q, name_gone, ch);
		query_free(s, old);
	}
	query_changed(s, index, src->id, ch);
	query_each_name(src, name_there, ch);
	query_insert(s, src);
	return true;
}

void
apply_query(struct store *s, uint64_t index, struct query_request *req,
    struct store_answer *a, struct changes *ch)
{
	const char *op = str_or(req->op, "");
	struct query_row *row;
	char *id;

	id = xstrdup(str_or(req->query.id, ""));
	if (strcmp(op, "create") == 0 || strcmp(op, "update") == 0) {
		query_put(s, index, &req->query, &a->error, ch);
	} else if (strcmp(op, "delete") == 0) {
		if ((row = query_find(s, id)) != NULL)
			query_remove(s, index, row, ch);
	} else {
		xasprintf(&a->error, "Invalid PreparedQuery operation '%s'",
		    op);
	}
	if (a->error == NULL)
		mp_str(&a->body, id);
	free(id);
}

/* ---- snapshots ---- */

/* Of two records for one id the later counts. */
void
query_restore(struct store *s, struct prepared_query *src)
{
	struct query_row *row;

	if ((row = query_find(s, src->id)) != NULL)
		query_free(s, row);
	if (src->modify_index > s->index.queries)
		s->index.queries = src->modify_index;
	query_insert(s, src);
}

/* ---- reading ---- */

const struct prepared_query *
store_query(const struct store *s, const char *id)
{
	struct query_row *row = query_find(s, id);

	return row != NULL ? &row->q : NULL;
}

void
store_each_query(const struct store *s, store_query_fn *fn, void *arg)
{
	struct query_row *row;

	RB_FOREACH(row, query_tree,
	    (struct query_tree *)(uintptr_t)&s->queries)
		if (!fn(&row->q, arg))
			return;
}

static struct query_row *
find_template(const struct store *s, const char *name)
{
	struct query_row *row = NULL;
	char *part;
	size_t n;

	if (s->ntemplates == 0)
		return NULL;
	part = xstrdup(name);
	for (n = strlen(part); n > 0 && row == NULL; n--) {
		part[n] = '\0';
		row = find_name(s, part);
		if (row != NULL && !template_is(&row->q))
			row = NULL;
	}
	free(part);
	return row != NULL ? row : s->any_query;
}

int
store_query_resolve(const struct store *s, const char *id_or_name,
    const char *segment, struct prepared_query *out, char **error)
{
	struct query_row *row = NULL;

	if (str_empty(id_or_name)) {
		*error = xstrdup("Must provide query ID or name");
		return -1;
	}
	if (uuid_valid(id_or_name))
		row = query_find(s, id_or_name);
	if (row == NULL)
		row = find_name(s, id_or_name);
	if (row == NULL)
		row = find_template(s, id_or_name);
	if (row == NULL)
		return 0;
	if (!template_is(&row->q)) {
		schema_copy(&prepared_query_schema, out, &row->q);
		return 1;
	}
	if (row->tmpl == NULL) {
		*error = xstrdup("Cannot render an uncompiled template");
		return -1;
	}
	return template_render(row->tmpl, &row->q, id_or_name, segment, out,
	    error) == -1 ? -1 : 1;
}
