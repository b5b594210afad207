/*
 * A data directory that was Consul's.  node-id and serf/ mean the same to us
 * and stay where they are.  The agent's services and checks are copied into
 * catalogd's own directory, which is all that catalogd can see; the originals
 * stay, for a way back.  A server's raft.db cannot be read by us, so a server
 * does not start on it.
 */
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "discod/parent.h"

#define DEFINITION_MAX	(1u << 20)	/* one service or check, as JSON */

static void
copy_file(struct parent *p, const char *from, const char *to)
{
	char	*text;
	size_t	 len;

	if ((text = file_read(from, DEFINITION_MAX, &len)) == NULL ||
	    file_write_atomic(to, text, len, 0600) == -1)
		start_fail(p, "data_dir: cannot take over %s: %s", from,
		    strerror(errno));
	free(text);
}

static void
give(struct parent *p, const char *path)
{
	struct passwd	*pw;

	if (!p->as_root || (pw = getpwnam(proc_user(PROC_CATALOGD))) == NULL)
		return;
	if (lchown(path, pw->pw_uid, pw->pw_gid) == -1)
		start_fail(p, "data_dir: %s: give it to %s: %s", path,
		    pw->pw_name, strerror(errno));
}

/* The regular files of one directory.  How many there were. */
static unsigned
copy_dir(struct parent *p, const char *from, const char *to)
{
	struct dirent	*e;
	struct stat	 st;
	unsigned	 n = 0;
	char		*a, *b;
	DIR		*d;

	if ((d = opendir(from)) == NULL)
		return 0;
	if (mkdir(to, 0700) == -1)
		start_fail(p, "data_dir: %s: %s", to, strerror(errno));
	give(p, to);
	while ((e = readdir(d)) != NULL) {
		xasprintf(&a, "%s/%s", from, e->d_name);
		xasprintf(&b, "%s/%s", to, e->d_name);
		if (lstat(a, &st) == 0 && S_ISREG(st.st_mode)) {
			copy_file(p, a, b);
			give(p, b);
			n++;
		}
		free(a);
		free(b);
	}
	closedir(d);
	return n;
}

void
takeover(struct parent *p)
{
	static const char *const	 parts[] = {
		"services", "checks", "checks/state"
	};
	const char			*data = p->cfg.data_dir;
	char				*mine = dirs_of(p, PROC_CATALOGD);
	char				*from, *to;
	unsigned			 n;
	size_t				 i;

	if (data == NULL || mine == NULL) {
		free(mine);
		return;
	}
	xasprintf(&from, "%s/raft/raft.db", data);
	if (p->cfg.agent.server && access(from, F_OK) == 0)
		start_fail(p, "data_dir: %s belongs to a Consul server, whose "
		    "log disco cannot read: give this server another "
		    "-data-dir, and register again or restore a snapshot",
		    from);
	free(from);
	for (i = 0; i < NELEM(parts); i++) {
		xasprintf(&from, "%s/%s", data, parts[i]);
		xasprintf(&to, "%s/%s", mine, parts[i]);
		if (access(to, F_OK) == -1 && access(from, F_OK) == 0) {
			n = copy_dir(p, from, to);
			log_info("data_dir: took over %u files of Consul's %s",
			    n, from);
		}
		free(from);
		free(to);
	}
	free(mine);
}
