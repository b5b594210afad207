/*
 * Filling in templates.  See template.h.
 */
#include "catalogd/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/regex.h"
#include "common/util.h"
#include "common/wire.h"

#define TEXT_MAX 16384	/* one filled in; names of services are far shorter */

struct template {
	struct regex	*re;	/* NULL: has none */
};

/* What the words in ${} stand for. */
struct scope {
	const char		*name, *prefix, *suffix, *segment;
	struct regex_group	 group[REGEX_GROUPS_MAX];
	size_t			 ngroups;
};

/* ---- one text ---- */

static size_t
spaces(const char *p)
{
	return strspn(p, " \t\r\n");
}

/* "match ( 1 )" up to the brace: the number, or -1. */
static long
match_number(const char *p)
{
	char *end;
	long n;

	p += strlen("match");
	p += spaces(p);
	if (*p++ != '(')
		return -1;
	p += spaces(p);
	if (*p < '0' || *p > '9')
		return -1;
	n = strtol(p, &end, 10);
	end += spaces(end);
	if (*end++ != ')')
		return -1;
	end += spaces(end);
	return *end == '}' ? n : -1;
}

static bool
is_word(const char *p, const char *word)
{
	size_t n = strlen(word);

	return strncmp(p, word, n) == 0 && p[n + spaces(p + n)] == '}';
}

/* What is behind "${"; false: nothing that we know. */
static bool
fill_one(const char *p, const struct scope *sc, struct wbuf *w)
{
	long n;

	p += spaces(p);
	if (strncmp(p, "match", 5) == 0) {
		if ((n = match_number(p)) == -1)
			return false;
		if ((size_t)n < sc->ngroups)
			wb_bytes(w, sc->name + sc->group[n].at,
			    sc->group[n].len);
	} else if (is_word(p, "name.full"))
		wb_str(w, sc->name);
	else if (is_word(p, "name.prefix"))
		wb_str(w, sc->prefix);
	else if (is_word(p, "name.suffix"))
		wb_str(w, sc->suffix);
	else if (is_word(p, "agent.segment"))
		wb_str(w, sc->segment);
	else
		return false;
	return true;
}

/* The filled in text, or NULL. */
static char *
fill(const char *text, const struct scope *sc)
{
	const char *p = text;
	struct wbuf w;
	char *out;

	wb_init(&w, TEXT_MAX);
	while (*p != '\0') {
		if (strncmp(p, "$${", 3) == 0) {
			wb_str(&w, "${");
			p += 3;
		} else if (strncmp(p, "${", 2) != 0) {
			wb_u8(&w, (uint8_t)*p++);
		} else if (strchr(p, '}') != NULL && fill_one(p + 2, sc, &w)) {
			p = strchr(p, '}') + 1;
		} else {
			w.err = true;
			break;
		}
	}
	if (w.err) {
		wb_free(&w);
		return NULL;
	}
	out = wb_detach_str(&w);
	return out;
}

/* ---- all texts of a query ---- */

static bool
fill_field(char **text, const char *where, const char *key, size_t at,
    const struct scope *sc, char **error)
{
	char *out, place[64];

	if (*text == NULL || strchr(*text, '$') == NULL)
		return true;
	if ((out = fill(*text, sc)) == NULL) {
		if (key != NULL)
			snprintf(place, sizeof(place), ".%s[%s]", where, key);
		else if (at != (size_t)-1)
			snprintf(place, sizeof(place), ".%s[%zu]", where, at);
		else
			snprintf(place, sizeof(place), ".%s", where);
		xasprintf(error, "Bad format '%s' in Service%s", *text, place);
		return false;
	}
	free(*text);
	*text = out;
	return true;
}

static bool
fill_list(struct strs *v, const char *where, const struct scope *sc,
    char **error)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (!fill_field(&v->item[i], where, NULL, i, sc, error))
			return false;
	return true;
}

static bool
fill_map(struct strmap *m, const char *where, const struct scope *sc,
    char **error)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		if (!fill_field(&m->item[i].val, where, m->item[i].key, 0, sc,
		    error))
			return false;
	return true;
}

static bool
fill_all(struct query_service *s, const struct scope *sc, char **error)
{
	return fill_field(&s->service, "Service", NULL, (size_t)-1, sc,
	    error) &&
	    fill_list(&s->failover.datacenters, "Failover.Datacenters", sc,
	    error) &&
	    fill_list(&s->ignore_check_ids, "IgnoreCheckIDs", sc, error) &&
	    fill_field(&s->near, "Near", NULL, (size_t)-1, sc, error) &&
	    fill_list(&s->tags, "Tags", sc, error) &&
	    fill_map(&s->node_meta, "NodeMeta", sc, error) &&
	    fill_map(&s->service_meta, "ServiceMeta", sc, error);
}

static void
drop_empty(struct strs *v)
{
	size_t i, n = 0;

	for (i = 0; i < v->n; i++) {
		if (str_empty(v->item[i]))
			free(v->item[i]);
		else
			v->item[n++] = v->item[i];
	}
	v->n = n;
}

/* ---- life ---- */

bool
template_is(const struct prepared_query *q)
{
	return !str_empty(q->template.type);
}

struct template *
template_new(const struct prepared_query *q, char **error)
{
	struct prepared_query sample;
	struct template *t;
	char *why;

	if (strcmp(str_or(q->template.type, ""), "name_prefix_match") != 0) {
		xasprintf(error, "Bad Template.Type '%s'",
		    str_or(q->template.type, ""));
		return NULL;
	}
	t = xcalloc(1, sizeof(*t));
	if (!str_empty(q->template.regexp) &&
	    (t->re = regex_new_groups(q->template.regexp, &why)) == NULL) {
		xasprintf(error, "Bad Regexp: %s", why);
		free(why);
		free(t);
		return NULL;
	}
	if (template_render(t, q, str_or(q->name, ""), "", &sample,
	    error) == -1) {
		template_free(t);
		return NULL;
	}
	schema_clear(&prepared_query_schema, &sample);
	return t;
}

void
template_free(struct template *t)
{
	if (t == NULL)
		return;
	regex_free(t->re);
	free(t);
}

int
template_render(const struct template *t, const struct prepared_query *q,
    const char *name, const char *segment, struct prepared_query *out,
    char **error)
{
	struct scope sc;
	size_t n;

	memset(&sc, 0, sizeof(sc));
	sc.name = name;
	sc.prefix = str_or(q->name, "");
	n = strlen(sc.prefix);
	sc.suffix = strncmp(name, sc.prefix, n) == 0 ? name + n : name;
	sc.segment = str_or(segment, "");
	if (t->re != NULL)
		sc.ngroups = regex_groups(t->re, name, strlen(name), sc.group);
	schema_copy(&prepared_query_schema, out, q);
	if (!fill_all(&out->service, &sc, error)) {
		schema_clear(&prepared_query_schema, out);
		return -1;
	}
	if (q->template.remove_empty_tags)
		drop_empty(&out->service.tags);
	return 0;
}
