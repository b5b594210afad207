/*
 * checkd: probes services over the network and by scripts.  Owns when a check
 * runs, with which limits, and what its result is; which checks there are, and
 * what becomes of a result, is catalogd's.
 */
#include <fcntl.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "checkd/checkd.h"

/* Nothing beyond sockets, which every child may use. */
static const struct sandbox_role checkd_role = { .name = "checkd" };

/* Where systems keep the certificates they trust. */
static int
open_certificates(void)
{
	static const char *const	 paths[] = {
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/cert.pem"
	};
	size_t				 i;
	int				 fd;

	for (i = 0; i < NELEM(paths); i++)
		if ((fd = open(paths[i], O_RDONLY | O_CLOEXEC)) != -1)
			return fd;
	return -1;
}

static void
on_prepare(struct child *c, void *arg)
{
	struct checkd	*k = arg;

	(void)c;
	k->hosts = hosts_load(NULL);
	k->prober.net.trust = trust_new(open_certificates());
}

static void
on_conf_item(struct child *c, enum conf_kind kind, struct rbuf *b, void *arg)
{
	struct checkd	*k = arg;

	(void)c;
	if (kind == CONF_AGENT)
		return;
	if (kind != CONF_CHECKD)
		fatalx("configuration of kind %d is not for checkd",
		    (int)kind);
	schema_clear(&conf_checkd_schema, &k->conf);
	if (schema_decode(&conf_checkd_schema, b, &k->conf) == -1)
		fatalx("check configuration: %s", b->err);
}

static void
on_conf_done(struct child *c, bool first, void *arg)
{
	struct checkd	*k = arg;

	(void)c;
	(void)first;
	k->prober.output_max = k->conf.output_max_size;
	if (nets_set(&k->prober.net.allow, &k->conf.allow_targets) == -1)
		fatalx("check_allow_targets: a network that is none");
	trust_configure(k->prober.net.trust, &k->conf.tls);
	if (k->conf.tls.key != NULL)
		explicit_bzero(k->conf.tls.key, strlen(k->conf.tls.key));
}

static void
on_start(struct child *c, void *arg)
{
	struct checkd	*k = arg;
	struct ev	*ev = child_ev(c);
	struct rng	 rng;

	k->child = c;
	rng_seed_os(&rng);
	k->prober.net.ev = ev;
	k->prober.net.poller = poller_new(ev);
	k->prober.net.resolver = resolver_new(k->hosts);
	k->prober.grpcs = grpcs_new(&k->prober.net);
	k->prober.scripts = scripts_new();
	k->checks = checks_new(ev, &k->prober, rng_next(&rng), checkd_result,
	    k);
	resolver_link(k->prober.net.resolver, child_link(c, PROC_DNSD));
	scripts_link(k->prober.scripts, child_link(c, PROC_EXECD));
}

static void
on_leave(struct child *c, void *arg)
{
	struct checkd	*k = arg;

	checks_stop(k->checks);
	child_left(c);
}

static void
on_stop(struct child *c, void *arg)
{
	struct checkd	*k = arg;

	(void)c;
	checks_free(k->checks);
	k->checks = NULL;
	grpcs_free(k->prober.grpcs);
	scripts_free(k->prober.scripts);
	resolver_free(k->prober.net.resolver);
	trust_free(k->prober.net.trust);
	poller_free(k->prober.net.poller);
	nets_clear(&k->prober.net.allow);
	hosts_free(k->hosts);
	schema_clear(&conf_checkd_schema, &k->conf);
}

static const struct child_ops checkd_ops = {
	.self = PROC_CHECKD,
	.prepare = on_prepare,
	.link = checkd_link,
	.conf_item = on_conf_item,
	.conf_done = on_conf_done,
	.start = on_start,
	.msg = checkd_msg,
	.leave = on_leave,
	.stop = on_stop,
	.role = &checkd_role
};

int
main(int argc, char **argv)
{
	struct checkd	 k;

	memset(&k, 0, sizeof(k));
	return child_main(argc, argv, &checkd_ops, &k);
}
