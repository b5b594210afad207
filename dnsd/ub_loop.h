/*
 * libunbound on our event loop: no thread, no second loop.
 */
#ifndef DNSD_UB_LOOP_H
#define DNSD_UB_LOOP_H

#include "common/ev.h"

struct ub_event_base;

/* For ub_ctx_create_ub_event(); free it after the context. */
struct ub_event_base *ub_loop_new(struct ev *);
void ub_loop_free(struct ub_event_base *);

#endif
