/*
 * Names that need no server: literal addresses and /etc/hosts, read before the
 * sandbox closes.  Everything else goes to dnsd by RESOLVE.
 */
#ifndef COMMON_HOSTS_H
#define COMMON_HOSTS_H

#include <stddef.h>
#include <sys/socket.h>

struct hosts;

/* Reads the file (NULL: /etc/hosts); a missing one is an empty one. */
struct hosts *hosts_load(const char *path);
void hosts_free(struct hosts *);
/* Up to max addresses of that name in file order; localhost is always known.
 * Port is 0.  The number found. */
size_t hosts_lookup(const struct hosts *, const char *name,
    struct sockaddr_storage *out, size_t max);

#endif
