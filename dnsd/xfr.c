/*
 * What is transferred, and who is told of it: see xfr.h.
 *
 * Where secondaries are configured, every name on the list is watched, and
 * views become records (zone.h).  The zone is complete once each name's view
 * was here; until then transfers are SERVFAIL, and no serial is said.
 *
 * The serial is the time in seconds, or one more than the last: there is one
 * new serial a second at most, so that it never runs ahead of the clock and a
 * restart does not go back.  (The catalog's index does, when a snapshot is
 * restored.)
 *
 * Happy path: something changes; NOTIFY to each secondary, until it answers;
 * it asks for the SOA and comes by TCP for what is new.
 * Failure: a secondary that does not answer finds out by the SOA's refresh;
 * one that is too far behind gets the whole zone; a connection that ends ends
 * its transfer.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "dnsd/xfr_i.h"

#define OPCODE_NOTIFY 0x2000
#define PUMP_FAILED_MAX 8	/* then as many ask as may, or nobody answers */

/* ---- names ---- */

static uint64_t
hash_name(const struct xfr *x, enum view_kind kind, const char *p, size_t n)
{
	return hash_bytes(p, n, x->seed + (uint64_t)kind);
}

static struct xname *
get(struct xfr *x, enum view_kind kind, const char *name)
{
	size_t		 n = strlen(name);
	uint64_t	 h = hash_name(x, kind, name, n);
	struct xname	*e;

	for (e = x->bucket[h % x->nbuckets]; e != NULL; e = e->next)
		if (e->hash == h && e->kind == kind && e->len == n &&
		    memcmp(e->text, name, n) == 0)
			return e;
	return NULL;
}

static void
grow(struct xfr *x, size_t n)
{
	struct xname	**b = xcalloc(n, sizeof(*b)), *e, *next;
	size_t		  i;

	for (i = 0; i < x->nbuckets; i++)
		for (e = x->bucket[i]; e != NULL; e = next) {
			next = e->next;
			e->next = b[e->hash % n];
			b[e->hash % n] = e;
		}
	free(x->bucket);
	x->bucket = b;
	x->nbuckets = n;
}

static void
name_add(struct xfr *x, enum view_kind kind, const char *name)
{
	struct xname	*e;
	size_t		 n = strlen(name);

	if ((e = get(x, kind, name)) != NULL) {
		e->listed = true;
		return;
	}
	if (x->nnames >= x->nbuckets)
		grow(x, x->nbuckets * 2);
	e = xcalloc(1, sizeof(*e) + n + 1);
	e->kind = kind;
	e->len = (uint16_t)n;
	e->listed = true;
	e->hash = hash_name(x, kind, name, n);
	memcpy(e->text, name, n);
	e->next = x->bucket[e->hash % x->nbuckets];
	x->bucket[e->hash % x->nbuckets] = e;
	x->nnames++;
	x->nunknown++;
}

static void
name_remove(struct xfr *x, struct xname **p)
{
	struct xname	*e = *p;

	*p = e->next;
	zone_drop(x->zone, &e->part);
	x->nnames--;
	if (!e->known)
		x->nunknown--;
	free(e);
}

static void
name_known(struct xfr *x, struct xname *e, const struct view *v)
{
	zone_drop(x->zone, &e->part);
	if (v != NULL)
		zone_add_view(x->zone, &e->part, x->conf, v, e->text);
	if (!e->known)
		x->nunknown--;
	e->known = true;
}

/* ---- serials ---- */

bool
xfr_complete(const struct xfr *x)
{
	return x->zone != NULL && x->nunknown == 0 &&
	    names_decides(x->names);
}

static size_t
notify_message(struct xfr *x, struct secondary *s, uint8_t *p)
{
	const struct answer_conf *c = x->conf;
	size_t	n = DNS_HEADER;

	memset(p, 0, DNS_HEADER);
	dns_put16(p, s->id);
	dns_put16(p + 2, OPCODE_NOTIFY | DNS_AA);
	dns_put16(p + 4, 1);
	dns_put16(p + 6, 1);
	memcpy(p + n, c->zone.domain, c->zone.domain_len);
	n += c->zone.domain_len;
	dns_put16(p + n, DNS_T_SOA);
	dns_put16(p + n + 2, DNS_C_IN);
	n += 4;
	return n + zone_soa(c, (uint32_t)zone_serial(x->zone), p + n);
}

static void
on_notify(void *arg)
{
	struct secondary	*s = arg;
	uint8_t			 p[DNS_HEADER + DNS_NAME_MAX + 4 +
				    ZONE_SOA_MAX];
	char			 text[ADDR_TEXT_MAX];

	if (s->tries == 0) {
		log_warnx("dns: secondary %s: no answer to NOTIFY",
		    addr_text(&s->ss, text, sizeof(text)));
		return;
	}
	s->tries--;
	s->x->ops.notify(&s->ss, p, notify_message(s->x, s, p), s->x->arg);
	ev_timer_set(s->timer, (uint64_t)XFR_NOTIFY_MS <<
	    (XFR_NOTIFY_TRIES - 1 - s->tries));
}

static void
on_commit(void *arg)
{
	struct xfr	*x = arg;
	size_t		 i;

	if (!xfr_complete(x))
		return;		/* the last name that comes brings us here */
	if (!zone_commit(x->zone, x->ops.wall(x->arg)))
		return;
	x->committed = ev_now(x->ev);
	log_debug("dns: zone: serial %u, %zu records",
	    (unsigned)zone_serial(x->zone), zone_count(x->zone));
	x->ops.committed((uint32_t)zone_serial(x->zone), x->arg);
	for (i = 0; i < x->n; i++) {
		x->secondary[i].tries = XFR_NOTIFY_TRIES;
		x->secondary[i].id = (uint16_t)rng_next(&x->rng);
		on_notify(&x->secondary[i]);
	}
}

static void
changed(struct xfr *x)
{
	uint64_t	since = ev_now(x->ev) - x->committed;

	if (!xfr_complete(x) || ev_timer_pending(x->commit))
		return;
	ev_timer_set(x->commit, since >= XFR_SPACING_MS ? 0 :
	    XFR_SPACING_MS - since);
}

/* ---- views ---- */

/* Each view is asked for: so that it comes, and stays. */
static void
on_pump(void *arg)
{
	struct xfr		*x = arg;
	const struct view	*v;
	struct xname		*e;
	size_t			 i;
	unsigned		 failed = 0;

	for (i = 0; i < x->nbuckets && failed < PUMP_FAILED_MAX; i++)
		for (e = x->bucket[i]; e != NULL; e = e->next) {
			if (e->known && x->nunknown > 0)
				continue;
			v = NULL;
			switch (names_find(x->names, e->kind, e->text, e->len,
			    ev_now(x->ev), &v)) {
			case FOUND_VIEW:
				if (!e->known)
					name_known(x, e, v);
				break;
			case FOUND_FAIL:
				failed++;
				break;
			case FOUND_NONE:	/* the list says so soon */
			case FOUND_WAIT:
				break;
			}
		}
	changed(x);
	ev_timer_set(x->pump, x->nunknown > 0 ? XFR_PUMP_MS : XFR_KEEP_MS);
}

static void
add_listed(enum view_kind kind, const char *name, void *arg)
{
	if (kind == VIEW_SERVICE || kind == VIEW_NODE)
		name_add(arg, kind, name);
}

void
xfr_names(struct xfr *x)
{
	struct xname	**p, *e;
	size_t		  i;

	if (x->zone == NULL)
		return;
	for (i = 0; i < x->nbuckets; i++)
		for (e = x->bucket[i]; e != NULL; e = e->next)
			e->listed = false;
	names_listed(x->names, add_listed, x);
	for (i = 0; i < x->nbuckets; i++)
		for (p = &x->bucket[i]; *p != NULL; ) {
			if ((*p)->listed)
				p = &(*p)->next;
			else
				name_remove(x, p);
		}
	ev_timer_set(x->pump, 0);
	changed(x);
}

void
xfr_name(struct xfr *x, enum view_kind kind, const char *name, bool exists)
{
	char		  folded[DNS_NAME_MAX + 1];
	struct xname	**p, *e;
	size_t		  i;

	if (x->zone == NULL || (kind != VIEW_SERVICE && kind != VIEW_NODE) ||
	    !names_decides(x->names))
		return;
	for (i = 0; name[i] != '\0' && i < DNS_NAME_MAX; i++)
		folded[i] = (char)dns_fold((uint8_t)name[i]);
	folded[i] = '\0';
	if (name[i] != '\0')
		return;
	if (exists) {
		name_add(x, kind, folded);
		ev_timer_set(x->pump, 0);
		return;
	}
	if ((e = get(x, kind, folded)) == NULL)
		return;
	for (p = &x->bucket[e->hash % x->nbuckets]; *p != e; p = &(*p)->next)
		;
	name_remove(x, p);
	changed(x);
}

void
xfr_view(struct xfr *x, enum view_kind kind, const char *name,
    const struct view *v)
{
	char		 folded[DNS_NAME_MAX + 1];
	struct xname	*e;
	size_t		 i;

	if (x->zone == NULL)
		return;
	for (i = 0; name[i] != '\0' && i < DNS_NAME_MAX; i++)
		folded[i] = (char)dns_fold((uint8_t)name[i]);
	folded[i] = '\0';
	if ((e = get(x, kind, folded)) == NULL)
		return;
	name_known(x, e, v);
	changed(x);
}

bool
xfr_serial(const struct xfr *x, uint32_t *serial)
{
	if (x->zone == NULL || zone_count(x->zone) == 0)
		return false;
	*serial = (uint32_t)zone_serial(x->zone);
	return true;
}

bool
xfr_heard(struct xfr *x, const struct origin *o, const uint8_t *p, size_t n)
{
	struct sockaddr_storage	 ss;
	size_t			 i;

	if (n < DNS_HEADER || (dns_get16(p + 2) & (DNS_QR | DNS_OPCODE)) !=
	    (DNS_QR | OPCODE_NOTIFY))
		return false;
	memset(&ss, 0, sizeof(ss));
	memcpy(&ss, o->addr, o->addr_len);
	for (i = 0; i < x->n; i++)
		if (addr_equal_ip(&x->secondary[i].ss, &ss) &&
		    x->secondary[i].id == dns_get16(p))
			ev_timer_stop(x->secondary[i].timer);
	return true;
}

/* ---- life ---- */

static void
zone_close(struct xfr *x)
{
	struct transfer	*t;
	size_t		 i;

	while ((t = TAILQ_FIRST(&x->transfers)) != NULL)
		xfr_transfer_free(x, t);
	for (i = 0; x->zone != NULL && i < x->nbuckets; i++)
		while (x->bucket[i] != NULL)
			name_remove(x, &x->bucket[i]);
	for (i = 0; i < x->n; i++)
		ev_timer_free(x->secondary[i].timer);
	free(x->secondary);
	x->secondary = NULL;
	x->n = 0;
	if (x->zone != NULL)
		zone_drop(x->zone, &x->apex);
	zone_free(x->zone);
	x->zone = NULL;
	ev_timer_stop(x->pump);
	ev_timer_stop(x->commit);
}

static void
set_secondaries(struct xfr *x)
{
	struct secondary	*s;
	size_t			 i;

	x->secondary = xcalloc(x->configured.n + 1, sizeof(*x->secondary));
	for (i = 0; i < x->configured.n; i++) {
		s = &x->secondary[x->n];
		if (addr_parse(x->configured.item[i], 53, &s->ss) == -1)
			continue;
		s->x = x;
		s->timer = ev_timer_new(x->ev, on_notify, s);
		x->n++;
	}
}

/* Whatever changed may be in every record: the zone is made again. */
void
xfr_conf(struct xfr *x, const struct answer_conf *c,
    const struct strs *secondaries, struct names *names)
{
	uint64_t	serial = x->zone == NULL ? 0 : zone_serial(x->zone);

	zone_close(x);
	x->conf = c;
	x->names = names;
	strs_clear(&x->configured);
	strs_copy(&x->configured, secondaries);
	if (x->configured.n == 0)
		return;
	set_secondaries(x);
	x->zone = zone_new(rng_next(&x->rng));
	zone_start(x->zone, serial);
	zone_add_apex(x->zone, &x->apex, c);
	xfr_names(x);
}

struct xfr *
xfr_new(struct ev *ev, const struct xfr_ops *ops, void *arg, uint64_t seed)
{
	struct xfr	*x = xcalloc(1, sizeof(*x));

	x->ev = ev;
	x->ops = *ops;
	x->arg = arg;
	x->seed = seed;
	rng_seed(&x->rng, seed);
	TAILQ_INIT(&x->transfers);
	x->pump = ev_timer_new(ev, on_pump, x);
	x->commit = ev_timer_new(ev, on_commit, x);
	/* Who was killed may have said another zone under this second. */
	x->committed = ev_now(ev);
	grow(x, 256);
	return x;
}

void
xfr_free(struct xfr *x)
{
	if (x == NULL)
		return;
	zone_close(x);
	ev_timer_free(x->pump);
	ev_timer_free(x->commit);
	strs_clear(&x->configured);
	free(x->bucket);
	free(x);
}
