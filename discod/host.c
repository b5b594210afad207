/*
 * What the machine says of itself, for agent/host: texts of /proc and /etc, as
 * they are, and a few numbers.  Nothing is read out of the texts here.
 */
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <string.h>

#include "common/util.h"
#include "discod/parent.h"

#define TEXT_MAX (64u << 10)	/* of cpuinfo: the first dozens of processors */

static char *
text_of(const char *path)
{
	size_t	len;

	return file_read(path, TEXT_MAX, &len);
}

void
host_read(const char *data_dir, struct parent_host *h)
{
	struct statvfs	 fs;
	struct utsname	 u;
	struct sysinfo	 si;

	memset(h, 0, sizeof(*h));
	h->meminfo = text_of("/proc/meminfo");
	h->cpuinfo = text_of("/proc/cpuinfo");
	h->os_release = text_of("/etc/os-release");
	h->machine_id = text_of("/etc/machine-id");
	h->mounts = text_of("/proc/mounts");
	if (uname(&u) == 0) {
		str_set(&h->hostname, u.nodename);
		str_set(&h->kernel, u.release);
		str_set(&h->machine, u.machine);
	}
	if (sysinfo(&si) == 0) {
		h->uptime_s = (uint64_t)si.uptime;
		h->procs = si.procs;
	}
	str_set(&h->path, str_or(data_dir, "/"));
	if (statvfs(h->path, &fs) == 0) {
		h->disk_total = (uint64_t)fs.f_blocks * fs.f_frsize;
		h->disk_free = (uint64_t)fs.f_bavail * fs.f_frsize;
		h->disk_used = (uint64_t)(fs.f_blocks - fs.f_bfree) *
		    fs.f_frsize;
		h->inodes = fs.f_files;
		h->inodes_free = fs.f_ffree;
	}
}
