/*
 * Transfers: who may have one, and its messages, as fast as they are taken.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "dnsd/xfr_i.h"

void
xfr_transfer_free(struct xfr *x, struct transfer *t)
{
	TAILQ_REMOVE(&x->transfers, t, entry);
	x->ntransfers--;
	zone_unpin(x->zone, &t->diff);
	free(t->soa[0]);
	free(t->soa[1]);
	free(t->item);
	free(t);
}

static struct zone_rr *
soa_rr(const struct xfr *x, uint64_t serial)
{
	struct zone_rr	*r = xcalloc(1, sizeof(*r) + ZONE_SOA_MAX);

	r->len = (uint16_t)zone_soa(x->conf, (uint32_t)serial, r->wire);
	return r;
}

/* RFC 1995, 4: SOA, old SOA, what is gone, SOA, what is new, SOA; or the
 * whole zone between two SOAs. */
static void
put_items(struct xfr *x, struct transfer *t)
{
	struct zone_diff	*d = &t->diff;
	size_t			 i, n = 0;

	t->item = xcalloc(d->nadded + d->ngone + 4, sizeof(*t->item));
	t->soa[1] = soa_rr(x, d->to);
	t->item[n++] = t->soa[1];
	if (d->from != 0) {
		t->soa[0] = soa_rr(x, d->from);
		t->item[n++] = t->soa[0];
		for (i = 0; i < d->ngone; i++)
			t->item[n++] = d->gone[i];
		t->item[n++] = t->soa[1];
	}
	for (i = 0; i < d->nadded; i++)
		t->item[n++] = d->added[i];
	t->item[n++] = t->soa[1];
	t->n = n;
}

/* As many records as one message takes; at least one. */
static size_t
next_message(struct xfr *x, struct transfer *t)
{
	uint8_t		*p = x->out;
	size_t		 n = DNS_HEADER;
	uint16_t	 count = 0;

	memset(p, 0, DNS_HEADER);
	dns_put16(p, t->id);
	dns_put16(p + 2, DNS_QR | DNS_AA);
	if (t->first) {
		dns_put16(p + 4, 1);
		memcpy(p + n, t->question, t->question_len);
		n += t->question_len;
		t->first = false;
	}
	while (t->next < t->n && n + t->item[t->next]->len <= XFR_MESSAGE) {
		memcpy(p + n, t->item[t->next]->wire, t->item[t->next]->len);
		n += t->item[t->next++]->len;
		count++;
	}
	dns_put16(p + 6, count);
	return n;
}

static void
transfer_go(struct xfr *x, struct transfer *t)
{
	struct origin	o = t->origin;
	size_t		n;

	while (t->next < t->n) {
		n = next_message(x, t);
		if (!x->ops.send(&o, x->out, n, x->arg) && t->next < t->n)
			return;		/* goes on when it has drained */
	}
	xfr_transfer_free(x, t);
	x->ops.done(&o, x->arg);
}

void
xfr_drained(struct xfr *x, const struct origin *o, bool closed)
{
	struct transfer	*t, *next;

	for (t = TAILQ_FIRST(&x->transfers); t != NULL; t = next) {
		next = TAILQ_NEXT(t, entry);
		if (t->origin.socket != o->socket ||
		    t->origin.conn != o->conn)
			continue;
		if (closed)
			xfr_transfer_free(x, t);
		else {
			transfer_go(x, t);
			return;
		}
	}
}

/* The serial in an IXFR's authority section. */
static int
client_serial(const uint8_t *q, size_t len, size_t at, uint32_t *serial)
{
	uint8_t	name[DNS_NAME_MAX];
	size_t	n;

	if (dns_get16(q + 8) == 0 ||
	    (at = dns_name_read(q, len, at, name, &n)) == 0 ||
	    len - at < DNS_RR_FIXED || dns_get16(q + at) != DNS_T_SOA ||
	    (at = dns_name_read(q, len, at + DNS_RR_FIXED, name, &n)) == 0 ||
	    (at = dns_name_read(q, len, at, name, &n)) == 0 || len - at < 20)
		return -1;
	*serial = (uint32_t)dns_get16(q + at) << 16 | dns_get16(q + at + 2);
	return 0;
}

static bool
may_transfer(const struct xfr *x, const struct origin *o)
{
	struct sockaddr_storage	ss;
	size_t			i;

	memset(&ss, 0, sizeof(ss));
	memcpy(&ss, o->addr, o->addr_len);
	for (i = 0; i < x->n; i++)
		if (addr_equal_ip(&x->secondary[i].ss, &ss))
			return true;
	return false;
}

static size_t
only_soa(struct xfr *x, const struct dns_query *q, const uint8_t *in,
    uint8_t *out)
{
	size_t	n = q->question_end;

	memcpy(out, in, n);
	dns_put16(out + 2, DNS_QR | DNS_AA);
	dns_put16(out + 4, 1);
	dns_put16(out + 6, 1);
	memset(out + 8, 0, 4);
	return n + zone_soa(x->conf, (uint32_t)zone_serial(x->zone), out + n);
}

static void
start(struct xfr *x, const struct origin *o, const struct dns_query *q,
    const uint8_t *in, size_t len)
{
	struct transfer	*t = xcalloc(1, sizeof(*t));
	char		 ip[ADDR_TEXT_MAX];
	struct sockaddr_storage ss;
	uint32_t	 serial;

	memset(&ss, 0, sizeof(ss));
	memcpy(&ss, o->addr, o->addr_len);
	t->origin = *o;
	t->id = q->id;
	t->first = true;
	t->question_len = q->question_end - DNS_HEADER;
	memcpy(t->question, in + DNS_HEADER, t->question_len);
	if (q->qtype != DNS_T_IXFR ||
	    client_serial(in, len, q->question_end, &serial) == -1 ||
	    zone_since(x->zone, serial, &t->diff) == -1)
		zone_whole(x->zone, &t->diff);
	put_items(x, t);
	TAILQ_INSERT_TAIL(&x->transfers, t, entry);
	x->ntransfers++;
	log_info("dns: zone: serial %u to %s: %s, %zu records",
	    (unsigned)t->diff.to, addr_ip(&ss, ip, sizeof(ip)),
	    t->diff.from != 0 ? "what changed" : "all", t->n);
	transfer_go(x, t);
}

bool
xfr_query(struct xfr *x, const struct origin *o, const uint8_t *in,
    size_t len, uint8_t *out, size_t *n, bool *later)
{
	struct dns_query q;
	uint32_t	 serial;
	bool		 ixfr, ours;

	if (x->zone == NULL || dns_query_parse(&q, in, len) != DNS_PARSED ||
	    (q.qtype != DNS_T_AXFR && q.qtype != DNS_T_IXFR))
		return false;
	ixfr = q.qtype == DNS_T_IXFR;
	if (o->udp && !ixfr)
		return false;	/* there is no such thing */
	*later = false;
	ours = q.qclass == DNS_C_IN && dns_name_equal(q.qname, q.qname_len,
	    x->conf->zone.domain, x->conf->zone.domain_len);
	if (!ours || !may_transfer(x, o)) {
		*n = answer_error(x->conf, in, len, DNS_REFUSED, out);
		return true;
	}
	if (!xfr_complete(x) || zone_count(x->zone) == 0 ||
	    x->ntransfers >= XFR_MAX) {
		*n = answer_error(x->conf, in, len, DNS_SERVFAIL, out);
		return true;
	}
	if (o->udp || (ixfr && client_serial(in, len, q.question_end,
	    &serial) == 0 && serial == (uint32_t)zone_serial(x->zone))) {
		*n = only_soa(x, &q, in, out);
		return true;
	}
	*n = 0;
	*later = true;
	start(x, o, &q, in, len);
	return true;
}
