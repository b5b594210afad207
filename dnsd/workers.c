/*
 * Several processes of dnsd: see workers.h.
 *
 * The kernel shares clients out by address and port, so each worker is asked
 * everything.  All have views and names and answer alike.  The zone that
 * secondaries transfer, with its serials, history and NOTIFYs, is the first's
 * alone; without secondaries nothing below happens.
 *
 *	others ---> first	DNS_PASS: a query by UDP, answered from there,
 *				for its sockets have the same address
 *				DNS_CONN: a connection, when nothing of it is
 *				under way, with what was read and not answered
 *	first ----> others	DNS_SERIAL: for the SOA of what is not there
 *
 * A first that is away answers none of that until it is back, and secondaries
 * ask again.
 */
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "dnsd/dnsd.h"
#include "dnsd/workers.h"

#define QUEUE_MAX (256u << 10)	/* bytes on the way; what comes then is lost */
#define OPCODE_NOTIFY 0x2000

/* ---- pure ---- */

bool
workers_zone_packet(const struct answer_conf *conf, const uint8_t *p,
    size_t n)
{
	struct dns_query	q;

	if (n >= DNS_HEADER && (dns_get16(p + 2) & (DNS_QR | DNS_OPCODE)) ==
	    (DNS_QR | OPCODE_NOTIFY))
		return true;
	if (dns_query_parse(&q, p, n) != DNS_PARSED)
		return false;
	if (q.qtype == DNS_T_AXFR || q.qtype == DNS_T_IXFR)
		return true;
	return q.qtype == DNS_T_SOA && dns_name_equal(q.qname, q.qname_len,
	    conf->zone.domain, conf->zone.domain_len);
}

void
workers_put(struct wbuf *w, const struct origin *o, const uint8_t *q, size_t n)
{
	wb_u32(w, o->socket);
	wb_u32(w, o->ifindex);
	wb_u8(w, o->addr_len);
	wb_bytes(w, o->addr, o->addr_len);
	wb_u8(w, o->local_len);
	wb_bytes(w, o->local, o->local_len);
	wb_bytes(w, q, n);
}

static int
get_bytes(struct rbuf *r, uint8_t *to, size_t room, uint8_t *len)
{
	const uint8_t	*p;

	*len = rb_u8(r);
	if (*len > room || (p = rb_bytes(r, *len)) == NULL)
		return -1;
	memcpy(to, p, *len);
	return 0;
}

int
workers_get(const uint8_t *body, size_t len, struct origin *o,
    const uint8_t **q, size_t *n)
{
	struct rbuf	r;

	memset(o, 0, sizeof(*o));
	o->udp = true;
	rb_init(&r, body, len);
	o->socket = rb_u32(&r);
	o->ifindex = rb_u32(&r);
	if (get_bytes(&r, o->addr, sizeof(o->addr), &o->addr_len) == -1 ||
	    get_bytes(&r, o->local, sizeof(o->local), &o->local_len) == -1)
		return -1;
	*q = r.p;
	*n = r.n;
	return 0;
}

/* ---- of the others ---- */

static struct ipc *
first(struct dnsd *d)
{
	return child_link(d->child, PROC_DNSD);
}

static bool
is_elsewhere(const uint8_t *p, size_t n, void *arg)
{
	struct dnsd	*d = arg;

	return d->worker > 0 && d->dns.secondaries.n > 0 &&
	    workers_zone_packet(&d->conf, p, n);
}

bool
dnsd_pass(struct dnsd *d, const struct origin *o, const uint8_t *q, size_t n)
{
	struct ipc	*l;
	struct wbuf	 w;

	if (!is_elsewhere(q, n, d))
		return false;
	if ((l = first(d)) == NULL || ipc_queued(l) > QUEUE_MAX)
		return true;	/* lost, as by UDP anything may be */
	wb_init(&w, 0);
	workers_put(&w, o, q, n);
	ipc_send(l, IMSG_DNS_PASS, 0, w.p, w.len, -1);
	wb_free(&w);
	return true;
}

static void
give(int fd, const uint8_t *unread, size_t n, void *arg)
{
	struct ipc	*l = first(arg);

	if (l != NULL && ipc_queued(l) <= QUEUE_MAX)
		ipc_send(l, IMSG_DNS_CONN, 0, unread, n, fd);
	else
		close(fd);
}

void
dnsd_workers_init(struct dnsd *d)
{
	d->worker = (unsigned)child_setup(d->child)->worker;
	if (d->worker > 0)
		tcp_on_give(d->tcp, is_elsewhere, give);
}

/* ---- of the first ---- */

static void
on_pass(struct dnsd *d, const struct imsg *m)
{
	struct origin	 o;
	const uint8_t	*q;
	size_t		 n;

	if (workers_get(m->body, m->len, &o, &q, &n) == -1)
		fatalx("dns: DNS_PASS of %zu bytes", m->len);
	udp_take(d->udp, &o, q, n);
}

static void
send_serial(struct ipc *l, uint32_t serial)
{
	uint8_t	body[4];

	dns_put16(body, (uint16_t)(serial >> 16));
	dns_put16(body + 2, (uint16_t)serial);
	ipc_send(l, IMSG_DNS_SERIAL, 0, body, sizeof(body), -1);
}

void
dnsd_committed(uint32_t serial, void *arg)
{
	struct dnsd	*d = arg;
	size_t		 i;

	for (i = 0; i < NELEM(d->others); i++)
		if (d->others[i] != NULL)
			send_serial(d->others[i], serial);
}

/* ---- links ---- */

void
dnsd_worker_link(struct dnsd *d, struct ipc *l)
{
	uint32_t	serial;

	if (d->worker > 0)
		return;
	d->others[child_peer_worker(d->child)] = l;
	if (l != NULL && xfr_serial(d->xfr, &serial))
		send_serial(l, serial);
}

void
dnsd_worker_msg(struct dnsd *d, const struct imsg *m)
{
	if (m->type == IMSG_DNS_SERIAL && d->worker > 0)
		d->serial = (uint32_t)dns_get16(m->body) << 16 |
		    dns_get16(m->body + 2);
	else if (m->type == IMSG_DNS_PASS && d->worker == 0)
		on_pass(d, m);
	else if (m->type == IMSG_DNS_CONN && d->worker == 0)
		tcp_take(d->tcp, m->fd, m->body, m->len);
	else
		fatalx("dns: %s from another worker", imsg_name(m->type));
}
