/*
 * The processes of the suite and the links between them: one list each,
 * expanded wherever a name, a path or a socketpair is needed.
 */
#ifndef COMMON_PROC_H
#define COMMON_PROC_H

#include <stddef.h>
#include <stdint.h>

/*	name		program		user		what it owns */
#define PROC_LIST(P)							\
	P(DISCOD,	"discod",	"root",		"parent")	\
	P(GOSSIPD,	"gossipd",	"_disco",	"membership")	\
	P(RPCD,		"rpcd",		"_disco",	"server RPC")	\
	P(CATALOGD,	"catalogd",	"_discodb",	"catalog")	\
	P(CHECKD,	"checkd",	"_disco",	"checks")	\
	P(DNSD,		"dnsd",		"_disco",	"DNS")		\
	P(APID,		"apid",		"_disco",	"HTTP API")	\
	P(EXECD,	"execd",	"_discochk",	"scripts")

enum proc {
#define P(name, prog, user, what) PROC_##name,
	PROC_LIST(P)
#undef P
	PROC_MAX
};

/*
 * dnsd alone may be several processes.  Worker 0 is what dnsd is where there
 * is one; the others are linked with it and with catalogd.
 */
#define DNS_WORKERS_MAX 64	/* the bits of a set of them */
#define PROC_NAME_MAX 16

/* The mesh.  Every child has its link to discod besides, as descriptor 3. */
#define LINK_LIST(L)							\
	L(GOSSIPD, RPCD)						\
	L(GOSSIPD, CATALOGD)						\
	L(GOSSIPD, APID)						\
	L(GOSSIPD, DNSD)						\
	L(RPCD, CATALOGD)						\
	L(CATALOGD, CHECKD)						\
	L(CATALOGD, DNSD)						\
	L(CATALOGD, APID)						\
	L(CATALOGD, EXECD)						\
	L(DNSD, DNSD)							\
	L(CHECKD, EXECD)						\
	L(CHECKD, DNSD)

#define PROC_BIT(p) (1u << (p))

/* "gossipd", or "?" for a number that is none. */
const char *proc_name(enum proc);
/* The same for one of several: "dnsd", "dnsd.2", "dnsd.3". */
const char *proc_worker_name(enum proc, unsigned worker,
    char buf[PROC_NAME_MAX]);
/* The user it runs as when the parent is root: "_disco". */
const char *proc_user(enum proc);
/* PROC_BIT()s of those that `p` has a link with, discod included. */
uint32_t proc_peers(enum proc p);

#endif
