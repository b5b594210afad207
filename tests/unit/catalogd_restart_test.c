/*
 * The server half on disk: what a restart brings back, what a kill may not
 * lose, what is damaged.
 */
#include <sys/wait.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/util.h"
#include "tests/unit/catalogd_world.h"

START_TEST(restart_brings_everything_back)
{
	struct indexed_check_service_nodes n;
	struct indexed_nodes a, b;
	struct world w;
	char dir[64];

	unit_dir_make(dir, sizeof(dir));
	world_init(&w, dir);
	world_start(&w);
	put_node(&w, "n1", "10.0.0.1");
	put_service(&w, "n1", "web1", "web", "v1");
	put_check(&w, "n1", "c", "web1", "passing");
	put_node(&w, "n2", "10.0.0.2");
	drop_node(&w, "n2");
	list_nodes(&w, &a);
	server_free(w.srv);
	w.names[0] = '\0';
	world_start(&w);
	list_nodes(&w, &b);
	ck_assert_uint_eq(a.index, b.index);
	ck_assert(schema_equal(&indexed_nodes_schema, &a, &b));
	schema_clear(&indexed_nodes_schema, &a);
	schema_clear(&indexed_nodes_schema, &b);
	service_nodes(&w, "web", &n);
	ck_assert_uint_eq(n.nodes.n, 1);
	ck_assert_uint_eq(n.nodes.item[0].checks.n, 1);
	schema_clear(&indexed_check_service_nodes_schema, &n);
	put_node(&w, "n3", "10.0.0.3");
	ck_assert_uint_eq(count_nodes(&w), 2);
	world_clear(&w);
	unit_dir_remove(dir);
}
END_TEST

/* Writes nodes w0, w1 ... and says on a pipe which one is acknowledged. */
static void
writer(const char *dir, int fd)
{
	struct world w;
	char name[32];
	uint32_t i;

	world_init(&w, dir);
	world_start(&w);
	for (i = 0;; i++) {
		snprintf(name, sizeof(name), "w%u", i);
		put_node(&w, name, "10.0.0.1");
		if (write(fd, &i, sizeof(i)) != sizeof(i))
			_exit(1);
	}
}

START_TEST(kill_loses_nothing_acknowledged)
{
	uint32_t last, got;
	struct world w;
	int fds[2], round, status;
	char dir[64];
	pid_t pid;

	unit_dir_make(dir, sizeof(dir));
	for (round = 0; round < 3; round++) {
		ck_assert_int_eq(pipe(fds), 0);
		if ((pid = fork()) == 0) {
			close(fds[0]);
			writer(dir, fds[1]);
		}
		close(fds[1]);
		last = 0;
		while (last < 40 + 20 * (unsigned)round &&
		    read(fds[0], &got, sizeof(got)) == sizeof(got))
			last = got;
		kill(pid, SIGKILL);
		/* What it still said before it died counts as well. */
		while (read(fds[0], &got, sizeof(got)) == sizeof(got))
			last = got;
		close(fds[0]);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status));
		ck_assert_uint_ge(last, 40);
		world_init(&w, dir);
		world_start(&w);
		ck_assert_uint_ge(count_nodes(&w), last + 1);
		world_clear(&w);
	}
	unit_dir_remove(dir);
}
END_TEST

START_TEST(damaged_log_refuses_to_start_with_a_remedy)
{
	char dir[64], path[128], err[512] = "";
	struct world w;
	uint8_t b;
	int fd, i;

	unit_dir_make(dir, sizeof(dir));
	world_init(&w, dir);
	world_start(&w);
	for (i = 0; i < 20; i++)
		put_node(&w, i % 2 ? "a" : "b", i % 3 ? "10.0.0.1" :
		    "10.0.0.2");
	server_free(w.srv);
	snprintf(path, sizeof(path), "%s/raft/log-%016x", dir, 1);
	ck_assert_int_ge(fd = open(path, O_RDWR), 0);
	ck_assert_int_eq(pread(fd, &b, 1, 300), 1);
	b ^= 0x10;
	ck_assert_int_eq(pwrite(fd, &b, 1, 300), 1);
	close(fd);
	ck_assert_int_eq(world_try_start(&w, err, sizeof(err)), -1);
	ck_assert_ptr_nonnull(strstr(err, path));
	ck_assert_ptr_nonnull(strstr(err, "mv "));
	world_clear(&w);
	unit_dir_remove(dir);
}
END_TEST

UNIT_MAIN("catalogd_restart",
    restart_brings_everything_back,
    kill_loses_nothing_acknowledged,
    damaged_log_refuses_to_start_with_a_remedy)
