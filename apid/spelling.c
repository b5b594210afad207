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

/* ---- keys that Consul 1.8 does not know ---- */

/* A partition or a peer other than the only one would be ignored in vain. */
static bool
means_nothing(const struct json *v)
{
	return v->type == JSON_NULL || (v->type == JSON_STRING &&
	    (v->len == 0 || strcasecmp(v->str, "default") == 0));
}

static bool
is_newer(const struct json *k)
{
	static const struct { const char *key; bool if_empty; } newer[] = {
		{ "ExposedPort", false }, { "FailuresBeforeWarning", false },
		{ "Locality", false }, { "Partition", true },
		{ "PeerName", true }, { "Ports", false },
		{ "SocketPath", false },
	};
	size_t	i;

	for (i = 0; i < NELEM(newer); i++)
		if (strcasecmp(k->key, newer[i].key) == 0)
			return !newer[i].if_empty || means_nothing(k);
	return false;
}

/* Where a registration has such keys; elsewhere the names are the user's. */
static bool
goes_on(const char *key)
{
	return strcasecmp(key, "Service") == 0 ||
	    strcasecmp(key, "Check") == 0 || strcasecmp(key, "Checks") == 0 ||
	    strcasecmp(key, "Definition") == 0;
}

static void
drop(struct json *object, bool (*is)(const struct json *))
{
	struct json	**at = &object->child, *k;

	object->last = NULL;
	while ((k = *at) != NULL) {
		if (is(k)) {
			*at = k->next;
			k->next = NULL;
			json_free(k);
			continue;
		}
		object->last = k;
		at = &k->next;
	}
}

void
spelling_newer(struct json *tree)
{
	struct json	*k;

	if (tree->type == JSON_OBJECT)
		drop(tree, is_newer);
	if (tree->type != JSON_OBJECT && tree->type != JSON_ARRAY)
		return;
	for (k = tree->child; k != NULL; k = k->next)
		if (tree->type == JSON_ARRAY || goes_on(k->key))
			spelling_newer(k);
}

/* What it was the address of is known by its name. */
static bool
is_address(const struct json *k)
{
	return strcasecmp(k->key, "Address") == 0;
}

void
spelling_deregister(struct json *tree)
{
	spelling_newer(tree);
	if (tree->type == JSON_OBJECT)
		drop(tree, is_address);
}
