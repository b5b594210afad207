/*
 * How a server begins: with the log on its disk, with a new one of its own or
 * of several, or with none until somebody adds it.  And its end.
 */
#include "catalogd/raft_i.h"

#include <bsd/string.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogd/raft_recover.h"
#include "common/log.h"

static uint64_t
cluster_of(const uint8_t *p, size_t n)
{
	return hash_bytes(p, n, 0) | 1;
}

/* A log's first entry. */
static struct log_entry *
first_entry(const struct replica_server *s, size_t n)
{
	struct log_entry *le = xcalloc(1, sizeof(*le));

	le->index = 1;
	le->term = 1;
	le->type = 3;		/* RAFT_CHANGE */
	le->p = replica_encode(s, n, &le->len);
	if (le->p == NULL) {
		free(le);
		return NULL;
	}
	return le;
}

uint64_t
replica_first_cluster(const struct replica_server *s, size_t n)
{
	uint64_t cluster = 0;
	size_t len;
	uint8_t *p;

	if ((p = replica_encode(s, n, &len)) != NULL)
		cluster = cluster_of(p, len);
	free(p);
	return cluster;
}

static void
describe_self(const struct replica *r, struct replica_server *s)
{
	memset(s, 0, sizeof(*s));
	s->id = r->meta.id;
	s->voter = s->self = true;
	(void)strlcpy(s->node_id, r->node_id, sizeof(s->node_id));
	(void)strlcpy(s->address, r->address, sizeof(s->address));
}

/*
 * Metadata first, then the entry, then the metadata that says there is one: a
 * crash between them starts over.
 */
static void
bootstrap_alone(struct replica *r, struct disk_found *f)
{
	struct replica_server self;

	describe_self(r, &self);
	if ((f->entry = first_entry(&self, 1)) == NULL)
		fatalx("raft: no first entry for %s", r->node_id);
	f->n = 1;
	r->meta.term = 1;
	r->meta.cluster = cluster_of(f->entry->p, f->entry->len);
	disk_meta(r->disk, &r->meta);
	if (!disk_in_memory(r->disk))
		disk_append_sync(r->disk, f->entry, f->n);
	log_info("raft: bootstrapped: this server alone");
}

static void
start_core(struct replica *r, const struct log_snapshot *snap,
    struct log_entry *e, size_t n)
{
	uint64_t now = ev_now(r->ev);

	/* What is on disk is replayed while it begins. */
	r->running = true;
	if (rcore_start(r->core, now, r->meta.term, r->meta.vote, snap, e,
	    n) == -1)
		fatalx("raft: the membership on disk cannot be read");
	replica_settle(r);
}

/* The first entry is on disk: the consensus begins with it. */
static void
booted(struct replica *r)
{
	r->booting = false;
	r->meta.flags |= META_HAS_LOG;
	disk_meta(r->disk, &r->meta);
	start_core(r, NULL, r->boot, 1);
	free(r->boot);
	r->boot = NULL;
}

int
replica_bootstrap(struct replica *r, const struct replica_server *s, size_t n)
{
	if (r->booting || !r->running || rcore_last_index(r->core) > 0 ||
	    rcore_nservers(r->core) > 0 || disk_in_memory(r->disk) ||
	    (r->boot = first_entry(s, n)) == NULL)
		return -1;
	r->running = false;
	r->booting = true;
	if (r->meta.term == 0)
		r->meta.term = 1;
	replica_save_cluster(r, cluster_of(r->boot->p, r->boot->len));
	disk_append(r->disk, r->boot, 1);
	log_info("raft: bootstrapping: %zu servers", n);
	return 0;
}

static void
on_persisted(uint64_t index, void *arg)
{
	struct replica *r = arg;

	if (r->booting) {
		if (index >= 1)
			booted(r);
		return;
	}
	if ((r->meta.flags & META_HAS_LOG) == 0) {
		r->meta.flags |= META_HAS_LOG;
		disk_meta(r->disk, &r->meta);
	}
	rcore_persisted(r->core, ev_now(r->ev), index);
	replica_settle(r);
}

static int
restore_snapshot(struct replica *r, const struct disk_found *f,
    const char *shown, char *err, size_t errlen)
{
	const char *why = "no membership";

	if (peer_conf_valid(f->snapshot.conf, f->snapshot.conf_len) &&
	    r->ops.restore(f->snapshot.index, f->snapshot.data,
	    f->snapshot.data_len, &why, r->ops.arg) == 0) {
		r->snap_index = f->snapshot.index;
		r->snap_term = f->snapshot.term;
		return 0;
	}
	snprintf(err, errlen, "%s: snapshot at index %llu: %s; to start "
	    "without this server's copy of the catalog: mv %s %s.damaged",
	    shown, (unsigned long long)f->snapshot.index, why, shown, shown);
	return -1;
}

static void
choose_id(struct replica *r, const struct disk_found *f)
{
	struct rng rng;

	if (f->has_meta) {
		r->meta = f->meta;
		if (r->meta.last != 0) {
			r->meta.last = 0;
			disk_meta(r->disk, &r->meta);
		}
		return;
	}
	/* Made anew with the data: an id whose log is lost never returns. */
	rng_seed_os(&rng);
	while ((r->meta.id = rng_next(&rng) >> 2) == 0)
		;
}

/* The log that is there, or a new one if we are told to. */
static void
prepare_log(struct replica *r, const struct replica_conf *c,
    struct disk_found *f)
{
	bool had_log = f->n > 0 || f->has_snapshot;

	choose_id(r, f);
	if (!had_log && c->bootstrap) {
		bootstrap_alone(r, f);
		had_log = true;
	}
	if (!had_log || ((r->meta.flags & META_HAS_LOG) != 0 &&
	    r->meta.cluster != 0))
		return;
	/* Until now one server was all there could be. */
	if (r->meta.cluster == 0)
		r->meta.cluster = cluster_of((uint8_t *)&r->meta.id,
		    sizeof(r->meta.id));
	r->meta.flags |= META_HAS_LOG;
	disk_meta(r->disk, &r->meta);
}

struct replica *
replica_start(struct ev *ev, const struct replica_conf *c,
    const struct replica_ops *ops, char *err, size_t errlen)
{
	struct disk_ops dops = { on_persisted, replica_on_snapshotted,
	    replica_on_full, NULL };
	struct disk_found found;
	struct replica *r;

	r = xcalloc(1, sizeof(*r));
	r->ev = ev;
	r->ops = *ops;
	r->node_id = xstrdup(str_or(c->node_id, ""));
	r->address = xstrdup(str_or(c->address, ""));
	r->dir = xstrdup(c->dir);
	wb_init(&r->taking_conf, 0);
	r->disk = disk_open(c->dir, c->shown, &found, err, errlen);
	if (r->disk == NULL || (found.has_snapshot &&
	    restore_snapshot(r, &found, c->shown, err, errlen) == -1)) {
		if (r->disk != NULL)
			disk_found_clear(&found);
		replica_free(r);
		return NULL;
	}
	if (found.cut > 0)
		log_warnx("%s: log: %llu bytes of an unfinished write cut off",
		    c->shown, (unsigned long long)found.cut);
	prepare_log(r, c, &found);
	if (!disk_in_memory(r->disk) && recover_at_start(r->disk, &found,
	    &r->meta, c->dir, c->shown, r->node_id, err, errlen) == -1) {
		disk_found_clear(&found);
		replica_free(r);
		return NULL;
	}
	dops.arg = r;
	disk_start(r->disk, ev, &dops);
	replica_make_core(r, c);
	start_core(r, found.has_snapshot ? &found.snapshot : NULL,
	    found.entry, found.n);
	disk_found_clear(&found);
	return r;
}

void
replica_free(struct replica *r)
{
	if (r == NULL)
		return;
	if (r->core != NULL)
		replica_flush(r);
	if (r->disk != NULL && (r->meta.last = disk_stop(r->disk)) != 0)
		disk_meta(r->disk, &r->meta);
	peers_free(r->peers);
	disk_incoming_free(r->install_file);
	disk_incoming_free(r->install_data);
	disk_close(r->disk);
	ev_timer_free(r->timeout);
	ev_timer_free(r->turn);
	rcore_free(r->core);
	if (r->boot != NULL)
		free((void *)(uintptr_t)r->boot->p);
	free(r->boot);
	wb_free(&r->taking_conf);
	free(r->node_id);
	free(r->address);
	free(r->dir);
	free(r);
}
