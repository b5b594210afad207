/*
 * What bench/load is made of: keep-alive connections over HTTP/1.1 to one
 * address (load_http.c), one request at a time on each, and what they are used
 * for (load.c).
 */
#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>
#include <stdint.h>

#define OUT_MAX		2048	/* a request of ours */

struct conn {
	char	 out[OUT_MAX];
	size_t	 out_len, out_off;
	char	*in;
	size_t	 in_len, in_cap;
	uint64_t sent_us;	/* when its request was given */
	int	 fd;
	int	 busy;		/* a request without an answer yet */
};

struct answer {
	const char *body;
	size_t	 len;
	uint64_t index;		/* X-Consul-Index, 0 without one */
	int	 status;
};

struct http {
	struct conn *conns;
	struct conn **ready;	/* filled by http_wait() */
	size_t	 n;
	int	 ep;
};

uint64_t now_us(void);
void	 http_open(struct http *, const char *addr, int port, size_t n);
/* METHOD and path, and a body or NULL; printf-like bodies are the caller's. */
void	 http_send(struct http *, struct conn *, const char *method,
	    const char *path, const char *body);
/*
 * Waits until something moves or timeout_ms pass; the connections that then
 * have a whole answer are in http->ready.  Returns how many.  Anything that a
 * server should not do ends the program.
 */
size_t	 http_wait(struct http *, int timeout_ms);
/* The answer of a ready connection, valid until its next http_send(). */
void	 http_answer(struct conn *, struct answer *);
/* Sends and waits on a connection of a set of one. */
void	 http_ask(struct http *, const char *method, const char *path,
	    const char *body, struct answer *);

#endif /* LOAD_H */
