/*
 * Any text as JSON: the tree is written and parsed again, and read into the
 * structs that HTTP bodies and configuration files are read into.
 */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/schema/agent.h"
#include "common/schema/conf.h"
#include "common/schema/rpc.h"
#include "common/schema/walk.h"
#include "common/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct schema *const schemas[] = {
	&service_def_schema, &check_def_schema, &register_request_schema,
	&deregister_request_schema, &coordinate_update_schema,
	&event_fire_request_schema, &agent_update_schema
};

static const unsigned modes[] = {
	SJ_STRICT, SJ_STRICT | SJ_FOLD | SJ_DURNUM, 0
};

/* Tree to msgpack to text, which is JSON again. */
static void
check_text(const struct json *j)
{
	struct wbuf	 m;
	struct bytes	 any;
	struct json	*back;
	struct jw	*w;
	const char	*text;
	char		 err[256];
	size_t		 len;

	wb_init(&m, 0);
	any_from_json(j, &m);
	any = (struct bytes){ m.p, m.len, true };
	w = jw_new(true);
	any_to_json(&any, w);
	text = jw_text(w, &len);
	if ((back = json_parse(text, len, err, sizeof(err))) == NULL)
		abort();
	json_free(back);
	jw_free(w);
	wb_free(&m);
}

static void
check_struct(struct schema *s, const struct json *j, unsigned flags)
{
	const struct json	*at = NULL;
	char			 err[128] = "";
	void			*obj = xmalloc(s->size);
	struct wbuf		 w;

	if (schema_json_decode(s, j, flags, obj, err, sizeof(err), &at) == 0) {
		wb_init(&w, 0);
		schema_encode(s, obj, &w);
		schema_clear(s, obj);
		wb_free(&w);
	} else if (err[0] == '\0' || at == NULL)
		abort();
	free(obj);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json	*j;
	char		 err[128] = "";
	size_t		 i, k;

	j = json_parse((const char *)data, size, err, sizeof(err));
	if (j == NULL) {
		if (err[0] == '\0')
			abort();
		return 0;
	}
	check_text(j);
	for (i = 0; i < NELEM(schemas); i++) {
		for (k = 0; k < NELEM(modes); k++)
			check_struct(schemas[i], j, modes[k]);
	}
	json_free(j);
	return 0;
}
