#include "replication/core/fork.h"

#include <criterion/criterion.h>
#include <string.h>

enum { LEAVES = 40 };

struct branch {
    struct hash leaves[LEAVES];
    struct buffer note;
    struct checkpoint checkpoint;
};

static struct sign_key key;
static struct branch a, b;
static struct buffer proof;

static enum err leaf_node(void *context, unsigned level, uint64_t index, struct hash *out)
{
    struct branch *branch = context;
    struct hash left, right;
    if (level == 0) {
        *out = branch->leaves[index];
        return OK;
    }
    leaf_node(branch, level - 1, index * 2, &left);
    leaf_node(branch, level - 1, index * 2 + 1, &right);
    merkle_node_hash(out, &left, &right);
    return OK;
}

static void branch_make(struct branch *branch, uint64_t size, uint64_t forked_at, uint8_t other)
{
    struct merkle_source source = { .node = leaf_node, .context = branch };
    uint8_t incarnation[INCARNATION_SIZE] = { 7 };
    for (uint64_t i = 0; i < size; i++) {
        uint8_t entry[2] = { (uint8_t)i, i >= forked_at ? other : 0 };
        merkle_leaf_hash(&branch->leaves[i], BYTES_OF_ARRAY(entry));
    }
    log_id_init(&branch->checkpoint.log, bytes_of_string("ardabil"), bytes_of_string("hub"),
                incarnation);
    branch->checkpoint.size = size;
    merkle_root(&source, size, &branch->checkpoint.root);
    buffer_clear(&branch->note);
    checkpoint_sign(&branch->note, &branch->checkpoint, &key);
}

static void fork_make(uint64_t size_a, uint64_t size_b, uint64_t position, bool has_position)
{
    static struct fork_proof made;
    struct merkle_source source_a = { .node = leaf_node, .context = &a };
    struct merkle_source source_b = { .node = leaf_node, .context = &b };
    uint8_t seed[KEY_SIZE] = { 1 };
    sign_key_from_seed(&key, seed);
    branch_make(&a, size_a, position, 1);
    branch_make(&b, size_b, position, 2);
    made.has_position = has_position;
    made.position = position;
    made.a.note = buffer_bytes(&a.note);
    made.b.note = buffer_bytes(&b.note);
    made.a.leaf = a.leaves[position];
    made.b.leaf = b.leaves[position];
    cr_assert_eq(merkle_prove_inclusion(&source_a, position, size_a, &made.a.path), OK);
    cr_assert_eq(merkle_prove_inclusion(&source_b, position, size_b, &made.b.path), OK);
    buffer_clear(&proof);
    fork_proof_encode(&proof, &made);
    cr_assert_eq(proof.err, OK);
}

static enum err verify(void)
{
    struct log_id log;
    enum err err = fork_proof_verify(buffer_bytes(&proof), &key.public, &log);
    if (err == OK)
        cr_assert(log_id_equal(&log, &a.checkpoint.log));
    return err;
}

static void close_all(void)
{
    buffer_close(&a.note);
    buffer_close(&b.note);
    buffer_close(&proof);
}

Test(fork_proof, two_leaves_at_one_position_under_two_notes_are_a_proof, .fini = close_all)
{
    for (uint64_t position = 0; position < 20; position++) {
        fork_make(23, 37, position, true);
        cr_assert_eq(verify(), OK);
    }
}

Test(fork_proof, two_roots_of_one_size_are_a_proof, .fini = close_all)
{
    fork_make(23, 23, 11, false);
    cr_assert_eq(verify(), OK);
}

Test(fork_proof, one_history_is_never_a_proof, .fini = close_all)
{
    static struct fork_proof same;
    fork_make(23, 23, 11, true);
    cr_assert_eq(fork_proof_decode(&same, buffer_bytes(&proof)), OK);
    same.b = same.a;
    struct buffer made = { 0 };
    fork_proof_encode(&made, &same);
    struct log_id log;
    cr_assert_eq(fork_proof_verify(buffer_bytes(&made), &key.public, &log), ERR_PROOF);
    buffer_clear(&made);
    same.has_position = false;
    fork_proof_encode(&made, &same);
    cr_assert_eq(fork_proof_verify(buffer_bytes(&made), &key.public, &log), ERR_PROOF);
    buffer_close(&made);
}

Test(fork_proof, every_flipped_bit_is_refused, .fini = close_all)
{
    fork_make(9, 14, 4, true);
    for (size_t bit = 0; bit < proof.size * 8; bit++) {
        proof.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert_neq(verify(), OK, "bit %zu", bit);
        proof.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    cr_assert_eq(verify(), OK);
}

Test(fork_proof, every_truncation_and_any_tail_is_refused, .fini = close_all)
{
    fork_make(9, 14, 4, true);
    size_t whole = proof.size;
    for (proof.size = 0; proof.size < whole; proof.size++)
        cr_assert_eq(verify(), ERR_MALFORMED, "%zu of %zu", proof.size, whole);
    buffer_append_u8(&proof, 0);
    cr_assert_eq(verify(), ERR_MALFORMED);
}

Test(fork_proof, another_key_does_not_verify_it, .fini = close_all)
{
    uint8_t seed[KEY_SIZE] = { 2 };
    struct sign_key other;
    struct log_id log;
    sign_key_from_seed(&other, seed);
    fork_make(9, 14, 4, true);
    cr_assert_eq(fork_proof_verify(buffer_bytes(&proof), &other.public, &log), ERR_SIGNATURE);
}
