/* What store.c (LMDB), store_open.c (how a store comes into being) and store_space.c (the file and
 * its disk) share. Nobody else includes it. */
#ifndef STORAGE_STORE_PRIVATE_H
#define STORAGE_STORE_PRIVATE_H

#include "storage/store.h"

#include <pthread.h>
#include <stdatomic.h>

#define STORE_TABLE_MAX       32
#define STORE_IDLE_READER_MAX 32
#define STORE_FAILURE_SIZE    256
#define STORE_NAME_SIZE       4096
#define STORE_DAMAGE_MARK     "damaged" /* in the folder of a disposable store */

struct MDB_env;

struct store {
    struct MDB_env *env;
    int file; /* LMDB's own descriptor of data.mdb; never closed here */
    char *path;
    char *mark; /* path of the mark that the file is damaged; NULL when it is not disposable */
    bool read_only;
    bool disposable;
    bool paced;
    unsigned table_count;
    unsigned tables[STORE_TABLE_MAX]; /* LMDB handles */
    size_t page_size;
    size_t reserve_size;

    atomic_size_t map_size;
    atomic_uint_fast64_t aborts;    /* write transactions that did not become durable */
    atomic_uint_fast64_t file_size; /* as last seen; the file only grows */
    atomic_bool reserve_reached;
    atomic_bool poisoned;

    /* The gate. Readers pass while nobody changes the map; who changes it waits until all are out.
     * Idle reading transactions wait here to be renewed: a slot and an allocation saved each. */
    pthread_mutex_t gate;
    pthread_cond_t gate_changed;
    bool map_changing;
    unsigned readers;
    unsigned idle_count;
    void *idle[STORE_IDLE_READER_MAX];
    char failure[STORE_FAILURE_SIZE]; /* the first one; written under the gate's mutex */

    /* Pages that the running write transaction may take from the end of the file, at most. */
    struct store_charge {
        uint64_t puts;
        uint64_t inline_bytes;
        uint64_t overflow_pages;
        bool trees_known; /* the pages it may have to copy: */
        uint64_t leaf_pages, branch_pages;
    } charge;
    uint64_t room_pages; /* allocated ahead of use when it began */

    uint64_t zeros_end, zeros_seen; /* the writing thread's: written ahead up to, when it looked */
    uint64_t trimmed_size;          /* the writing thread's: used when store_trim_growth() last did */
};

/* Whether the file is whole in its own structure: each page of the newest commit stands where it is
 * named and belongs to one place, and none that is free is in use. Values are not looked at.
 * ERR_CORRUPT, ERR_IO, ERR_NOMEM. Nobody may be writing. (store_pages.c) */
enum err store_check_pages(int file);

/* Opens what is there, or makes it in the folder. */
enum err store_open_existing(struct store **out, const struct store_options *options);
/* Terminated "<folder>/<name>"; ERR_INVALID when it is too long. */
enum err store_name_in(char out[STORE_NAME_SIZE], const char *folder, const char *name);
/* Leaves the mark that the file is damaged, when the store is disposable. It must outlive the
 * process: the damage may lie where opening does not look, and LMDB ends the process for some of
 * it. Safe in a signal handler. */
void store_mark_damage(const struct store *store);

/* ---- the guard (store_guard.c) ----
 * LMDB follows what is in a page, so damage can end the process by a bad address. When that happens
 * in a thread that has a disposable store in hand, its mark is left first. Nothing for other
 * stores. */
enum err store_guard_add(struct store *store);
void store_guard_remove(struct store *store);
/* This thread begins and ends to look into the file; several times in a row are counted. */
void store_guard_enter(const struct store *store);
void store_guard_leave(const struct store *store);

enum err store_folder_make(const char *path);
/* Makes names in a folder durable. */
enum err store_folder_sync(const char *path);

/* Bytes up to the last page that the newest commit uses. */
uint64_t store_used_size(struct store *store);
/* Bytes of pages that are free inside the used part. Walks the list of free pages. */
uint64_t store_free_size(struct store *store);
/* Remembers the first failure in words; poisons the store when it is not lack of space. */
enum err store_remember_failure(struct store *store, const char *what, int code, enum err err);

/* Allocates the file up to `size`. ERR_FULL without room; OK also where the file system cannot do
 * it (the extension is then missing, and lack of space shows in commits). */
enum err store_file_extend(struct store *store, uint64_t size);
/* An upper bound for the pages a transaction with this charge takes. */
uint64_t store_charge_pages(const struct store *store, const struct store_charge *charge,
                            uint64_t leaf_pages, uint64_t branch_pages);

#endif
