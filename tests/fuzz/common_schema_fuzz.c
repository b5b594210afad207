/*
 * A byte picks the struct, the rest is its msgpack: what decodes encodes, and
 * decodes again to the same.  Its JSON is JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/schema/agent.h"
#include "common/schema/conf.h"
#include "common/schema/msg.h"
#include "common/schema/rpc.h"
#include "common/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct schema *const schemas[] = {
	&register_request_schema, &deregister_request_schema,
	&coordinate_update_schema, &service_request_schema,
	&indexed_check_service_nodes_schema, &indexed_service_nodes_schema,
	&indexed_node_service_list_schema, &indexed_health_checks_schema,
	&indexed_services_schema, &event_fire_request_schema,
	&rpc_request_header_schema, &rpc_response_header_schema,
	&raft_configuration_schema, &member_schema, &msg_call_schema,
	&msg_view_schema, &msg_check_schema, &service_def_schema,
	&conf_gossip_schema, &conf_dns_schema, &agent_services_schema,
	&empty_schema
};

static void
check_json(struct schema *s, const void *obj)
{
	struct jw	*w = jw_new(true);
	struct json	*j;
	const char	*text;
	char		 err[256];
	size_t		 len;

	schema_json_encode(s, obj, w);
	text = jw_text(w, &len);
	if ((j = json_parse(text, len, err, sizeof(err))) == NULL)
		abort();
	json_free(j);
	jw_free(w);
}

/* By bytes: a NaN is not equal to itself. */
static void
check_again(struct schema *s, const void *obj)
{
	void		*back = xmalloc(s->size), *copy = xmalloc(s->size);
	struct wbuf	 w, v;

	wb_init(&w, 0);
	wb_init(&v, 0);
	schema_encode(s, obj, &w);
	if (schema_decode_all(s, w.p, w.len, back, NULL) == -1)
		abort();
	schema_copy(s, copy, back);
	(void)schema_equal(s, obj, copy);
	schema_encode(s, copy, &v);
	if (v.len != w.len || memcmp(v.p, w.p, v.len) != 0)
		abort();
	schema_clear(s, back);
	schema_clear(s, copy);
	free(back);
	free(copy);
	wb_free(&w);
	wb_free(&v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct schema	*s;
	struct rbuf	 r;
	void		*obj;

	if (size < 1)
		return 0;
	s = schemas[data[0] % NELEM(schemas)];
	obj = xmalloc(s->size);
	rb_init(&r, data + 1, size - 1);
	if (schema_decode(s, &r, obj) == 0) {
		check_again(s, obj);
		check_json(s, obj);
		schema_clear(s, obj);
	}
	free(obj);
	return 0;
}
