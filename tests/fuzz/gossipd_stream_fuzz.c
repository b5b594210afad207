/*
 * What comes on a stream: the incremental reader must say the same of the
 * bytes whole and in pieces, and a push/pull must parse or be refused.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "gossipd/packet.h"
#include "gossipd/swim.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static enum frame_result
read_in_steps(struct layers *l, struct frame *f, const uint8_t *p, size_t n,
    size_t step)
{
	enum frame_result	r = FRAME_MORE;
	size_t			have = 0;

	frame_init(f, false);
	while (r == FRAME_MORE && have < n) {
		have = n - have > step ? have + step : n;
		r = frame_read(f, l, p, have);
	}
	return r;
}

static void
parse(const struct frame *f)
{
	struct swim_said	*said;
	struct span		 user;
	size_t			 i, n;
	bool			 join;

	if (f->msg[0] != ML_PUSHPULL || swim_state_parse(f->msg, f->len,
	    &said, &n, &join, &user) != NULL)
		return;
	for (i = 0; i < n; i++)
		if (said[i].name.n > f->len || said[i].meta.n > f->len)
			abort();
	free(said);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t	 key[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
				    11, 12, 13, 14, 15 };
	struct keyring		*ring = keyring_new();
	struct layers		 l;
	struct frame		 f;
	enum frame_result	 whole, steps;
	size_t			 len = 0;

	if (size < 2)
		goto done;
	layers_init(&l, ring);
	if (data[0] & 1)
		(void)keyring_add(ring, key, sizeof(key));
	if (data[0] & 2)
		l.verify_in = false;
	if (data[0] & 4)
		l.label = span_str("blue");
	whole = read_in_steps(&l, &f, data + 2, size - 2, size);
	if (whole == FRAME_DONE) {
		len = f.len;
		parse(&f);
	}
	steps = read_in_steps(&l, &f, data + 2, size - 2, 1 + data[1] % 64);
	/* Garbage behind a message may be seen or not, and a value too long to
	 * be read again and again is refused in pieces alone. */
	if (whole == FRAME_DONE && (steps != FRAME_DONE || f.len != len) &&
	    (steps != FRAME_BAD || strcmp(f.why, "value is larger than limit")))
		abort();
	layers_clear(&l);
done:
	keyring_free(ring);
	return 0;
}
