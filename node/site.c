#include "node/site.h"

#include "node/api/api.h"
#include "node/casework/fold.h"
#include "node/casework/province.h"
#include "node/hub/directory.h"
#include "node/keyring.h"
#include "node/runtime/engine.h"
#include "node/runtime/log.h"
#include "node/runtime/verifier.h"
#include "node/store_problem.h"
#include "node/transport/replicator.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* Longer than links need to end, and a name look-up that hangs is not waited for. */
#define STOP_LIMIT_MS  15000
#define START_AGAIN_MS 1000

struct site {
    const struct config *config;
    uv_loop_t *loop;
    int lock;
    struct keyring keyring;
    bool has_keyring;
    struct tokens *tokens;
    struct fold_context fold;
    struct engine *engine;
    struct replicator *replicator; /* not touched by other threads before it is open */
    _Atomic(struct verifier *) verifier; /* of the loop; the API reads its status */
    struct api *api;
    uv_work_t start;
    uint32_t start_flags;
    enum err start_err;
    bool stopping, running; /* running: the timers are on the loop */
    uv_timer_t again; /* looks whether the engine could start after all */
    uv_timer_t limit; /* of stopping */
    _Atomic int64_t disk_full_since_ms; /* 0: there is room */
};

static const char *audience_of(const struct config *config)
{
    return config->role == ROLE_HUB ? "all" : "hub";
}

/* ---- the end that is no end ---- */

static void site_fail(struct site *site, enum err err, const char *what)
{
    (void)site;
    log_event(LOG_EVENT_ERROR, "node.failed", "error", err_name(err), "what", what, "action",
              "the process ends; after a restart the stores are verified", NULL);
    sd_notify(0, "STATUS=failed");
    _exit(EXIT_STORAGE);
}

static void on_engine_failed(void *context, enum err err, const char *what)
{
    site_fail(context, err, what);
}

/* ---- opening ---- */

static enum err say(struct buffer *problem, enum err err, const char *path, const char *what)
{
    buffer_append_string(problem, path);
    buffer_append_string(problem, ": ");
    buffer_append_string(problem, what);
    return err;
}

/* The second line: what to do. */
static enum err say_next(struct buffer *problem, enum err err, const char *next)
{
    buffer_append_string(problem, "\n");
    buffer_append_string(problem, next);
    return err;
}

static enum err say_store(struct buffer *problem, const char *data, enum err err)
{
    struct buffer next = { 0 };
    store_problem(data, err, false, problem, &next);
    buffer_append_u8(&next, '\0');
    if (next.err == OK && next.size > 1)
        say_next(problem, err, (const char *)next.data);
    buffer_close(&next);
    return err;
}

/* Who holds the lock, for whoever wonders. 0 or an errno: a call that is interrupted or writes less
 * than was asked is no failure. */
static int write_pid(int file)
{
    char pid[32];
    size_t size = (size_t)snprintf(pid, sizeof pid, "%ld\n", (long)getpid()), done = 0;
    while (ftruncate(file, 0) != 0)
        if (errno != EINTR)
            return errno;
    while (done < size) {
        ssize_t more = pwrite(file, pid + done, size - done, (off_t)done);
        if (more < 0 && errno != EINTR)
            return errno;
        done += more > 0 ? (size_t)more : 0;
    }
    return 0;
}

static enum err say_journal(struct buffer *problem, const char *path, enum err err)
{
    switch (err) {
    case ERR_CONFLICT:
        say(problem, err, path, "holds the journal of another node");
        return say_next(problem, err, "correct `path` of `journal` in the configuration");
    case ERR_BUSY:
        say(problem, err, path, "another process writes this journal");
        return say_next(problem, err, "stop that one, or give this node a journal of its own");
    case ERR_VERSION:
        say(problem, err, path, "was written in a format that this version does not read");
        return say_next(problem, err, "start the version that wrote it, or a later one");
    default:
        return say(problem, err, path, err_text(err));
    }
}

/* One process a data folder: two would sign different records at one position. */
static enum err take_lock(struct site *site, struct buffer *problem)
{
    char path[4096], pid[32] = "";
    const char *folder = site->config->data;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        say(problem, ERR_IO, folder, strerror(errno));
        return say_next(problem, ERR_IO,
                        errno == ENOENT ? "make its parent (is the disk mounted?), or correct `data` "
                                          "in the configuration"
                                        : "let the user that runs samadd make it, or correct "
                                          "`data` in the configuration");
    }
    snprintf(path, sizeof path, "%s/lock", folder);
    site->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (site->lock < 0)
        return say_store(problem, folder, ERR_IO);
    if (flock(site->lock, LOCK_EX | LOCK_NB) != 0) {
        char what[128];
        ssize_t size = pread(site->lock, pid, sizeof pid - 1, 0);
        snprintf(what, sizeof what, "another samadd (process %.*s) uses this data folder",
                 size > 0 ? (int)strcspn(pid, "\n") : 1, size > 0 ? pid : "?");
        say(problem, ERR_BUSY, path, what);
        return say_next(problem, ERR_BUSY,
                        "stop that one, or give this node a data folder of its own");
    }
    int code = write_pid(site->lock);
    return code == 0 ? OK : say(problem, code == ENOSPC ? ERR_FULL : ERR_IO, path, strerror(code));
}

static void on_advanced(void *context, const struct checkpoint *checkpoint, struct bytes note)
{
    struct site *site = context;
    (void)note;
    replicator_advanced(site->replicator, checkpoint);
}

static void on_put_back(void *context, const struct log_id *log)
{
    replicator_put_back(((struct site *)context)->replicator, log);
}

static void on_damage(void *context, uint32_t number, uint64_t position)
{
    replicator_damaged(((struct site *)context)->replicator, number, position);
}

static bool has_no_store(const char *data)
{
    char path[4200];
    snprintf(path, sizeof path, "%.4000s/log/data.mdb", data);
    return access(path, F_OK) != 0 && errno == ENOENT;
}

/* Of a hub, or of a province that this hub follows. */
static bool other_log_key(void *context, const struct log_id *log, struct sign_public *key)
{
    const struct config *config = ((const struct site *)context)->config;
    for (size_t i = 0; i < config->hub_count; i++)
        if (strcmp(config->hubs[i].name, log->node) == 0) {
            *key = config->hubs[i].log_key;
            return true;
        }
    for (size_t i = 0; i < config->province_count; i++)
        if (strcmp(config->provinces[i].name, log->node) == 0) {
            *key = config->provinces[i].log_key;
            return true;
        }
    return false;
}

static enum err open_engine(struct site *site, struct buffer *problem)
{
    const struct config *config = site->config;
    memcpy(site->fold.lookup_key.bytes, site->keyring.lookup, LOOKUP_KEY_SIZE);
    struct engine_options options = {
        .path = config->data,
        .node = config->node,
        .audience = audience_of(config),
        .log_key = &site->keyring.log,
        .data_key = site->keyring.data,
        .rules = { .fold = fold_record, .context = &site->fold, .version = FOLD_VERSION },
        .map_size = config->map_size,
        .reserve_size = config->reserve_size,
        .memory_size_max = config->memory_size,
        .queue_max = config->queue_max,
        .group_max = config->group_max,
        .on_advanced = on_advanced,
        .on_put_back = on_put_back,
        .on_failed = on_engine_failed,
        .context = site,
    };
    bool is_new = has_no_store(config->data), journal_refused = false;
    options.journal_path = config->journal_path;
    options.journal_segment_size = config->journal_segment_size;
    options.journal_keep_size = config->journal_keep_size;
    options.other_log_key = other_log_key;
    options.national_receipts = config->national_receipts;
    options.journal_refused = &journal_refused;
    enum err err = engine_open(&site->engine, &options);
    if (err != OK && journal_refused)
        return say_journal(problem, config->journal_path, err);
    if (err == OK && is_new)
        log_event(LOG_EVENT_INFO, "store.new", "data", config->data, "note",
                  "there was none: it begins empty, and what hubs hold of this node comes back",
                  NULL);
    return err == OK ? OK : say_store(problem, config->data, err);
}

/* ---- getting ready ---- */

static void on_start_work(uv_work_t *work)
{
    struct site *site = work->data;
    site->start_err = engine_start(site->engine, site->start_flags);
}

static bool own_log_key(void *context, const struct log_id *id, struct sign_public *key)
{
    const struct site *site = context;
    *key = site->keyring.log.public;
    return strcmp(id->node, site->config->node) == 0;
}

static void start_verifier(struct site *site)
{
    struct verifier_options options = { .logs = engine_logs(site->engine),
                                        .folder = site->config->data,
                                        .rate = site->config->verify_rate,
                                        .key = own_log_key,
                                        .on_damage = on_damage,
                                        .context = site };
    struct verifier *verifier;
    enum err err = verifier_start(&verifier, &options);
    atomic_store(&site->verifier, verifier);
    if (err != OK)
        log_event(LOG_EVENT_WARNING, "verify.not_started", "error", err_name(err), NULL);
}

static void site_ready(struct site *site)
{
    if (site->config->role == ROLE_HUB)
        directory_update(site->engine, site->config);
    start_verifier(site);
    if (site->api)
        api_set_ready(site->api, true);
    log_event(LOG_EVENT_INFO, "node.ready", "node", site->config->node, NULL);
    sd_notify(0, "READY=1\nSTATUS=taking requests");
}

static void on_look_again(uv_timer_t *timer)
{
    struct site *site = timer->data;
    struct engine_status status;
    engine_status(site->engine, &status);
    if (!status.ready)
        return;
    uv_timer_stop(timer);
    site_ready(site);
}

/* A full disk is an ordinary state (design D10): the engine tries again by itself, and reading and
 * replication go on meanwhile. Any other error has ended the process already. */
static void on_start_done(uv_work_t *work, int status)
{
    struct site *site = work->data;
    (void)status;
    if (site->stopping)
        return;
    if (site->start_err == OK) {
        site_ready(site);
        return;
    }
    log_event(LOG_EVENT_ERROR, "node.not_ready", "error", err_name(site->start_err), "action",
              "tries again every second", NULL);
    sd_notify(0, "READY=1\nSTATUS=cannot record: see the log");
    uv_timer_start(&site->again, on_look_again, START_AGAIN_MS, START_AGAIN_MS);
}

static void on_may_write(void *context, uint32_t flags)
{
    struct site *site = context;
    if (flags & INCARNATION_HUBS_UNASKED)
        log_event(LOG_EVENT_WARNING, "node.hubs_unasked", "reason",
                  "no hub answered in time; going on without", NULL);
    site->start.data = site;
    site->start_flags = flags;
    uv_queue_work(site->loop, &site->start, on_start_work, on_start_done);
}

static void on_replicator_failed(void *context, enum err err, const char *what)
{
    site_fail(context, err, what);
}

static enum err open_replicator(struct site *site, struct buffer *problem)
{
    struct replicator_options options = { .loop = site->loop,
                                          .config = site->config,
                                          .keyring = &site->keyring,
                                          .engine = site->engine,
                                          .may_write = on_may_write,
                                          .failed = on_replicator_failed,
                                          .context = site };
    uv_timer_init(site->loop, &site->again); /* the replicator may start the engine at once */
    uv_timer_init(site->loop, &site->limit);
    site->again.data = site->limit.data = site;
    enum err err = replicator_open(&site->replicator, &options, problem);
    site->running = err == OK;
    if (err != OK) {
        uv_close((uv_handle_t *)&site->limit, NULL);
        uv_close((uv_handle_t *)&site->again, NULL);
    }
    if (err != OK && problem->size == 0)
        say(problem, err, "replication", err_text(err));
    if (err == OK && *replicator_address(site->replicator))
        log_event(LOG_EVENT_INFO, "replication.listening", "address",
                  replicator_address(site->replicator), NULL);
    return err;
}

static void add_alarm(struct replication_status *status, const struct site *site, const char *kind,
                      int64_t since_ms, const char *detail)
{
    if (status->alarm_count == STATUS_ALARM_MAX)
        return;
    struct alarm_status *alarm = &status->alarms[status->alarm_count++];
    *alarm = (struct alarm_status){ .since_ms = since_ms };
    snprintf(alarm->kind, sizeof alarm->kind, "%s", kind);
    snprintf(alarm->subject, sizeof alarm->subject, "%s", site->config->node);
    snprintf(alarm->detail, sizeof alarm->detail, "%s", detail);
}

static void add_corrupt_alarm(struct site *site, struct replication_status *status)
{
    struct verifier_status verifier;
    char detail[128];
    verifier_status(atomic_load(&site->verifier), &verifier);
    if (verifier.failures == 0)
        return;
    snprintf(detail, sizeof detail, "%llu faults in the log store; the event log names each",
             (unsigned long long)verifier.failures);
    add_alarm(status, site, "corrupt", 0, detail);
}

/* A full disk is a state, not an event: its alarm stands as long as the state does. */
static void add_disk_alarm(struct site *site, struct replication_status *status)
{
    struct engine_status engine;
    engine_status(site->engine, &engine);
    if (!engine.intake_refused) {
        site->disk_full_since_ms = 0;
        return;
    }
    if (site->disk_full_since_ms == 0)
        site->disk_full_since_ms = (int64_t)time(NULL) * 1000;
    add_alarm(status, site, "disk", site->disk_full_since_ms,
              engine.journal.full ? "new requests are refused: free space on the journal's disk"
                                  : "new requests are refused: only the reserve is left; free space "
                                    "on the data disk");
}

static void add_missing_alarm(const struct site *site, struct replication_status *status)
{
    struct engine_status engine;
    char detail[128];
    engine_status(site->engine, &engine);
    if (engine.missing == 0)
        return;
    snprintf(detail, sizeof detail,
             "at least %llu records of this node are not here; the hubs hand them back",
             (unsigned long long)engine.missing);
    add_alarm(status, site, "records-missing", engine.missing_since_ms, detail);
}

/* A journal that is lost, records that wait in it, records that are nowhere: each stands as long as
 * it is so; what this start has done stands until the next. */
static void add_journal_alarms(const struct site *site, struct replication_status *status)
{
    struct engine_status engine;
    char detail[128];
    engine_status(site->engine, &engine);
    const struct journal_status *journal = &engine.journal;
    if (journal->state == JOURNAL_LOST) {
        snprintf(detail, sizeof detail, "degraded: one device only; %.90s", journal->problem);
        add_alarm(status, site, "journal", journal->since_ms, detail);
    }
    if (journal->lost > 0) {
        snprintf(detail, sizeof detail,
                 "%llu records are neither in log/ nor in the journal; the event log names them",
                 (unsigned long long)journal->lost);
        add_alarm(status, site, "loss", journal->since_ms, detail);
    }
    if (journal->waiting > 0) {
        snprintf(detail, sizeof detail,
                 "%llu records wait in the journal for what the hubs hand back",
                 (unsigned long long)journal->waiting);
        add_alarm(status, site, "journal-waits", journal->since_ms, detail);
    }
    if (journal->aside[0]) {
        snprintf(detail, sizeof detail,
                 "log/ was damaged, is in %.40s and was made again; look at it, then remove it",
                 journal->aside);
        add_alarm(status, site, "log-rebuilt", journal->since_ms, detail);
    } else if (journal->rebuilt > 0) {
        snprintf(detail, sizeof detail, "%llu records were put back into log/ from the journal",
                 (unsigned long long)journal->rebuilt);
        add_alarm(status, site, "log-rebuilt", journal->since_ms, detail);
    }
}

static void add_tokens_alarm(const struct site *site, struct replication_status *status)
{
    char detail[TOKENS_PROBLEM_SIZE];
    int64_t since_ms = tokens_problem(site->tokens, detail);
    if (since_ms != 0)
        add_alarm(status, site, "tokens", since_ms, detail);
}

static void replication_status_of(void *context, struct replication_status *status)
{
    struct site *site = context;
    replicator_status(site->replicator, status);
    add_disk_alarm(site, status);
    add_corrupt_alarm(site, status);
    add_missing_alarm(site, status);
    add_journal_alarms(site, status);
    add_tokens_alarm(site, status);
}

static uint64_t national_size_of(void *context, const struct log_id *log)
{
    struct site *site = context;
    return replicator_national_size(site->replicator, log);
}

static enum err open_api(struct site *site, struct buffer *problem)
{
    const struct config *config = site->config;
    char host[256], port[8], address[300];
    if (!config->api_listen)
        return OK;
    struct api_options options = { .config = config,
                                   .engine = site->engine,
                                   .tokens = site->tokens,
                                   .province = config->role == ROLE_PROVINCE
                                                   ? province_by_node(bytes_of_string(config->node))
                                                   : NULL,
                                   .lookup_key = site->keyring.lookup,
                                   .log_key = &site->keyring.log.public,
                                   .replication_status = replication_status_of,
                                   .national_size = national_size_of,
                                   .context = site };
    enum err err = api_start(&site->api, &options, problem);
    if (err != OK)
        return problem->size > 0 ? err : say(problem, err, "api", err_text(err));
    address_split(config->api_listen, host, port);
    snprintf(address, sizeof address, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
             (unsigned)api_port(site->api));
    log_event(LOG_EVENT_INFO, "api.listening", "address", address, NULL);
    return OK;
}

enum err site_open(struct site **out, const struct config *config, uv_loop_t *loop,
                   struct buffer *problem)
{
    struct site *site = calloc(1, sizeof *site);
    if (!site)
        return ERR_NOMEM;
    site->config = config;
    site->loop = loop;
    site->lock = -1;
    enum err err = take_lock(site, problem);
    if (err == OK)
        err = keyring_load(&site->keyring, config->keys, problem);
    site->has_keyring = err == OK;
    if (err == OK)
        err = tokens_open(&site->tokens, config->keys, problem);
    if (err == OK)
        err = open_engine(site, problem);
    if (err == OK)
        err = open_replicator(site, problem);
    if (err == OK)
        err = open_api(site, problem);
    *out = site;
    if (err == OK)
        return OK;
    site_stop(site);
    uv_run(loop, UV_RUN_DEFAULT);
    site_close(site);
    *out = NULL;
    return err;
}

enum err site_check(const struct config *config, struct buffer *problems)
{
    struct keyring keyring;
    struct tokens *tokens = NULL;
    enum err err = keyring_load(&keyring, config->keys, problems);
    if (err == OK)
        keyring_close(&keyring);
    else
        buffer_append_string(problems, "\n");
    enum err tokens_err = tokens_open(&tokens, config->keys, problems);
    if (tokens_err == OK)
        tokens_close(tokens);
    else
        buffer_append_string(problems, "\n");
    buffer_append_bytes(problems, buffer_bytes(&config->unready));
    if (err == OK)
        err = tokens_err;
    return err == OK && config->unready.size > 0 ? ERR_INVALID : err;
}

/* ---- running ---- */

struct engine *site_engine(struct site *site)
{
    return site->engine;
}

void site_reload(struct site *site)
{
    char problem[TOKENS_PROBLEM_SIZE];
    enum err err = tokens_reload(site->tokens);
    tokens_problem(site->tokens, problem);
    log_event(err == OK ? LOG_EVENT_INFO : LOG_EVENT_ERROR, "node.reloaded", "tokens",
              err == OK ? "OK" : problem, "note", "configuration and keys are read at start only",
              NULL);
}

/* ---- stopping ---- */

static void on_replicator_closed(void *context)
{
    struct site *site = context;
    uv_close((uv_handle_t *)&site->limit, NULL);
    uv_close((uv_handle_t *)&site->again, NULL);
}

/* Something of the network hangs; the stores need not wait for it. They stay open: the verifier and the
 * loop's pool still read them, and end with the process. */
static void on_stop_limit(uv_timer_t *timer)
{
    struct site *site = timer->data;
    log_event(LOG_EVENT_WARNING, "node.stop_late", "reason", "links did not end in time", NULL);
    engine_finish(site->engine);
    _exit(EXIT_STOPPED);
}

void site_stop(struct site *site)
{
    if (site->stopping)
        return;
    site->stopping = true;
    sd_notify(0, "STOPPING=1\nSTATUS=stopping");
    if (site->api) {
        api_set_ready(site->api, false);
        api_stop(site->api);
        site->api = NULL;
    }
    if (!site->running)
        return;
    uv_timer_stop(&site->again);
    uv_timer_start(&site->limit, on_stop_limit, STOP_LIMIT_MS, 0);
    replicator_close(site->replicator, on_replicator_closed, site);
}

void site_close(struct site *site)
{
    verifier_stop(atomic_load(&site->verifier));
    if (site->engine)
        engine_stop(site->engine);
    replicator_free(site->replicator); /* the engine called it until now */
    if (site->tokens)
        tokens_close(site->tokens);
    if (site->has_keyring)
        keyring_close(&site->keyring);
    if (site->lock >= 0)
        close(site->lock);
    free(site);
}
