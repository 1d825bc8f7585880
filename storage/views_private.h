/* Shared by views*.c only: the store's tables and rows, and the parts of a fold. */
#ifndef STORAGE_VIEWS_PRIVATE_H
#define STORAGE_VIEWS_PRIVATE_H

#include "storage/views.h"

#include <pthread.h>
#include <stdatomic.h>

enum views_table {
    VIEWS_META,
    VIEWS_NODES,
    VIEWS_HEADS,
    VIEWS_ENTRIES,
    VIEWS_RANGES,
    VIEWS_TABLE_COUNT
};

#define VIEWS_CHECK_SIZE 8

/* What the process remembers of a node. */
struct views_memo {
    char node[NODE_NAME_SIZE_MAX + 1];
    bool held;                   /* its applied positions were found in the log store */
    uint32_t damaged_generation; /* where an entry failed its check; 0 nowhere */
    uint32_t proven[2];          /* generations of which all is known to be there, newest first */
    bool row_mended;             /* its row was damaged and written anew */
};

/* What is known to be whole since the store was opened (views_proof.c). */
struct views_proof {
    pthread_mutex_t mutex;
    uint64_t *ranges; /* open addressing: fingerprints of ranges, 0 free */
    size_t count, room;
};

/* How far a round of the scrub has come. */
struct views_scrub {
    char node[NODE_NAME_SIZE_MAX + 1]; /* "" before the first one */
    uint32_t generation;
    bool spoiled;       /* something of it is damaged */
    struct buffer from; /* the key to go on from; empty: the next node */
};

struct views {
    struct store *store;
    struct memory *memory; /* NULL when read-only */
    char node[NODE_NAME_SIZE_MAX + 1];
    char audience[NODE_NAME_SIZE_MAX + 1];
    struct rules rules;
    size_t map_size;

    struct views_reader decider;
    bool decider_is_open;
    atomic_uint withheld; /* odd while the own view is not whole; counts on at each change */
    atomic_bool map_is_wanted; /* the decider lets go of its snapshot: growth waits for all of them */

    /* the views thread's */
    struct memory *scratch; /* changes of one fold, on their way into one transaction */
    struct order_book *book;
    struct views_scrub scrub;

    struct views_proof proof;
    pthread_mutex_t mutex; /* guards the memos */
    struct views_memo *memos;
    size_t memo_count;
};

/* ---- rows (views_rows.c) ---- */

/* The row of a node in `nodes`. Generations count from 1; 0 is none. */
struct views_row {
    uint32_t generation; /* the one that is read */
    uint32_t next;       /* being folded aside */
    uint32_t newest;     /* the highest number ever used */
    uint32_t head_count, next_head_count; /* of generation and next */
    bool rebuild;        /* the current one is damaged: it is not added to, only replaced */
    bool damaged;        /* not stored: this row takes the place of one that failed its check. Good to
                            begin anew with, and for nothing else: what it names is empty */
};

/* node 0x00 generation: what keys of heads and entries begin with. Returns the size. */
size_t views_prefix(char out[64], const char *node, uint32_t generation);
/* Eight bytes over key and value; `scratch` holds the bytes between calls, so that it allocates
 * once. ERR_NOMEM. */
enum err views_entry_check(struct buffer *scratch, struct bytes key, struct bytes value,
                           uint8_t check[VIEWS_CHECK_SIZE]);
/* Writes value and check under key. */
void views_put_checked(struct store_txn *txn, struct buffer *scratch, unsigned table,
                       struct bytes key, struct bytes value);
/* Fills the room that the store gave for value and check. */
void views_write_checked(struct store_txn *txn, struct buffer *scratch, struct bytes key,
                         struct bytes value, uint8_t *room);
/* Verifies a stored value and takes its check off. ERR_CORRUPT. */
enum err views_take_checked(struct buffer *scratch, struct bytes key, struct bytes *value);

/* A node without a row has generation 1 at most. A row that fails its check, or is gone, is replaced by
 * a damaged one whose generation lies above everything stored (V3). */
enum err views_row_read(struct store_txn *txn, const char *node, struct views_row *row);
void views_row_write(struct store_txn *txn, const char *node, const struct views_row *row);

/* The applied heads of a generation, `expected` by its row; an array for free(). ERR_CORRUPT. */
enum err views_heads_read(struct store_txn *txn, const char *node, uint32_t generation,
                          size_t expected, struct log_head **heads, size_t *count);
void views_head_write(struct store_txn *txn, const char *node, uint32_t generation, size_t index,
                      const struct log_head *head);
/* The number of heads of a generation, and the last one. */
enum err views_head_last(struct store_txn *txn, const char *node, uint32_t generation,
                         struct log_head *head, size_t *count);

/* ---- ranges (views_ranges.c) ----
 * Every generation is parted into ranges of some hundred entries, of each of which the store says how
 * many there are and what their checks add up to. So an entry that cannot be found any more, because
 * its key or a page on the way to it is damaged, is missed. */
struct views_range {
    char lower[64 + VIEW_KEY_SIZE_MAX]; /* whole key */
    char upper[64 + VIEW_KEY_SIZE_MAX]; /* of the next one, or above all of the generation */
    size_t lower_size, upper_size;
    uint32_t count;
    uint64_t sum; /* modulo 2^64 */
};
/* The one that `key`, a whole key, lies in. ERR_CORRUPT. */
enum err views_range_at(struct store_cursor *ranges, struct buffer *scratch, size_t prefix_size,
                        struct bytes key, struct views_range *range);
struct bytes views_range_lower(const struct views_range *range);
struct bytes views_range_upper(const struct views_range *range);

/* Entries of one generation changed, in the order of their keys, with their ranges. */
struct views_sums {
    struct store_txn *txn;
    size_t prefix_size;
    struct store_cursor entries, ranges;
    struct views_range range;
    bool has_range, changed;
    struct buffer scratch;
};
void views_sums_begin(struct views_sums *sums, struct store_txn *txn, size_t prefix_size);
/* Errors are the transaction's. */
void views_sums_put(struct views_sums *sums, struct bytes key, struct bytes value);
void views_sums_delete(struct views_sums *sums, struct bytes key);
/* Writes what is left to be written, also after an error of the caller. ERR_CORRUPT: what is there
 * is not what was counted. */
enum err views_sums_end(struct views_sums *sums);

/* ---- proof (views_proof.c) ---- */
/* OK when of this generation every entry from `from` to `to` (whole keys, both included; NULL: the end)
 * is there and can be found; looked at once, then remembered. The file is condemned otherwise:
 * ERR_CORRUPT. */
enum err views_prove(struct views_reader *reader, struct bytes from, const struct bytes *to);
/* A generation that this process made from nothing, or has wholly looked at. */
void views_note_proven(struct views *views, const char *node, uint32_t generation);
enum err views_condemn(struct views *views);

/* ---- readers (views_reader.c) ---- */
/* Without the memory table: as applied. */
enum err views_reader_begin_applied(struct views *views, const char *node,
                                    struct views_reader *reader);
/* One generation, changed through the scratch table. */
enum err views_reader_begin_fold(struct views *views, const char *node, uint32_t generation,
                                 struct views_reader *reader);
/* The digest of what a reader sees. */
enum err views_reader_digest(struct views_reader *reader, struct hash *digest, uint64_t *entries);

/* ---- memos (views.c) ---- */
/* A copy; all zero for a node not met yet. */
struct views_memo views_memo_get(struct views *views, const char *node);
void views_note_held(struct views *views, const char *node, bool held);
void views_note_damage(struct views *views, const char *node, uint32_t generation);
void views_note_row_mended(struct views *views, const char *node);

/* ---- writing (views_flush.c) ---- */
struct views_change {
    const char *node;
    uint32_t generation;    /* the frozen table of `memory` goes there */
    struct memory *memory;  /* or NULL */
    struct views_row row;
    const struct log_head *heads; /* to be written, the first one at index `first_head` */
    size_t first_head, head_count;
};
/* Everything in one transaction (V1); grows the map and begins again when it is used up. */
enum err views_write(struct views *views, const struct views_change *change);
/* Deletes up to `budget` entries of dead generations of a node (V3). ERR_END when there are none. */
enum err views_sweep(struct views *views, const char *node, size_t budget);

/* ---- folding (views_fold.c) ---- */
/* views_fold towards a fixed end instead of what the log store holds. */
enum err views_fold_to(struct views *views, struct log_store *logs, const char *node,
                       const struct order_entry *order, size_t order_count, uint64_t budget,
                       uint64_t *folded);

#endif
