/*
 * Names outside the catalog: for the other daemons (RESOLVE), and for clients
 * when recursors or recursion are configured.  A libunbound context is made at
 * its first use: one for both, or one for each where clients' questions go to
 * the name servers of the world.
 */
#ifndef DNSD_RESOLVE_H
#define DNSD_RESOLVE_H

#include "common/ev.h"
#include "common/schema/msg.h"
#include "dnsd/answer.h"
#include "dnsd/names.h"

#define RESOLVE_MS 5000		/* a RESOLVE is answered by then */
#define RESOLVE_MAX 256		/* open at once */
#define RESOLVE_ADDRS_MAX 32	/* of one name */
#define FORWARD_MAX 256		/* clients' questions open at once */
#define FORWARD_MS 2000		/* where recursor_timeout is 0 */

struct resolver;
struct resolver *resolver_new(struct ev *);
void resolver_free(struct resolver *);
/* Before chroot: reads /etc/hosts and /etc/resolv.conf. */
void resolver_load(struct resolver *);
/* Lookups go to the recursors ("10.0.0.53", "10.0.0.53:53", "[::1]:53"), else
 * resolv.conf's servers, and where there are none to those of the world. */
void resolver_conf(struct resolver *, const struct answer_conf *,
    const struct conf_dns *);

/* Comes exactly once, perhaps from within resolve_name(). */
typedef void resolve_fn(const struct msg_resolved *, void *arg);
void resolve_name(struct resolver *, const char *name, resolve_fn *,
    void *arg);

/* The answer to a client; n 0: none.  Never from within resolve_forward(). */
typedef void forward_fn(const struct origin *, uint8_t *, size_t n,
    void *arg);
/* -1: too many are open. */
int resolve_forward(struct resolver *, const struct origin *, const uint8_t *q,
    size_t len, forward_fn *, void *arg);

/*
 * Pure: a client's answer out of the recursor's packet; its length, or 0 when
 * the packet is none.  proved: DNSSEC says so.  out has room for DNS_TCP_MAX.
 */
size_t forward_answer(const uint8_t *q, size_t qlen, bool udp, bool proved,
    const uint8_t *packet, size_t len, uint8_t *out);

/* Pure: servers and search domains of a resolv.conf's text. */
void resolv_conf_parse(char *text, struct strs *servers, struct strs *search);

#endif
