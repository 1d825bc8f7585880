/* The Merkle tree of RFC 6962 section 2.1 (SHA-256), proofs of sections 2.1.1 and 2.1.2, and the
 * proof of an aligned subtree against a whole tree.
 *
 *   leaf  = SHA-256(0x00 || entry)        node = SHA-256(0x01 || left || right)
 *   empty = SHA-256("")
 *
 * A perfect subtree is named (level, index): it covers leaves [index << level, (index+1) << level).
 * Everything here is pure: hashes of stored subtrees come in through a reader. */
#ifndef PROTO_SECURE_MERKLE_H
#define PROTO_SECURE_MERKLE_H

#include "proto/secure/hash.h"

#define MERKLE_LEVEL_MAX 63
/* The longest proof of any of the three kinds for trees of up to 2^63 leaves. */
#define MERKLE_PROOF_MAX 128
/* A package is one block: an aligned run of up to this many leaves (design D6). */
#define MERKLE_BLOCK_LEVEL 8
#define MERKLE_BLOCK_SIZE (UINT64_C(1) << MERKLE_BLOCK_LEVEL)

void merkle_leaf_hash(struct hash *out, struct bytes entry);
void merkle_node_hash(struct hash *out, const struct hash *left, const struct hash *right);
void merkle_empty_root(struct hash *out);

/* The right edge of a growing tree: the roots of the perfect subtrees of `size` leaves, largest
 * first; their number is the count of one bits of `size`. All zero is the empty tree. */
struct merkle_frontier {
    uint64_t size;
    struct hash roots[MERKLE_LEVEL_MAX + 1];
};

unsigned merkle_frontier_count(uint64_t size);
/* Append one leaf hash: O(log n) at worst, one node hash on average. When `node` is given it is
 * called for every perfect subtree the append completed, lowest level first (levels >= 1). */
typedef void merkle_on_node(void *context, unsigned level, uint64_t index, const struct hash *hash);
void merkle_frontier_append(struct merkle_frontier *frontier, const struct hash *leaf,
                            merkle_on_node *node, void *context);
void merkle_frontier_root(const struct merkle_frontier *frontier, struct hash *root);
bool merkle_frontier_equal(const struct merkle_frontier *a, const struct merkle_frontier *b);

/* Gives the hash of a perfect subtree that lies wholly inside the tree. */
struct merkle_source {
    enum err (*node)(void *context, unsigned level, uint64_t index, struct hash *out);
    void *context;
};

struct merkle_proof {
    size_t count;
    struct hash hashes[MERKLE_PROOF_MAX];
};

/* MTH of leaves [first, first+count), made of stored perfect subtrees: `first` must be a multiple of
 * the largest power of two in `count`, as it is for every node of a tree; ERR_INVALID otherwise.
 * Errors of the source travel up. */
enum err merkle_range_root(const struct merkle_source *source, uint64_t first, uint64_t count,
                           struct hash *out);
/* The root of the first `size` leaves. */
enum err merkle_root(const struct merkle_source *source, uint64_t size, struct hash *out);

/* PATH(index, D[size]). ERR_INVALID unless index < size. */
enum err merkle_prove_inclusion(const struct merkle_source *source, uint64_t index, uint64_t size,
                                struct merkle_proof *proof);
/* PROOF(from, D[to]). ERR_INVALID unless from <= to; empty when from is 0 or equals to. */
enum err merkle_prove_consistency(const struct merkle_source *source, uint64_t from, uint64_t to,
                                  struct merkle_proof *proof);
/* The path from block [first, first+count) to the root of `size` leaves. `first` is a multiple of
 * MERKLE_BLOCK_SIZE and count is min(MERKLE_BLOCK_SIZE, size - first); ERR_INVALID otherwise. */
enum err merkle_prove_block(const struct merkle_source *source, uint64_t first, uint64_t size,
                            struct merkle_proof *proof);

/* ERR_PROOF when it does not verify, also when it is too long, too short or the positions make no
 * sense; never reads beyond proof->count. */
enum err merkle_verify_inclusion(const struct hash *leaf, uint64_t index, uint64_t size,
                                 const struct merkle_proof *proof, const struct hash *root);
enum err merkle_verify_consistency(uint64_t from, const struct hash *from_root, uint64_t to,
                                   const struct hash *to_root, const struct merkle_proof *proof);
/* What a consistency proof that someone shows is worth: OK when it verifies. ERR_FORK when it proves
 * the opposite: it leads to to_root, and so fixes the root of that tree's first `from` leaves, which
 * is another than from_root. ERR_PROOF when it proves nothing. For a `from` that is a power of two
 * PROOF(from, D[to]) does not contain that root; it may then stand before it. */
enum err merkle_judge_consistency(uint64_t from, const struct hash *from_root, uint64_t to,
                                  const struct hash *to_root, const struct merkle_proof *proof);
/* merkle_prove_consistency(), with the root before it where `from` is a power of two below `to`. */
enum err merkle_prove_continuation(const struct merkle_source *source, uint64_t from, uint64_t to,
                                   struct merkle_proof *proof);
/* `block` is the root of the block's leaves, as merkle_block_root() gives it. */
enum err merkle_verify_block(const struct hash *block, uint64_t first, uint64_t size,
                             const struct merkle_proof *proof, const struct hash *root);

/* The RFC 6962 root over 1..MERKLE_BLOCK_SIZE leaf hashes. */
void merkle_block_root(const struct hash *leaves, size_t count, struct hash *out);

#endif
