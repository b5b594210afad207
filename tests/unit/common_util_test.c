/*
 * Durations, UUIDs, base64, hex, addresses, randomness, files, hosts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hosts.h"
#include "common/util.h"
#include "tests/unit/common_unit.h"

START_TEST(durations_read_as_go_does)
{
	static const struct { const char *s; int64_t ns; } t[] = {
		{ "0", 0 }, { "-0", 0 }, { "0s", 0 }, { "10s", 10 * NS_PER_S },
		{ "1h30m", 5400 * NS_PER_S }, { "250ms", 250 * NS_PER_MS },
		{ "-1.5s", -1500 * NS_PER_MS }, { "+1s", NS_PER_S },
		{ ".5s", 500 * NS_PER_MS }, { "1.s", NS_PER_S },
		{ "3us", 3000 }, { "3\302\265s", 3000 }, { "3\316\274s", 3000 },
		{ "7ns", 7 }, { "0.1s", 100 * NS_PER_MS },
		{ "1m1m", 120 * NS_PER_S },
		{ "9223372036854775807ns", INT64_MAX }
	};
	static const char *const	 bad[] = { "", "10", "s", ".s", "10 s",
		"1x", "1d", "--1s", "1s ", "9223372036854775808ns",
		"2562048h", "99999999999999999999s" };
	int64_t	 ns;
	size_t	 i;

	for (i = 0; i < NELEM(t); i++) {
		ck_assert_msg(dur_parse(t[i].s, &ns) == 0, "%s", t[i].s);
		ck_assert_msg(ns == t[i].ns, "%s: %lld", t[i].s,
		    (long long)ns);
	}
	for (i = 0; i < NELEM(bad); i++)
		ck_assert_msg(dur_parse(bad[i], &ns) == -1, "%s", bad[i]);
	ck_assert_int_eq(dur_parse(NULL, &ns), -1);
}
END_TEST

START_TEST(durations_print_as_go_does)
{
	static const struct { int64_t ns; const char *s; } t[] = {
		{ 0, "0s" }, { 1, "1ns" }, { 1100, "1.1\302\265s" },
		{ 2200000, "2.2ms" }, { 3300 * NS_PER_MS, "3.3s" },
		{ 10 * NS_PER_S, "10s" }, { 60 * NS_PER_S, "1m0s" },
		{ 90 * NS_PER_S, "1m30s" }, { 3600 * NS_PER_S, "1h0m0s" },
		{ -1500 * NS_PER_MS, "-1.5s" }, { 245001 * NS_PER_MS,
		    "4m5.001s" },
		{ INT64_MAX, "2562047h47m16.854775807s" },
		{ INT64_MIN, "-2562047h47m16.854775808s" }
	};
	char	 buf[64];
	int64_t	 back;
	size_t	 i;

	for (i = 0; i < NELEM(t); i++) {
		ck_assert_str_eq(dur_format(t[i].ns, buf, sizeof(buf)), t[i].s);
		if (t[i].ns == INT64_MIN)
			continue;
		ck_assert_int_eq(dur_parse(buf, &back), 0);
		ck_assert_int_eq(back, t[i].ns);
	}
}
END_TEST

START_TEST(uuids_are_made_valid_and_different)
{
	char	 a[37], b[37];

	uuid_make(a);
	uuid_make(b);
	ck_assert(uuid_valid(a) && uuid_valid(b));
	ck_assert_str_ne(a, b);
	ck_assert_int_eq(a[14], '4');
	ck_assert(strchr("89ab", a[19]) != NULL);
	ck_assert(uuid_valid("ADF4238A-882B-9DDC-4A9D-5B6758E4159E"));
	ck_assert(!uuid_valid("adf4238a-882b-9ddc-4a9d-5b6758e4159"));
	ck_assert(!uuid_valid("adf4238a-882b-9ddc-4a9d-5b6758e4159g"));
	ck_assert(!uuid_valid("adf4238a0882b-9ddc-4a9d-5b6758e4159e"));
	ck_assert(!uuid_valid("") && !uuid_valid(NULL));
}
END_TEST

START_TEST(base64_of_rfc4648)
{
	static const char *const	 t[][2] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\373\377", "+/8=" }
	};
	static const char *const	 bad[] = { "Zg", "Zg=", "Z===",
		"====", "Zm9v\n", "Zm-v", "Zm=v", "Zm9vZ" };
	uint8_t	 out[16];
	char	*text;
	size_t	 i, n;

	for (i = 0; i < NELEM(t); i++) {
		n = strlen(t[i][0]);
		text = base64_text(t[i][0], n);
		ck_assert_str_eq(text, t[i][1]);
		ck_assert_int_eq(base64_decode(text, out, n), (int)n);
		ck_assert_mem_eq(out, t[i][0], n);
		if (n > 0)
			ck_assert_int_eq(base64_decode(text, out, n - 1), -1);
		free(text);
	}
	for (i = 0; i < NELEM(bad); i++)
		ck_assert_msg(base64_decode(bad[i], out, sizeof(out)) == -1,
		    "%s", bad[i]);
}
END_TEST

START_TEST(hex_goes_both_ways)
{
	uint8_t	 out[4];
	char	 text[9];

	hex_encode("\x00\x7f\x80\xff", 4, text);
	ck_assert_str_eq(text, "007f80ff");
	ck_assert_int_eq(hex_decode("007F80fF", 8, out), 0);
	ck_assert_mem_eq(out, "\x00\x7f\x80\xff", 4);
	ck_assert_int_eq(hex_decode("0", 1, out), -1);
	ck_assert_int_eq(hex_decode("0g", 2, out), -1);
}
END_TEST

START_TEST(addresses_read_and_print)
{
	static const struct { const char *in, *ip, *text; } t[] = {
		{ "10.0.0.1", "10.0.0.1", "10.0.0.1:53" },
		{ "10.0.0.1:80", "10.0.0.1", "10.0.0.1:80" },
		{ "::1", "::1", "[::1]:53" },
		{ "[::1]", "::1", "[::1]:53" },
		{ "[fe80::1]:8301", "fe80::1", "[fe80::1]:8301" }
	};
	static const char *const	 bad[] = { "", "host", "10.0.0.1:",
		"10.0.0.1:65536", "10.0.0.1:x", "10.0.0", "[::1", "[]:1",
		"[::1]x", "[::1]:", "1::2::3", "10.0.0.1:-1" };
	struct sockaddr_storage	 ss;
	char			 buf[ADDR_TEXT_MAX];
	size_t			 i;

	for (i = 0; i < NELEM(t); i++) {
		ck_assert_int_eq(addr_parse(t[i].in, 53, &ss), 0);
		ck_assert_str_eq(addr_ip(&ss, buf, sizeof(buf)), t[i].ip);
		ck_assert_str_eq(addr_text(&ss, buf, sizeof(buf)), t[i].text);
	}
	for (i = 0; i < NELEM(bad); i++)
		ck_assert_msg(addr_parse(bad[i], 53, &ss) == -1, "%s", bad[i]);
}
END_TEST

START_TEST(addresses_as_bytes)
{
	static const uint8_t	 mapped[16] = { [10] = 0xff, [11] = 0xff,
				    [12] = 10, [15] = 7 };
	struct sockaddr_storage	 a, b;
	uint8_t			 out[16];
	char			 buf[ADDR_TEXT_MAX];

	ck_assert_int_eq(addr_from_bytes(mapped, 16, 8301, &a), 0);
	ck_assert_int_eq(a.ss_family, AF_INET);
	ck_assert_str_eq(addr_text(&a, buf, sizeof(buf)), "10.0.0.7:8301");
	ck_assert_uint_eq(addr_to_bytes(&a, out), 4);
	ck_assert_mem_eq(out, "\x0a\x00\x00\x07", 4);
	ck_assert_int_eq(addr_from_bytes(out, 4, 1, &b), 0);
	ck_assert(addr_equal_ip(&a, &b));
	addr_set_port(&b, 99);
	ck_assert_uint_eq(addr_port(&b), 99);
	ck_assert_int_eq(addr_parse("2001:db8::7", 0, &b), 0);
	ck_assert(!addr_equal_ip(&a, &b));
	ck_assert_uint_eq(addr_to_bytes(&b, out), 16);
	ck_assert_int_eq(addr_from_bytes(out, 5, 0, &b), -1);
	memset(&b, 0, sizeof(b));
	ck_assert_uint_eq(addr_to_bytes(&b, out), 0);
	ck_assert_str_eq(addr_ip(&b, buf, sizeof(buf)), "?");
}
END_TEST

START_TEST(host_and_port_come_apart)
{
	static const struct { const char *in, *host; int port; } t[] = {
		{ "web", "web", -1 }, { "web.example:80", "web.example", 80 },
		{ "[::1]:0", "::1", 0 }, { "fe80::1", "fe80::1", -1 },
		{ ":8600", "", 8600 }
	};
	char	 host[16];
	int	 port;
	size_t	 i;

	for (i = 0; i < NELEM(t); i++) {
		ck_assert_int_eq(hostport_split(t[i].in, host, sizeof(host),
		    &port), 0);
		ck_assert_str_eq(host, t[i].host);
		ck_assert_int_eq(port, t[i].port);
	}
	ck_assert_int_eq(hostport_split("sixteen-letters.x:1", host,
	    sizeof(host), &port), -1);
	ck_assert_int_eq(hostport_split("web:http", host, sizeof(host),
	    &port), -1);
}
END_TEST

START_TEST(same_seed_same_run)
{
	struct rng	 a, b;
	unsigned	 seen[7] = { 0 }, i;
	double		 d;

	rng_seed(&a, 42);
	rng_seed(&b, 42);
	for (i = 0; i < 100; i++)
		ck_assert(rng_next(&a) == rng_next(&b));
	for (i = 0; i < 7000; i++)
		seen[rng_below(&a, 7)]++;
	for (i = 0; i < 7; i++)
		ck_assert(seen[i] > 800 && seen[i] < 1200);
	ck_assert_uint_eq(rng_below(&a, 0), 0);
	ck_assert_uint_eq(rng_below(&a, 1), 0);
	for (i = 0; i < 1000; i++) {
		d = rng_double(&a);
		ck_assert(d >= 0 && d < 1);
	}
	rng_seed_os(&a);
	rng_seed_os(&b);
	ck_assert(rng_next(&a) != rng_next(&b));
}
END_TEST

/* Published first outputs of xoshiro256** for the state 1, 2, 3, 4. */
START_TEST(generator_is_xoshiro256starstar)
{
	struct rng	 rng = { { 1, 2, 3, 4 } };

	ck_assert_uint_eq(rng_next(&rng), 11520);
	ck_assert_uint_eq(rng_next(&rng), 0);
	ck_assert_uint_eq(rng_next(&rng), 1509978240);
	ck_assert_uint_eq(rng_next(&rng), 1215971899390074240ull);
}
END_TEST

START_TEST(hash_is_fnv1a)
{
	ck_assert(hash_bytes("", 0, 0) == 0xcbf29ce484222325ull);
	ck_assert(hash_bytes("foobar", 6, 0) == 0x85944171f73967e8ull);
	ck_assert(hash_bytes("a", 1, 0) != hash_bytes("a", 1, 1));
}
END_TEST

START_TEST(a_file_is_replaced_whole)
{
	char		 dir[] = "/tmp/disco-util-XXXXXX", *path, *text;
	struct stat	 st;
	size_t		 len;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	xasprintf(&path, "%s/file", dir);
	ck_assert_int_eq(file_write_atomic(path, "one", 3, 0600), 0);
	ck_assert_int_eq(file_write_atomic(path, "second", 6, 0640), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0640);
	text = file_read(path, 6, &len);
	ck_assert_str_eq(text, "second");
	ck_assert_uint_eq(len, 6);
	free(text);
	errno = 0;
	ck_assert_ptr_null(file_read(path, 5, &len));
	ck_assert_int_eq(errno, EFBIG);
	unlink(path);
	ck_assert_ptr_null(file_read(path, 5, &len));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(rmdir(dir), 0);	/* nothing left behind */
	ck_assert_int_eq(file_write_atomic(path, "x", 1, 0600), -1);
	free(path);
}
END_TEST

static size_t
lookup(const struct hosts *h, const char *name, char first[ADDR_TEXT_MAX])
{
	struct sockaddr_storage	 out[4];
	size_t			 n = hosts_lookup(h, name, out, NELEM(out));

	first[0] = '\0';
	if (n > 0)
		addr_ip(&out[0], first, ADDR_TEXT_MAX);
	return n;
}

START_TEST(hosts_file_answers)
{
	static const char	 text[] =
	    "# comment\n"
	    "10.0.0.1\tnode1 node1.example  alias # tail\n"
	    "10.0.0.2 node1\r\n"
	    "2001:db8::3 node3\n"
	    "not-an-address node4\n"
	    "10.0.0.5";
	char		 path[] = "/tmp/disco-hosts-XXXXXX";
	char		 ip[ADDR_TEXT_MAX];
	struct hosts	*h;
	int		 fd;

	ck_assert_int_ne(fd = mkstemp(path), -1);
	ck_assert_int_eq(write(fd, text, sizeof(text) - 1),
	    (ssize_t)sizeof(text) - 1);
	close(fd);
	h = hosts_load(path);
	unlink(path);
	ck_assert_uint_eq(lookup(h, "node1", ip), 2);
	ck_assert_str_eq(ip, "10.0.0.1");
	ck_assert_uint_eq(lookup(h, "NODE1.Example.", ip), 1);
	ck_assert_uint_eq(lookup(h, "alias", ip), 1);
	ck_assert_uint_eq(lookup(h, "node3", ip), 1);
	ck_assert_str_eq(ip, "2001:db8::3");
	ck_assert_uint_eq(lookup(h, "node4", ip), 0);
	ck_assert_uint_eq(lookup(h, "node", ip), 0);
	ck_assert_uint_eq(lookup(h, "tail", ip), 0);
	ck_assert_uint_eq(lookup(h, "", ip), 0);
	ck_assert_uint_eq(lookup(h, ".", ip), 0);
	ck_assert_uint_eq(lookup(h, "192.0.2.7", ip), 1);
	ck_assert_str_eq(ip, "192.0.2.7");
	ck_assert_uint_eq(lookup(h, "localhost", ip), 2);
	ck_assert_str_eq(ip, "127.0.0.1");
	hosts_free(h);
}
END_TEST

START_TEST(a_missing_hosts_file_is_empty)
{
	struct hosts	*h = hosts_load("/nonexistent/hosts");
	char		 ip[ADDR_TEXT_MAX];

	ck_assert_uint_eq(lookup(h, "node1", ip), 0);
	ck_assert_uint_eq(lookup(h, "localhost.", ip), 2);
	hosts_free(h);
}
END_TEST

UNIT_MAIN("common_util",
    durations_read_as_go_does,
    durations_print_as_go_does,
    uuids_are_made_valid_and_different,
    base64_of_rfc4648,
    hex_goes_both_ways,
    addresses_read_and_print,
    addresses_as_bytes,
    host_and_port_come_apart,
    same_seed_same_run,
    generator_is_xoshiro256starstar,
    hash_is_fnv1a,
    a_file_is_replaced_whole,
    hosts_file_answers,
    a_missing_hosts_file_is_empty)
