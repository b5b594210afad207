/*
 * User events.  See user_event.h.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/user_event.h"
#include "common/mp.h"
#include "common/regex.h"

/* What is read; written it is in another dialect than schema_encode()'s. */
#define EVENT_PAYLOAD(F, T)						\
	F(T, STR, , id, "ID", 0, NULL)					\
	F(T, STR, , name, "n", 0, NULL)					\
	F(T, BYTES, , payload, "p", 0, NULL)				\
	F(T, STR, , node_filter, "nf", 0, NULL)				\
	F(T, STR, , service_filter, "sf", 0, NULL)			\
	F(T, STR, , tag_filter, "tf", 0, NULL)				\
	F(T, UINT, , version, "v", 0, NULL)
SCHEMA_DECLARE(event_payload, EVENT_PAYLOAD)
SCHEMA_DEFINE(event_payload, EVENT_PAYLOAD)

static void
put_text(struct wbuf *w, const char *key, const char *text)
{
	if (str_empty(text))
		return;
	mp_new_str(w, key);
	mp_new_str(w, text);
}

void
user_event_encode(const struct user_event *e, struct wbuf *w)
{
	size_t	 n = 3;

	n += e->payload.n > 0;
	n += !str_empty(e->node_filter);
	n += !str_empty(e->service_filter);
	n += !str_empty(e->tag_filter);
	mp_map(w, n);
	mp_new_str(w, "ID");
	mp_new_str(w, str_or(e->id, ""));
	mp_new_str(w, "n");
	mp_new_str(w, str_or(e->name, ""));
	put_text(w, "nf", e->node_filter);
	if (e->payload.n > 0) {
		mp_new_str(w, "p");
		mp_new_bin(w, e->payload.p, e->payload.n);
	}
	put_text(w, "sf", e->service_filter);
	put_text(w, "tf", e->tag_filter);
	mp_new_str(w, "v");
	mp_uint(w, USER_EVENT_VERSION);
}

int
user_event_decode(const uint8_t *p, size_t n, struct user_event *out,
    const char **why)
{
	struct event_payload	 m;

	memset(out, 0, sizeof(*out));
	if (n > USER_EVENT_MAX) {
		*why = "too long";
		return -1;
	}
	if (schema_decode_all(&event_payload_schema, p, n, &m, why) == -1)
		return -1;
	/* Its index is made of it. */
	if (m.id == NULL || !uuid_valid(m.id)) {
		*why = "the ID is no UUID";
		schema_clear(&event_payload_schema, &m);
		return -1;
	}
	out->id = m.id;
	out->name = m.name;
	out->payload = m.payload;
	out->node_filter = m.node_filter;
	out->service_filter = m.service_filter;
	out->tag_filter = m.tag_filter;
	out->version = m.version;
	return 0;
}

/* ---- filters ---- */

static int
filter_check(const char *what, const char *pattern, char *err, size_t errlen)
{
	struct regex	*re;
	char		*why;

	if (str_empty(pattern))
		return 0;
	if ((re = regex_new(pattern, &why)) == NULL) {
		def_error(err, errlen, 500, "Invalid %s filter: %s", what, why);
		free(why);
		return -1;
	}
	regex_free(re);
	return 0;
}

int
user_event_check(const struct user_event *e, char *err, size_t errlen)
{
	if (str_empty(e->name))
		return def_error(err, errlen, 500, "User event missing name");
	if (!str_empty(e->tag_filter) && str_empty(e->service_filter))
		return def_error(err, errlen, 500,
		    "Cannot provide tag filter without service filter");
	if (filter_check("node", e->node_filter, err, errlen) == -1 ||
	    filter_check("service", e->service_filter, err, errlen) == -1)
		return -1;
	return filter_check("tag", e->tag_filter, err, errlen);
}

/* NULL when there is none, or (*bad set) it is no expression. */
static struct regex *
compiled(const char *pattern, bool *bad)
{
	struct regex	*re;
	char		*why;

	if (str_empty(pattern))
		return NULL;
	if ((re = regex_new(pattern, &why)) == NULL)
		*bad = true;
	free(why);
	return re;
}

static bool
matches(struct regex *re, const char *text)
{
	return re == NULL || regex_match(re, str_or(text, ""),
	    strlen(str_or(text, "")));
}

static bool
service_matches(struct agent *a, struct regex *service, struct regex *tag)
{
	struct local_service	*s;
	size_t			 i;

	RB_FOREACH(s, local_services, &a->services) {
		/* By the ID, as Consul does it. */
		if (s->deleted || !matches(service, s->svc.id))
			continue;
		if (tag == NULL)
			return true;
		for (i = 0; i < s->svc.tags.n; i++)
			if (matches(tag, s->svc.tags.item[i]))
				return true;
	}
	return false;
}

bool
user_event_for(const struct user_event *e, struct agent *a)
{
	struct regex	*node, *service, *tag;
	bool		 bad = false, yes;

	node = compiled(e->node_filter, &bad);
	service = compiled(e->service_filter, &bad);
	tag = compiled(e->tag_filter, &bad);
	yes = !bad && matches(node, a->conf.node_name) &&
	    (service == NULL || service_matches(a, service, tag));
	regex_free(node);
	regex_free(service);
	regex_free(tag);
	return yes;
}

/* ---- the ring ---- */

uint64_t
user_event_index(const char *id)
{
	uint64_t	 half[2] = { 0, 0 };
	unsigned	 digits = 0, v;

	for (; *id != '\0' && digits < 32; id++) {
		if (*id == '-')
			continue;
		v = *id <= '9' ? (unsigned)(*id - '0') :
		    (unsigned)((*id | 0x20) - 'a' + 10);
		half[digits / 16] = half[digits / 16] << 4 | (v & 15);
		digits++;
	}
	return half[0] ^ half[1];
}

const struct user_event *
user_events_at(const struct user_events *l, size_t i)
{
	return &l->item[(l->first + i) % USER_EVENT_RING];
}

bool
user_events_add(struct user_events *l, struct user_event *e)
{
	struct user_event	*at;
	size_t			 i;

	/* A gossipd that was restarted hears them again. */
	for (i = 0; i < l->n; i++)
		if (strcmp(user_events_at(l, i)->id, e->id) == 0)
			return false;
	at = &l->item[(l->first + l->n) % USER_EVENT_RING];
	if (l->n == USER_EVENT_RING) {
		schema_clear(&user_event_schema, at);
		l->first = (l->first + 1) % USER_EVENT_RING;
	} else
		l->n++;
	*at = *e;
	memset(e, 0, sizeof(*e));
	l->gen++;
	return true;
}

void
user_events_clear(struct user_events *l)
{
	size_t	 i;

	for (i = 0; i < l->n; i++)
		schema_clear(&user_event_schema, &l->item[(l->first + i) %
		    USER_EVENT_RING]);
	memset(l, 0, sizeof(*l));
}
