/* Core and replica on real stores: what the daemon does, without threads and sockets. */
#include "replication/core/fork.h"
#include "storage/log_private.h"
#include "tests/support/folder.h"
#include "tests/support/records.h"
#include "tests/sync/lib/shell.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 1 << 20 };

struct pair {
    char folder[FOLDER_PATH_SIZE], province_path[FOLDER_PATH_SIZE], hub_path[FOLDER_PATH_SIZE];
    struct shell province, hub;
    struct log_id log;
    uint64_t link;
};

static void pair_open(struct pair *pair)
{
    memset(pair, 0, sizeof *pair);
    folder_make(pair->folder);
    folder_path(pair->province_path, pair->folder, "province");
    folder_path(pair->hub_path, pair->folder, "hub");
    shell_open(&pair->province, "ardabil", ROLE_PROVINCE, "centre", pair->province_path);
    shell_open(&pair->hub, "centre", ROLE_HUB, "ardabil", pair->hub_path);
    pair->log = sample_log("ardabil", "hub", 1);
}

static void pair_link(struct pair *pair)
{
    pair->link++;
    shell_link(&pair->province, pair->link, "centre", true);
    shell_link(&pair->hub, pair->link, "ardabil", false);
}

static void pair_unlink(struct pair *pair)
{
    shell_unlink(&pair->province);
    shell_unlink(&pair->hub);
}

static void pair_close(struct pair *pair)
{
    shell_close(&pair->province);
    shell_close(&pair->hub);
    folder_remove(pair->folder);
}

static void expect_equal(struct pair *pair, uint64_t size)
{
    struct hash own, theirs;
    cr_assert_eq(shell_held(&pair->province, &pair->log, &own), size);
    cr_assert_eq(shell_held(&pair->hub, &pair->log, &theirs), size);
    cr_assert(hash_equal(&own, &theirs));
}

static uint64_t receipted(struct pair *pair)
{
    uint32_t number;
    uint64_t size = 0;
    struct buffer receipt = { 0 };
    struct store_txn txn = store_begin_read(log_store_environment(pair->province.logs));
    if (log_find(pair->province.logs, &txn, &pair->log, &number) == OK)
        (void)log_receipt_get(pair->province.logs, &txn, number, "centre", &receipt, &size);
    store_abort(&txn);
    buffer_close(&receipt);
    return size;
}

Test(replica, a_first_sync_ends_with_equal_stores_and_a_receipt)
{
    struct pair pair;
    pair_open(&pair);
    shell_write(&pair.province, &pair.log, 700, 1);
    shell_write(&pair.province, &pair.log, 400, 1);
    pair_link(&pair);
    shell_exchange(&pair.province, &pair.hub, NULL, MANY);
    expect_equal(&pair, 1100);
    cr_expect_eq(receipted(&pair), 1100);
    shell_write(&pair.province, &pair.log, 1, 1);
    shell_exchange(&pair.province, &pair.hub, NULL, MANY);
    expect_equal(&pair, 1101);
    cr_expect_eq(receipted(&pair), 1101);
    cr_expect(!pair.province.closed && !pair.hub.closed);
    pair_close(&pair);
}

Test(replica, a_cut_after_any_message_is_made_up_for)
{
    for (size_t cut = 1; cut < 24; cut++) {
        struct pair pair;
        pair_open(&pair);
        shell_write(&pair.province, &pair.log, 300, 1);
        shell_write(&pair.province, &pair.log, 300, 1);
        pair_link(&pair);
        shell_exchange(&pair.province, &pair.hub, NULL, cut);
        pair_unlink(&pair);
        shell_write(&pair.province, &pair.log, 10, 1);
        pair_link(&pair);
        shell_exchange(&pair.province, &pair.hub, NULL, MANY);
        expect_equal(&pair, 610);
        cr_expect_eq(receipted(&pair), 610, "cut after %zu", cut);
        pair_close(&pair);
    }
}

Test(replica, both_ends_may_be_restarted_from_their_stores)
{
    struct pair pair;
    pair_open(&pair);
    shell_write(&pair.province, &pair.log, 500, 1);
    pair_link(&pair);
    shell_exchange(&pair.province, &pair.hub, NULL, 9);
    shell_close(&pair.province);
    shell_close(&pair.hub);
    shell_open(&pair.province, "ardabil", ROLE_PROVINCE, "centre", pair.province_path);
    shell_open(&pair.hub, "centre", ROLE_HUB, "ardabil", pair.hub_path);
    pair_link(&pair);
    shell_exchange(&pair.province, &pair.hub, NULL, MANY);
    expect_equal(&pair, 500);
    cr_expect_eq(receipted(&pair), 500);
    pair_close(&pair);
}

Test(replica, a_rolled_back_province_gets_its_suffix_back)
{
    struct pair pair;
    char copy[FOLDER_PATH_SIZE], file[FOLDER_PATH_SIZE], to[FOLDER_PATH_SIZE];
    pair_open(&pair);
    shell_write(&pair.province, &pair.log, 50, 1);
    shell_close(&pair.province);
    folder_path(copy, pair.folder, "copy");
    folder_path(file, pair.province_path, "data.mdb");
    folder_path(to, pair.folder, "old.mdb");
    file_copy(file, to);
    shell_open(&pair.province, "ardabil", ROLE_PROVINCE, "centre", pair.province_path);
    shell_write(&pair.province, &pair.log, 600, 1);
    pair_link(&pair);
    shell_exchange(&pair.province, &pair.hub, NULL, MANY);
    expect_equal(&pair, 650);
    pair_unlink(&pair);
    shell_close(&pair.province);
    file_copy(to, file);
    shell_open(&pair.province, "ardabil", ROLE_PROVINCE, "centre", pair.province_path);
    struct log_id second = sample_log("ardabil", "hub", 2);
    shell_write(&pair.province, &second, 5, 2);
    pair_link(&pair);
    shell_exchange(&pair.province, &pair.hub, NULL, MANY);
    expect_equal(&pair, 650);
    struct hash root;
    cr_expect_eq(shell_held(&pair.hub, &second, &root), 5);
    cr_expect(pair.province.alarms[ALARM_ROLLBACK] + pair.hub.alarms[ALARM_ROLLBACK] > 0);
    pair_close(&pair);
}

/* Whatever the hub had by then, of a checkpoint that is lost with the province's disk: what both hold
 * is proven, receipted, and nothing is dropped. */
Test(replica, after_a_cut_and_a_rollback_all_that_the_province_holds_is_receipted)
{
    for (size_t cut = 1; cut < 24; cut++) {
        struct pair pair;
        struct hash root;
        char file[FOLDER_PATH_SIZE], to[FOLDER_PATH_SIZE];
        pair_open(&pair);
        shell_write(&pair.province, &pair.log, 50, 1);
        shell_close(&pair.province);
        folder_path(file, pair.province_path, "data.mdb");
        folder_path(to, pair.folder, "old.mdb");
        file_copy(file, to);
        shell_open(&pair.province, "ardabil", ROLE_PROVINCE, "centre", pair.province_path);
        shell_write(&pair.province, &pair.log, 600, 1);
        pair_link(&pair);
        shell_exchange(&pair.province, &pair.hub, NULL, cut);
        pair_unlink(&pair);
        uint64_t before = shell_held(&pair.hub, &pair.log, &root);
        shell_close(&pair.province);
        file_copy(to, file);
        shell_open(&pair.province, "ardabil", ROLE_PROVINCE, "centre", pair.province_path);
        struct log_id second = sample_log("ardabil", "hub", 2);
        shell_write(&pair.province, &second, 5, 2);
        pair_link(&pair);
        shell_exchange(&pair.province, &pair.hub, NULL, MANY);
        uint64_t held = shell_held(&pair.province, &pair.log, &root);
        cr_expect_eq(receipted(&pair), held, "cut after %zu: %u of %u", cut,
                     (unsigned)receipted(&pair), (unsigned)held);
        cr_expect_geq(shell_held(&pair.hub, &pair.log, &root), before, "cut after %zu", cut);
        if (before > 50)
            cr_expect(pair.province.alarms[ALARM_ROLLBACK] > 0, "cut after %zu", cut);
        pair_close(&pair);
    }
}

/* The first 20 records are common, then the hub holds 10 of one branch and 15 of the other. */
static void pair_fork(struct pair *pair)
{
    char file[FOLDER_PATH_SIZE], to[FOLDER_PATH_SIZE];
    pair_open(pair);
    shell_write(&pair->province, &pair->log, 20, 1);
    shell_close(&pair->province);
    folder_path(file, pair->province_path, "data.mdb");
    folder_path(to, pair->folder, "old.mdb");
    file_copy(file, to);
    shell_open(&pair->province, "ardabil", ROLE_PROVINCE, "centre", pair->province_path);
    shell_write(&pair->province, &pair->log, 10, 1);
    pair_link(pair);
    shell_exchange(&pair->province, &pair->hub, NULL, MANY);
    pair_unlink(pair);
    shell_close(&pair->province);
    file_copy(to, file);
    shell_open(&pair->province, "ardabil", ROLE_PROVINCE, "centre", pair->province_path);
    shell_write(&pair->province, &pair->log, 15, 99); /* other records at the same positions */
    pair_link(pair);
    shell_exchange(&pair->province, &pair->hub, NULL, MANY);
}

Test(replica, a_fork_is_frozen_proven_and_both_branches_are_kept)
{
    struct pair pair;
    struct buffer proof = { 0 };
    struct log_id proven;
    uint32_t number, branch;
    pair_fork(&pair);
    cr_expect_gt(pair.hub.alarms[ALARM_FORK], 0);
    struct store_txn txn = store_begin_read(log_store_environment(pair.hub.logs));
    struct log_state state, other;
    cr_assert_eq(log_find(pair.hub.logs, &txn, &pair.log, &number), OK);
    cr_assert_eq(log_state_get(pair.hub.logs, &txn, number, &state), OK);
    cr_expect(state.frozen);
    cr_expect_eq(state.size, 30, "the first branch is kept");
    cr_assert_eq(log_branch(pair.hub.logs, &txn, &pair.log, false, &branch), OK);
    cr_assert_eq(log_state_get(pair.hub.logs, &txn, branch, &other), OK);
    cr_expect_eq(other.size, 35, "and the second");
    store_abort(&txn);
    struct buffer message = { 0 };
    struct message *decoded = calloc(1, sizeof *decoded);
    cr_assert_eq(replica_send_fork(pair.hub.replica, &pair.log, &message), OK);
    cr_assert_eq(message_decode(decoded, buffer_bytes(&message)), OK);
    struct sign_key key = shell_log_key("ardabil");
    cr_expect_eq(fork_proof_verify(decoded->fork.proof, &key.public, &proven), OK);
    cr_expect(log_id_equal(&proven, &pair.log));
    free(decoded);
    buffer_close(&message);
    buffer_close(&proof);
    pair_close(&pair);
}

static void expect_branches(struct shell *shell, const struct log_id *log, uint64_t one,
                            uint64_t two)
{
    struct log_state state = { 0 }, other = { 0 };
    uint32_t number, branch;
    struct store_txn txn = store_begin_read(log_store_environment(shell->logs));
    cr_assert_eq(log_find(shell->logs, &txn, log, &number), OK);
    cr_assert_eq(log_state_get(shell->logs, &txn, number, &state), OK);
    cr_assert_eq(log_branch(shell->logs, &txn, log, false, &branch), OK);
    cr_assert_eq(log_state_get(shell->logs, &txn, branch, &other), OK);
    store_abort(&txn);
    cr_expect(state.frozen);
    bool both =
        (state.size == one && other.size == two) || (state.size == two && other.size == one);
    cr_expect(both, "%zu and %zu", (size_t)state.size, (size_t)other.size);
}

/* R17: its first word of the log is the proof, and that names both. */
Test(replica, a_new_hub_gets_both_branches_of_a_log_that_was_forked_before)
{
    struct pair pair;
    pair_fork(&pair);
    pair_unlink(&pair);
    shell_close(&pair.province); /* it writes the log no more */
    shell_open(&pair.province, "ardabil", ROLE_PROVINCE, "centre", pair.province_path);
    pair_link(&pair);
    shell_exchange(&pair.province, &pair.hub, NULL, MANY);
    expect_branches(&pair.province, &pair.log, 30, 35);
    pair_unlink(&pair);
    shell_close(&pair.hub);
    folder_path(pair.hub_path, pair.folder, "new-hub");
    shell_open(&pair.hub, "centre", ROLE_HUB, "ardabil", pair.hub_path);
    pair_link(&pair);
    shell_exchange(&pair.province, &pair.hub, NULL, MANY);
    expect_branches(&pair.hub, &pair.log, 30, 35);
    pair_unlink(&pair);
    shell_close(&pair.hub);
    shell_open(&pair.hub, "centre", ROLE_HUB, "ardabil", pair.hub_path);
    pair_link(&pair);
    shell_exchange(&pair.province, &pair.hub, NULL, MANY);
    expect_branches(&pair.hub, &pair.log, 30, 35);
    cr_expect_eq(pair.hub.alarms[ALARM_BAD_DATA], 0);
    pair_close(&pair);
}

/* R9: a checkpoint from 20 on, shown to the hub with `hash` of its proof changed. */
static enum err show_spoilt(struct pair *pair, size_t hash)
{
    struct buffer encoded = { 0 };
    struct message *message = calloc(1, sizeof *message);
    struct replica_intake *intake;
    struct replica_result result;
    uint64_t size;
    const struct effect_send_checkpoint send = {
        .log = pair->log, .from = 20, .at_least = 21, .limit = 30
    };
    cr_assert_eq(replica_send_checkpoint(pair->province.replica, &send, &encoded, &size), OK);
    cr_assert_eq(message_decode(message, buffer_bytes(&encoded)), OK);
    cr_assert_gt(message->checkpoint.proof.count, hash);
    message->checkpoint.proof.hashes[hash].bytes[3] ^= 4;
    const struct effect_store_checkpoint store = {
        .node = "reserve", .log = pair->log, .size = size, .message = &message->checkpoint
    };
    cr_assert_eq(replica_open_checkpoint(pair->hub.replica, &store, &intake), OK);
    cr_assert_eq(replica_verify(intake), OK); /* the note is genuine */
    struct store_txn txn = store_begin_write(log_store_environment(pair->hub.logs));
    cr_assert_eq(replica_store(intake, &txn, &result), OK);
    enum err err = result.err;
    cr_assert_eq(store_commit(&txn), OK);
    replica_result_close(&result);
    replica_intake_free(intake);
    free(message);
    buffer_close(&encoded);
    return err;
}

Test(replica, a_proof_that_was_made_up_freezes_nobodys_log)
{
    struct pair pair;
    struct log_state state;
    uint32_t number;
    pair_open(&pair);
    shell_write(&pair.province, &pair.log, 20, 1);
    pair_link(&pair);
    shell_exchange(&pair.province, &pair.hub, NULL, MANY);
    pair_unlink(&pair);
    shell_write(&pair.province, &pair.log, 10, 1);
    for (size_t hash = 0; hash < 3; hash++)
        cr_expect_eq(show_spoilt(&pair, hash), ERR_PROOF);
    struct store_txn txn = store_begin_read(log_store_environment(pair.hub.logs));
    cr_assert_eq(log_find(pair.hub.logs, &txn, &pair.log, &number), OK);
    cr_assert_eq(log_state_get(pair.hub.logs, &txn, number, &state), OK);
    store_abort(&txn);
    cr_expect(!state.frozen);
    pair_link(&pair);
    shell_exchange(&pair.province, &pair.hub, NULL, MANY);
    expect_equal(&pair, 30);
    pair_close(&pair);
}

/* ---- erasures ---- */

static void write_erasure(struct shell *shell, const struct log_id *live,
                          const struct log_id *log, uint64_t position)
{
    struct buffer part = { 0 };
    struct erase_facts facts = { .occurred_at_ms = 1, .log = *log, .position = position,
                                 .reason = bytes_of_string("asked") };
    cr_assert_eq(erase_facts_encode(&part, &facts), OK);
    shell_write_record(shell, live, 7, RECORD_ERASE, buffer_bytes(&part));
    buffer_close(&part);
}

static bool person_is_absent(struct shell *shell, uint32_t number, uint64_t position)
{
    struct buffer scratch = { 0 };
    struct record record;
    struct record_header header;
    struct hash leaf;
    struct store_txn txn = store_begin_read(log_store_environment(shell->logs));
    cr_assert_eq(log_read(shell->logs, &txn, number, position, &scratch, &record, &header, &leaf),
                 OK);
    store_abort(&txn);
    buffer_close(&scratch);
    cr_assert(header.has_person);
    return record.person_absent;
}

static uint32_t number_of(struct shell *shell, const struct log_id *log, bool branch)
{
    uint32_t number;
    struct store_txn txn = store_begin_read(log_store_environment(shell->logs));
    cr_assert_eq(branch ? log_branch(shell->logs, &txn, log, false, &number)
                        : log_find(shell->logs, &txn, log, &number),
                 OK);
    store_abort(&txn);
    return number;
}

/* Replaces the value of the batch that begins at `first`; gives what was there. */
static void swap_batch(struct shell *shell, uint32_t number, uint64_t first, struct buffer *value)
{
    struct log_key key = log_key_position(number, first);
    struct buffer old = { 0 };
    struct bytes held;
    struct store_txn txn = store_begin_write(log_store_environment(shell->logs));
    cr_assert_eq(store_get(&txn, LOG_BATCHES, log_key_bytes(&key), &held), OK);
    buffer_append_bytes(&old, held);
    store_put(&txn, LOG_BATCHES, log_key_bytes(&key), buffer_bytes(value));
    cr_assert_eq(store_commit(&txn), OK);
    buffer_close(value);
    *value = old;
}

/* I20: an erase record that is stored without its effect would never have it. */
Test(replica, an_erasure_that_cannot_be_applied_is_not_taken_and_comes_again)
{
    struct pair pair;
    struct buffer batch = { 0 };
    struct hash root;
    pair_open(&pair);
    shell_write(&pair.province, &pair.log, 10, 1);
    pair_link(&pair);
    shell_exchange(&pair.province, &pair.hub, NULL, MANY);
    expect_equal(&pair, 10);
    uint32_t number = number_of(&pair.hub, &pair.log, false);
    shell_write(&pair.province, &pair.log, 5, 1);
    shell_exchange(&pair.province, &pair.hub, NULL, MANY);
    expect_equal(&pair, 15);

    buffer_append_string(&batch, "damaged on the disk");
    swap_batch(&pair.hub, number, 0, &batch);
    write_erasure(&pair.province, &pair.log, &pair.log, 5);
    shell_exchange(&pair.province, &pair.hub, NULL, MANY);
    cr_expect_eq(shell_held(&pair.hub, &pair.log, &root), 15, "refused whole");

    swap_batch(&pair.hub, number, 0, &batch); /* repaired */
    buffer_close(&batch);
    pair_unlink(&pair);
    shell_close(&pair.hub); /* a new start asks again at once */
    shell_open(&pair.hub, "centre", ROLE_HUB, "ardabil", pair.hub_path);
    pair_link(&pair);
    shell_exchange(&pair.province, &pair.hub, NULL, MANY);
    expect_equal(&pair, 16);
    cr_expect(person_is_absent(&pair.hub, number, 5));
    pair_close(&pair);
}

/* I20: whoever erases cannot know which branch another holder has. */
Test(replica, an_erasure_reaches_both_branches_of_a_forked_log)
{
    struct pair pair;
    pair_fork(&pair);
    struct log_id second = sample_log("ardabil", "hub", 2);
    shell_write(&pair.province, &second, 1, 2);
    write_erasure(&pair.province, &second, &pair.log, 5);
    shell_exchange(&pair.province, &pair.hub, NULL, MANY);
    cr_expect(person_is_absent(&pair.hub, number_of(&pair.hub, &pair.log, false), 5));
    cr_expect(person_is_absent(&pair.hub, number_of(&pair.hub, &pair.log, true), 5));
    cr_expect(!person_is_absent(&pair.hub, number_of(&pair.hub, &pair.log, true), 6));
    pair_close(&pair);
}

/* ---- a province that means harm ---- */

/* The province signs a log whose first record is an incarnation that nobody can read. */
static void write_unreadable_incarnation(struct pair *pair)
{
    uint32_t number;
    struct merkle_frontier frontier = { 0 };
    struct batch_builder batch;
    struct sample sample;
    struct buffer note = { 0 };
    struct sign_key key = shell_log_key("ardabil");
    struct log_store *logs = pair->province.logs;
    struct store_txn txn = store_begin_write(log_store_environment(logs));
    cr_assert_eq(log_create(logs, &txn, &pair->log, &number), OK);
    batch_begin(&batch, &frontier);
    sample_record(&sample, &pair->log, 0, 1, RECORD_INCARNATION, bytes_of_string("\x93\x01"),
                  BYTES_NONE);
    batch_add(&batch, &sample.record, &sample.leaf, log_store_data_key(logs));
    sample_note(&note, &pair->log, &batch.frontier, &key);
    cr_assert_eq(log_append(logs, &txn, number, &batch, buffer_bytes(&note)), OK);
    cr_assert_eq(store_commit(&txn), OK);
    sample_close(&sample);
    batch_close(&batch);
    buffer_close(&note);
    shell_write(&pair->province, &pair->log, 3, 1);
}

/* A group whose note states another root than its records have: a bit of it was changed at rest. */
static void write_with_another_root(struct pair *pair)
{
    uint32_t number;
    struct merkle_frontier frontier = { 0 }, other = { 0 };
    struct batch_builder batch;
    struct buffer note = { 0 };
    struct sign_key key = shell_log_key("ardabil");
    struct log_store *logs = pair->province.logs;
    struct store_txn txn = store_begin_write(log_store_environment(logs));
    cr_assert_eq(log_find(logs, &txn, &pair->log, &number), OK);
    cr_assert_eq(log_frontier(logs, &txn, number, &frontier), OK);
    batch_begin(&batch, &frontier);
    sample_batch(&batch, &pair->log, 9, 2, 60, log_store_data_key(logs));
    other = batch.frontier;
    other.roots[0].bytes[5] ^= 1;
    sample_note(&note, &pair->log, &other, &key);
    cr_assert_eq(log_append(logs, &txn, number, &batch, buffer_bytes(&note)), OK);
    cr_assert_eq(store_commit(&txn), OK);
    batch_close(&batch);
    buffer_close(&note);
}

Test(replica, a_checkpoint_that_the_records_do_not_have_is_not_shown) /* I11 */
{
    struct pair pair;
    struct buffer message = { 0 };
    uint64_t size;
    pair_open(&pair);
    shell_write(&pair.province, &pair.log, 5, 1);
    write_with_another_root(&pair);
    struct effect_send_checkpoint effect = { .log = pair.log, .at_least = 1, .limit = 5 };
    cr_expect_eq(replica_send_checkpoint(pair.province.replica, &effect, &message, &size), OK);
    cr_expect_eq(size, 5);
    buffer_clear(&message);
    effect.limit = 7;
    cr_expect_eq(replica_send_checkpoint(pair.province.replica, &effect, &message, &size),
                 ERR_CORRUPT);
    cr_expect_eq(message.size, 0);
    buffer_close(&message);
    pair_close(&pair);
}

/* It names nothing, here and at every start; nobody can stop a hub with it. */
Test(replica, an_incarnation_that_cannot_be_read_is_held_and_the_hub_starts_again)
{
    struct pair pair;
    struct hash root;
    pair_open(&pair);
    write_unreadable_incarnation(&pair);
    pair_link(&pair);
    shell_exchange(&pair.province, &pair.hub, NULL, MANY);
    expect_equal(&pair, 4);
    pair_unlink(&pair);
    shell_close(&pair.hub);
    shell_open(&pair.hub, "centre", ROLE_HUB, "ardabil", pair.hub_path);
    struct log_id next = sample_log("ardabil", "hub", 2);
    shell_write(&pair.province, &next, 5, 2);
    pair_link(&pair);
    shell_exchange(&pair.province, &pair.hub, NULL, MANY);
    cr_expect_eq(shell_held(&pair.hub, &next, &root), 5, "other logs go on");
    pair_close(&pair);
}
