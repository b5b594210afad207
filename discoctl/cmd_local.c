/*
 * agent, validate, version: what needs no running agent.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util.h"
#include "discoctl/ctl.h"

/*
 * discod stands beside us in a build tree, in ../sbin of an installed one; a
 * link named consul may lead to us from anywhere.
 */
char *
discod_path(void)
{
	static const char *const	 places[] = {
		"discod", "../sbin/discod"
	};
	char				 self[4096], *path;
	ssize_t				 n;
	size_t				 i;

	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = '\0';
		*(strrchr(self, '/') + 1) = '\0';
		for (i = 0; i < NELEM(places); i++) {
			xasprintf(&path, "%s%s", self, places[i]);
			if (access(path, X_OK) == 0)
				return path;
			free(path);
		}
	}
	return xstrdup("discod");
}

int
cmd_agent(struct ctl *c, int argc, char **argv)
{
	char	**args, *path = discod_path();
	int	  i, n = 0;

	/* As discod -f; called as consul, discod tells by its name. */
	args = xreallocarray(NULL, (size_t)argc + 3, sizeof(*args));
	args[n++] = xstrdup(c->prog);
	args[n++] = xstrdup(strcmp(c->prog, "consul") == 0 ? "agent" : "-f");
	for (i = 0; i < argc; i++)
		args[n++] = argv[i];
	args[n] = NULL;
	if (strcmp(c->prog, "consul") != 0) {
		free(args[0]);
		args[0] = xstrdup("discod");
	}
	execvp(path, args);
	fprintf(stderr, "%s: cannot run %s: %s\n", c->prog, path,
	    strerror(errno));
	return 1;
}

/* Runs discod -n; its standard output is dropped, its error text returned. */
static int
run_check(char **args, char **err)
{
	struct wbuf	 b;
	char		 buf[4096];
	ssize_t		 n;
	pid_t		 pid;
	int		 fds[2], status;

	if (pipe(fds) == -1)
		return -1;
	fflush(NULL);
	if ((pid = fork()) == -1) {
		close(fds[0]);
		close(fds[1]);
		return -1;
	}
	if (pid == 0) {
		close(fds[0]);
		if (freopen("/dev/null", "w", stdout) == NULL ||
		    dup2(fds[1], STDERR_FILENO) == -1)
			_exit(127);
		execvp(args[0], args);
		fprintf(stderr, "cannot run %s: %s\n", args[0],
		    strerror(errno));
		_exit(127);
	}
	close(fds[1]);
	wb_init(&b, 1u << 20);
	while ((n = read(fds[0], buf, sizeof(buf))) > 0)
		wb_bytes(&b, buf, (size_t)n);
	close(fds[0]);
	*err = wb_detach_str(&b);
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

int
cmd_validate(struct ctl *c, int argc, char **argv)
{
	bool			 quiet = false;
	const char		*format = NULL, *text;
	const struct opt	 opts[] = {
		{ "config-format", OPT_STR, &format, "<string>",
		  "Config files are in this format irrespective of their "
		  "extension.", NULL },
		{ "quiet", OPT_FLAG, &quiet, NULL,
		  "A successful run produces no output.", NULL },
		{ 0 }
	};
	struct stat		 st;
	char			**args, *err = NULL;
	int			 i, n = 0, rc;

	if ((i = options(c, opts, argc, argv, &rc)) == -1)
		return rc;
	if (i == argc) {
		fprintf(stderr, "Must specify at least one config file or "
		    "directory\n");
		return 1;
	}
	args = xreallocarray(NULL, (size_t)argc * 2 + 5, sizeof(*args));
	args[n++] = discod_path();
	args[n++] = xstrdup("-n");
	if (format != NULL)
		xasprintf(&args[n++], "-config-format=%s", format);
	for (; i < argc; i++)
		xasprintf(&args[n++], "-config-%s=%s",
		    stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode) ? "dir" :
		    "file", argv[i]);
	args[n] = NULL;
	rc = run_check(args, &err);
	if (rc == -1) {
		fprintf(stderr, "Config validation failed: %s\n",
		    strerror(errno));
		rc = 1;
	} else if (rc == 1) {
		text = str_or(err, "");
		if (strncmp(text, "discod: ", 8) == 0)
			text += 8;
		fprintf(stderr, "Config validation failed: %s", text);
	} else if (!quiet)
		printf("Configuration is valid!\n");
	for (i = 0; i < n; i++)
		free(args[i]);
	free(args);
	free(err);
	return rc;
}

int
cmd_version(struct ctl *c, int argc, char **argv)
{
	(void)argv;
	if (c->cmd != NULL && argc > 0 && strcmp(argv[0], "-h") == 0) {
		usage(c, NULL, stdout);
		return 0;
	}
	if (strcmp(c->prog, "consul") == 0)
		printf("Consul v1.8.7\n");
	else
		printf("disco v%s (speaks as Consul 1.8.7)\n", DISCO_VERSION);
	printf("Protocol 2 spoken by default, understands 2 to 3 (agent will "
	    "automatically use protocol >2 when speaking to compatible "
	    "agents)\n\n");
	return 0;
}
