/*
 * What a secondary, or somebody who says so, sends: questions for transfers by
 * TCP and UDP, answers to NOTIFY; and what the limit and the log make of any
 * message.
 *
 * Input: u8: 1 over UDP; the message.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "dnsd/query_log.h"
#include "dnsd/rrl.h"
#include "dnsd/xfr.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct ev		*ev;
static struct names		*names;
static struct xfr		*xfr;
static struct rrl		*rrl;
static struct answer_conf	 conf;
static unsigned			 messages;

/* Whatever goes out can be read record by record. */
static void
readable(const uint8_t *p, size_t n)
{
	struct dns_walk	w;
	struct dns_rr	rr;

	if (n > DNS_TCP_MAX || n < DNS_HEADER)
		abort();
	if (dns_get16(p + 4) != 1 || dns_walk_start(&w, p, n) == -1)
		return;
	while (dns_walk_next(&w, &rr))
		;
	if (w.bad)
		abort();
}

static bool
on_send(const struct origin *o, const uint8_t *p, size_t n, void *arg)
{
	(void)o;
	(void)arg;
	readable(p, n);
	messages++;
	return true;
}

static void
on_done(const struct origin *o, void *arg)
{
	(void)o;
	(void)arg;
	if (messages == 0)
		abort();
}

static void
on_notify(const struct sockaddr_storage *ss, const uint8_t *p, size_t n,
    void *arg)
{
	(void)ss;
	(void)arg;
	readable(p, n);
}

static uint32_t
wall(void *arg)
{
	(void)arg;
	return 1000;
}

static void
nothing(enum view_kind kind, const char *name, void *arg)
{
	(void)kind;
	(void)name;
	(void)arg;
}

static void
on_wake(const struct parked *p, bool failed, void *arg)
{
	(void)p;
	(void)failed;
	(void)arg;
}

static void
stop(void *arg)
{
	(void)arg;
	ev_stop(ev);
}

static void
on_committed(uint32_t serial, void *arg)
{
	(void)serial;
	(void)arg;
}

static void
web(void)
{
	struct msg_view		m = { .kind = VIEW_SERVICE, .exists = true };
	struct view_entry	*e = VEC_ADD(&m.entries);
	struct view		*v;

	m.name = xstrdup("web");
	e->node = xstrdup("n1");
	e->address = xstrdup("10.0.0.1");
	e->service_id = xstrdup("web");
	e->port = 80;
	v = view_new(&m, &conf.zone);
	schema_clear(&msg_view_schema, &m);
	xfr_view(xfr, VIEW_SERVICE, "web", v);
	(void)names_view(names, VIEW_SERVICE, "web", v, ev_now(ev));
}

static void
setup(void)
{
	static const struct names_ops nops = { nothing, nothing, on_wake };
	static const struct xfr_ops xops = { on_send, on_done, on_notify,
				    wall, on_committed };
	struct conf_agent	 a = { .domain = xstrdup("consul."),
				    .datacenter = xstrdup("dc1") };
	struct conf_dns		 d = { 0 };
	struct ev_timer		*t;

	ev = ev_new();
	if (answer_conf_set(&conf, &a, &d) == -1)
		abort();
	names = names_new(&nops, NULL, 1);
	names_begin(names, true);
	names_set(names, VIEW_SERVICE, "web", true);
	names_end(names);
	xfr = xfr_new(ev, &xops, NULL, 1);
	strs_add(&d.secondaries, "127.0.0.1");
	xfr_conf(xfr, &conf, &d.secondaries, names);
	web();
	t = ev_timer_new(ev, stop, NULL);
	ev_timer_set(t, XFR_SPACING_MS + 50);
	ev_run(ev);
	ev_timer_free(t);
	rrl = rrl_new(1);
	schema_clear(&conf_agent_schema, &a);
	schema_clear(&conf_dns_schema, &d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t		out[DNS_TCP_MAX];
	struct sockaddr_in	sin = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct origin		o = { .udp = n > 0 && (p[0] & 1),
				    .addr_len = sizeof(sin) };
	char			line[QUERY_LOG_LINE];
	size_t			len = 0;
	bool			later = false;

	if (ev == NULL)
		setup();
	if (n < 1)
		return 0;
	p++;
	n--;
	memcpy(o.addr, &sin, sizeof(sin));
	messages = 0;
	(void)xfr_heard(xfr, &o, p, n);
	if (n >= DNS_HEADER && xfr_query(xfr, &o, p, n, out, &len, &later)) {
		if (len > 0)
			readable(out, len);
		if (later && messages == 0)
			abort();
	}
	(void)rrl_check(rrl, 5, (const uint8_t *)&sin.sin_addr, 4, p, n, 0);
	query_log_line(line, "127.0.0.1", o.udp, p, n);
	return 0;
}
