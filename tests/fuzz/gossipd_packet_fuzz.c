/*
 * Datagrams into a node of three: layers, bodies, what they change, and what
 * it sends because of them.  The clock moves with the input.
 */
#include "tests/fuzz/gossipd_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t	 key[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
				    11, 12, 13, 14, 15 };
	struct keyring		*ring = keyring_new();
	struct layers		 layers;
	struct world		 w;
	size_t			 n;

	layers_init(&layers, ring);
	world_init(&w, ring, &layers);
	/* Byte 0: under a key or not; then packets of u16 length. */
	if (size > 0 && (data[0] & 1) != 0) {
		(void)keyring_add(ring, key, sizeof(key));
		layers.verify_in = (data[0] & 2) != 0;
	}
	if (size > 0 && (data[0] & 4) != 0)
		layers.label = span_str("blue");
	for (data++, size = size > 0 ? size - 1 : 0; size >= 2;
	    data += n, size -= n) {
		n = (size_t)data[0] << 8 | data[1];
		data += 2;
		size -= 2;
		n = n < size ? n : size;
		(void)packet_open(&layers, data, n, world_message, &w);
		world_pass(&w, 300 * NS_PER_MS);
	}
	world_pass(&w, 8 * NS_PER_S);
	world_clear(&w);
	layers_clear(&layers);
	keyring_free(ring);
	return 0;
}
