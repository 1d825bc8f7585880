/* append (P1): durable registrations in process, from many concurrent callers.
 *
 * A caller is what a web request would be: it checks a typed request (request_input_check), submits
 * it, and comes back with the next one when that is durable. Callers are state machines: done()
 * puts a caller into its driver's inbox, and a driver thread carries many callers, as an epoll loop
 * would. The whole work is done: validation, idempotency, code, indexes of citizens, counters,
 * sealed person part, salts and commitments, Merkle tree, signed checkpoint, synced commit.
 *
 * Every request is a different one: another citizen, phone, idempotency key. Their words come from a
 * pool made before the clock starts.
 *
 *   append [--count N | --sizes N,N...] [--callers 64] [--drivers 1] [--dir FOLDER] [--memory MB]
 *   append --config FILE [--count N] ...
 *
 * With --config the requests go into the stores of that node, which must not run, and stay there:
 * so other benchmarks fill a province before its daemon starts. */
#include "node/casework/fold.h"
#include "node/casework/national_id.h"
#include "node/casework/register.h"
#include "node/casework/request_input.h"
#include "node/casework/subject.h"
#include "node/config.h"
#include "node/keyring.h"
#include "node/runtime/engine.h"
#include "node/runtime/log.h"
#include "tests/bench/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CALLERS_MAX  4096
#define DRIVERS_MAX  16
#define SIZES_MAX    16
#define POOL_SIZE    4096
#define SLOW_SYNC_US 1000 /* a machine slower than this measures nothing */
#define FAST_SYNC_US 10   /* and one faster than this does not sync: tmpfs */

struct settings {
    uint64_t sizes[SIZES_MAX];
    size_t size_count, callers, drivers, memory_size;
    const char *dir, *config;
    const char *journal; /* a folder that is there, or NULL */
};

/* ---- typed requests ---- */

static char texts[POOL_SIZE][600];
static char names[POOL_SIZE][64];

static uint64_t mix(uint64_t x) /* splitmix64 */
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void make_pool(void)
{
    static const char *const first[] = { "زهرا", "علی", "محمدرضا", "فاطمه", "حسین", "مریم" };
    static const char *const last[] = { "احمدی", "رضایی", "کریمی", "موسوی", "جعفری", "اکبری" };
    static const char *const what[] = {
        "از سه روز پیش آب کوچه قطع است و هر بار که تماس گرفته‌ایم جواب درستی نداده‌اند",
        "آسفالت خیابان اصلی خراب شده و رفت و آمد دانش‌آموزان را سخت کرده است",
        "برق محله شب‌ها نوسان دارد و وسایل چند خانه سوخته است",
        "برای دریافت وام مسکن چهار ماه است که پاسخی از بانک نگرفته‌ام",
    };
    for (uint64_t i = 0; i < POOL_SIZE; i++) {
        uint64_t r = mix(i);
        snprintf(names[i], sizeof(names[i]), "%s %s", first[r % 6], last[r / 6 % 6]);
        snprintf(texts[i], sizeof(texts[i]), "%s؛ پلاک %llu، لطفاً رسیدگی شود.", what[r / 36 % 4],
                 (unsigned long long)(r / 144 % 900 + 1));
    }
}

static void put_digits(char *out, size_t count, uint64_t value)
{
    for (size_t i = count; i > 0; i--, value /= 10)
        out[i - 1] = (char)('0' + value % 10);
}

/* The strings that are its own; the rest is in the pool. */
struct typed {
    char national_id[NATIONAL_ID_DIGITS], phone[11], key[37];
    struct request_input input;
};

static void typed_make(struct typed *typed, uint64_t index)
{
    static const char *const kinds[] = { "complaint", "request", "problem", "report" };
    static const char *const channels[] = { "phone", "walk_in", "web" };
    uint64_t r = mix(index ^ 0x5a3ad);
    put_digits(typed->national_id, 9, 100000000 + r % 800000000);
    typed->national_id[9] = national_id_check_digit(typed->national_id);
    put_digits(typed->phone, 11, 9000000000 + mix(r) % 1000000000);
    /* UUIDv7: time first, as clients are told to. */
    snprintf(typed->key, sizeof(typed->key), "%08x-%04x-7%03x-8%03x-%08x%04x",
             (unsigned)(0x019a0000 + (index >> 28)), (unsigned)(index >> 12 & 0xffff),
             (unsigned)(index & 0xfff), (unsigned)(r & 0xfff), (unsigned)(r >> 32),
             (unsigned)(r >> 16 & 0xffff));
    const struct subject *subject = &SUBJECTS[r % SUBJECT_COUNT];
    if (subject->retired != 0)
        subject = &SUBJECTS[0];
    typed->input = (struct request_input){
        .kind = bytes_of_string(kinds[r % 4]),
        .channel = bytes_of_string(channels[r % 3]),
        .subject = bytes_of_string(subject->code),
        .text = bytes_of_string(texts[r % POOL_SIZE]),
        .name = bytes_of_string(names[r % POOL_SIZE]),
        .national_id = bytes_of(typed->national_id, NATIONAL_ID_DIGITS),
        .phone = bytes_of(typed->phone, sizeof(typed->phone)),
        .place = bytes_of_string("اردبیل، خیابان امام"),
    };
}

/* ---- callers and drivers ---- */

struct driver;

struct caller {
    struct command command;
    struct driver *driver;
    struct caller *next; /* in the driver's inbox */
    struct typed typed;
    struct buffer strings, facts_part, person_part;
    struct request_facts facts;
    struct request_person person;
    int64_t submitted_ns;
    enum err err;
};

struct driver {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct caller *inbox;
    bool sleeps;
    struct run *run;
    size_t caller_count, active;
};

struct run {
    struct engine *engine;
    uint64_t count;
    atomic_uint_fast64_t next; /* index of the next request */
    atomic_uint_fast64_t finished, failed;
    uint32_t *latencies_us;
    struct lookup_key lookup_key;
    struct register_setting setting;
    const struct province *province;
};

static enum err caller_decide(struct command *command, struct writer *writer, int64_t wall_ms)
{
    struct caller *caller = (struct caller *)command;
    struct register_decision decision;
    uint8_t entropy[REGISTER_ENTROPY_SIZE];
    uint64_t position;
    enum err err;
    (void)wall_ms;
    do {
        writer_entropy(writer, entropy, sizeof(entropy));
        buffer_clear(&caller->facts_part);
        buffer_clear(&caller->person_part);
        err = register_decide(writer_view(writer), &caller->driver->run->setting, &caller->facts,
                              &caller->person, entropy, &decision, &caller->facts_part,
                              &caller->person_part);
    } while (err == ERR_BUSY);
    if (err != OK || !decision.is_new)
        return err != OK ? err : ERR_EXISTS;
    struct proposal proposal = { .kind = RECORD_REQUEST,
                                 .actor = bytes_of_string("clerk-17"),
                                 .case_id = decision.case_id,
                                 .facts = buffer_bytes(&caller->facts_part),
                                 .person = buffer_bytes(&caller->person_part) };
    return writer_propose(writer, &proposal, &position);
}

static void caller_done(struct command *command, enum err err)
{
    struct caller *caller = (struct caller *)command;
    struct driver *driver = caller->driver;
    caller->err = err;
    pthread_mutex_lock(&driver->lock);
    caller->next = driver->inbox;
    driver->inbox = caller;
    if (driver->sleeps)
        pthread_cond_signal(&driver->wake);
    pthread_mutex_unlock(&driver->lock);
}

/* Checks and submits the caller's next request; false when there is none left. */
static bool caller_go(struct caller *caller)
{
    struct run *run = caller->driver->run;
    uint64_t index = atomic_fetch_add_explicit(&run->next, 1, memory_order_relaxed);
    if (index >= run->count)
        return false;
    struct request_setting setting = { .province = run->province, .now_ms = 1763769600000 };
    struct request_faults faults;
    typed_make(&caller->typed, index);
    caller->submitted_ns = now_ns();
    enum err err = request_input_check(&caller->typed.input, &setting, &caller->strings,
                                       &caller->facts, &caller->person, &faults);
    if (err != OK) {
        fprintf(stderr, "append: input %llu refused: %s\n", (unsigned long long)index,
                faults.count > 0 ? faults.items[0].code : err_name(err));
        exit(1);
    }
    caller->facts.client = bytes_of_string("bench");
    caller->facts.idempotency_key = bytes_of(caller->typed.key, 36);
    err = engine_submit(run->engine, &caller->command);
    if (err != OK) {
        fprintf(stderr, "append: not taken: %s\n", err_name(err));
        exit(1);
    }
    return true;
}

static void caller_finish(struct caller *caller)
{
    struct run *run = caller->driver->run;
    uint64_t index = atomic_fetch_add_explicit(&run->finished, 1, memory_order_relaxed);
    run->latencies_us[index] = (uint32_t)((now_ns() - caller->submitted_ns) / 1000);
    if (caller->err != OK)
        atomic_fetch_add(&run->failed, 1);
}

static struct caller *driver_wait(struct driver *driver)
{
    pthread_mutex_lock(&driver->lock);
    driver->sleeps = true;
    while (driver->inbox == NULL)
        pthread_cond_wait(&driver->wake, &driver->lock);
    driver->sleeps = false;
    struct caller *caller = driver->inbox;
    driver->inbox = NULL;
    pthread_mutex_unlock(&driver->lock);
    return caller;
}

static void *driver_main(void *argument)
{
    struct driver *driver = argument;
    struct caller *callers = calloc(driver->caller_count, sizeof(*callers));
    if (callers == NULL)
        return NULL;
    for (size_t i = 0; i < driver->caller_count; i++) {
        callers[i].driver = driver;
        callers[i].command =
            (struct command){ .decide = caller_decide, .done = caller_done, .intake = true };
        driver->active += caller_go(&callers[i]);
    }
    while (driver->active > 0) {
        for (struct caller *next, *caller = driver_wait(driver); caller != NULL; caller = next) {
            next = caller->next;
            caller_finish(caller);
            driver->active -= !caller_go(caller);
        }
    }
    for (size_t i = 0; i < driver->caller_count; i++) {
        buffer_close(&callers[i].strings);
        buffer_close(&callers[i].facts_part);
        buffer_close(&callers[i].person_part);
    }
    free(callers);
    return NULL;
}

static bool run_drivers(struct run *run, const struct settings *settings)
{
    static struct driver drivers[DRIVERS_MAX];
    for (size_t i = 0; i < settings->drivers; i++) {
        size_t share = settings->callers / settings->drivers +
                       (i < settings->callers % settings->drivers ? 1 : 0);
        drivers[i] = (struct driver){ .run = run, .caller_count = share };
        pthread_mutex_init(&drivers[i].lock, NULL);
        pthread_cond_init(&drivers[i].wake, NULL);
        if (pthread_create(&drivers[i].thread, NULL, driver_main, &drivers[i]) != 0)
            exit(1);
    }
    for (size_t i = 0; i < settings->drivers; i++)
        pthread_join(drivers[i].thread, NULL);
    return atomic_load(&run->finished) == run->count;
}

/* ---- what is printed ---- */

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Microseconds of a bare 4 kB write and fdatasync, the median of 101. */
static uint32_t bare_sync_us(const char *folder)
{
    static char page[4096];
    uint32_t took_us[101] = { 0 };
    char path[4200];
    snprintf(path, sizeof(path), "%s/sync-probe", folder);
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    for (off_t i = 0; file >= 0 && i < 101; i++) {
        int64_t from = now_ns();
        if (pwrite(file, page, sizeof(page), i * (off_t)sizeof(page)) < 0 || fdatasync(file) != 0)
            break;
        took_us[i] = (uint32_t)((now_ns() - from) / 1000);
    }
    if (file >= 0)
        close(file);
    unlink(path);
    qsort(took_us, 101, sizeof(took_us[0]), compare_u32);
    return took_us[50];
}

static enum err add_size(void *context, uint64_t position, const struct record *record,
                         const struct record_header *header, const struct hash *leaf)
{
    (void)position, (void)header, (void)leaf;
    *(size_t *)context += record->header.size + record->facts.size + record->person.size;
    return OK;
}

/* Header, facts and person with their salts, from the middle of the log. */
static size_t mean_record_size(struct engine *engine, uint64_t count)
{
    struct engine_status status;
    uint32_t number;
    size_t total = 0;
    uint64_t sample = count < 1000 ? count : 1000;
    engine_status(engine, &status);
    struct log_store *logs = engine_logs(engine);
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    if (log_find(logs, &txn, &status.live.log, &number) != OK ||
        log_scan(logs, &txn, number, 1 + (count - sample) / 2, sample, true, add_size, &total) != OK)
        total = 0;
    store_abort(&txn);
    return total / (size_t)sample;
}

static void commit_name(char *out, size_t size)
{
    FILE *pipe = popen("git -C '" SAMAD_SOURCE_DIR "' describe --always --dirty 2>/dev/null", "r");
    out[0] = '\0';
    if (pipe != NULL && fgets(out, (int)size, pipe) != NULL)
        out[strcspn(out, "\n")] = '\0';
    if (pipe != NULL)
        pclose(pipe);
}

static bool run_print(struct run *run, const struct settings *settings, double seconds,
                      uint32_t sync_us)
{
    struct engine_status status;
    char commit[64];
    engine_status(run->engine, &status);
    commit_name(commit, sizeof(commit));
    qsort(run->latencies_us, run->count, sizeof(run->latencies_us[0]), compare_u32);
    bool whole = status.live.size == run->count + 1 && atomic_load(&run->failed) == 0;
    printf("{\"bench\":\"append\",\"case\":\"%zu callers\",\"count\":%llu,\"per_second\":%.0f,"
           "\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f,\"record_bytes\":%zu,"
           "\"records_per_group\":%.1f,\"durable\":\"log commit synced\",\"drivers\":%zu,"
           "\"sync_us\":%u,\"valid\":%s,\"commit\":\"%s\"}\n",
           settings->callers, (unsigned long long)run->count, (double)run->count / seconds,
           run->latencies_us[run->count / 2] / 1e3, run->latencies_us[run->count * 99 / 100] / 1e3,
           run->latencies_us[run->count - 1] / 1e3, mean_record_size(run->engine, run->count),
           (double)status.records / (double)status.groups, settings->drivers, sync_us,
           whole && sync_us <= SLOW_SYNC_US && sync_us >= FAST_SYNC_US ? "true" : "false", commit);
    fflush(stdout);
    return whole;
}

/* ---- one size ---- */

static void on_failed(void *context, enum err err, const char *what)
{
    (void)context;
    fprintf(stderr, "append: %s: %s\n", err_name(err), what);
    exit(1);
}

/* Whose stores the requests go into. */
struct target {
    const char *folder, *node;
    const char *journal; /* or NULL */
    struct keyring keyring; /* of it only log, data and lookup */
    size_t map_size, reserve_size, memory_size;
};

static enum err run_open(struct run *run, const struct target *target, struct fold_context *fold)
{
    struct engine_options options = {
        .path = target->folder,
        .node = target->node,
        .audience = "hub",
        .log_key = &target->keyring.log,
        .data_key = target->keyring.data,
        .rules = { .fold = fold_record, .context = fold, .version = FOLD_VERSION },
        .map_size = target->map_size,
        .reserve_size = target->reserve_size,
        .journal_path = target->journal,
        .journal_segment_size = (uint64_t)64 << 20,
        .journal_keep_size = UINT64_MAX,
        .national_receipts = 1,
        .memory_size_max = target->memory_size,
        .queue_max = CALLERS_MAX,
        .group_max = 256,
        .on_failed = on_failed,
    };
    enum err err = engine_open(&run->engine, &options);
    return err == OK ? engine_start(run->engine, 0) : err;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

static bool run_in(const struct target *target, uint64_t count, const struct settings *settings)
{
    struct run run = { .count = count };
    uint32_t sync_us = bare_sync_us(target->folder);
    memcpy(run.lookup_key.bytes, target->keyring.lookup, sizeof(run.lookup_key.bytes));
    struct fold_context fold = { .lookup_key = run.lookup_key };
    run.province = province_by_node(bytes_of_string(target->node));
    if (run.province == NULL) {
        fprintf(stderr, "append: %s is no province\n", target->node);
        return false;
    }
    run.setting = (struct register_setting){ &run.lookup_key, run.province->number };
    run.latencies_us = calloc(count, sizeof(*run.latencies_us));
    enum err err = run.latencies_us != NULL ? run_open(&run, target, &fold) : ERR_NOMEM;
    if (err != OK) {
        fprintf(stderr, "append: %s: %s\n", target->folder, err_text(err));
        return false;
    }
    int64_t from = now_ns();
    bool good = run_drivers(&run, settings);
    double seconds = (double)(now_ns() - from) / 1e9;
    good = run_print(&run, settings, seconds, sync_us) && good;
    engine_stop(run.engine);
    free(run.latencies_us);
    return good;
}

static bool run_size(uint64_t count, const struct settings *settings)
{
    uint8_t seed[KEY_SIZE] = { 3 };
    char folder[4096], journal[4096];
    struct target target = { .folder = folder,
                             .node = "ardabil",
                             .map_size = (size_t)1 << 30,
                             .reserve_size = 64 << 20,
                             .memory_size = settings->memory_size };
    sign_key_from_seed(&target.keyring.log, seed);
    memset(target.keyring.lookup, 4, sizeof(target.keyring.lookup));
    memset(target.keyring.data.bytes, 5, sizeof(target.keyring.data.bytes));
    snprintf(folder, sizeof(folder), "%s/samad-append-XXXXXX", settings->dir);
    if (mkdtemp(folder) == NULL) {
        fprintf(stderr, "append: %s: %s\n", folder, strerror(errno));
        return false;
    }
    if (settings->journal != NULL) {
        snprintf(journal, sizeof(journal), "%s/samad-journal-XXXXXX", settings->journal);
        target.journal = mkdtemp(journal);
    }
    bool good = (settings->journal == NULL || target.journal != NULL) &&
                run_in(&target, count, settings);
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (target.journal != NULL)
        nftw(journal, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return good;
}

static bool run_config(const struct settings *settings)
{
    struct config *config = NULL;
    struct buffer problem = { 0 };
    struct target target = { 0 };
    enum err err = config_load(&config, settings->config, &problem);
    if (err == OK)
        err = keyring_load(&target.keyring, config->keys, &problem);
    if (err == OK && mkdir(config->data, 0700) != 0 && errno != EEXIST)
        err = ERR_IO;
    if (err == OK) {
        target.folder = config->data;
        target.node = config->node;
        target.map_size = config->map_size;
        target.reserve_size = config->reserve_size;
        target.memory_size = config->memory_size;
    } else {
        fprintf(stderr, "append: %s: %s: %.*s\n", settings->config, err_text(err),
                (int)problem.size, problem.data ? (const char *)problem.data : "");
    }
    bool good = err == OK && run_in(&target, settings->sizes[0], settings);
    keyring_close(&target.keyring);
    config_free(config);
    buffer_close(&problem);
    return good;
}

/* ---- arguments ---- */

static void read_sizes(struct settings *settings, char *list)
{
    settings->size_count = 0;
    for (char *at = strtok(list, ","); at != NULL && settings->size_count < SIZES_MAX;
         at = strtok(NULL, ","))
        settings->sizes[settings->size_count++] = strtoull(at, NULL, 10);
}

static bool read_arguments(struct settings *settings, int argc, char **argv)
{
    static const struct option options[] = {
        { "count", required_argument, NULL, 'n' },   { "sizes", required_argument, NULL, 'n' },
        { "callers", required_argument, NULL, 'c' }, { "drivers", required_argument, NULL, 't' },
        { "dir", required_argument, NULL, 'd' },     { "memory", required_argument, NULL, 'm' },
        { "config", required_argument, NULL, 'f' },  { "journal", required_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'n')
            read_sizes(settings, optarg);
        else if (option == 'c')
            settings->callers = strtoul(optarg, NULL, 10);
        else if (option == 't')
            settings->drivers = strtoul(optarg, NULL, 10);
        else if (option == 'd')
            settings->dir = optarg;
        else if (option == 'f')
            settings->config = optarg;
        else if (option == 'j')
            settings->journal = optarg;
        else if (option == 'm')
            settings->memory_size = strtoul(optarg, NULL, 10) << 20;
        else
            return false;
    }
    return settings->callers > 0 && settings->callers <= CALLERS_MAX && settings->drivers > 0 &&
           settings->drivers <= DRIVERS_MAX && settings->drivers <= settings->callers;
}

int main(int argc, char **argv)
{
    struct settings settings = { .sizes = { 100000 },
                                 .size_count = 1,
                                 .callers = 64,
                                 .drivers = 1,
                                 .memory_size = 128 << 20,
                                 .dir = "/tmp" };
    if (!read_arguments(&settings, argc, argv)) {
        fprintf(stderr, "append [--count N | --sizes N,N...] [--callers 64] [--drivers 1] "
                        "[--dir FOLDER] [--memory MB] [--journal FOLDER]\n"
                        "append --config FILE [--count N] [--callers 64] [--drivers 1]\n");
        return 2;
    }
    make_pool();
    log_event_threshold(LOG_EVENT_WARNING);
    if (settings.config != NULL)
        return run_config(&settings) ? 0 : 1;
    bool good = true;
    for (size_t i = 0; i < settings.size_count; i++)
        good = settings.sizes[i] > 0 && run_size(settings.sizes[i], &settings) && good;
    return good ? 0 : 1;
}
