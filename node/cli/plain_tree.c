#include "node/cli/plain_tree.h"

#include <sodium.h>
#include <string.h>

void plain_leaf(uint8_t out[PLAIN_HASH_SIZE], const void *entry, size_t size)
{
    static const uint8_t prefix = 0x00;
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, &prefix, 1);
    crypto_hash_sha256_update(&state, entry, size);
    crypto_hash_sha256_final(&state, out);
}

static void plain_node_hash(uint8_t out[PLAIN_HASH_SIZE], const uint8_t *left, const uint8_t *right)
{
    uint8_t input[1 + 2 * PLAIN_HASH_SIZE];
    input[0] = 0x01;
    memcpy(input + 1, left, PLAIN_HASH_SIZE);
    memcpy(input + 1 + PLAIN_HASH_SIZE, right, PLAIN_HASH_SIZE);
    crypto_hash_sha256(out, input, sizeof input);
}

void plain_append(struct plain_tree *tree, const uint8_t leaf[PLAIN_HASH_SIZE])
{
    struct plain_node *last = &tree->nodes[tree->count++];
    last->leaves = 1;
    memcpy(last->hash, leaf, PLAIN_HASH_SIZE);
    tree->size++;
    while (tree->count > 1 && last->leaves == (last - 1)->leaves) {
        last--;
        plain_node_hash(last->hash, last->hash, (last + 1)->hash);
        last->leaves *= 2;
        tree->count--;
    }
}

void plain_root(const struct plain_tree *tree, uint8_t out[PLAIN_HASH_SIZE])
{
    if (tree->count == 0) {
        crypto_hash_sha256(out, NULL, 0);
        return;
    }
    memcpy(out, tree->nodes[tree->count - 1].hash, PLAIN_HASH_SIZE);
    for (size_t i = tree->count - 1; i-- > 0;)
        plain_node_hash(out, tree->nodes[i].hash, out);
}
