#include "tests/fuzz/fuzz.h"

#include "proto/secure/merkle.h"

#include <string.h>

/* First byte: what is done with the rest. */
enum { RAW_INCLUSION, RAW_CONSISTENCY, RAW_BLOCK, GENUINE, ACTIONS };

/* Hostile numbers and hashes: any answer but OK or ERR_PROOF is a bug, and OK is only believed when
 * both roots and the leaf were found without a preimage, which the fuzzer cannot do unless the
 * proof is empty. */
static void verify_raw(unsigned action, struct reader *reader)
{
    struct merkle_proof proof = { 0 };
    struct hash start, root;
    uint64_t position = read_u64(reader), size = read_u64(reader);
    read_into(reader, start.bytes, HASH_SIZE);
    read_into(reader, root.bytes, HASH_SIZE);
    while (reader->err == OK && reader->rest.size > 0 && proof.count < MERKLE_PROOF_MAX)
        read_into(reader, proof.hashes[proof.count++].bytes, HASH_SIZE);
    enum err err;
    if (action == RAW_INCLUSION)
        err = merkle_verify_inclusion(&start, position, size, &proof, &root);
    else if (action == RAW_CONSISTENCY)
        err = merkle_verify_consistency(position, &start, size, &root, &proof);
    else
        err = merkle_verify_block(&start, position, size, &proof, &root);
    require(err == OK || err == ERR_PROOF);
    require(err == ERR_PROOF || proof.count == 0);
}

/* Leaves are a function of their index; a subtree is computed from them when it is asked for. */
static void leaf_of(uint64_t index, struct hash *out)
{
    uint8_t entry[8];
    put_u64(entry, index);
    merkle_leaf_hash(out, BYTES_OF_ARRAY(entry));
}

static enum err computed_node(void *context, unsigned level, uint64_t index, struct hash *out)
{
    struct merkle_frontier frontier = { 0 };
    (void)context;
    for (uint64_t i = index << level; i < (index + 1) << level; i++) {
        struct hash leaf;
        leaf_of(i, &leaf);
        merkle_frontier_append(&frontier, &leaf, NULL, NULL);
    }
    merkle_frontier_root(&frontier, out);
    return OK;
}

/* A genuine inclusion and a genuine consistency proof verify; with one byte changed anywhere,
 * neither does. */
static void verify_genuine(struct reader *reader)
{
    const struct merkle_source source = { computed_node, NULL };
    uint64_t size = 1 + read_u16(reader) % 700, position = read_u16(reader) % size;
    size_t place = read_u16(reader);
    uint8_t change = read_u8(reader);
    struct merkle_proof path, extension;
    struct hash leaf, old, root;
    leaf_of(position, &leaf);
    require(merkle_root(&source, size, &root) == OK);
    require(merkle_root(&source, position + 1, &old) == OK);
    require(merkle_prove_inclusion(&source, position, size, &path) == OK);
    require(merkle_prove_consistency(&source, position + 1, size, &extension) == OK);
    if (path.count > 0)
        path.hashes[place / HASH_SIZE % path.count].bytes[place % HASH_SIZE] ^= change;
    if (extension.count > 0)
        extension.hashes[place / HASH_SIZE % extension.count].bytes[place % HASH_SIZE] ^= change;
    enum err included = merkle_verify_inclusion(&leaf, position, size, &path, &root);
    enum err extends = merkle_verify_consistency(position + 1, &old, size, &root, &extension);
    require(included == (change != 0 && path.count > 0 ? ERR_PROOF : OK));
    require(extends == (change != 0 && extension.count > 0 ? ERR_PROOF : OK));
}

FUZZ_TARGET(proof)
{
    struct reader reader = reader_of(input);
    unsigned action = read_u8(&reader) % ACTIONS;
    if (action == GENUINE)
        verify_genuine(&reader);
    else
        verify_raw(action, &reader);
}
