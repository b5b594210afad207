/*
 * One run of a check: by HTTP, by a TCP connection, by a script.
 */
#ifndef CHECKD_PROBE_H
#define CHECKD_PROBE_H

#include "common/ev.h"
#include "common/ipc.h"
#include "common/schema/msg.h"
#include "checkd/resolver.h"

#define PROBE_TIMEOUT_NS	(10 * NS_PER_S)
#define SCRIPT_TIMEOUT_NS	(30 * NS_PER_S)

/*
 * status is NULL when there is no result (execd died); output is valid during
 * the call.  Once, never from within the start, not after a cancel; the probe
 * is gone when it comes.
 */
typedef void probe_fn(const char *status, const char *output, void *arg);

struct probe;
struct http;		/* all requests */
struct scripts;		/* all commands */

struct prober {
	struct ev	*ev;
	struct resolver	*resolver;
	struct http	*http;
	struct scripts	*scripts;
	uint64_t	 output_max;	/* for checks that name none */
};

/* The check must outlive the probe. */
struct probe *probe_start(struct prober *, const struct msg_check *,
    probe_fn *, void *arg);
void probe_cancel(struct probe *);

/* ---- the kinds ---- */

/* ca_fd: a bundle of certificates in PEM, read at the first https; or -1.
 * Taken. */
struct http *http_new(struct ev *, struct resolver *, int ca_fd);
void http_free(struct http *);
struct http_probe;
struct http_probe *http_start(struct http *, const struct msg_check *,
    size_t output_max, probe_fn *, void *arg);
void http_cancel(struct http_probe *);

struct tcp_probe;
struct tcp_probe *tcp_start(struct ev *, struct resolver *,
    const struct msg_check *, probe_fn *, void *arg);
void tcp_cancel(struct tcp_probe *);

struct scripts *scripts_new(void);
void scripts_free(struct scripts *);
void scripts_link(struct scripts *, struct ipc *);
void scripts_exited(struct scripts *, const struct imsg *);
struct script_probe;
/* NULL: execd is not there. */
struct script_probe *script_start(struct scripts *, const struct msg_check *,
    size_t output_max, probe_fn *, void *arg);
void script_cancel(struct script_probe *);

#endif
