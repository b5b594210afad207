/*
 * Go's regular expressions on libpcre2.  A pattern is read here first: what Go
 * does not know (references back, looking around, possessive repetition) is
 * refused in Go's words, for peers of Consul refuse it too, and so it never
 * costs backtracking.  The library's compiler does the rest.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "common/regex.h"
#include "common/util.h"

#define REPEAT_MAX 1000		/* Go's own */
#define NEST_MAX 100		/* of parentheses */
#define MATCH_STEPS 200000	/* some ms */
#define MATCH_DEPTH 20000
#define MATCH_KB 4096

struct regex {
	pcre2_code		*code;
	pcre2_match_data	*data;
	pcre2_match_context	*limits;
	bool			 gave_up;
};

struct scan {
	const char	*all, *p;
	const char	*last_op;	/* the repetition before, or NULL */
	char		*why;
	unsigned	 depth;
	bool		 atom;		/* something that can be repeated */
};

static int
fail(struct scan *s, const char *what, const char *from, const char *to)
{
	xasprintf(&s->why, "error parsing regexp: %s: `%.*s`", what,
	    (int)(to - from), from);
	return -1;
}

static int
scan_escape(struct scan *s, bool in_class)
{
	const char	*start = s->p, *end, *known;

	known = in_class ? "dDsSwWpPafnrtvx0" : "AbBzdDsSwWpPafnrtvx0Q";
	s->p++;
	if (*s->p == '\0')
		return fail(s, "trailing backslash at end of expression",
		    s->p, s->p);
	if ((unsigned char)*s->p >= 0x80 || (strchr(known, *s->p) == NULL &&
	    strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789", *s->p) != NULL))
		return fail(s, "invalid escape sequence", start, s->p + 1);
	if (*s->p == 'Q') {
		end = strstr(s->p, "\\E");
		s->p = end == NULL ? s->p + strlen(s->p) : end + 2;
	} else if (strchr("pPx", *s->p) != NULL && s->p[1] == '{') {
		if ((end = strchr(s->p, '}')) == NULL)
			return fail(s, "invalid escape sequence", start,
			    start + strlen(start));
		s->p = end + 1;
	} else
		s->p++;
	return 0;
}

static int
scan_class(struct scan *s)
{
	const char	*start = s->p, *end;
	bool		 first = true;

	s->p++;
	if (*s->p == '^')
		s->p++;
	for (; *s->p != ']' || first; first = false) {
		if (*s->p == '\0')
			return fail(s, "missing closing ]", start, s->p);
		if (*s->p == '\\') {
			if (scan_escape(s, true) == -1)
				return -1;
		} else if (strncmp(s->p, "[:", 2) == 0 &&
		    (end = strstr(s->p + 2, ":]")) != NULL)
			s->p = end + 2;
		else
			s->p++;
	}
	s->p++;
	return 0;
}

/* (?i) (?ims-U) (?s:...) (?P<name>...); p is at the parenthesis. */
static int
scan_flags(struct scan *s)
{
	const char	*start = s->p, *p = s->p + 2;

	if (strncmp(p, "P<", 2) == 0) {
		p += 2 + strspn(p + 2, "abcdefghijklmnopqrstuvwxyz"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
		if (*p != '>' || p == start + 4)
			return fail(s, "invalid named capture", start,
			    *p == '\0' ? p : p + 1);
		s->depth++;
	} else {
		p += strspn(p, "imsU");
		if (*p == '-' && strspn(p + 1, "imsU") > 0)
			p += 1 + strspn(p + 1, "imsU");
		if (*p == ':')
			s->depth++;
		else if (*p != ')' || p == start + 2)
			return fail(s, "invalid or unsupported Perl syntax",
			    start, *p == '\0' ? p : p + 1);
	}
	s->p = p + 1;
	s->atom = false;
	return 0;
}

/* The end of "{2}", "{2,}" or "{2,5}", or NULL: then it is a brace. */
static const char *
repeat_end(const char *p, long *low, long *high)
{
	char	*end;

	if (p[1] < '0' || p[1] > '9')
		return NULL;
	*low = *high = strtol(p + 1, &end, 10);
	if (*end == ',' && *++end >= '0' && *end <= '9')
		*high = strtol(end, &end, 10);
	return *end == '}' ? end + 1 : NULL;
}

/* An operator that repeats, up to `end`. */
static int
scan_repeat(struct scan *s, const char *end)
{
	const char	*start = s->p;

	if (!s->atom)
		return fail(s, "missing argument to repetition operator",
		    start, end);
	if (*end == '?')
		end++;
	if (s->last_op != NULL)
		return fail(s, "invalid nested repetition operator",
		    s->last_op, end);
	s->last_op = start;
	s->p = end;
	return 0;
}

static int
scan_one(struct scan *s)
{
	const char	*end;
	long		 low, high;

	if (strchr("*+?", *s->p) != NULL)
		return scan_repeat(s, s->p + 1);
	if (*s->p == '{' && (end = repeat_end(s->p, &low, &high)) != NULL) {
		if (low > REPEAT_MAX || high > REPEAT_MAX || low > high)
			return fail(s, "invalid repeat count", s->p, end);
		return scan_repeat(s, end);
	}
	s->last_op = NULL;
	s->atom = true;
	switch (*s->p) {
	case '\\':
		return scan_escape(s, false);
	case '[':
		return scan_class(s);
	case '(':
		if (s->p[1] == '?')
			return scan_flags(s);
		s->depth++;
		s->atom = false;
		break;
	case ')':
		if (s->depth-- == 0)
			return fail(s, "unexpected )", s->all,
			    s->all + strlen(s->all));
		break;
	case '|':
		s->atom = false;
		break;
	default:
		break;
	}
	s->p++;
	return 0;
}

/* 0, or -1 with the reason. */
static int
scan(const char *pattern, char **why)
{
	struct scan	 s;

	memset(&s, 0, sizeof(s));
	s.all = s.p = pattern;
	if (strlen(pattern) > REGEX_PATTERN_MAX) {
		xasprintf(why, "error parsing regexp: expression too long");
		return -1;
	}
	while (*s.p != '\0')
		if (scan_one(&s) == -1)
			break;
	if (s.why == NULL && s.depth > 0)
		fail(&s, "missing closing )", s.all, s.p);
	*why = s.why;
	return s.why == NULL ? 0 : -1;
}

static pcre2_code *
compile(const char *pattern, uint32_t flags, char **why)
{
	pcre2_compile_context	*ctx;
	pcre2_code		*code;
	PCRE2_SIZE		 at;
	PCRE2_UCHAR		 text[128];
	int			 err;

	if ((ctx = pcre2_compile_context_create(NULL)) == NULL)
		abort();
	pcre2_set_parens_nest_limit(ctx, NEST_MAX);
	code = pcre2_compile((PCRE2_SPTR)pattern, strlen(pattern), PCRE2_UTF |
	    PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY |
	    PCRE2_NEVER_BACKSLASH_C | flags, &err, &at, ctx);
	pcre2_compile_context_free(ctx);
	if (code != NULL)
		return code;
	if (pcre2_get_error_message(err, text, sizeof(text)) < 0)
		text[0] = '\0';
	xasprintf(why, "error parsing regexp: %s: `%s`", (const char *)text,
	    pattern);
	return NULL;
}

static struct regex *
make(const char *pattern, uint32_t flags, uint32_t ngroups, char **why)
{
	struct regex	*re;
	pcre2_code	*code;

	*why = NULL;
	if (scan(pattern, why) == -1 ||
	    (code = compile(pattern, flags, why)) == NULL)
		return NULL;
	re = xcalloc(1, sizeof(*re));
	re->code = code;
	re->data = pcre2_match_data_create(ngroups, NULL);
	re->limits = pcre2_match_context_create(NULL);
	if (re->data == NULL || re->limits == NULL)
		abort();
	pcre2_set_match_limit(re->limits, MATCH_STEPS);
	pcre2_set_depth_limit(re->limits, MATCH_DEPTH);
	pcre2_set_heap_limit(re->limits, MATCH_KB);
	return re;
}

struct regex *
regex_new(const char *pattern, char **why)
{
	return make(pattern, PCRE2_NO_AUTO_CAPTURE, 1, why);
}

struct regex *
regex_new_groups(const char *pattern, char **why)
{
	return make(pattern, 0, REGEX_GROUPS_MAX, why);
}

void
regex_free(struct regex *re)
{
	if (re == NULL)
		return;
	pcre2_match_context_free(re->limits);
	pcre2_match_data_free(re->data);
	pcre2_code_free(re->code);
	free(re);
}

static int
match(struct regex *re, const char *subject, size_t len)
{
	return pcre2_match(re->code, (PCRE2_SPTR)subject, len, 0, 0, re->data,
	    re->limits);
}

bool
regex_match(struct regex *re, const char *subject, size_t len)
{
	int	 rc;

	if (re->gave_up)
		return false;
	rc = match(re, subject, len);
	if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
		re->gave_up = true;
	return rc >= 0;
}

size_t
regex_groups(struct regex *re, const char *subject, size_t len,
    struct regex_group g[REGEX_GROUPS_MAX])
{
	PCRE2_SIZE	*v;
	size_t		 i, n;
	uint32_t	 count = 0;

	if (match(re, subject, len) < 0)
		return 0;
	v = pcre2_get_ovector_pointer(re->data);
	pcre2_pattern_info(re->code, PCRE2_INFO_CAPTURECOUNT, &count);
	n = count + 1 < REGEX_GROUPS_MAX ? count + 1 : REGEX_GROUPS_MAX;
	for (i = 0; i < n; i++) {
		g[i].at = v[2 * i] == PCRE2_UNSET ? 0 : v[2 * i];
		g[i].len = v[2 * i] == PCRE2_UNSET ? 0 :
		    v[2 * i + 1] - v[2 * i];
	}
	return n;
}
