/*
 * Memberships of the consensus: their bytes, which of them is in force, and
 * the change from one to the next.
 */
#include "catalogd/raft_core_i.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"

int
rcore_conf_decode(const uint8_t *p, size_t len,
    struct raft_configuration *conf)
{
	struct raft_buffer buf;
	int rc;

	if (!peer_conf_valid(p, len))
		return -1;
	/* The decoder wants memory that it may read in words. */
	buf.base = memcpy(xcalloc(1, len + 8), p, len);
	buf.len = len;
	rc = raft_configuration_decode(&buf, conf);
	free(buf.base);
	return rc == 0 ? 0 : -1;
}

uint8_t *
rcore_conf_encode(const struct rcore_member *m, size_t n, size_t *len)
{
	struct raft_configuration conf;
	struct raft_buffer buf;
	uint8_t *p;
	size_t i;

	raft_configuration_init(&conf);
	for (i = 0; i < n; i++)
		if (raft_configuration_add(&conf, m[i].id, m[i].address,
		    m[i].voter ? RAFT_VOTER : RAFT_STANDBY) != 0) {
			raft_configuration_close(&conf);
			return NULL;
		}
	if (raft_configuration_encode(&conf, &buf) != 0)
		fatalx("raft: out of memory");
	raft_configuration_close(&conf);
	p = memcpy(xmalloc(buf.len), buf.base, buf.len);
	*len = buf.len;
	raft_free(buf.base);
	return p;
}

bool
rcore_conf_alone(const struct raft_configuration *conf, uint64_t id)
{
	bool self = false;
	unsigned i, voters = 0;

	for (i = 0; i < conf->n; i++)
		if (conf->servers[i].role == RAFT_VOTER) {
			voters++;
			self = self || conf->servers[i].id == id;
		}
	return self && voters == 1;
}

void
rcore_conf_keep(struct rcore *c, uint64_t index, const uint8_t *p, size_t len)
{
	wb_reset(&c->memb);
	wb_bytes(&c->memb, p, len);
	c->memb_index = index;
}

/*
 * A membership is committed.  The core takes no notice when a later one is
 * already in its log; a rollback would then go too far back.
 */
void
rcore_conf_apply(struct rcore *c, const struct slot *s)
{
	struct raft_event e;

	memset(&e, 0, sizeof(e));
	e.type = RAFT_CONFIGURATION;
	e.configuration.index = s->index;
	if (rcore_conf_decode(s->p, s->len, &e.configuration.conf) == -1) {
		c->broken = "a membership in the log cannot be read";
		return;
	}
	rcore_conf_keep(c, s->index, s->p, s->len);
	rcore_step(c, &e);
	if (c->core.configuration_committed_index >= s->index ||
	    rcore_conf_decode(s->p, s->len, &e.configuration.conf) == -1)
		return;
	raft_configuration_close(&c->core.configuration_committed);
	c->core.configuration_committed = e.configuration.conf;
	c->core.configuration_committed_index = s->index;
}

/*
 * After entries were replaced: the membership in force is the last in the log,
 * wherever it stands, else the last applied.
 */
void
rcore_conf_settle(struct rcore *c)
{
	struct raft_configuration conf;
	const uint8_t *p = c->memb.p;
	size_t i, len = c->memb.len;
	uint64_t index = 0;
	struct slot *s;

	for (i = c->log.n; i > c->log.head && index == 0; i--) {
		s = &c->log.item[i - 1];
		if (s->index <= c->applied)
			break;
		if (s->type == RAFT_CHANGE) {
			index = s->index;
			p = s->p;
			len = s->len;
		}
	}
	if (c->core.configuration_uncommitted_index == index && index != 0)
		return;
	if (index <= c->core.configuration_committed_index) {
		if (c->core.configuration_uncommitted_index == 0)
			return;
		index = 0;
	}
	if (len == 0 || rcore_conf_decode(p, len, &conf) == -1)
		return;
	raft_configuration_close(&c->core.configuration);
	c->core.configuration = conf;
	c->core.configuration_uncommitted_index = index;
}

/* A leader that removed itself and failed would be missed: nobody else need
 * have the entry, and it does not stand for election. */
static bool
keeps_vote(const struct rcore *c, const uint8_t *p, size_t len)
{
	struct raft_configuration conf;
	bool keeps = false;
	unsigned i;

	if (rcore_conf_decode(p, len, &conf) == -1)
		return false;
	for (i = 0; i < conf.n; i++)
		if (conf.servers[i].id == c->conf.id)
			keeps = conf.servers[i].role == RAFT_VOTER;
	raft_configuration_close(&conf);
	return keeps;
}

int
rcore_change(struct rcore *c, uint64_t now, const uint8_t *conf, size_t len)
{
	struct raft_entry entry;
	struct raft_event e;
	uint64_t last;

	rcore_flush(c, now);
	if (!rcore_in_office(c) || rcore_changing(c) || rcore_transferring(c) ||
	    !keeps_vote(c, conf, len))
		return -1;
	memset(&entry, 0, sizeof(entry));
	entry.term = c->core.current_term;
	entry.type = RAFT_CHANGE;
	entry.buf.base = memcpy(xcalloc(1, len + 8), conf, len);
	entry.buf.len = len;
	memset(&e, 0, sizeof(e));
	e.type = RAFT_SUBMIT;
	e.submit.entries = &entry;
	e.submit.n = 1;
	last = raft_last_index(&c->core);
	rcore_step(c, &e);
	free(entry.buf.base);
	return raft_last_index(&c->core) > last ? 0 : -1;
}
