/* The Merkle tree of a log (proto/README.md, 3), of its own. */
#ifndef CHECK_TREE_H
#define CHECK_TREE_H

#include "tests/check/history.h"

/* All zero is the empty tree. levels[i] holds a perfect subtree of 2^i leaves when bit i of count
 * is set. */
struct tree {
    uint64_t count;
    struct check_hash levels[64];
};

struct check_hash tree_leaf(const void *entry, size_t size);
struct check_hash tree_node(const struct check_hash *left, const struct check_hash *right);
void tree_append(struct tree *tree, const struct check_hash *leaf);
/* The same; calls `made` for each perfect subtree that the leaf completes, itself included. */
typedef void tree_made(void *context, unsigned level, uint64_t index, const struct check_hash *hash);
void tree_append_noting(struct tree *tree, const struct check_hash *leaf, tree_made *made,
                        void *context);
struct check_hash tree_root(const struct tree *tree);

/* All perfect subtrees of a list of leaves, for roots of any number of the first of them. All zero
 * is the empty list. */
struct tree_table {
    struct check_hash *levels[64];
    uint64_t count;
};
/* false: no memory; the table is as it was. */
bool tree_table_append(struct tree_table *table, const struct check_hash *leaf);
void tree_table_close(struct tree_table *table);
struct check_hash tree_table_root(const struct tree_table *table, uint64_t count);

bool tree_includes(const struct check_hash *leaf, uint64_t position, uint64_t size,
                   const struct check_hash *root, const struct check_hash *proof, size_t count);

bool check_hash_equal(const struct check_hash *a, const struct check_hash *b);
bool check_hash_is_zero(const struct check_hash *hash);

#endif
