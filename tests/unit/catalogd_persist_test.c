/*
 * The files that this node's services and checks are kept in.
 */
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "catalogd/agent_files.h"
#include "catalogd/agent_persist.h"
#include "tests/unit/catalogd_agent_unit.h"

static char err[1024];

/* Of libc's place: how often it was asked for. */
static unsigned nfsync;
int	fsync(int);

int
fsync(int fd)
{
	nfsync++;
	return (int)syscall(SYS_fsync, fd);
}

/* As Consul 1.8.7 wrote them. */
static const char consul_service[] =
    "{\"Token\":\"\",\"Service\":{\"ID\":\"api1\",\"Service\":\"api\","
    "\"Tags\":null,\"Address\":\"\",\"Meta\":null,\"Port\":9,\"Weights\":"
    "{\"Passing\":1,\"Warning\":1},\"EnableTagOverride\":false,\"Proxy\":"
    "{\"MeshGateway\":{},\"Expose\":{}},\"Connect\":{},\"CreateIndex\":0,"
    "\"ModifyIndex\":0},\"Source\":\"remote\"}";
static const char consul_check[] =
    "{\"Check\":{\"Node\":\"node2\",\"CheckID\":\"nodechk\",\"Name\":"
    "\"node check\",\"Status\":\"critical\",\"Notes\":\"\",\"Output\":\"\","
    "\"ServiceID\":\"\",\"ServiceName\":\"\",\"ServiceTags\":null,\"Type\":"
    "\"ttl\",\"Definition\":{},\"CreateIndex\":0,\"ModifyIndex\":0},"
    "\"ChkType\":{\"CheckID\":\"nodechk\",\"Name\":\"node check\","
    "\"Status\":\"\",\"Notes\":\"\",\"ScriptArgs\":null,\"HTTP\":\"\","
    "\"Header\":null,\"Method\":\"\",\"Body\":\"\",\"TCP\":\"\","
    "\"Interval\":0,\"AliasNode\":\"\",\"AliasService\":\"\","
    "\"DockerContainerID\":\"\",\"Shell\":\"\",\"GRPC\":\"\","
    "\"GRPCUseTLS\":false,\"TLSSkipVerify\":false,\"Timeout\":0,\"TTL\":"
    "3600000000000,\"SuccessBeforePassing\":0,\"FailuresBeforeCritical\":0,"
    "\"ProxyHTTP\":\"\",\"ProxyGRPC\":\"\","
    "\"DeregisterCriticalServiceAfter\":0,\"OutputMaxSize\":0},"
    "\"Token\":\"\",\"Source\":\"remote\"}";
static const char consul_state[] =
    "{\"CheckID\":\"nodechk\",\"Output\":\"fine\",\"Status\":\"passing\","
    "\"Expires\":1795346424}";

START_TEST(file_names_are_those_of_consul)
{
	char	 name[PERSIST_NAME_LEN];

	persist_name("api1", name);
	ck_assert_str_eq(name, "f1f70ec40aaa556905d4a030501c0ba4");
	persist_name("service:api1", name);
	ck_assert_str_eq(name, "1dbb74aa450619213fa10ac625133328");
}
END_TEST

START_TEST(no_flipped_bit_in_a_file_is_believed)
{
	struct persisted_state p = { .check_id = xstrdup("service:web"),
	    .output = xstrdup("all is well"), .status = xstrdup("passing"),
	    .expires = 1800000000 }, q;
	const char *theirs = "{\"CheckID\":\"a\",\"Output\":\"\","
	    "\"Status\":\"passing\",\"Expires\":7}";
	char *text, *again;
	size_t len, n, i;
	int rc;

	text = persist_encode(&persisted_state_schema, &p, &len);
	for (i = 0; i < len * 8; i++) {
		text[i / 8] ^= (char)(1 << i % 8);
		rc = persist_decode_state(text, len, &q, err, sizeof(err));
		text[i / 8] ^= (char)(1 << i % 8);
		if (rc == -1)
			continue;
		/* In the name of the checksum it does no harm. */
		again = persist_encode(&persisted_state_schema, &q, &n);
		ck_assert_uint_eq(n, len);
		ck_assert_mem_eq(again, text, len);
		free(again);
		schema_clear(&persisted_state_schema, &q);
	}
	free(text);
	schema_clear(&persisted_state_schema, &p);

	/* Consul's own has none. */
	ck_assert_int_eq(persist_decode_state(theirs, strlen(theirs), &q, err,
	    sizeof(err)), 0);
	ck_assert_int_eq(q.expires, 7);
	schema_clear(&persisted_state_schema, &q);
}
END_TEST

START_TEST(nil_stays_nil_on_disk)
{
	struct persisted_service	 p, q;
	size_t				 len;
	char				*text;

	ck_assert_int_eq(persist_decode_service(consul_service,
	    sizeof(consul_service) - 1, &p, err, sizeof(err)), 0);
	ck_assert(!p.service.tags.set && !p.service.meta.set);
	text = persist_encode(&persisted_service_schema, &p, &len);
	ck_assert_ptr_nonnull(strstr(text, "\"Tags\":null"));
	ck_assert_int_eq(persist_decode_service(text, len, &q, err,
	    sizeof(err)), 0);
	ck_assert(schema_equal(&node_service_schema, &p.service,
	    &q.service));
	free(text);
	schema_clear(&persisted_service_schema, &q);
	p.service.tags.set = true;
	text = persist_encode(&persisted_service_schema, &p, &len);
	ck_assert_ptr_nonnull(strstr(text, "\"Tags\":[]"));
	free(text);
	schema_clear(&persisted_service_schema, &p);
}
END_TEST

START_TEST(broken_files_are_refused)
{
	struct persisted_service	 s;
	struct persisted_check		 c;
	struct persisted_state		 t;

	ck_assert_int_eq(persist_decode_service("{", 1, &s, err,
	    sizeof(err)), -1);
	ck_assert_int_eq(persist_decode_service("{}", 2, &s, err,
	    sizeof(err)), -1);
	ck_assert_int_eq(persist_decode_check("[]", 2, &c, err, sizeof(err)),
	    -1);
	ck_assert_int_eq(persist_decode_check("{\"ChkType\":null}", 16, &c,
	    err, sizeof(err)), -1);
	ck_assert_int_eq(persist_decode_state("\"x\"", 3, &t, err,
	    sizeof(err)), -1);
}
END_TEST

static void
put(const char *dir, const char *sub, const char *name, const char *text)
{
	char	*path;

	xasprintf(&path, "%s/%s", dir, sub);
	(void)mkdir(path, 0700);
	free(path);
	xasprintf(&path, "%s/%s/%s", dir, sub, name);
	ck_assert_int_eq(file_write_atomic(path, text, strlen(text), 0600),
	    0);
	free(path);
}

START_TEST(reads_what_consul_wrote)
{
	char			 dir[64];
	struct agent_files	*f;
	struct effects		 e;
	struct agent		*a;

	unit_dir_make(dir, sizeof(dir));
	put(dir, "services", "f1f70ec40aaa556905d4a030501c0ba4",
	    consul_service);
	put(dir, "checks", "273c9edf7d08380e6532815ae50688d7", consul_check);
	put(dir, "checks/state", "273c9edf7d08380e6532815ae50688d7",
	    consul_state);
	f = agent_files_open(dir);
	ck_assert_ptr_nonnull(f);
	a = agent_make(&e);
	agent_files_states(f, a, 1795346000);
	agent_files_services(f, a, 0);
	agent_files_checks(f, a, 0, 5000);
	agent_remember_end(a);
	ck_assert_int_eq(agent_service_find(a, "api1")->svc.port, 9);
	status_is(a, "nodechk", "passing");
	output_is(a, "nodechk", "fine");
	ck_assert_str_eq(agent_check_find(a, "nodechk")->chk.node, "node1");
	effects_clear(&e);
	agent_free(a);

	/* Too late: the state has expired. */
	a = agent_make(&e);
	agent_files_states(f, a, 1795346425);
	agent_files_services(f, a, 0);
	agent_files_checks(f, a, 0, 5000);
	status_is(a, "nodechk", "critical");
	effects_clear(&e);
	agent_free(a);
	agent_files_free(f);
	unit_dir_remove(dir);
}
END_TEST

START_TEST(restart_finds_what_was_saved)
{
	char			 dir[64];
	struct agent_files	*f;
	struct effects		 e;
	struct agent		*a;
	struct local_check	*c;

	unit_dir_make(dir, sizeof(dir));
	nfsync = 0;
	f = agent_files_open(dir);
	ck_assert_uint_eq(nfsync, 3);	/* or all in it is lost with one */
	ck_assert_ptr_nonnull(f);
	a = agent_make(&e);
	register_service(a, "{\"Name\":\"web\",\"Port\":80,\"Token\":\"t\","
	    "\"Check\":{\"HTTP\":\"http://h/\",\"Interval\":\"7s\","
	    "\"Header\":{\"X\":[\"1\",\"2\"]}}}", false, 0, err,
	    sizeof(err));
	result(a, "service:web", "passing", "", 1);
	c = agent_check_find(a, "service:web");
	ck_assert_int_eq(agent_files_save_service(f,
	    agent_service_find(a, "web")), 0);
	ck_assert_int_eq(agent_files_save_check(f, c, 0), 0);
	agent_files_save_state(f, "service:web", "passing", "up", 0);
	agent_files_alive(f, 5000);
	effects_clear(&e);
	agent_free(a);

	a = agent_make(&e);
	agent_files_states(f, a, 5060);
	agent_files_services(f, a, 0);
	agent_files_checks(f, a, 0, 5000);
	ck_assert_str_eq(agent_service_find(a, "web")->token, "t");
	c = agent_check_find(a, "service:web");
	ck_assert_str_eq(c->def.header.item[0].val.item[1], "2");
	ck_assert_int_eq(c->def.interval, 7 * NS_PER_S);
	expect(&e, "set service:web passing\n");
	agent_free(a);

	/* After a long sleep nobody knows whether it is still so. */
	a = agent_make(&e);
	agent_files_states(f, a, 9000);
	agent_files_services(f, a, 0);
	agent_files_checks(f, a, 0, 5000);
	expect(&e, "set service:web critical\n");
	agent_free(a);
	nfsync = 0;
	agent_files_drop_service(f, "web");
	agent_files_drop_check(f, "service:web");
	ck_assert_uint_eq(nfsync, 2);	/* or they are back after a crash */
	a = agent_make(&e);
	agent_files_services(f, a, 0);
	agent_files_checks(f, a, 0, 5000);
	ck_assert_ptr_null(agent_service_find(a, "web"));
	agent_free(a);
	agent_files_free(f);
	unit_dir_remove(dir);
}
END_TEST

UNIT_MAIN("catalogd_persist",
    file_names_are_those_of_consul,
    no_flipped_bit_in_a_file_is_believed,
    nil_stays_nil_on_disk,
    broken_files_are_refused,
    reads_what_consul_wrote,
    restart_finds_what_was_saved)
