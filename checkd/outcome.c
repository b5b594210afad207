/*
 * Statuses and outputs of checks.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "checkd/outcome.h"

const char	passing[] = "passing";
const char	warning[] = "warning";
const char	critical[] = "critical";

bool
threshold_count(struct threshold *t, const char *status)
{
	if (strcmp(status, critical) != 0) {
		t->bad = 0;
		return ++t->good >= t->need_good;
	}
	t->good = 0;
	return ++t->bad >= t->need_bad;
}

char *
output_text(const uint8_t *p, size_t n)
{
	char	*s = xmemdup_str(p, n);
	size_t	 i;

	for (i = 0; i < n; i++)
		if (s[i] == '\0')
			s[i] = '?';
	return s;
}

const char *
error_text(int error, char *buf, size_t len)
{
	(void)snprintf(buf, len, "%s", strerror(error));
	buf[0] = (char)tolower((unsigned char)buf[0]);
	return buf;
}

/* ---- HTTP ---- */

const char *
http_status(long code)
{
	if (code >= 200 && code <= 299)
		return passing;
	return code == 429 ? warning : critical;
}

char *
http_output(const char *method, const char *url, const char *status,
    const struct tail *body)
{
	const uint8_t	*p;
	char		*text, *out;
	size_t		 n;

	p = tail_bytes(body, &n);
	text = output_text(p, n);
	xasprintf(&out, "HTTP %s %s: %s Output: %s", method, url, status,
	    text);
	free(text);
	return out;
}

char *
http_failure(const char *method, const char *url, const char *reason)
{
	char	*out, *name = xstrdup(method), *p;

	for (p = name; *p != '\0'; p++)
		*p = (char)(p == name ? toupper((unsigned char)*p) :
		    tolower((unsigned char)*p));
	xasprintf(&out, "%s \"%s\": %s", name, url, reason);
	free(name);
	return out;
}

/* ---- scripts ---- */

const char *
script_status(const struct msg_exited *m)
{
	if (m->end != RUN_EXIT)
		return critical;
	switch (m->code) {
	case 0:
		return passing;
	case 1:
		return warning;
	default:
		return critical;
	}
}

char *
script_output(const struct msg_exited *m, int64_t timeout_ns)
{
	char	*text, *cut = NULL, *out = NULL, dur[32];

	text = output_text(m->output.p, m->output.n);
	if (m->total > m->output.n) {
		xasprintf(&cut, "Captured %zu of %llu bytes\n...\n%s",
		    m->output.n, (unsigned long long)m->total, text);
		free(text);
		text = cut;
	}
	if (m->end == RUN_TIMEOUT) {
		xasprintf(&out, "Timed out (%s) running check%s%s",
		    dur_format(timeout_ns, dur, sizeof(dur)),
		    *text != '\0' ? "\n\n" : "", text);
		free(text);
		return out;
	}
	if (m->end == RUN_REFUSED || m->end == RUN_FAILED) {
		free(text);
		return xstrdup(str_or(m->error, "could not be started"));
	}
	return text;
}
