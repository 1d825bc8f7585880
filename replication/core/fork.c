/* The transferable fork proof: form and verdict. */
#include "replication/core/fork.h"

#include "proto/wire/pack.h"

#define FIELDS 8

static void pack_branch(struct buffer *out, const struct fork_proof *proof,
                        const struct fork_branch *branch)
{
    if (!proof->has_position) {
        pack_nil(out);
        pack_nil(out);
        return;
    }
    pack_bin(out, BYTES_OF_ARRAY(branch->leaf.bytes));
    pack_array(out, branch->path.count);
    for (size_t i = 0; i < branch->path.count; i++)
        pack_bin(out, BYTES_OF_ARRAY(branch->path.hashes[i].bytes));
}

void fork_proof_encode(struct buffer *out, const struct fork_proof *proof)
{
    pack_array(out, FIELDS);
    pack_uint(out, FORK_PROOF_FORMAT);
    pack_bin(out, proof->a.note);
    pack_bin(out, proof->b.note);
    if (proof->has_position)
        pack_uint(out, proof->position);
    else
        pack_nil(out);
    pack_branch(out, proof, &proof->a);
    pack_branch(out, proof, &proof->b);
}

static void unpack_branch(struct unpack *unpack, const struct fork_proof *proof,
                          struct fork_branch *branch)
{
    if (!proof->has_position) {
        if ((!unpack_nil(unpack) || !unpack_nil(unpack)) && unpack->err == OK)
            unpack->err = ERR_MALFORMED;
        return;
    }
    unpack_bin_into(unpack, branch->leaf.bytes, HASH_SIZE);
    branch->path.count = unpack_array(unpack, 0, MERKLE_PROOF_MAX);
    for (size_t i = 0; i < branch->path.count; i++)
        unpack_bin_into(unpack, branch->path.hashes[i].bytes, HASH_SIZE);
}

enum err fork_proof_decode(struct fork_proof *proof, struct bytes input)
{
    struct unpack unpack;
    if (input.size > FORK_PROOF_SIZE_MAX)
        return ERR_MALFORMED;
    enum err err = unpack_begin(&unpack, input);
    if (err != OK)
        return err;
    proof->a.path.count = proof->b.path.count = 0;
    unpack_array(&unpack, FIELDS, FIELDS);
    uint64_t format = unpack_uint(&unpack, UINT64_MAX);
    proof->a.note = unpack_bin(&unpack, NOTE_SIZE_MAX);
    proof->b.note = unpack_bin(&unpack, NOTE_SIZE_MAX);
    proof->has_position = !unpack_nil(&unpack);
    proof->position = proof->has_position ? unpack_uint(&unpack, UINT64_MAX >> 1) : 0;
    unpack_branch(&unpack, proof, &proof->a);
    unpack_branch(&unpack, proof, &proof->b);
    err = unpack_end(&unpack);
    return err == OK && format != FORK_PROOF_FORMAT ? ERR_VERSION : err;
}

enum err fork_proof_log(struct bytes input, struct log_id *log)
{
    struct fork_proof proof;
    struct checkpoint checkpoint;
    enum err err = fork_proof_decode(&proof, input);
    if (err == OK)
        err = checkpoint_parse(&checkpoint, proof.a.note);
    if (err == OK)
        *log = checkpoint.log;
    return err;
}

static enum err verdict(const struct fork_proof *proof, const struct checkpoint *a,
                        const struct checkpoint *b)
{
    if (!log_id_equal(&a->log, &b->log))
        return ERR_PROOF;
    if (!proof->has_position)
        return a->size == b->size && !hash_equal(&a->root, &b->root) ? OK : ERR_PROOF;
    enum err err =
        merkle_verify_inclusion(&proof->a.leaf, proof->position, a->size, &proof->a.path, &a->root);
    if (err == OK)
        err = merkle_verify_inclusion(&proof->b.leaf, proof->position, b->size, &proof->b.path,
                                      &b->root);
    if (err == OK && hash_equal(&proof->a.leaf, &proof->b.leaf))
        err = ERR_PROOF;
    return err;
}

enum err fork_proof_verify(struct bytes input, const struct sign_public *key, struct log_id *log)
{
    struct fork_proof proof;
    struct checkpoint a, b;
    enum err err = fork_proof_decode(&proof, input);
    if (err == OK)
        err = checkpoint_open(&a, proof.a.note, key);
    if (err == OK)
        err = checkpoint_open(&b, proof.b.note, key);
    if (err == OK)
        err = verdict(&proof, &a, &b);
    if (err == OK)
        *log = a.log;
    return err;
}
