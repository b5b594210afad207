/*
 * The agent's files.  The first byte says which kind; what was read is written
 * and read again and has to be the same, and the agent has to survive it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/agent.h"
#include "catalogd/agent_persist.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

typedef int decode_fn(const char *, size_t, void *, char *, size_t);

static int
service(const char *p, size_t n, void *obj, char *err, size_t errlen)
{
	return persist_decode_service(p, n, obj, err, errlen);
}

static int
check(const char *p, size_t n, void *obj, char *err, size_t errlen)
{
	return persist_decode_check(p, n, obj, err, errlen);
}

static int
state(const char *p, size_t n, void *obj, char *err, size_t errlen)
{
	return persist_decode_state(p, n, obj, err, errlen);
}

/*
 * What was read, written and read again: the second time the text is the same.
 * (The first time it need not be: 1e3 becomes 1000.)
 */
static void
round_trip(struct schema *s, decode_fn *decode, const void *obj)
{
	char	 err[256], *first, *second;
	void	*again = xcalloc(1, s->size);
	size_t	 n, m;

	first = persist_encode(s, obj, &n);
	if (decode(first, n, again, err, sizeof(err)) == -1)
		abort();
	second = persist_encode(s, again, &m);
	if (n != m || memcmp(first, second, n) != 0)
		abort();
	schema_clear(s, again);
	free(again);
	free(first);
	free(second);
}

static void no_check(const struct msg_check *m, void *a) { (void)m; (void)a; }
static void no_id(const char *id, void *a) { (void)id; (void)a; }
static void nothing(void *a) { (void)a; }

static int
no_service(const struct local_service *s, void *a)
{
	(void)s;
	(void)a;
	return 0;
}

static int
no_save(const struct local_check *c, void *a)
{
	(void)c;
	(void)a;
	return 0;
}

static void
no_state(const char *id, const char *status, const char *output, int64_t ttl,
    void *a)
{
	(void)id;
	(void)status;
	(void)output;
	(void)ttl;
	(void)a;
}

static void
no_log(bool warning, const char *text, void *a)
{
	(void)warning;
	(void)text;
	(void)a;
}

static struct agent *
agent_make(void)
{
	static const struct agent_ops	 ops = {
		no_check, no_id, no_service, no_save, no_id, no_id, no_state,
		no_id, nothing, no_log, NULL
	};
	struct conf_catalog		 cat = { .script_checks_http = true };
	struct conf_agent		 conf = { .node_name = NULL };
	struct agent			*a = agent_new(&ops, 1);

	str_set(&conf.node_name, "n");
	agent_configure(a, &conf, &cat);
	schema_clear(&conf_agent_schema, &conf);
	return a;
}

static void
try_service(const char *p, size_t n)
{
	struct persisted_service	 s;
	struct agent			*a;
	char				 err[256];

	if (service(p, n, &s, err, sizeof(err)) == -1)
		return;
	round_trip(&persisted_service_schema, service, &s);
	a = agent_make();
	(void)agent_restore_service(a, &s.service, s.token, 0, err,
	    sizeof(err));
	agent_free(a);
	memset(&s.service, 0, sizeof(s.service));
	schema_clear(&persisted_service_schema, &s);
}

static void
try_check(const char *p, size_t n)
{
	struct persisted_check	 c;
	struct check_def	 none;
	struct agent		*a;
	char			 err[256];

	if (check(p, n, &c, err, sizeof(err)) == -1)
		return;
	round_trip(&persisted_check_schema, check, &c);
	memset(&none, 0, sizeof(none));
	a = agent_make();
	(void)agent_restore_check(a, &c.check, c.chk_type != NULL ?
	    c.chk_type : &none, c.token, c.until > 0, 0, err, sizeof(err));
	(void)agent_run(a, 1u << 30);
	agent_free(a);
	schema_clear(&persisted_check_schema, &c);
}

static void
try_state(const char *p, size_t n)
{
	struct persisted_state	 s;
	char			 err[256];

	if (state(p, n, &s, err, sizeof(err)) == -1)
		return;
	round_trip(&persisted_state_schema, state, &s);
	schema_clear(&persisted_state_schema, &s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n == 0)
		return 0;
	switch (p[0] % 3) {
	case 0:
		try_service((const char *)p + 1, n - 1);
		break;
	case 1:
		try_check((const char *)p + 1, n - 1);
		break;
	case 2:
		try_state((const char *)p + 1, n - 1);
		break;
	}
	return 0;
}
