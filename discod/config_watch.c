/*
 * Watches: read into the texts that execd gives to `discoctl watch -plan`, and
 * whom they ask.
 */
#include <ctype.h>
#include <string.h>

#include "common/schema/walk.h"
#include "common/util.h"
#include "common/watch.h"
#include "discod/config_parts.h"

static bool
needs_connect(const struct json *watch)
{
	const struct json *type = json_get(watch, "type");

	return type != NULL && type->type == JSON_STRING &&
	    (strcmp(type->str, "connect_roots") == 0 ||
	    strcmp(type->str, "connect_leaf") == 0);
}

static void
put_json(struct jw *jw, const struct json *j)
{
	struct bytes any;
	struct wbuf b;

	wb_init(&b, 0);
	any_from_json(j, &b);
	any = (struct bytes){ b.p, b.len, true };
	any_to_json(&any, jw);
	wb_free(&b);
}

static void
add_text(struct strs *texts, const struct json *watch)
{
	struct jw *jw = jw_new(false);

	put_json(jw, watch);
	strs_add(texts, jw_text(jw, NULL));
	jw_free(jw);
}

void
watches_set(struct strs *texts, const struct json *list, const char *where,
    struct problems *p)
{
	const struct json *c;
	struct watch watch;
	char err[256];

	for (c = list->child; c != NULL; c = c->next) {
		if (c->type != JSON_OBJECT) {
			problem(p, where, "watches: expected a list of "
			    "objects, as [{...}], got a value of type %s",
			    json_type_name(c->type));
			continue;
		}
		if (needs_connect(c)) {
			problem(p, where, "watches: type %s: Connect must be "
			    "enabled, and disco has none: take this watch out",
			    json_get(c, "type")->str);
			continue;
		}
		if (watch_read(c, true, &watch, err, sizeof(err)) == -1) {
			err[0] = (char)tolower((unsigned char)err[0]);
			problem(p, where, "watches: %s", err);
			continue;
		}
		watch_clear(&watch);
		add_text(texts, c);
	}
}

/* Without the member that may have a secret in it. */
static void
put_members(struct jw *jw, const struct json *j, const char *secret)
{
	const struct json *c;

	jw_obj(jw);
	for (c = j->child; c != NULL; c = c->next) {
		if (strcmp(c->key, secret) == 0)
			continue;
		jw_key(jw, c->key);
		if (strcmp(c->key, "http_handler_config") == 0 &&
		    c->type == JSON_OBJECT)
			put_members(jw, c, "header");
		else
			put_json(jw, c);
	}
	jw_end_obj(jw);
}

void
watches_show(struct jw *jw, const struct strs *texts)
{
	struct json *j;
	char err[128];
	size_t i;

	jw_arr(jw);
	for (i = 0; i < texts->n; i++) {
		j = json_parse(texts->item[i], strlen(texts->item[i]), err,
		    sizeof(err));
		if (j != NULL)
			put_members(jw, j, "token");
		json_free(j);
	}
	jw_end_arr(jw);
}

/* The first address of our own API that a process of execd's user can reach:
 * the socket in the run directory is root's. */
static const struct listen_addr *
find_listener(const struct config *c, const struct config_env *env)
{
	const struct listen_addr *l;
	size_t i;

	for (i = 0; i < c->listen.n; i++) {
		l = &c->listen.item[i];
		if (l->kind == SOCK_HTTP_TCP)
			return l;
		if (l->kind == SOCK_HTTP_UNIX && (env->uid != 0 ||
		    strcmp(l->key, "addresses.http") == 0))
			return l;
	}
	return NULL;
}

void
watches_address(const struct values *v, const struct config_env *env,
    struct config *c, struct problems *p)
{
	const struct listen_addr *l;
	struct sockaddr_storage ss;
	const char *ip;
	char text[ADDR_TEXT_MAX];

	if (c->exec.watches.n == 0)
		return;
	if ((l = find_listener(c, env)) == NULL) {
		problem(p, v_where(v, KEY_WATCHES), "watches: there is no "
		    "HTTP listener for them to ask: set ports.http");
		return;
	}
	if (l->path != NULL) {
		xasprintf(&c->exec.watch_api, "unix://%s", l->path);
		return;
	}
	ip = strcmp(l->ip, "0.0.0.0") == 0 ? "127.0.0.1" :
	    strcmp(l->ip, "::") == 0 ? "::1" : l->ip;
	if (addr_parse(ip, l->port, &ss) == 0)
		c->exec.watch_api = xstrdup(addr_text(&ss, text,
		    sizeof(text)));
}
