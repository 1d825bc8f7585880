/* The tree against an independent one: `naive_*` below are the recursive definitions of RFC 6962,
 * section 2.1, written down as they stand there, with SHA-256 from another library. */
#include "proto/secure/merkle.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_SIZE_MAX 300

/* ---- RFC 6962 as written -------------------------------------------------------------------- */

struct naive {
    const struct hash *leaves;
    /* MTH(D[first:first+count]) at [first][count] for trees up to SMALL_SIZE_MAX, or NULL. */
    struct hash (*memory)[SMALL_SIZE_MAX + 1];
    bool (*known)[SMALL_SIZE_MAX + 1];
};

static struct hash naive_sha256(uint8_t prefix, const void *data, size_t size)
{
    crypto_hash_sha256_state state;
    struct hash hash;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, &prefix, 1);
    crypto_hash_sha256_update(&state, data, size);
    crypto_hash_sha256_final(&state, hash.bytes);
    return hash;
}

/* "k is the largest power of two smaller than n" */
static uint64_t naive_split(uint64_t n)
{
    uint64_t k = 1;
    while (k * 2 < n)
        k *= 2;
    return k;
}

static struct hash naive_mth(const struct naive *tree, uint64_t first, uint64_t n)
{
    if (n == 0) {
        struct hash empty;
        crypto_hash_sha256(empty.bytes, NULL, 0);
        return empty;
    }
    if (n == 1)
        return tree->leaves[first];
    if (tree->known && tree->known[first][n])
        return tree->memory[first][n];
    uint64_t k = naive_split(n);
    struct hash pair[2] = { naive_mth(tree, first, k), naive_mth(tree, first + k, n - k) };
    struct hash hash = naive_sha256(0x01, pair, sizeof pair);
    if (tree->known) {
        tree->known[first][n] = true;
        tree->memory[first][n] = hash;
    }
    return hash;
}

static void naive_push(struct merkle_proof *proof, struct hash hash)
{
    proof->hashes[proof->count++] = hash;
}

/* PATH(m, D[first:first+n]) */
static void naive_path(const struct naive *tree, uint64_t m, uint64_t first, uint64_t n,
                       struct merkle_proof *proof)
{
    if (n == 1)
        return;
    uint64_t k = naive_split(n);
    if (m < k) {
        naive_path(tree, m, first, k, proof);
        naive_push(proof, naive_mth(tree, first + k, n - k));
    } else {
        naive_path(tree, m - k, first + k, n - k, proof);
        naive_push(proof, naive_mth(tree, first, k));
    }
}

/* SUBPROOF(m, D[first:first+n], whole) */
static void naive_subproof(const struct naive *tree, uint64_t m, uint64_t first, uint64_t n,
                           bool whole, struct merkle_proof *proof)
{
    if (m == n) {
        if (!whole)
            naive_push(proof, naive_mth(tree, first, n));
        return;
    }
    uint64_t k = naive_split(n);
    if (m <= k) {
        naive_subproof(tree, m, first, k, whole, proof);
        naive_push(proof, naive_mth(tree, first + k, n - k));
    } else {
        naive_subproof(tree, m - k, first + k, n - k, false, proof);
        naive_push(proof, naive_mth(tree, first, k));
    }
}

/* ---- a store of perfect subtrees ------------------------------------------------------------ */

/* What a log keeps: every perfect subtree, filled through merkle_frontier_append() alone. */
struct store {
    struct hash *levels[MERKLE_LEVEL_MAX + 1];
    uint64_t counts[MERKLE_LEVEL_MAX + 1];
    uint64_t size_limit; /* a subtree that reaches behind it is not given */
    struct merkle_frontier frontier;
};

static void store_on_node(void *context, unsigned level, uint64_t index, const struct hash *hash)
{
    struct store *store = context;
    cr_assert_eq(index, store->counts[level], "subtrees come in order, each once");
    store->levels[level][store->counts[level]++] = *hash;
}

static void store_append(struct store *store, const struct hash *leaf)
{
    store_on_node(store, 0, store->frontier.size, leaf);
    merkle_frontier_append(&store->frontier, leaf, store_on_node, store);
    store->size_limit = store->frontier.size;
}

static struct store *store_new(uint64_t capacity)
{
    struct store *store = calloc(1, sizeof *store);
    for (unsigned level = 0; level <= MERKLE_LEVEL_MAX; level++)
        store->levels[level] = calloc((capacity >> level) + 1, sizeof(struct hash));
    return store;
}

static void store_free(struct store *store)
{
    for (unsigned level = 0; level <= MERKLE_LEVEL_MAX; level++)
        free(store->levels[level]);
    free(store);
}

static enum err store_node(void *context, unsigned level, uint64_t index, struct hash *out)
{
    struct store *store = context;
    if (level > MERKLE_LEVEL_MAX || index >= store->counts[level] ||
        (index + 1) << level > store->size_limit)
        return ERR_CORRUPT;
    *out = store->levels[level][index];
    return OK;
}

static struct hash test_leaf(uint64_t index)
{
    uint8_t entry[8];
    put_u64(entry, index * UINT64_C(0x9e3779b97f4a7c15));
    return naive_sha256(0x00, entry, sizeof entry);
}

static struct store *store_of_leaves(struct hash *leaves, uint64_t count)
{
    struct store *store = store_new(count);
    for (uint64_t i = 0; i < count; i++) {
        leaves[i] = test_leaf(i);
        store_append(store, &leaves[i]);
    }
    return store;
}

static void assert_same_proof(const struct merkle_proof *got, const struct merkle_proof *expected)
{
    cr_assert_eq(got->count, expected->count);
    cr_assert_eq(memcmp(got->hashes, expected->hashes, got->count * HASH_SIZE), 0);
}

static uint64_t block_size(uint64_t first, uint64_t size)
{
    return size - first < MERKLE_BLOCK_SIZE ? size - first : MERKLE_BLOCK_SIZE;
}

/* ---- all small trees ------------------------------------------------------------------------ */

static struct hash small_leaves[SMALL_SIZE_MAX];
static struct hash small_roots[SMALL_SIZE_MAX + 1];
static struct naive small_tree;
static struct store *small_store;
static struct merkle_source small_source;

static void small_setup(void)
{
    small_store = store_of_leaves(small_leaves, SMALL_SIZE_MAX);
    small_source = (struct merkle_source){ store_node, small_store };
    small_tree.leaves = small_leaves;
    small_tree.memory = calloc(SMALL_SIZE_MAX + 1, sizeof *small_tree.memory);
    small_tree.known = calloc(SMALL_SIZE_MAX + 1, sizeof *small_tree.known);
    for (uint64_t n = 0; n <= SMALL_SIZE_MAX; n++)
        small_roots[n] = naive_mth(&small_tree, 0, n);
}

static void small_teardown(void)
{
    store_free(small_store);
    free(small_tree.memory);
    free(small_tree.known);
}

TestSuite(merkle, .init = small_setup, .fini = small_teardown);

Test(merkle, leaf_and_node_hashes_are_those_of_rfc_6962)
{
    struct hash leaf, node, empty;
    merkle_leaf_hash(&leaf, bytes_of("abc", 3));
    struct hash expected = naive_sha256(0x00, "abc", 3);
    cr_assert(hash_equal(&leaf, &expected));
    merkle_node_hash(&node, &small_leaves[0], &small_leaves[1]);
    cr_assert(hash_equal(&node, &small_roots[2]));
    merkle_empty_root(&empty);
    cr_assert(hash_equal(&empty, &small_roots[0]));
}

Test(merkle, the_frontier_gives_the_root_of_every_size_up_to_300)
{
    struct merkle_frontier frontier = { 0 };
    struct hash root;
    for (uint64_t n = 0;; n++) {
        merkle_frontier_root(&frontier, &root);
        cr_assert(hash_equal(&root, &small_roots[n]), "size %lu", (unsigned long)n);
        if (n == SMALL_SIZE_MAX)
            break;
        merkle_frontier_append(&frontier, &small_leaves[n], NULL, NULL);
    }
}

Test(merkle, the_root_of_every_size_comes_from_stored_subtrees)
{
    for (uint64_t n = 0; n <= SMALL_SIZE_MAX; n++) {
        struct hash root;
        small_store->size_limit = n; /* nothing behind the tree's end is read */
        cr_assert_eq(merkle_root(&small_source, n, &root), OK);
        cr_assert(hash_equal(&root, &small_roots[n]));
    }
}

Test(merkle, a_range_has_a_root_where_its_subtrees_are_aligned_and_is_refused_elsewhere)
{
    for (uint64_t first = 0; first < SMALL_SIZE_MAX; first++) {
        for (uint64_t count = 1; first + count <= SMALL_SIZE_MAX; count++) {
            uint64_t largest = 1;
            while (largest * 2 <= count)
                largest *= 2;
            struct hash root;
            enum err err = merkle_range_root(&small_source, first, count, &root);
            cr_assert_eq(err, first % largest == 0 ? OK : ERR_INVALID);
            struct hash expected = naive_mth(&small_tree, first, count);
            cr_assert(err != OK || hash_equal(&root, &expected));
        }
    }
    struct hash root;
    cr_assert_eq(merkle_range_root(&small_source, UINT64_MAX, 2, &root), ERR_INVALID);
}

Test(merkle, the_root_of_a_block_is_the_tree_of_its_leaves)
{
    for (size_t n = 1; n <= MERKLE_BLOCK_SIZE; n++) {
        struct hash root;
        merkle_block_root(small_leaves, n, &root);
        cr_assert(hash_equal(&root, &small_roots[n]), "%zu leaves", n);
    }
}

Test(merkle, an_inclusion_proof_is_the_rfcs_and_verifies_for_every_leaf_of_every_tree_up_to_300)
{
    for (uint64_t n = 1; n <= SMALL_SIZE_MAX; n++) {
        small_store->size_limit = n;
        for (uint64_t m = 0; m < n; m++) {
            struct merkle_proof proof, expected = { 0 };
            cr_assert_eq(merkle_prove_inclusion(&small_source, m, n, &proof), OK);
            naive_path(&small_tree, m, 0, n, &expected);
            assert_same_proof(&proof, &expected);
            cr_assert_eq(
                merkle_verify_inclusion(&small_leaves[m], m, n, &proof, &small_roots[n]), OK);
        }
    }
}

Test(merkle, a_consistency_proof_is_the_rfcs_and_verifies_for_every_pair_of_sizes_up_to_300)
{
    for (uint64_t n = 1; n <= SMALL_SIZE_MAX; n++) {
        small_store->size_limit = n;
        for (uint64_t m = 1; m <= n; m++) {
            struct merkle_proof proof, expected = { 0 };
            cr_assert_eq(merkle_prove_consistency(&small_source, m, n, &proof), OK);
            naive_subproof(&small_tree, m, 0, n, true, &expected);
            assert_same_proof(&proof, &expected);
            cr_assert_eq(
                merkle_verify_consistency(m, &small_roots[m], n, &small_roots[n], &proof), OK);
        }
    }
}

/* A block's path is what PATH(first) has above the block. */
static void assert_block_proof(const struct naive *tree, const struct merkle_source *source,
                               uint64_t first, uint64_t n, const struct hash *root)
{
    struct merkle_proof proof, path = { 0 }, inside = { 0 };
    uint64_t count = block_size(first, n);
    cr_assert_eq(merkle_prove_block(source, first, n, &proof), OK);
    naive_path(tree, first, 0, n, &path);
    naive_path(tree, 0, first, count, &inside);
    cr_assert_eq(proof.count, path.count - inside.count);
    cr_assert_eq(memcmp(proof.hashes, path.hashes + inside.count, proof.count * HASH_SIZE), 0);
    struct hash block;
    merkle_block_root(tree->leaves + first, count, &block);
    cr_assert_eq(merkle_verify_block(&block, first, n, &proof, root), OK);
}

Test(merkle, a_block_proof_is_the_upper_part_of_the_rfcs_path_in_every_tree_up_to_300)
{
    for (uint64_t n = 1; n <= SMALL_SIZE_MAX; n++) {
        small_store->size_limit = n;
        for (uint64_t first = 0; first < n; first += MERKLE_BLOCK_SIZE)
            assert_block_proof(&small_tree, &small_source, first, n, &small_roots[n]);
    }
}

Test(merkle, every_tree_is_an_extension_of_the_empty_one_and_of_itself)
{
    struct merkle_proof proof;
    for (uint64_t n = 0; n <= SMALL_SIZE_MAX; n++) {
        cr_assert_eq(merkle_prove_consistency(&small_source, 0, n, &proof), OK);
        cr_assert_eq(proof.count, 0);
        cr_assert_eq(merkle_verify_consistency(0, &small_roots[0], n, &small_roots[n], &proof), OK);
        cr_assert_eq(merkle_prove_consistency(&small_source, n, n, &proof), OK);
        cr_assert_eq(proof.count, 0);
        cr_assert_eq(merkle_verify_consistency(n, &small_roots[n], n, &small_roots[n], &proof), OK);
    }
    cr_assert_eq(merkle_verify_consistency(0, &small_roots[1], 9, &small_roots[9], &proof),
                 ERR_PROOF);
    cr_assert_eq(merkle_verify_consistency(9, &small_roots[8], 9, &small_roots[9], &proof),
                 ERR_PROOF);
    cr_assert_eq(merkle_verify_consistency(0, &small_roots[0], 0, &small_roots[1], &proof),
                 ERR_PROOF);
}

/* ---- what must be refused ------------------------------------------------------------------- */

/* The leaf's neighbours up to 40 and every size are tried, because a position that differs only
 * in a part of the index that a shallow path does not see must still be refused. */
Test(merkle, an_inclusion_proof_verifies_at_no_other_position_and_in_no_other_size)
{
    enum { SIZES = 40 };
    for (uint64_t n = 1; n <= SIZES; n++) {
        for (uint64_t m = 0; m < n; m++) {
            struct merkle_proof proof;
            cr_assert_eq(merkle_prove_inclusion(&small_source, m, n, &proof), OK);
            for (uint64_t other = 0; other <= SIZES; other++) {
                enum err err = merkle_verify_inclusion(&small_leaves[m], other, n, &proof,
                                                       &small_roots[n]);
                cr_assert_eq(err, other == m ? OK : ERR_PROOF);
            }
            for (uint64_t other = 0; other <= SIZES; other++) {
                /* One root has one size: with the root of `other` the proof is not one. */
                enum err err = merkle_verify_inclusion(&small_leaves[m], m, other, &proof,
                                                       &small_roots[other]);
                cr_assert_eq(err, other == n ? OK : ERR_PROOF);
            }
        }
    }
}

Test(merkle, a_consistency_proof_verifies_for_no_other_pair_of_sizes_and_roots)
{
    enum { SIZES = 24 };
    for (uint64_t n = 1; n <= SIZES; n++) {
        for (uint64_t m = 1; m < n; m++) {
            struct merkle_proof proof;
            cr_assert_eq(merkle_prove_consistency(&small_source, m, n, &proof), OK);
            for (uint64_t from = 1; from <= SIZES; from++) {
                for (uint64_t to = 1; to <= SIZES; to++) {
                    enum err err = merkle_verify_consistency(from, &small_roots[from], to,
                                                             &small_roots[to], &proof);
                    bool equal = from == to && proof.count == 0;
                    cr_assert_eq(err, (from == m && to == n) || equal ? OK : ERR_PROOF);
                }
            }
        }
    }
}

enum proof_kind { INCLUSION, CONSISTENCY, BLOCK, PROOF_KINDS };

/* One claim of each kind, so that the same damage can be done to all. */
struct claim {
    enum proof_kind kind;
    uint64_t position, size;
    struct hash start, root;
    struct merkle_proof proof;
};

static enum err claim_verify(const struct claim *claim)
{
    switch (claim->kind) {
    case INCLUSION:
        return merkle_verify_inclusion(&claim->start, claim->position, claim->size, &claim->proof,
                                       &claim->root);
    case CONSISTENCY:
        return merkle_verify_consistency(claim->position, &claim->start, claim->size, &claim->root,
                                         &claim->proof);
    default:
        return merkle_verify_block(&claim->start, claim->position, claim->size, &claim->proof,
                                   &claim->root);
    }
}

static struct claim claim_make(enum proof_kind kind, uint64_t size)
{
    struct claim claim = { .kind = kind, .size = size, .root = small_roots[size] };
    if (kind == INCLUSION) {
        claim.position = size / 3;
        claim.start = small_leaves[claim.position];
        merkle_prove_inclusion(&small_source, claim.position, size, &claim.proof);
    } else if (kind == CONSISTENCY) {
        claim.position = size / 3 + 1;
        claim.start = small_roots[claim.position];
        merkle_prove_consistency(&small_source, claim.position, size, &claim.proof);
    } else {
        claim.position = size > MERKLE_BLOCK_SIZE ? MERKLE_BLOCK_SIZE : 0;
        merkle_block_root(small_leaves + claim.position, block_size(claim.position, size),
                          &claim.start);
        merkle_prove_block(&small_source, claim.position, size, &claim.proof);
    }
    return claim;
}

static void assert_every_flipped_byte_is_refused(struct claim claim)
{
    cr_assert_eq(claim_verify(&claim), OK);
    for (size_t i = 0; i < claim.proof.count * HASH_SIZE; i++) {
        claim.proof.hashes[i / HASH_SIZE].bytes[i % HASH_SIZE] ^= 1;
        cr_assert_eq(claim_verify(&claim), ERR_PROOF);
        claim.proof.hashes[i / HASH_SIZE].bytes[i % HASH_SIZE] ^= 1;
    }
    for (size_t i = 0; i < HASH_SIZE; i++) {
        claim.start.bytes[i] ^= 1;
        cr_assert_eq(claim_verify(&claim), ERR_PROOF);
        claim.start.bytes[i] ^= 1;
        claim.root.bytes[i] ^= 1;
        cr_assert_eq(claim_verify(&claim), ERR_PROOF);
        claim.root.bytes[i] ^= 1;
    }
}

Test(merkle, a_continuation_of_another_history_is_told_from_a_proof_that_is_merely_bad)
{
    enum { SIZE = 70 };
    struct hash leaves[SIZE];
    for (uint64_t fork = 0; fork < SIZE; fork += 3) {
        struct store *other = store_new(SIZE); /* the same leaves up to `fork`, then others */
        struct merkle_source source = { store_node, other };
        for (uint64_t i = 0; i < SIZE; i++) {
            leaves[i] = test_leaf(i < fork ? i : i + 1000);
            store_append(other, &leaves[i]);
        }
        for (uint64_t from = 1; from <= SIZE; from++) {
            for (uint64_t to = from; to <= SIZE; to += 1 + to % 3) {
                struct hash root;
                struct merkle_proof proof;
                cr_assert_eq(merkle_root(&source, to, &root), OK);
                cr_assert_eq(merkle_prove_continuation(&source, from, to, &proof), OK);
                cr_assert_eq(merkle_judge_consistency(from, &small_roots[from], to, &root, &proof),
                             fork < from ? ERR_FORK : OK);
                if (from == to)
                    continue;
                for (size_t i = 0; i < proof.count; i++) { /* made up: proves nothing */
                    struct merkle_proof bad = proof;
                    bad.hashes[i].bytes[from % HASH_SIZE] ^= 1;
                    cr_assert_eq(
                        merkle_judge_consistency(from, &small_roots[from], to, &root, &bad),
                        ERR_PROOF);
                }
                proof.count--;
                cr_assert_neq(merkle_judge_consistency(from, &small_roots[from], to, &root, &proof),
                              ERR_FORK);
            }
        }
        store_free(other);
    }
}

Test(merkle, a_proof_with_any_byte_flipped_is_refused)
{
    static const uint64_t sizes[] = { 2, 3, 7, 64, 255, 256, 257, 299, 300 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (enum proof_kind kind = INCLUSION; kind < PROOF_KINDS; kind++)
            assert_every_flipped_byte_is_refused(claim_make(kind, sizes[i]));
}

Test(merkle, a_proof_too_short_too_long_or_out_of_order_is_refused)
{
    for (enum proof_kind kind = INCLUSION; kind < PROOF_KINDS; kind++) {
        struct claim whole = claim_make(kind, 299);
        for (size_t count = 0; count <= MERKLE_PROOF_MAX; count++) {
            struct claim cut = whole;
            cut.proof.count = count;
            cr_assert_eq(claim_verify(&cut), count == whole.proof.count ? OK : ERR_PROOF);
        }
        for (size_t i = 0; i < whole.proof.count; i++) {
            struct claim doubled = whole;
            doubled.proof.hashes[doubled.proof.count++] = whole.proof.hashes[i];
            cr_assert_eq(claim_verify(&doubled), ERR_PROOF);
        }
        for (size_t i = 1; i < whole.proof.count; i++) {
            struct claim swapped = whole;
            swapped.proof.hashes[i] = whole.proof.hashes[i - 1];
            swapped.proof.hashes[i - 1] = whole.proof.hashes[i];
            cr_assert_eq(claim_verify(&swapped), ERR_PROOF);
        }
    }
}

Test(merkle, a_count_larger_than_a_proof_can_hold_is_refused_without_reading_it)
{
    for (enum proof_kind kind = INCLUSION; kind < PROOF_KINDS; kind++) {
        struct claim claim = claim_make(kind, 299);
        claim.size = UINT64_MAX;
        claim.proof.count = MERKLE_PROOF_MAX + 1;
        cr_assert_eq(claim_verify(&claim), ERR_PROOF);
        claim.proof.count = SIZE_MAX;
        cr_assert_eq(claim_verify(&claim), ERR_PROOF);
    }
}

Test(merkle, positions_outside_the_tree_or_not_at_a_block_are_refused)
{
    struct merkle_proof proof = { 0 };
    const struct hash *root = &small_roots[300];
    cr_assert_eq(merkle_prove_inclusion(&small_source, 300, 300, &proof), ERR_INVALID);
    cr_assert_eq(merkle_prove_inclusion(&small_source, 0, 0, &proof), ERR_INVALID);
    cr_assert_eq(merkle_prove_consistency(&small_source, 301, 300, &proof), ERR_INVALID);
    cr_assert_eq(merkle_prove_block(&small_source, 512, 300, &proof), ERR_INVALID);
    cr_assert_eq(merkle_prove_block(&small_source, 128, 300, &proof), ERR_INVALID);
    cr_assert_eq(merkle_verify_inclusion(root, 300, 300, &proof, root), ERR_PROOF);
    cr_assert_eq(merkle_verify_inclusion(root, 0, 0, &proof, root), ERR_PROOF);
    cr_assert_eq(merkle_verify_consistency(301, root, 300, root, &proof), ERR_PROOF);
    cr_assert_eq(merkle_verify_block(root, 128, 256, &proof, root), ERR_PROOF);
    cr_assert_eq(merkle_verify_block(root, 0, 0, &proof, root), ERR_PROOF);
}

Test(merkle, an_error_of_the_source_travels_up)
{
    struct merkle_proof proof;
    struct hash root;
    small_store->size_limit = 100;
    cr_assert_eq(merkle_root(&small_source, 200, &root), ERR_CORRUPT);
    cr_assert_eq(merkle_prove_inclusion(&small_source, 3, 200, &proof), ERR_CORRUPT);
    cr_assert_eq(merkle_prove_consistency(&small_source, 150, 200, &proof), ERR_CORRUPT);
    cr_assert_eq(merkle_prove_block(&small_source, 0, 300, &proof), ERR_CORRUPT);
}

/* ---- large trees ---------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    uint64_t z = *state;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t seed_of_run(void)
{
    const char *given = getenv("SAMAD_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 0;
    if (!given)
        randombytes_buf(&seed, sizeof seed);
    cr_log_info("SAMAD_TEST_SEED=%llu", (unsigned long long)seed);
    return seed;
}

Test(merkle, proofs_of_random_large_trees_are_the_rfcs)
{
    enum { LEAVES = 20000, ROUNDS = 8 };
    uint64_t seed = seed_of_run(), random = seed;
    struct hash *leaves = calloc(LEAVES, sizeof *leaves);
    struct store *store = store_of_leaves(leaves, LEAVES);
    struct merkle_source source = { store_node, store };
    struct naive tree = { .leaves = leaves };
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t n = 1 + next_random(&random) % LEAVES;
        uint64_t m = next_random(&random) % n;
        struct merkle_proof proof, expected = { 0 };
        struct hash root = naive_mth(&tree, 0, n), old = naive_mth(&tree, 0, m + 1), got;
        store->size_limit = n;
        cr_assert_eq(merkle_root(&source, n, &got), OK);
        cr_assert(hash_equal(&got, &root), "seed %llu", (unsigned long long)seed);

        cr_assert_eq(merkle_prove_inclusion(&source, m, n, &proof), OK);
        naive_path(&tree, m, 0, n, &expected);
        assert_same_proof(&proof, &expected);
        cr_assert_eq(merkle_verify_inclusion(&leaves[m], m, n, &proof, &root), OK);

        cr_assert_eq(merkle_prove_consistency(&source, m + 1, n, &proof), OK);
        expected.count = 0;
        naive_subproof(&tree, m + 1, 0, n, true, &expected);
        assert_same_proof(&proof, &expected);
        cr_assert_eq(merkle_verify_consistency(m + 1, &old, n, &root, &proof), OK);

        assert_block_proof(&tree, &source, m - m % MERKLE_BLOCK_SIZE, n, &root);
    }
    store_free(store);
    free(leaves);
}

/* In a tree of equal leaves a perfect subtree depends on its level alone, so trees of any size can
 * be walked without storing them. */
static enum err equal_leaves_node(void *context, unsigned level, uint64_t index, struct hash *out)
{
    const struct hash *by_level = context;
    (void)index;
    *out = by_level[level];
    return OK;
}

Test(merkle, trees_up_to_2_to_the_63_leaves_are_proven)
{
    struct hash by_level[64];
    by_level[0] = test_leaf(0);
    for (int level = 1; level < 64; level++)
        merkle_node_hash(&by_level[level], &by_level[level - 1], &by_level[level - 1]);
    struct merkle_source source = { equal_leaves_node, by_level };
    uint64_t seed = seed_of_run(), random = seed;
    for (int i = 0; i < 3000; i++) {
        uint64_t n = 1 + (next_random(&random) >> (1 + next_random(&random) % 40));
        uint64_t m = next_random(&random) % n;
        uint64_t first = m - m % MERKLE_BLOCK_SIZE;
        struct merkle_proof proof;
        struct hash root, old, block;
        cr_assert_eq(merkle_root(&source, n, &root), OK);
        cr_assert_eq(merkle_root(&source, m + 1, &old), OK);
        cr_assert_eq(merkle_range_root(&source, first, block_size(first, n), &block), OK);
        cr_assert_eq(merkle_prove_inclusion(&source, m, n, &proof), OK);
        cr_assert_eq(merkle_verify_inclusion(by_level, m, n, &proof, &root), OK);
        cr_assert_eq(merkle_prove_consistency(&source, m + 1, n, &proof), OK);
        cr_assert_eq(merkle_verify_consistency(m + 1, &old, n, &root, &proof), OK);
        cr_assert_eq(merkle_prove_block(&source, first, n, &proof), OK);
        cr_assert_eq(merkle_verify_block(&block, first, n, &proof, &root), OK, "seed %llu",
                     (unsigned long long)seed);
    }
}
