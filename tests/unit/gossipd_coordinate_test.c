/*
 * Network coordinates: the arithmetic of peers to the digit, and places that
 * tell the distance of real members.
 */
#include <math.h>

#include "common/json.h"
#include "tests/unit/gossipd_mesh.h"
#include "tests/unit/common_unit.h"

static struct mesh m;

static double
number(const struct json *j, const char *key)
{
	const struct json	*x = json_get(j, key);

	ck_assert_msg(x != NULL, "no %s", key);
	return strtod(x->str, NULL);
}

static struct coord
coord_of(const struct json *j)
{
	const struct json	*x;
	struct coord		 c;
	int			 i = 0;

	for (x = json_get(j, "Vec")->child; x != NULL; x = x->next)
		c.vec[i++] = strtod(x->str, NULL);
	ck_assert_int_eq(i, COORD_DIM);
	c.error = number(j, "Error");
	c.adjustment = number(j, "Adjustment");
	c.height = number(j, "Height");
	return c;
}

START_TEST(forty_updates_are_serfs_to_the_digit)
{
	static const char	 path[] =
				    "tests/vectors/gossip/calc-coordinate.json";
	struct coord_filter	 filter[16];
	struct coord_self	*self = coord_self_new(1);
	struct json		*j;
	const struct json	*u;
	const struct coord	*at = coord_self_at(self);
	struct coord		 other, after;
	char			*text, why[128];
	size_t			 len;
	int			 i, node, n = 0;

	memset(filter, 0, sizeof(filter));
	text = file_read(path, 1 << 20, &len);
	ck_assert_ptr_nonnull(text);
	j = json_parse(text, len, why, sizeof(why));
	ck_assert_msg(j != NULL, "%s", why);
	for (u = json_get(j, "updates")->child; u != NULL; u = u->next, n++) {
		other = coord_of(json_get(u, "other"));
		after = coord_of(json_get(u, "after"));
		node = atoi(json_get(u, "node")->str + 1);
		ck_assert_int_lt(node, (int)NELEM(filter));
		ck_assert_int_eq(coord_self_update(self, &filter[node],
		    &other, number(u, "rtt_ns") / 1e9), 0);
		for (i = 0; i < COORD_DIM; i++)
			ck_assert_msg(at->vec[i] == after.vec[i],
			    "update %d, vec %d: %.17g, not %.17g", n, i,
			    at->vec[i], after.vec[i]);
		ck_assert_double_eq(at->error, after.error);
		ck_assert_double_eq(at->adjustment, after.adjustment);
		ck_assert_double_eq(at->height, after.height);
	}
	ck_assert_int_eq(n, 40);
	json_free(j);
	free(text);
	coord_self_free(self);
}
END_TEST

START_TEST(what_is_out_of_reason_moves_nothing)
{
	struct coord_self	*self = coord_self_new(1);
	struct coord_filter	 f = { .n = 0 };
	struct coord		 other = coord_new;

	other.vec[3] = NAN;
	ck_assert_int_eq(coord_self_update(self, &f, &other, 0.01), -1);
	other.vec[3] = 0;
	other.height = INFINITY;
	ck_assert_int_eq(coord_self_update(self, &f, &other, 0.01), -1);
	other = coord_new;
	ck_assert_int_eq(coord_self_update(self, &f, &other, -0.01), -1);
	ck_assert_int_eq(coord_self_update(self, &f, &other, 10.1), -1);
	ck_assert_int_eq(coord_self_update(self, &f, &other, NAN), -1);
	ck_assert_uint_eq(f.n, 0);
	ck_assert(memcmp(coord_self_at(self), &coord_new,
	    sizeof(coord_new)) == 0);
	coord_self_free(self);
}
END_TEST

START_TEST(a_place_that_goes_wild_starts_anew)
{
	struct coord_self	*self = coord_self_new(1);
	struct coord_filter	 f = { .n = 0 };
	struct coord		 other = coord_new;

	other.vec[0] = 1e308;
	other.vec[1] = -1e308;
	ck_assert_int_eq(coord_self_update(self, &f, &other, 0.01), 0);
	ck_assert(coord_valid(coord_self_at(self)));
	ck_assert_uint_eq(coord_self_resets(self), 1);
	/* And once: nothing of it stays for the next one. */
	other = coord_new;
	other.vec[0] = 0.01;
	ck_assert_int_eq(coord_self_update(self, &f, &other, 0.01), 0);
	ck_assert_uint_eq(coord_self_resets(self), 1);
	/* Heights below the ground make distances below nothing. */
	other = coord_new;
	other.height = -1e179;
	ck_assert_int_eq(coord_self_update(self, &f, &other, 0.01), 0);
	ck_assert(coord_valid(coord_self_at(self)));
	ck_assert_double_lt(coord_distance(&coord_new, &other), -1e170);
	coord_self_free(self);
}
END_TEST

START_TEST(members_learn_their_distance_from_acks)
{
	struct coord	c;
	double		rtt;

	mesh_cluster(&m, 4);
	mesh_run(&m, 120000);
	ck_assert(serf_coord_of(m.node[0].serf, span_str("n1"), &c));
	/* The mesh takes 1 ms each way. */
	rtt = coord_distance(serf_coord(m.node[0].serf), &c);
	ck_assert_msg(rtt > 0.001 && rtt < 0.004, "%g s", rtt);
	ck_assert_double_lt(serf_coord(m.node[0].serf)->error, 1.0);
	ck_assert(serf_coord_of(m.node[0].serf, span_str("n0"), &c));
	ck_assert(memcmp(&c, serf_coord(m.node[0].serf), sizeof(c)) == 0);
	ck_assert(!serf_coord_of(m.node[0].serf, span_str("nosuch"), &c));
	mesh_free(&m);
}
END_TEST

START_TEST(a_forgotten_member_takes_its_coordinate_along)
{
	struct coord	c;

	mesh_cluster(&m, 3);
	mesh_run(&m, 20000);
	ck_assert(serf_coord_of(m.node[0].serf, span_str("n2"), &c));
	m.node[2].up = false;
	mesh_run(&m, 12000);
	ck_assert(serf_coord_of(m.node[0].serf, span_str("n2"), &c));
	ck_assert_int_eq(serf_force_leave(m.node[0].serf, m.now,
	    span_str("n2"), true), 0);
	ck_assert(!serf_coord_of(m.node[0].serf, span_str("n2"), &c));
	mesh_free(&m);
}
END_TEST

START_TEST(malformed_coordinates_still_acknowledge)
{
	static const char	*bad[] = {
		"", "\1", "\2\x80", "\1\x80", "\1\x81\xa3Vec\x90",
		"\1\x81\xa3Vec\x98\xcb\x7f\xf0\0\0\0\0\0\0\0\0\0\0\0\0\0",
	};
	struct serf	*s;
	struct probe	*p;
	struct ml_ack	 ack;
	struct wbuf	 w;
	struct coord	 c;
	size_t		 i;

	mesh_cluster(&m, 2);
	s = m.node[0].serf;
	m.cut[0][1] = m.cut[1][0] = true;
	mesh_run(&m, 1);
	c = *serf_coord(s);
	p = &serf_swim(s)->probe;
	for (i = 0; i < NELEM(bad); i++) {
		while (p->phase != PROBE_DIRECT)
			mesh_run(&m, 10);
		ack.seq = p->seq;
		ack.payload = span_of(bad[i], i == 5 ? 21 : strlen(bad[i]));
		wb_init(&w, 0);
		wb_u8(&w, ML_ACK);
		body_encode(&ml_ack_body, &ack, &w);
		serf_input(s, m.now, &m.node[1].addr, w.p, w.len);
		wb_free(&w);
		ck_assert_int_eq(p->phase, PROBE_IDLE);
		ck_assert(memcmp(&c, serf_coord(s), sizeof(c)) == 0);
	}
	mesh_free(&m);
}
END_TEST

UNIT_MAIN("gossipd_coordinate",
    forty_updates_are_serfs_to_the_digit,
    what_is_out_of_reason_moves_nothing,
    a_place_that_goes_wild_starts_anew,
    members_learn_their_distance_from_acks,
    a_forgotten_member_takes_its_coordinate_along,
    malformed_coordinates_still_acknowledge)
