#include "tests/unit/node/engine_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdatomic.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(engine_incarnations, .init = set_up, .fini = tear_down, .timeout = 30);

/* ---- new incarnations while running ---------------------------------------------------------- */

/* E6 */
Test(engine_incarnations, reopening_opens_a_log_that_names_the_one_before_and_keeps_serving)
{
    struct engine_status before, after;
    put("a");
    engine_status(engine, &before);
    engine_reopen(engine, INCARNATION_MERGE);
    do {
        sleep_ms(1);
        engine_status(engine, &after);
    } while (log_id_equal(&before.live.log, &after.live.log));
    cr_assert(put("a").known);
    cr_assert_eq(put("b").position, 1);
    size_t parents;
    cr_assert_eq(live_flags(&parents), INCARNATION_MERGE);
    cr_assert_eq(parents, 1);
}

/* The size in the receipt that a record of the live log names; 0 for none. */
static uint64_t receipt_size_at(uint64_t position)
{
    struct engine_status status;
    struct buffer scratch = { 0 };
    struct record record;
    struct record_header header;
    struct hash leaf;
    uint32_t number;
    engine_status(engine, &status);
    struct log_store *logs = engine_logs(engine);
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    cr_assert_eq(log_find(logs, &txn, &status.live.log, &number), OK);
    cr_assert_eq(log_read(logs, &txn, number, position, &scratch, &record, &header, &leaf), OK);
    store_abort(&txn);
    buffer_close(&scratch);
    return header.has_receipt ? header.receipt.size : 0;
}

Test(engine_incarnations, records_name_the_last_receipt_held_also_in_the_next_incarnation)
{
    struct record_receipt receipt = { .hub = "hub-1", .size = 77, .time_s = 1700000000 };
    struct engine_status before, after;
    engine_receipt(engine, &receipt);
    cr_assert_eq(receipt_size_at(put("a").position), 77);
    engine_status(engine, &before);
    engine_reopen(engine, INCARNATION_MERGE);
    do {
        sleep_ms(1);
        engine_status(engine, &after);
    } while (log_id_equal(&before.live.log, &after.live.log));
    cr_assert_eq(receipt_size_at(put("b").position), 77);
}

/* E4, E5 */
Test(engine_incarnations, a_failed_group_is_answered_with_its_error_and_what_was_durable_stays)
{
    put("a");
    atomic_store(&fold_fault, ERR_NOMEM);
    struct entry poison = put("poison");
    cr_assert_eq(poison.err, ERR_NOMEM);
    cr_assert_not(is_readable("poison"));
    cr_assert(put("a").known);
    cr_assert_eq(put("b").err, OK);
    cr_assert_eq(live_flags(NULL), INCARNATION_AFTER_FAILURE);
    cr_assert_eq(put("poison").known, false, "it may be tried again");
    cr_assert(is_readable("poison"));
    cr_assert_eq(atomic_load(&failures), 0);
}

/* E5: «not found» would be a lie while the memory table is folded again. */
Test(engine_incarnations, what_is_durable_is_never_not_found_while_a_failed_group_is_recovered_from)
{
    static struct entry poison;
    for (int i = 0; i < 20; i++) {
        char name[24];
        snprintf(name, sizeof(name), "key-%d", i); /* in the memory table alone */
        put(name);
        atomic_store(&fold_fault, ERR_NOMEM);
        entry_init(&poison, "poison");
        cr_assert_eq(engine_submit(engine, &poison.command), OK);
        struct engine_status status;
        do {
            cr_assert(is_readable(name));
            engine_status(engine, &status);
        } while (atomic_load(&poison.answers) == 0 || !status.ready);
    }
}

/* E2 */
Test(engine_incarnations, an_input_output_error_stops_everything_and_answers_nobody)
{
    struct entry entry;
    put("a");
    atomic_store(&fold_fault, ERR_IO);
    entry_init(&entry, "poison");
    cr_assert_eq(engine_submit(engine, &entry.command), OK);
    while (atomic_load(&failures) == 0)
        sleep_ms(1);
    struct entry next;
    entry_init(&next, "b");
    cr_assert_eq(engine_submit(engine, &next.command), ERR_CLOSED);
    engine_stop(engine);
    engine = NULL;
    cr_assert_eq(atomic_load(&failures), 1);
    cr_assert_eq(atomic_load(&entry.answers), 0);
}

/* ---- a process that dies --------------------------------------------------------------------- */

static void die_after(int count)
{
    struct engine_options options = options_of(4 << 20, 1024);
    engine_run(&options);
    for (int i = 0; i < count; i++) {
        char name[24];
        snprintf(name, sizeof(name), "key-%d", i);
        put(name);
    }
    kill(getpid(), SIGKILL);
}

/* E1, E7 */
Test(engine_incarnations, what_was_answered_is_there_after_a_kill_although_nothing_was_flushed)
{
    enum { COUNT = 40 };
    engine_stop(engine);
    pid_t child = fork();
    if (child == 0)
        die_after(COUNT);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status));

    struct engine_options options = options_of(4 << 20, 1024);
    engine_run(&options);
    for (int i = 0; i < COUNT; i++) {
        char name[24];
        snprintf(name, sizeof(name), "key-%d", i);
        cr_assert(is_readable(name));
        cr_assert(put(name).known);
    }
}
