/*
 * Consul's files of services and checks.  They differ from what the API shows
 * in two ways: nil lists are null (anti-entropy tells nil from empty, so the
 * difference must survive), and a check's definition has names of its own.
 * Ours have a checksum more.
 */
#include <md5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "catalogd/agent_persist.h"
#include "common/util.h"

/* The rows of the common list, with nil shown as null. */
#define NULL_ROW(T, kind, sub, member, wire, flags, aliases)		\
	{ wire, aliases, K_##kind, (flags) & ~(unsigned)S_EMPTY,	\
	    offsetof(struct T, member), SS_##kind(sub) },

static const struct schema_field file_service_fields[] = {
	NODE_SERVICE(NULL_ROW, node_service)
};
static struct schema file_service_schema = { "node_service",
    sizeof(struct node_service), file_service_fields,
    NELEM(file_service_fields), NULL };

static const struct schema_field file_check_fields[] = {
	HEALTH_CHECK(NULL_ROW, health_check)
};
static struct schema file_check_schema = { "health_check",
    sizeof(struct health_check), file_check_fields,
    NELEM(file_check_fields), NULL };

#define CHECK_TYPE(F, T)						\
	F(T, STR, , id, "CheckID", 0, NULL)				\
	F(T, STR, , name, "Name", 0, NULL)				\
	F(T, STR, , status, "Status", 0, NULL)				\
	F(T, STR, , notes, "Notes", 0, NULL)				\
	F(T, STRS, , args, "ScriptArgs", 0, NULL)			\
	F(T, STR, , http, "HTTP", 0, NULL)				\
	F(T, STRSMAP, , header, "Header", 0, NULL)			\
	F(T, STR, , method, "Method", 0, NULL)				\
	F(T, STR, , body, "Body", 0, NULL)				\
	F(T, STR, , tcp, "TCP", 0, NULL)				\
	F(T, BOOL, , tcp_use_tls, "TCPUseTLS", S_OMIT, NULL)		\
	F(T, STR, , udp, "UDP", S_OMIT, NULL)				\
	F(T, STR, , dns, "DNS", S_OMIT, NULL)				\
	F(T, STR, , h2ping, "H2PING", S_OMIT, NULL)			\
	F(T, BOOL, , h2ping_use_tls, "H2PingUseTLS", S_OMIT, NULL)	\
	F(T, BOOL, , follow_redirects, "FollowRedirects", S_OMIT, NULL)	\
	F(T, STR, , tls_server_name, "TLSServerName", S_OMIT, NULL)	\
	F(T, DUR, , interval, "Interval", 0, NULL)			\
	F(T, STR, , alias_node, "AliasNode", 0, NULL)			\
	F(T, STR, , alias_service, "AliasService", 0, NULL)		\
	F(T, STR, , docker_container_id, "DockerContainerID", 0, NULL)	\
	F(T, STR, , shell, "Shell", 0, NULL)				\
	F(T, STR, , grpc, "GRPC", 0, NULL)				\
	F(T, BOOL, , grpc_use_tls, "GRPCUseTLS", 0, NULL)		\
	F(T, BOOL, , tls_skip_verify, "TLSSkipVerify", 0, NULL)		\
	F(T, DUR, , timeout, "Timeout", 0, NULL)			\
	F(T, DUR, , ttl, "TTL", 0, NULL)				\
	F(T, UINT, , success_before_passing, "SuccessBeforePassing", 0,	\
	    NULL)							\
	F(T, UINT, , failures_before_critical,				\
	    "FailuresBeforeCritical", 0, NULL)				\
	F(T, DUR, , deregister_critical_service_after,			\
	    "DeregisterCriticalServiceAfter", 0, NULL)			\
	F(T, UINT, , output_max_size, "OutputMaxSize", 0, NULL)
static const struct schema_field file_def_fields[] = {
	CHECK_TYPE(SCHEMA_ROW, check_def)
};
static struct schema file_def_schema = { "check_def",
    sizeof(struct check_def), file_def_fields, NELEM(file_def_fields), NULL };

static const struct schema_field persisted_service_fields[] = {
	{ "Token", NULL, K_STR, 0,
	    offsetof(struct persisted_service, token), NULL },
	{ "Service", NULL, K_STRUCT, 0,
	    offsetof(struct persisted_service, service),
	    &file_service_schema },
	{ "Source", NULL, K_STR, 0,
	    offsetof(struct persisted_service, source), NULL },
};
struct schema persisted_service_schema = { "persisted_service",
    sizeof(struct persisted_service), persisted_service_fields,
    NELEM(persisted_service_fields), NULL };

static const struct schema_field persisted_check_fields[] = {
	{ "Check", NULL, K_STRUCT, 0,
	    offsetof(struct persisted_check, check), &file_check_schema },
	{ "ChkType", NULL, K_PTR, 0,
	    offsetof(struct persisted_check, chk_type), &file_def_schema },
	{ "Token", NULL, K_STR, 0,
	    offsetof(struct persisted_check, token), NULL },
	{ "Source", NULL, K_STR, 0,
	    offsetof(struct persisted_check, source), NULL },
	{ "Until", NULL, K_INT, S_OMIT,
	    offsetof(struct persisted_check, until), NULL },
};
struct schema persisted_check_schema = { "persisted_check",
    sizeof(struct persisted_check), persisted_check_fields,
    NELEM(persisted_check_fields), NULL };

SCHEMA_DEFINE(persisted_state, PERSISTED_STATE)

/*
 * A flipped bit in a number is valid JSON: the last key is a checksum of what
 * is before it.  Consul skips it, and its own files have none.
 */
#define SUM_KEY ",\"Sum\":\""
#define SUM_FORMAT SUM_KEY "%08lx\"}"
#define SUM_LEN (sizeof(SUM_KEY) - 1 + 8 + 2)

static char *
sum_add(const char *text, size_t *len)
{
	char	*out;

	/* The brace at the end comes behind it. */
	--*len;
	xasprintf(&out, "%.*s" SUM_FORMAT, (int)*len, text,
	    crc32(0, (const Bytef *)text, (uInt)*len));
	*len += SUM_LEN;
	return out;
}

static bool
sum_wrong(const char *text, size_t len)
{
	char	 want[SUM_LEN + 1];

	if (len <= SUM_LEN ||
	    memcmp(text + len - SUM_LEN, SUM_KEY, sizeof(SUM_KEY) - 1) != 0)
		return false;
	snprintf(want, sizeof(want), SUM_FORMAT,
	    crc32(0, (const Bytef *)text, (uInt)(len - SUM_LEN)));
	return memcmp(text + len - SUM_LEN, want, SUM_LEN) != 0;
}

char *
persist_encode(struct schema *s, const void *obj, size_t *len)
{
	const char	*text;
	struct jw	*w;
	char		*out;

	w = jw_new(false);
	schema_json_encode(s, obj, w);
	text = jw_text(w, len);
	out = sum_add(text, len);
	jw_free(w);
	return out;
}

static int
decode(struct schema *s, const char *text, size_t len, void *obj, char *err,
    size_t errlen)
{
	struct json	*j;
	int		 rc;

	memset(obj, 0, s->size);
	if (sum_wrong(text, len)) {
		snprintf(err, errlen, "it does not check out");
		return -1;
	}
	if ((j = json_parse(text, len, err, errlen)) == NULL)
		return -1;
	/* Unknown keys are those of another version: skipped. */
	rc = schema_json_decode(s, j, SJ_DURNUM, obj, err, errlen, NULL);
	json_free(j);
	return rc;
}

int
persist_decode_service(const char *text, size_t len,
    struct persisted_service *p, char *err, size_t errlen)
{
	if (decode(&persisted_service_schema, text, len, p, err,
	    errlen) == -1)
		return -1;
	if (!str_empty(p->service.service))
		return 0;
	schema_clear(&persisted_service_schema, p);
	snprintf(err, errlen, "no service name in it");
	return -1;
}

int
persist_decode_check(const char *text, size_t len, struct persisted_check *p,
    char *err, size_t errlen)
{
	if (decode(&persisted_check_schema, text, len, p, err, errlen) == -1)
		return -1;
	if (!str_empty(p->check.check_id))
		return 0;
	schema_clear(&persisted_check_schema, p);
	snprintf(err, errlen, "no check id in it");
	return -1;
}

int
persist_decode_state(const char *text, size_t len, struct persisted_state *p,
    char *err, size_t errlen)
{
	if (decode(&persisted_state_schema, text, len, p, err, errlen) == -1)
		return -1;
	if (!str_empty(p->check_id))
		return 0;
	schema_clear(&persisted_state_schema, p);
	snprintf(err, errlen, "no check id in it");
	return -1;
}

void
persist_name(const char *id, char out[PERSIST_NAME_LEN])
{
	MD5_CTX	 ctx;
	uint8_t	 sum[MD5_DIGEST_LENGTH];

	MD5Init(&ctx);
	MD5Update(&ctx, (const uint8_t *)id, strlen(id));
	MD5Final(sum, &ctx);
	hex_encode(sum, sizeof(sum), out);
}
