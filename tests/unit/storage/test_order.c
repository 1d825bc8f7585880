#include "storage/order.h"

#include "tests/unit/storage/history.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct log_fixture fixture;

static void setup(void)
{
    log_fixture_open(&fixture);
}

static void teardown(void)
{
    log_fixture_close(&fixture);
}

TestSuite(order, .init = setup, .fini = teardown);

/* "A10 B3 ": incarnation 0x0a is A. */
static void order_words(struct order_book *book, char *words, size_t size)
{
    struct order_entry *entries;
    size_t count;
    struct store_txn txn = store_begin_read(log_store_environment(fixture.logs));
    enum err err = book ? order_book_of_node(book, fixture.logs, &txn, "ardabil", "hub",
                                             &entries, &count)
                        : order_of_node(fixture.logs, &txn, "ardabil", "hub", &entries, &count);
    cr_assert_eq(err, OK, "%s", err_name(err));
    store_abort(&txn);
    *words = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(words);
        snprintf(words + used, size - used, "%c%d ",
                 'A' + entries[i].id.incarnation[0] - 0x0a, (int)entries[i].size);
    }
    free(entries);
}

static void expect_order(const char *wanted)
{
    char words[512];
    order_words(NULL, words, sizeof words);
    cr_assert_str_eq(words, wanted, "%s", words);
}

enum { A = 0x0a, B, C, D };

/* A node went on from an old copy (B names A as it was then), got back what its peers held of A, and
 * named both in C. */
static const struct history_log ROLLBACK[] = {
    { .incarnation = A, .size = 400 },
    { .incarnation = B, .size = 20, .parents = { { A, 100, { { 0 } } } } },
    { .incarnation = C, .size = 5, .parents = { { A, 400, { { 0 } } }, { B, 20, { { 0 } } } } },
};

Test(order, no_logs_have_no_order)
{
    expect_order("");
}

Test(order, a_log_without_records_is_not_in_it)
{
    struct log_id id = history_id(A);
    fixture_create(&fixture, &id);
    expect_order("");
}

Test(order, a_rollback_folds_in_one_order_whatever_came_first)
{
    static const int arrivals[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                        { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    for (int i = 0; i < 6; i++) {
        for (int k = 0; k < 3; k++) {
            const struct history_log *log = &ROLLBACK[arrivals[i][k]];
            history_hold(&fixture, log, log->size, 200);
        }
        expect_order("A400 B20 C5 ");
        log_fixture_close(&fixture);
        log_fixture_open(&fixture);
    }
}

Test(order, a_log_waits_until_its_parents_are_held_as_far_as_it_names_them)
{
    history_hold(&fixture, &ROLLBACK[2], 5, 200);
    expect_order("");
    history_hold(&fixture, &ROLLBACK[0], 99, 99);
    expect_order("A99 ");
    history_hold(&fixture, &ROLLBACK[1], 20, 200);
    expect_order("A99 ");
    history_hold(&fixture, &ROLLBACK[0], 100, 200);
    expect_order("A100 B20 ");
    history_hold(&fixture, &ROLLBACK[0], 399, 200);
    expect_order("A399 B20 ");
    history_hold(&fixture, &ROLLBACK[0], 400, 200);
    expect_order("A400 B20 C5 ");
}

static uint64_t missing(void)
{
    uint64_t records;
    struct store_txn txn = store_begin_read(log_store_environment(fixture.logs));
    cr_assert_eq(order_missing(fixture.logs, &txn, "ardabil", "hub", &records), OK);
    store_abort(&txn);
    return records;
}

/* I1: of these nobody may be told that they do not exist. */
Test(order, logs_that_wait_are_counted_as_missing)
{
    cr_assert_eq(missing(), 0);
    history_hold(&fixture, &ROLLBACK[2], 5, 200);
    cr_assert_eq(missing(), 5);
    history_hold(&fixture, &ROLLBACK[0], 100, 200);
    cr_assert_eq(missing(), 5);
    history_hold(&fixture, &ROLLBACK[1], 20, 200);
    history_hold(&fixture, &ROLLBACK[0], 400, 200);
    cr_assert_eq(missing(), 0);
}

Test(order, what_an_accepted_checkpoint_tells_of_is_missing_until_it_is_held)
{
    struct log_id id = history_id(A);
    struct checkpoint checkpoint = { .log = id, .size = 7 };
    history_hold(&fixture, &ROLLBACK[0], 3, 200);
    struct store_txn txn = store_begin_write(log_store_environment(fixture.logs));
    cr_assert_eq(log_pending_advance(fixture.logs, &txn, history_number(&fixture, A), 0,
                                     &checkpoint, bytes_of_string("note")),
                 OK);
    cr_assert_eq(store_commit(&txn), OK);
    cr_assert_eq(missing(), 4);
    history_hold(&fixture, &ROLLBACK[0], 7, 200);
    cr_assert_eq(missing(), 0);
}

Test(order, what_names_a_waiting_log_waits_too)
{
    static const struct history_log child = { .incarnation = D, .parents = { { B, 20, { { 0 } } } } };
    history_hold(&fixture, &ROLLBACK[1], 20, 200);
    history_hold(&fixture, &child, 3, 200);
    expect_order("");
    history_hold(&fixture, &ROLLBACK[0], 100, 200);
    expect_order("A100 B20 D3 ");
}

Test(order, logs_that_do_not_name_each_other_stand_by_their_ids)
{
    static const struct history_log twins[] = {
        { .incarnation = C, .parents = { { A, 10, { { 0 } } } } },
        { .incarnation = B, .parents = { { A, 10, { { 0 } } } } },
        { .incarnation = D },
        { .incarnation = A },
    };
    for (int i = 0; i < 4; i++)
        history_hold(&fixture, &twins[i], 10, 200);
    expect_order("A10 B10 C10 D10 ");
}

Test(order, a_parent_comes_first_also_with_the_larger_id)
{
    static const struct history_log logs[] = {
        { .incarnation = A, .parents = { { D, 1, { { 0 } } } } },
        { .incarnation = B, .parents = { { A, 1, { { 0 } } } } },
        { .incarnation = D },
    };
    for (int i = 0; i < 3; i++)
        history_hold(&fixture, &logs[i], 1, 200);
    expect_order("D1 A1 B1 ");
}

static void freeze(uint8_t incarnation)
{
    struct store_txn txn = store_begin_write(log_store_environment(fixture.logs));
    cr_assert_eq(log_freeze(fixture.logs, &txn, history_number(&fixture, incarnation),
                            bytes_of_string("evidence")),
                 OK);
    cr_assert_eq(store_commit(&txn), OK);
}

Test(order, a_frozen_parent_is_held_as_far_as_it_will_ever_be) /* O2 */
{
    history_hold(&fixture, &ROLLBACK[0], 60, 200);
    history_hold(&fixture, &ROLLBACK[1], 20, 200);
    expect_order("A60 ");
    freeze(A);
    expect_order("A60 B20 ");
}

Test(order, a_frozen_parent_comes_first_where_it_is_what_is_named) /* O2 */
{
    struct history_log parent = { .incarnation = B },
                       child = { .incarnation = A, .parents = { { B, 3, { { 0 } } } } },
                       stranger = { .incarnation = C, .parents = { { D, 3, { { 0 } } } } },
                       other = { .incarnation = D };
    history_hold(&fixture, &parent, 3, 200);
    child.parents[0].root = history_head(&fixture, B).root;
    history_hold(&fixture, &child, 1, 200);
    history_hold(&fixture, &other, 3, 200);
    stranger.parents[0].root = history_head(&fixture, B).root; /* not D's: its other branch */
    history_hold(&fixture, &stranger, 1, 200);
    expect_order("B3 A1 D3 C1 ");
    freeze(B);
    freeze(D);
    expect_order("B3 A1 C1 D3 ");
}

/* Two machines of one image open A. One goes on from B, in which the other one had named its A. */
Test(order, branches_that_are_named_crosswise_are_no_circle) /* O2 */
{
    static const struct history_log a = { .incarnation = A, .parents = { { B, 1, { { 0 } } } } },
                                    b = { .incarnation = B, .parents = { { A, 1, { { 0 } } } } },
                                    c = { .incarnation = C, .parents = { { B, 1, { { 0 } } } } };
    history_hold(&fixture, &a, 1, 200);
    history_hold(&fixture, &b, 1, 200);
    history_hold(&fixture, &c, 1, 200);
    freeze(A);
    expect_order("B1 A1 C1 ");
}

Test(order, the_other_branch_of_a_forked_log_is_folded_by_nobody) /* O5 */
{
    uint32_t number;
    struct log_id id = history_id(A);
    history_hold(&fixture, &ROLLBACK[0], 60, 200);
    struct store_txn txn = store_begin_write(log_store_environment(fixture.logs));
    cr_assert_eq(log_branch(fixture.logs, &txn, &id, true, &number), OK);
    cr_assert_eq(store_commit(&txn), OK);
    fixture_append(&fixture, number, &id, 90, true);
    expect_order("A60 ");
}

Test(order, logs_that_name_each_other_in_a_circle_wait_and_stop_nobody)
{
    static const struct history_log logs[] = {
        { .incarnation = A, .parents = { { B, 1, { { 0 } } } } },
        { .incarnation = B, .parents = { { A, 1, { { 0 } } } } },
        { .incarnation = C },
        { .incarnation = D, .parents = { { D, 1, { { 0 } } } } },
    };
    for (int i = 0; i < 4; i++)
        history_hold(&fixture, &logs[i], 1, 200);
    expect_order("C1 ");
}

Test(order, other_nodes_and_audiences_have_their_own)
{
    struct log_id other = sample_log("hormozgan", "hub", A), private = sample_log("ardabil", "x", B),
                  broadcast = sample_log("ardabil", "all", C);
    fixture_append(&fixture, fixture_create(&fixture, &other), &other, 3, true);
    fixture_append(&fixture, fixture_create(&fixture, &private), &private, 3, true);
    fixture_append(&fixture, fixture_create(&fixture, &broadcast), &broadcast, 3, true);
    history_hold(&fixture, &ROLLBACK[0], 2, 200);
    expect_order("A2 ");

    struct order_entry *entries;
    size_t count;
    struct store_txn txn = store_begin_read(log_store_environment(fixture.logs));
    cr_assert_eq(order_of_node(fixture.logs, &txn, "ardabil", NULL, &entries, &count), OK);
    store_abort(&txn);
    cr_assert_eq(count, 2);
    cr_assert_str_eq(entries[0].id.audience, "all");
    cr_assert_str_eq(entries[1].id.audience, "hub");
    free(entries);
}

/* ---- random histories against the definition --------------------------------------------------- */

enum { LOGS = 12 };

struct held {
    uint64_t sizes[LOGS];
};

static bool parents_hold(const struct history_log *logs, const struct held *held, bool *placed,
                         int log)
{
    for (int p = 0; p < 4 && logs[log].parents[p].incarnation != 0; p++) {
        int parent = logs[log].parents[p].incarnation - A;
        if (!placed[parent] || held->sizes[parent] < logs[log].parents[p].size)
            return false;
    }
    return true;
}

/* O1, O3 and O4 as they are written: again and again the smallest log that may come next. */
static void defined_order(const struct history_log *logs, const struct held *held, char *words,
                          size_t size)
{
    bool placed[LOGS] = { false };
    *words = '\0';
    for (int log = 0; log < LOGS; log++) {
        if (placed[log] || held->sizes[log] == 0 || !parents_hold(logs, held, placed, log))
            continue;
        placed[log] = true;
        size_t used = strlen(words);
        snprintf(words + used, size - used, "%c%d ", 'A' + log, (int)held->sizes[log]);
        log = -1; /* from the smallest again */
    }
}

static void random_history(uint64_t *random, struct history_log *logs)
{
    memset(logs, 0, LOGS * sizeof *logs);
    uint8_t ids[LOGS]; /* in order of their birth, so that parents are older but not smaller */
    for (int i = 0; i < LOGS; i++)
        ids[i] = (uint8_t)i;
    for (int i = LOGS - 1; i > 0; i--) {
        uint32_t k = history_random(random) % ((uint32_t)i + 1);
        uint8_t swap = ids[i];
        ids[i] = ids[k];
        ids[k] = swap;
    }
    for (uint32_t i = 0; i < LOGS; i++) {
        struct history_log *log = &logs[ids[i]];
        log->incarnation = (uint8_t)(A + ids[i]);
        log->size = 1 + history_random(random) % 9;
        uint32_t parents = i == 0 ? 0 : history_random(random) % 4;
        for (uint32_t p = 0; p < parents; p++) {
            const struct history_log *parent = &logs[ids[history_random(random) % i]];
            log->parents[p].incarnation = parent->incarnation;
            log->parents[p].size = 1 + history_random(random) % parent->size;
        }
    }
}

Test(order, any_history_arriving_in_any_order_stands_as_it_is_defined)
{
    uint64_t seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : 1;
    for (int round = 0; round < 6; round++, seed++) {
        struct history_log logs[LOGS];
        struct held held = { { 0 } };
        uint64_t random = seed;
        struct order_book *book = order_book_new();
        random_history(&random, logs);
        for (int step = 0; step < 60; step++) {
            uint32_t log = history_random(&random) % LOGS;
            uint64_t more = 1 + history_random(&random) % 4;
            if (step >= 60 - LOGS) { /* in the end everything is there */
                log = (uint32_t)(step - (60 - LOGS));
                more = logs[log].size;
            }
            uint64_t size = held.sizes[log] + more;
            held.sizes[log] = size < logs[log].size ? size : logs[log].size;
            history_hold(&fixture, &logs[log], held.sizes[log], 200);
            char wanted[512], fresh[512], remembered[512];
            defined_order(logs, &held, wanted, sizeof wanted);
            order_words(NULL, fresh, sizeof fresh);
            order_words(book, remembered, sizeof remembered);
            cr_assert_str_eq(fresh, wanted, "seed %d: %s", (int)seed, fresh);
            cr_assert_str_eq(remembered, wanted, "seed %d: %s", (int)seed, remembered);
        }
        order_book_free(book);
        log_fixture_close(&fixture);
        log_fixture_open(&fixture);
    }
}
