#include "node/runtime/engine.h"

#include "tests/support/folder.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- the smallest rules: facts are a key, the person part its value ---- */

static _Atomic enum err fold_fault; /* what the fold of "poison" gives, once */

static enum err fold_pair(void *context, struct view *view, const struct record_header *header,
                          struct bytes facts, struct bytes person, bool person_absent)
{
    (void)context, (void)person_absent;
    if (header->kind != RECORD_REQUEST)
        return OK;
    if (bytes_equal(facts, bytes_of_string("poison"))) {
        enum err fault = atomic_exchange(&fold_fault, OK);
        if (fault != OK)
            return fault;
    }
    view_put(view, facts, person.size > 0 ? person : bytes_of_string("-"));
    for (uint8_t i = 0; i < 64 && facts.size > 5 && memcmp(facts.data, "wide-", 5) == 0; i++) {
        static const uint8_t large[1024];
        uint8_t name[32] = { i };
        memcpy(name + 1, facts.data, facts.size);
        view_put(view, bytes_of(name, 1 + facts.size), BYTES_OF_ARRAY(large));
    }
    return view->err;
}

/* ---- a command that registers a key once ---- */

struct entry {
    struct command command;
    char name[24];
    bool known; /* what was decided */
    uint64_t position;
    /* the answer */
    enum err err;
    atomic_int answers;
};

static pthread_mutex_t answer_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;

static enum err entry_decide(struct command *command, struct writer *writer, int64_t wall_ms)
{
    struct entry *entry = (struct entry *)command;
    struct bytes value;
    (void)wall_ms;
    entry->known = view_get(writer_view(writer), bytes_of_string(entry->name), &value) == OK;
    if (entry->known)
        return OK;
    struct proposal proposal = { .kind = RECORD_REQUEST,
                                 .facts = bytes_of_string(entry->name),
                                 .person = bytes_of_string("person") };
    return writer_propose(writer, &proposal, &entry->position);
}

static void entry_done(struct command *command, enum err err)
{
    struct entry *entry = (struct entry *)command;
    pthread_mutex_lock(&answer_lock);
    entry->err = err;
    atomic_fetch_add(&entry->answers, 1);
    pthread_cond_broadcast(&answered);
    pthread_mutex_unlock(&answer_lock);
}

static void entry_wait(struct entry *entry)
{
    pthread_mutex_lock(&answer_lock);
    while (atomic_load(&entry->answers) == 0)
        pthread_cond_wait(&answered, &answer_lock);
    pthread_mutex_unlock(&answer_lock);
}

static void entry_init(struct entry *entry, const char *name)
{
    memset(entry, 0, sizeof(*entry));
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    entry->command.decide = entry_decide;
    entry->command.done = entry_done;
}

/* ---- the engine under test ---- */

static char folder[FOLDER_PATH_SIZE];
static struct sign_key key;
static struct engine *engine;
static atomic_int failures;
static _Atomic uint64_t advanced_size;

static void on_advanced(void *context, const struct checkpoint *checkpoint, struct bytes note)
{
    struct checkpoint opened;
    (void)context;
    cr_assert_eq(checkpoint_open(&opened, note, &key.public), OK);
    cr_assert_eq(opened.size, checkpoint->size);
    atomic_store(&advanced_size, checkpoint->size);
}

static void on_failed(void *context, enum err err, const char *what)
{
    (void)context, (void)err, (void)what;
    atomic_fetch_add(&failures, 1);
}

static struct engine_options options_of(size_t memory_size, size_t queue_max)
{
    return (struct engine_options){ .path = folder,
                                    .node = "ardabil",
                                    .audience = "hub",
                                    .log_key = &key,
                                    .rules = { .fold = fold_pair },
                                    .map_size = 16 << 20,
                                    .memory_size_max = memory_size,
                                    .queue_max = queue_max,
                                    .group_max = 256,
                                    .on_advanced = on_advanced,
                                    .on_failed = on_failed };
}

static void engine_run(const struct engine_options *options)
{
    cr_assert_eq(engine_open(&engine, options), OK);
    cr_assert_eq(engine_start(engine, 0), OK);
}

static void set_up(void)
{
    uint8_t seed[KEY_SIZE] = { 7 };
    sign_key_from_seed(&key, seed);
    folder_make(folder);
    struct engine_options options = options_of(4 << 20, 1024);
    engine_run(&options);
}

static void tear_down(void)
{
    if (engine != NULL)
        engine_stop(engine);
    folder_remove(folder);
}

TestSuite(engine, .init = set_up, .fini = tear_down, .timeout = 30);

static void restart(void)
{
    struct engine_options options = options_of(4 << 20, 1024);
    engine_stop(engine);
    engine_run(&options);
}

static struct entry put(const char *name)
{
    struct entry entry;
    entry_init(&entry, name);
    cr_assert_eq(engine_submit(engine, &entry.command), OK);
    entry_wait(&entry);
    return entry;
}

static bool is_readable(const char *name)
{
    struct views_reader reader;
    struct bytes value;
    enum err err;
    while ((err = views_reader_begin(engine_views(engine), "ardabil", &reader)) == ERR_BUSY)
        sched_yield(); /* withheld after a failure, until it is whole */
    cr_assert_eq(err, OK);
    err = view_get(&reader.view, bytes_of_string(name), &value);
    views_reader_end(&reader);
    return err == OK;
}

/* What the first record of the live log says. */
static uint32_t live_flags(size_t *parents)
{
    struct engine_status status;
    struct incarnation_facts facts = { 0 };
    struct buffer scratch = { 0 };
    struct record record;
    struct record_header header;
    struct hash leaf;
    uint32_t number;
    engine_status(engine, &status);
    struct log_store *logs = engine_logs(engine);
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    cr_assert_eq(log_find(logs, &txn, &status.live.log, &number), OK);
    cr_assert_eq(log_read(logs, &txn, number, 0, &scratch, &record, &header, &leaf), OK);
    store_abort(&txn);
    struct bytes part =
        bytes_of(record.facts.data + SALT_SIZE, record.facts.size - SALT_SIZE);
    cr_assert_eq(incarnation_facts_decode(&facts, part), OK);
    buffer_close(&scratch);
    if (parents != NULL)
        *parents = facts.parent_count;
    return facts.flags;
}

/* ---- commands ---- */

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

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

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

/* ---- waiting for a group ---- */

static void wait_done(struct durable_wait *wait, enum err err)
{
    (void)wait;
    cr_assert_eq(err, OK);
    pthread_mutex_lock(&answer_lock);
    wait->group = 0; /* marks it answered */
    pthread_cond_broadcast(&answered);
    pthread_mutex_unlock(&answer_lock);
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

/* ---- jobs ---- */

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

/* ---- new incarnations while running ---- */

/* E6 */
Test(engine, reopening_opens_a_log_that_names_the_one_before_and_keeps_serving)
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

Test(engine, records_name_the_last_receipt_held_also_in_the_next_incarnation)
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
Test(engine, a_failed_group_is_answered_with_its_error_and_what_was_durable_stays)
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
Test(engine, what_is_durable_is_never_not_found_while_a_failed_group_is_recovered_from)
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
Test(engine, an_input_output_error_stops_everything_and_answers_nobody)
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

/* ---- no room for the views ---- */

static rlim_t size_of(const char *name)
{
    char path[FOLDER_PATH_SIZE];
    struct stat status;
    folder_path(path, folder, name);
    cr_assert_eq(stat(path, &status), 0);
    return (rlim_t)status.st_size;
}

/* No file may become larger than the larger of the two is; the log has room in its own. */
static void files_may_grow(bool may)
{
    struct rlimit limit;
    rlim_t log = size_of("log/data.mdb"), own = size_of("views/data.mdb");
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = may ? limit.rlim_max : log > own ? log : own;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Each takes much room in the views and little in the log. */
static void put_until_full(const char *name)
{
    struct entry entry = { .err = OK };
    for (int i = 0; i < 1000 && entry.err == OK; i++) {
        char numbered[24];
        snprintf(numbered, sizeof(numbered), "wide-%s-%d", name, i);
        entry = put(numbered);
    }
    cr_assert_eq(entry.err, ERR_FULL);
}

/* E7, D10 */
Test(engine, without_room_for_the_views_commands_are_refused_until_there_is_and_it_can_stop)
{
    struct engine_options options = options_of(512 << 10, 1024);
    options.reserve_size = 1 << 20;
    engine_stop(engine);
    engine_run(&options);
    signal(SIGXFSZ, SIG_IGN);
    files_may_grow(false);
    put_until_full("a");
    files_may_grow(true);
    struct entry healed = { .err = ERR_FULL };
    for (int i = 0; i < 500 && healed.err != OK; i++) {
        sleep_ms(10);
        healed = put("healed");
    }
    cr_assert_eq(healed.err, OK);
    cr_assert_eq(put("wide-a-0").known, true);

    files_may_grow(false);
    put_until_full("b");
    engine_stop(engine);
    engine = NULL;
    files_may_grow(true);
    engine_run(&options);
    cr_assert(put("wide-b-0").known);
    cr_assert_eq(atomic_load(&failures), 0);
}

/* ---- damaged views ---- */

enum { TABLE_NODES = 1, TABLE_ENTRIES = 3 }; /* of the views store */

/* Flips a bit of the first value of a table of the views store, of the process that has it open. */
static void damage_views(unsigned table)
{
    struct store_txn txn = store_begin_write(views_environment(engine_views(engine)));
    struct store_cursor cursor = store_cursor_open(&txn, table);
    struct bytes at, value;
    uint8_t name[512], content[512];
    cr_assert_eq(store_cursor_seek(&cursor, BYTES_NONE, &at, &value), OK);
    memcpy(name, at.data, at.size);
    memcpy(content, value.data, value.size);
    content[0] ^= 1;
    store_cursor_close(&cursor);
    store_put(&txn, table, bytes_of(name, at.size), bytes_of(content, value.size));
    cr_assert_eq(store_commit(&txn), OK);
}

/* I4, I11 */
Test(engine, a_damaged_view_is_made_anew_and_no_key_is_taken_twice)
{
    for (unsigned table = TABLE_NODES; table <= TABLE_ENTRIES; table += TABLE_ENTRIES - TABLE_NODES) {
        put("a");
        restart(); /* from here on "a" is in the store alone */
        damage_views(table);
        struct entry again = put("a");
        cr_assert(again.err != OK || again.known, "table %u", table);
        cr_assert(put("a").known);
        cr_assert(is_readable("a"));
    }
    cr_assert_eq(atomic_load(&failures), 0);
}

/* I11: found by a reader, while nobody decides anything. */
Test(engine, damage_that_a_reader_meets_is_mended_without_a_restart)
{
    put("a");
    restart();
    damage_views(TABLE_ENTRIES);
    cr_assert_not(is_readable("a"));
    for (int i = 0; i < 1000 && !is_readable("a"); i++)
        sleep_ms(10);
    cr_assert(is_readable("a"));
    cr_assert(put("a").known);
    cr_assert_eq(atomic_load(&failures), 0);
}

/* As under a supervisor: started again when it ends, which LMDB may make it do. */
static void serves_in_the_end(int page)
{
    struct engine_options options = options_of(4 << 20, 1024);
    bool serves = false;
    for (int i = 0; i < 4 && !serves; i++) {
        pid_t child = fork();
        if (child == 0) {
            enum err err = engine_open(&engine, &options);
            if (err != OK || engine_start(engine, 0) != OK || !put("a").known ||
                !put("wide-1").known)
                _exit(1);
            engine_stop(engine);
            _exit(0);
        }
        int status;
        cr_assert_eq(waitpid(child, &status, 0), child);
        serves = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    cr_assert(serves, "page %d", page);
}

/* D13: whatever becomes of the file of the views, the log has it all. */
Test(engine, any_page_of_the_views_may_be_lost)
{
    char path[FOLDER_PATH_SIZE];
    put("a");
    put("wide-1");
    engine_stop(engine);
    engine = NULL;
    folder_path(path, folder, "views/data.mdb");
    for (off_t page = 0; page == 0 || page < (off_t)size_of("views/data.mdb"); page += 4096) {
        static const uint8_t zeros[4096];
        int file = open(path, O_WRONLY);
        cr_assert_eq(pwrite(file, zeros, sizeof(zeros), page), (ssize_t)sizeof(zeros));
        close(file);
        serves_in_the_end((int)(page / 4096));
    }
    cr_assert_eq(truncate(path, 0), 0);
    serves_in_the_end(-1);
}

/* ---- a process that dies ---- */

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
Test(engine, what_was_answered_is_there_after_a_kill_although_nothing_was_flushed)
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
