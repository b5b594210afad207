/*
 * checkd as a whole: what its files share.
 */
#ifndef CHECKD_CHECKD_H
#define CHECKD_CHECKD_H

#include "common/child.h"
#include "checkd/checks.h"

struct checkd {
	struct child		*child;
	struct hosts		*hosts;
	struct conf_checkd	 conf;
	struct prober		 prober;
	struct checks		*checks;
};

void checkd_msg(struct child *, enum proc, struct ipc *, const struct imsg *,
    void *arg);
void checkd_link(struct child *, enum proc, struct ipc *, void *arg);
/* A result, to catalogd. */
void checkd_result(const struct msg_result *, void *arg);

#endif
