/*
 * checkd/target: URLs and addresses out of definitions, and texts made of
 * them.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "checkd/outcome.h"
#include "checkd/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(const struct target *t)
{
	size_t	 n = strlen(t->host);

	if (n == 0 || n >= sizeof(t->host) || t->port == 0 ||
	    strchr(t->host, '%') != NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct target		 t;
	struct msg_exited	 m;
	struct tail		 body;
	char			*text, *err;

	text = output_text(p, n);
	if (strlen(text) != n)
		abort();
	if (target_url(text, "GET", &t, &err) == 0) {
		check(&t);
		if (t.url == NULL)
			abort();
		target_clear(&t);
	} else
		free(err);
	free(target_redact(text));
	free(target_join("http://user:pass@host/a/b?c", text));
	if (target_hostport(text, "tcp", &t, &err) == 0)
		check(&t);
	else
		free(err);
	tail_init(&body, 16);
	tail_add(&body, p, n);
	free(http_output("GET", text, "200 OK", &body));
	tail_clear(&body);
	memset(&m, 0, sizeof(m));
	m.end = n % 5;
	m.output.p = (uint8_t *)(uintptr_t)p;
	m.output.n = n;
	m.total = n + n % 2;
	free(script_output(&m, (int64_t)n * NS_PER_MS));
	free(text);
	return 0;
}
