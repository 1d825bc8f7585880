/* The seam over LMDB: the only file pair that knows it (store.c includes lmdb.h).
 *
 * An environment is a folder with one data file. Tables are small enums of the caller, opened all
 * at once. A transaction keeps its first error (sticky): reads then give ERR, writes do nothing,
 * and commit returns the error after aborting, so code that uses it reads like prose.
 *
 * Any thread may read, each with a transaction of its own that lives shortly (never across a wait);
 * one thread at a time writes. Sync is always on. After an I/O error (not lack of space) the store
 * is poisoned: every later begin gives ERR_IO, and the process must stop (design D4). */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include "proto/base/bytes.h"

#define STORE_KEY_SIZE_MAX 511

struct store;
struct store_txn {
    struct store *store;
    void *handle;
    enum err err;
    bool writes;
    uint64_t changes; /* puts, reservations, deletes and drops so far */
};
struct store_cursor {
    struct store_txn *txn;
    void *handle;
};

struct store_options {
    const char *path;          /* a folder; made when it does not exist (mode 0700) */
    const char *const *tables; /* names; the index is the table number */
    unsigned table_count;
    size_t map_size;     /* first size of the map, grown by store_grow */
    size_t reserve_size; /* bytes kept allocated ahead of use (design D10); 0 none */
    bool read_only;      /* another process may write; the map follows it */
    bool must_exist;     /* ERR_NOT_FOUND instead of making it; implied by read_only */
    bool check_pages;    /* a file in whose own structure not every page is where it belongs is
                            ERR_CORRUPT; reads the beginning of each page in use */
    bool disposable;     /* damage inside the file is remembered across a restart, also when it
                            ended the process: the next open makes a new file */
    bool paced;          /* its commits are large and nobody waits for them: paced_sync.h */
};

/* ERR_NOT_FOUND (absent), ERR_BUSY (another process writes), ERR_IO, ERR_FULL, ERR_CORRUPT,
 * ERR_VERSION, ERR_NOMEM. Refuses a library version with known faults. */
enum err store_open(struct store **out, const struct store_options *options);
void store_close(struct store *store);

/* begin never fails visibly: a failure is the transaction's first error. */
struct store_txn store_begin_read(struct store *store);
struct store_txn store_begin_write(struct store *store);
/* Durable when OK is returned. Ends a reading transaction too. */
enum err store_commit(struct store_txn *txn);
void store_abort(struct store_txn *txn);
/* Write transactions of this open store that did not become durable. Who remembers what it wrote
 * in one forgets it when this has changed. */
uint64_t store_abort_count(struct store *store);

/* Values point into the map until the transaction ends or, in a writing one, until the next write.
 * ERR_NOT_FOUND is returned and not kept. */
enum err store_get(struct store_txn *txn, unsigned table, struct bytes key, struct bytes *value);
void store_put(struct store_txn *txn, unsigned table, struct bytes key, struct bytes value);
/* Faster when `key` is greater than every key of the table; falls back to store_put otherwise. */
void store_append(struct store_txn *txn, unsigned table, struct bytes key, struct bytes value);
/* Room of `size` bytes in place for the caller to fill before anything else; NULL after an error.
 */
uint8_t *store_reserve(struct store_txn *txn, unsigned table, struct bytes key, size_t size,
                       bool append);
/* No error when the key is absent. */
void store_delete(struct store_txn *txn, unsigned table, struct bytes key);
/* Deletes every key of the table. */
void store_drop(struct store_txn *txn, unsigned table);
uint64_t store_count(struct store_txn *txn, unsigned table);

struct store_cursor store_cursor_open(struct store_txn *txn, unsigned table);
void store_cursor_close(struct store_cursor *cursor);
/* The first entry with key >= `from`; ERR_END when there is none. */
enum err store_cursor_seek(struct store_cursor *cursor, struct bytes from, struct bytes *key,
                           struct bytes *value);
/* The last entry with key < `before`. */
enum err store_cursor_seek_before(struct store_cursor *cursor, struct bytes before,
                                  struct bytes *key, struct bytes *value);
enum err store_cursor_next(struct store_cursor *cursor, struct bytes *key, struct bytes *value);
enum err store_cursor_previous(struct store_cursor *cursor, struct bytes *key, struct bytes *value);
/* store_reserve() at a cursor of a writing transaction: faster when the keys come in order, because
 * a neighbour is found without a search from the root. */
uint8_t *store_cursor_reserve(struct store_cursor *cursor, struct bytes key, size_t size);
/* The same when the key is new. When it is not, NULL, and `*held` is its value until the next
 * write; otherwise `*held` has no data. */
uint8_t *store_cursor_insert(struct store_cursor *cursor, struct bytes key, size_t size,
                             struct bytes *held);
/* Whether a search from the root comes to just this entry. `value` is where a cursor found it: what
 * a damaged tree shows to those that go through it in order, it may hide from those that search. */
bool store_leads_to(struct store_txn *txn, unsigned table, struct bytes key, struct bytes value);

/* Space (design D10). */
struct store_space {
    uint64_t file_size; /* of the data file, extension included */
    uint64_t used_size; /* pages in use */
    uint64_t map_size;
    uint64_t available_size; /* free pages + extension + what the file system has left */
    bool reserve_reached;    /* new intake is to be refused: only the reserve is left */
};
/* True when a transaction has used an eighth of the reserve or more since the file was extended:
 * asked after each, because the reserve is for receipts and replication, not for the intake of a
 * second. No system call. False once reserve_reached is set: then a look once a second is enough.
 */
bool store_touches_reserve(struct store *store);
/* Asks the file system; call it about once a second, not for each commit. ERR_IO when the store is
 * poisoned: a reading transaction may have met the error. */
enum err store_space_update(struct store *store, struct store_space *out);
/* Extends the file ahead of use up to the reserve. Called between transactions by the writing
 * thread. ERR_FULL when the file system has no room: not fatal, reserve_reached is then set. */
enum err store_extend(struct store *store);
/* Writes zeros over the next part of what is allocated ahead, when small transactions have come
 * near its end. The first write to a block that is only allocated changes the file's metadata, and
 * the sync of that commit waits for it; this way one commit in several does. Called between
 * transactions by the writing thread, which must have none open. Large transactions are left alone:
 * writing twice would cost more. ERR_IO: the store is poisoned, as by a failed commit; lack of room
 * is no failure. */
enum err store_zero_ahead(struct store *store);
/* True when the map should grow before the next group of `size` bytes. */
bool store_needs_growth(struct store *store, size_t size);
/* Doubles the map. Called by the writing thread between its transactions; keeps new readers out
 * and waits for open ones by itself. */
enum err store_grow(struct store *store);
/* Gives the pages of the map that this process has touched back to the page cache, where they stay:
 * resident memory then shows what the process needs, and not how much it has read since it began.
 * What is read again costs a minor fault. About once a second, any thread. */
void store_trim(struct store *store);
/* The same once the store has grown by 64 MiB since it was done: what is written is read too, by the
 * fold and by whoever it is sent to. The writing thread, after each commit. */
void store_trim_growth(struct store *store);
/* Frees reader slots of dead processes; at start and regularly. */
void store_check_readers(struct store *store);
/* A compacted copy to `path` (a folder that must be empty); for backup and golden data. */
enum err store_copy(struct store *store, const char *path);
/* The caller found damage that LMDB does not see: as if LMDB had. The store is poisoned, and one
 * that is disposable is made anew by the next open. ERR_CORRUPT. */
enum err store_condemn(struct store *store, const char *what);
/* The last failure in words ("fdatasync data.mdb: Input/output error") for the operator. */
const char *store_failure(const struct store *store);

#endif
