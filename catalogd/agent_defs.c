/*
 * Definitions of services and checks: validation, defaults, kinds.  Texts and
 * their order are those that Consul 1.8 answers.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalogd/agent_defs.h"
#include "common/util.h"

#define META_PAIRS_MAX	64
#define META_KEY_MAX	128
#define META_VALUE_MAX	512
#define WEIGHT_MAX	65535
#define DNS_LABEL_MAX	63

#define SCRIPT_TIMEOUT_NS	(30 * NS_PER_S)
#define PROBE_TIMEOUT_NS	(10 * NS_PER_S)

int
def_error(char *err, size_t errlen, int code, const char *fmt, ...)
{
	va_list	 ap;
	int	 n;

	n = snprintf(err, errlen, "%d ", code);
	if (n < 0 || (size_t)n >= errlen)
		return -1;
	va_start(ap, fmt);
	/* A text that is too long is cut: it is for a person to read. */
	(void)vsnprintf(err + n, errlen - (size_t)n, fmt, ap);
	va_end(ap);
	return -1;
}

bool
check_def_empty(const struct check_def *d)
{
	static const struct check_def	 none;

	return schema_equal(&check_def_schema, d, &none);
}

int
def_size_check(struct schema *s, const void *def, const char *id,
    const char *name, char *err, size_t errlen)
{
	struct wbuf	 w;
	bool		 fits;

	if (strlen(str_or(id, "")) > DEF_ID_MAX ||
	    strlen(str_or(name, "")) > DEF_ID_MAX)
		return def_error(err, errlen, 400,
		    "ID or name is too long (limit: %d bytes)", DEF_ID_MAX);
	wb_init(&w, DEF_BYTES_MAX);
	schema_encode(s, def, &w);
	fits = !w.err;
	wb_free(&w);
	if (!fits)
		return def_error(err, errlen, 400,
		    "Definition is too large (limit: %d bytes)",
		    DEF_BYTES_MAX);
	return 0;
}

static bool
is_alias(const struct check_def *d)
{
	return !str_empty(d->alias_node) || !str_empty(d->alias_service);
}

bool
check_def_timed(const struct check_def *d)
{
	return d->args.n > 0 || !str_empty(d->http) || !str_empty(d->tcp) ||
	    !str_empty(d->udp) || !str_empty(d->dns) ||
	    !str_empty(d->grpc) || !str_empty(d->h2ping);
}

const char *
check_def_problem(const struct check_def *d)
{
	bool	 timed = check_def_timed(d);

	if (d->interval > 0 && d->ttl > 0)
		return "Interval and TTL cannot both be specified";
	if (timed && d->interval <= 0)
		return "Interval must be > 0 for Script, HTTP, or TCP checks";
	if (timed && is_alias(d))
		return "Interval cannot be set for Alias checks";
	if (is_alias(d) && d->ttl > 0)
		return "TTL must be not be set for Alias checks";
	if (!timed && !is_alias(d) && d->ttl <= 0)
		return "TTL must be > 0 for TTL checks";
	return NULL;
}

enum check_kind
check_def_kind(const struct check_def *d)
{
	if (d->ttl > 0)
		return CHECK_TTL;
	if (!str_empty(d->http))
		return CHECK_HTTP;
	if (!str_empty(d->tcp))
		return CHECK_TCP;
	if (!str_empty(d->udp))
		return CHECK_UDP;
	if (!str_empty(d->dns))
		return CHECK_DNS;
	if (!str_empty(d->grpc))
		return CHECK_GRPC;
	if (!str_empty(d->h2ping))
		return CHECK_H2PING;
	if (!str_empty(d->docker_container_id))
		return CHECK_DOCKER;
	if (d->args.n > 0)
		return CHECK_SCRIPT;
	if (is_alias(d))
		return CHECK_ALIAS;
	return CHECK_NONE;
}

const char *
check_def_type(const struct check_def *d)
{
	/* Not the order in which Consul decides what to run. */
	if (!str_empty(d->grpc))
		return "grpc";
	switch (check_def_kind(d)) {
	case CHECK_TTL:
		return "ttl";
	case CHECK_HTTP:
		return "http";
	case CHECK_TCP:
		return "tcp";
	case CHECK_UDP:
		return "udp";
	case CHECK_DNS:
		return "dns";
	case CHECK_GRPC:
		return "grpc";
	case CHECK_H2PING:
		return "h2ping";
	case CHECK_DOCKER:
		return "docker";
	case CHECK_SCRIPT:
		return "script";
	case CHECK_ALIAS:
		return "alias";
	case CHECK_NONE:
		return "";
	}
	return "";
}

bool
check_status_valid(const char *s)
{
	return s != NULL && (strcmp(s, "passing") == 0 ||
	    strcmp(s, "warning") == 0 || strcmp(s, "critical") == 0);
}

bool
check_kind_probed(enum check_kind k)
{
	switch (k) {
	case CHECK_HTTP:
	case CHECK_TCP:
	case CHECK_UDP:
	case CHECK_DNS:
	case CHECK_GRPC:
	case CHECK_H2PING:
	case CHECK_SCRIPT:
		return true;
	case CHECK_TTL:
	case CHECK_DOCKER:
	case CHECK_ALIAS:
	case CHECK_NONE:
		return false;
	}
	return false;
}

size_t
service_def_checks(const struct service_def *d, const struct check_def ***out)
{
	const struct check_def	**v;
	size_t			  i, n = 0;

	v = xcalloc(d->checks.n + 1, sizeof(*v));
	if (d->check != NULL && !check_def_empty(d->check))
		v[n++] = d->check;
	for (i = 0; i < d->checks.n; i++)
		v[n++] = &d->checks.item[i];
	*out = v;
	return n;
}

static bool
meta_key_chars(const char *key)
{
	for (; *key != '\0'; key++)
		if (!isalnum((unsigned char)*key) && *key != '-' &&
		    *key != '_')
			return false;
	return true;
}

static int
meta_check(const struct strmap *m, char *err, size_t errlen)
{
	char		 why[80];
	const char	*key, *val;
	size_t		 i;

	if (m->n > META_PAIRS_MAX)
		return def_error(err, errlen, 400, "Invalid Service Meta: "
		    "Node metadata cannot contain more than %d key/value pairs",
		    META_PAIRS_MAX);
	for (i = 0; i < m->n; i++) {
		key = str_or(m->item[i].key, "");
		val = str_or(m->item[i].val, "");
		if (*key == '\0')
			snprintf(why, sizeof(why), "Key cannot be blank");
		else if (!meta_key_chars(key))
			snprintf(why, sizeof(why),
			    "Key contains invalid characters");
		else if (strlen(key) > META_KEY_MAX)
			snprintf(why, sizeof(why),
			    "Key is too long (limit: %d characters)",
			    META_KEY_MAX);
		else if (strncmp(key, "consul-", 7) == 0)
			snprintf(why, sizeof(why), "Key prefix 'consul-' is "
			    "reserved for internal use");
		else if (strlen(val) > META_VALUE_MAX)
			snprintf(why, sizeof(why),
			    "Value is too long (limit: %d characters)",
			    META_VALUE_MAX);
		else
			continue;
		return def_error(err, errlen, 400, "Invalid Service Meta: "
		    "Couldn't load metadata pair ('%s', '%s'): %s", key, val,
		    why);
	}
	return 0;
}

static int
weights_check(const struct service_weights *w, char *err, size_t errlen)
{
	if (w == NULL)
		return 0;
	if (w->passing < 1)
		return def_error(err, errlen, 400,
		    "Invalid Weights: Passing must be greater than 0");
	if (w->warning < 0)
		return def_error(err, errlen, 400, "Invalid Weights: "
		    "Warning must be greater or equal than 0");
	if (w->passing > WEIGHT_MAX || w->warning > WEIGHT_MAX)
		return def_error(err, errlen, 400, "Invalid Weights: "
		    "DNS Weight must be between 0 and %d", WEIGHT_MAX);
	return 0;
}

static bool
is_any_address(const char *s)
{
	struct in6_addr	 six;
	struct in_addr	 four;

	if (str_empty(s))
		return false;
	if (inet_pton(AF_INET, s, &four) == 1)
		return four.s_addr == INADDR_ANY;
	return inet_pton(AF_INET6, s, &six) == 1 &&
	    IN6_IS_ADDR_UNSPECIFIED(&six);
}

int
service_def_check(const struct service_def *d, char *err, size_t errlen)
{
	const struct check_def	**checks;
	const char		 *why;
	size_t			  i, n;
	int			  rc = 0;

	if (str_empty(d->name))
		return def_error(err, errlen, 400, "Missing service name");
	if (def_size_check(&service_def_schema, d, d->id, d->name, err,
	    errlen) == -1)
		return -1;
	if (is_any_address(d->address))
		return def_error(err, errlen, 400, "Invalid service address");
	if (weights_check(d->weights, err, errlen) == -1 ||
	    meta_check(&d->meta, err, errlen) == -1)
		return -1;
	n = service_def_checks(d, &checks);
	for (i = 0; i < n && rc == 0; i++)
		rc = def_size_check(&check_def_schema, checks[i],
		    checks[i]->id, checks[i]->name, err, errlen);
	for (i = 0; i < n && rc == 0; i++)
		if ((why = check_def_problem(checks[i])) != NULL)
			rc = def_error(err, errlen, 400, "Invalid check: %s",
			    why);
	for (i = 0; i < n && rc == 0; i++)
		if (!str_empty(checks[i]->status) &&
		    !check_status_valid(checks[i]->status))
			rc = def_error(err, errlen, 400, "Status for checks "
			    "must 'passing', 'warning', 'critical'");
	free(checks);
	return rc;
}

static void
tagged_default(struct node_service *s, const char *tag)
{
	struct service_address_pair	*p;
	size_t				 i;

	for (i = 0; i < s->tagged_addresses.n; i++)
		if (strcmp(s->tagged_addresses.item[i].key, tag) == 0)
			return;
	p = VEC_ADD(&s->tagged_addresses);
	p->key = xstrdup(tag);
	p->val.address = xstrdup(s->address);
	p->val.port = s->port;
}

void
node_service_defaults(struct node_service *s)
{
	uint8_t	 raw[16];

	if (str_empty(s->id))
		str_set(&s->id, s->service);
	if (s->weights == NULL) {
		s->weights = xcalloc(1, sizeof(*s->weights));
		s->weights->passing = 1;
		s->weights->warning = 1;
	}
	/* Without an address: empty and not nil (anti-entropy compares). */
	s->tagged_addresses.set = true;
	if (str_empty(s->address))
		return;
	if (inet_pton(AF_INET, s->address, raw) == 1) {
		tagged_default(s, "lan_ipv4");
		tagged_default(s, "wan_ipv4");
	} else if (inet_pton(AF_INET6, s->address, raw) == 1) {
		tagged_default(s, "lan_ipv6");
		tagged_default(s, "wan_ipv6");
	}
}

static void
tagged_copy(struct service_address_map *dst,
    const struct service_address_map *src)
{
	struct service_address_pair	*p;
	size_t				 i;

	for (i = 0; i < src->n; i++) {
		p = VEC_ADD(dst);
		p->key = xstrdup(src->item[i].key);
		p->val.address = xstrdup(src->item[i].val.address);
		p->val.port = src->item[i].val.port;
	}
}

void
service_def_resolve(const struct service_def *d, struct node_service *s)
{
	memset(s, 0, sizeof(*s));
	str_set(&s->kind, d->kind);
	str_set(&s->id, d->id);
	str_set(&s->service, d->name);
	strs_copy(&s->tags, &d->tags);
	str_set(&s->address, d->address);
	tagged_copy(&s->tagged_addresses, &d->tagged_addresses);
	strmap_copy(&s->meta, &d->meta);
	s->port = d->port;
	if (d->weights != NULL) {
		s->weights = xcalloc(1, sizeof(*s->weights));
		*s->weights = *d->weights;
	}
	s->enable_tag_override = d->enable_tag_override;
	schema_copy(&proxy_config_schema, &s->proxy, &d->proxy);
	/* A sidecar is a registration of its own, never part of this one. */
	s->connect.native = d->connect.native;
	node_service_defaults(s);
}

const char *
service_dns_problem(const char *name)
{
	const char	*p;

	for (p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && *p != '-')
			return "invalid characters; valid are letters, "
			    "digits and dashes";
	if (strlen(name) > DNS_LABEL_MAX)
		return "it is longer than 63 characters";
	return NULL;
}

static void
strsmap_copy(struct strsmap *dst, const struct strsmap *src)
{
	struct strs_pair	*p;
	size_t			 i;

	for (i = 0; i < src->n; i++) {
		p = VEC_ADD(dst);
		p->key = xstrdup(src->item[i].key);
		strs_copy(&p->val, &src->item[i].val);
	}
}

void
check_def_msg(const struct check_def *d, const char *id, const char *status,
    uint64_t output_max, struct msg_check *m)
{
	enum check_kind	 kind = check_def_kind(d);

	memset(m, 0, sizeof(*m));
	str_set(&m->id, id);
	str_set(&m->status, status);
	m->interval = d->interval < CHECK_INTERVAL_MIN_NS ?
	    CHECK_INTERVAL_MIN_NS : d->interval;
	m->timeout = d->timeout > 0 ? d->timeout :
	    kind == CHECK_SCRIPT ? SCRIPT_TIMEOUT_NS : PROBE_TIMEOUT_NS;
	m->output_max = output_max > 0 ? output_max : CHECK_OUTPUT_MAX;
	if (d->output_max_size > 0 && d->output_max_size < m->output_max)
		m->output_max = d->output_max_size;
	m->success_before_passing = d->success_before_passing;
	m->failures_before_critical = d->failures_before_critical;
	m->tls_skip_verify = d->tls_skip_verify;
	str_set(&m->tls_server_name, d->tls_server_name);
	switch (kind) {
	case CHECK_HTTP:
		str_set(&m->http, d->http);
		str_set(&m->method, d->method);
		strsmap_copy(&m->header, &d->header);
		str_set(&m->body, d->body);
		m->follow_redirects = d->follow_redirects;
		break;
	case CHECK_TCP:
		str_set(&m->tcp, d->tcp);
		m->tls = d->tcp_use_tls;
		break;
	case CHECK_UDP:
		str_set(&m->udp, d->udp);
		str_set(&m->body, d->body);
		break;
	case CHECK_DNS:
		str_set(&m->dns, d->dns);
		break;
	case CHECK_GRPC:
		str_set(&m->grpc, d->grpc);
		m->tls = d->grpc_use_tls;
		break;
	case CHECK_H2PING:
		str_set(&m->h2ping, d->h2ping);
		m->tls = d->h2ping_use_tls;
		break;
	case CHECK_SCRIPT:
		strs_copy(&m->args, &d->args);
		break;
	case CHECK_TTL:
	case CHECK_DOCKER:
	case CHECK_ALIAS:
	case CHECK_NONE:
		break;
	}
}
