/*
 * AES-GCM by libcrypto and the ring of keys.  The caller brings the nonce; the
 * key file is gossipd_files.c's.  libcrypto is touched when the first key
 * comes, without its configuration file, which the sandbox hides.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "common/util.h"
#include "gossipd/crypt.h"

#define VSN_MAX		1
#define PAD_BLOCK	16

struct ring_key {
	uint8_t	bytes[CRYPT_KEY_MAX];
	size_t	len;
};

struct keyring {
	struct ring_key	 key[KEYRING_MAX];
	size_t		 n;
	EVP_CIPHER_CTX	*ctx;
};

struct keyring *
keyring_new(void)
{
	return xcalloc(1, sizeof(struct keyring));
}

void
keyring_free(struct keyring *k)
{
	if (k == NULL)
		return;
	EVP_CIPHER_CTX_free(k->ctx);
	OPENSSL_cleanse(k, sizeof(*k));
	free(k);
}

struct keyring *
keyring_dup(const struct keyring *k)
{
	struct keyring	*copy = keyring_new();

	keyring_restore(copy, k);
	return copy;
}

void
keyring_restore(struct keyring *k, const struct keyring *from)
{
	memcpy(k->key, from->key, sizeof(k->key));
	k->n = from->n;
}

size_t
keyring_count(const struct keyring *k)
{
	return k == NULL ? 0 : k->n;
}

const uint8_t *
keyring_key(const struct keyring *k, size_t i, size_t *len)
{
	*len = k->key[i].len;
	return k->key[i].bytes;
}

static size_t
find(const struct keyring *k, const uint8_t *bytes, size_t len)
{
	size_t	i;

	for (i = 0; i < k->n; i++)
		if (k->key[i].len == len &&
		    CRYPTO_memcmp(k->key[i].bytes, bytes, len) == 0)
			break;
	return i;
}

const char *
keyring_add(struct keyring *k, const uint8_t *bytes, size_t len)
{
	if (len != 16 && len != 24 && len != 32)
		return "key size must be 16, 24 or 32 bytes";
	if (find(k, bytes, len) < k->n)
		return NULL;
	if (k->n == KEYRING_MAX)
		return "too many keys";
	if (k->ctx == NULL) {
		(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
		if ((k->ctx = EVP_CIPHER_CTX_new()) == NULL)
			return "out of memory";
	}
	memcpy(k->key[k->n].bytes, bytes, len);
	k->key[k->n++].len = len;
	return NULL;
}

const char *
keyring_use(struct keyring *k, const uint8_t *bytes, size_t len)
{
	size_t		i = find(k, bytes, len);
	struct ring_key	key;

	if (i == k->n)
		return "Requested key is not in the keyring";
	key = k->key[i];
	memmove(&k->key[1], &k->key[0], i * sizeof(key));
	k->key[0] = key;
	OPENSSL_cleanse(&key, sizeof(key));
	return NULL;
}

const char *
keyring_remove(struct keyring *k, const uint8_t *bytes, size_t len)
{
	size_t	i = find(k, bytes, len);

	if (i == k->n)
		return NULL;
	if (i == 0)
		return "Removing the primary key is not allowed";
	memmove(&k->key[i], &k->key[i + 1],
	    (k->n - i - 1) * sizeof(k->key[0]));
	OPENSSL_cleanse(&k->key[--k->n], sizeof(k->key[0]));
	return NULL;
}

static const EVP_CIPHER *
cipher_of(const struct ring_key *key)
{
	switch (key->len) {
	case 16:
		return EVP_aes_128_gcm();
	case 24:
		return EVP_aes_192_gcm();
	default:
		return EVP_aes_256_gcm();
	}
}

int
crypt_seal(struct keyring *k, int vsn, const uint8_t nonce[CRYPT_NONCE],
    const uint8_t *aad, size_t aadlen, const uint8_t *msg, size_t len,
    struct wbuf *out)
{
	uint8_t	 pad[PAD_BLOCK], *to;
	size_t	 npad = vsn == 0 ? PAD_BLOCK - len % PAD_BLOCK : 0;
	int	 n;

	if (k->n == 0)
		return -1;
	wb_u8(out, (uint8_t)vsn);
	wb_bytes(out, nonce, CRYPT_NONCE);
	if ((to = wb_reserve(out, len + npad + CRYPT_TAG)) == NULL)
		return -1;
	memset(pad, (int)npad, sizeof(pad));
	if (EVP_EncryptInit_ex(k->ctx, cipher_of(&k->key[0]), NULL,
	    k->key[0].bytes, nonce) != 1 ||
	    (aadlen > 0 &&
	    EVP_EncryptUpdate(k->ctx, NULL, &n, aad, (int)aadlen) != 1) ||
	    EVP_EncryptUpdate(k->ctx, to, &n, msg, (int)len) != 1 ||
	    (npad > 0 &&
	    EVP_EncryptUpdate(k->ctx, to + len, &n, pad, (int)npad) != 1) ||
	    EVP_EncryptFinal_ex(k->ctx, to + len + npad, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(k->ctx, EVP_CTRL_GCM_GET_TAG, CRYPT_TAG,
	    to + len + npad) != 1)
		return -1;
	return 0;
}

static int
open_with(struct keyring *k, const struct ring_key *key, const uint8_t *aad,
    size_t aadlen, const uint8_t *blob, size_t len, uint8_t *to)
{
	const uint8_t	*body = blob + 1 + CRYPT_NONCE;
	size_t		 nbody = len - CRYPT_OVERHEAD;
	uint8_t		 tag[CRYPT_TAG];
	int		 n;

	memcpy(tag, body + nbody, CRYPT_TAG);
	if (EVP_DecryptInit_ex(k->ctx, cipher_of(key), NULL, key->bytes,
	    blob + 1) != 1 ||
	    (aadlen > 0 &&
	    EVP_DecryptUpdate(k->ctx, NULL, &n, aad, (int)aadlen) != 1) ||
	    EVP_DecryptUpdate(k->ctx, to, &n, body, (int)nbody) != 1 ||
	    EVP_CIPHER_CTX_ctrl(k->ctx, EVP_CTRL_GCM_SET_TAG, CRYPT_TAG,
	    tag) != 1 ||
	    EVP_DecryptFinal_ex(k->ctx, to + nbody, &n) != 1)
		return -1;
	return 0;
}

int
crypt_open(struct keyring *k, const uint8_t *aad, size_t aadlen,
    const uint8_t *blob, size_t len, struct wbuf *out)
{
	size_t	 i, nbody, before = out->len;
	uint8_t	*to, pad;

	if (len < CRYPT_OVERHEAD || len > INT32_MAX || blob[0] > VSN_MAX)
		return -1;
	nbody = len - CRYPT_OVERHEAD;
	if (blob[0] == 0 && nbody < PAD_BLOCK)
		return -1;
	/* One byte more, so that an empty message has a place. */
	if ((to = wb_reserve(out, nbody + 1)) == NULL)
		return -1;
	for (i = 0; i < k->n; i++)
		if (open_with(k, &k->key[i], aad, aadlen, blob, len, to) == 0)
			break;
	out->len = before;
	if (i == k->n)
		return -1;
	if (blob[0] == 0) {
		pad = to[nbody - 1];
		if (pad < 1 || pad > PAD_BLOCK || pad > nbody)
			return -1;
		nbody -= pad;
	}
	out->len = before + nbody;
	return 0;
}
