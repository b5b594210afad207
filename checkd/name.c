/*
 * DNS checks: a name that resolves passes.  dnsd asks, by the recursors that
 * it is configured with.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "common/wire.h"
#include "checkd/outcome.h"
#include "checkd/probe.h"

#define NAME_MAX_LEN	253

struct name_probe {
	const struct msg_check	*check;
	struct lookup		*lookup;
	struct ev_timer		*deadline;	/* or the end of a known one */
	char			*text;		/* told at once */
	const char		*status;
	probe_fn		*fn;
	void			*arg;
};

static void
name_cancel(void *arg)
{
	struct name_probe	*p = arg;

	if (p->lookup != NULL)
		resolver_cancel(p->lookup);
	ev_timer_free(p->deadline);
	free(p->text);
	free(p);
}

static void
on_deadline(void *arg)
{
	struct name_probe	*p = arg;
	probe_fn		*fn = p->fn;
	const char		*status = p->text != NULL ? p->status :
				    critical;
	char			*text = p->text;

	p->text = NULL;
	if (text == NULL)
		xasprintf(&text, "lookup %s: i/o timeout", p->check->dns);
	arg = p->arg;
	name_cancel(p);
	fn(status, text, arg);
	free(text);
}

static void
on_lookup(const struct sockaddr_storage *addrs, size_t n, const char *error,
    void *arg)
{
	struct name_probe	*p = arg;
	struct wbuf		 w;
	char			 addr[ADDR_TEXT_MAX];
	size_t			 i;

	p->lookup = NULL;
	wb_init(&w, 0);
	if (n == 0) {
		p->status = critical;
		wb_printf(&w, "lookup %s: %s", p->check->dns, error);
	} else {
		p->status = passing;
		wb_printf(&w, "DNS lookup %s: Success Output:",
		    p->check->dns);
		for (i = 0; i < n; i++)
			wb_printf(&w, " %s", addr_ip(&addrs[i], addr,
			    sizeof(addr)));
	}
	p->text = wb_detach_str(&w);
	ev_timer_set(p->deadline, 0);
}

static void *
name_start(struct prober *pr, const struct msg_check *c, size_t output_max,
    probe_fn *fn, void *arg)
{
	struct name_probe	*p = xcalloc(1, sizeof(*p));

	(void)output_max;
	p->check = c;
	p->fn = fn;
	p->arg = arg;
	p->deadline = ev_timer_new(pr->net.ev, on_deadline, p);
	ev_timer_set(p->deadline, probe_timeout_ms(c));
	if (strlen(c->dns) > NAME_MAX_LEN) {
		p->status = critical;
		p->text = xstrdup("lookup: the name is too long");
		ev_timer_set(p->deadline, 0);
		return p;
	}
	/* The hosts file would say nothing about the servers. */
	p->lookup = resolver_ask(pr->net.resolver, c->dns, on_lookup, p);
	if (p->lookup == NULL) {
		name_cancel(p);
		return NULL;
	}
	return p;
}

const struct probe_kind name_kind = { name_start, name_cancel };
