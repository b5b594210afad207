/*
 * peers.json: see raft_recover.h.
 *
 * The entry's term is one above that of the last entry, not of the last
 * election: so whoever of several has the most is still ahead of the others.
 */
#include "catalogd/raft_recover.h"

#include <raft.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/raft_core.h"
#include "catalogd/raft_core_i.h"
#include "common/json.h"
#include "common/log.h"
#include "common/util.h"

#define FILE_MAX 65536
#define PEERS_MAX 64

struct peer {
	char		 address[192];	/* "NODE-ID 10.0.0.1:8300" */
	uint64_t	 id;
	bool		 voter;
};

/* The membership that is on disk last. */
static int
found_membership(const struct disk_found *f, struct raft_configuration *conf)
{
	size_t i;

	for (i = f->n; i > 0; i--)
		if (f->entry[i - 1].type == RAFT_CHANGE)
			return rcore_conf_decode(f->entry[i - 1].p,
			    f->entry[i - 1].len, conf);
	return f->has_snapshot ? rcore_conf_decode(f->snapshot.conf,
	    f->snapshot.conf_len, conf) : -1;
}

/* The id that its log has, by its node's id. */
static uint64_t
known_id(const struct raft_configuration *conf, const char *node_id)
{
	size_t n = strlen(node_id);
	unsigned i;

	for (i = 0; i < conf->n; i++)
		if (strncmp(conf->servers[i].address, node_id, n) == 0 &&
		    (conf->servers[i].address[n] == ' ' ||
		    conf->servers[i].address[n] == '\0'))
			return conf->servers[i].id;
	return 0;
}

static const char *
text_of(const struct json *j, const char *key)
{
	const struct json *v = json_get(j, key);

	return v != NULL && v->type == JSON_STRING ? v->str : NULL;
}

static const char *
read_peer(const struct json *j, const struct raft_configuration *conf,
    struct peer *p)
{
	const struct json *v;
	const char *id, *address;

	if (j->type != JSON_OBJECT || (id = text_of(j, "id")) == NULL ||
	    (address = text_of(j, "address")) == NULL)
		return "each server needs \"id\" and \"address\"";
	if (strlen(id) + strlen(address) + 2 > sizeof(p->address))
		return "an id or address is too long";
	if ((p->id = known_id(conf, id)) == 0)
		return "it names a server that was not a member";
	snprintf(p->address, sizeof(p->address), "%s %s", id, address);
	v = json_get(j, "non_voter");
	p->voter = v == NULL || !v->truth;
	return NULL;
}

static const char *
read_peers(const struct json *tree, const struct raft_configuration *conf,
    const char *node_id, struct peer *p, size_t *n)
{
	const struct json *j;
	const char *why;
	bool self = false;

	if (tree->type != JSON_ARRAY || tree->child == NULL)
		return "it is no list of servers";
	*n = 0;
	for (j = tree->child; j != NULL; j = j->next) {
		if (*n == PEERS_MAX)
			return "it names too many servers";
		if ((why = read_peer(j, conf, &p[*n])) != NULL)
			return why;
		self = self || (p[*n].voter &&
		    strcmp(text_of(j, "id"), node_id) == 0);
		(*n)++;
	}
	return self ? NULL : "this server is not among its voters";
}

static uint8_t *
encode(const struct peer *p, size_t n, size_t *len)
{
	struct rcore_member m[PEERS_MAX];
	size_t i;

	for (i = 0; i < n; i++) {
		m[i].id = p[i].id;
		m[i].address = p[i].address;
		m[i].voter = p[i].voter;
	}
	return rcore_conf_encode(m, n, len);
}

/* Did a crash come between the entry and the end of the recovery? */
static bool
entry_is_there(const struct disk_found *f, const uint8_t *conf, size_t len)
{
	const struct log_entry *e;

	if (f->n == 0)
		return false;
	e = &f->entry[f->n - 1];
	return e->type == RAFT_CHANGE && e->len == len &&
	    memcmp(e->p, conf, len) == 0 && e->term ==
	    (f->n > 1 ? e[-1].term : f->snapshot.term) + 1;
}

/*
 * The metadata, then the entry; the file goes last.  Begun again after a crash
 * it comes to the same cluster and to one entry, as on the servers that had
 * none.
 */
static void
take_effect(struct disk *d, struct disk_found *f, struct log_meta *m,
    uint8_t *conf, size_t len)
{
	bool again = (m->flags & META_RECOVERED) != 0;
	struct log_entry e;

	if (again && entry_is_there(f, conf, len)) {
		free(conf);
		return;
	}
	memset(&e, 0, sizeof(e));
	e.index = (f->n > 0 ? f->entry[f->n - 1].index : f->snapshot.index) + 1;
	e.term = (f->n > 0 ? f->entry[f->n - 1].term : f->snapshot.term) + 1;
	e.type = RAFT_CHANGE;
	e.p = conf;
	e.len = len;
	if (!again) {
		if (m->term < e.term)
			m->term = e.term;
		m->vote = 0;
		m->cluster = hash_bytes(conf, len, m->cluster) | 1;
		m->flags |= META_HAS_LOG | META_RECOVERED;
		disk_meta(d, m);
	}
	disk_append_sync(d, &e, 1);
	f->entry = xreallocarray(f->entry, f->n + 1, sizeof(*f->entry));
	f->entry[f->n++] = e;
}

/* There is no such file, or no more. */
static void
recovery_over(struct disk *d, struct log_meta *m)
{
	if ((m->flags & META_RECOVERED) == 0)
		return;
	m->flags &= ~(uint32_t)META_RECOVERED;
	disk_meta(d, m);
}

static const char *
recover(struct disk *d, struct disk_found *f, struct log_meta *m,
    const char *text, size_t textlen, const char *node_id)
{
	static char err[256];
	struct raft_configuration conf;
	struct peer p[PEERS_MAX];
	struct json *tree;
	const char *why;
	uint8_t *bytes = NULL;
	size_t n, len;

	if ((tree = json_parse(text, textlen, err, sizeof(err))) == NULL)
		return err;
	if (found_membership(f, &conf) == -1) {
		json_free(tree);
		return "there is no log to go on with";
	}
	why = read_peers(tree, &conf, node_id, p, &n);
	if (why == NULL && (bytes = encode(p, n, &len)) == NULL)
		why = "it names a server twice";
	raft_configuration_close(&conf);
	json_free(tree);
	if (why == NULL)
		take_effect(d, f, m, bytes, len);
	return why;
}

int
recover_at_start(struct disk *d, struct disk_found *f, struct log_meta *m,
    const char *dir, const char *shown, const char *node_id, char *err,
    size_t errlen)
{
	char *path, *done, *text;
	const char *why;
	size_t len;
	int rc = 1;

	xasprintf(&path, "%s/peers.json", dir);
	xasprintf(&done, "%s.used", path);
	if ((text = file_read(path, FILE_MAX, &len)) == NULL) {
		rc = errno == ENOENT ? 0 : -1;
		if (rc == -1)
			snprintf(err, errlen, "%s/peers.json: %s", shown,
			    strerror(errno));
		else
			recovery_over(d, m);
	} else if ((why = recover(d, f, m, text, len, node_id)) != NULL) {
		snprintf(err, errlen, "%s/peers.json: %s", shown, why);
		rc = -1;
	} else if (rename(path, done) == -1) {
		snprintf(err, errlen, "%s/peers.json: rename: %s", shown,
		    strerror(errno));
		rc = -1;
	} else {
		recovery_over(d, m);
		log_warnx("raft: recovered by %s/peers.json, now "
		    "peers.json.used: servers that are not in it can only come "
		    "back with an empty directory", shown);
	}
	free(text);
	free(path);
	free(done);
	return rc;
}

int
recover_alone(const char *dir, const char *node_id, const char *address,
    const char *record)
{
	char *path, *text;
	int rc;

	xasprintf(&path, "%s/recovery.log", dir);
	rc = file_write_atomic(path, record, strlen(record), 0600);
	free(path);
	if (rc == -1)
		return -1;
	xasprintf(&path, "%s/peers.json", dir);
	xasprintf(&text, "[\n  { \"id\": \"%s\", \"address\": \"%s\" }\n]\n",
	    node_id, address);
	rc = file_write_atomic(path, text, strlen(text), 0600);
	free(text);
	free(path);
	return rc;
}
