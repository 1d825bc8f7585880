#include "node/runtime/verifier.h"

#include "node/runtime/log.h"
#include "node/runtime/priority.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STEP_MS = 100, SAVE_EVERY_S = 60, CURSOR_SIZE_MAX = 16 << 20 };

/* From the beginning of a round to that of the next. What is served is checked anyway; a round finds
 * what nobody asked for, and that only has to be known while another copy of it is whole. With an hour
 * between rounds a province of eight million records would have read a hundred gigabytes a day. */
#define ROUND_EVERY_MS (24 * 3600 * INT64_C(1000))
/* After one that found damage: whether it is mended is to be seen soon, and asked for again if not. */
#define ROUND_AFTER_DAMAGE_MS (3600 * INT64_C(1000))

struct verifier {
    struct verifier_options options;
    char path[4096];
    struct verify verify;
    int64_t began_ms; /* the round; of one that another process began: when this one took over */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
    struct verifier_status status;
    uint64_t told; /* failures already logged */
};

/* ---- the cursor's file ----------------------------------------------------------------------- */

static void cursor_load(struct verifier *verifier)
{
    struct buffer saved = { 0 };
    FILE *file = fopen(verifier->path, "re");
    if (!file)
        return;
    uint8_t *room = buffer_reserve(&saved, CURSOR_SIZE_MAX);
    if (room)
        saved.size = fread(room, 1, CURSOR_SIZE_MAX, file);
    fclose(file);
    if (saved.err == OK && verify_load(&verifier->verify, buffer_bytes(&saved)) != OK)
        log_event(LOG_EVENT_INFO, "verify.anew", "reason", "the saved cursor is not readable", NULL);
    buffer_close(&saved);
}

/* A lost cursor costs a new round, nothing else: no error is raised. */
static void cursor_save(struct verifier *verifier)
{
    struct buffer saved = { 0 };
    char temporary[4200];
    snprintf(temporary, sizeof temporary, "%s.new", verifier->path);
    verify_save(&verifier->verify, &saved);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
        bool good = saved.err == OK && write(fd, saved.data, saved.size) == (ssize_t)saved.size;
        close(fd);
        if (!good || rename(temporary, verifier->path) != 0)
            unlink(temporary);
    }
    buffer_close(&saved);
}

/* ---- the rounds -------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool rest(struct verifier *verifier, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&verifier->lock);
    int waited = 0;
    while (!verifier->stopping && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&verifier->wake, &verifier->lock, &until);
    bool stopping = verifier->stopping;
    pthread_mutex_unlock(&verifier->lock);
    return !stopping;
}

/* Faults of batches. What the tables beside them lack is made again at a start, or told. */
static bool can_be_mended(const struct verify_failure *failure, uint64_t *position)
{
    bool note = failure->fault == VERIFY_NOTE; /* names a size: of the batch that ends there */
    *position = failure->position - (note && failure->position > 0);
    return note || failure->fault == VERIFY_RECORD || failure->fault == VERIFY_PERSON ||
           failure->fault == VERIFY_LEAF || failure->fault == VERIFY_BATCH ||
           failure->fault == VERIFY_FRONTIER;
}

static void tell_one(const struct verifier *verifier, const struct verify_failure *failure)
{
    const struct verifier_options *options = &verifier->options;
    uint64_t position;
    bool asks = can_be_mended(failure, &position) && options->on_damage;
    log_event(LOG_EVENT_ERROR, "verify.failed", "fault", verify_fault_name(failure->fault),
              "log_number", log_number(failure->number), "position",
              log_number((int64_t)failure->position), "count",
              log_number((int64_t)failure->count), "action",
              asks ? "nothing of it is served; who else holds it is asked for it"
                   : "nothing of it is served; keep the disk and run samadctl log verify",
              NULL);
    if (asks)
        options->on_damage(options->context, failure->number, position);
}

static void tell(struct verifier *verifier, bool complete)
{
    const struct verify_report *report = &verifier->verify.report;
    for (; verifier->told < report->failures && verifier->told < report->list_count;
         verifier->told++)
        tell_one(verifier, &report->list[verifier->told]);
    pthread_mutex_lock(&verifier->lock);
    verifier->status.records = report->records;
    if (complete || report->failures > 0)
        verifier->status.failures = report->failures;
    verifier->status.rounds += complete;
    pthread_mutex_unlock(&verifier->lock);
}

/* One that took longer than that is followed by the next at once. */
static bool rest_after_round(struct verifier *verifier)
{
    int64_t every_ms = verifier->status.failures > 0 ? ROUND_AFTER_DAMAGE_MS : ROUND_EVERY_MS;
    int64_t left_ms = verifier->began_ms + every_ms - now_ms();
    bool goes_on = left_ms <= 0 || rest(verifier, left_ms);
    verifier->began_ms = now_ms();
    return goes_on;
}

static enum err round_begin(struct verifier *verifier)
{
    verify_close(&verifier->verify);
    verifier->told = 0;
    return verify_open(&verifier->verify, verifier->options.logs, verifier->options.key,
                       verifier->options.context);
}

static void *verifier_run(void *context)
{
    struct verifier *verifier = context;
    const size_t budget = (size_t)(verifier->options.rate * STEP_MS / 1000) + 1;
    unsigned steps = 0;
    enum err err = OK;
    priority_idle();
    verifier->began_ms = now_ms();
    while (err == OK && rest(verifier, STEP_MS)) {
        struct store_txn txn = store_begin_read(log_store_environment(verifier->options.logs));
        err = verify_step(&verifier->verify, &txn, budget);
        store_abort(&txn);
        tell(verifier, err == ERR_END);
        if (err == ERR_END) {
            log_event(LOG_EVENT_INFO, "verify.complete", "records",
                      log_number((int64_t)verifier->verify.report.records), "failures",
                      log_number((int64_t)verifier->verify.report.failures), NULL);
            err = round_begin(verifier);
            cursor_save(verifier);
            if (err == OK && !rest_after_round(verifier))
                break;
        } else if (++steps % (SAVE_EVERY_S * 1000 / STEP_MS) == 0) {
            cursor_save(verifier);
        }
    }
    if (err != OK)
        log_event(LOG_EVENT_ERROR, "verify.stopped", "error", err_name(err), NULL);
    cursor_save(verifier);
    return NULL;
}

enum err verifier_start(struct verifier **out, const struct verifier_options *options)
{
    *out = NULL;
    if (options->rate == 0)
        return OK;
    struct verifier *verifier = calloc(1, sizeof *verifier);
    if (!verifier)
        return ERR_NOMEM;
    verifier->options = *options;
    snprintf(verifier->path, sizeof verifier->path, "%s/verify", options->folder);
    enum err err = verify_open(&verifier->verify, options->logs, options->key, options->context);
    if (err != OK) {
        free(verifier);
        return err;
    }
    cursor_load(verifier);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&verifier->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&verifier->lock, NULL);
    if (pthread_create(&verifier->thread, NULL, verifier_run, verifier) != 0) {
        verify_close(&verifier->verify);
        free(verifier);
        return ERR_NOMEM;
    }
    *out = verifier;
    return OK;
}

void verifier_stop(struct verifier *verifier)
{
    if (!verifier)
        return;
    pthread_mutex_lock(&verifier->lock);
    verifier->stopping = true;
    pthread_cond_signal(&verifier->wake);
    pthread_mutex_unlock(&verifier->lock);
    pthread_join(verifier->thread, NULL);
    pthread_cond_destroy(&verifier->wake);
    pthread_mutex_destroy(&verifier->lock);
    verify_close(&verifier->verify);
    free(verifier);
}

void verifier_status(struct verifier *verifier, struct verifier_status *status)
{
    *status = (struct verifier_status){ 0 };
    if (!verifier)
        return;
    pthread_mutex_lock(&verifier->lock);
    *status = verifier->status;
    pthread_mutex_unlock(&verifier->lock);
}
