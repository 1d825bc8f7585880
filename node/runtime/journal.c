/* The journal beside log/ (guarantees I1, I9; storage/journal.h, storage/restore.h).
 *
 * At start both are compared and made whole. While the node runs, each transaction's entry is written
 * and synced by a thread of its own while LMDB commits, and what waits for the transaction is
 * answered when both have returned. Of errors:
 *
 *   LMDB says ERR_IO            the process stops, as without a journal
 *   LMDB says anything else     the entry is taken back, durably, before the group is told
 *   no room for the entry       the group fails with ERR_FULL before anything is written; intake is
 *                               refused until there is room
 *   the journal says ERR_IO     it is lost: the loss of one device does not silence 111. The node goes
 *                               on with log/ alone, an alarm stands, and what is acknowledged from
 *                               then on is on one device. The next start makes the journal again
 *   both fail                   the process stops
 *
 * A process that a damaged log/ ends by a signal says nothing. So a mark stands in the folder while it
 * is opened: when three starts in a row have left it there, log/ counts as damaged. */
#include "node/runtime/engine_parts.h"

#include "node/runtime/log.h"
#include "proto/base/bug.h"
#include "storage/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE      4200
#define OPENING_LIMIT  3 /* starts that ended while they opened log/, or what counts for as many */
#define PREPARE_SIZE   ((size_t)64 << 10)
#define PREPARE_SIZE_IDLE ((size_t)4 << 20)
#define ASIDE_MAX      1000

/* ---- lost -------------------------------------------------------------------------------------- */

/* From here on there is none until the next start. */
static void journal_lose(struct engine *engine, const char *what)
{
    if (!SAMAD_BUG(JOURNAL_LOSS_SILENT))
        log_event(LOG_EVENT_ERROR, "journal.lost", "path", engine->options.journal_path, "what",
                  what, "action",
                  "recording goes on in log/ alone; put the disk in order and restart", NULL);
    log_store_note_changes(engine->logs, NULL);
    engine_lock(engine);
    engine->journal_status.state = JOURNAL_LOST;
    engine->journal_status.full = false;
    engine->journal_status.since_ms = engine_wall_ms();
    snprintf(engine->journal_status.problem, sizeof engine->journal_status.problem, "%.255s", what);
    engine_unlock(engine);
    journal_close(engine->journal);
    engine->journal = NULL;
    journal_entry_clear(&engine->journal_entry);
}

static void journal_lose_failed(struct engine *engine, enum err err)
{
    char what[256];
    const char *said = journal_failure(engine->journal);
    snprintf(what, sizeof what, "%s", *said ? said : err_text(err));
    journal_lose(engine, what);
}

/* ---- log/ set aside ---------------------------------------------------------------------------- */

static void log_path(const struct engine *engine, char out[PATH_SIZE], const char *name)
{
    snprintf(out, PATH_SIZE, "%.4000s/%s", engine->options.path, name);
}

static unsigned opening_count(const struct engine *engine)
{
    char path[PATH_SIZE], text[8] = "";
    log_path(engine, path, "log/opening");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    return size > 0 ? (unsigned)strtoul(text, NULL, 10) : 0;
}

/* Best effort: without it only a log/ that ends the process by a signal is not seen. */
static void opening_mark(const struct engine *engine, unsigned count)
{
    char path[PATH_SIZE], text[16];
    log_path(engine, path, "log/opening");
    if (count == 0) {
        unlink(path);
        return;
    }
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return;
    int size = snprintf(text, sizeof text, "%u\n", count);
    ssize_t written = write(file, text, (size_t)size);
    (void)written;
    close(file);
}

static enum err log_set_aside(struct engine *engine, const char *why)
{
    char from[PATH_SIZE], to[PATH_SIZE];
    char *name = engine->journal_status.aside;
    struct stat status;
    log_path(engine, from, "log");
    unsigned number = 1;
    do {
        snprintf(name, sizeof engine->journal_status.aside, "log.damaged-%u", number);
        log_path(engine, to, name);
    } while (stat(to, &status) == 0 && number++ < ASIDE_MAX);
    if (rename(from, to) != 0) {
        *name = '\0';
        return ERR_IO;
    }
    int folder = open(engine->options.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err err = folder >= 0 && fsync(folder) == 0 ? OK : ERR_IO;
    if (folder >= 0)
        close(folder);
    log_event(LOG_EVENT_ERROR, "log.set_aside", "folder", to, "why", why, "action",
              "made again from the journal; erasures do not reach that folder: remove it when it "
              "was looked at",
              NULL);
    return err;
}

/* ---- opening ----------------------------------------------------------------------------------- */

/* Errors that mean the configuration and not a device. */
static bool journal_err_refuses(enum err err)
{
    return err == ERR_CONFLICT || err == ERR_VERSION || err == ERR_BUSY || err == ERR_INVALID;
}

static enum err journal_open_configured(struct engine *engine, struct journal_report *report)
{
    struct journal_options options = { .path = engine->options.journal_path,
                                       .node = engine->node,
                                       .segment_size = engine->options.journal_segment_size,
                                       .keep_size = engine->options.journal_keep_size };
    struct journal_status *status = &engine->journal_status;
    status->path = options.path;
    status->since_ms = engine_wall_ms();
    enum err err = journal_open(&engine->journal, &options, report);
    if (err == OK) {
        status->state = JOURNAL_GOOD;
        return OK;
    }
    if (journal_err_refuses(err)) {
        if (engine->options.journal_refused != NULL)
            *engine->options.journal_refused = true;
        return err;
    }
    status->state = JOURNAL_LOST;
    snprintf(status->problem, sizeof status->problem, "it cannot be opened: %s",
             err == ERR_NOT_FOUND ? "no such folder (is the disk mounted?)" : err_text(err));
    log_event(LOG_EVENT_ERROR, "journal.lost", "path", options.path, "what", status->problem,
              "action", "recording goes on in log/ alone; put the disk in order and restart", NULL);
    return OK;
}

static enum err log_open(struct engine *engine)
{
    char path[PATH_SIZE];
    log_path(engine, path, "log");
    struct log_store_options options = {
        .path = path,
        .node = engine->node,
        .data_key = engine->options.data_key,
        .map_size = engine->options.map_size,
        .reserve_size = engine->options.reserve_size,
        .create = true,
        .check_pages = engine->journal != NULL,
    };
    return log_store_open(&engine->logs, &options);
}

static void tell_losses(const struct restore_report *report)
{
    for (size_t i = 0; i < report->loss_count; i++) {
        const struct restore_loss *loss = &report->losses[i];
        char origin[LOG_ORIGIN_SIZE_MAX + 1];
        log_id_origin(&loss->log, origin);
        log_event(LOG_EVENT_ERROR, "journal.loss", "log", origin, "first",
                  log_number((int64_t)loss->first), "count", log_number((int64_t)loss->count),
                  "what", loss->person ? "the person part" : "the records", "note",
                  "neither in log/ nor in the journal; what a hub holds of them comes back from it",
                  NULL);
    }
}

static void tell_restored(const struct journal_report *opened, const struct restore_report *report,
                          bool remade)
{
    if (opened->torn)
        log_event(LOG_EVENT_INFO, "journal.cut", "bytes", log_number((int64_t)opened->torn_size),
                  "note", "an entry that was being written when the process ended", NULL);
    if (remade || opened->is_new)
        log_event(remade || report->copied > 0 ? LOG_EVENT_WARNING : LOG_EVENT_INFO,
                  "journal.made", "why",
                  opened->is_new ? "there was none" : "it was damaged", "batches",
                  log_number((int64_t)report->copied), NULL);
    else if (report->copied > 0)
        log_event(LOG_EVENT_INFO, "journal.caught_up", "batches",
                  log_number((int64_t)report->copied), NULL);
    if (report->records > 0)
        log_event(LOG_EVENT_WARNING, "log.rebuilt", "records",
                  log_number((int64_t)report->records), "from", "the journal", NULL);
    if (report->repaired > 0)
        log_event(LOG_EVENT_WARNING, "log.repaired", "batches",
                  log_number((int64_t)report->repaired), "from", "the journal", NULL);
    if (report->rows > 0 || report->dropped > 0 || report->cut > 0 || report->evidence_lost > 0)
        log_event(LOG_EVENT_WARNING, "log.mended", "rows", log_number((int64_t)report->rows),
                  "dropped", log_number((int64_t)report->dropped), "logs_cut",
                  log_number((int64_t)report->cut), "evidence_lost",
                  log_number((int64_t)report->evidence_lost), "note",
                  "what was dropped or cut comes again from the hubs", NULL);
    if (report->waiting > 0)
        log_event(LOG_EVENT_ERROR, "journal.waiting", "records",
                  log_number((int64_t)report->waiting), "note",
                  "they come back when the hubs have handed back what is before them", NULL);
    tell_losses(report);
}

static void journal_look(struct engine *engine)
{
    struct journal_space space;
    journal_space_get(engine->journal, &space);
    engine_lock(engine);
    engine->journal_status.size = space.size;
    engine->journal_status.segments = space.segments;
    engine->journal_status.full = journal_touches_reserve(engine->journal);
    engine_unlock(engine);
}

static void journal_warn_of_device(struct engine *engine)
{
    struct journal_space space;
    struct stat status;
    journal_space_get(engine->journal, &space);
    if (stat(engine->options.path, &status) != 0 || (uint64_t)status.st_dev != space.device)
        return;
    engine->journal_status.same_device = true;
    log_event(LOG_EVENT_WARNING, "journal.same_device", "path", engine->options.journal_path,
              "note", "the data folder is on the same device: its loss takes both", NULL);
}

static struct restore_keys keys_of(const struct engine *engine)
{
    return (struct restore_keys){ .own = &engine->options.log_key->public,
                                  .of = engine->options.other_log_key,
                                  .context = engine->options.context };
}

static enum err log_restore(struct engine *engine, const struct journal_report *opened)
{
    struct restore_report report;
    enum err journal_err;
    bool remake = journal_is_damaged(opened) || opened->persons_damaged > 0;
    struct restore_keys keys = keys_of(engine);
    enum err err =
        restore_run(engine->logs, engine->journal, &keys, remake, &report, &journal_err);
    engine->journal_status.rebuilt += report.records;
    engine->journal_status.waiting = report.waiting;
    engine->journal_status.given_up = report.given_up;
    engine->journal_status.lost = report.lost;
    if (err != OK)
        return err;
    tell_restored(opened, &report, remake || report.spoiled > 0);
    if (journal_err != OK)
        journal_lose_failed(engine, journal_err);
    return OK;
}

/* A row that cannot be read is passed over, as by everybody: verification tells it. */
static enum err log_restore_identities(struct engine *engine)
{
    uint64_t rows;
    enum err err = restore_identities(engine->logs, &rows);
    if (rows > 0)
        log_event(LOG_EVENT_WARNING, "log.mended", "rows", log_number((int64_t)rows), NULL);
    return err == ERR_IO || err == ERR_NOMEM ? err : OK;
}

/* Opens log/, brings it and the journal together, and looks at its end. */
static enum err log_open_whole(struct engine *engine, const struct journal_report *opened)
{
    enum err err = log_open(engine);
    if (err == OK && engine->journal != NULL)
        err = log_restore(engine, opened);
    else if (err == OK)
        err = log_restore_identities(engine);
    if (err == OK)
        err = tail_verify(engine->logs, engine->node, &engine->options.log_key->public);
    if (err != OK && engine->logs != NULL) {
        log_store_close(engine->logs);
        engine->logs = NULL;
    }
    return err;
}

/* What the journal can make good again. Under another key nothing would verify: then the keys are
 * wrong, and everything is left as it is. */
static bool log_can_be_made_again(struct engine *engine, enum err err,
                                  const struct journal_report *opened)
{
    bool damaged = err == ERR_CORRUPT || err == ERR_MALFORMED || err == ERR_COMMITMENT ||
                   err == ERR_SIGNATURE;
    return damaged && engine->journal != NULL && opened->entries > 0 &&
           restore_key_fits(engine->journal, &engine->options.log_key->public);
}

void engine_distrust_log(struct engine *engine)
{
    struct store_txn txn = store_begin_read(log_store_environment(engine->logs));
    bool promised = txn.err != OK || log_gives_receipts(engine->logs, &txn);
    store_abort(&txn);
    if (engine->journal != NULL && !promised)
        opening_mark(engine, OPENING_LIMIT);
}

enum err engine_open_log(struct engine *engine)
{
    struct journal_report opened = { 0 };
    enum err err = OK;
    if (engine->options.journal_path != NULL)
        err = journal_open_configured(engine, &opened);
    if (err != OK)
        return err;
    unsigned tries = engine->journal != NULL ? opening_count(engine) : 0;
    if (tries < OPENING_LIMIT) {
        if (engine->journal != NULL)
            opening_mark(engine, tries + 1);
        err = log_open_whole(engine, &opened);
    } else {
        err = ERR_CORRUPT;
    }
    if (log_can_be_made_again(engine, err, &opened)) {
        err = log_set_aside(engine, tries < OPENING_LIMIT ? err_text(err)
                                                          : "the starts before this one did not come to their end with it");
        if (err == OK) {
            tries = 0; /* of the new one */
            err = log_open_whole(engine, &opened);
        }
    }
    if (err != OK) { /* told, as a full disk is: only a start that dies of log/ is held against it */
        if (engine->journal != NULL)
            opening_mark(engine, tries);
        return err;
    }
    opening_mark(engine, 0);
    if (engine->journal != NULL) {
        log_store_note_changes(engine->logs, &engine->journal_entry);
        journal_warn_of_device(engine);
        journal_look(engine);
    }
    return OK;
}

/* ---- the thread that writes -------------------------------------------------------------------- */

static void *journal_thread_main(void *argument)
{
    struct engine *engine = argument;
    engine_lock(engine);
    for (;;) {
        while (!engine->journal_asked && !engine->journal_ends)
            pthread_cond_wait(&engine->journal_wake, &engine->lock);
        if (!engine->journal_asked)
            break;
        engine_unlock(engine);
        enum err err = journal_append(engine->journal, &engine->journal_entry);
        engine_lock(engine);
        engine->journal_err = err;
        engine->journal_asked = false;
        pthread_cond_signal(&engine->journal_answered);
    }
    engine_unlock(engine);
    return NULL;
}

enum err journal_start_thread(struct engine *engine)
{
    if (engine->journal == NULL)
        return OK;
    if (pthread_create(&engine->journal_thread, NULL, journal_thread_main, engine) != 0)
        return ERR_NOMEM;
    pthread_setname_np(engine->journal_thread, "samad-journal");
    engine->journal_runs = true;
    return OK;
}

/* The log thread has ended: nothing is asked any more. */
void journal_stop_thread(struct engine *engine)
{
    if (!engine->journal_runs)
        return;
    engine_lock(engine);
    engine->journal_ends = true;
    pthread_cond_signal(&engine->journal_wake);
    engine_unlock(engine);
    pthread_join(engine->journal_thread, NULL);
    engine->journal_runs = false;
}

static void journal_ask(struct engine *engine)
{
    engine_lock(engine);
    engine->journal_asked = true;
    pthread_cond_signal(&engine->journal_wake);
    engine_unlock(engine);
}

static enum err journal_wait(struct engine *engine)
{
    engine_lock(engine);
    while (engine->journal_asked)
        pthread_cond_wait(&engine->journal_answered, &engine->lock);
    enum err err = engine->journal_err;
    engine_unlock(engine);
    return err;
}

/* ---- one transaction --------------------------------------------------------------------------- */

/* Whether the entry goes into the journal. ERR_FULL and ERR_NOMEM fail the transaction. */
static enum err journal_admit(struct engine *engine, bool *writes)
{
    struct journal_entry *entry = &engine->journal_entry;
    *writes = false;
    if (engine->journal == NULL || (entry->count == 0 && entry->err == OK))
        return OK;
    enum err err = entry->err;
    if (err == OK)
        err = journal_make_room(engine->journal, journal_entry_size(entry));
    *writes = err == OK;
    if (err == ERR_FULL) {
        engine_lock(engine);
        engine->journal_status.full = true;
        engine_unlock(engine);
    }
    if (err == OK || err == ERR_FULL || err == ERR_NOMEM)
        return err;
    journal_lose_failed(engine, err);
    return OK;
}

/* What was erased in log/ goes from the journal as well, before anybody is told. */
static enum err journal_erase_all(struct engine *engine)
{
    const struct journal_entry *entry = &engine->journal_entry;
    enum err err = OK;
    for (size_t i = 0; i < entry->erase_count && err == OK; i++)
        err = journal_erase(engine->journal, &entry->erases[i].log, entry->erases[i].position);
    return err;
}

enum err journal_commit(struct engine *engine, struct store_txn *txn)
{
    bool writes;
    enum err err = journal_admit(engine, &writes);
    if (err != OK) {
        store_abort(txn);
        return err;
    }
    if (!writes)
        return store_commit(txn);
    journal_ask(engine);
    err = store_commit(txn);
    enum err journal_err = journal_wait(engine);
    if (err == ERR_IO)
        return err;
    if (err != OK) /* else a restart would bring what is refused now */
        return journal_err == OK && journal_undo(engine->journal) == OK ? err : ERR_IO;
    if (journal_err == OK)
        journal_err = journal_erase_all(engine);
    if (journal_err != OK)
        journal_lose_failed(engine, journal_err);
    return OK;
}

/* ---- besides ----------------------------------------------------------------------------------- */

static void journal_prepare_some(struct engine *engine, size_t size)
{
    enum err err = journal_prepare(engine->journal, size);
    if (err != OK && err != ERR_FULL && err != ERR_NOMEM)
        journal_lose_failed(engine, err);
}

/* Room is judged after each transaction, not left to the tick: what is refused for want of it should
 * be refused before it is decided. */
void journal_keep_up(struct engine *engine, size_t written)
{
    if (engine->journal != NULL && written > 0)
        journal_prepare_some(engine, PREPARE_SIZE + 2 * written);
    if (engine->journal == NULL || written == 0 || !journal_touches_reserve(engine->journal))
        return;
    engine_lock(engine);
    engine->journal_status.full = true;
    engine_unlock(engine);
}

struct national_context {
    struct engine *engine;
    struct store_txn *txn;
};

/* As many hubs as the policy asks for have given receipts for so much of a log. */
static uint64_t log_national(void *context, const struct log_id *id)
{
    struct national_context *national = context;
    struct engine *engine = national->engine;
    uint32_t number;
    if (log_find(engine->logs, national->txn, id, &number) != OK)
        return 0;
    return log_receipted_size(engine->logs, national->txn, number,
                              engine->options.national_receipts);
}

static void journal_recycle_some(struct engine *engine)
{
    struct store_txn txn = store_begin_read(log_store_environment(engine->logs));
    struct national_context context = { engine, &txn };
    enum err err = journal_recycle(engine->journal, log_national, &context);
    store_abort(&txn);
    if (err != OK && err != ERR_FULL && err != ERR_NOMEM)
        journal_lose_failed(engine, err);
}

static void tell_put_back(struct engine *engine, struct bytes ids)
{
    struct log_id log;
    for (size_t at = 0; at < ids.size && engine->options.on_put_back != NULL; at += sizeof log) {
        memcpy(&log, ids.data + at, sizeof log);
        engine->options.on_put_back(engine->options.context, &log);
    }
}

/* What waited for a hub's hand-back goes behind it, as soon as that is there. */
static void journal_put_back_waiting(struct engine *engine)
{
    struct restore_report report;
    struct buffer grown = { 0 };
    if (engine->journal_status.waiting == 0 && engine->journal_status.given_up == 0)
        return;
    struct restore_keys keys = keys_of(engine);
    enum err err = restore_waiting(engine->logs, engine->journal, &keys, &report, &grown);
    if (err == ERR_IO || err == ERR_CORRUPT)
        engine_fail(engine, ERR_IO, store_failure(log_store_environment(engine->logs)));
    else
        tell_put_back(engine, buffer_bytes(&grown));
    buffer_close(&grown);
    if (err != OK)
        return;
    engine_lock(engine);
    engine->journal_status.waiting = report.waiting;
    engine->journal_status.given_up = report.given_up;
    engine->journal_status.rebuilt += report.records;
    engine_unlock(engine);
    if (report.records == 0)
        return;
    log_event(LOG_EVENT_WARNING, "log.rebuilt", "records", log_number((int64_t)report.records),
              "from", "the journal, behind what was handed back", NULL);
}

void journal_tick(struct engine *engine)
{
    if (engine->journal != NULL)
        journal_prepare_some(engine, PREPARE_SIZE_IDLE);
    if (engine->journal != NULL)
        journal_recycle_some(engine);
    if (engine->journal != NULL)
        journal_put_back_waiting(engine);
    if (engine->journal != NULL)
        journal_look(engine);
}
