/*
 * An ordered set of strings with an index each, and the highest index below
 * any prefix in time that depends on the prefix alone: a crit-bit tree (D. J.
 * Bernstein, A. Langley) whose inner nodes know the maximum under them.
 *
 * A leaf is embedded in its row; key and row are the caller's, and the key
 * (without a NUL in it) stays as it is while it is in the tree.
 */
#ifndef CATALOGD_TRIE_H
#define CATALOGD_TRIE_H

#include <stddef.h>
#include <stdint.h>

struct trie_node;
struct trie_leaf {
	struct trie_node	*parent;
	const char		*key;
	uint64_t		 index;
};
struct trie {
	void	*root;		/* a leaf, or a node with its lowest bit set */
	size_t	 n;
};

void trie_init(struct trie *);
struct trie_leaf *trie_find(const struct trie *, const char *key);
/* leaf->key and leaf->index are set; the key is not there yet. */
void trie_insert(struct trie *, struct trie_leaf *);
void trie_remove(struct trie *, struct trie_leaf *);
void trie_set_index(struct trie_leaf *, uint64_t index);
/* The highest index of the keys that begin so; 0 when there is none. */
uint64_t trie_prefix_index(const struct trie *, const char *prefix);
/* In byte order: the first that begins so, the next that does; or NULL. */
struct trie_leaf *trie_first(const struct trie *, const char *prefix);
struct trie_leaf *trie_next(const struct trie_leaf *, const char *prefix);
/* The next behind all that begin with the n first bytes of this one's key. */
struct trie_leaf *trie_next_past(const struct trie_leaf *, size_t n,
    const char *prefix);
/* How many bytes of it any key has in common with it. */
size_t trie_common(const struct trie *, const char *key);

#endif
