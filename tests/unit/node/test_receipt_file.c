#include "tests/unit/node/receipt_fixture.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum err verify(struct bytes json, struct receipt_claim *claim)
{
    char reason[RECEIPT_FILE_REASON_MAX];
    enum err err = receipt_file_verify(json, &(struct receipt_pins){ 0 }, claim, reason);
    cr_expect((err == OK) == (reason[0] == '\0'), "%s needs a reason", err_name(err));
    return err;
}

Test(receipt_file, proves_every_request_that_a_hub_has_receipted)
{
    struct receipt_fixture fixture;
    receipt_fixture_open(&fixture, 300, 290);
    for (uint64_t position = 1; position < 290; position++) {
        struct buffer json = { 0 };
        struct receipt_claim claim;
        cr_assert_eq(receipt_fixture_build(&fixture, position, &json), OK);
        cr_assert_eq(verify(buffer_bytes(&json), &claim), OK);
        cr_assert_eq(claim.position, position);
        cr_assert(log_id_equal(&claim.log, &fixture.log));
        cr_assert_eq(claim.hub_count, 1);
        cr_assert_str_eq(claim.hubs[0].name, "centre");
        cr_assert_eq(claim.hubs[0].size, 290);
        cr_assert_eq(claim.hubs[0].time_s, 1763700000);
        buffer_close(&json);
    }
    receipt_fixture_close(&fixture);
}

Test(receipt_file, is_not_made_for_what_no_hub_holds_or_what_is_no_request)
{
    struct receipt_fixture fixture;
    struct buffer json = { 0 };
    receipt_fixture_open(&fixture, 20, 10);
    cr_expect_eq(receipt_fixture_build(&fixture, 10, &json), ERR_NOT_FOUND);
    cr_expect_eq(receipt_fixture_build(&fixture, 20, &json), ERR_NOT_FOUND);
    cr_expect_eq(receipt_fixture_build(&fixture, 0, &json), ERR_INVALID);
    cr_expect_eq(json.size, 0);
    buffer_close(&json);
    receipt_fixture_close(&fixture);
}

Test(receipt_file, holds_no_personal_data)
{
    struct receipt_fixture fixture;
    struct buffer json = { 0 };
    char hex[64];
    receipt_fixture_open(&fixture, 20, 20);
    cr_assert_eq(receipt_fixture_build(&fixture, 7, &json), OK);
    hex_encode(hex, bytes_of_string("Citizen"));
    cr_expect_null(memmem(json.data, json.size, "Citizen", 7));
    cr_expect_null(memmem(json.data, json.size, hex, strlen(hex)));
    hex_encode(hex, bytes_of_string("989121112233"));
    cr_expect_null(memmem(json.data, json.size, hex, strlen(hex)));
    buffer_close(&json);
    receipt_fixture_close(&fixture);
}

Test(receipt_file, is_refused_after_any_flipped_bit_of_its_bytes)
{
    struct receipt_fixture fixture;
    struct buffer json = { 0 };
    struct receipt_claim claim;
    size_t refused = 0;
    receipt_fixture_open(&fixture, 23, 23);
    cr_assert_eq(receipt_fixture_build(&fixture, 17, &json), OK);
    for (size_t bit = 0; bit < 8 * json.size; bit++) {
        json.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum err err = verify(buffer_bytes(&json), &claim);
        cr_expect_neq(err, OK, "bit %zu of byte %zu ('%c') made no difference", bit % 8, bit / 8,
                      json.data[bit / 8]);
        refused += err != OK;
        json.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_assert_eq(verify(buffer_bytes(&json), &claim), OK);
    cr_assert_eq(refused, 8 * json.size);
    buffer_close(&json);
    receipt_fixture_close(&fixture);
}

static enum err verify_json(const json_t *root)
{
    struct receipt_claim claim;
    char *text = json_dumps(root, 0);
    enum err err = verify(bytes_of_string(text), &claim);
    free(text);
    return err;
}

/* Flips every bit of what a member in hexadecimal stands for. */
static void flip_hex(const json_t *root, json_t *member)
{
    size_t size = json_string_length(member) / 2;
    uint8_t *bytes = malloc(size);
    char *hex = malloc(2 * size + 1);
    cr_assert_eq(hex_decode(bytes, size, json_string_value(member), 2 * size), OK);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        hex_encode(hex, bytes_of(bytes, size));
        json_string_set(member, hex);
        cr_expect_neq(verify_json(root), OK, "bit %zu", bit);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    hex_encode(hex, bytes_of(bytes, size));
    json_string_set(member, hex);
    free(hex);
    free(bytes);
}

Test(receipt_file, is_refused_after_any_flipped_bit_of_header_facts_and_proof)
{
    struct receipt_fixture fixture;
    struct buffer json = { 0 };
    receipt_fixture_open(&fixture, 23, 23);
    cr_assert_eq(receipt_fixture_build(&fixture, 17, &json), OK);
    json_t *root = json_loadb((const char *)json.data, json.size, 0, NULL);
    flip_hex(root, json_object_get(root, "header"));
    flip_hex(root, json_object_get(root, "facts"));
    json_t *proof = json_object_get(json_array_get(json_object_get(root, "receipts"), 0), "proof");
    cr_assert_gt(json_array_size(proof), 0);
    for (size_t i = 0; i < json_array_size(proof); i++)
        flip_hex(root, json_array_get(proof, i));
    cr_assert_eq(verify_json(root), OK);
    json_decref(root);
    buffer_close(&json);
    receipt_fixture_close(&fixture);
}

Test(receipt_file, is_refused_with_a_member_missing_doubled_or_unknown)
{
    struct receipt_fixture fixture;
    struct buffer json = { 0 };
    const char *name;
    json_t *value;
    receipt_fixture_open(&fixture, 23, 23);
    cr_assert_eq(receipt_fixture_build(&fixture, 17, &json), OK);
    json_t *root = json_loadb((const char *)json.data, json.size, 0, NULL);
    json_object_foreach(root, name, value)
    {
        json_t *less = json_deep_copy(root);
        json_object_del(less, name);
        cr_expect_neq(verify_json(less), OK, "without %s", name);
        json_decref(less);
    }
    json_object_set_new(root, "note", json_string("trust me"));
    cr_expect_eq(verify_json(root), ERR_MALFORMED);
    json_object_del(root, "note");
    json_t *receipts = json_object_get(root, "receipts");
    json_array_append(receipts, json_array_get(receipts, 0));
    cr_expect_eq(verify_json(root), ERR_MALFORMED);
    json_array_clear(receipts);
    cr_expect_eq(verify_json(root), ERR_MALFORMED);
    json_decref(root);
    buffer_close(&json);
    receipt_fixture_close(&fixture);
}

/* What is said of `root` with the member missing, and with a value of no type that any has. */
static void expect_named(json_t *root, json_t *object, const char *where)
{
    const char *name;
    json_t *value, *members = json_copy(object);
    json_object_foreach (members, name, value) {
        char expected[96], reason[RECEIPT_FILE_REASON_MAX];
        json_object_del(object, name);
        for (int wrong = 0; wrong < 2; wrong++) {
            struct receipt_claim claim;
            char *text = json_dumps(root, 0);
            snprintf(expected, sizeof expected, "%sthe member %s is %s", where, name,
                     wrong ? "not a" : "missing");
            cr_expect_eq(receipt_file_verify(bytes_of_string(text), &(struct receipt_pins){ 0 },
                                             &claim, reason),
                         ERR_MALFORMED);
            cr_expect_eq(strncmp(reason, expected, strlen(expected)), 0, "%s, not %s", reason,
                         expected);
            free(text);
            json_object_set_new(object, name, json_true());
        }
        json_object_set(object, name, value);
    }
    json_decref(members);
}

Test(receipt_file, a_member_that_is_missing_or_of_another_type_is_named)
{
    struct receipt_fixture fixture;
    struct buffer json = { 0 };
    receipt_fixture_open(&fixture, 23, 23);
    cr_assert_eq(receipt_fixture_build(&fixture, 17, &json), OK);
    json_t *root = json_loadb((const char *)json.data, json.size, 0, NULL);
    expect_named(root, root, "");
    expect_named(root, json_array_get(json_object_get(root, "receipts"), 0), "receipts[0]: ");
    json_decref(root);
    buffer_close(&json);
    receipt_fixture_close(&fixture);
}

Test(receipt_file, of_other_keys_than_the_pinned_ones_is_refused)
{
    struct receipt_fixture fixture;
    struct buffer json = { 0 };
    struct receipt_claim claim;
    char reason[RECEIPT_FILE_REASON_MAX];
    receipt_fixture_open(&fixture, 23, 23);
    cr_assert_eq(receipt_fixture_build(&fixture, 17, &json), OK);
    struct receipt_pins right = { &fixture.log_key.public, "centre", &fixture.hub_key.public };
    struct receipt_pins wrong[] = {
        { &fixture.hub_key.public, NULL, NULL },
        { NULL, "other", NULL },
        { NULL, NULL, &fixture.log_key.public },
    };
    cr_expect_eq(receipt_file_verify(buffer_bytes(&json), &right, &claim, reason), OK);
    for (size_t i = 0; i < 3; i++)
        cr_expect_eq(receipt_file_verify(buffer_bytes(&json), &wrong[i], &claim, reason),
                     ERR_CONFLICT);
    buffer_close(&json);
    receipt_fixture_close(&fixture);
}
