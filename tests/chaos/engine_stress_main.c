/* engine-stress: hammers one engine from many threads for a few seconds and checks what it said.
 *
 * Submitters register keys, each key several times; readers look at keys and wait until what they
 * saw is durable; a thread runs log jobs; another reopens the incarnation; folds fail now and then.
 * The engine is stopped and opened again several times. At the end, by scanning the logs:
 *
 *   - every key whose registration was answered is in the logs, exactly once
 *   - a key that a reader saw durable is there
 *   - no key is there twice, answered or not
 *
 * A plain program, because ThreadSanitizer does not work inside Criterion:
 *   engine-stress [--seconds 5] [--seed N] [--dir FOLDER]        exit 0: all checks hold */
#include "node/runtime/engine.h"

#include <ftw.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SUBMITTERS 6
#define READERS    2
#define KEYS       20000
#define ROUNDS     4

enum key_state { KEY_UNKNOWN, KEY_ANSWERED };

static struct engine *engine;
/* Written while it restarts; readers never leave it free, so the writer goes first. */
static pthread_rwlock_t engine_gate = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static atomic_bool stop;
static atomic_int key_states[KEYS];
static uint32_t key_found[KEYS];
static atomic_uint next_key;
static atomic_uint answered, refused, reads, jobs, reopens, broken;
static atomic_int errors;
static uint64_t seed = 1;

static void complain(const char *what, unsigned key)
{
    fprintf(stderr, "engine-stress: %s: key %u\n", what, key);
    atomic_fetch_add(&errors, 1);
}

static uint64_t draw(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t x = *state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* ---- the smallest rules ---- */

static enum err fold_key(void *context, struct view *view, const struct record_header *header,
                         struct bytes facts, struct bytes person, bool person_absent)
{
    static atomic_uint folded;
    (void)context, (void)person, (void)person_absent;
    if (header->kind != RECORD_REQUEST)
        return OK;
    if (atomic_fetch_add(&folded, 1) % 4001 == 4000) {
        atomic_fetch_add(&broken, 1);
        return ERR_NOMEM;
    }
    view_put(view, facts, bytes_of_string("here"));
    return view->err;
}

/* ---- submitters ---- */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool answered;
    enum err err;
};

static void waiter_init(struct waiter *waiter)
{
    pthread_mutex_init(&waiter->lock, NULL);
    pthread_cond_init(&waiter->wake, NULL);
    waiter->answered = false;
}

static void waiter_answer(struct waiter *waiter, enum err err)
{
    pthread_mutex_lock(&waiter->lock);
    waiter->answered = true;
    waiter->err = err;
    pthread_cond_signal(&waiter->wake);
    pthread_mutex_unlock(&waiter->lock);
}

static enum err waiter_wait(struct waiter *waiter)
{
    pthread_mutex_lock(&waiter->lock);
    while (!waiter->answered)
        pthread_cond_wait(&waiter->wake, &waiter->lock);
    waiter->answered = false;
    enum err err = waiter->err;
    pthread_mutex_unlock(&waiter->lock);
    return err;
}

struct registration {
    struct command command;
    struct waiter waiter;
    uint8_t key[4];
};

static enum err registration_decide(struct command *command, struct writer *writer, int64_t wall_ms)
{
    struct registration *registration = (struct registration *)command;
    struct bytes value;
    uint64_t position;
    (void)wall_ms;
    enum err err = view_get(writer_view(writer), BYTES_OF_ARRAY(registration->key), &value);
    if (err != ERR_NOT_FOUND)
        return err;
    struct proposal proposal = { .kind = RECORD_REQUEST,
                                 .facts = BYTES_OF_ARRAY(registration->key),
                                 .person = bytes_of_string("a citizen") };
    return writer_propose(writer, &proposal, &position);
}

static void registration_done(struct command *command, enum err err)
{
    waiter_answer(&((struct registration *)command)->waiter, err);
}

/* One registration; the gate is held so that the engine is not closed meanwhile. */
static void submit_key(struct registration *registration, unsigned key)
{
    put_u32(registration->key, key);
    pthread_rwlock_rdlock(&engine_gate);
    enum err err = engine_submit(engine, &registration->command);
    if (err == OK)
        err = waiter_wait(&registration->waiter);
    pthread_rwlock_unlock(&engine_gate);
    if (err == OK)
        atomic_store(&key_states[key], KEY_ANSWERED);
    atomic_fetch_add(err == OK ? &answered : &refused, 1);
}

static void *submitter_main(void *argument)
{
    uint64_t random = seed * 1000 + (uintptr_t)argument;
    struct registration registration = {
        .command = { .decide = registration_decide, .done = registration_done }
    };
    waiter_init(&registration.waiter);
    while (!atomic_load(&stop)) {
        unsigned key = atomic_fetch_add(&next_key, draw(&random) % 2) % KEYS;
        submit_key(&registration, key);
    }
    return NULL;
}

/* ---- readers ---- */

struct read_wait {
    struct durable_wait wait;
    struct waiter waiter;
};

static void read_done(struct durable_wait *wait, enum err err)
{
    waiter_answer(&((struct read_wait *)wait)->waiter, err);
}

static void read_key(struct read_wait *wait, unsigned key)
{
    struct views_reader reader;
    struct bytes value;
    uint8_t name[4];
    put_u32(name, key);
    pthread_rwlock_rdlock(&engine_gate);
    enum err err = views_reader_begin(engine_views(engine), "ardabil", &reader);
    if (err != OK) {
        if (err != ERR_BUSY) /* withheld while a failed group is recovered from */
            complain("no reader", key);
        pthread_rwlock_unlock(&engine_gate);
        return;
    }
    err = view_get(&reader.view, BYTES_OF_ARRAY(name), &value);
    wait->wait = (struct durable_wait){ .group = reader.group, .done = read_done };
    views_reader_end(&reader);
    if (err == OK) {
        engine_when_durable(engine, &wait->wait);
        if (waiter_wait(&wait->waiter) == OK)
            atomic_store(&key_states[key], KEY_ANSWERED);
    } else if (err != ERR_NOT_FOUND) {
        complain(err_name(err), key);
    }
    pthread_rwlock_unlock(&engine_gate);
    atomic_fetch_add(&reads, 1);
}

static void *reader_main(void *argument)
{
    uint64_t random = seed * 7000 + (uintptr_t)argument;
    struct read_wait wait;
    waiter_init(&wait.waiter);
    while (!atomic_load(&stop)) {
        unsigned newest = atomic_load(&next_key);
        read_key(&wait, (newest + KEYS - (unsigned)(draw(&random) % 16)) % KEYS);
    }
    return NULL;
}

/* ---- jobs and new incarnations ---- */

struct counted_job {
    struct log_job job;
    struct waiter waiter;
    uint64_t size;
};

static enum err job_run(struct log_job *job, struct log_store *logs, struct store_txn *txn)
{
    uint64_t size = ((struct counted_job *)job)->size;
    enum err err = log_receipt_put(logs, txn, 0, "hub-1", size, bytes_of_string("receipt"));
    return err == OK && size % 7 == 0 ? ERR_REFUSED : err; /* some fail after they wrote */
}

static void job_done(struct log_job *job, enum err err)
{
    waiter_answer(&((struct counted_job *)job)->waiter, err);
}

static void *job_main(void *argument)
{
    struct counted_job job = { .job = { .run = job_run, .done = job_done } };
    (void)argument;
    waiter_init(&job.waiter);
    while (!atomic_load(&stop)) {
        job.size++;
        pthread_rwlock_rdlock(&engine_gate);
        enum err err = engine_log_job(engine, &job.job);
        if (err == OK)
            err = waiter_wait(&job.waiter);
        pthread_rwlock_unlock(&engine_gate);
        if (err != (job.size % 7 == 0 ? ERR_REFUSED : OK))
            complain(err_name(err), (unsigned)job.size);
        atomic_fetch_add(&jobs, 1);
    }
    return NULL;
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static void *reopen_main(void *argument)
{
    (void)argument;
    while (!atomic_load(&stop)) {
        sleep_ms(120);
        struct record_receipt receipt = { .hub = "hub-1", .size = 1, .time_s = 1 };
        struct engine_status status;
        pthread_rwlock_rdlock(&engine_gate);
        engine_receipt(engine, &receipt);
        engine_fold(engine, "hormozgan");
        engine_status(engine, &status);
        engine_reopen(engine, INCARNATION_MERGE);
        pthread_rwlock_unlock(&engine_gate);
        atomic_fetch_add(&reopens, 1);
    }
    return NULL;
}

/* ---- the engine, and the judgement ---- */

static struct sign_key key;

static void on_failed(void *context, enum err err, const char *what)
{
    (void)context;
    fprintf(stderr, "engine-stress: the engine failed: %s: %s\n", err_name(err), what);
    exit(1);
}

static void engine_begin(const char *folder)
{
    struct engine_options options = { .path = folder,
                                      .node = "ardabil",
                                      .audience = "hub",
                                      .log_key = &key,
                                      .rules = { .fold = fold_key },
                                      .map_size = 1 << 20, /* so that it grows on the way */
                                      .memory_size_max = 128 << 10,
                                      .queue_max = 64,
                                      .group_max = 32,
                                      .on_failed = on_failed };
    enum err err = engine_open(&engine, &options);
    if (err == OK)
        err = engine_start(engine, 0);
    if (err != OK) {
        fprintf(stderr, "engine-stress: not opened: %s\n", err_name(err));
        exit(1);
    }
}

static enum err count_key(void *context, uint64_t position, const struct record *record,
                          const struct record_header *header, const struct hash *leaf)
{
    (void)context, (void)position, (void)leaf;
    if (header->kind == RECORD_REQUEST)
        key_found[get_u32(record->facts.data + SALT_SIZE) % KEYS]++;
    return OK;
}

static void judge(void)
{
    struct log_store *logs = engine_logs(engine);
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    uint32_t count = log_count(logs, &txn);
    for (uint32_t number = 0; number < count; number++) {
        struct log_state state;
        if (log_state_get(logs, &txn, number, &state) != OK ||
            log_scan(logs, &txn, number, 0, state.size, true, count_key, NULL) != OK)
            complain("a log does not verify", number);
    }
    store_abort(&txn);
    for (unsigned i = 0; i < KEYS; i++) {
        if (key_found[i] > 1)
            complain("recorded twice", i);
        if (key_found[i] == 0 && atomic_load(&key_states[i]) == KEY_ANSWERED)
            complain("answered and not recorded", i);
    }
    printf("{\"program\":\"engine-stress\",\"seed\":%llu,\"answered\":%u,\"refused\":%u,"
           "\"reads\":%u,\"jobs\":%u,\"reopened\":%u,\"broken_folds\":%u,\"logs\":%u,"
           "\"errors\":%d}\n",
           (unsigned long long)seed, atomic_load(&answered), atomic_load(&refused),
           atomic_load(&reads), atomic_load(&jobs), atomic_load(&reopens), atomic_load(&broken),
           count, atomic_load(&errors));
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

static void hammer(const char *folder, unsigned seconds)
{
    pthread_t threads[SUBMITTERS + READERS + 2];
    size_t count = 0;
    for (uintptr_t i = 0; i < SUBMITTERS; i++)
        pthread_create(&threads[count++], NULL, submitter_main, (void *)i);
    for (uintptr_t i = 0; i < READERS; i++)
        pthread_create(&threads[count++], NULL, reader_main, (void *)i);
    pthread_create(&threads[count++], NULL, job_main, NULL);
    pthread_create(&threads[count++], NULL, reopen_main, NULL);
    for (int round = 1; round <= ROUNDS; round++) {
        sleep_ms((long)seconds * 1000 / ROUNDS);
        if (round == ROUNDS)
            break;
        pthread_rwlock_wrlock(&engine_gate);
        engine_stop(engine);
        engine_begin(folder);
        pthread_rwlock_unlock(&engine_gate);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "seconds", required_argument, NULL, 's' },
                                             { "seed", required_argument, NULL, 'r' },
                                             { "dir", required_argument, NULL, 'd' },
                                             { NULL, 0, NULL, 0 } };
    unsigned seconds = 5;
    const char *base = "/tmp";
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 's')
            seconds = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'r')
            seed = strtoull(optarg, NULL, 10);
        else if (option == 'd')
            base = optarg;
        else
            return 2;
    }
    char folder[4096];
    snprintf(folder, sizeof(folder), "%s/samad-stress-XXXXXX", base);
    if (mkdtemp(folder) == NULL)
        return 2;
    uint8_t key_seed[KEY_SIZE] = { 7 };
    sign_key_from_seed(&key, key_seed);
    alarm(seconds * 5 + 60); /* somebody waits for ever: the signal ends the program */
    engine_begin(folder);
    hammer(folder, seconds);
    judge();
    engine_stop(engine);
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return atomic_load(&errors) == 0 ? 0 : 1;
}
