#include "replication/core/package.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDS = 700 };

static struct log_id log_id;
static struct buffer wires[RECORDS];
static struct hash leaves[RECORDS];
static struct message_package package;
static struct buffer body;

static enum err node(void *context, unsigned level, uint64_t index, struct hash *out)
{
    uint64_t held = *(uint64_t *)context;
    struct hash left, right;
    if (((index + 1) << level) > held)
        return ERR_NOT_FOUND; /* the receiver has no more than this */
    if (level == 0) {
        *out = leaves[index];
        return OK;
    }
    node(context, level - 1, index * 2, &left);
    node(context, level - 1, index * 2 + 1, &right);
    merkle_node_hash(out, &left, &right);
    return OK;
}

static void setup(void)
{
    uint8_t incarnation[INCARNATION_SIZE] = { 7 };
    log_id_init(&log_id, bytes_of_string("ardabil"), bytes_of_string("hub"), incarnation);
    for (uint64_t i = 0; i < RECORDS; i++) {
        struct record_header header = { .kind = RECORD_REQUEST, .log = log_id, .position = i };
        struct buffer bytes = { 0 };
        uint8_t facts[SALT_SIZE + 1] = { (uint8_t)i };
        record_commit(&header.facts, BYTES_OF_ARRAY(facts));
        cr_assert_eq(record_header_encode(&bytes, &header), OK);
        struct record record = { .header = buffer_bytes(&bytes), .facts = BYTES_OF_ARRAY(facts) };
        record_encode(&wires[i], &record);
        merkle_leaf_hash(&leaves[i], record.header);
        buffer_close(&bytes);
    }
}

static void teardown(void)
{
    for (size_t i = 0; i < RECORDS; i++)
        buffer_close(&wires[i]);
    buffer_close(&body);
}

static void make(uint64_t first, uint64_t count, uint64_t against)
{
    uint64_t all = RECORDS;
    struct merkle_source source = { .node = node, .context = &all };
    buffer_clear(&body);
    for (uint64_t i = 0; i < count; i++)
        buffer_append_bytes(&body, buffer_bytes(&wires[first + i]));
    package = (struct message_package){
        .log = log_id, .first = first, .count = count, .against = against
    };
    cr_assert_eq(package_prove(&source, first, count, against, &package.proof), OK);
}

static enum err verify_holding(uint64_t held)
{
    static struct hash found[MERKLE_BLOCK_SIZE];
    uint64_t all = RECORDS;
    struct merkle_source source = { .node = node, .context = &all };
    struct merkle_source own = { .node = node, .context = &held };
    struct checkpoint checkpoint = { .log = log_id, .size = package.against };
    cr_assert_eq(merkle_root(&source, package.against, &checkpoint.root), OK);
    enum err err =
        package_verify(&package, buffer_bytes(&body), &own, &checkpoint, found, NULL, NULL);
    for (uint64_t i = 0; err == OK && i < package.count; i++)
        cr_assert(hash_equal(&found[i], &leaves[package.first + i]));
    return err;
}

TestSuite(package, .init = setup, .fini = teardown);

Test(package, holds_at_most_what_is_left_of_block_and_checkpoint)
{
    cr_assert_eq(package_count_max(0, 1000), 256);
    cr_assert_eq(package_count_max(255, 1000), 1);
    cr_assert_eq(package_count_max(256, 300), 44);
    cr_assert_eq(package_count_max(300, 300), 0);
    cr_assert_eq(package_count_max(301, 300), 0);
}

Test(package, verifies_in_both_forms_wherever_it_begins_and_ends)
{
    static const uint64_t sizes[] = { 1, 2, 255, 256, 257, 300, 512, 513, 700 };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (uint64_t first = 0; first < sizes[s]; first += 1 + first / 3 % 61)
            for (uint64_t count = 1; count <= package_count_max(first, sizes[s]);
                 count += 1 + count / 2) {
                make(first, count, sizes[s]);
                cr_assert_eq(verify_holding(first), OK, "%llu+%llu of %llu",
                             (unsigned long long)first, (unsigned long long)count,
                             (unsigned long long)sizes[s]);
            }
}

Test(package, needs_what_comes_before_it)
{
    make(260, 40, 700);
    cr_assert_eq(verify_holding(259), ERR_NOT_FOUND);
    make(300, 212, 700);
    cr_assert_eq(verify_holding(299), ERR_NOT_FOUND);
}

Test(package, of_another_checkpoint_is_a_gap_and_of_no_range_malformed)
{
    make(0, 256, 700);
    struct checkpoint other = { .log = log_id, .size = 600 };
    struct hash found[MERKLE_BLOCK_SIZE];
    uint64_t held = 0;
    struct merkle_source own = { .node = node, .context = &held };
    cr_assert_eq(package_verify(&package, buffer_bytes(&body), &own, &other, found, NULL, NULL),
                 ERR_GAP);
    package.count = 0;
    cr_assert_eq(verify_holding(0), ERR_MALFORMED);
    package.count = 257;
    cr_assert_eq(verify_holding(0), ERR_MALFORMED);
}

Test(package, with_any_flipped_bit_is_refused)
{
    static const struct {
        uint64_t first, count;
    } ranges[] = { { 256, 256 }, { 510, 1 }, { 512, 3 } };
    for (size_t r = 0; r < 3; r++) {
        make(ranges[r].first, ranges[r].count, 700);
        for (size_t bit = 0; bit<body.size * 8; bit += body.size> 2000 ? 97 : 1) {
            body.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            cr_assert_neq(verify_holding(ranges[r].first), OK, "body bit %zu", bit);
            body.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t i = 0; i < package.proof.count; i++) {
            package.proof.hashes[i].bytes[i % HASH_SIZE] ^= 1;
            cr_assert_eq(verify_holding(ranges[r].first), ERR_PROOF);
            package.proof.hashes[i].bytes[i % HASH_SIZE] ^= 1;
        }
        package.proof.count--;
        cr_assert_eq(verify_holding(ranges[r].first), ERR_PROOF);
    }
}

Test(package, with_too_few_or_too_many_records_is_malformed)
{
    make(512, 10, 700);
    body.size -= wires[521].size;
    cr_assert_eq(verify_holding(512), ERR_MALFORMED);
    make(512, 10, 700);
    buffer_append_bytes(&body, buffer_bytes(&wires[522]));
    cr_assert_eq(verify_holding(512), ERR_MALFORMED);
}
