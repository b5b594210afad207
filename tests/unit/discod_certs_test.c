/*
 * What is said of certificates: each way in which one can be wrong has its
 * line, and a good one has none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/util.h"
#include "discod/certs.h"
#include "tests/unit/common_unit.h"

static char	 dir[64];

static char *
text(const char *name)
{
	char	*path, *t;

	if (name == NULL)
		return NULL;
	xasprintf(&path, "%s/%s", dir, name);
	t = file_read(path, 1 << 20, NULL);
	ck_assert_msg(t != NULL, "%s", path);
	free(path);
	return t;
}

struct got { struct strs hard, soft, expiring; };

static void
look(struct got *g, const char *ca, const char *cert, const char *key,
    bool server, int days)
{
	char		*a = text(ca), *b = text(cert), *k = text(key);
	struct certs	 c = { .ca = a, .cert = b, .key = k,
		    .ca_from = "CA", .cert_from = "CERT", .key_from = "KEY",
		    .name = server ? "server.dc1.consul" : NULL,
		    .now_s = (int64_t)time(NULL) + days * 86400 };

	memset(g, 0, sizeof(*g));
	certs_check(&c, &g->hard, &g->soft);
	certs_expiring(&c, true, &g->expiring);
	free(a);
	free(b);
	free(k);
}

static void
clear(struct got *g)
{
	strs_clear(&g->hard);
	strs_clear(&g->soft);
	strs_clear(&g->expiring);
}

static bool
has(const struct strs *l, const char *part)
{
	size_t	i;

	for (i = 0; i < l->n; i++)
		if (strstr(l->item[i], part) != NULL)
			return true;
	return false;
}

START_TEST(good_ones_have_no_line)
{
	struct got	g;

	look(&g, "ca.pem", "server.pem", "server.key", true, 0);
	ck_assert_uint_eq(g.hard.n + g.soft.n + g.expiring.n, 0);
	clear(&g);
	look(&g, "ca.pem", "client.pem", "client.key", false, 0);
	ck_assert_uint_eq(g.hard.n + g.soft.n + g.expiring.n, 0);
	clear(&g);
	look(&g, "both-cas.pem", "server2.pem", "server2.key", true, 0);
	ck_assert_uint_eq(g.hard.n + g.soft.n + g.expiring.n, 0);
	clear(&g);
	look(&g, "ca.pem", NULL, NULL, false, 0);
	ck_assert_uint_eq(g.hard.n + g.soft.n + g.expiring.n, 0);
	clear(&g);
}
END_TEST

static const struct {
	const char	*ca, *cert, *key;
	bool		 server, hard;
	const char	*line;
} wrong[] = {
	{ "ca.key", "server.pem", "server.key", true, true,
	    "CA: not PEM: there is no certificate in it" },
	{ "ca.pem", "server.key", "server.key", true, true,
	    "CERT: not PEM: there is no certificate in it" },
	{ "ca.pem", "server.pem", "server.pem", true, true,
	    "KEY: not PEM: there is no private key in it" },
	{ "ca.pem", "server.pem", "locked.key", true, true,
	    "KEY: the key has a passphrase" },
	{ "ca.pem", "server.pem", "client.key", true, true,
	    "KEY: the key does not belong to the certificate of CERT" },
	{ "ca.pem", "expired.pem", "expired.key", true, false,
	    "CERT: expired at 2" },
	{ "ca.pem", "early.pem", "early.key", true, false,
	    "CERT: not valid before 2" },
	{ "ca.pem", "stranger.pem", "stranger.key", true, false,
	    "CERT: not signed by the CA of CA: unable to get local issuer" },
	{ "ca.pem", "elsewhere.pem", "elsewhere.key", true, false,
	    "CERT: not for the name server.dc1.consul" },
	{ "ca.pem", "serveronly.pem", "serveronly.key", true, false,
	    "being a TLS client is not among its uses" },
};

START_TEST(each_way_to_be_wrong_has_its_line)
{
	struct got	 g;
	const struct strs *in;

	look(&g, wrong[_i].ca, wrong[_i].cert, wrong[_i].key,
	    wrong[_i].server, 0);
	in = wrong[_i].hard ? &g.hard : &g.soft;
	ck_assert_msg(has(in, wrong[_i].line), "%s: %s", wrong[_i].line,
	    in->n > 0 ? in->item[0] : "nothing");
	ck_assert_uint_eq(g.hard.n + g.soft.n, 1);
	clear(&g);
}
END_TEST

START_TEST(a_damaged_one_is_said_to_be_that)
{
	char		*b = text("server.pem"), *k = text("server.key");
	struct strs	 hard = { 0 }, soft = { 0 };
	struct certs	 c = { .cert = b, .key = k, .cert_from = "CERT",
			    .key_from = "KEY", .now_s = time(NULL) };

	memset(strstr(b, "-----\n") + 6 + 100, '%', 20);
	certs_check(&c, &hard, &soft);
	ck_assert_uint_eq(hard.n, 1);
	ck_assert_str_eq(hard.item[0], "CERT: a certificate in it is damaged");
	strs_clear(&hard);
	strs_clear(&soft);
	free(b);
	free(k);
}
END_TEST

START_TEST(a_client_needs_no_servers_name)
{
	struct got	g;

	look(&g, "ca.pem", "elsewhere.pem", "elsewhere.key", false, 0);
	ck_assert_uint_eq(g.hard.n + g.soft.n, 0);
	clear(&g);
}
END_TEST

START_TEST(warns_of_an_end_thirty_days_before)
{
	struct got	g;

	look(&g, "ca.pem", "soon.pem", "soon.key", true, 0);
	ck_assert_uint_eq(g.soft.n, 0);
	ck_assert_uint_eq(g.expiring.n, 1);
	ck_assert(has(&g.expiring, "CERT: expires in 10 days, at 2"));
	clear(&g);
	look(&g, "ca.pem", "soon.pem", "soon.key", true, 9);
	ck_assert(has(&g.expiring, "CERT: expires in 1 day, at 2"));
	clear(&g);
	look(&g, "ca.pem", "soon.pem", "soon.key", true, 10);
	ck_assert(has(&g.expiring, "CERT: expires within a day"));
	clear(&g);
	look(&g, "ca.pem", "soon.pem", "soon.key", true, 11);
	ck_assert(has(&g.expiring, "CERT: expired at"));
	ck_assert(has(&g.soft, "CERT: expired at"));
	clear(&g);
	look(&g, "ca.pem", "soon.pem", "soon.key", true, -21);
	ck_assert_uint_eq(g.expiring.n, 0);
	clear(&g);
	/* The CA's own, ten years on; of two no word. */
	look(&g, "ca.pem", NULL, NULL, true, 3640);
	ck_assert(has(&g.expiring, "CA: expires in "));
	clear(&g);
	look(&g, "both-cas.pem", NULL, NULL, true, 3640);
	ck_assert_uint_eq(g.expiring.n, 0);
	clear(&g);
}
END_TEST

int
main(void)
{
	TCase	*t = unit_case("discod_certs");
	char	 cmd[128];
	int	 status;

	unit_dir_make(dir, sizeof(dir));
	snprintf(cmd, sizeof(cmd), "tests/tls/make %s", dir);
	if (system(cmd) != 0)
		return 1;
	tcase_add_test(t, good_ones_have_no_line);
	tcase_add_loop_test(t, each_way_to_be_wrong_has_its_line, 0,
	    NELEM(wrong));
	tcase_add_test(t, a_damaged_one_is_said_to_be_that);
	tcase_add_test(t, a_client_needs_no_servers_name);
	tcase_add_test(t, warns_of_an_end_thirty_days_before);
	status = unit_case_run("discod_certs", t);
	unit_dir_remove(dir);
	return status;
}
