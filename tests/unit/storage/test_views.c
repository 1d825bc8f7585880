#include "storage/views.h"

#include "storage/views_private.h"
#include "tests/unit/storage/views_fixture.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct log_fixture logs;
static struct views_fixture fixture;

static void setup(void)
{
    log_fixture_open(&logs);
    views_fixture_open(&fixture);
}

static void teardown(void)
{
    views_fixture_close(&fixture);
    log_fixture_close(&logs);
}

TestSuite(views, .init = setup, .fini = teardown);

enum { A = 0x0a, B, C, D };

static const struct history_log LOG_A = { .incarnation = A };
static const struct history_log LOG_B = { .incarnation = B, .parents = { { A, 100 } } };
static const struct history_log LOG_C = { .incarnation = C, .parents = { { A, 300 }, { B, 40 } } };

static struct view *decide(uint64_t group)
{
    return views_decider_begin(fixture.views, group);
}

static void put(struct view *view, const char *key, const char *value)
{
    if (value)
        view_put(view, bytes_of_string(key), bytes_of_string(value));
    else
        view_del(view, bytes_of_string(key));
}

static void expect(struct view *view, const char *key, const char *wanted)
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

static struct log_head some_head(uint64_t size)
{
    return (struct log_head){ .log = history_id(A), .size = size };
}

static void flush(uint64_t group)
{
    struct log_head head = some_head(group);
    cr_assert_eq(memory_freeze(views_memory(fixture.views), group), OK);
    cr_assert_eq(views_flush(fixture.views, &head), OK);
}


/* Readers must not move: the macro keeps the fact out of the tests' way. */
#define READER(name)                                                       \
    struct views_reader name;                                              \
    cr_assert_eq(views_reader_begin(fixture.views, "ardabil", &(name)), OK)

/* ---- the decider and readers ------------------------------------------------------------------- */

Test(views, what_is_put_is_read_back_before_and_after_the_flush)
{
    struct view *view = decide(1);
    put(view, "a", "one");
    put(view, "empty", "");
    put(view, "gone", "x");
    put(view, "gone", NULL);
    for (int flushed = 0; flushed < 2; flushed++) {
        view = decide(2);
        expect(view, "a", "one");
        expect(view, "empty", "");
        expect(view, "gone", "-");
        cr_assert_eq(views_decider_group(fixture.views), flushed ? 0 : 1);
        views_decider_end(fixture.views);
        READER(reader);
        expect(&reader.view, "a", "one");
        expect(&reader.view, "empty", "");
        expect(&reader.view, "gone", "-");
        cr_assert_eq(reader.group, flushed ? 0 : 1);
        view_put(&reader.view, bytes_of_string("a"), bytes_of_string("two"));
        cr_assert_eq(reader.view.err, ERR_INVALID, "readers do not write");
        views_reader_end(&reader);
        if (!flushed)
            flush(1);
    }
}

Test(views, a_key_that_was_looked_for_in_vain_is_found_from_the_moment_it_is_put)
{
    struct view *view = decide(1);
    expect(view, "a", "-");
    expect(view, "a", "-"); /* remembered by now */
    put(view, "a", "one");
    expect(view, "a", "one");
    put(view, "a", NULL);
    expect(view, "a", "-");
    cr_assert_eq(views_decider_group(fixture.views), 1, "that it is gone is not yet durable");
    expect(view, "b", "-");
    view = decide(2);
    put(view, "b", "two");
    views_decider_end(fixture.views);
    flush(2);
    view = decide(3);
    expect(view, "a", "-");
    expect(view, "b", "two");
    views_decider_end(fixture.views);
}

Test(views, a_flush_of_puts_and_tombstones_in_turn_leaves_just_what_was_put)
{
    enum { KEYS = 3000 };
    char key[24], value[200];
    struct view *view = decide(1);
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key-%05d", i);
        put(view, key, value);
    }
    views_decider_end(fixture.views);
    flush(1);
    view = decide(2);
    for (int i = 0; i < KEYS; i++) { /* whole pages vanish, others grow */
        snprintf(key, sizeof key, "key-%05d", i);
        put(view, key, i / 100 % 2 ? NULL : "short");
        snprintf(key, sizeof key, "key-%05d+", i);
        if (i % 3 == 0)
            put(view, key, value);
    }
    views_decider_end(fixture.views);
    flush(2);
    cr_assert_eq(views_fixture_entries(&fixture), KEYS / 2 + KEYS / 3);
    READER(reader);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key-%05d", i);
        expect(&reader.view, key, i / 100 % 2 ? "-" : "short");
    }
    views_reader_end(&reader);
}

Test(views, a_tombstone_hides_what_is_stored_until_the_flush_takes_it_away)
{
    struct view *view = decide(1);
    put(view, "a", "one");
    put(view, "b", "one");
    views_decider_end(fixture.views);
    flush(1);
    view = decide(2);
    put(view, "a", NULL);
    views_decider_end(fixture.views);
    READER(reader);
    struct bytes key, value;
    expect(&reader.view, "a", "-");
    cr_assert_eq(reader.group, 2, "that it is gone is not yet durable");
    cr_assert_eq(view_seek(&reader.view, BYTES_NONE, false, &key, &value), OK);
    cr_assert(bytes_equal(key, bytes_of_string("b")));
    cr_assert_eq(view_seek(&reader.view, bytes_of_string("b"), true, &key, &value), ERR_END);
    views_reader_end(&reader);
    flush(2);
    cr_assert_eq(views_fixture_entries(&fixture), 1);
}

Test(views, a_reader_keeps_its_state_while_tables_are_frozen_flushed_and_dropped)
{
    put(decide(1), "a", "one");
    views_decider_end(fixture.views);
    READER(first);
    struct view *view = decide(2);
    put(view, "a", "two");
    put(view, "b", "two");
    READER(unpublished);
    views_decider_end(fixture.views);
    flush(2);
    READER(second);
    put(decide(3), "a", NULL);
    views_decider_end(fixture.views);
    flush(3);
    READER(third);

    expect(&first.view, "a", "one");
    expect(&first.view, "b", "-");
    expect(&unpublished.view, "a", "one");
    expect(&unpublished.view, "b", "-");
    expect(&second.view, "a", "two");
    expect(&second.view, "b", "two");
    expect(&third.view, "a", "-");
    views_reader_end(&first);
    views_reader_end(&unpublished);
    views_reader_end(&second);
    views_reader_end(&third);
}

/* Walks forward as callers do: from just above the last key. "4 400 1 " are the sizes of keys. */
static void expect_walk(struct view *view, const char *wanted)
{
    uint8_t from[VIEW_KEY_SIZE_MAX + 1];
    char sizes[64] = "";
    struct bytes at = BYTES_NONE, key, value;
    while (view_seek(view, at, false, &key, &value) == OK) {
        size_t used = strlen(sizes);
        snprintf(sizes + used, sizeof sizes - used, "%d ", (int)key.size);
        if (key.size > 0)
            memcpy(from, key.data, key.size);
        from[key.size] = 0;
        at = bytes_of(from, key.size + 1);
    }
    cr_assert_eq(view->err, OK, "%s", err_name(view->err));
    cr_assert_str_eq(sizes, wanted, "%s", sizes);
}

Test(views, keys_may_be_empty_and_as_long_as_allowed_and_no_longer)
{
    char longest[VIEW_KEY_SIZE_MAX + 1];
    struct bytes value;
    memset(longest, 'k', sizeof longest);
    struct view *view = decide(1);
    view_put(view, BYTES_NONE, bytes_of_string("empty"));
    view_put(view, bytes_of(longest, VIEW_KEY_SIZE_MAX), bytes_of_string("long"));
    put(view, "z", "last");
    cr_assert_eq(view->err, OK);
    expect_walk(view, "0 400 1 ");
    views_decider_end(fixture.views);
    flush(1);
    READER(reader);
    expect(&reader.view, "", "empty");
    cr_assert_eq(view_get(&reader.view, bytes_of(longest, VIEW_KEY_SIZE_MAX), &value), OK);
    expect_walk(&reader.view, "0 400 1 ");
    views_reader_end(&reader);
    view = decide(2);
    view_del(view, bytes_of(longest, VIEW_KEY_SIZE_MAX));
    expect_walk(view, "0 1 ");
    view_put(view, bytes_of(longest, sizeof longest), bytes_of_string("too long"));
    cr_assert_eq(view->err, ERR_INVALID);
}

/* ---- against a plain array ---------------------------------------------------------------------- */

enum { MODEL_KEYS = 200, MODEL_READERS = 3 };

struct model {
    uint32_t values[MODEL_KEYS]; /* 0: not there */
};

static size_t model_key(uint32_t key, char out[16])
{
    /* Of different lengths, some a prefix of others. */
    return (size_t)snprintf(out, 16, "%.*x", 1 + (int)(key % 3), (unsigned)key);
}

/* The array's keys in byte order. */
static int model_order[MODEL_KEYS];
static char model_names[MODEL_KEYS][16];

static int model_compare(const void *a, const void *b)
{
    return strcmp(model_names[*(const int *)a], model_names[*(const int *)b]);
}

static void model_prepare(void)
{
    for (int i = 0; i < MODEL_KEYS; i++) {
        model_key((uint32_t)i, model_names[i]);
        /* Make them unique without losing prefixes. */
        for (int k = 0; k < i; k++)
            if (strcmp(model_names[k], model_names[i]) == 0) {
                strcat(model_names[i], "/");
                k = -1;
            }
        model_order[i] = i;
    }
    qsort(model_order, MODEL_KEYS, sizeof *model_order, model_compare);
}

static void model_check(struct view *view, const struct model *model, uint64_t *random,
                        unsigned seed)
{
    uint32_t pick = history_random(random) % MODEL_KEYS;
    struct bytes key, value, name = bytes_of_string(model_names[pick]);
    enum err err = view_get(view, name, &value);
    cr_assert_eq(err, model->values[pick] ? OK : ERR_NOT_FOUND, "seed %u get %s: %s", seed,
                 model_names[pick], err_name(err));
    if (err == OK)
        cr_assert_eq(get_u32(value.data), model->values[pick], "seed %u get %s", seed,
                     model_names[pick]);

    bool backward = history_random(random) % 2;
    int at = backward ? MODEL_KEYS - 1 : 0;
    for (; at >= 0 && at < MODEL_KEYS; at += backward ? -1 : 1) {
        int order = strcmp(model_names[model_order[at]], model_names[pick]);
        if (model->values[model_order[at]] && (backward ? order < 0 : order >= 0))
            break;
    }
    err = view_seek(view, name, backward, &key, &value);
    if (at < 0 || at == MODEL_KEYS) {
        cr_assert_eq(err, ERR_END, "seed %u seek %s", seed, model_names[pick]);
        return;
    }
    int found = model_order[at];
    cr_assert_eq(err, OK, "seed %u seek %s: %s", seed, model_names[pick], err_name(err));
    cr_assert(bytes_equal(key, bytes_of_string(model_names[found])), "seed %u seek %s found %.*s",
              seed, model_names[pick], (int)key.size, (const char *)key.data);
    cr_assert_eq(get_u32(value.data), model->values[found]);
}

Test(views, random_changes_flushes_and_readers_agree_with_a_plain_array)
{
    unsigned seed = getenv("SEED") ? (unsigned)strtoul(getenv("SEED"), NULL, 10) : 1;
    uint64_t random = seed;
    struct model now = { { 0 } }, seen[MODEL_READERS];
    struct views_reader readers[MODEL_READERS];
    bool open[MODEL_READERS] = { false };
    uint64_t group = 1;
    uint32_t next_value = 1;
    printf("seed %u\n", seed);
    model_prepare();
    for (int step = 0; step < 12000; step++) {
        uint32_t what = history_random(&random) % 100, key = history_random(&random) % MODEL_KEYS;
        uint32_t slot = history_random(&random) % MODEL_READERS;
        if (what < 40) { /* a command of one to four changes; readers begin between commands */
            struct view *view = decide(group);
            for (uint32_t i = 0; i <= what % 4; i++) {
                uint8_t raw[4];
                key = (key * 7 + i) % MODEL_KEYS;
                now.values[key] = history_random(&random) % 3 ? next_value++ : 0;
                put_u32(raw, now.values[key]);
                if (now.values[key])
                    view_put(view, bytes_of_string(model_names[key]), BYTES_OF_ARRAY(raw));
                else
                    view_del(view, bytes_of_string(model_names[key]));
                model_check(view, &now, &random, seed);
            }
            cr_assert_eq(view->err, OK);
            if (what % 2)
                views_decider_end(fixture.views);
        } else if (what < 60) {
            model_check(decide(group), &now, &random, seed);
        } else if (what < 80) {
            if (open[slot])
                model_check(&readers[slot].view, &seen[slot], &random, seed);
        } else if (what < 88) {
            if (open[slot])
                views_reader_end(&readers[slot]);
            decide(group); /* publishes what was put */
            cr_assert_eq(views_reader_begin(fixture.views, "ardabil", &readers[slot]), OK);
            seen[slot] = now;
            open[slot] = true;
        } else if (what < 92) {
            memory_freeze(views_memory(fixture.views), group++); /* or is busy */
        } else if (what < 96) {
            struct log_head head = some_head(group);
            enum err err = views_flush(fixture.views, &head);
            cr_assert(err == OK || err == ERR_NOT_FOUND, "%s", err_name(err));
        } else if (open[slot]) {
            views_reader_end(&readers[slot]);
            open[slot] = false;
        }
    }
    for (int i = 0; i < MODEL_READERS; i++)
        if (open[i])
            views_reader_end(&readers[i]);
}

/* ---- positions and flushes ---------------------------------------------------------------------- */

static void expect_applied(const char *wanted)
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

/* What the decider and the log thread do together: records are folded and stored, here one group. */
static void record_group(const struct history_log *log, uint64_t group, uint64_t size)
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
        struct bytes person = record.person.size ? bytes_of(record.person.data + SALT_SIZE,
                                                            record.person.size - SALT_SIZE)
                                                 : BYTES_NONE;
        cr_assert_eq(fixture_fold(NULL, view, &header,
                                  bytes_of(record.facts.data + SALT_SIZE,
                                           record.facts.size - SALT_SIZE),
                                  person, record.person_absent),
                     OK);
    }
    buffer_close(&scratch);
    store_abort(&txn);
    views_decider_end(fixture.views);
}

static void flush_log(const struct history_log *log, uint64_t group)
{
    struct log_head head = history_head(&logs, log->incarnation);
    cr_assert_eq(memory_freeze(views_memory(fixture.views), group), OK);
    cr_assert_eq(views_flush(fixture.views, &head), OK);
}

Test(views, deciding_and_flushing_gives_what_folding_the_log_gives)
{
    record_group(&LOG_A, 1, 100);
    struct digest_text before = views_fixture_digest(&fixture);
    cr_assert_str_eq(before.text, views_fixture_rebuilt(logs.logs).text);
    expect_applied("");
    flush_log(&LOG_A, 1);
    cr_assert_str_eq(before.text, views_fixture_digest(&fixture).text);
    expect_applied("A100 ");
    record_group(&LOG_A, 2, 150);
    flush_log(&LOG_A, 2);
    expect_applied("A150 ");
    record_group(&LOG_B, 3, 40);
    flush_log(&LOG_B, 3);
    expect_applied("A150 B40 ");
    cr_assert_str_eq(views_fixture_digest(&fixture).text, views_fixture_rebuilt(logs.logs).text);
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 100), ERR_END);
}

Test(views, what_a_crash_took_from_memory_is_folded_from_the_log_again)
{
    record_group(&LOG_A, 1, 100);
    flush_log(&LOG_A, 1);
    record_group(&LOG_A, 2, 170);
    struct digest_text before = views_fixture_digest(&fixture);
    cr_assert_eq(views_fixture_reopen(&fixture), OK);
    expect_applied("A100 ");
    cr_assert_str_neq(before.text, views_fixture_digest(&fixture).text);
    views_fixture_fold(&fixture, logs.logs, 30);
    expect_applied("A170 ");
    cr_assert_str_eq(before.text, views_fixture_digest(&fixture).text);
}

Test(views, a_flush_never_takes_a_position_back)
{
    record_group(&LOG_A, 1, 100);
    flush_log(&LOG_A, 1);
    put(decide(2), "a", "b");
    struct log_head older = history_head(&logs, A);
    older.size = 99;
    cr_assert_eq(memory_freeze(views_memory(fixture.views), 2), OK);
    cr_assert_eq(views_flush(fixture.views, &older), ERR_STALE);
    cr_assert(memory_has_frozen(views_memory(fixture.views)));
}

Test(views, a_flush_grows_the_map_as_needed)
{
    views_close(fixture.views);
    fixture.options.map_size = 1 << 20;
    cr_assert_eq(views_open(&fixture.views, &fixture.options), OK);
    char key[32], value[200];
    memset(value, 'v', sizeof value);
    for (uint64_t group = 1; group <= 4; group++) {
        struct view *view = decide(group);
        for (int i = 0; i < 5000; i++) {
            snprintf(key, sizeof key, "%d/%d", i * 7919 % 5000, (int)group);
            view_put(view, bytes_of_string(key), BYTES_OF_ARRAY(value));
        }
        cr_assert_eq(view->err, OK);
        views_decider_end(fixture.views);
        flush(group);
    }
    cr_assert_eq(views_fixture_entries(&fixture), 20000);
}

struct flusher {
    enum err err;
    struct log_head head;
};

static void *flusher_main(void *context)
{
    struct flusher *flusher = context;
    flusher->err = views_flush(fixture.views, &flusher->head);
    return NULL;
}

Test(views, a_decider_that_never_pauses_does_not_keep_the_map_from_growing, .timeout = 60)
{
    views_close(fixture.views);
    fixture.options.map_size = 1 << 20;
    cr_assert_eq(views_open(&fixture.views, &fixture.options), OK);
    struct flusher flusher = { .head = some_head(1) };
    uint8_t key[8];
    char value[100] = "";
    for (uint64_t i = 0; i < 20000; i++) {
        put_u64(key, i * 7919 % 20000);
        view_put(decide(1), BYTES_OF_ARRAY(key), BYTES_OF_ARRAY(value));
    }
    cr_assert_eq(memory_freeze(views_memory(fixture.views), 1), OK);
    pthread_t thread;
    decide(2);
    cr_assert_eq(pthread_create(&thread, NULL, flusher_main, &flusher), 0);
    while (memory_has_frozen(views_memory(fixture.views))) {
        put(decide(2), "a", "b"); /* without an end */
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    pthread_join(thread, NULL);
    cr_assert_eq(flusher.err, OK);
    cr_assert_eq(views_fixture_entries(&fixture), 20000);
}

/* ---- folding ------------------------------------------------------------------------------------ */

Test(views, any_budget_folds_to_the_same_content)
{
    static const uint64_t budgets[] = { 1, 7, 64, 1000 };
    history_hold(&logs, &LOG_A, 100, 33);
    history_hold(&logs, &LOG_B, 40, 33);
    struct digest_text wanted = views_fixture_rebuilt(logs.logs);
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
        cr_assert_eq(views_forget(fixture.views, "ardabil"), OK);
        views_fixture_fold(&fixture, logs.logs, budgets[i]);
        cr_assert_str_eq(views_fixture_digest(&fixture).text, wanted.text);
        expect_applied("A100 B40 ");
    }
}

Test(views, a_growing_log_is_folded_from_where_it_was)
{
    for (uint64_t size = 1; size < 300; size += 37) {
        history_hold(&logs, &LOG_A, size, 1000);
        cr_assert_leq(views_fixture_fold(&fixture, logs.logs, 1000), 1);
    }
    cr_assert_str_eq(views_fixture_digest(&fixture).text, views_fixture_rebuilt(logs.logs).text);
}

Test(views, erased_persons_are_folded_as_absent)
{
    history_hold(&logs, &LOG_A, 50, 1000);
    struct store_txn txn = store_begin_write(log_store_environment(logs.logs));
    cr_assert_eq(log_erase_person(logs.logs, &txn, history_number(&logs, A), 17), OK);
    cr_assert_eq(store_commit(&txn), OK);
    views_fixture_fold(&fixture, logs.logs, 1000);
    READER(reader);
    struct bytes value;
    cr_assert_eq(view_get(&reader.view, bytes_of_string("absent"), &value), OK);
    cr_assert_eq(get_u64(value.data), 1);
    cr_assert_eq(view_get(&reader.view, bytes_of_string("person"), &value), OK);
    cr_assert_eq(get_u64(value.data), 48);
    views_reader_end(&reader);
}

Test(views, an_unknown_or_invalid_node_has_nothing_to_fold)
{
    struct hash digest;
    uint64_t entries;
    cr_assert_eq(views_fold(fixture.views, logs.logs, "hormozgan", 10), ERR_END);
    cr_assert_eq(views_digest(fixture.views, "hormozgan", &digest, &entries), OK);
    cr_assert_eq(entries, 0);
    cr_assert_eq(views_fold(fixture.views, logs.logs, "Not A Name", 10), ERR_INVALID);
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 0), ERR_INVALID);
}

Test(views, nodes_do_not_see_each_other)
{
    struct log_id other = sample_log("ardabil2", "hub", A);
    fixture_append(&logs, fixture_create(&logs, &other), &other, 30, true);
    history_hold(&logs, &LOG_A, 20, 1000);
    struct digest_text alone = views_fixture_rebuilt(logs.logs);
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil2", 1000), OK);
    views_fixture_fold(&fixture, logs.logs, 1000);
    cr_assert_str_eq(views_fixture_digest(&fixture).text, alone.text);
    cr_assert_eq(views_forget(fixture.views, "ardabil2"), OK);
    cr_assert_str_eq(views_fixture_digest(&fixture).text, alone.text);
}

/* ---- another order ------------------------------------------------------------------------------ */

static void hold_all(const int *arrival, uint64_t budget)
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

Test(views, a_rollback_gives_the_same_content_in_whatever_order_logs_arrive)
{
    static const int arrivals[][4] = { { 0, 1, 2, 3 }, { 0, 2, 1, 3 }, { 0, 2, 3, 1 },
                                       { 2, 3, 0, 1 }, { 3, 2, 1, 0 }, { 2, 0, 3, 1 } };
    char wanted[65] = "";
    for (size_t i = 0; i < sizeof arrivals / sizeof *arrivals; i++) {
        hold_all(arrivals[i], 50);
        expect_applied("A300 B40 C10 ");
        struct digest_text digest = views_fixture_digest(&fixture);
        if (i == 0)
            memcpy(wanted, digest.text, sizeof wanted);
        cr_assert_str_eq(digest.text, wanted);
        cr_assert_str_eq(views_fixture_rebuilt(logs.logs).text, wanted);
        teardown();
        setup();
    }
}

/* A@100 and B are applied; then A is handed back up to 300. */
static void prepare_handback(void)
{
    history_hold(&logs, &LOG_A, 100, 1000);
    history_hold(&logs, &LOG_B, 40, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    expect_applied("A100 B40 ");
    history_hold(&logs, &LOG_A, 300, 1000);
}

Test(views, readers_keep_the_old_content_until_the_new_one_is_whole)
{
    prepare_handback();
    struct digest_text old = views_fixture_digest(&fixture);
    struct digest_text new = views_fixture_rebuilt(logs.logs);
    cr_assert_str_neq(old.text, new.text);
    READER(reader);
    bool switched = false;
    while (views_fold(fixture.views, logs.logs, "ardabil", 25) == OK) {
        struct digest_text now = views_fixture_digest(&fixture);
        switched = switched || strcmp(now.text, new.text) == 0;
        cr_assert_str_eq(now.text, switched ? new.text : old.text);
    }
    cr_assert(switched);
    struct bytes value;
    cr_assert_eq(view_get(&reader.view, bytes_of_string("count"), &value), OK);
    cr_assert_eq(get_u64(value.data), 140, "an open reader keeps its state");
    views_reader_end(&reader);
}

Test(views, a_rebuild_goes_on_after_a_crash_at_any_step_and_leaves_nothing_behind)
{
    struct digest_text old, new;
    unsigned steps = 0;
    for (unsigned crash_at = 0; crash_at <= steps; crash_at++) {
        prepare_handback();
        old = views_fixture_digest(&fixture);
        new = views_fixture_rebuilt(logs.logs);
        for (unsigned i = 0; i < crash_at; i++)
            cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 60), OK);
        cr_assert_eq(views_fixture_reopen(&fixture), OK);
        struct digest_text now = views_fixture_digest(&fixture);
        cr_assert(strcmp(now.text, old.text) == 0 || strcmp(now.text, new.text) == 0);
        unsigned more = views_fixture_fold(&fixture, logs.logs, 60);
        if (crash_at == 0)
            steps = more;
        cr_assert_eq(crash_at + more, steps, "no step is done twice");
        cr_assert_str_eq(views_fixture_digest(&fixture).text, new.text);
        expect_applied("A300 B40 ");
        struct hash hash;
        uint64_t entries;
        cr_assert_eq(views_digest(fixture.views, "ardabil", &hash, &entries), OK);
        cr_assert_eq(views_fixture_entries(&fixture), entries, "V3");
        teardown();
        setup();
    }
    cr_assert_gt(steps, 6);
}

Test(views, an_order_that_changes_during_a_rebuild_begins_another_one)
{
    prepare_handback();
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 320), OK); /* all A, some B */
    history_hold(&logs, &LOG_A, 310, 1000);
    views_fixture_fold(&fixture, logs.logs, 100);
    expect_applied("A310 B40 ");
    cr_assert_str_eq(views_fixture_digest(&fixture).text, views_fixture_rebuilt(logs.logs).text);
    history_hold(&logs, &LOG_A, 320, 1000);
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 10), OK);
    history_hold(&logs, &LOG_A, 330, 1000); /* still the last one of what is being folded */
    views_fixture_fold(&fixture, logs.logs, 100);
    expect_applied("A330 B40 ");
    cr_assert_str_eq(views_fixture_digest(&fixture).text, views_fixture_rebuilt(logs.logs).text);
}

Test(views, while_the_writer_is_open_only_the_next_generation_is_folded)
{
    prepare_handback();
    struct digest_text old = views_fixture_digest(&fixture);
    struct digest_text new = views_fixture_rebuilt(logs.logs);
    while (views_fold_aside(fixture.views, logs.logs, "ardabil", 50) == OK)
        cr_assert_str_eq(views_fixture_digest(&fixture).text, old.text);
    expect_applied("A100 B40 ");
    cr_assert_str_eq(views_fixture_digest(&fixture).text, old.text);
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 50), OK);
    cr_assert_str_eq(views_fixture_digest(&fixture).text, new.text, "one step: the switch");
    views_fixture_fold(&fixture, logs.logs, 50);
    cr_assert_eq(views_fold_aside(fixture.views, logs.logs, "ardabil", 50), ERR_END);
}

/* ---- what the log store does not hold, and what is damaged --------------------------------------- */

Test(views, views_that_are_ahead_of_the_log_store_are_folded_anew) /* D5 */
{
    char older[FOLDER_PATH_SIZE], from[FOLDER_PATH_SIZE], to[FOLDER_PATH_SIZE];
    folder_make(older);
    folder_path(from, logs.folder, "data.mdb");
    folder_path(to, older, "data.mdb");
    history_hold(&logs, &LOG_A, 80, 1000);
    file_copy(from, to);
    history_hold(&logs, &LOG_A, 100, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);

    log_store_close(logs.logs); /* an old backup of log/ beside the newest views/ */
    file_copy(to, from);
    cr_assert_eq(log_store_open(&logs.logs, &logs.options), OK);
    cr_assert_eq(views_fixture_reopen(&fixture), OK);
    views_fixture_fold(&fixture, logs.logs, 33);
    expect_applied("A80 ");
    cr_assert_str_eq(views_fixture_digest(&fixture).text, views_fixture_rebuilt(logs.logs).text);
    folder_remove(older);
}

Test(views, views_of_other_records_at_the_same_positions_are_folded_anew)
{
    history_hold(&logs, &LOG_A, 50, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    log_fixture_close(&logs);
    log_fixture_open(&logs);
    struct log_id id = history_id(A); /* the same log, in a store where it went another way */
    fixture_append(&logs, fixture_create(&logs, &id), &id, 60, true);
    cr_assert_eq(views_fixture_reopen(&fixture), OK);
    views_fixture_fold(&fixture, logs.logs, 1000);
    expect_applied("A60 ");
    cr_assert_str_eq(views_fixture_digest(&fixture).text, views_fixture_rebuilt(logs.logs).text);
}

/* Flips a bit of the stored value whose key ends with `suffix`; counts back from its end. */
static void damage(enum views_table table, const char *suffix, size_t from_end)
{
    struct store_txn txn = store_begin_write(views_environment(fixture.views));
    struct store_cursor cursor = store_cursor_open(&txn, table);
    struct bytes key, value;
    size_t size = strlen(suffix);
    enum err err = store_cursor_seek(&cursor, BYTES_NONE, &key, &value);
    while (err == OK && (key.size < size || memcmp(key.data + key.size - size, suffix, size) != 0))
        err = store_cursor_next(&cursor, &key, &value);
    cr_assert_eq(err, OK);
    uint8_t name[512], content[512];
    struct bytes copy = bytes_of(content, value.size);
    cr_assert_leq(value.size, sizeof content);
    memcpy(name, key.data, key.size);
    memcpy(content, value.data, value.size);
    content[value.size - from_end] ^= 4;
    key.data = name;
    store_cursor_close(&cursor);
    store_put(&txn, table, key, copy);
    cr_assert_eq(store_commit(&txn), OK);
}

Test(views, a_flipped_bit_is_never_served_and_the_view_is_made_anew) /* V4 */
{
    history_hold(&logs, &LOG_A, 100, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    struct digest_text good = views_fixture_digest(&fixture);
    for (size_t from_end = 1; from_end <= 16; from_end += 5) {
        damage(VIEWS_ENTRIES, "record/0a/00000042", from_end);
        READER(reader);
        struct bytes key, value, name = bytes_of_string("record/0a/00000042");
        cr_assert_eq(view_seek(&reader.view, name, false, &key, &value), ERR_CORRUPT);
        reader.view.err = OK;
        cr_assert_eq(view_get(&reader.view, name, &value), ERR_CORRUPT);
        cr_assert_eq(value.size, 0);
        reader.view.err = OK;
        expect(&reader.view, "spread/none", "-");
        views_reader_end(&reader);
        cr_assert(views_is_damaged(fixture.views, "ardabil"));
        views_fixture_fold(&fixture, logs.logs, 40);
        cr_assert_not(views_is_damaged(fixture.views, "ardabil"));
        cr_assert_str_eq(views_fixture_digest(&fixture).text, good.text);
    }
}

Test(views, damage_that_the_fold_itself_meets_is_repaired_too)
{
    history_hold(&logs, &LOG_A, 100, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    damage(VIEWS_ENTRIES, "count", 9);
    history_hold(&logs, &LOG_A, 150, 1000);
    views_fixture_fold(&fixture, logs.logs, 40);
    expect_applied("A150 ");
    cr_assert_str_eq(views_fixture_digest(&fixture).text, views_fixture_rebuilt(logs.logs).text);
}

Test(views, damage_in_the_next_generation_is_said_and_another_one_begun)
{
    prepare_handback();
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 50), OK);
    char suffix[16] = { 0, 0, 0, 2 }; /* the next generation's */
    memcpy(suffix + 4, "count", 5);
    struct store_txn txn = store_begin_write(views_environment(fixture.views));
    uint8_t key[32];
    memcpy(key, "ardabil", 8);
    memcpy(key + 8, suffix, 9);
    store_put(&txn, VIEWS_ENTRIES, bytes_of(key, 17), bytes_of_string("not eight bytes' check"));
    cr_assert_eq(store_commit(&txn), OK);
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 50), ERR_CORRUPT);
    views_fixture_fold(&fixture, logs.logs, 50);
    expect_applied("A300 B40 ");
    cr_assert_str_eq(views_fixture_digest(&fixture).text, views_fixture_rebuilt(logs.logs).text);
}

Test(views, a_damaged_row_or_position_makes_the_view_anew)
{
    history_hold(&logs, &LOG_A, 100, 1000);
    history_hold(&logs, &LOG_B, 40, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    struct digest_text good = views_fixture_digest(&fixture);
    damage(VIEWS_NODES, "ardabil", 10);
    views_fixture_fold(&fixture, logs.logs, 1000);
    cr_assert_str_eq(views_fixture_digest(&fixture).text, good.text);
    damage(VIEWS_HEADS, "", 20);
    views_fixture_fold(&fixture, logs.logs, 1000);
    cr_assert_str_eq(views_fixture_digest(&fixture).text, good.text);
    expect_applied("A100 B40 ");
}

Test(views, a_withheld_view_is_not_read_and_others_are)
{
    struct views_reader reader;
    views_withhold(fixture.views, true);
    cr_assert_eq(views_reader_begin(fixture.views, "ardabil", &reader), ERR_BUSY);
    cr_assert_eq(views_reader_begin(fixture.views, "hormozgan", &reader), OK);
    views_reader_end(&reader);
    views_withhold(fixture.views, false);
    cr_assert_eq(views_reader_begin(fixture.views, "ardabil", &reader), OK);
    views_reader_end(&reader);
}

/* An empty view would be served as if nothing had ever been registered. */
Test(views, a_damaged_row_is_not_read_as_an_empty_view)
{
    history_hold(&logs, &LOG_A, 100, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    damage(VIEWS_NODES, "ardabil", 10);
    struct views_reader reader;
    cr_assert_eq(views_reader_begin(fixture.views, "ardabil", &reader), ERR_CORRUPT);
    cr_assert_eq(views_decider_begin(fixture.views, 1)->err, ERR_CORRUPT);
    views_decider_end(fixture.views);
}

/* It would write what is new under the numbers of a view that is whole. */
Test(views, nothing_is_flushed_below_a_damaged_row)
{
    history_hold(&logs, &LOG_A, 100, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    struct digest_text good = views_fixture_digest(&fixture);
    struct log_head head = history_head(&logs, A);
    put(decide(1), "new", "x");
    views_decider_end(fixture.views);
    cr_assert_eq(memory_freeze(views_memory(fixture.views), 1), OK);
    damage(VIEWS_NODES, "ardabil", 10);
    cr_assert_eq(views_flush(fixture.views, &head), ERR_CORRUPT);
    cr_assert_eq(memory_clear(views_memory(fixture.views)), OK);
    views_fixture_fold(&fixture, logs.logs, 40);
    cr_assert_str_eq(views_fixture_digest(&fixture).text, good.text);
}

Test(views, a_record_that_the_rules_refuse_outright_stops_the_fold_and_changes_nothing)
{
    struct log_id id = history_id(A);
    struct sample sample;
    struct merkle_frontier frontier = { 0 };
    struct batch_builder batch;
    uint32_t number = fixture_create(&logs, &id);
    batch_begin(&batch, &frontier);
    sample_batch(&batch, &id, 1, 5, 20, log_store_data_key(logs.logs));
    sample_request(&sample, &id, 5, 1, 20);
    memset(sample.header.actor, 0, sizeof sample.header.actor);
    memcpy(sample.header.actor, "refused", 7);
    buffer_clear(&sample.bytes);
    cr_assert_eq(record_header_encode(&sample.bytes, &sample.header), OK);
    sample.record.header = buffer_bytes(&sample.bytes);
    merkle_leaf_hash(&sample.leaf, sample.record.header);
    batch_add(&batch, &sample.record, &sample.leaf, log_store_data_key(logs.logs));
    struct store_txn txn = store_begin_write(log_store_environment(logs.logs));
    cr_assert_eq(log_append(logs.logs, &txn, number, &batch, BYTES_NONE), OK);
    cr_assert_eq(store_commit(&txn), OK);
    sample_close(&sample);
    batch_close(&batch);

    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 10), ERR_REFUSED);
    expect_applied("");
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 5), OK);
    expect_applied("A5 ");
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 10), ERR_REFUSED);
    expect_applied("A5 ");
}

/* ---- open --------------------------------------------------------------------------------------- */

Test(views, other_rules_or_another_node_find_nothing)
{
    history_hold(&logs, &LOG_A, 30, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    cr_assert_eq(views_fixture_reopen(&fixture), OK);
    expect_applied("A30 ");
    views_close(fixture.views);
    fixture.options.rules.version = 2;
    fixture.options.read_only = true;
    cr_assert_eq(views_open(&fixture.views, &fixture.options), ERR_VERSION);
    fixture.options.read_only = false;
    cr_assert_eq(views_open(&fixture.views, &fixture.options), OK);
    expect_applied("");
    cr_assert_eq(views_fixture_entries(&fixture), 0);
    views_fixture_fold(&fixture, logs.logs, 1000);
    expect_applied("A30 ");
    views_close(fixture.views);
    fixture.options.node = "hormozgan";
    cr_assert_eq(views_open(&fixture.views, &fixture.options), OK);
    cr_assert_eq(views_fixture_entries(&fixture), 0);
}

Test(views, a_read_only_store_reads_what_was_flushed_and_folds_nothing)
{
    history_hold(&logs, &LOG_A, 30, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    struct digest_text good = views_fixture_digest(&fixture);
    views_close(fixture.views);
    fixture.options.read_only = true;
    cr_assert_eq(views_open(&fixture.views, &fixture.options), OK);
    cr_assert_str_eq(views_fixture_digest(&fixture).text, good.text);
    expect_applied("A30 ");
    cr_assert_eq(views_fold(fixture.views, logs.logs, "ardabil", 10), ERR_INVALID);
    cr_assert_eq(views_forget(fixture.views, "ardabil"), ERR_INVALID);
}

/* ---- check -------------------------------------------------------------------------------------- */

static void count_progress(void *context, uint64_t records)
{
    *(uint64_t *)context = records;
}

static enum err check(struct views_check *result, uint64_t *progress)
{
    char scratch[FOLDER_PATH_SIZE];
    folder_make(scratch);
    enum err err = views_check(fixture.views, logs.logs, "ardabil", scratch, count_progress,
                               progress, result);
    folder_remove(scratch);
    return err;
}

Test(views, a_check_folds_again_up_to_what_is_applied)
{
    struct views_check result;
    uint64_t progress = 0;
    cr_assert_eq(check(&result, &progress), OK, "of nothing");
    cr_assert_eq(result.held_entries, 0);
    prepare_handback(); /* the order is about to change, what is applied is still A@100, B */
    put(decide(9), "not flushed", "yet");
    views_decider_end(fixture.views);
    cr_assert_eq(check(&result, &progress), OK);
    cr_assert_eq(result.records, 140);
    cr_assert_eq(progress, 140);
    cr_assert_eq(result.held_entries, result.rebuilt_entries);
    cr_assert_gt(result.held_entries, 280);
}

Test(views, a_check_finds_content_that_the_records_do_not_give)
{
    struct views_check result;
    uint64_t progress = 0;
    history_hold(&logs, &LOG_A, 100, 1000);
    views_fixture_fold(&fixture, logs.logs, 1000);
    put(decide(1), "record/0a/00000042", "forged");
    views_decider_end(fixture.views);
    flush_log(&LOG_A, 1);
    cr_assert_eq(check(&result, &progress), ERR_CONFLICT);
    cr_assert_not(hash_equal(&result.held, &result.rebuilt));
    cr_assert_eq(result.held_entries, result.rebuilt_entries);
}
