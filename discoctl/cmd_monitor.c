/*
 * monitor: the agent's log as it is written, until somebody ends it.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/util.h"
#include "discoctl/ctl.h"

static void
on_signal(int signo)
{
	(void)signo;
	_exit(0);
}

int
cmd_monitor(struct ctl *c, int argc, char **argv)
{
	const char		*level = "INFO";
	bool			 json = false;
	const struct opt	 opts[] = {
		{ "log-json", OPT_FLAG, &json, NULL, "Lines as JSON.", NULL },
		{ "log-level", OPT_STR, &level, "<string>",
		  "trace, debug, info, warn or err; by default info.", NULL },
		{ 0 }
	};
	struct sigaction	 sa = { .sa_handler = on_signal };
	struct answer		 ans;
	char			*path, *e;
	int			 i, rc;

	if ((i = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (!no_args(argc, i))
		return 1;
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	/* Each line when it comes, also into a pipe. */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	e = escape(level);
	xasprintf(&path, "/v1/agent/monitor?loglevel=%s%s", e,
	    json ? "&logjson=true" : "");
	free(e);
	rc = request_files(c, "GET", path, NULL, 0, stdout, "starting monitor",
	    &ans);
	free(path);
	if (rc == -1)
		return 1;
	answer_free(&ans);
	printf("\nRemote side ended the monitor! This usually means that the\n"
	    "remote side has exited or crashed.\n");
	return 1;
}
