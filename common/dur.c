/*
 * Durations in Go's notation, as configuration and the HTTP API have them.
 */
#include <stdio.h>
#include <string.h>

#include "common/util.h"

static const struct {
	const char	*name;
	uint64_t	 ns;
} units[] = {		/* a name before its own prefix */
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\302\265s", 1000 },		/* U+00B5 */
	{ "\316\274s", 1000 },		/* U+03BC */
	{ "ms", NS_PER_MS },
	{ "s", NS_PER_S },
	{ "m", 60 * NS_PER_S },
	{ "h", 3600 * NS_PER_S }
};

static const char *
dur_unit(const char *s, uint64_t *ns)
{
	size_t	 i, len;

	for (i = 0; i < NELEM(units); i++) {
		len = strlen(units[i].name);
		if (strncmp(s, units[i].name, len) == 0) {
			*ns = units[i].ns;
			return s + len;
		}
	}
	return NULL;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* One number with its unit, added to *total.  What follows, or NULL. */
static const char *
dur_part(const char *s, uint64_t *total)
{
	uint64_t	 whole = 0, unit, v;
	double		 frac = 0, scale = 1;
	bool		 digits = false;

	for (; is_digit(*s); s++, digits = true) {
		if (whole > INT64_MAX / 10)
			return NULL;
		whole = whole * 10 + (uint64_t)(*s - '0');
	}
	if (*s == '.') {
		for (s++; is_digit(*s); s++, digits = true) {
			scale /= 10;
			frac += scale * (*s - '0');
		}
	}
	if (!digits || (s = dur_unit(s, &unit)) == NULL)
		return NULL;
	if (__builtin_mul_overflow(whole, unit, &v) ||
	    __builtin_add_overflow(v, (uint64_t)(frac * (double)unit + 1e-6),
	    &v) || __builtin_add_overflow(*total, v, total) ||
	    *total > (uint64_t)INT64_MAX)
		return NULL;
	return s;
}

int
dur_parse(const char *s, int64_t *ns)
{
	uint64_t	 total = 0;
	bool		 negative = false;

	if (s == NULL)
		return -1;
	if (*s == '-' || *s == '+')
		negative = *s++ == '-';
	if (strcmp(s, "0") == 0) {
		*ns = 0;
		return 0;
	}
	do {
		if ((s = dur_part(s, &total)) == NULL)
			return -1;
	} while (*s != '\0');
	*ns = negative ? -(int64_t)total : (int64_t)total;
	return 0;
}

/* v / unit with as many decimals as it takes; unit is at most a second. */
static void
dur_decimal(char *buf, size_t len, uint64_t v, uint64_t unit)
{
	size_t	 n;

	snprintf(buf, len, "%llu.%09llu", (unsigned long long)(v / unit),
	    (unsigned long long)(v % unit * (NS_PER_S / unit)));
	for (n = strlen(buf); buf[n - 1] == '0'; n--)
		;
	buf[buf[n - 1] == '.' ? n - 1 : n] = '\0';
}

const char *
dur_format(int64_t ns, char *buf, size_t len)
{
	const char	*sign = ns < 0 ? "-" : "";
	uint64_t	 v = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	uint64_t	 h, m;
	char		 num[48];

	if (v == 0)
		snprintf(buf, len, "0s");
	else if (v < NS_PER_S) {
		h = v < 1000 ? 1 : v < NS_PER_MS ? 1000 : NS_PER_MS;
		dur_decimal(num, sizeof(num), v, h);
		snprintf(buf, len, "%s%s%s", sign, num,
		    h == 1 ? "ns" : h == 1000 ? "\302\265s" : "ms");
	} else {
		h = v / (3600 * NS_PER_S);
		m = v / (60 * NS_PER_S) % 60;
		dur_decimal(num, sizeof(num), v % (60 * NS_PER_S), NS_PER_S);
		if (h > 0)
			snprintf(buf, len, "%s%lluh%llum%ss", sign,
			    (unsigned long long)h, (unsigned long long)m, num);
		else if (m > 0)
			snprintf(buf, len, "%s%llum%ss", sign,
			    (unsigned long long)m, num);
		else
			snprintf(buf, len, "%s%ss", sign, num);
	}
	return buf;
}
