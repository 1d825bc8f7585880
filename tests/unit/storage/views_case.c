#include "tests/unit/storage/views_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct log_fixture logs;
struct views_fixture fixture;

void setup(void)
{
    log_fixture_open(&logs);
    views_fixture_open(&fixture);
}

void teardown(void)
{
    views_fixture_close(&fixture);
    log_fixture_close(&logs);
}

struct view *decide(uint64_t group)
{
    return views_decider_begin(fixture.views, group);
}

void put(struct view *view, const char *key, const char *value)
{
    if (value)
        view_put(view, bytes_of_string(key), bytes_of_string(value));
    else
        view_del(view, bytes_of_string(key));
}

void expect(struct view *view, const char *key, const char *wanted)
{
    struct bytes value;
    char found[64] = "-";
    enum err err = view_get(view, bytes_of_string(key), &value);
    if (err == OK)
        snprintf(found, sizeof found, "%.*s", (int)value.size, (const char *)value.data);
    else
        cr_assert_eq(err, ERR_NOT_FOUND, "%s: %s", key, err_name(err));
    cr_assert_str_eq(found, wanted, "%s: %s", key, found);
}

struct log_head some_head(uint64_t size)
{
    return (struct log_head){ .log = history_id(A), .size = size };
}

void flush(uint64_t group)
{
    struct log_head head = some_head(group);
    cr_assert_eq(memory_freeze(views_memory(fixture.views), group), OK);
    cr_assert_eq(views_flush(fixture.views, &head), OK);
}

void expect_applied(const char *wanted)
{
    struct log_head heads[8];
    size_t count;
    char words[128] = "";
    cr_assert_eq(views_applied(fixture.views, "ardabil", heads, 8, &count), OK);
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(words);
        snprintf(words + used, sizeof words - used, "%c%d ",
                 'A' + heads[i].log.incarnation[0] - A, (int)heads[i].size);
        struct log_head held = history_head(&logs, heads[i].log.incarnation[0]);
        if (held.size == heads[i].size)
            cr_assert(hash_equal(&held.root, &heads[i].root));
    }
    cr_assert_str_eq(words, wanted, "%s", words);
}

void record_group(const struct history_log *log, uint64_t group, uint64_t size)
{
    struct log_id id = history_id(log->incarnation);
    struct view *view = decide(group);
    history_hold(&logs, log, size, 1000);
    struct store_txn txn = store_begin_read(log_store_environment(logs.logs));
    struct buffer scratch = { 0 };
    struct record record;
    struct record_header header;
    struct hash leaf;
    struct log_head heads[8];
    size_t count = 0;
    views_applied(fixture.views, "ardabil", heads, 8, &count);
    uint64_t from = memory_size(views_memory(fixture.views)) == 0 && count > 0 &&
                            log_id_equal(&heads[count - 1].log, &id)
                        ? heads[count - 1].size
                        : 0;
    for (uint64_t position = from; position < size; position++) {
        cr_assert_eq(log_read(logs.logs, &txn, history_number(&logs, log->incarnation), position,
                              &scratch, &record, &header, &leaf),
                     OK);
        cr_assert_eq(fixture_fold(NULL, view, &header, record_unsalted(record.facts),
                                  record_unsalted(record.person), record.person_absent),
                     OK);
    }
    buffer_close(&scratch);
    store_abort(&txn);
    views_decider_end(fixture.views);
}

void flush_log(const struct history_log *log, uint64_t group)
{
    struct log_head head = history_head(&logs, log->incarnation);
    cr_assert_eq(memory_freeze(views_memory(fixture.views), group), OK);
    cr_assert_eq(views_flush(fixture.views, &head), OK);
}

void hold_all(const int *arrival, uint64_t budget)
{
    static const struct history_log *all[] = { &LOG_A, &LOG_A, &LOG_B, &LOG_C };
    static const uint64_t sizes[] = { 100, 300, 40, 10 };
    for (int i = 0; i < 4; i++) {
        int k = arrival[i];
        history_hold(&logs, all[k], sizes[k], 64);
        if (budget)
            views_fixture_fold(&fixture, logs.logs, budget);
    }
}

void prepare_handback(void)
{
    history_hold(&logs, &LOG_A, 100, 1000);
    history_hold(&logs, &LOG_B, 40, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    expect_applied("A100 B40 ");
    history_hold(&logs, &LOG_A, 300, 1000);
}

static void count_progress(void *context, uint64_t records)
{
    *(uint64_t *)context = records;
}

enum err check(struct views_check *result, uint64_t *progress)
{
    char scratch[FOLDER_PATH_SIZE];
    folder_make(scratch);
    enum err err = views_check(fixture.views, logs.logs, "ardabil", scratch, count_progress,
                               progress, result);
    folder_remove(scratch);
    return err;
}
