/*
 * What gossipd keeps on disk, when the disk or who wrote there does not behave.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "gossipd/gossipd.h"
#include "tests/unit/common_unit.h"

#define KEY "q6urq6urq6urq6urq6urqw=="

/* In place of common/child.c's. */
struct child { char dir[64], refused[512]; };

const char *
child_dir(struct child *c)
{
	return c->dir;
}

void
child_refuse(struct child *c, const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	(void)vsnprintf(c->refused, sizeof(c->refused), fmt, ap);
	va_end(ap);
}

static struct child	child;
static struct gossipd	g;
static struct pool	*const p = &g.lan;
static const struct serf_ops ops;

static void
start(void)
{
	log_init("test");
	log_set_level(LOG_L_ERR);
	memset(&child, 0, sizeof(child));
	memset(&g, 0, sizeof(g));
	(void)snprintf(child.dir, sizeof(child.dir), "/tmp/gossipd_filesXXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(child.dir));
	g.child = &child;
	g.ev = ev_new();
	p->g = &g;
	p->prefix = "";
	p->idents = idents_new();
	p->serf = serf_new(&serf_conf_lan, p->idents, &ops, p, 1);
	p->snapshot_timer = ev_timer_new(g.ev, files_snapshot_flush, p);
}

static const char *
path_of(const char *name)
{
	static char	path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", child.dir, name);
	return path;
}

static void
stop(void)
{
	files_snapshot_close(p);
	keyring_free(p->ring);
	serf_free(p->serf);
	idents_free(p->idents);
	ev_timer_free(p->snapshot_timer);
	ev_free(g.ev);
	(void)unlink(path_of("local.keyring"));
	(void)unlink(path_of("local.snapshot"));
	ck_assert_int_eq(rmdir(child.dir), 0);
}

static void
write_keyring(const char *text)
{
	ck_assert_int_eq(file_write_atomic(path_of("local.keyring"), text,
	    strlen(text), 0600), 0);
}

START_TEST(a_keyring_file_without_keys_is_not_taken_for_no_encryption)
{
	char	key[] = KEY;

	start();
	write_keyring("[]");
	g.conf.encrypt = key;
	ck_assert_int_eq(files_keyring(p), -1);
	ck_assert_ptr_nonnull(strstr(child.refused, "local.keyring"));
	ck_assert_ptr_nonnull(strstr(child.refused, "no keys in it"));
	stop();
}
END_TEST

START_TEST(the_keyring_file_counts_and_is_written_when_there_is_none)
{
	char	other[] = "HS5lJ+XuTlYKWaeGYyG+/A==";

	start();
	write_keyring("[ \"" KEY "\" ]");
	g.conf.encrypt = other;
	ck_assert_int_eq(files_keyring(p), 0);
	ck_assert_uint_eq(keyring_count(p->ring), 1);
	ck_assert_uint_eq(keyring_key(p->ring, 0, &(size_t){ 0 })[0], 0xab);
	keyring_free(p->ring);
	ck_assert_int_eq(unlink(path_of("local.keyring")), 0);
	ck_assert_int_eq(files_keyring(p), 0);
	ck_assert_uint_eq(keyring_count(p->ring), 1);
	ck_assert_int_eq(access(path_of("local.keyring"), R_OK), 0);
	files_keyring_undo(p);
	ck_assert_int_eq(access(path_of("local.keyring"), F_OK), -1);
	stop();
}
END_TEST

static bool
remembered(const char *line)
{
	size_t	 n;
	char	*text = file_read(path_of("local.snapshot"), 1u << 20, &n);
	bool	 there = text != NULL && memmem(text, n, line, strlen(line)) !=
		    NULL;

	free(text);
	return there;
}

START_TEST(a_snapshot_that_cannot_be_written_anew_is_so_later)
{
	char	away[80], name[32];
	int	i;

	start();
	files_snapshot_open(p);
	(void)snprintf(away, sizeof(away), "%s.away", child.dir);
	ck_assert_int_eq(rename(child.dir, away), 0);
	for (i = 0; i < 10000; i++) {
		(void)snprintf(name, sizeof(name), "member-%d", i);
		snapshot_alive(p->snapshot, name, "10.0.0.1:8301");
		snapshot_gone(p->snapshot, name);
	}
	files_snapshot_flush(p);
	ck_assert_int_eq(rename(away, child.dir), 0);
	snapshot_alive(p->snapshot, "late", "10.0.0.2:8301");
	files_snapshot_flush(p);
	ck_assert(remembered("alive: late 10.0.0.2:8301\n"));
	ck_assert(!remembered("member-9999"));
	snapshot_alive(p->snapshot, "later", "10.0.0.3:8301");
	files_snapshot_flush(p);
	ck_assert(remembered("alive: later 10.0.0.3:8301\n"));
	stop();
}
END_TEST

UNIT_MAIN("gossipd_files",
    a_keyring_file_without_keys_is_not_taken_for_no_encryption,
    the_keyring_file_counts_and_is_written_when_there_is_none,
    a_snapshot_that_cannot_be_written_anew_is_so_later)
