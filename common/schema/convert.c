/*
 * Values that are no struct of ours: anything, between JSON and msgpack; and
 * instants, between their numbers and RFC 3339.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/mp.h"
#include "common/schema/walk.h"
#include "common/util.h"

/* From 0001-01-01 to 1970-01-01. */
#define YEAR1_TO_UNIX 62135596800ll

/*
 * A number without point or exponent stays an integer: a peer that reads it
 * into an integer field refuses a float, the other way round it does not mind.
 */
static void
number_from_json(const char *s, struct wbuf *w)
{
	char			*end;
	long long		 v;
	unsigned long long	 u;

	errno = 0;
	v = strtoll(s, &end, 10);
	if (errno == 0 && *end == '\0') {
		mp_int(w, v);
		return;
	}
	errno = 0;
	u = strtoull(s, &end, 10);
	if (errno == 0 && *end == '\0' && *s != '-')
		mp_uint(w, u);
	else
		mp_double(w, strtod(s, NULL));
}

static size_t
count(const struct json *j)
{
	const struct json	*c;
	size_t			 n = 0;

	for (c = j->child; c != NULL; c = c->next)
		n++;
	return n;
}

void
any_from_json(const struct json *j, struct wbuf *w)
{
	const struct json	*c;

	switch (j->type) {
	case JSON_NULL:
		mp_nil(w);
		break;
	case JSON_BOOL:
		mp_bool(w, j->truth);
		break;
	case JSON_NUMBER:
		number_from_json(j->str, w);
		break;
	case JSON_STRING:
		mp_raw(w, j->str, j->len);
		break;
	case JSON_ARRAY:
		mp_array(w, count(j));
		for (c = j->child; c != NULL; c = c->next)
			any_from_json(c, w);
		break;
	case JSON_OBJECT:
		mp_map(w, count(j));
		for (c = j->child; c != NULL; c = c->next) {
			mp_str(w, c->key);
			any_from_json(c, w);
		}
		break;
	}
}

static void
raw_to_json(struct rbuf *r, struct jw *w)
{
	const uint8_t	*p;
	size_t		 n;

	p = mp_get_raw(r, &n);
	jw_strn(w, n > 0 ? (const char *)p : "", n);
}

static void
int_to_json(struct rbuf *r, struct jw *w)
{
	if (mp_peek(r) == MP_INT)
		jw_int(w, mp_get_int(r));
	else
		jw_uint(w, mp_get_uint(r));
}

/* JSON's keys are strings; another key is shown by its JSON text. */
static void
key_to_json(struct rbuf *r, struct jw *w)
{
	struct jw	*key;

	if (mp_peek(r) == MP_RAW) {
		raw_to_json(r, w);
		return;
	}
	key = jw_new(false);
	if (mp_peek(r) == MP_INT || mp_peek(r) == MP_UINT)
		int_to_json(r, key);
	else
		mp_skip(r);
	jw_key(w, jw_text(key, NULL));
	jw_free(key);
}

static void
mp_to_json(struct rbuf *r, struct jw *w, int depth)
{
	size_t	 i, n;

	if (depth > MP_DEPTH_MAX)
		rb_fail(r, "nested too deep");
	switch (mp_peek(r)) {
	case MP_BOOL:
		jw_bool(w, mp_get_bool(r));
		break;
	case MP_INT:
	case MP_UINT:
		int_to_json(r, w);
		break;
	case MP_FLOAT:
		jw_double(w, mp_get_double(r));
		break;
	case MP_RAW:
		raw_to_json(r, w);
		break;
	case MP_ARRAY:
		n = mp_get_array(r);
		jw_arr(w);
		for (i = 0; i < n && rb_ok(r); i++)
			mp_to_json(r, w, depth + 1);
		jw_end_arr(w);
		break;
	case MP_MAP:
		n = mp_get_map(r);
		jw_obj(w);
		for (i = 0; i < n && rb_ok(r); i++) {
			key_to_json(r, w);
			mp_to_json(r, w, depth + 1);
		}
		jw_end_obj(w);
		break;
	case MP_NIL:
	case MP_EXT:
	case MP_NONE:
		mp_skip(r);
		jw_null(w);
		break;
	}
}

void
any_to_json(const struct bytes *b, struct jw *w)
{
	struct rbuf	 r;

	rb_init(&r, b->p, b->n);
	mp_to_json(&r, w, 0);
}

/* ---- instants ---- */

/* Years past 9999 have no RFC 3339 text; they print as the zero time. */
void
time_text(const struct gotime *t, char *buf, size_t len)
{
	int		 zone = t->zone_min == -1 ? 0 : t->zone_min, n;
	time_t		 unix_s;
	struct tm	 tm;
	char		 frac[16] = "", off[16] = "Z";

	unix_s = (time_t)((uint64_t)t->sec - YEAR1_TO_UNIX +
	    (uint64_t)(int64_t)zone * 60);
	if (gmtime_r(&unix_s, &tm) == NULL || tm.tm_year + 1900 < 1 ||
	    tm.tm_year + 1900 > 9999) {
		snprintf(buf, len, "0001-01-01T00:00:00Z");
		return;
	}
	if (t->nsec > 0) {
		n = snprintf(frac, sizeof(frac), ".%09u", (unsigned)t->nsec);
		while (frac[n - 1] == '0')
			frac[--n] = '\0';
	}
	if (zone != 0)
		snprintf(off, sizeof(off), "%c%02d:%02d", zone < 0 ? '-' : '+',
		    abs(zone) / 60, abs(zone) % 60);
	n = (int)strftime(buf, len, "%FT%T", &tm);
	while (n > 0 && n < 19) {	/* years have four digits */
		memmove(buf + 1, buf, (size_t)n + 1);
		buf[0] = '0';
		n++;
	}
	snprintf(buf + n, len - (size_t)n, "%s%s", frac, off);
}

static int
zone_parse(const char *s, int *zone)
{
	unsigned	 h, m;
	int		 n = 0;

	*zone = -1;
	if (strcmp(s, "Z") == 0)
		return 0;
	if ((*s != '+' && *s != '-') ||
	    sscanf(s + 1, "%2u:%2u%n", &h, &m, &n) != 2 || n != 5 ||
	    s[6] != '\0' || h > 23 || m > 59)
		return -1;
	*zone = (int)(h * 60 + m) * (*s == '-' ? -1 : 1);
	return 0;
}

int
time_parse(const char *s, struct gotime *t)
{
	struct tm	 tm = { 0 };
	const char	*p;
	int32_t		 nsec = 0, unit;
	int		 zone;

	if ((p = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm)) == NULL)
		return -1;
	if (*p == '.') {
		for (p++, unit = 100000000; *p >= '0' && *p <= '9'; p++) {
			nsec += (*p - '0') * unit;
			unit /= 10;
		}
	}
	if (zone_parse(p, &zone) == -1)
		return -1;
	t->sec = timegm(&tm) + YEAR1_TO_UNIX - (zone == -1 ? 0 : zone * 60);
	t->nsec = nsec;
	t->zone_min = (int16_t)zone;
	if (t->sec == 0 && t->nsec == 0)
		t->zone_min = 0;
	return 0;
}
