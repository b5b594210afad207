/*
 * Members and clocks as snapshot lines, both ways.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bsd/sys/tree.h>

#include "common/util.h"
#include "gossipd/snapshot.h"

#define GROWN_MIN	(128u << 10)
#define GROWN_EACH	256
#define LINE_MAX_LEN	1024

struct known {
	RB_ENTRY(known)	 link;
	char		*addr;
	char		 name[];
};

static int
known_cmp(const struct known *a, const struct known *b)
{
	return strcmp(a->name, b->name);
}

#define TREE static __attribute__((unused))
RB_HEAD(known_tree, known);
RB_PROTOTYPE_INTERNAL(known_tree, known, link, known_cmp, TREE);
RB_GENERATE_INTERNAL(known_tree, known, link, known_cmp, TREE);

struct snapshot {
	struct known_tree	alive;
	size_t			n;
	struct serf_clocks	clock;
	bool			left;
	struct wbuf		pending;
};

struct snapshot *
snapshot_new(void)
{
	struct snapshot	*s = xcalloc(1, sizeof(*s));

	RB_INIT(&s->alive);
	wb_init(&s->pending, 0);
	return s;
}

static struct known *
find(const struct snapshot *s, const char *name)
{
	struct known	*k = RB_ROOT(&s->alive);
	int		 c;

	while (k != NULL && (c = strcmp(name, k->name)) != 0)
		k = c < 0 ? RB_LEFT(k, link) : RB_RIGHT(k, link);
	return k;
}

static void
forget(struct snapshot *s, struct known *k)
{
	RB_REMOVE(known_tree, &s->alive, k);
	s->n--;
	free(k->addr);
	free(k);
}

static void
forget_all(struct snapshot *s)
{
	while (!RB_EMPTY(&s->alive))
		forget(s, RB_ROOT(&s->alive));
}

void
snapshot_free(struct snapshot *s)
{
	if (s == NULL)
		return;
	forget_all(s);
	wb_free(&s->pending);
	free(s);
}

/* False if it is known like this. */
static bool
learn(struct snapshot *s, const char *name, const char *addr)
{
	struct known	*k = find(s, name);

	if (k != NULL && strcmp(k->addr, addr) == 0)
		return false;
	if (k == NULL) {
		k = xcalloc(1, sizeof(*k) + strlen(name) + 1);
		memcpy(k->name, name, strlen(name) + 1);
		RB_INSERT(known_tree, &s->alive, k);
		s->n++;
	}
	free(k->addr);
	k->addr = xstrdup(addr);
	return true;
}

static bool
after(char *line, const char *key, char **rest)
{
	size_t	n = strlen(key);

	if (strncmp(line, key, n) != 0)
		return false;
	*rest = line + n;
	return true;
}

static void
replay_line(struct snapshot *s, char *line, bool rejoin_after_leave)
{
	char		*rest, *blank;
	struct known	*k;

	if (after(line, "alive: ", &rest)) {
		/* A name may have blanks, an address has none. */
		if ((blank = strrchr(rest, ' ')) == NULL || blank == rest ||
		    s->n >= SWIM_MEMBERS_MAX)
			return;
		*blank = '\0';
		(void)learn(s, rest, blank + 1);
	} else if (after(line, "not-alive: ", &rest)) {
		if ((k = find(s, rest)) != NULL)
			forget(s, k);
	} else if (after(line, "clock: ", &rest))
		s->clock.member = strtoull(rest, NULL, 10);
	else if (after(line, "event-clock: ", &rest))
		s->clock.event = strtoull(rest, NULL, 10);
	else if (after(line, "query-clock: ", &rest))
		s->clock.query = strtoull(rest, NULL, 10);
	else if (strcmp(line, "leave") == 0 && !rejoin_after_leave) {
		forget_all(s);
		memset(&s->clock, 0, sizeof(s->clock));
	}
}

void
snapshot_replay(struct snapshot *s, const char *text, size_t len,
    bool rejoin_after_leave)
{
	char		 line[LINE_MAX_LEN];
	const char	*end;
	size_t		 n;

	while (len > 0) {
		/* A last line without its end was torn off in writing. */
		if ((end = memchr(text, '\n', len)) == NULL)
			return;
		n = (size_t)(end - text);
		if (n < sizeof(line) && memchr(text, '\0', n) == NULL) {
			memcpy(line, text, n);
			line[n] = '\0';
			replay_line(s, line, rejoin_after_leave);
		}
		text += n + 1;
		len -= n + 1;
	}
}

struct serf_clocks
snapshot_clocks(const struct snapshot *s)
{
	return s->clock;
}

size_t
snapshot_count(const struct snapshot *s)
{
	return s->n;
}

void
snapshot_each(const struct snapshot *s, snapshot_fn *fn, void *arg)
{
	struct known	*k;

	RB_FOREACH(k, known_tree, (struct known_tree *)(uintptr_t)&s->alive)
		fn(k->name, k->addr, arg);
}

/* A name with a line break in it would forge lines. */
static bool
writable(const char *name)
{
	return strpbrk(name, "\n\r") == NULL && strlen(name) <= NAME_MAX_LEN;
}

void
snapshot_alive(struct snapshot *s, const char *name, const char *addr)
{
	/* Once we leave, the list is what was there before. */
	if (!s->left && writable(name) && learn(s, name, addr))
		wb_printf(&s->pending, "alive: %s %s\n", name, addr);
}

void
snapshot_gone(struct snapshot *s, const char *name)
{
	struct known	*k = find(s, name);

	if (k == NULL || s->left)
		return;
	forget(s, k);
	wb_printf(&s->pending, "not-alive: %s\n", name);
}

static void
write_clock(struct wbuf *w, const char *key, uint64_t v)
{
	if (v > 0)
		wb_printf(w, "%s: %llu\n", key, (unsigned long long)v);
}

void
snapshot_clock(struct snapshot *s, const struct serf_clocks *last)
{
	if (last->member > s->clock.member)
		write_clock(&s->pending, "clock", last->member);
	if (last->event > s->clock.event)
		write_clock(&s->pending, "event-clock", last->event);
	if (last->query > s->clock.query)
		write_clock(&s->pending, "query-clock", last->query);
	s->clock = *last;
}

void
snapshot_leave(struct snapshot *s)
{
	if (s->left)
		return;
	s->left = true;
	wb_str(&s->pending, "leave\n");
}

struct wbuf *
snapshot_pending(struct snapshot *s)
{
	return &s->pending;
}

bool
snapshot_grown(const struct snapshot *s, size_t size)
{
	size_t	most = s->n * GROWN_EACH;

	return size > (most > GROWN_MIN ? most : GROWN_MIN);
}

void
snapshot_write(struct snapshot *s, struct wbuf *w)
{
	struct known	*k;

	RB_FOREACH(k, known_tree, &s->alive)
		wb_printf(w, "alive: %s %s\n", k->name, k->addr);
	write_clock(w, "clock", s->clock.member);
	write_clock(w, "event-clock", s->clock.event);
	write_clock(w, "query-clock", s->clock.query);
	if (s->left)
		wb_str(w, "leave\n");
	wb_reset(&s->pending);
}
