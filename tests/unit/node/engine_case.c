#include "tests/unit/node/engine_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

_Atomic enum err fold_fault; /* what the fold of "poison" gives, once */

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

pthread_mutex_t answer_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t answered = PTHREAD_COND_INITIALIZER;

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

void entry_wait(struct entry *entry)
{
    pthread_mutex_lock(&answer_lock);
    while (atomic_load(&entry->answers) == 0)
        pthread_cond_wait(&answered, &answer_lock);
    pthread_mutex_unlock(&answer_lock);
}

void entry_init(struct entry *entry, const char *name)
{
    memset(entry, 0, sizeof(*entry));
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    entry->command.decide = entry_decide;
    entry->command.done = entry_done;
}

char folder[FOLDER_PATH_SIZE];
struct sign_key key;
struct engine *engine;
atomic_int failures;
_Atomic uint64_t advanced_size;

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

struct engine_options options_of(size_t memory_size, size_t queue_max)
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

void engine_run(const struct engine_options *options)
{
    cr_assert_eq(engine_open(&engine, options), OK);
    cr_assert_eq(engine_start(engine, 0), OK);
}

void set_up(void)
{
    uint8_t seed[KEY_SIZE] = { 7 };
    sign_key_from_seed(&key, seed);
    folder_make(folder);
    struct engine_options options = options_of(4 << 20, 1024);
    engine_run(&options);
}

void tear_down(void)
{
    if (engine != NULL)
        engine_stop(engine);
    folder_remove(folder);
}

void restart(void)
{
    struct engine_options options = options_of(4 << 20, 1024);
    engine_stop(engine);
    engine_run(&options);
}

struct entry put(const char *name)
{
    struct entry entry;
    entry_init(&entry, name);
    cr_assert_eq(engine_submit(engine, &entry.command), OK);
    entry_wait(&entry);
    return entry;
}

bool is_readable(const char *name)
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

uint32_t live_flags(size_t *parents)
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
    cr_assert_eq(incarnation_facts_decode(&facts, record_unsalted(record.facts)), OK);
    buffer_close(&scratch);
    if (parents != NULL)
        *parents = facts.parent_count;
    return facts.flags;
}

void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}
