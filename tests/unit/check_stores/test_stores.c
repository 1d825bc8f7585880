/* Stores that the product wrote, read by the checkers' own reader: the two agree on every root, and
 * the reader finds nothing wrong. */
#include "storage/journal.h"
#include "tests/check/check.h"
#include "tests/check/dump.h"
#include "tests/check/dump_memo.h"
#include "tests/check/fork.h"
#include "tests/check/note.h"
#include "tests/support/folder.h"
#include "tests/support/records.h"
#include "tests/sync/lib/shell.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MANY = 1 << 20 };

struct pair {
    char folder[FOLDER_PATH_SIZE];
    char province_data[FOLDER_PATH_SIZE], hub_data[FOLDER_PATH_SIZE]; /* with "log" below */
    char province_log[FOLDER_PATH_SIZE], hub_log[FOLDER_PATH_SIZE];
    struct shell province, hub;
    struct log_id log;
    uint64_t link;
};

static void data_folder(char data[FOLDER_PATH_SIZE], char log[FOLDER_PATH_SIZE], const char *folder,
                        const char *name)
{
    folder_path(data, folder, name);
    cr_assert_eq(mkdir(data, 0700), 0);
    folder_path(log, data, "log");
}

static void pair_open(struct pair *pair)
{
    memset(pair, 0, sizeof *pair);
    folder_make(pair->folder);
    data_folder(pair->province_data, pair->province_log, pair->folder, "province");
    data_folder(pair->hub_data, pair->hub_log, pair->folder, "hub");
    shell_open(&pair->province, "ardabil", ROLE_PROVINCE, "centre", pair->province_log);
    shell_open(&pair->hub, "centre", ROLE_HUB, "ardabil", pair->hub_log);
    pair->log = sample_log("ardabil", "hub", 1);
}

static void pair_exchange(struct pair *pair)
{
    pair->link++;
    shell_link(&pair->province, pair->link, "centre", true);
    shell_link(&pair->hub, pair->link, "ardabil", false);
    shell_exchange(&pair->province, &pair->hub, NULL, MANY);
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

static struct dump *read_sound(const char *data, const uint8_t *data_key)
{
    struct dump *dump =
        dump_read(data, &(struct dump_options){ .label = "test", .data_key = data_key });
    cr_assert(dump->readable);
    for (size_t i = 0; i < dump->problem_count; i++)
        cr_assert_fail("%s %llu: %s", dump->problems[i].log,
                       (unsigned long long)dump->problems[i].position, dump->problems[i].text);
    return dump;
}

static const struct dump_log *log_of(const struct dump *dump, const struct log_id *id, bool branch)
{
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    log_id_origin(id, origin);
    for (size_t i = 0; i < dump->log_count; i++)
        if (strcmp(dump->logs[i].origin, origin) == 0 && dump->logs[i].branch == branch)
            return &dump->logs[i];
    cr_assert_fail("the log is not in the dump");
    return NULL;
}

static void expect_agreement(struct shell *shell, const char *data, const struct log_id *id)
{
    struct dump *dump = read_sound(data, NULL);
    const struct dump_log *log = log_of(dump, id, false);
    struct hash theirs;
    struct check_hash ours;
    uint64_t size = shell_held(shell, id, &theirs);
    cr_assert_eq(log->size, size);
    cr_assert(dump_root_at(log, size, &ours));
    cr_assert(memcmp(&ours, &theirs, sizeof ours) == 0);
    dump_free(dump);
}

Test(stores, both_readers_agree_on_the_root_at_every_size_a_log_grows_through)
{
    struct pair pair;
    pair_open(&pair);
    for (uint32_t i = 0, count = 1; i < 9; i++, count = count * 2 + 1) {
        shell_write(&pair.province, &pair.log, count, i);
        expect_agreement(&pair.province, pair.province_data, &pair.log);
    }
    pair_exchange(&pair);
    expect_agreement(&pair.hub, pair.hub_data, &pair.log);
    pair_close(&pair);
}

Test(stores, checkpoints_and_receipts_verify_under_the_nodes_keys)
{
    struct pair pair;
    struct check_note note;
    struct check_hash log_key, hub_key;
    pair_open(&pair);
    shell_write(&pair.province, &pair.log, 700, 1);
    pair_exchange(&pair);
    struct sign_key log_pair = shell_log_key("ardabil"), hub_pair = shell_receipt_key("centre");
    memcpy(log_key.bytes, log_pair.public.bytes, 32);
    memcpy(hub_key.bytes, hub_pair.public.bytes, 32);
    struct dump *dump = read_sound(pair.province_data, NULL);
    const struct dump_log *log = log_of(dump, &pair.log, false);
    cr_assert_gt(log->checkpoint_count, 0);
    cr_assert_eq(log->receipt_count, 1);
    cr_assert_eq(log->receipts[0].size, 700);
    cr_assert(check_note_read(&note, log->receipts[0].text));
    cr_assert_eq(check_note_signed(&note, &log_key), SIGNATURE_GOOD);
    cr_assert_eq(check_note_cosigned(&note, "centre", &hub_key, NULL), SIGNATURE_GOOD);
    cr_assert_eq(check_note_cosigned(&note, "centre", &log_key, NULL), SIGNATURE_MISSING);
    dump_free(dump);
    pair_close(&pair);
}

/* 20 common records, then 10 of one branch and 15 of the other at the hub. */
static void pair_fork(struct pair *pair)
{
    char file[FOLDER_PATH_SIZE], old[FOLDER_PATH_SIZE];
    pair_open(pair);
    shell_write(&pair->province, &pair->log, 20, 1);
    shell_close(&pair->province);
    folder_path(file, pair->province_log, "data.mdb");
    folder_path(old, pair->folder, "old.mdb");
    file_copy(file, old);
    shell_open(&pair->province, "ardabil", ROLE_PROVINCE, "centre", pair->province_log);
    shell_write(&pair->province, &pair->log, 10, 1);
    pair_exchange(pair);
    pair_unlink(pair);
    shell_close(&pair->province);
    file_copy(old, file);
    shell_open(&pair->province, "ardabil", ROLE_PROVINCE, "centre", pair->province_log);
    shell_write(&pair->province, &pair->log, 15, 99);
    pair_exchange(pair);
}

Test(stores, a_fork_at_a_hub_is_read_with_both_branches_and_its_proof_verifies)
{
    struct pair pair;
    struct check_hash key;
    pair_fork(&pair);
    struct sign_key log_key = shell_log_key("ardabil");
    memcpy(key.bytes, log_key.public.bytes, 32);
    struct dump *dump = read_sound(pair.hub_data, NULL);
    const struct dump_log *main = log_of(dump, &pair.log, false);
    const struct dump_log *branch = log_of(dump, &pair.log, true);
    cr_assert(main->frozen);
    cr_assert_eq(main->size, 30);
    cr_assert_eq(branch->size, 35);
    const char *wrong = "there is none";
    for (size_t i = 0; i < main->fork_count; i++)
        if (*main->fork_proofs[i])
            wrong = check_fork_proof(main->fork_proofs[i], main->origin, &key);
    cr_assert_null(wrong, "%s", wrong);
    dump_free(dump);
    pair_close(&pair);
}

Test(stores, a_fork_proof_with_any_byte_changed_proves_nothing)
{
    struct pair pair;
    struct check_hash key;
    pair_fork(&pair);
    struct sign_key log_key = shell_log_key("ardabil");
    memcpy(key.bytes, log_key.public.bytes, 32);
    struct dump *dump = read_sound(pair.hub_data, NULL);
    const struct dump_log *main = log_of(dump, &pair.log, false);
    const char *proof = main->fork_proofs[main->fork_count - 1];
    char *changed = strdup(proof);
    for (size_t i = 0; changed[i]; i++) {
        changed[i] = proof[i] == '0' ? '1' : '0';
        cr_assert_not_null(check_fork_proof(changed, main->origin, &key), "digit %zu", i);
        changed[i] = proof[i];
    }
    free(changed);
    dump_free(dump);
    pair_close(&pair);
}

Test(stores, the_checkers_find_nothing_wrong_with_a_fork_that_is_handled)
{
    struct pair pair;
    struct history_host province = { .name = "ardabil", .node = "ardabil", .malicious = true };
    struct history_host hub = { .name = "centre", .node = "centre", .hub = true };
    pair_fork(&pair);
    struct sign_key log_key = shell_log_key("ardabil"), hub_key = shell_receipt_key("centre");
    memcpy(province.log_key.bytes, log_key.public.bytes, 32);
    memcpy(hub.receipt_key.bytes, hub_key.public.bytes, 32);
    struct history *history = history_new();
    history_add_host(history, &province);
    history_add_host(history, &hub);
    history_add(history, &(struct history_event){ .kind = HISTORY_CONVERGED,
                                                  .host = HISTORY_NO_HOST,
                                                  .fault.peer = HISTORY_NO_HOST });
    history_add_dump(history, 1, 0, read_sound(pair.province_data, NULL));
    history_add_dump(history, 1, 1, read_sound(pair.hub_data, NULL));
    struct check_report *report = check_history(history, NULL);
    for (size_t i = 0; i < report->kept_count; i++)
        cr_assert_fail("%s: %s", report->violations[i].guarantee, report->violations[i].text);
    check_report_free(report);
    history_free(history);
    pair_close(&pair);
}

static void expect_same_words(const struct dump *known, const struct dump *anew, long offset)
{
    cr_assert_eq(known->problem_count, anew->problem_count, "byte %ld", offset);
    for (size_t i = 0; i < anew->problem_count; i++)
        cr_assert_str_eq(known->problems[i].text, anew->problems[i].text);
    cr_assert_eq(known->log_count, anew->log_count);
    for (size_t i = 0; i < anew->log_count; i++) {
        const struct dump_log *a = &known->logs[i], *b = &anew->logs[i];
        cr_assert_eq(a->record_count, b->record_count);
        for (size_t k = 0; k < b->record_count; k++) {
            cr_assert(memcmp(&a->records[k].hash, &b->records[k].hash, sizeof a->records[k].hash) ==
                      0);
            cr_assert_eq(a->records[k].kind, b->records[k].kind);
            cr_assert_eq(a->records[k].damaged, b->records[k].damaged, "byte %ld", offset);
            cr_assert_eq(a->records[k].person, b->records[k].person, "byte %ld", offset);
        }
    }
}

static size_t read_both(const char *data, const uint8_t *data_key, struct dump_memo *memo,
                        long offset)
{
    struct dump_options options = { .label = "test", .data_key = data_key };
    struct dump *anew = dump_read(data, &options);
    options.memo = memo;
    struct dump *known = dump_read(data, &options);
    expect_same_words(known, anew, offset);
    size_t problems = anew->problem_count;
    dump_free(known);
    dump_free(anew);
    return problems;
}

static void flip_byte(const char *file, long offset)
{
    FILE *stream = fopen(file, "r+");
    cr_assert_not_null(stream);
    fseek(stream, offset, SEEK_SET);
    int byte = fgetc(stream);
    fseek(stream, offset, SEEK_SET);
    fputc(byte ^ 0x10, stream);
    cr_assert_eq(fclose(stream), 0);
}

Test(stores, what_was_read_before_hides_nothing_that_has_changed_since)
{
    struct pair pair;
    char file[FOLDER_PATH_SIZE];
    uint8_t data_key[32];
    size_t found = 0;
    memset(data_key, 'a', sizeof data_key); /* as shell.c makes it, of "ardabil" */
    pair_open(&pair);
    shell_write(&pair.province, &pair.log, 60, 1);
    folder_path(file, pair.province_log, "data.mdb");
    struct dump_memo *memo = dump_memo_new();
    cr_assert_eq(read_both(pair.province_data, data_key, memo, 0), 0);
    cr_assert_eq(read_both(pair.province_data, data_key, memo, 0), 0);
    for (long offset = 2 * 4096; offset < 40 * 4096; offset += 61) {
        flip_byte(file, offset);
        found += read_both(pair.province_data, data_key, memo, offset) > 0;
        flip_byte(file, offset);
    }
    cr_assert_gt(found, 400);
    dump_memo_free(memo);
    pair_close(&pair);
}

/* ---- journals ------------------------------------------------------------------------------ */

/* One entry with a batch of that log. */
static void journal_write(struct journal *journal, const struct log_id *log,
                          struct merkle_frontier *at, uint32_t count)
{
    struct seal_key data_key = { { 0 } };
    struct batch_builder batch;
    struct journal_entry entry = { 0 };
    struct buffer value = { 0 };
    uint64_t first = at->size;
    batch_begin(&batch, at);
    sample_batch(&batch, log, 7, count, 50, &data_key);
    uint8_t *room = buffer_reserve(&value, batch_size(&batch, 0));
    batch_write(&batch, BYTES_NONE, room);
    value.size = batch_size(&batch, 0);
    journal_entry_batch(&entry, log, first, buffer_bytes(&value));
    cr_assert_eq(journal_make_room(journal, journal_entry_size(&entry)), OK);
    cr_assert_eq(journal_append(journal, &entry), OK);
    *at = batch.frontier;
    journal_entry_close(&entry);
    buffer_close(&value);
    batch_close(&batch);
}

static void flip(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    cr_assert(file && fseek(file, at, SEEK_SET) == 0);
    int byte = fgetc(file);
    cr_assert(fseek(file, at, SEEK_SET) == 0 && fputc(byte ^ 1, file) != EOF);
    fclose(file);
}

Test(stores, of_a_journal_is_read_what_the_store_lacks_and_nothing_that_is_damaged)
{
    struct pair pair;
    char path[FOLDER_PATH_SIZE], segment[FOLDER_PATH_SIZE];
    struct journal *journal;
    struct journal_report report;
    struct merkle_frontier held = { 0 }, lacking = { 0 };
    struct log_id other = sample_log("ardabil", "hub", 2);
    pair_open(&pair);
    shell_write(&pair.province, &pair.log, 4, 1);
    folder_path(path, pair.folder, "journal");
    folder_path(segment, path, "segment-00000001");
    struct journal_options options = { .path = path,
                                       .node = "ardabil",
                                       .segment_size = JOURNAL_SEGMENT_SIZE_MIN,
                                       .keep_size = UINT64_MAX };
    cr_assert_eq(journal_open(&journal, &options, &report), OK);
    journal_write(journal, &pair.log, &held, 4);
    journal_write(journal, &other, &lacking, 3);
    struct journal_space space;
    journal_space_get(journal, &space);
    journal_write(journal, &other, &lacking, 2);
    journal_close(journal);
    struct dump_options reading = { .label = "test", .journal = path };
    struct dump *dump = dump_read(pair.province_data, &reading);
    cr_assert_eq(dump->journal->log_count, 1);
    cr_assert_eq(dump->journal->logs[0].record_count, 5);
    for (size_t i = 0; i < 5; i++) {
        cr_assert_eq(dump->journal->logs[0].records[i].position, i);
        cr_assert_not(dump->journal->logs[0].records[i].damaged);
    }
    cr_assert_gt(strlen(dump->journal->logs[0].records[4].code), 0);
    dump_free(dump);
    flip(segment, (long)space.used_size + 100);
    dump = dump_read(pair.province_data, &reading);
    cr_assert_eq(dump->journal->logs[0].record_count, 3);
    dump_free(dump);
    pair_close(&pair);
}
