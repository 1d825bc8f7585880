#include "tests/check/tree.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct check_hash tree_leaf(const void *entry, size_t size)
{
    static const unsigned char LEAF = 0;
    struct check_hash hash;
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, &LEAF, 1);
    crypto_hash_sha256_update(&state, entry, size);
    crypto_hash_sha256_final(&state, hash.bytes);
    return hash;
}

struct check_hash tree_node(const struct check_hash *left, const struct check_hash *right)
{
    unsigned char input[65] = { 1 };
    struct check_hash hash;
    memcpy(input + 1, left->bytes, 32);
    memcpy(input + 33, right->bytes, 32);
    crypto_hash_sha256(hash.bytes, input, sizeof input);
    return hash;
}

void tree_append_noting(struct tree *tree, const struct check_hash *leaf, tree_made *made,
                        void *context)
{
    struct check_hash grown = *leaf;
    unsigned level = 0;
    made(context, 0, tree->count, &grown);
    for (; tree->count >> level & 1; level++) {
        grown = tree_node(&tree->levels[level], &grown);
        made(context, level + 1, tree->count >> (level + 1), &grown);
    }
    tree->levels[level] = grown;
    tree->count++;
}

static void made_nothing(void *context, unsigned level, uint64_t index,
                         const struct check_hash *hash)
{
    (void)context;
    (void)level;
    (void)index;
    (void)hash;
}

void tree_append(struct tree *tree, const struct check_hash *leaf)
{
    tree_append_noting(tree, leaf, made_nothing, NULL);
}

struct check_hash tree_root(const struct tree *tree)
{
    struct check_hash root;
    bool any = false;
    for (unsigned level = 0; level < 64; level++) {
        if ((tree->count >> level & 1) == 0)
            continue;
        root = any ? tree_node(&tree->levels[level], &root) : tree->levels[level];
        any = true;
    }
    if (!any)
        crypto_hash_sha256(root.bytes, (const unsigned char *)"", 0);
    return root;
}

/* A level has room for the next power of two of what it holds. */
static bool level_append(struct tree_table *table, unsigned level, uint64_t index,
                         const struct check_hash *hash)
{
    if ((index & (index - 1)) == 0) {
        struct check_hash *grown =
            realloc(table->levels[level], (size_t)(index ? 2 * index : 1) * sizeof *grown);
        if (!grown)
            return false;
        table->levels[level] = grown;
    }
    table->levels[level][index] = *hash;
    return true;
}

bool tree_table_append(struct tree_table *table, const struct check_hash *leaf)
{
    struct check_hash hash = *leaf;
    for (unsigned level = 0;; level++) {
        uint64_t index = table->count >> level;
        if (!level_append(table, level, index, &hash))
            return false;
        if (index % 2 == 0)
            break;
        hash = tree_node(&table->levels[level][index - 1], &hash);
    }
    table->count++;
    return true;
}

void tree_table_close(struct tree_table *table)
{
    for (unsigned level = 0; level < 64; level++)
        free(table->levels[level]);
    *table = (struct tree_table){ .count = 0 };
}

struct check_hash tree_table_root(const struct tree_table *table, uint64_t count)
{
    struct tree tree = { .count = count };
    for (unsigned level = 0; level < 64; level++)
        if (count >> level & 1) /* the subtree of this size that ends where the larger bits do */
            tree.levels[level] = table->levels[level][((count >> level) - 1)];
    return tree_root(&tree);
}

bool tree_includes(const struct check_hash *leaf, uint64_t position, uint64_t size,
                   const struct check_hash *root, const struct check_hash *proof, size_t count)
{
    if (position >= size)
        return false;
    uint64_t fn = position, sn = size - 1;
    struct check_hash hash = *leaf;
    for (size_t i = 0; i < count; i++) {
        if (sn == 0)
            return false;
        if (fn % 2 == 1 || fn == sn) {
            hash = tree_node(&proof[i], &hash);
            while (fn % 2 == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            hash = tree_node(&hash, &proof[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && check_hash_equal(&hash, root);
}

bool check_hash_equal(const struct check_hash *a, const struct check_hash *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

bool check_hash_is_zero(const struct check_hash *hash)
{
    static const struct check_hash ZERO;
    return check_hash_equal(hash, &ZERO);
}
