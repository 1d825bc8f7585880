/* Proofs are walked level by level, from the leaf up, with two numbers: `node`, the index of the
 * subtree on the path, and `last`, the index of the rightmost subtree of that level. Left of
 * `last` every subtree is perfect; `last` itself may hold fewer leaves. Verification follows
 * RFC 9162, sections 2.1.3.2 and 2.1.4.2, whose trees are those of RFC 6962. */
#include "proto/secure/merkle.h"

#include "proto/base/require.h"

#include <string.h>

#define LEAF_PREFIX 0x00
#define NODE_PREFIX 0x01

void merkle_leaf_hash(struct hash *out, struct bytes entry)
{
    static const uint8_t prefix = LEAF_PREFIX;
    struct bytes parts[] = { bytes_of(&prefix, 1), entry };
    hash_sha256(out, parts, 2);
}

void merkle_node_hash(struct hash *out, const struct hash *left, const struct hash *right)
{
    /* One run of bytes: the hash then takes its first block where it lies. */
    uint8_t input[1 + 2 * HASH_SIZE];
    input[0] = NODE_PREFIX;
    memcpy(input + 1, left->bytes, HASH_SIZE);
    memcpy(input + 1 + HASH_SIZE, right->bytes, HASH_SIZE);
    struct bytes part = BYTES_OF_ARRAY(input);
    hash_sha256(out, &part, 1);
}

void merkle_empty_root(struct hash *out)
{
    hash_sha256(out, NULL, 0);
}

/* ---- the right edge ------------------------------------------------------------------------- */

unsigned merkle_frontier_count(uint64_t size)
{
    return (unsigned)__builtin_popcountll(size);
}

void merkle_frontier_append(struct merkle_frontier *frontier, const struct hash *leaf,
                            merkle_on_node *node, void *context)
{
    struct hash hash = *leaf;
    unsigned count = merkle_frontier_count(frontier->size);
    unsigned level = 0;
    /* Every one bit at the end of the size is a perfect subtree that waits for its right half. */
    for (uint64_t index = frontier->size; index & 1; index >>= 1) {
        merkle_node_hash(&hash, &frontier->roots[--count], &hash);
        level++;
        if (node)
            node(context, level, index >> 1, &hash);
    }
    frontier->roots[count] = hash;
    frontier->size++;
}

void merkle_frontier_root(const struct merkle_frontier *frontier, struct hash *root)
{
    unsigned count = merkle_frontier_count(frontier->size);
    if (count == 0) {
        merkle_empty_root(root);
        return;
    }
    struct hash hash = frontier->roots[--count];
    while (count > 0)
        merkle_node_hash(&hash, &frontier->roots[--count], &hash);
    *root = hash;
}

bool merkle_frontier_equal(const struct merkle_frontier *a, const struct merkle_frontier *b)
{
    return a->size == b->size &&
           memcmp(a->roots, b->roots, HASH_SIZE * merkle_frontier_count(a->size)) == 0;
}

/* ---- roots ---------------------------------------------------------------------------------- */

enum err merkle_range_root(const struct merkle_source *source, uint64_t first, uint64_t count,
                           struct hash *out)
{
    if (count > UINT64_MAX - first)
        return ERR_INVALID;
    /* The range's own frontier: its perfect subtrees, largest first. */
    struct merkle_frontier frontier;
    frontier.size = count;
    uint64_t position = first;
    unsigned filled = 0;
    for (uint64_t rest = count; rest != 0;) {
        unsigned level = 63 - (unsigned)__builtin_clzll(rest);
        uint64_t width = UINT64_C(1) << level;
        if (position % width != 0)
            return ERR_INVALID;
        enum err err =
            source->node(source->context, level, position >> level, &frontier.roots[filled]);
        if (err != OK)
            return err;
        filled++;
        position += width;
        rest -= width;
    }
    merkle_frontier_root(&frontier, out);
    return OK;
}

enum err merkle_root(const struct merkle_source *source, uint64_t size, struct hash *out)
{
    return merkle_range_root(source, 0, size, out);
}

void merkle_block_root(const struct hash *leaves, size_t count, struct hash *out)
{
    require(count >= 1 && count <= MERKLE_BLOCK_SIZE);
    struct hash level[MERKLE_BLOCK_SIZE / 2];
    const struct hash *below = leaves;
    while (count > 1) {
        size_t pairs = count / 2;
        for (size_t i = 0; i < pairs; i++)
            merkle_node_hash(&level[i], &below[2 * i], &below[2 * i + 1]);
        if (count & 1)
            level[pairs] = below[count - 1]; /* without a sibling a subtree moves up as it is */
        count = pairs + (count & 1);
        below = level;
    }
    *out = below[0];
}

/* ---- proving -------------------------------------------------------------------------------- */

/* Appends the siblings on the way from the subtree (level, node) to the root of `size` leaves. */
static enum err prove_path(const struct merkle_source *source, unsigned level, uint64_t node,
                           uint64_t size, struct merkle_proof *proof)
{
    for (uint64_t last = (size - 1) >> level; last > 0; level++, node >>= 1, last >>= 1) {
        uint64_t sibling = node ^ 1;
        enum err err = OK;
        if (sibling > last)
            continue; /* the right edge without a sibling moves up as it is */
        struct hash *out = &proof->hashes[proof->count++];
        if (sibling < last)
            err = source->node(source->context, level, sibling, out);
        else
            err = merkle_range_root(source, sibling << level, size - (sibling << level), out);
        if (err != OK)
            return err;
    }
    return OK;
}

enum err merkle_prove_inclusion(const struct merkle_source *source, uint64_t index, uint64_t size,
                                struct merkle_proof *proof)
{
    proof->count = 0;
    if (index >= size)
        return ERR_INVALID;
    return prove_path(source, 0, index, size, proof);
}

enum err merkle_prove_block(const struct merkle_source *source, uint64_t first, uint64_t size,
                            struct merkle_proof *proof)
{
    proof->count = 0;
    if (first >= size || first % MERKLE_BLOCK_SIZE != 0)
        return ERR_INVALID;
    return prove_path(source, MERKLE_BLOCK_LEVEL, first >> MERKLE_BLOCK_LEVEL, size, proof);
}

enum err merkle_prove_consistency(const struct merkle_source *source, uint64_t from, uint64_t to,
                                  struct merkle_proof *proof)
{
    proof->count = 0;
    if (from > to)
        return ERR_INVALID;
    if (from == 0 || from == to)
        return OK;
    /* The smaller tree's last perfect subtree is a node of both trees: the path begins there. It
     * is sent first, unless it is the whole smaller tree, whose root the verifier has. */
    unsigned level = (unsigned)__builtin_ctzll(from);
    uint64_t node = (from - 1) >> level;
    if (node != 0) {
        enum err err = source->node(source->context, level, node, &proof->hashes[proof->count++]);
        if (err != OK)
            return err;
    }
    return prove_path(source, level, node, to, proof);
}

static bool is_power_of_two(uint64_t number)
{
    return number != 0 && (number & (number - 1)) == 0;
}

enum err merkle_prove_continuation(const struct merkle_source *source, uint64_t from, uint64_t to,
                                   struct merkle_proof *proof)
{
    struct hash root;
    enum err err = merkle_prove_consistency(source, from, to, proof);
    if (err != OK || from == to || !is_power_of_two(from))
        return err;
    err = merkle_root(source, from, &root);
    memmove(proof->hashes + 1, proof->hashes, proof->count * sizeof proof->hashes[0]);
    proof->hashes[0] = root;
    proof->count++;
    return err;
}

/* ---- verifying ------------------------------------------------------------------------------ */

/* Where verification stands: the path's subtree and the level's rightmost one, as indexes. */
struct walk {
    uint64_t node;
    uint64_t last;
};

/* True when the next hash of the proof is a left sibling. A right edge without siblings has moved
 * up by itself, so its levels are passed over first. */
static bool walk_sibling_is_left(struct walk *walk)
{
    if (walk->node & 1)
        return true;
    if (walk->node != walk->last)
        return false;
    while (!(walk->node & 1) && walk->node != 0) {
        walk->node >>= 1;
        walk->last >>= 1;
    }
    return true;
}

static void walk_up(struct walk *walk)
{
    walk->node >>= 1;
    walk->last >>= 1;
}

static enum err verify_path(const struct hash *start, struct walk walk,
                            const struct merkle_proof *proof, const struct hash *root)
{
    if (proof->count > MERKLE_PROOF_MAX)
        return ERR_PROOF;
    struct hash hash = *start;
    for (size_t i = 0; i < proof->count; i++) {
        if (walk.last == 0)
            return ERR_PROOF;
        if (walk_sibling_is_left(&walk))
            merkle_node_hash(&hash, &proof->hashes[i], &hash);
        else
            merkle_node_hash(&hash, &hash, &proof->hashes[i]);
        walk_up(&walk);
    }
    return walk.last == 0 && hash_equal(&hash, root) ? OK : ERR_PROOF;
}

enum err merkle_verify_inclusion(const struct hash *leaf, uint64_t index, uint64_t size,
                                 const struct merkle_proof *proof, const struct hash *root)
{
    if (index >= size)
        return ERR_PROOF;
    return verify_path(leaf, (struct walk){ index, size - 1 }, proof, root);
}

enum err merkle_verify_block(const struct hash *block, uint64_t first, uint64_t size,
                             const struct merkle_proof *proof, const struct hash *root)
{
    if (first >= size || first % MERKLE_BLOCK_SIZE != 0)
        return ERR_PROOF;
    /* Above the blocks the tree is that of ceil(size / MERKLE_BLOCK_SIZE) leaves. */
    struct walk walk = { first >> MERKLE_BLOCK_LEVEL, (size - 1) >> MERKLE_BLOCK_LEVEL };
    return verify_path(block, walk, proof, root);
}

/* Sizes that need no hash: the empty tree is a prefix of every tree, a tree of itself. */
static enum err verify_trivial_consistency(uint64_t from, const struct hash *from_root, uint64_t to,
                                           const struct hash *to_root,
                                           const struct merkle_proof *proof)
{
    struct hash empty;
    merkle_empty_root(&empty);
    bool ok = proof->count == 0;
    if (from == 0)
        ok = ok && hash_equal(from_root, &empty);
    if (from == to)
        ok = ok && hash_equal(from_root, to_root);
    return ok ? OK : ERR_PROOF;
}

/* Both roots that a proof leads to from the smaller tree's last perfect subtree; false when it has
 * not the length that the sizes demand. */
static bool walk_consistency(uint64_t from, uint64_t to, const struct hash *start,
                             const struct hash *siblings, size_t count, struct hash *old,
                             struct hash *new)
{
    unsigned level = (unsigned)__builtin_ctzll(from);
    struct walk walk = { (from - 1) >> level, (to - 1) >> level };
    *old = *new = *start;
    for (size_t i = 0; i < count; i++) {
        if (walk.last == 0)
            return false;
        if (walk_sibling_is_left(&walk)) {
            merkle_node_hash(old, &siblings[i], old);
            merkle_node_hash(new, &siblings[i], new);
        } else {
            merkle_node_hash(new, new, &siblings[i]);
        }
        walk_up(&walk);
    }
    return walk.last == 0;
}

enum err merkle_verify_consistency(uint64_t from, const struct hash *from_root, uint64_t to,
                                   const struct hash *to_root, const struct merkle_proof *proof)
{
    struct hash old, new;
    if (from > to || proof->count > MERKLE_PROOF_MAX)
        return ERR_PROOF;
    if (from == 0 || from == to)
        return verify_trivial_consistency(from, from_root, to, to_root, proof);
    bool ok;
    if (is_power_of_two(from)) /* a perfect smaller tree is the first subtree itself */
        ok = walk_consistency(from, to, from_root, proof->hashes, proof->count, &old, &new);
    else
        ok = proof->count > 0 && walk_consistency(from, to, &proof->hashes[0], proof->hashes + 1,
                                                  proof->count - 1, &old, &new);
    return ok && hash_equal(&old, from_root) && hash_equal(&new, to_root) ? OK : ERR_PROOF;
}

enum err merkle_judge_consistency(uint64_t from, const struct hash *from_root, uint64_t to,
                                  const struct hash *to_root, const struct merkle_proof *proof)
{
    struct hash old, new;
    if (merkle_verify_consistency(from, from_root, to, to_root, proof) == OK)
        return OK;
    if (from == 0 || from > to || proof->count > MERKLE_PROOF_MAX)
        return ERR_PROOF;
    if (from == to)
        return hash_equal(from_root, to_root) ? ERR_PROOF : ERR_FORK;
    if (proof->count == 0 ||
        !walk_consistency(from, to, &proof->hashes[0], proof->hashes + 1, proof->count - 1, &old,
                          &new) ||
        !hash_equal(&new, to_root))
        return ERR_PROOF;
    return hash_equal(&old, from_root) ? OK : ERR_FORK;
}
