/*
 * Small things that more than one daemon needs and no library has.
 */
#ifndef COMMON_UTIL_H
#define COMMON_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define NELEM(a) (sizeof(a) / sizeof((a)[0]))
#define NS_PER_MS 1000000ll
#define NS_PER_S 1000000000ll
#define DISCO_VERSION "0.1.0"
/* What we call ourselves on the network: Consul's version, then our own. */
#define DISCO_BUILD "1.8.7:disco" DISCO_VERSION

/* Memory: the process ends when there is none. */
void *xmalloc(size_t);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *, size_t);
void *xreallocarray(void *, size_t n, size_t size);
char *xstrdup(const char *);		/* NULL stays NULL */
char *xstrndup(const char *, size_t);
char *xmemdup_str(const void *, size_t);	/* with a NUL added */
int xasprintf(char **, const char *, ...) __attribute__((format(printf, 2, 3)));

/* Durations in Go's notation: "1h30m", "250ms", "-1.5s", "0".  -1: not one. */
int dur_parse(const char *, int64_t *ns);
/* "10s", "1m30s", "250ms", "0s": Go's own rendering. */
const char *dur_format(int64_t ns, char *buf, size_t len);

/* Lower-case UUID text, 36 characters and NUL. */
void uuid_make(char out[37]);
bool uuid_valid(const char *);

/* Standard base64.  Length written, or -1. */
int base64_decode(const char *, uint8_t *out, size_t max);
/* Where Go's decoder stops: people know "illegal base64 data at input byte". */
size_t base64_bad_at(const char *);
char *base64_text(const void *, size_t);	/* the caller frees */
void hex_encode(const void *, size_t, char *out);	/* 2n + 1 */
int hex_decode(const char *, size_t n, uint8_t *out);	/* n even; -1 */

/* Addresses. */
/* "10.0.0.1:80", "[::1]:80", "10.0.0.1": text to sockaddr.  port 0 when none;
 * -1 when it is no literal address, or one with a zone ("fe80::1%eth0"): an
 * interface's number is not ours to ask for in a sandbox. */
int addr_parse(const char *, uint16_t defport, struct sockaddr_storage *);
/* "host:port" taken apart; host of any kind; port -1 when none given.  -1: bad. */
int hostport_split(const char *, char *host, size_t len, int *port);
/* From 4 or 16 bytes (16 may be a mapped IPv4 address: becomes AF_INET). */
int addr_from_bytes(const uint8_t *, size_t, uint16_t port,
    struct sockaddr_storage *);
/* 4 or 16 bytes; the count. */
size_t addr_to_bytes(const struct sockaddr_storage *, uint8_t out[16]);
socklen_t addr_len(const struct sockaddr_storage *);
uint16_t addr_port(const struct sockaddr_storage *);
void addr_set_port(struct sockaddr_storage *, uint16_t);
/* "10.0.0.1", "::1" (no port). */
const char *addr_ip(const struct sockaddr_storage *, char *, size_t);
/* "10.0.0.1:80", "[::1]:80". */
const char *addr_text(const struct sockaddr_storage *, char *, size_t);
bool addr_equal_ip(const struct sockaddr_storage *,
    const struct sockaddr_storage *);
#define ADDR_TEXT_MAX 64

/* Seeded generator for pure cores: same seed, same run (xoshiro256**). */
struct rng { uint64_t s[4]; };
void rng_seed(struct rng *, uint64_t);
void rng_seed_os(struct rng *);
uint64_t rng_next(struct rng *);
uint32_t rng_below(struct rng *, uint32_t bound);	/* 0 <= x < bound */
double rng_double(struct rng *);			/* 0 <= x < 1 */

/* Text of whitespace-separated or comparable kinds. */
bool str_empty(const char *);		/* NULL or "" */
const char *str_or(const char *, const char *fallback);
uint64_t hash_bytes(const void *, size_t, uint64_t seed);	/* FNV-1a */

/* Files: the whole of one, NUL-ended, that the caller frees; NULL and errno
 * (EFBIG above max). */
char *file_read(const char *path, size_t max, size_t *len);
/* temp + fsync + rename + fsync of the directory.  -1 and errno. */
int file_write_atomic(const char *path, const void *, size_t, unsigned mode);
/* Gone for good: unlink + fsync of the directory.  -1 and errno. */
int file_remove(const char *path);
/* mkdir + fsync of what it is in; 0 when it is there.  -1 and errno. */
int dir_make(const char *path, unsigned mode);
int fd_nonblock(int fd);

#endif
