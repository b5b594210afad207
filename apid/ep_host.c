/*
 * /v1/agent/host: memory, processors, system and disk of this machine, in the
 * shape that Consul gives them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apid/apid.h"
#include "common/util.h"

#define CPUS_MAX 1024

/* ---- texts of the kernel: "Key:  value" by line ---- */

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '"';
}

/*
 * The value of a key in the lines from text to end, for the caller to free;
 * NULL when there is none.
 */
static char *
value_of(const char *text, const char *end, const char *key)
{
	size_t		 n = strlen(key);
	const char	*line, *p, *stop;

	for (line = text; line < end; line = stop + 1) {
		stop = line + strcspn(line, "\n");
		if (strncmp(line, key, n) == 0) {
			p = line + n;
			p += strspn(p, " \t");
			if (*p == ':' || *p == '=') {
				for (p++; p < stop && is_space(*p);)
					p++;
				while (stop > p && is_space(stop[-1]))
					stop--;
				return xstrndup(p, (size_t)(stop - p));
			}
		}
		if (*stop == '\0')
			break;
	}
	return NULL;
}

static uint64_t
number_of(const char *text, const char *key)
{
	char		*v = value_of(text, text + strlen(text), key);
	uint64_t	 n = v == NULL ? 0 : strtoull(v, NULL, 10);

	free(v);
	return n;
}

static void
put_uint(struct jw *jw, const char *key, uint64_t n)
{
	jw_key(jw, key);
	jw_uint(jw, n);
}

static void
put_text(struct jw *jw, const char *key, const char *text)
{
	jw_key(jw, key);
	jw_str(jw, text);
}

/* Takes the text. */
static void
put_taken(struct jw *jw, const char *key, char *text)
{
	put_text(jw, key, str_or(text, ""));
	free(text);
}

static void
put_percent(struct jw *jw, const char *key, uint64_t part, uint64_t of)
{
	jw_key(jw, key);
	jw_double(jw, of == 0 ? 0 : 100 * (double)part / (double)of);
}

/* ---- parts ---- */

/* kB of the kernel's as bytes; NULL: nothing here has it, 0. */
static const struct { const char *key, *kernel; } memory[] = {
	{ "active", "Active" }, { "inactive", "Inactive" }, { "wired", NULL },
	{ "laundry", NULL }, { "buffers", "Buffers" }, { "cached", "Cached" },
	{ "writeback", "Writeback" }, { "dirty", "Dirty" },
	{ "writebacktmp", "WritebackTmp" }, { "shared", "Shmem" },
	{ "slab", "Slab" }, { "sreclaimable", "SReclaimable" },
	{ "sunreclaim", "SUnreclaim" }, { "pagetables", "PageTables" },
	{ "swapcached", "SwapCached" }, { "commitlimit", "CommitLimit" },
	{ "committedas", "Committed_AS" }, { "hightotal", "HighTotal" },
	{ "highfree", "HighFree" }, { "lowtotal", "LowTotal" },
	{ "lowfree", "LowFree" }, { "swaptotal", "SwapTotal" },
	{ "swapfree", "SwapFree" }, { "mapped", "Mapped" },
	{ "vmalloctotal", "VmallocTotal" }, { "vmallocused", "VmallocUsed" },
	{ "vmallocchunk", "VmallocChunk" },
};

static void
write_memory(struct jw *jw, const char *info)
{
	uint64_t	total, available, used, idle, cached;
	size_t		i;

	total = number_of(info, "MemTotal") * 1024;
	available = number_of(info, "MemAvailable") * 1024;
	idle = number_of(info, "MemFree") * 1024;
	cached = (number_of(info, "Cached") + number_of(info, "SReclaimable")) *
	    1024;
	used = total - idle - number_of(info, "Buffers") * 1024 - cached;
	jw_key(jw, "Memory");
	jw_obj(jw);
	put_uint(jw, "total", total);
	put_uint(jw, "available", available);
	put_uint(jw, "used", used);
	put_percent(jw, "usedPercent", used, total);
	put_uint(jw, "free", idle);
	for (i = 0; i < NELEM(memory); i++)
		put_uint(jw, memory[i].key, memory[i].kernel == NULL ? 0 :
		    strcmp(memory[i].key, "cached") == 0 ? cached :
		    number_of(info, memory[i].kernel) * 1024);
	put_uint(jw, "hugepagestotal", number_of(info, "HugePages_Total"));
	put_uint(jw, "hugepagesfree", number_of(info, "HugePages_Free"));
	put_uint(jw, "hugepagesize", number_of(info, "Hugepagesize") * 1024);
	jw_end_obj(jw);
}

static void
write_flags(struct jw *jw, char *flags)
{
	char	*word, *rest = flags;

	jw_key(jw, "flags");
	jw_arr(jw);
	while (rest != NULL && (word = strsep(&rest, " ")) != NULL)
		if (*word != '\0')
			jw_str(jw, word);
	jw_end_arr(jw);
	free(flags);
}

/* One processor: what is between two empty lines. */
static void
write_cpu(struct jw *jw, const char *p, const char *end)
{
	char	*v;

	jw_obj(jw);
	v = value_of(p, end, "processor");
	put_uint(jw, "cpu", v == NULL ? 0 : strtoull(v, NULL, 10));
	free(v);
	put_taken(jw, "vendorId", value_of(p, end, "vendor_id"));
	put_taken(jw, "family", value_of(p, end, "cpu family"));
	put_taken(jw, "model", value_of(p, end, "model"));
	v = value_of(p, end, "stepping");
	put_uint(jw, "stepping", v == NULL ? 0 : strtoull(v, NULL, 10));
	free(v);
	put_taken(jw, "physicalId", value_of(p, end, "physical id"));
	put_taken(jw, "coreId", value_of(p, end, "core id"));
	put_uint(jw, "cores", 1);
	put_taken(jw, "modelName", value_of(p, end, "model name"));
	v = value_of(p, end, "cpu MHz");
	jw_key(jw, "mhz");
	jw_double(jw, v == NULL ? 0 : strtod(v, NULL));
	free(v);
	v = value_of(p, end, "cache size");
	put_uint(jw, "cacheSize", v == NULL ? 0 : strtoull(v, NULL, 10));
	free(v);
	write_flags(jw, value_of(p, end, "flags"));
	put_taken(jw, "microcode", value_of(p, end, "microcode"));
	jw_end_obj(jw);
}

static void
write_cpus(struct jw *jw, const char *info)
{
	const char	*end;
	unsigned	 n;

	jw_key(jw, "CPU");
	jw_arr(jw);
	for (n = 0; *info != '\0' && n < CPUS_MAX; n++) {
		end = strstr(info, "\n\n");
		write_cpu(jw, info, end == NULL ? info + strlen(info) : end);
		if (end == NULL)
			break;
		info = end + 2;
	}
	jw_end_arr(jw);
}

static void
write_host(struct jw *jw, const struct parent_host *h)
{
	const char	*os = str_or(h->os_release, "");
	char		*id = value_of(os, os + strlen(os), "ID");
	char		*like = value_of(os, os + strlen(os), "ID_LIKE");
	char		 machine[64];

	(void)snprintf(machine, sizeof(machine), "%.*s",
	    (int)strcspn(str_or(h->machine_id, ""), "\n"),
	    str_or(h->machine_id, ""));
	jw_key(jw, "Host");
	jw_obj(jw);
	put_text(jw, "hostname", h->hostname);
	put_uint(jw, "uptime", h->uptime_s);
	put_uint(jw, "bootTime", (uint64_t)(ev_wall_ns() / NS_PER_S) -
	    h->uptime_s);
	put_uint(jw, "procs", h->procs);
	put_text(jw, "os", "linux");
	put_text(jw, "platform", str_or(id, ""));
	put_text(jw, "platformFamily", str_or(like, str_or(id, "")));
	put_taken(jw, "platformVersion", value_of(os, os + strlen(os),
	    "VERSION_ID"));
	put_text(jw, "kernelVersion", h->kernel);
	put_text(jw, "kernelArch", h->machine);
	put_text(jw, "virtualizationSystem", "");
	put_text(jw, "virtualizationRole", strstr(str_or(h->cpuinfo, ""),
	    " hypervisor") != NULL ? "guest" : "host");
	put_text(jw, "hostid", machine);
	jw_end_obj(jw);
	free(id);
	free(like);
}

/* The type of what is mounted at the longest beginning of the path. */
static char *
filesystem_of(const char *mounts, const char *path)
{
	char		 dir[512], type[64], *best = NULL;
	size_t		 n, longest = 0;

	for (; *mounts != '\0'; mounts += strcspn(mounts, "\n"),
	    mounts += *mounts == '\n') {
		if (sscanf(mounts, "%*s %511s %63s", dir, type) != 2)
			continue;
		n = strlen(dir);
		if (n < longest || strncmp(path, dir, n) != 0 ||
		    (n > 1 && path[n] != '\0' && path[n] != '/'))
			continue;
		longest = n;
		free(best);
		best = xstrdup(type);
	}
	return best;
}

static void
write_disk(struct jw *jw, const struct parent_host *h)
{
	jw_key(jw, "Disk");
	jw_obj(jw);
	put_text(jw, "path", h->path);
	put_taken(jw, "fstype", filesystem_of(str_or(h->mounts, ""),
	    str_or(h->path, "/")));
	put_uint(jw, "total", h->disk_total);
	put_uint(jw, "free", h->disk_free);
	put_uint(jw, "used", h->disk_used);
	put_percent(jw, "usedPercent", h->disk_used, h->disk_used +
	    h->disk_free);
	put_uint(jw, "inodesTotal", h->inodes);
	put_uint(jw, "inodesUsed", h->inodes - h->inodes_free);
	put_uint(jw, "inodesFree", h->inodes_free);
	put_percent(jw, "inodesUsedPercent", h->inodes - h->inodes_free,
	    h->inodes);
	jw_end_obj(jw);
}

static void
host(struct request *r, const uint8_t *body, size_t len)
{
	struct parent_host	 h;
	struct jw		*jw;

	if (decoded(r, &parent_host_schema, body, len, &h) == -1)
		return;
	jw = json_of(r);
	jw_obj(jw);
	write_memory(jw, str_or(h.meminfo, ""));
	write_cpus(jw, str_or(h.cpuinfo, ""));
	write_host(jw, &h);
	write_disk(jw, &h);
	jw_key(jw, "CollectionTime");
	jw_int(jw, ev_wall_ns());
	jw_key(jw, "Errors");
	jw_null(jw);
	jw_end_obj(jw);
	schema_clear(&parent_host_schema, &h);
	reply_json(r, jw);
}

void
ep_agent_host(struct request *r)
{
	ask_discod(r, "Parent.Host", host);
}
