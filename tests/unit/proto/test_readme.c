/* The worked example of proto/README.md is computed here, so that the document stays true: every
 * line below must stand in it, byte for byte. */
#include "proto/secure/merkle.h"
#include "proto/secure/note.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *readme;

static void readme_load(void)
{
    FILE *file = fopen(SAMAD_SOURCE_DIR "/proto/README.md", "r");
    cr_assert_not_null(file);
    readme = calloc(1, 1 << 20);
    size_t size = fread(readme, 1, (1 << 20) - 1, file);
    cr_assert_gt(size, 0);
    fclose(file);
}

static void readme_free(void)
{
    free(readme);
}

TestSuite(readme, .init = readme_load, .fini = readme_free);

static void assert_says(const char *text)
{
    cr_expect_not_null(strstr(readme, text), "proto/README.md does not say:\n%s", text);
}

static void assert_says_hash(const char *name, const struct hash *hash)
{
    char line[128], hex[2 * HASH_SIZE + 1];
    hex_encode(hex, BYTES_OF_ARRAY(hash->bytes));
    snprintf(line, sizeof line, "%-9s %s\n", name, hex);
    assert_says(line);
}

/* A seed of `first`, `first` + 1, ... */
static struct sign_key key_from(uint8_t first)
{
    uint8_t seed[KEY_SIZE];
    struct sign_key key;
    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)(first + i);
    sign_key_from_seed(&key, seed);
    return key;
}

static void append_leaf(struct merkle_frontier *frontier, const char *entry, struct hash *leaf)
{
    merkle_leaf_hash(leaf, bytes_of_string(entry));
    merkle_frontier_append(frontier, leaf, NULL, NULL);
}

Test(readme, the_example_tree_is_right)
{
    struct merkle_frontier frontier = { 0 };
    struct hash leaves[3], roots[3], pair, empty;
    merkle_empty_root(&empty);
    assert_says_hash("root(0)", &empty);
    static const char *const entries[] = { "one", "two", "three" };
    for (size_t i = 0; i < 3; i++) {
        char name[16];
        append_leaf(&frontier, entries[i], &leaves[i]);
        merkle_frontier_root(&frontier, &roots[i]);
        snprintf(name, sizeof name, "leaf(%zu)", i);
        assert_says_hash(name, &leaves[i]);
    }
    assert_says_hash("root(2)", &roots[1]);
    assert_says_hash("root(3)", &roots[2]);

    merkle_node_hash(&pair, &leaves[0], &leaves[1]);
    cr_assert(hash_equal(&pair, &roots[1]));
    struct merkle_proof inclusion = { .count = 2, .hashes = { leaves[0], leaves[2] } };
    cr_assert_eq(merkle_verify_inclusion(&leaves[1], 1, 3, &inclusion, &roots[2]), OK);
    struct merkle_proof consistency = { .count = 1, .hashes = { leaves[2] } };
    cr_assert_eq(merkle_verify_consistency(2, &roots[1], 3, &roots[2], &consistency), OK);
}

Test(readme, the_example_checkpoint_and_receipt_are_right)
{
    static const uint8_t incarnation[INCARNATION_SIZE] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
                                                           0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
                                                           0xcc, 0xdd, 0xee, 0xff };
    struct sign_key log_key = key_from(0x00), hub_key = key_from(0x20);
    struct merkle_frontier frontier = { 0 };
    struct hash leaf;
    struct checkpoint checkpoint = { .size = 3 };
    append_leaf(&frontier, "one", &leaf);
    append_leaf(&frontier, "two", &leaf);
    append_leaf(&frontier, "three", &leaf);
    merkle_frontier_root(&frontier, &checkpoint.root);
    log_id_init(&checkpoint.log, bytes_of_string("ardabil"), bytes_of_string("hub"), incarnation);

    struct buffer note = { 0 }, receipt = { 0 };
    char name[NOTE_NAME_SIZE_MAX + 1], vkey[VKEY_SIZE_MAX + 1], origin[LOG_ORIGIN_SIZE_MAX + 1];
    checkpoint_sign(&note, &checkpoint, &log_key);
    receipt_key_name(name, "hub-1");
    cr_assert_eq(receipt_sign(&receipt, buffer_bytes(&note), bytes_of_string(name), 1679315147,
                              &hub_key), OK);
    buffer_append_u8(&receipt, '\0');
    assert_says((const char *)receipt.data);

    log_id_origin(&checkpoint.log, origin);
    note_vkey(vkey, bytes_of_string(origin), NOTE_KEY_ED25519, &log_key.public);
    assert_says(vkey);
    note_vkey(vkey, bytes_of_string(name), NOTE_KEY_COSIGNATURE, &hub_key.public);
    assert_says(vkey);
    buffer_close(&note);
    buffer_close(&receipt);
}
