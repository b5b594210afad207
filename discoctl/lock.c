/*
 * Locks and semaphores over the API.  See lock.h.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/util.h"
#include "discoctl/lock.h"

/* Marks keys as this use's; Consul's numbers. */
#define LOCK_FLAGS	"3304740253564472344"
#define SEM_FLAGS	"16210313421097356768"
#define SESSION_TTL	"15s"
#define RENEW_MS	5000
#define RELEASE_TRIES	10
#define WHAT		"Lock acquisition failed"

uint64_t
lock_now_ms(void)
{
	struct timespec	t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- requests ---- */

/* "/v1/kv/KEY?..." asked with that method.  As request_bytes(). */
static int
ask(struct lock *l, const char *method, const char *key, const char *params,
    const char *body, struct answer *a)
{
	struct wbuf	 b;
	char		*path, *part;
	size_t		 n;
	int		 rc;

	wb_init(&b, 0);
	wb_str(&b, "/v1/kv/");
	for (; *key != '\0'; key += n) {
		n = strcspn(key, "/");
		path = xstrndup(key, n);
		part = escape(path);
		wb_str(&b, part);
		free(part);
		free(path);
		if (key[n] == '/') {
			wb_u8(&b, '/');
			n++;
		}
	}
	part = query_of(l->ctl);
	wb_printf(&b, "%s%c%s", part, *part == '\0' ? '?' : '&', params);
	free(part);
	path = wb_detach_str(&b);
	rc = request_bytes(l->ctl, method, path, body,
	    body == NULL ? 0 : strlen(body), WHAT, a);
	free(path);
	return rc;
}

/* A write's verdict; -1: said why there is none. */
static int
put(struct lock *l, const char *key, const char *verb, const char *value,
    const char *body)
{
	struct answer	 a;
	char		*params;
	int		 rc;

	xasprintf(&params, "%s=%s&flags=%s", verb, value,
	    l->limit == 1 ? LOCK_FLAGS : SEM_FLAGS);
	rc = ask(l, "PUT", key, params, body, &a);
	free(params);
	if (rc != 0)
		return -1;
	rc = a.len >= 4 && strncmp(a.body, "true", 4) == 0;
	answer_free(&a);
	return rc;
}

static bool
delete_cas(struct lock *l, const char *key, const char *index)
{
	struct answer	 a;
	char		*params;
	bool		 done;
	int		 rc;

	if (index != NULL)
		xasprintf(&params, "cas=%s", index);
	else
		params = xstrdup("");
	rc = ask(l, "DELETE", key, params, NULL, &a);
	free(params);
	if (rc != 0)
		return false;
	done = a.len >= 4 && strncmp(a.body, "true", 4) == 0;
	answer_free(&a);
	return done;
}

/* The lock's key, or all below the prefix; waits for news. */
static int
look(struct lock *l, unsigned wait_s, struct answer *a)
{
	char	*params, *key;
	int	 rc;

	if (l->limit == 1)
		key = xstrdup(l->key);
	else
		xasprintf(&key, "%s/", l->prefix);
	xasprintf(&params, "consistent&%sindex=%llu&wait=%us",
	    l->limit == 1 ? "" : "recurse&", l->index, wait_s);
	rc = ask(l, "GET", key, params, NULL, a);
	free(params);
	free(key);
	l->index = rc == 0 ? a->index : 0;
	return rc;
}

static int
session_op(struct lock *l, const char *op, const char *body, struct answer *a)
{
	char	*path, *q = query_of(l->ctl);
	int	 rc;

	xasprintf(&path, "/v1/session/%s%s%s%s", op,
	    l->session != NULL ? "/" : "", str_or(l->session, ""), q);
	rc = request_bytes(l->ctl, "PUT", path, body,
	    body == NULL ? 0 : strlen(body), WHAT, a);
	free(path);
	free(q);
	return rc;
}

/* ---- the session ---- */

int
lock_open(struct lock *l)
{
	struct jw	*jw = jw_new(false);
	struct answer	 a;
	size_t		 len;
	int		 rc;

	xasprintf(&l->key, "%s/.lock", l->prefix);
	jw_obj(jw);
	jw_key(jw, "Name");
	jw_str(jw, l->name);
	jw_key(jw, "TTL");
	jw_str(jw, SESSION_TTL);
	jw_end_obj(jw);
	rc = session_op(l, "create", jw_text(jw, &len), &a);
	jw_free(jw);
	if (rc != 0)
		return -1;
	l->session = xstrdup(text_of(a.json, "ID"));
	l->renewed_ms = lock_now_ms();
	answer_free(&a);
	return 0;
}

/* -1: it is gone, or nobody can be asked. */
static int
renew(struct lock *l)
{
	struct answer	 a;

	if (lock_now_ms() - l->renewed_ms < RENEW_MS)
		return 0;
	if (session_op(l, "renew", NULL, &a) != 0)
		return -1;
	answer_free(&a);
	l->renewed_ms = lock_now_ms();
	return 0;
}

/* ---- a lock ---- */

static const struct json *
first(const struct answer *a)
{
	return a->json != NULL ? a->json->child : NULL;
}

/* Whose it is, as the key has it. */
static enum lock_state
lock_state(const struct lock *l, const struct json *e)
{
	const char	*holder = text_of(e, "Session");

	if (e != NULL && strcmp(text_of(e, "Flags"), LOCK_FLAGS) != 0) {
		fprintf(stderr, "%s: existing key does not match lock use\n",
		    WHAT);
		return LOCK_FAILED;
	}
	return *holder != '\0' && strcmp(holder, l->session) == 0 ?
	    LOCK_OURS : LOCK_WAIT;
}

static enum lock_state
try_lock(struct lock *l, const struct json *e)
{
	enum lock_state	 s = lock_state(l, e);

	if (s != LOCK_WAIT || *text_of(e, "Session") != '\0')
		return s;
	switch (put(l, l->key, "acquire", l->session, NULL)) {
	case 1:
		return LOCK_OURS;
	case 0:
		/* Its delay; nothing will tell when that is over. */
		l->index = 0;
		sleep(1);
		return LOCK_WAIT;
	default:
		return LOCK_FAILED;
	}
}

/* ---- a semaphore ---- */

struct holders {
	const struct json	*entry;		/* of .lock, or NULL */
	struct strs		 ids;		/* those who are alive */
	bool			 ours;
};

static const struct json *
entry_of(const struct lock *l, const struct answer *a, const char *name)
{
	const struct json	*e;
	size_t			 n = strlen(l->prefix);

	for (e = first(a); e != NULL; e = e->next)
		if (strcmp(text_of(e, "Key") + n + 1, name) == 0)
			return e;
	return NULL;
}

/* The list in .lock without those whose session ended.  -1: said why it makes
 * no sense. */
static int
read_holders(const struct lock *l, const struct answer *a, struct holders *h)
{
	const struct json	*list, *id;
	struct json		*tree;
	char			 err[128];
	const char		*text;
	uint8_t			*value;
	size_t			 max;
	int			 n;

	memset(h, 0, sizeof(*h));
	if ((h->entry = entry_of(l, a, ".lock")) == NULL)
		return 0;
	text = text_of(h->entry, "Value");
	max = strlen(text) / 4 * 3 + 1;
	value = xmalloc(max);
	n = base64_decode(text, value, max);
	tree = n < 0 || strcmp(text_of(h->entry, "Flags"), SEM_FLAGS) != 0 ?
	    NULL : json_parse((char *)value, (size_t)n, err, sizeof(err));
	free(value);
	if (tree == NULL || tree->type != JSON_OBJECT) {
		fprintf(stderr, "%s: existing key does not match semaphore "
		    "use\n", WHAT);
		json_free(tree);
		return -1;
	}
	if ((uint64_t)number_of(tree, "Limit") != l->limit) {
		fprintf(stderr, "%s: semaphore limit conflict (lock: %lld, "
		    "local: %llu)\n", WHAT, number_of(tree, "Limit"),
		    (unsigned long long)l->limit);
		json_free(tree);
		return -1;
	}
	list = json_get(tree, "Holders");
	for (id = list == NULL ? NULL : list->child; id != NULL;
	    id = id->next) {
		if (*text_of(entry_of(l, a, id->key), "Session") == '\0')
			continue;
		strs_add(&h->ids, id->key);
		h->ours = h->ours || strcmp(id->key, l->session) == 0;
	}
	json_free(tree);
	return 0;
}

/* With ourselves among them, or not. */
static int
write_holders(struct lock *l, const struct holders *h, bool with_us)
{
	struct jw	*jw = jw_new(false);
	const char	*index = "0";
	size_t		 i, len;
	int		 rc;

	jw_obj(jw);
	jw_key(jw, "Limit");
	jw_uint(jw, l->limit);
	jw_key(jw, "Holders");
	jw_obj(jw);
	for (i = 0; i < h->ids.n; i++) {
		if (strcmp(h->ids.item[i], l->session) == 0)
			continue;
		jw_key(jw, h->ids.item[i]);
		jw_bool(jw, true);
	}
	if (with_us) {
		jw_key(jw, l->session);
		jw_bool(jw, true);
	}
	jw_end_obj(jw);
	jw_end_obj(jw);
	if (h->entry != NULL)
		index = text_of(h->entry, "ModifyIndex");
	rc = put(l, l->key, "cas", index, jw_text(jw, &len));
	jw_free(jw);
	return rc;
}

static enum lock_state
try_semaphore(struct lock *l, const struct answer *a)
{
	struct holders	 h;
	enum lock_state	 s = LOCK_WAIT;
	char		*contender;
	int		 rc = 1;

	if (entry_of(l, a, l->session) == NULL) {
		xasprintf(&contender, "%s/%s", l->prefix, l->session);
		rc = put(l, contender, "acquire", l->session, NULL);
		free(contender);
		l->index = 0;		/* look again, with us there */
		return rc == 1 ? LOCK_WAIT : LOCK_FAILED;
	}
	if (read_holders(l, a, &h) == -1)
		return LOCK_FAILED;
	if (h.ours)
		s = LOCK_OURS;
	else if (h.ids.n < l->limit) {
		rc = write_holders(l, &h, true);
		s = rc == 1 ? LOCK_OURS : rc == 0 ? LOCK_WAIT : LOCK_FAILED;
		l->index = 0;
	}
	strs_clear(&h.ids);
	return s;
}

static void
release_semaphore(struct lock *l)
{
	struct answer	 a;
	struct holders	 h;
	char		*contender;
	int		 i, done = 0;

	for (i = 0; i < RELEASE_TRIES && done == 0; i++) {
		l->index = 0;
		if (look(l, 0, &a) != 0)
			break;
		done = 1;
		if (read_holders(l, &a, &h) == 0 && h.ours)
			done = write_holders(l, &h, false);
		strs_clear(&h.ids);
		answer_free(&a);
	}
	xasprintf(&contender, "%s/%s", l->prefix, l->session);
	delete_cas(l, contender, NULL);
	free(contender);
}

/* ---- either ---- */

enum lock_state
lock_try(struct lock *l, unsigned wait_s)
{
	struct answer	 a;
	enum lock_state	 s;

	if (renew(l) == -1 || look(l, wait_s, &a) == -1)
		return LOCK_FAILED;
	s = l->limit == 1 ? try_lock(l, first(&a)) : try_semaphore(l, &a);
	answer_free(&a);
	return s;
}

enum lock_state
lock_watch(struct lock *l, unsigned wait_s)
{
	struct answer	 a;
	struct holders	 h;
	enum lock_state	 s = LOCK_WAIT;

	if (renew(l) == -1 || look(l, wait_s, &a) == -1)
		return LOCK_FAILED;
	if (l->limit == 1)
		s = lock_state(l, first(&a));
	else if (read_holders(l, &a, &h) == 0) {
		s = h.ours ? LOCK_OURS : LOCK_WAIT;
		strs_clear(&h.ids);
	}
	answer_free(&a);
	return s;
}

/* The key goes when nobody is at it. */
static bool
clean_up(struct lock *l)
{
	const struct json	*e;
	struct answer		 a;
	struct holders		 h;
	bool			 done = false;

	l->index = 0;
	if (look(l, 0, &a) != 0)
		return false;
	memset(&h, 0, sizeof(h));
	e = l->limit == 1 ? first(&a) : entry_of(l, &a, ".lock");
	if (e != NULL && *text_of(e, "Session") == '\0' && (l->limit == 1 ||
	    (read_holders(l, &a, &h) == 0 && h.ids.n == 0)))
		done = delete_cas(l, l->key, text_of(e, "ModifyIndex"));
	strs_clear(&h.ids);
	answer_free(&a);
	return done;
}

bool
lock_close(struct lock *l, bool held)
{
	struct answer	 a;
	bool		 gone = false;

	if (l->limit > 1)
		release_semaphore(l);
	else if (held)
		put(l, l->key, "release", l->session, NULL);
	if (held)
		gone = clean_up(l);
	if (session_op(l, "destroy", NULL, &a) == 0)
		answer_free(&a);
	free(l->session);
	free(l->key);
	l->session = l->key = NULL;
	return gone;
}
