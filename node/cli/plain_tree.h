/* RFC 6962 hashes, written a second time in the shortest way: the audit judges the replication with
 * code that the replication does not use. */
#ifndef NODE_CLI_PLAIN_TREE_H
#define NODE_CLI_PLAIN_TREE_H

#include <stddef.h>
#include <stdint.h>

#define PLAIN_HASH_SIZE 32

struct plain_tree {
    uint64_t size;
    size_t count; /* of perfect subtrees, largest first */
    struct plain_node {
        uint64_t leaves;
        uint8_t hash[PLAIN_HASH_SIZE];
    } nodes[64];
};

void plain_leaf(uint8_t out[PLAIN_HASH_SIZE], const void *entry, size_t size);
/* All zero is the empty tree. */
void plain_append(struct plain_tree *tree, const uint8_t leaf[PLAIN_HASH_SIZE]);
void plain_root(const struct plain_tree *tree, uint8_t out[PLAIN_HASH_SIZE]);

#endif
