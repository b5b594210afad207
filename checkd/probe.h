/*
 * One run of a check, of whichever kind.
 */
#ifndef CHECKD_PROBE_H
#define CHECKD_PROBE_H

#include "common/ev.h"
#include "common/ipc.h"
#include "common/schema/msg.h"
#include "checkd/conn.h"

#define PROBE_TIMEOUT_NS	(10 * NS_PER_S)
#define SCRIPT_TIMEOUT_NS	(30 * NS_PER_S)

/*
 * status is NULL when there is no result (execd died); output is valid during
 * the call.  Once, never from within the start, not after a cancel; the probe
 * is gone when it comes.
 */
typedef void probe_fn(const char *status, const char *output, void *arg);

struct probe;
struct scripts;		/* all commands */
struct grpcs;		/* all requests of gRPC checks */

struct prober {
	struct net	 net;
	struct scripts	*scripts;
	struct grpcs	*grpcs;
	uint64_t	 output_max;	/* for checks that name none */
};

/* The check must outlive the probe. */
struct probe *probe_start(struct prober *, const struct msg_check *,
    probe_fn *, void *arg);
void probe_cancel(struct probe *);
uint64_t probe_timeout_ms(const struct msg_check *);

/* ---- the kinds ---- */

struct probe_kind {
	/* NULL: it cannot be run now. */
	void	*(*start)(struct prober *, const struct msg_check *,
		    size_t output_max, probe_fn *, void *arg);
	void	 (*cancel)(void *);
};
extern const struct probe_kind http_kind, tcp_kind, udp_kind, name_kind,
    grpc_kind, h2ping_kind, script_kind;

struct grpcs *grpcs_new(struct net *);
void grpcs_free(struct grpcs *);

struct scripts *scripts_new(void);
void scripts_free(struct scripts *);
void scripts_link(struct scripts *, struct ipc *);
void scripts_exited(struct scripts *, const struct imsg *);

#endif
