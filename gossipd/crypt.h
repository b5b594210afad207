/*
 * Gossip encryption: AES-GCM under a ring of keys (gossip.md section 5).  The
 * first key is the primary: it encrypts, all of them decrypt.
 */
#ifndef GOSSIPD_CRYPT_H
#define GOSSIPD_CRYPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

#define CRYPT_KEY_MAX	32
#define CRYPT_NONCE	12
#define CRYPT_TAG	16
#define CRYPT_OVERHEAD	(1 + CRYPT_NONCE + CRYPT_TAG)
#define KEYRING_MAX	64	/* every packet may try them all */

struct keyring;

/* Empty: encryption is off. */
struct keyring *keyring_new(void);
void keyring_free(struct keyring *);	/* wipes; NULL is fine */
size_t keyring_count(const struct keyring *);
/* The keys alone, to be given back by keyring_restore(). */
struct keyring *keyring_dup(const struct keyring *);
void keyring_restore(struct keyring *, const struct keyring *);
/* Raw bytes of the i-th; 0 is the primary. */
const uint8_t *keyring_key(const struct keyring *, size_t i, size_t *len);

/*
 * NULL, or why not, in the words of peers.  Adding a known key and removing an
 * unknown one succeed.
 */
const char *keyring_add(struct keyring *, const uint8_t *, size_t);
const char *keyring_use(struct keyring *, const uint8_t *, size_t);
const char *keyring_remove(struct keyring *, const uint8_t *, size_t);

/* Appends version, nonce, ciphertext, tag.  vsn 0 pads.  0 or -1. */
int crypt_seal(struct keyring *, int vsn, const uint8_t nonce[CRYPT_NONCE],
    const uint8_t *aad, size_t aadlen, const uint8_t *msg, size_t len,
    struct wbuf *out);
/* Appends the message.  0, or -1 with nothing appended: no key opens it. */
int crypt_open(struct keyring *, const uint8_t *aad, size_t aadlen,
    const uint8_t *blob, size_t len, struct wbuf *out);

#endif
