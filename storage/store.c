#include "storage/store_private.h"

#include "proto/base/bug.h"
#include "proto/base/require.h"
#include "storage/paced_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_READER_MAX 512
#define STORE_MODE       0600
#define STORE_MAP_STEP   ((size_t)1 << 20)
/* Below this a sync is short, and looking through the whole file for its pages is not. */
#define PACED_CHANGES_MIN 4096

/* ---- errors ---------------------------------------------------------------------------------- */

static enum err err_of_lmdb(int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return OK;
    case MDB_NOTFOUND:
        return ERR_NOT_FOUND;
    case MDB_MAP_FULL:
        return ERR_MAP_FULL;
    case MDB_TXN_FULL:
        return ERR_TOO_LARGE;
    case MDB_READERS_FULL:
        return ERR_BUSY;
    case MDB_VERSION_MISMATCH:
        return ERR_VERSION;
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PAGE_FULL:
    case MDB_CURSOR_FULL:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_TXN: /* an earlier call met a page that is not one */
    case MDB_BAD_DBI:
    case MDB_BAD_VALSIZE:
        return ERR_CORRUPT;
    case ENOMEM:
        return ERR_NOMEM;
    case ENOSPC:
    case EDQUOT:
        return ERR_FULL;
    default:
        return ERR_IO;
    }
}

enum err store_remember_failure(struct store *store, const char *what, int code, enum err err)
{
    bool fatal = err == ERR_IO || err == ERR_CORRUPT;
    pthread_mutex_lock(&store->gate);
    if (store->failure[0] == '\0' || (fatal && !atomic_load(&store->poisoned)))
        snprintf(store->failure, sizeof store->failure, "%s %s: %s", what, store->path,
                 mdb_strerror(code));
    if (fatal && !store->read_only)
        atomic_store(&store->poisoned, true);
    if (err == ERR_CORRUPT)
        store_mark_damage(store);
    pthread_mutex_unlock(&store->gate);
    return err;
}

enum err store_condemn(struct store *store, const char *what)
{
    return store_remember_failure(store, what, MDB_CORRUPTED, ERR_CORRUPT);
}

const char *store_failure(const struct store *store)
{
    return store->failure;
}

/* A transaction keeps its first error. */
static enum err store_fail(struct store_txn *txn, const char *what, int code)
{
    enum err err = err_of_lmdb(code);
    if (err == OK || txn->err != OK)
        return txn->err;
    if (err == ERR_NOT_FOUND)
        err = ERR_CORRUPT; /* of an operation that cannot miss */
    txn->err = store_remember_failure(txn->store, what, code, err);
    return txn->err;
}

/* ---- open and close -------------------------------------------------------------------------- */

static size_t map_size_for(const struct store_options *options)
{
    char file[STORE_NAME_SIZE];
    struct stat status;
    size_t size = options->map_size;
    if (store_name_in(file, options->path, "data.mdb") == OK && stat(file, &status) == 0 &&
        (size_t)status.st_size > size)
        size = (size_t)status.st_size;
    return (size + STORE_MAP_STEP - 1) / STORE_MAP_STEP * STORE_MAP_STEP;
}

static int tables_open(struct store *store, const struct store_options *options)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, store->read_only ? MDB_RDONLY : 0, &txn);
    if (code != 0)
        return code;
    for (unsigned i = 0; code == 0 && i < options->table_count; i++)
        code = mdb_dbi_open(txn, options->tables[i], store->read_only ? 0 : MDB_CREATE,
                            &store->tables[i]);
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn); /* for a reader too: it is what keeps the handles */
}

/* A file that ends before its last used page would kill the process on access. */
static enum err store_check_file(struct store *store)
{
    struct stat status;
    if (fstat(store->file, &status) != 0)
        return ERR_IO;
    atomic_store(&store->file_size, (uint64_t)status.st_size);
    return (uint64_t)status.st_size < store_used_size(store) ? ERR_CORRUPT : OK;
}

/* LMDB ends the process after this call. */
static void store_on_assertion(MDB_env *env, const char *message)
{
    (void)message; /* LMDB prints it */
    store_mark_damage(mdb_env_get_userctx(env));
}

static enum err store_open_environment(struct store *store, const struct store_options *options)
{
    unsigned flags = MDB_NOTLS | (options->read_only ? MDB_RDONLY : 0);
    flags |= SAMAD_BUG(NO_SYNC) ? MDB_NOSYNC : SAMAD_BUG(NO_ROOT_SYNC) ? MDB_NOMETASYNC : 0;
#ifdef SAMAD_NO_SYNC
    flags |= MDB_NOSYNC; /* a build that tests use to prove that they notice */
#endif
    int code = mdb_env_create(&store->env);
    if (code == 0)
        code = mdb_env_set_userctx(store->env, store);
    if (code == 0)
        code = mdb_env_set_assert(store->env, store_on_assertion);
    if (code == 0)
        code = mdb_env_set_maxdbs(store->env, options->table_count);
    if (code == 0)
        code = mdb_env_set_maxreaders(store->env, STORE_READER_MAX);
    if (code == 0)
        code = mdb_env_set_mapsize(store->env, map_size_for(options));
    if (code == 0)
        code = mdb_env_open(store->env, options->path, flags, STORE_MODE);
    if (code == 0)
        code = mdb_env_get_fd(store->env, &store->file);
    if (code == ENOENT)
        return ERR_NOT_FOUND;
    if (code == EAGAIN)
        return ERR_BUSY;
    if (code != 0)
        return err_of_lmdb(code);
    /* Two writing processes would each keep a memory of their own; LMDB alone would let them. */
    if (!store->read_only && flock(store->file, LOCK_EX | LOCK_NB) != 0)
        return ERR_BUSY;
    enum err err = store_check_file(store);
    if (err == OK && options->check_pages) /* before LMDB follows any of them */
        err = store_check_pages(store->file);
    if (err != OK)
        return err;
    MDB_stat statistics;
    mdb_env_stat(store->env, &statistics);
    store->page_size = statistics.ms_psize;
    code = tables_open(store, options);
    if (code == MDB_NOTFOUND)
        return ERR_NOT_FOUND; /* read-only, and its writer has not made the tables yet */
    return err_of_lmdb(code);
}

/* A map of twice what is used lets most runs go without growing it. */
static enum err store_size_map(struct store *store)
{
    MDB_envinfo info;
    mdb_env_info(store->env, &info);
    uint64_t wanted = 2 * store_used_size(store);
    if (!store->read_only && info.me_mapsize < wanted) {
        int code = mdb_env_set_mapsize(store->env, wanted);
        if (code != 0)
            return err_of_lmdb(code);
        mdb_env_info(store->env, &info);
    }
    atomic_store(&store->map_size, info.me_mapsize);
    return OK;
}

/* 0.9.26 to 0.9.31 can lose the writer's lock when its holder dies. */
static bool library_is_usable(void)
{
    int major, minor, patch;
    mdb_version(&major, &minor, &patch);
    return major == 0 && minor == 9 && (patch < 26 || patch > 31);
}

/* What a killed process wrote stands in the page cache, and perhaps not on the device yet. It is
 * read from now on, so it must not go with the next power cut. */
static enum err store_make_durable(struct store *store)
{
    if (store->read_only || fdatasync(store->file) == 0)
        return OK;
    return store_remember_failure(store, "sync", errno, ERR_IO);
}

enum err store_open_existing(struct store **out, const struct store_options *options)
{
    if (!library_is_usable())
        return ERR_VERSION;
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return ERR_NOMEM;
    pthread_mutex_init(&store->gate, NULL);
    pthread_cond_init(&store->gate_changed, NULL);
    store->read_only = options->read_only;
    store->disposable = options->disposable && !options->read_only;
    store->paced = options->paced;
    store->reserve_size = options->reserve_size;
    store->table_count = options->table_count;
    store->path = strdup(options->path);
    enum err err = store->path ? store_guard_add(store) : ERR_NOMEM;
    store_guard_enter(store);
    if (err == OK)
        err = store_open_environment(store, options);
    if (err == OK)
        err = store_make_durable(store);
    if (err == OK)
        err = store_size_map(store);
    store_guard_leave(store);
    if (err != OK) {
        store_close(store);
        return err;
    }
    store_check_readers(store);
    if (!store->read_only)
        store_extend(store); /* lack of room is a state, not a failure to open */
    *out = store;
    return OK;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    require(store->readers == 0);
    for (unsigned i = 0; i < store->idle_count; i++)
        mdb_txn_abort(store->idle[i]);
    if (store->env)
        mdb_env_close(store->env);
    store_guard_remove(store);
    pthread_cond_destroy(&store->gate_changed);
    pthread_mutex_destroy(&store->gate);
    free(store->mark);
    free(store->path);
    free(store);
}

/* ---- the gate -------------------------------------------------------------------------------- */

static void *gate_enter(struct store *store)
{
    pthread_mutex_lock(&store->gate);
    while (store->map_changing)
        pthread_cond_wait(&store->gate_changed, &store->gate);
    store->readers++;
    void *idle = store->idle_count > 0 ? store->idle[--store->idle_count] : NULL;
    pthread_mutex_unlock(&store->gate);
    return idle;
}

/* Leaves; keeps `idle`, a reset transaction, for the next reader. Gives back what there is no
 * place for. */
static void *gate_leave(struct store *store, void *idle)
{
    pthread_mutex_lock(&store->gate);
    if (idle && store->idle_count < STORE_IDLE_READER_MAX) {
        store->idle[store->idle_count++] = idle;
        idle = NULL;
    }
    if (--store->readers == 0 && store->map_changing)
        pthread_cond_broadcast(&store->gate_changed);
    pthread_mutex_unlock(&store->gate);
    return idle;
}

/* Size 0 adopts the size another process has given the file. */
static int store_change_map(struct store *store, size_t size)
{
    pthread_mutex_lock(&store->gate);
    while (store->map_changing)
        pthread_cond_wait(&store->gate_changed, &store->gate);
    store->map_changing = true;
    while (store->readers > 0)
        pthread_cond_wait(&store->gate_changed, &store->gate);
    int code = mdb_env_set_mapsize(store->env, size);
    MDB_envinfo info;
    mdb_env_info(store->env, &info);
    atomic_store(&store->map_size, info.me_mapsize);
    store->map_changing = false;
    pthread_cond_broadcast(&store->gate_changed);
    pthread_mutex_unlock(&store->gate);
    return code;
}

/* ---- transactions ---------------------------------------------------------------------------- */

static int reader_start(struct store *store, void **handle)
{
    MDB_txn *txn = gate_enter(store);
    int code = txn ? mdb_txn_renew(txn) : mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    *handle = code == 0 ? txn : NULL;
    if (code != 0)
        mdb_txn_abort(gate_leave(store, txn));
    else
        store_guard_enter(store);
    return code;
}

struct store_txn store_begin_read(struct store *store)
{
    struct store_txn txn = { .store = store };
    if (atomic_load(&store->poisoned)) {
        txn.err = ERR_IO;
        return txn;
    }
    int code = reader_start(store, &txn.handle);
    if (code == MDB_MAP_RESIZED) {
        store_change_map(store, 0);
        code = reader_start(store, &txn.handle);
    } else if (code == MDB_READERS_FULL) {
        store_check_readers(store);
        code = reader_start(store, &txn.handle);
    }
    if (code != 0)
        store_fail(&txn, "begin reading", code);
    return txn;
}

struct store_txn store_begin_write(struct store *store)
{
    require(!store->read_only);
    struct store_txn txn = { .store = store, .writes = true };
    if (atomic_load(&store->poisoned)) {
        txn.err = ERR_IO;
        return txn;
    }
    MDB_txn *handle = NULL;
    int code = mdb_txn_begin(store->env, NULL, 0, &handle);
    if (code != 0)
        store_fail(&txn, "begin writing", code);
    else
        store_guard_enter(store);
    txn.handle = handle;
    uint64_t used = store_used_size(store), file = atomic_load(&store->file_size);
    store->charge = (struct store_charge){ 0 };
    store->room_pages = file > used ? (file - used) / store->page_size : 0;
    return txn;
}

static void store_end_read(struct store_txn *txn)
{
    if (!txn->handle)
        return;
    mdb_txn_reset(txn->handle);
    mdb_txn_abort(gate_leave(txn->store, txn->handle));
    store_guard_leave(txn->store);
    txn->handle = NULL;
}

void store_abort(struct store_txn *txn)
{
    if (!txn->writes) {
        store_end_read(txn);
        return;
    }
    if (txn->handle) {
        mdb_txn_abort(txn->handle);
        store_guard_leave(txn->store);
    }
    txn->handle = NULL;
    atomic_fetch_add(&txn->store->aborts, 1);
}

static int commit_handle(struct store_txn *txn)
{
    bool paced = txn->store->paced && txn->changes >= PACED_CHANGES_MIN;
    if (paced)
        paced_sync_begin();
    int code = mdb_txn_commit(txn->handle);
    if (paced)
        paced_sync_end();
    return code;
}

enum err store_commit(struct store_txn *txn)
{
    enum err err = txn->err;
    if (!txn->writes || err != OK) {
        store_abort(txn);
        return err;
    }
    int code = commit_handle(txn);
    store_guard_leave(txn->store);
    txn->handle = NULL;
    if (SAMAD_BUG(SYNC_ERROR_IGNORED) && code == EIO)
        code = 0;
    if (code != 0) {
        atomic_fetch_add(&txn->store->aborts, 1);
        store_fail(txn, "commit", code);
    }
    return txn->err;
}

uint64_t store_abort_count(struct store *store)
{
    return atomic_load(&store->aborts);
}

/* ---- single entries -------------------------------------------------------------------------- */

static MDB_val val_of(struct bytes bytes)
{
    return (MDB_val){ .mv_size = bytes.size, .mv_data = (void *)(uintptr_t)bytes.data };
}

static struct bytes bytes_of_val(MDB_val val)
{
    return bytes_of(val.mv_data, val.mv_size);
}

static MDB_dbi table_of(const struct store_txn *txn, unsigned table)
{
    require(table < txn->store->table_count);
    return txn->store->tables[table];
}

enum err store_get(struct store_txn *txn, unsigned table, struct bytes key, struct bytes *value)
{
    *value = BYTES_NONE;
    if (txn->err != OK)
        return txn->err;
    require(key.size > 0 && key.size <= STORE_KEY_SIZE_MAX);
    MDB_val wanted = val_of(key), found;
    int code = mdb_get(txn->handle, table_of(txn, table), &wanted, &found);
    if (code == MDB_NOTFOUND)
        return ERR_NOT_FOUND;
    if (code != 0)
        return store_fail(txn, "read", code);
    *value = bytes_of_val(found);
    return OK;
}

/* Counted once a transaction: pages that are newer than it are not copied when they change. */
static bool store_charge_trees(struct store_txn *txn)
{
    struct store *store = txn->store;
    struct store_charge *charge = &store->charge;
    for (unsigned i = 0; !charge->trees_known && i < store->table_count; i++) {
        MDB_stat table;
        if (mdb_stat(txn->handle, store->tables[i], &table) != 0)
            return false;
        charge->leaf_pages += table.ms_leaf_pages;
        charge->branch_pages += table.ms_branch_pages;
    }
    charge->trees_known = true;
    return true;
}

/* Makes sure that the file has room for what the transaction may take, so that lack of space shows
 * here and not in the commit, where LMDB reports a short write as EIO (design D10). */
static enum err store_charge_put(struct store_txn *txn, size_t size)
{
    struct store *store = txn->store;
    struct store_charge *charge = &store->charge;
    if (store->reserve_size == 0)
        return OK;
    charge->puts++;
    if (size > store->page_size / 2)
        charge->overflow_pages += size / store->page_size + 2;
    else
        charge->inline_bytes += size;
    if (store_charge_pages(store, charge, UINT64_MAX, UINT64_MAX) <= store->room_pages)
        return OK;

    if (!store_charge_trees(txn))
        return ERR_CORRUPT;
    uint64_t pages = store_charge_pages(store, charge, charge->leaf_pages, charge->branch_pages);
    if (pages <= store->room_pages)
        return OK;
    uint64_t used = store_used_size(store);
    enum err err = store_file_extend(store, used + (pages + pages / 4) * store->page_size);
    if (err != OK)
        return err;
    store->room_pages = pages + pages / 4;
    return OK;
}

/* Whether the put may go on. */
static bool store_admit_put(struct store_txn *txn, struct bytes key, size_t size)
{
    if (txn->err != OK)
        return false;
    require(txn->writes && key.size > 0 && key.size <= STORE_KEY_SIZE_MAX);
    enum err err = store_charge_put(txn, key.size + size);
    if (err != OK)
        txn->err = store_remember_failure(txn->store, "extend", ENOSPC, err);
    return err == OK;
}

static uint8_t *store_finish_put(struct store_txn *txn, int code, const MDB_val *value)
{
    if (code != 0) {
        store_fail(txn, "write", code);
        return NULL;
    }
    txn->changes++;
    return value->mv_data;
}

static uint8_t *store_put_flags(struct store_txn *txn, unsigned table, struct bytes key,
                                MDB_val *value, unsigned flags, bool append)
{
    if (!store_admit_put(txn, key, value->mv_size))
        return NULL;
    MDB_dbi handle = table_of(txn, table);
    MDB_val at = val_of(key);
    int code = mdb_put(txn->handle, handle, &at, value, flags | (append ? MDB_APPEND : 0));
    if (append && code == MDB_KEYEXIST)
        code = mdb_put(txn->handle, handle, &at, value, flags);
    return store_finish_put(txn, code, value);
}

void store_put(struct store_txn *txn, unsigned table, struct bytes key, struct bytes value)
{
    MDB_val content = val_of(value);
    store_put_flags(txn, table, key, &content, 0, false);
}

void store_append(struct store_txn *txn, unsigned table, struct bytes key, struct bytes value)
{
    MDB_val content = val_of(value);
    store_put_flags(txn, table, key, &content, 0, true);
}

uint8_t *store_reserve(struct store_txn *txn, unsigned table, struct bytes key, size_t size,
                       bool append)
{
    MDB_val room = { .mv_size = size };
    return store_put_flags(txn, table, key, &room, MDB_RESERVE, append);
}

void store_delete(struct store_txn *txn, unsigned table, struct bytes key)
{
    if (txn->err != OK)
        return;
    require(txn->writes && key.size > 0 && key.size <= STORE_KEY_SIZE_MAX);
    MDB_val at = val_of(key);
    int code = mdb_del(txn->handle, table_of(txn, table), &at, NULL);
    if (code != MDB_NOTFOUND)
        store_fail(txn, "delete", code);
    txn->changes++;
}

void store_drop(struct store_txn *txn, unsigned table)
{
    if (txn->err == OK)
        store_fail(txn, "drop", mdb_drop(txn->handle, table_of(txn, table), 0));
    txn->changes++;
}

uint64_t store_count(struct store_txn *txn, unsigned table)
{
    MDB_stat statistics = { 0 };
    if (txn->err == OK)
        store_fail(txn, "count", mdb_stat(txn->handle, table_of(txn, table), &statistics));
    return txn->err == OK ? statistics.ms_entries : 0;
}

/* ---- cursors --------------------------------------------------------------------------------- */

struct store_cursor store_cursor_open(struct store_txn *txn, unsigned table)
{
    MDB_cursor *handle = NULL;
    if (txn->err == OK)
        store_fail(txn, "open a cursor of",
                   mdb_cursor_open(txn->handle, table_of(txn, table), &handle));
    return (struct store_cursor){ .txn = txn, .handle = handle };
}

void store_cursor_close(struct store_cursor *cursor)
{
    if (cursor->handle)
        mdb_cursor_close(cursor->handle);
    cursor->handle = NULL;
}

static enum err cursor_move(struct store_cursor *cursor, MDB_cursor_op op, struct bytes at,
                            struct bytes *key, struct bytes *value)
{
    *key = *value = BYTES_NONE;
    if (cursor->txn->err != OK)
        return cursor->txn->err;
    MDB_val found_key = val_of(at), found;
    int code = mdb_cursor_get(cursor->handle, &found_key, &found, op);
    if (code == MDB_NOTFOUND)
        return ERR_END;
    if (code != 0)
        return store_fail(cursor->txn, "read", code);
    *key = bytes_of_val(found_key);
    *value = bytes_of_val(found);
    return OK;
}

enum err store_cursor_seek(struct store_cursor *cursor, struct bytes from, struct bytes *key,
                           struct bytes *value)
{
    if (from.size == 0)
        return cursor_move(cursor, MDB_FIRST, BYTES_NONE, key, value);
    return cursor_move(cursor, MDB_SET_RANGE, from, key, value);
}

enum err store_cursor_seek_before(struct store_cursor *cursor, struct bytes before,
                                  struct bytes *key, struct bytes *value)
{
    enum err err = store_cursor_seek(cursor, before, key, value);
    if (err == OK)
        return cursor_move(cursor, MDB_PREV, BYTES_NONE, key, value);
    return err == ERR_END ? cursor_move(cursor, MDB_LAST, BYTES_NONE, key, value) : err;
}

enum err store_cursor_next(struct store_cursor *cursor, struct bytes *key, struct bytes *value)
{
    return cursor_move(cursor, MDB_NEXT, BYTES_NONE, key, value);
}

enum err store_cursor_previous(struct store_cursor *cursor, struct bytes *key, struct bytes *value)
{
    return cursor_move(cursor, MDB_PREV, BYTES_NONE, key, value);
}

uint8_t *store_cursor_reserve(struct store_cursor *cursor, struct bytes key, size_t size)
{
    MDB_val at = val_of(key), room = { .mv_size = size };
    if (!store_admit_put(cursor->txn, key, size))
        return NULL;
    int code = mdb_cursor_put(cursor->handle, &at, &room, MDB_RESERVE);
    return store_finish_put(cursor->txn, code, &room);
}

uint8_t *store_cursor_insert(struct store_cursor *cursor, struct bytes key, size_t size,
                             struct bytes *held)
{
    MDB_val at = val_of(key), room = { .mv_size = size };
    *held = BYTES_NONE;
    if (!store_admit_put(cursor->txn, key, size))
        return NULL;
    int code = mdb_cursor_put(cursor->handle, &at, &room, MDB_RESERVE | MDB_NOOVERWRITE);
    if (code == MDB_KEYEXIST) {
        *held = bytes_of_val(room);
        return NULL;
    }
    return store_finish_put(cursor->txn, code, &room);
}

bool store_leads_to(struct store_txn *txn, unsigned table, struct bytes key, struct bytes value)
{
    struct bytes found;
    return key.size > 0 && key.size <= STORE_KEY_SIZE_MAX &&
           store_get(txn, table, key, &found) == OK && found.data == value.data &&
           found.size == value.size;
}

/* ---- size, growth, copies -------------------------------------------------------------------- */

uint64_t store_used_size(struct store *store)
{
    MDB_envinfo info;
    MDB_stat statistics;
    mdb_env_info(store->env, &info);
    mdb_env_stat(store->env, &statistics);
    return ((uint64_t)info.me_last_pgno + 1) * statistics.ms_psize;
}

uint64_t store_free_size(struct store *store)
{
    struct store_txn txn = store_begin_read(store);
    MDB_cursor *cursor = NULL;
    MDB_val key, ids;
    uint64_t pages = 0;
    if (txn.err == OK && mdb_cursor_open(txn.handle, 0, &cursor) == 0)
        while (mdb_cursor_get(cursor, &key, &ids, MDB_NEXT) == 0 && ids.mv_size >= sizeof(size_t)) {
            size_t count; /* table 0 of LMDB lists free pages: a count, then page numbers */
            memcpy(&count, ids.mv_data, sizeof count);
            pages += count;
        }
    if (cursor)
        mdb_cursor_close(cursor);
    store_abort(&txn);
    return pages * store->page_size;
}

bool store_needs_growth(struct store *store, size_t size)
{
    /* Three times: the copies of changed pages, and large values in whole pages. */
    uint64_t needed = store_used_size(store) + 3 * (uint64_t)size + STORE_MAP_STEP;
    return needed > atomic_load(&store->map_size);
}

enum err store_grow(struct store *store)
{
    int code = store_change_map(store, 2 * atomic_load(&store->map_size));
    return code == 0 ? OK : store_remember_failure(store, "grow", code, err_of_lmdb(code));
}

void store_check_readers(struct store *store)
{
    int dead;
    mdb_reader_check(store->env, &dead);
}

enum err store_copy(struct store *store, const char *path)
{
    enum err err = store_folder_make(path);
    if (err != OK)
        return err;
    int code = mdb_env_copy2(store->env, path, MDB_CP_COMPACT);
    if (code == EEXIST)
        return ERR_EXISTS;
    if (code != 0)
        return err_of_lmdb(code); /* of the destination: the store itself is well */
    return store_folder_sync(path);
}
