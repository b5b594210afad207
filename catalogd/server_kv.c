/*
 * KVS.*: keys, lists of them, and what is judged before the log: that there is
 * a key, and that nobody takes a lock within its delay, which is the leader's
 * clock's to say.
 */
#include <stdlib.h>
#include <string.h>

#include "catalogd/server_i.h"
#include "common/log.h"
#include "common/mp.h"

/* ---- writing ---- */

bool
kvs_allowed(const struct server *srv, const char *op,
    const struct dir_entry *e, struct reply *r)
{
	if (str_empty(e->key) && strcmp(op, "delete-tree") != 0) {
		reply_error(r, "Must provide key");
		return false;
	}
	if (strcmp(op, "lock") != 0 || !lock_delayed(srv, e->key))
		return true;
	log_debug("key %s: not locked: its last holder's lock delay",
	    e->key);
	return false;
}

/*
 * While somebody else holds the key the answer is known, and it must not wait for
 * the log: the end of that holder's session may be on its way there, and its
 * delay begins when it is applied.
 */
bool
kvs_held_by_another(const struct server *srv, const char *op,
    const struct dir_entry *want)
{
	const char *ours = str_or(want->session, "");
	const struct dir_entry *e;

	return strcmp(op, "lock") == 0 &&
	    (e = store_key(srv->store, want->key)) != NULL &&
	    !str_empty(e->session) && strcmp(e->session, ours) != 0 &&
	    store_session(srv->store, ours) != NULL;
}

void
kvs_apply_write(struct server *srv, void *arg, struct wbuf *entry,
    struct reply *r)
{
	struct kvs_request *req = arg;

	if (!kvs_allowed(srv, str_or(req->op, ""), &req->entry, r) ||
	    kvs_held_by_another(srv, str_or(req->op, ""), &req->entry)) {
		if (r->error == NULL)
			mp_bool(&r->body, false);
		return;
	}
	str_set(&req->token, NULL);
	store_entry_kv(entry, req);
}

/* ---- one ---- */

/* Whoever waits for a key that is not there waits for its neighbourhood: the
 * index that he gets is that of all keys. */
void
kvs_get_depends(struct server *srv, const void *arg, struct depends *d)
{
	const struct key_request *req = arg;
	const struct dir_entry *e;

	if ((e = store_key(srv->store, req->key)) != NULL) {
		d->index = e->modify_index;
		depends_on(d, WATCH_KEY, req->key);
		return;
	}
	d->index = store_keys_index(srv->store);
	depends_on_part(d, WATCH_PREFIX, req->key,
	    store_key_common(srv->store, req->key));
}

static void
reply_entries(struct indexed_dir_entries *a, const struct query_meta *meta,
    struct reply *r)
{
	META_PUT(a, meta);
	reply_schema(r, &indexed_dir_entries_schema, a);
	free(a->entries.item);
}

static bool
add_entry(const struct dir_entry *e, void *arg)
{
	struct indexed_dir_entries *a = arg;

	*(struct dir_entry *)VEC_ADD(&a->entries) = *e;
	return true;
}

void
kvs_get_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct key_request *req = arg;
	struct indexed_dir_entries a;
	const struct dir_entry *e;

	memset(&a, 0, sizeof(a));
	if ((e = store_key(srv->store, req->key)) != NULL)
		add_entry(e, &a);
	reply_entries(&a, meta, r);
}

/* ---- lists ---- */

static void
depends_on_keys(const struct server *srv, const char *prefix,
    struct depends *d)
{
	d->index = store_prefix_index(srv->store, prefix);
	depends_on(d, WATCH_PREFIX, prefix);
}

void
kvs_list_depends(struct server *srv, const void *arg, struct depends *d)
{
	const struct key_request *req = arg;

	depends_on_keys(srv, req->key, d);
}

void
kvs_list_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct key_request *req = arg;
	struct indexed_dir_entries a;

	memset(&a, 0, sizeof(a));
	store_each_key(srv->store, req->key, add_entry, &a);
	reply_entries(&a, meta, r);
}

void
kvs_list_keys_depends(struct server *srv, const void *arg, struct depends *d)
{
	const struct key_list_request *req = arg;

	depends_on_keys(srv, req->prefix, d);
}

struct keys_arg {
	struct wbuf	 w;
	size_t		 n;
};

static bool
add_key(const char *key, size_t len, void *arg)
{
	struct keys_arg *x = arg;

	mp_raw(&x->w, key, len);
	x->n++;
	return true;
}

/* 100,000 keys: written directly, without a list in between. */
void
kvs_list_keys_read(struct server *srv, const void *arg,
    const struct query_meta *meta, struct reply *r)
{
	const struct key_list_request *req = arg;
	struct wbuf *w = &r->body;
	struct keys_arg x;

	memset(&x, 0, sizeof(x));
	wb_init(&x.w, 0);
	store_each_subkey(srv->store, req->prefix, req->separator, add_key, &x);
	mp_map(w, 5);
	mp_str(w, "ConsistencyLevel");
	mp_str(w, meta->consistency_level);
	mp_str(w, "Index");
	mp_uint(w, meta->index);
	mp_str(w, "Keys");
	if (x.n == 0)
		mp_nil(w);
	else
		mp_array(w, x.n);
	wb_bytes(w, x.w.p, x.w.len);
	mp_str(w, "KnownLeader");
	mp_bool(w, meta->known_leader);
	mp_str(w, "LastContact");
	mp_int(w, meta->last_contact);
	wb_free(&x.w);
}
