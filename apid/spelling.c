/*
 * Keys of checks that come over HTTP.
 */
#include <stdlib.h>
#include <strings.h>

#include "apid/spelling.h"
#include "common/util.h"

static bool
in_files_only(const char *key)
{
	static const char *const	 names[] = {
		"alias_node", "alias_service", "check_id",
		"failures_before_critical", "grpc_use_tls", "output_max_size",
		"success_before_passing"
	};
	size_t				 i;

	for (i = 0; i < NELEM(names); i++)
		if (strcasecmp(key, names[i]) == 0)
			return true;
	return false;
}

static const char *
check_keys(struct json *check, const char *not_its_id)
{
	struct json	*k;

	if (check->type != JSON_OBJECT)
		return NULL;
	for (k = check->child; k != NULL; k = k->next) {
		if (strcasecmp(k->key, not_its_id) == 0 ||
		    in_files_only(k->key))
			return k->key;
		if (strcasecmp(k->key, "script_args") == 0) {
			free(k->key);
			k->key = xstrdup("ScriptArgs");
		}
	}
	return NULL;
}

const char *
spelling_check(struct json *check)
{
	return check_keys(check, "CheckID");
}

const char *
spelling_service(struct json *service)
{
	struct json	*k, *c;
	const char	*bad = NULL;

	if (service->type != JSON_OBJECT)
		return NULL;
	for (k = service->child; k != NULL && bad == NULL; k = k->next) {
		if (strcasecmp(k->key, "check") == 0)
			bad = check_keys(k, "ID");
		if (strcasecmp(k->key, "checks") != 0 ||
		    k->type != JSON_ARRAY)
			continue;
		for (c = k->child; c != NULL && bad == NULL; c = c->next)
			bad = check_keys(c, "ID");
	}
	return bad;
}
