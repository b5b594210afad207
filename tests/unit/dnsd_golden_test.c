/*
 * Answers beside those of Consul 1.8.7: the catalog of
 * tests/golden/dns/catalog.jsonl, the questions and answers of recorded.txt,
 * and differences.txt, which names each difference and why.
 *
 *	@ AGENT			the configuration that follows is for
 *	? NAME TYPE [OPTION...]	a question as dig asked it
 *	< RCODE FLAG... [edns=N]
 *	an|au|ar RECORD		in any order, or
 *	n AN AU AR		only how many (the choice was random)
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "dnsd/answer.h"
#include "tests/unit/common_unit.h"

#define GOLDEN "tests/golden/dns/"
#define RECORDS_MAX 512
#define VIEWS_MAX 512

/* ---- the catalog ---- */

struct node_row { char *name, *addr; struct strmap meta; int health; };
struct inst_row {
	const struct node_row	*node;
	const struct json	*service;
	int			 health;
};

static struct json	*rows[512];
static size_t		 nrows;
static struct node_row	 nodes[256];
static size_t		 nnodes;
static struct inst_row	 insts[256];
static size_t		 ninsts;

static const char *
text(const struct json *j, const char *key)
{
	const struct json	*v = j == NULL ? NULL : json_get(j, key);

	return v == NULL || v->str == NULL ? "" : v->str;
}

static struct node_row *
node_get(const char *name)
{
	size_t	i;

	for (i = 0; i < nnodes; i++)
		if (strcmp(nodes[i].name, name) == 0)
			return &nodes[i];
	nodes[nnodes].name = xstrdup(name);
	return &nodes[nnodes++];
}

static int
health_of(const char *status)
{
	return strcmp(status, "critical") == 0 ? 2 :
	    strcmp(status, "warning") == 0 ? 1 : 0;
}

static void
register_row(const struct json *body)
{
	struct node_row		*n = node_get(text(body, "Node"));
	const struct json	*m, *s = json_get(body, "Service"),
				*c = json_get(body, "Check");
	struct inst_row		*i;

	free(n->addr);
	n->addr = xstrdup(text(body, "Address"));
	if ((m = json_get(body, "NodeMeta")) != NULL)
		for (m = m->child; m != NULL; m = m->next)
			strmap_put(&n->meta, m->key, m->str);
	if (s != NULL) {
		i = &insts[ninsts++];
		i->node = n;
		i->service = s;
		i->health = c != NULL && *text(c, "ServiceID") != '\0' ?
		    health_of(text(c, "Status")) : 0;
	}
	if (c != NULL && *text(c, "ServiceID") == '\0')
		n->health = health_of(text(c, "Status"));
}

struct query_row { const struct json *query; bool prefix; };
static struct query_row	queries[32];
static size_t		nqueries;

static void
query_row(const struct json *body)
{
	queries[nqueries].query = body;
	queries[nqueries++].prefix = json_get(body, "Template") != NULL;
}

static void
catalog_line(const char *line, size_t len)
{
	char		 err[200];
	struct json	*j = json_parse(line, len, err, sizeof(err));

	ck_assert_msg(j != NULL, "%s", err);
	rows[nrows++] = j;
	if (strcmp(text(j, "path"), "/v1/catalog/register") == 0)
		register_row(json_get(j, "body"));
	else if (strcmp(text(j, "path"), "/v1/query") == 0)
		query_row(json_get(j, "body"));
}

static const char server_row[] =
    "{\"path\":\"/v1/catalog/register\",\"body\":{\"Node\":\"node1\","
    "\"Address\":\"10.0.0.2\",\"NodeMeta\":{\"rack\":\"r1\","
    "\"rfc1035-x\":\"hello\",\"consul-network-segment\":\"\"},\"Service\":"
    "{\"Service\":\"consul\",\"Port\":8300}}}";

static const char client_row[] =
    "{\"path\":\"/v1/catalog/register\",\"body\":{\"Node\":\"node3\","
    "\"Address\":\"10.0.0.4\"}}";

static void
load_catalog(void)
{
	char	*line = NULL;
	size_t	 cap = 0;
	ssize_t	 n;
	FILE	*f = fopen(GOLDEN "catalog.jsonl", "r");

	ck_assert_msg(f != NULL, "run it in the source directory");
	catalog_line(server_row, strlen(server_row));
	catalog_line(client_row, strlen(client_row));
	while ((n = getline(&line, &cap, f)) > 0)
		catalog_line(line, (size_t)n);
	free(line);
	fclose(f);
}

static void
put_entry(struct msg_view *m, const struct node_row *n,
    const struct inst_row *i)
{
	struct view_entry	*e = VEC_ADD(&m->entries);
	const struct json	*s, *t;
	const char		*w;

	str_set(&e->node, n->name);
	str_set(&e->address, n->addr);
	strmap_copy(&e->node_meta, &n->meta);
	if (i == NULL)
		return;
	s = i->service;
	e->health = (uint64_t)(n->health > i->health ? n->health : i->health);
	str_set(&e->service_address, text(s, "Address"));
	e->port = atoi(text(s, "Port"));
	w = text(json_get(s, "Weights"), e->health == 1 ? "Warning" :
	    "Passing");
	e->weight = *w == '\0' ? 1 : atoi(w);
	if ((t = json_get(s, "Tags")) != NULL)
		for (t = t->child; t != NULL; t = t->next)
			strs_add(&e->tags, t->str);
	if ((t = json_get(s, "TaggedAddresses")) != NULL)
		for (t = t->child; t != NULL; t = t->next)
			if (strncmp(t->key, "lan", 3) == 0)
				strmap_put(&e->service_tagged, t->key,
				    text(t, "Address"));
	if (m->kind == VIEW_REVERSE)
		str_set(&e->service, text(s, "Service"));
}

static void
fill_view(struct msg_view *m, const char *name)
{
	const struct json	*s;
	size_t			 i;

	if (m->kind != VIEW_SERVICE)
		for (i = 0; i < nnodes; i++)
			if (strcasecmp(m->kind == VIEW_NODE ? nodes[i].name :
			    nodes[i].addr, name) == 0)
				put_entry(m, &nodes[i], NULL);
	if (m->kind == VIEW_NODE || m->entries.n > 0)
		return;
	for (i = 0; i < ninsts; i++) {
		s = insts[i].service;
		if (strcasecmp(text(s, m->kind == VIEW_SERVICE ? "Service" :
		    "Address"), name) == 0)
			put_entry(m, insts[i].node, &insts[i]);
	}
}

/* A prepared query carried out; false: there is none of that name.  The
 * template among them takes what is behind its prefix for the service. */
static bool
fill_query(struct msg_view *m, const char *name)
{
	const struct json	*s = NULL;
	const char		*service = NULL;
	struct msg_view		 all = { .kind = VIEW_SERVICE };
	size_t			 i, n;

	for (i = 0; i < nqueries && service == NULL; i++) {
		n = strlen(text(queries[i].query, "Name"));
		if (strncmp(name, text(queries[i].query, "Name"), n) != 0 ||
		    (!queries[i].prefix && name[n] != '\0'))
			continue;
		s = json_get(queries[i].query, "Service");
		service = queries[i].prefix ? name + n : text(s, "Service");
		str_set(&m->ttl, text(json_get(queries[i].query, "DNS"),
		    "TTL"));
	}
	if (service == NULL)
		return false;
	str_set(&m->service, service);
	fill_view(&all, service);
	n = json_get(s, "OnlyPassing") != NULL ? 1 : 2;
	for (i = 0; i < all.entries.n; i++)
		if (all.entries.item[i].health < n)
			schema_copy(&view_entry_schema, VEC_ADD(&m->entries),
			    &all.entries.item[i]);
	schema_clear(&msg_view_schema, &all);
	return true;
}

static struct { enum view_kind kind; char *name; struct view *v; }
    views[VIEWS_MAX];
static size_t	nviews;

static void
forget_views(void)
{
	while (nviews > 0) {
		view_free(views[--nviews].v);
		free(views[nviews].name);
	}
}

static enum found
find(enum view_kind kind, const char *name, size_t len, const struct view **v,
    void *arg)
{
	const struct answer_conf *c = arg;
	struct msg_view	 m = { .kind = kind };
	size_t		 i;

	ck_assert_uint_eq(strlen(name), len);
	if (strchr(name, ' ') != NULL)
		return FOUND_NONE;	/* another datacenter's */
	for (i = 0; i < nviews; i++)
		if (views[i].kind == kind && strcmp(views[i].name, name) == 0)
			goto found;
	if (kind == VIEW_QUERY ? !fill_query(&m, name) :
	    (fill_view(&m, name), m.entries.n == 0))
		return FOUND_NONE;
	views[i].kind = kind;
	views[i].name = xstrdup(name);
	views[i].v = view_new(&m, &c->zone);
	views[i].v->ttl = answer_ttl(c, views[i].v, name);
	nviews++;
	schema_clear(&msg_view_schema, &m);
 found:
	*v = views[i].v;
	return FOUND_VIEW;
}

/* ---- configurations ---- */

static void
dns_ttl(struct conf_dns *d, const char *name, int s)
{
	struct dns_ttl	*t = VEC_ADD(&d->service_ttl);

	str_set(&t->name, name);
	t->ttl = s * NS_PER_S;
}

static void
configure(struct answer_conf *c, const char *which)
{
	struct conf_agent a = { .domain = xstrdup("consul."),
	    .datacenter = xstrdup("dc1") };
	struct conf_dns d = { .udp_answer_limit = 3, .node_meta_txt = true,
	    .soa_refresh = 3600, .soa_retry = 600, .soa_expire = 86400 };

	answer_conf_clear(c);
	forget_views();
	if (strcmp(which, "ttl") == 0) {
		d.node_ttl = 10 * NS_PER_S;
		dns_ttl(&d, "*", 5);
		dns_ttl(&d, "web", 15);
		dns_ttl(&d, "m*", 7);
		d.soa_min_ttl = 30;
		d.soa_refresh++;
		d.soa_retry++;
		d.soa_expire++;
	} else if (strcmp(which, "only_passing") == 0)
		d.only_passing = true;
	else if (strcmp(which, "truncate") == 0)
		d.enable_truncate = true;
	else if (strcmp(which, "a_record_limit_2") == 0)
		d.a_record_limit = 2;
	else if (strcmp(which, "udp_answer_limit_10") == 0)
		d.udp_answer_limit = 10;
	else if (strcmp(which, "udp_answer_limit_1") == 0)
		d.udp_answer_limit = 1;
	else if (strcmp(which, "domain") == 0) {
		str_set(&a.domain, "corp.");
		str_set(&a.alt_domain, "alt.");
	} else if (strcmp(which, "plain") == 0) {
		d.disable_compression = true;
		d.node_meta_txt = false;
	} else if (strstr(which, "recursor") == NULL)
		ck_assert_str_eq(which, "defaults");
	ck_assert_int_eq(answer_conf_set(c, &a, &d), 0);
	schema_clear(&conf_agent_schema, &a);
	schema_clear(&conf_dns_schema, &d);
}

/* ---- questions ---- */

static const struct { const char *name; uint16_t type; } types[] = {
	{ "A", 1 }, { "NS", 2 }, { "CNAME", 5 }, { "SOA", 6 }, { "PTR", 12 },
	{ "HINFO", 13 }, { "MX", 15 }, { "TXT", 16 }, { "AAAA", 28 },
	{ "SRV", 33 }, { "DS", 43 }, { "DNSKEY", 48 }, { "CAA", 257 },
	{ "AXFR", 252 }, { "ANY", 255 },
};

static const char *
type_name(uint16_t type)
{
	static char	s[16];
	size_t		i;

	for (i = 0; i < NELEM(types); i++)
		if (types[i].type == type)
			return types[i].name;
	snprintf(s, sizeof(s), "TYPE%u", type);
	return s;
}

static uint16_t
type_number(const char *s)
{
	size_t	i;

	for (i = 0; i < NELEM(types); i++)
		if (strcmp(types[i].name, s) == 0)
			return types[i].type;
	ck_assert_msg(strncmp(s, "TYPE", 4) == 0, "type %s", s);
	return (uint16_t)atoi(s + 4);
}

struct ask { bool edns, udp; uint16_t flags, class; unsigned size;
    uint8_t version; };

static void
option(struct ask *a, const char *o)
{
	if (strcmp(o, "tcp") == 0)
		a->udp = false;
	else if (strcmp(o, "noedns") == 0)
		a->edns = false;
	else if (strncmp(o, "bufsize=", 8) == 0)
		a->size = (unsigned)atoi(o + 8);
	else if (strcmp(o, "norecurse") == 0)
		a->flags &= (uint16_t)~DNS_RD;
	else if (strcmp(o, "cdflag") == 0)
		a->flags |= DNS_CD;
	else if (strcmp(o, "opcode=status") == 0)
		a->flags |= 2 << 11;
	else if (strcmp(o, "opcode=notify") == 0)
		a->flags = 4 << 11;
	else if (strcmp(o, "opcode=update") == 0)
		a->flags |= 5 << 11;
	else if (strncmp(o, "edns=", 5) == 0)
		a->version = (uint8_t)atoi(o + 5);
	else if (strcmp(o, "CH") == 0)
		a->class = 3;
	else if (strcmp(o, "HS") == 0)
		a->class = 4;
	else if (strcmp(o, "ANY") == 0)
		a->class = 255;
	else
		ck_assert_msg(strcmp(o, "adflag") == 0 ||
		    strcmp(o, "dnssec") == 0 || strcmp(o, "nsid") == 0 ||
		    strcmp(o, "nocookie") == 0 ||
		    strncmp(o, "subnet=", 7) == 0, "option %s", o);
}

static size_t
make_query(const char *line, uint8_t *out, struct ask *a)
{
	char		*copy = xstrdup(line), *save, *w;
	const char	*name = strtok_r(copy, " ", &save),
			*type = strtok_r(NULL, " ", &save);
	uint8_t		 wire[DNS_NAME_MAX];
	size_t		 n, len;

	*a = (struct ask){ .edns = true, .udp = true, .size = 1232,
	    .flags = DNS_RD | DNS_AD, .class = 1 };
	while ((w = strtok_r(NULL, " ", &save)) != NULL)
		option(a, w);
	len = dns_name_from_text(strcmp(name, ".") == 0 ? "" : name, wire);
	ck_assert_uint_gt(len, 0);
	memset(out, 0, DNS_HEADER);
	dns_put16(out, 0x1234);
	dns_put16(out + 2, a->flags);
	dns_put16(out + 4, 1);
	n = DNS_HEADER;
	memcpy(out + n, wire, len);
	n += len;
	dns_put16(out + n, type_number(type));
	dns_put16(out + n + 2, a->class);
	n += 4;
	if (a->edns) {
		dns_put16(out + 10, 1);
		memset(out + n, 0, 11);
		dns_put16(out + n + 1, DNS_T_OPT);
		dns_put16(out + n + 3, (uint16_t)a->size);
		out[n + 6] = a->version;
		n += 11;
	}
	free(copy);
	return n;
}

/* ---- answers as text ---- */

struct reply {
	char	head[128];
	char	*rr[RECORDS_MAX];
	size_t	 n;
	int	 count[3];
	bool	 counted;	/* rr is not to be looked at */
};

static void
reply_clear(struct reply *r)
{
	while (r->n > 0)
		free(r->rr[--r->n]);
	memset(r, 0, sizeof(*r));
}

static void
name_text(const uint8_t *w, char *out)
{
	if (*w == 0)
		strcpy(out, ".");
	for (; *w != 0; w += *w + 1u) {
		memcpy(out, w + 1, *w);
		out += *w;
		strcpy(out++, ".");
	}
}

static size_t
data_name(const uint8_t *p, size_t n, size_t off, char *out)
{
	uint8_t	w[DNS_NAME_MAX];
	size_t	len;

	off = dns_name_read(p, n, off, w, &len);
	ck_assert_uint_gt(off, 0);
	name_text(w, out);
	return off;
}

static void
data_text(const uint8_t *p, size_t n, const struct dns_rr *rr, char *out)
{
	char	a[1100], b[1100];
	size_t	off = rr->data_off, i, l;

	switch (rr->type) {
	case DNS_T_A:
		inet_ntop(AF_INET, rr->data, out, 64);
		break;
	case DNS_T_AAAA:
		inet_ntop(AF_INET6, rr->data, out, 64);
		break;
	case DNS_T_SRV:
		data_name(p, n, off + 6, a);
		sprintf(out, "%u %u %u %s", dns_get16(rr->data),
		    dns_get16(rr->data + 2), dns_get16(rr->data + 4), a);
		break;
	case DNS_T_SOA:
		off = data_name(p, n, off, a);
		off = data_name(p, n, off, b);
		ck_assert_uint_eq(off + 20, rr->data_off + rr->len);
		sprintf(out, "%s %s SERIAL %u %u %u %u", a, b,
		    dns_get16(p + off + 6),
		    dns_get16(p + off + 10),
		    (unsigned)dns_get16(p + off + 12) << 16 |
		    dns_get16(p + off + 14), dns_get16(p + off + 18));
		break;
	case DNS_T_TXT:
		for (i = 0, *out = '\0'; i < rr->len; i += l + 1) {
			l = rr->data[i];
			ck_assert_uint_le(i + 1 + l, rr->len);
			sprintf(out + strlen(out), "%s\"%.*s\"",
			    i == 0 ? "" : " ", (int)l, rr->data + i + 1);
		}
		break;
	default:
		data_name(p, n, off, out);
		break;
	}
}

static const char *const rcodes[] = { "NOERROR", "FORMERR", "SERVFAIL",
	"NXDOMAIN", "NOTIMP", "REFUSED" };
static const struct { uint16_t bit; const char *name; } flag_names[] = {
	{ DNS_AA, " aa" }, { DNS_TC, " tc" }, { DNS_RD, " rd" },
	{ DNS_RA, " ra" }, { DNS_AD, " ad" }, { DNS_CD, " cd" },
};

static void
read_reply(struct reply *r, const uint8_t *p, size_t n)
{
	static const char *const section[] = { "an", "au", "ar" };
	struct dns_walk	 w;
	struct dns_rr	 rr;
	char		 owner[1100], data[8192], *line;
	uint16_t	 flags = dns_get16(p + 2);
	size_t		 i;

	reply_clear(r);
	strcpy(r->head, rcodes[flags & DNS_RCODE]);
	for (i = 0; i < NELEM(flag_names); i++)
		if (flags & flag_names[i].bit)
			strcat(r->head, flag_names[i].name);
	if (n == DNS_HEADER)
		return;
	ck_assert_int_eq(dns_walk_start(&w, p, n), 0);
	while (dns_walk_next(&w, &rr)) {
		if (rr.type == DNS_T_OPT) {
			sprintf(r->head + strlen(r->head), " edns=%u%s",
			    rr.class, rr.ttl >> 24 != 0 ? " BADVERS" : "");
			continue;
		}
		r->count[rr.section]++;
		name_text(rr.name, owner);
		data_text(p, n, &rr, data);
		xasprintf(&line, "%s %s %u IN %s %s", section[rr.section],
		    owner, rr.ttl, type_name(rr.type), data);
		r->rr[r->n++] = line;
	}
	ck_assert(!w.bad);
	ck_assert_uint_eq(w.off, n);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
same(struct reply *a, struct reply *b)
{
	size_t	i;

	if (strcmp(a->head, b->head) != 0)
		return false;
	if (a->counted)
		return memcmp(a->count, b->count, sizeof(a->count)) == 0;
	if (a->n != b->n)
		return false;
	qsort(a->rr, a->n, sizeof(a->rr[0]), by_text);
	qsort(b->rr, b->n, sizeof(b->rr[0]), by_text);
	for (i = 0; i < a->n; i++)
		if (strcmp(a->rr[i], b->rr[i]) != 0)
			return false;
	return true;
}

static void
show(const char *who, const struct reply *r)
{
	size_t	i;

	fprintf(stderr, "  %s: %s (%d %d %d)\n", who, r->head, r->count[0],
	    r->count[1], r->count[2]);
	for (i = 0; i < r->n && i < 24; i++)
		fprintf(stderr, "    %s\n", r->rr[i]);
}

/* ---- differences ---- */

struct difference { char *agent, *question; bool used; };
static struct difference	differences[128];
static size_t			ndifferences;

/* "AGENT | QUESTION | reason" */
static void
load_differences(void)
{
	char	*line = NULL, *p, *agent, *question;
	size_t	 cap = 0;
	FILE	*f = fopen(GOLDEN "differences.txt", "r");

	ck_assert(f != NULL);
	while (getline(&line, &cap, f) > 0) {
		if (*line == '#' || *line == '\n')
			continue;
		p = line;
		agent = strsep(&p, "|");
		question = strsep(&p, "|");
		ck_assert_msg(p != NULL && strlen(p) > 8, "no reason: %s",
		    line);
		agent[strcspn(agent, " ")] = '\0';
		question++;
		question[strlen(question) - 1] = '\0';
		differences[ndifferences].agent = xstrdup(agent);
		differences[ndifferences++].question = xstrdup(question);
	}
	free(line);
	fclose(f);
}

static struct difference *
difference(const char *agent, const char *question)
{
	size_t	i;

	for (i = 0; i < ndifferences; i++)
		if (strcmp(differences[i].agent, agent) == 0 &&
		    strcmp(differences[i].question, question) == 0)
			return &differences[i];
	return NULL;
}

/* ---- the comparison ---- */

struct run {
	struct answer_conf	 conf;
	struct answerer		 answerer;
	char			 agent[64], question[600];
	struct reply		 want, got;
	int			 failed, compared;
};

static void
compare(struct run *x)
{
	static uint8_t	out[DNS_TCP_MAX];
	uint8_t		query[600];
	struct ask	a;
	struct difference *d;
	size_t		n, len;
	bool		ok;

	/* with recursors it takes more than a core: tests/golden/run */
	if (*x->question == '\0' || strstr(x->agent, "recursor") != NULL ||
	    strchr(x->question, '\\') != NULL) {
		*x->question = '\0';
		reply_clear(&x->want);
		return;
	}
	len = make_query(x->question, query, &a);
	ck_assert_int_eq(answer(&x->answerer, query, len, a.udp, out, &n),
	    ANSWER_SEND);
	if (a.udp)
		ck_assert_uint_le(n, a.edns && a.size > 512 ? a.size : 512);
	read_reply(&x->got, out, n);
	ok = same(&x->want, &x->got);
	x->compared++;
	if ((d = difference(x->agent, x->question)) != NULL) {
		d->used = true;
		if (ok) {
			fprintf(stderr, "%s: %s: no longer different\n",
			    x->agent, x->question);
			x->failed++;
		}
	} else if (!ok) {
		fprintf(stderr, "%s: %s\n", x->agent, x->question);
		show("recorded", &x->want);
		show("ours", &x->got);
		x->failed++;
	}
	*x->question = '\0';
	reply_clear(&x->want);
}

static void
recorded_line(struct run *x, char *line)
{
	line[strcspn(line, "\n")] = '\0';
	switch (line[0]) {
	case '#':
		break;
	case '@':
		compare(x);
		strcpy(x->agent, line + 2);
		configure(&x->conf, x->agent);
		break;
	case '?':
		compare(x);
		strcpy(x->question, line + 2);
		break;
	case '<':
		strcpy(x->want.head, line + 2);
		break;
	case 'n':
		x->want.counted = true;
		ck_assert_int_eq(sscanf(line, "n %d %d %d",
		    &x->want.count[0], &x->want.count[1],
		    &x->want.count[2]), 3);
		break;
	default:
		x->want.rr[x->want.n++] = xstrdup(line);
	}
}

START_TEST(answers_as_recorded)
{
	static struct run	 x;
	char			*line = NULL;
	size_t			 cap = 0, i;
	FILE			*f;

	load_catalog();
	load_differences();
	f = fopen(GOLDEN "recorded.txt", "r");
	ck_assert(f != NULL);
	answerer_init(&x.answerer, &x.conf, find, &x.conf);
	rng_seed(&x.answerer.rng, 1);
	while (getline(&line, &cap, f) > 0)
		recorded_line(&x, line);
	compare(&x);
	for (i = 0; i < ndifferences; i++)
		if (!differences[i].used &&
		    strstr(differences[i].agent, "recursor") == NULL) {
			fprintf(stderr, "never asked: %s\n",
			    differences[i].question);
			x.failed++;
		}
	ck_assert_int_gt(x.compared, 300);
	ck_assert_msg(x.failed == 0, "%d of %d differ", x.failed,
	    x.compared);
	free(line);
	fclose(f);
}
END_TEST

UNIT_MAIN("dnsd_golden",
    answers_as_recorded)
