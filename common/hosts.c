/*
 * Names out of /etc/hosts, kept in memory.  A name that is a literal address
 * is its own answer; localhost needs no file.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/hosts.h"
#include "common/util.h"

#define HOSTS_FILE_MAX (16u << 20)	/* block lists are a few MB */

struct host {
	char			*name;
	struct sockaddr_storage	 addr;
};

struct hosts {
	struct host	*item;
	size_t		 n, cap;
};

static void
hosts_add(struct hosts *h, const char *name,
    const struct sockaddr_storage *addr)
{
	if (h->n == h->cap) {
		h->cap = h->cap == 0 ? 16 : 2 * h->cap;
		h->item = xreallocarray(h->item, h->cap, sizeof(*h->item));
	}
	h->item[h->n].name = xstrdup(name);
	h->item[h->n++].addr = *addr;
}

static void
hosts_line(struct hosts *h, char *line)
{
	struct sockaddr_storage	 addr;
	char			*word, *save;

	line[strcspn(line, "#\r")] = '\0';
	if ((word = strtok_r(line, " \t", &save)) == NULL ||
	    addr_parse(word, 0, &addr) == -1 || addr_port(&addr) != 0)
		return;
	while ((word = strtok_r(NULL, " \t", &save)) != NULL)
		hosts_add(h, word, &addr);
}

struct hosts *
hosts_load(const char *path)
{
	struct hosts	*h = xcalloc(1, sizeof(*h));
	char		*text, *line, *rest;

	text = file_read(path != NULL ? path : "/etc/hosts", HOSTS_FILE_MAX,
	    NULL);
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL)
		hosts_line(h, line);
	free(text);
	return h;
}

void
hosts_free(struct hosts *h)
{
	size_t	 i;

	if (h == NULL)
		return;
	for (i = 0; i < h->n; i++)
		free(h->item[i].name);
	free(h->item);
	free(h);
}

/* Names compare without case and without the dot of the root. */
static bool
host_equal(const char *entry, const char *name, size_t len)
{
	return strncasecmp(entry, name, len) == 0 &&
	    (entry[len] == '\0' || strcmp(entry + len, ".") == 0);
}

size_t
hosts_lookup(const struct hosts *h, const char *name,
    struct sockaddr_storage *out, size_t max)
{
	static const char *const	 local[] = { "127.0.0.1", "::1" };
	size_t				 len = strlen(name), n = 0, i;

	if (max == 0)
		return 0;
	if (addr_parse(name, 0, out) == 0 && addr_port(out) == 0)
		return 1;
	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len == 0)
		return 0;
	for (i = 0; i < h->n && n < max; i++) {
		if (host_equal(h->item[i].name, name, len))
			out[n++] = h->item[i].addr;
	}
	if (n > 0 || !host_equal("localhost", name, len))
		return n;
	for (i = 0; i < NELEM(local) && n < max; i++) {
		if (addr_parse(local[i], 0, &out[n]) == 0)
			n++;
	}
	return n;
}
