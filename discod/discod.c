/*
 * The parent of the suite: reads the configuration, binds every socket, opens
 * the log files, starts the children and keeps them.  It parses nothing that
 * came from a network.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "discod/parent.h"

/* Reads the configuration, or ends. */
static void
configure(struct parent *p, int argc, char **argv)
{
	char	err[4096];

	switch (config_load(argc, argv, &p->cfg, err, sizeof(err))) {
	case CONFIG_RUN:
		break;
	case CONFIG_CHECKED:
		exit(0);
	case CONFIG_BAD:
		fprintf(stderr, "discod: %s\n", err);
		exit(1);
	}
	p->monitor = LOG_LEVEL_NONE;
	log_set_level(p->cfg.log_level);
}

static void
log_start(struct parent *p)
{
	size_t	i;

	log_info("disco " DISCO_VERSION " starting: node %s (%s), datacenter "
	    "%s, %s", p->cfg.agent.node_name, p->cfg.agent.node_id,
	    p->cfg.agent.datacenter,
	    p->cfg.agent.server ? "server" : "client");
	suite_log_warnings(&p->cfg);
	suite_watch_expiry(p);
	if (!p->as_root)
		log_warnx("not started by root: the daemons run as this user "
		    "(%lu), without users of their own and without chroot",
		    (unsigned long)geteuid());
	for (i = 0; i < p->nbound; i++)
		if (p->bound[i].worker == 0)
			log_info("listening on %s %s (%s)",
			    bound_proto(&p->bound[i]), p->bound[i].text,
			    p->bound[i].key);
	if (p->cfg.dns_workers > 1)
		log_info("%u processes of dnsd", p->cfg.dns_workers);
}

static void
clear(struct parent *p)
{
	size_t	i;

	listen_close(p);
	sinks_close(p);
	kids_clear(p);
	dirs_remove(p);
	for (i = 0; i < NELEM(p->signals); i++)
		if (p->signals[i] != NULL)
			ev_signal_free(p->signals[i]);
	ev_timer_free(p->timer);
	ev_timer_free(p->expiry);
	ev_free(p->ev);
	config_clear(&p->cfg);
	free(p->bin_dir);
	free(p->empty_dir);
	free(p->pid_path);
	free(p->notify_path);
}

int
main(int argc, char **argv)
{
	struct parent	p = { .waiter = -1, .pid_fd = -1, .data_fd = -1,
		    .exit_status = 1 };

	start_stdio();
	log_init("discod");
	configure(&p, argc, argv);
	notify_init(&p);
	start_find_programs(&p);
	start_check_users(&p);
	start_detach(&p);

	p.started_ms = ev_hrtime() / NS_PER_MS;
	p.ev = ev_new();
	kids_init(&p);
	dirs_make(&p);
	listen_all(&p);
	sinks_open(&p);
	suite_signals(&p);
	start_banner(&p);
	log_start(&p);
	p.join_pending = p.cfg.gossip.start_join.n > 0 ||
	    p.cfg.gossip.start_join_wan.n > 0;
	kids_start(&p);
	ev_run(p.ev);

	log_info("stopped, exit status %d", p.exit_status);
	start_done(&p, p.exit_status);
	clear(&p);
	return p.exit_status;
}
