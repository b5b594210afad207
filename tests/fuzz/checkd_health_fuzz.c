/*
 * checkd/health: answers of gRPC servers, and the text that comes with an
 * error.
 */
#include <stdlib.h>
#include <string.h>

#include "checkd/health.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint64_t	 status = 77;
	char		*text;

	if (health_answer(p, n, &status) == -1 && status != 77)
		abort();
	text = health_message((const char *)p, n);
	if (strlen(text) > n)
		abort();
	free(text);
	return 0;
}
