/*
 * Keep-alive HTTP/1.1 for bench/load: epoll over some hundred connections to
 * one address, Content-Length and chunked answers.  Every error ends the
 * program: a figure of a run with errors is none.
 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "bench/load.h"

#define EVENTS	256

uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
watch(struct http *h, struct conn *c, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	if (epoll_ctl(h->ep, op, c->fd, &ev) == -1)
		err(1, "epoll_ctl");
}

void
http_open(struct http *h, const char *addr, int port, size_t n)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port) };
	int one = 1;
	size_t i;

	memset(h, 0, sizeof(*h));
	h->n = n;
	h->conns = calloc(n, sizeof(*h->conns));
	h->ready = calloc(EVENTS, sizeof(struct conn *));
	if (h->conns == NULL || h->ready == NULL)
		err(1, "calloc");
	if (inet_pton(AF_INET, addr, &sin.sin_addr) != 1)
		errx(1, "%s: no address", addr);
	if ((h->ep = epoll_create1(0)) == -1)
		err(1, "epoll_create1");
	for (i = 0; i < n; i++) {
		struct conn *c = &h->conns[i];

		c->fd = socket(AF_INET, SOCK_STREAM, 0);
		if (c->fd == -1 ||
		    connect(c->fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
			err(1, "connect to %s:%d", addr, port);
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		watch(h, c, EPOLL_CTL_ADD, EPOLLIN);
	}
}

static void
push(struct http *h, struct conn *c)
{
	ssize_t n;

	n = send(c->fd, c->out + c->out_off, c->out_len - c->out_off,
	    MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == -1 && errno != EAGAIN)
		err(1, "send");
	if (n > 0)
		c->out_off += (size_t)n;
	if (c->out_off < c->out_len)
		watch(h, c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

void
http_send(struct http *h, struct conn *c, const char *method,
    const char *path, const char *body)
{
	int n;

	n = snprintf(c->out, sizeof(c->out),
	    "%s %s HTTP/1.1\r\nHost: bench\r\nContent-Length: %zu\r\n%s\r\n%s",
	    method, path, body == NULL ? 0 : strlen(body),
	    strncmp(path, "/v2/", 4) != 0 ? "" :
	    "Content-Type: application/x-www-form-urlencoded\r\n",
	    body == NULL ? "" : body);
	if (n < 0 || (size_t)n >= sizeof(c->out))
		errx(1, "request too long");
	c->out_len = (size_t)n;
	c->out_off = 0;
	c->in_len = 0;
	c->busy = 1;
	c->sent_us = now_us();
	push(h, c);
}

/* The value of a header of the head that ends at `end`, or NULL. */
static const char *
header(const char *head, const char *end, const char *name)
{
	size_t len = strlen(name);
	const char *p;

	for (p = head; (p = memchr(p, '\n', (size_t)(end - p))) != NULL;) {
		p++;
		if ((size_t)(end - p) > len && p[len] == ':' &&
		    strncasecmp(p, name, len) == 0)
			return p + len + 1 + strspn(p + len + 1, " ");
	}
	return NULL;
}

/* Does the chunked body that starts at p end before `end`? */
static int
chunks_end(const char *p, const char *end)
{
	const char *nl;
	size_t n;

	while ((nl = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		n = strtoul(p, NULL, 16);
		if ((size_t)(end - nl - 1) < n + 2)
			return 0;
		if (n == 0)
			return 1;
		p = nl + 1 + n + 2;
	}
	return 0;
}

static int
is_whole(struct conn *c)
{
	const char *body, *v;

	c->in[c->in_len] = '\0';
	if ((body = strstr(c->in, "\r\n\r\n")) == NULL)
		return 0;
	body += 4;
	if ((v = header(c->in, body, "Content-Length")) != NULL)
		return c->in_len >=
		    (size_t)(body - c->in) + strtoul(v, NULL, 10);
	if (header(c->in, body, "Transfer-Encoding") == NULL)
		errx(1, "an answer without an end: %.200s", c->in);
	return chunks_end(body, c->in + c->in_len);
}

/* Reads what is there; true once the answer is whole. */
static int
pull(struct conn *c)
{
	ssize_t n;

	if (c->in_cap - c->in_len < 16384) {
		c->in_cap = c->in_cap == 0 ? 32768 : c->in_cap * 2;
		if ((c->in = realloc(c->in, c->in_cap)) == NULL)
			err(1, "realloc");
	}
	n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len - 1,
	    MSG_DONTWAIT);
	if (n == -1 && errno == EAGAIN)
		return 0;
	if (n == -1)
		err(1, "recv");
	if (n == 0)
		errx(1, "the server closed a connection");
	if (!c->busy)
		errx(1, "an answer to no question");
	c->in_len += (size_t)n;
	return is_whole(c);
}

size_t
http_wait(struct http *h, int timeout_ms)
{
	struct epoll_event ev[EVENTS];
	size_t nready = 0;
	int i, n;

	if ((n = epoll_wait(h->ep, ev, EVENTS, timeout_ms)) == -1) {
		if (errno == EINTR)
			return 0;
		err(1, "epoll_wait");
	}
	for (i = 0; i < n; i++) {
		struct conn *c = ev[i].data.ptr;

		if (ev[i].events & EPOLLOUT) {
			watch(h, c, EPOLL_CTL_MOD, EPOLLIN);
			push(h, c);
		}
		if ((ev[i].events & ~(uint32_t)EPOLLOUT) != 0 && pull(c)) {
			c->busy = 0;
			h->ready[nready++] = c;
		}
	}
	return nready;
}

void
http_answer(struct conn *c, struct answer *a)
{
	const char *end = strstr(c->in, "\r\n\r\n") + 4, *v;

	memset(a, 0, sizeof(*a));
	if (strncmp(c->in, "HTTP/1.1 ", 9) != 0)
		errx(1, "no HTTP: %.100s", c->in);
	a->status = atoi(c->in + 9);
	if ((v = header(c->in, end, "X-Consul-Index")) != NULL)
		a->index = strtoull(v, NULL, 10);
	a->body = end;
	a->len = c->in_len - (size_t)(end - c->in);
}

void
http_ask(struct http *h, const char *method, const char *path,
    const char *body, struct answer *a)
{
	http_send(h, &h->conns[0], method, path, body);
	while (http_wait(h, -1) == 0)
		;
	http_answer(&h->conns[0], a);
}
