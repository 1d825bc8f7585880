#include "replication/core/fork.h"
#include "storage/log_private.h"
#include "tests/unit/node/cli_capture.h"
#include "tests/unit/node/pair_fixture.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 40

static enum cli_exit audit(struct pair_fixture *pair, json_t **answer)
{
    struct buffer out = { 0 };
    enum cli_exit result =
        CLI(&out, "-o", "json", "audit", "--hub", pair->hub_conf, pair->province_conf);
    *answer = json_loads((const char *)out.data, 0, NULL);
    cr_assert(*answer, "%s", (const char *)out.data);
    buffer_close(&out);
    return result;
}

static json_int_t count_of(const json_t *answer, const char *name)
{
    return json_integer_value(json_object_get(answer, name));
}

static const char *receipts_of(const json_t *answer)
{
    return json_string_value(json_object_get(answer, "receipts"));
}

/* ---- tampering, below all checks ---- */

enum part { HEADER, FACTS, PERSON };

static void flip(struct pair_fixture *pair, bool hub, uint64_t position, enum part part)
{
    struct log_batch batch;
    struct record sealed;
    struct hash leaf;
    struct buffer value = { 0 };
    struct log_store *logs = pair_fixture_store(pair, hub);
    struct store_txn txn = store_begin_write(log_store_environment(logs));
    struct store_cursor cursor = store_cursor_open(&txn, LOG_BATCHES);
    cr_assert_eq(log_batch_seek(&cursor, 0, position, &batch), OK);
    store_cursor_close(&cursor);
    cr_assert_eq(batch_record(&batch.view, (uint32_t)(position - batch.first), &sealed, &leaf), OK);
    struct bytes bytes = part == HEADER  ? sealed.header
                         : part == FACTS ? sealed.facts
                                         : sealed.person;
    buffer_append_bytes(&value, batch.value);
    value.data[(size_t)(bytes.data - batch.value.data) + bytes.size - 1] ^= 1;
    struct log_key key = log_key_position(0, batch.first);
    store_put(&txn, LOG_BATCHES, log_key_bytes(&key), buffer_bytes(&value));
    cr_assert_eq(store_commit(&txn), OK);
    buffer_close(&value);
    log_store_close(logs);
}

static void drop_last_batch(struct pair_fixture *pair, bool hub)
{
    struct log_batch batch;
    struct log_store *logs = pair_fixture_store(pair, hub);
    struct store_txn txn = store_begin_write(log_store_environment(logs));
    struct store_cursor cursor = store_cursor_open(&txn, LOG_BATCHES);
    cr_assert_eq(log_batch_before(&cursor, 0, UINT64_MAX, &batch), OK);
    store_cursor_close(&cursor);
    struct log_key key = log_key_position(0, batch.first);
    store_delete(&txn, LOG_BATCHES, log_key_bytes(&key));
    cr_assert_eq(store_commit(&txn), OK);
    log_store_close(logs);
}

/* ---- what it finds ---- */

Test(audit, of_two_honest_stores_finds_everything_there)
{
    struct pair_fixture pair;
    json_t *answer;
    pair_fixture_open(&pair, COUNT);
    cr_expect_eq(audit(&pair, &answer), CLI_OK);
    cr_expect_eq(count_of(answer, "registered"), COUNT - 1, "all but the incarnation");
    cr_expect_eq(count_of(answer, "hub_holds"), COUNT - 1);
    cr_expect_eq(count_of(answer, "missing"), 0);
    cr_expect_eq(count_of(answer, "altered"), 0);
    cr_expect_eq(count_of(answer, "duplicated"), 0);
    cr_expect_eq(count_of(answer, "checkpoints"), 6);
    cr_expect_str_eq(receipts_of(answer), "verified");
    json_decref(answer);
    pair_fixture_close(&pair);
}

Test(audit, finds_one_flipped_bit_in_header_facts_or_person_on_either_side)
{
    for (int hub = 0; hub < 2; hub++)
        for (enum part part = HEADER; part <= PERSON; part++) {
            struct pair_fixture pair;
            json_t *answer;
            pair_fixture_open(&pair, COUNT);
            flip(&pair, hub, 17, part);
            cr_expect_eq(audit(&pair, &answer), CLI_NO);
            cr_expect_eq(count_of(answer, "altered"), 1, "hub %d part %d", hub, part);
            cr_expect_eq(count_of(answer, "missing"), 0);
            cr_expect_eq(count_of(answer, "hub_holds"), COUNT - 2);
            if (hub && part == HEADER)
                cr_expect_str_eq(receipts_of(answer), "wrong", "the root is another one");
            json_decref(answer);
            pair_fixture_close(&pair);
        }
}

Test(audit, counts_what_the_hub_lost_although_it_gave_a_receipt)
{
    struct pair_fixture pair;
    json_t *answer;
    pair_fixture_open(&pair, COUNT);
    drop_last_batch(&pair, true);
    cr_expect_eq(audit(&pair, &answer), CLI_NO);
    cr_expect_eq(count_of(answer, "missing"), COUNT % 7);
    cr_expect_eq(count_of(answer, "altered"), 0);
    cr_expect_str_eq(receipts_of(answer), "wrong");
    json_decref(answer);
    pair_fixture_close(&pair);
}

Test(audit, counts_a_request_that_stands_twice_at_the_hub)
{
    struct pair_fixture pair;
    json_t *answer;
    struct sample first, copy;
    struct buffer header = { 0 };
    pair_fixture_open(&pair, COUNT);
    sample_request(&first, &pair.log, 5, 11, 60);
    copy = first;
    copy.header.position = COUNT;
    cr_assert_eq(record_header_encode(&header, &copy.header), OK);
    copy.record.header = buffer_bytes(&header);
    merkle_leaf_hash(&copy.leaf, copy.record.header);
    pair_fixture_append(&pair, true, &copy);
    cr_expect_eq(audit(&pair, &answer), CLI_NO);
    cr_expect_eq(count_of(answer, "duplicated"), 1);
    cr_expect_eq(count_of(answer, "extra"), 1);
    cr_expect_eq(count_of(answer, "missing"), 0);
    json_decref(answer);
    buffer_close(&header);
    sample_close(&first);
    pair_fixture_close(&pair);
}

Test(audit, waits_for_a_receipt_that_does_not_cover_the_newest_records)
{
    struct pair_fixture pair;
    json_t *answer;
    struct sample sample;
    pair_fixture_open(&pair, COUNT);
    sample_request(&sample, &pair.log, COUNT, 11, 60);
    pair_fixture_append(&pair, true, &sample);
    pair_fixture_append(&pair, false, &sample);
    cr_expect_eq(audit(&pair, &answer), CLI_NO);
    cr_expect_eq(count_of(answer, "hub_holds"), COUNT);
    cr_expect_str_eq(receipts_of(answer), "pending");
    json_decref(answer);
    sample_close(&sample);
    pair_fixture_close(&pair);
}

Test(audit, refuses_a_receipt_of_another_hub_key)
{
    struct pair_fixture pair;
    json_t *answer;
    char path[FOLDER_PATH_SIZE];
    pair_fixture_open(&pair, COUNT);
    folder_path(path, pair.folder, "centre/keys/receipt.key");
    cr_assert_eq(remove(path), 0);
    cr_assert_eq(CLI(NULL, "-c", pair.hub_conf, "keygen"), CLI_OK);
    cr_expect_eq(audit(&pair, &answer), CLI_NO);
    cr_expect_str_eq(receipts_of(answer), "wrong");
    json_decref(answer);
    pair_fixture_close(&pair);
}

Test(audit, counts_what_was_made_while_cut_and_was_not_at_the_hub)
{
    struct pair_fixture pair;
    struct buffer out = { 0 };
    char from[FOLDER_PATH_SIZE], to[FOLDER_PATH_SIZE], held[FOLDER_PATH_SIZE], origin[128];
    pair_fixture_open(&pair, COUNT);
    log_id_origin(&pair.log, origin);
    folder_path(from, pair.folder, "from");
    folder_path(to, pair.folder, "to");
    folder_path(held, pair.folder, "held");
    FILE *file = fopen(from, "w");
    fprintf(file, "%s 10\n", origin);
    fclose(file);
    file = fopen(held, "w");
    fprintf(file, "%s 12\n", origin);
    fclose(file);
    cr_assert_eq(CLI(NULL, "audit", "--hub", pair.province_conf, "--snapshot", to), CLI_OK);
    cr_expect_eq(CLI(&out, "-o", "json", "audit", "--hub", pair.hub_conf, "--cut-from", from,
                     "--cut-to", to, "--held-before", held, pair.province_conf),
                 CLI_NO, "two of them were at the hub");
    json_t *answer = json_loads((const char *)out.data, 0, NULL);
    cr_expect_eq(count_of(answer, "while_cut"), COUNT - 10);
    cr_expect_eq(count_of(answer, "held_while_cut"), 2);
    json_decref(answer);
    buffer_close(&out);
    pair_fixture_close(&pair);
}

/* ---- the logs on disk, on the same fixture ---- */

Test(log_command, lists_shows_verifies_and_exports_what_is_stored)
{
    struct pair_fixture pair;
    struct buffer out = { 0 };
    char export[FOLDER_PATH_SIZE];
    pair_fixture_open(&pair, COUNT);
    cr_assert_eq(CLI(&out, "-c", pair.hub_conf, "-o", "json", "log", "ls"), CLI_OK);
    json_t *list = json_loads((const char *)out.data, 0, NULL);
    json_t *log = json_array_get(json_object_get(list, "logs"), 0);
    cr_expect_eq(count_of(log, "size"), COUNT);
    cr_expect(json_is_false(json_object_get(log, "own")));
    buffer_clear(&out);
    cr_assert_eq(CLI(&out, "-c", pair.hub_conf, "log", "cat", "ardabil", "--from", "38"), CLI_OK);
    cr_expect_eq(strncmp((const char *)out.data, "38  ", 4), 0);
    cr_expect(strstr((const char *)out.data, "\n39  "));
    cr_expect_null(strstr((const char *)out.data, "Canary"), "no personal data unless asked for");
    buffer_clear(&out);
    cr_assert_eq(CLI(&out, "-c", pair.hub_conf, "log", "tail", "0", "-n", "1", "--person"), CLI_OK);
    cr_expect(strstr((const char *)out.data, "Canary"));
    cr_expect_eq(CLI(NULL, "-c", pair.hub_conf, "log", "cat", "nothing"), CLI_NO);
    for (char number[2] = "2"; number[0] <= '9'; number[0]++)
        cr_expect_eq(CLI(NULL, "-c", pair.hub_conf, "log", "cat", number), CLI_NO,
                     "a number that no log has is not a piece of a name");
    folder_path(export, pair.folder, "export");
    cr_expect_eq(CLI(NULL, "-c", pair.province_conf, "log", "export", export, "0"), CLI_OK);
    cr_expect_eq(CLI(NULL, "-c", pair.province_conf, "log", "verify"), CLI_OK);
    json_decref(list);
    buffer_close(&out);
    pair_fixture_close(&pair);
}

Test(log_command, verify_says_no_after_one_flipped_bit)
{
    for (enum part part = HEADER; part <= PERSON; part++) {
        struct pair_fixture pair;
        pair_fixture_open(&pair, COUNT);
        flip(&pair, false, 20, part);
        cr_expect_eq(CLI(NULL, "-c", pair.province_conf, "log", "verify"), CLI_NO);
        cr_expect_eq(CLI(NULL, "-c", pair.province_conf, "log", "verify", "0"), CLI_NO);
        pair_fixture_close(&pair);
    }
}

/* ---- forks ---- */

/* Another root under the same size, signed by the same key. */
static void add_fork(struct pair_fixture *pair, bool with_proof)
{
    struct fork_proof *proof = calloc(1, sizeof *proof);
    struct buffer notes[2] = { { 0 } }, evidence = { 0 };
    for (uint8_t i = 0; i < 2; i++) {
        struct checkpoint checkpoint = { .log = pair->log, .size = 9 };
        memset(checkpoint.root.bytes, i, HASH_SIZE);
        checkpoint_sign(&notes[i], &checkpoint, &pair->province_keys.log);
    }
    proof->a.note = buffer_bytes(&notes[0]);
    proof->b.note = buffer_bytes(&notes[1]);
    buffer_append_u8(&evidence, 7);
    buffer_append_string(&evidence, "ardabil");
    if (with_proof)
        fork_proof_encode(&evidence, proof);
    struct log_store *logs = pair_fixture_store(pair, true);
    struct store_txn txn = store_begin_write(log_store_environment(logs));
    cr_assert_eq(log_freeze(logs, &txn, 0, buffer_bytes(&evidence)), OK);
    cr_assert_eq(store_commit(&txn), OK);
    log_store_close(logs);
    buffer_close(&notes[0]);
    buffer_close(&notes[1]);
    buffer_close(&evidence);
    free(proof);
}

Test(fork_show, tells_proven_forks_and_writes_a_proof_that_others_can_verify)
{
    struct pair_fixture pair;
    struct buffer out = { 0 };
    struct log_id log;
    char path[FOLDER_PATH_SIZE];
    uint8_t proof[FORK_PROOF_SIZE_MAX];
    pair_fixture_open(&pair, COUNT);
    folder_path(path, pair.folder, "proof");
    cr_expect_eq(CLI(NULL, "-c", pair.hub_conf, "fork", "show"), CLI_OK, "there is none");
    cr_expect_eq(CLI(NULL, "-c", pair.hub_conf, "fork", "show", "0", "-f", path), CLI_NO);
    add_fork(&pair, false);
    cr_expect_eq(CLI(&out, "-c", pair.hub_conf, "fork", "show"), CLI_NO);
    cr_expect(strstr((const char *)out.data, "no proof yet"));
    add_fork(&pair, true);
    buffer_clear(&out);
    cr_expect_eq(CLI(&out, "-c", pair.hub_conf, "-o", "json", "fork", "show"), CLI_NO);
    json_t *answer = json_loads((const char *)out.data, 0, NULL);
    json_t *fork = json_array_get(json_object_get(answer, "forks"), 1);
    cr_expect_str_eq(json_string_value(json_object_get(fork, "verdict")), "proven");
    cr_expect_str_eq(json_string_value(json_object_get(fork, "shown_by")), "ardabil");
    cr_expect_eq(CLI(NULL, "-c", pair.hub_conf, "fork", "show", "0", "-f", path), CLI_OK);
    FILE *file = fopen(path, "rb");
    cr_assert(file);
    size_t size = fread(proof, 1, sizeof proof, file);
    fclose(file);
    cr_expect_eq(fork_proof_verify(bytes_of(proof, size), &pair.province_keys.log.public, &log),
                 OK);
    json_decref(answer);
    buffer_close(&out);
    pair_fixture_close(&pair);
}
