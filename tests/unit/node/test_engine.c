#include "tests/unit/node/engine_case.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <pthread.h>
#include <stdatomic.h>

TestSuite(engine, .init = set_up, .fini = tear_down, .timeout = 30);

/* ---- commands -------------------------------------------------------------------------------- */

Test(engine, an_answered_command_is_in_the_log_and_readable)
{
    struct engine_status status;
    struct entry entry = put("a");
    cr_assert_eq(entry.err, OK);
    cr_assert_eq(entry.position, 1, "after the incarnation record");
    cr_assert(is_readable("a"));
    engine_status(engine, &status);
    cr_assert_eq(status.live.size, 2);
    cr_assert(status.ready);
}

Test(engine, a_restart_keeps_everything_and_names_what_it_follows)
{
    size_t parents;
    put("a");
    restart();
    cr_assert(is_readable("a"));
    cr_assert(put("a").known);
    cr_assert_eq(live_flags(&parents), 0);
    cr_assert_eq(parents, 1);
}

/* E1, E3 */
Test(engine, many_commands_at_once_get_positions_without_a_hole_and_one_answer_each)
{
    enum { COUNT = 900 };
    static struct entry entries[COUNT];
    static bool seen[COUNT + 1];
    for (int i = 0; i < COUNT; i++) {
        char name[24];
        snprintf(name, sizeof(name), "key-%d", i);
        entry_init(&entries[i], name);
        cr_assert_eq(engine_submit(engine, &entries[i].command), OK);
    }
    for (int i = 0; i < COUNT; i++) {
        entry_wait(&entries[i]);
        cr_assert_eq(entries[i].err, OK);
        cr_assert_leq(entries[i].position, COUNT);
        cr_assert_not(seen[entries[i].position]);
        seen[entries[i].position] = true;
    }
    struct engine_status status;
    engine_status(engine, &status);
    cr_assert_eq(status.live.size, COUNT + 1);
    cr_assert_lt(status.groups, COUNT, "groups were shared");
    engine_stop(engine);
    engine = NULL;
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(atomic_load(&entries[i].answers), 1);
}

/* E1 */
Test(engine, of_many_equal_commands_exactly_one_makes_a_record)
{
    enum { COUNT = 300 };
    static struct entry entries[COUNT];
    int made = 0;
    for (int i = 0; i < COUNT; i++) {
        entry_init(&entries[i], "the same");
        cr_assert_eq(engine_submit(engine, &entries[i].command), OK);
    }
    for (int i = 0; i < COUNT; i++) {
        entry_wait(&entries[i]);
        made += !entries[i].known;
    }
    cr_assert_eq(made, 1);
}

/* E7 */
Test(engine, a_full_memory_table_slows_intake_and_loses_nothing)
{
    enum { COUNT = 3000 };
    static struct entry entries[COUNT];
    struct engine_options options = options_of(64 << 10, COUNT);
    engine_stop(engine);
    engine_run(&options);
    for (int i = 0; i < COUNT; i++) {
        char name[24];
        snprintf(name, sizeof(name), "key-%d", i);
        entry_init(&entries[i], name);
        cr_assert_eq(engine_submit(engine, &entries[i].command), OK);
    }
    for (int i = 0; i < COUNT; i++) {
        entry_wait(&entries[i]);
        cr_assert_eq(entries[i].err, OK);
    }
    for (int i = 0; i < COUNT; i++)
        cr_assert(is_readable(entries[i].name));
}

/* Holds the decider until it is let go. */
struct gate {
    struct command command;
    atomic_bool entered, open;
    atomic_int answers;
};

static enum err gate_decide(struct command *command, struct writer *writer, int64_t wall_ms)
{
    struct gate *gate = (struct gate *)command;
    (void)writer, (void)wall_ms;
    atomic_store(&gate->entered, true);
    while (!atomic_load(&gate->open))
        sleep_ms(1);
    return ERR_REFUSED;
}

static void gate_done(struct command *command, enum err err)
{
    struct gate *gate = (struct gate *)command;
    cr_assert_eq(err, ERR_REFUSED);
    atomic_fetch_add(&gate->answers, 1);
}

static void gate_close(struct gate *gate)
{
    *gate = (struct gate){ .command = { .decide = gate_decide, .done = gate_done } };
    cr_assert_eq(engine_submit(engine, &gate->command), OK);
    while (!atomic_load(&gate->entered))
        sleep_ms(1);
}

/* E1 */
Test(engine, a_full_queue_says_busy_and_what_waits_is_answered)
{
    static struct entry entries[9];
    static struct gate gate;
    struct engine_options options = options_of(4 << 20, 8);
    engine_stop(engine);
    engine_run(&options);
    gate_close(&gate);
    for (int i = 0; i < 9; i++)
        entry_init(&entries[i], "a");
    for (int i = 0; i < 8; i++)
        cr_assert_eq(engine_submit(engine, &entries[i].command), OK);
    cr_assert_eq(engine_submit(engine, &entries[8].command), ERR_BUSY);
    atomic_store(&gate.open, true);
    for (int i = 0; i < 8; i++)
        entry_wait(&entries[i]);
    cr_assert_eq(atomic_load(&entries[8].answers), 0);
}

/* E1 */
Test(engine, stopping_answers_what_waits)
{
    enum { COUNT = 500 };
    static struct entry entries[COUNT];
    for (int i = 0; i < COUNT; i++) {
        char name[24];
        snprintf(name, sizeof(name), "key-%d", i);
        entry_init(&entries[i], name);
        cr_assert_eq(engine_submit(engine, &entries[i].command), OK);
    }
    engine_stop(engine);
    engine = NULL;
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(atomic_load(&entries[i].answers), 1);
        cr_assert_eq(entries[i].err, OK);
    }
}

/* ---- waiting for a group --------------------------------------------------------------------- */

static void wait_done(struct durable_wait *wait, enum err err)
{
    (void)wait;
    cr_assert_eq(err, OK);
    pthread_mutex_lock(&answer_lock);
    wait->group = 0; /* marks it answered */
    pthread_cond_broadcast(&answered);
    pthread_mutex_unlock(&answer_lock);
}

Test(engine, what_has_finished_takes_nothing_more_and_is_read_until_it_is_closed)
{
    struct entry late;
    put("a");
    engine_finish(engine);
    entry_init(&late, "b");
    cr_assert_eq(engine_submit(engine, &late.command), ERR_CLOSED);
    cr_assert(is_readable("a"));
    cr_assert_eq(live_flags(NULL), 0);
    cr_assert_eq(engine_start(engine, 0), ERR_CLOSED, "a start that comes too late begins nothing");
    engine_finish(engine); /* once more changes nothing */
    restart();
    cr_assert(is_readable("a"));
}

/* E4 */
Test(engine, a_reader_can_wait_for_what_it_looked_at)
{
    struct views_reader reader;
    struct bytes value;
    put("a");
    cr_assert_eq(views_reader_begin(engine_views(engine), "ardabil", &reader), OK);
    cr_assert_eq(view_get(&reader.view, bytes_of_string("a"), &value), OK);
    struct durable_wait wait = { .group = reader.group, .done = wait_done };
    views_reader_end(&reader);
    cr_assert_gt(wait.group, 0, "the entry is still in the memory table");
    engine_when_durable(engine, &wait);
    cr_assert_eq(wait.group, 0, "answered at once: the group is durable");

    struct durable_wait later = { .group = 3, .done = wait_done };
    engine_when_durable(engine, &later);
    put("b");
    pthread_mutex_lock(&answer_lock);
    while (later.group != 0)
        pthread_cond_wait(&answered, &answer_lock);
    pthread_mutex_unlock(&answer_lock);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

struct receipt_job {
    struct log_job job;
    const char *hub;
    enum err before, after; /* errors given before or after it wrote */
    enum err err;
    int runs;
    atomic_int answers;
};

static enum err receipt_run(struct log_job *job, struct log_store *logs, struct store_txn *txn)
{
    struct receipt_job *own = (struct receipt_job *)job;
    own->runs++;
    if (own->before != OK)
        return own->before;
    enum err err = log_receipt_put(logs, txn, 0, own->hub, 1, bytes_of_string("receipt"));
    return err != OK ? err : own->after;
}

static void receipt_done(struct log_job *job, enum err err)
{
    struct receipt_job *own = (struct receipt_job *)job;
    own->err = err;
    atomic_fetch_add(&own->answers, 1);
}

static bool receipt_is_stored(const char *hub)
{
    struct buffer receipt = { 0 };
    uint64_t size;
    struct log_store *logs = engine_logs(engine);
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    enum err err = log_receipt_get(logs, &txn, 0, hub, &receipt, &size);
    store_abort(&txn);
    buffer_close(&receipt);
    return err == OK;
}

/* E8 */
Test(engine, a_job_that_fails_does_not_spoil_the_others)
{
    struct receipt_job jobs[] = { { .hub = "hub-a" },
                                  { .hub = "hub-b", .before = ERR_STALE },
                                  { .hub = "hub-c" },
                                  { .hub = "hub-d", .after = ERR_GAP },
                                  { .hub = "hub-e" } };
    enum { COUNT = sizeof(jobs) / sizeof(jobs[0]) };
    for (int i = 0; i < COUNT; i++) {
        jobs[i].job.run = receipt_run;
        jobs[i].job.done = receipt_done;
        cr_assert_eq(engine_log_job(engine, &jobs[i].job), OK);
    }
    for (int i = 0; i < COUNT; i++)
        while (atomic_load(&jobs[i].answers) == 0)
            sleep_ms(1);
    for (int i = 0; i < COUNT; i++) {
        enum err expected = jobs[i].before != OK ? jobs[i].before : jobs[i].after;
        cr_assert_eq(jobs[i].err, expected);
        cr_assert_eq(receipt_is_stored(jobs[i].hub), expected == OK);
    }
}
