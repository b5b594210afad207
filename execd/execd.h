/*
 * execd as a whole: what its files share.
 */
#ifndef EXECD_EXECD_H
#define EXECD_EXECD_H

#include <bsd/sys/queue.h>

#include "common/child.h"
#include "execd/run.h"
#include "execd/watches.h"

struct order;
TAILQ_HEAD(orders, order);

struct execd {
	struct child		*child;
	struct conf_exec	 conf;
	struct runs		*runs;
	struct watches		*watches;
	struct orders		 orders;	/* what runs, and for whom */
};

void execd_msg(struct child *, enum proc, struct ipc *, const struct imsg *,
    void *arg);
void execd_link(struct child *, enum proc, struct ipc *, void *arg);
/* Nobody waits for any of them any more. */
void execd_cancel_all(struct execd *);

#endif
