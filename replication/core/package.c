/* Making and checking the proof of a package. */
#include "replication/core/package.h"

static uint64_t block_of(uint64_t position)
{
    return position / MERKLE_BLOCK_SIZE * MERKLE_BLOCK_SIZE;
}

uint64_t package_count_max(uint64_t first, uint64_t against)
{
    uint64_t end = block_of(first) + MERKLE_BLOCK_SIZE;
    if (first >= against)
        return 0;
    return (end < against ? end : against) - first;
}

static bool range_is_valid(uint64_t first, uint64_t count, uint64_t against)
{
    return count > 0 && against <= UINT64_MAX >> 1 && count <= package_count_max(first, against);
}

enum err package_prove(const struct merkle_source *source, uint64_t first, uint64_t count,
                       uint64_t against, struct merkle_proof *proof)
{
    if (!range_is_valid(first, count, against))
        return ERR_INVALID;
    if (count == package_count_max(first, against))
        return merkle_prove_block(source, block_of(first), against, proof);
    return merkle_prove_consistency(source, first + count, against, proof);
}

/* The records of the body, each verified; exactly as many as announced. */
static enum err read_records(const struct message_package *package, struct bytes body,
                             struct hash *leaves, package_on_record *on_record, void *context)
{
    enum err err = OK;
    for (uint64_t i = 0; i < package->count && err == OK; i++) {
        struct record record;
        struct record_header header;
        err = record_decode(&record, &body);
        if (err == OK)
            err = record_verify(&record, &package->log, package->first + i, &header, &leaves[i]);
        if (err == OK && on_record)
            err = on_record(context, package->first + i, &record, &header, &leaves[i]);
    }
    return err == OK && body.size > 0 ? ERR_MALFORMED : err;
}

/* The leaves of the block up to the package's end: the receiver's own, then the package's. */
static enum err block_leaves(const struct message_package *package,
                             const struct merkle_source *held, const struct hash *leaves,
                             struct hash *block, size_t *count)
{
    uint64_t start = block_of(package->first);
    *count = 0;
    for (uint64_t i = start; i < package->first; i++) {
        enum err err = held->node(held->context, 0, i, &block[(*count)++]);
        if (err != OK)
            return err;
    }
    for (uint64_t i = 0; i < package->count; i++)
        block[(*count)++] = leaves[i];
    return OK;
}

/* The root of everything before the block, then of the block's leaves on top. */
static enum err prefix_root(const struct merkle_source *held, uint64_t start,
                            const struct hash *block, size_t count, struct hash *root)
{
    struct merkle_frontier frontier = { .size = start };
    uint64_t position = 0;
    size_t roots = 0;
    for (unsigned level = MERKLE_LEVEL_MAX; start > 0 && level >= MERKLE_BLOCK_LEVEL; level--) {
        if (!(start >> level & 1))
            continue;
        enum err err =
            held->node(held->context, level, position >> level, &frontier.roots[roots++]);
        if (err != OK)
            return err;
        position += UINT64_C(1) << level;
    }
    for (size_t i = 0; i < count; i++)
        merkle_frontier_append(&frontier, &block[i], NULL, NULL);
    merkle_frontier_root(&frontier, root);
    return OK;
}

enum err package_verify(const struct message_package *package, struct bytes body,
                        const struct merkle_source *held, const struct checkpoint *checkpoint,
                        struct hash *leaves, package_on_record *on_record, void *context)
{
    struct hash block[MERKLE_BLOCK_SIZE], root;
    size_t count;
    uint64_t start = block_of(package->first), end = package->first + package->count;
    if (!range_is_valid(package->first, package->count, package->against))
        return ERR_MALFORMED;
    if (checkpoint->size != package->against)
        return ERR_GAP;
    enum err err = read_records(package, body, leaves, on_record, context);
    if (err == OK)
        err = block_leaves(package, held, leaves, block, &count);
    if (err != OK)
        return err;
    if (package->count == package_count_max(package->first, package->against)) {
        merkle_block_root(block, count, &root);
        return merkle_verify_block(&root, start, package->against, &package->proof,
                                   &checkpoint->root);
    }
    err = prefix_root(held, start, block, count, &root);
    if (err != OK)
        return err;
    return merkle_verify_consistency(end, &root, package->against, &checkpoint->root,
                                     &package->proof);
}
