/* The views store, views/ (design D12, D13): everything derived, per node, each with the positions
 * it is applied to. Disposable: folding the logs again gives identical content.
 *
 *   meta     format version, rules version and node it was made for
 *   nodes    node -> generations
 *   heads    node, generation, index -> applied logs in fold order: log id, size, root
 *   entries  node, generation, key -> value and a check of key and value
 *   ranges   node, generation, first key -> number and sum of checks of the entries from there to
 *            the next range
 *
 * storage/README.md has the byte layouts. The own node's newest changes are in a memory table;
 * followed nodes are folded here directly. A node whose fold order changed is folded aside into the
 * next generation and switched; readers keep the old one until then.
 *
 *   V1  entries and heads of one generation change in one transaction: what is applied is always
 *       exactly what the heads say
 *   V2  a generation becomes current only when it is folded to the end of the order
 *   V3  a generation that is neither current nor next is dead, whatever it holds, and is deleted in
 *       bounded steps; numbers are never used twice
 *   V4  every entry is checked when it is read; one that fails is never served, and makes the next
 *       fold begin a new generation
 *   V5  that there is no entry is believed only in a range that was wholly looked at since the store
 *       was opened: its entries are all there and all found, by number, sum and search. Where they are
 *       not the file is condemned: nothing more is read from it, and the next open makes it anew */
#ifndef STORAGE_VIEWS_H
#define STORAGE_VIEWS_H

#include "storage/log.h"
#include "storage/memory.h"
#include "storage/order.h"
#include "storage/rules.h"
#include "storage/view.h"

#define VIEWS_FORMAT 2

struct views;

struct views_options {
    const char *path;     /* the folder views/ */
    const char *node;     /* the own node */
    const char *audience; /* of the own node's logs that fold into its view: "hub" or "all" */
    struct rules rules;
    size_t map_size;
    size_t reserve_size;
    size_t memory_size_max; /* of the memory table */
    bool read_only;         /* without a memory table: sees what was flushed */
};

/* Views of another format, rules version or node are deleted here, and so is a file that is damaged or
 * was found damaged before the process ended (the file `damaged` beside it says so): all is folded
 * again. Read-only: ERR_VERSION for another format or rules version, ERR_NOT_FOUND when there are
 * none, ERR_CORRUPT. */
enum err views_open(struct views **out, const struct views_options *options);
void views_close(struct views *views);
struct store *views_environment(struct views *views);
struct memory *views_memory(struct views *views);

/* A key that was looked for and is nowhere: what a command asks before it decides, its fold asks
 * again. Kept by the one who may put, until he puts it. */
#define VIEWS_ABSENT_COUNT    4
#define VIEWS_ABSENT_SIZE_MAX 96
struct views_absent {
    size_t size; /* 0: none */
    uint8_t key[VIEWS_ABSENT_SIZE_MAX];
};

/* ---- reading, any thread ---- */
/* A state of one node's view between two commands; later changes are not seen. Embed it, do not
 * look into it but for `view` and `group`, and do not move it while it is open. Not across a wait:
 * it pins pages and tables. One at a time in a thread: growth of the map waits for open ones and keeps
 * new ones out. */
struct views_reader {
    struct view view; /* read-only */
    uint64_t group;   /* the newest uncommitted or committed group whose entry was looked at; an
                         answer made from this reader waits until that group is durable (D4) */
    struct views *views;
    struct memory *memory; /* what put and del write to; NULL when read-only */
    uint64_t put_group;
    struct memory_pin pin;
    struct store_txn txn;
    struct store_cursor cursor;
    bool has_memory, has_cursor;
    char prefix[64];
    size_t prefix_size;
    struct buffer key, value;
    struct views_absent absent[VIEWS_ABSENT_COUNT]; /* a ring */
    unsigned absent_next;
    bool proven; /* the whole generation (V5) */
    struct buffer proven_from, proven_to; /* else keys from the one up to the other */
};
/* The view of one node: the own one merges the memory table, others are as applied. An unknown node
 * has an empty view. */
/* ERR_BUSY: the own view is withheld. */
enum err views_reader_begin(struct views *views, const char *node, struct views_reader *reader);
void views_reader_end(struct views_reader *reader);
/* The applied positions of a node, in fold order. ERR_TOO_LARGE when there are more than `max`:
 * *count says how many. */
enum err views_applied(struct views *views, const char *node, struct log_head *heads, size_t max,
                       size_t *count);
/* An entry of this node failed its check since the store was opened: what is there is served as far
 * as it checks, and the next views_fold (or views_fold_aside) makes it anew. */
bool views_is_damaged(struct views *views, const char *node);
/* The same for all nodes, one a call: `*index` begins with zero. False when there are no more. */
bool views_next_damaged(struct views *views, size_t *index, char node[NODE_NAME_SIZE_MAX + 1]);

/* ---- the decider: the own node, read and write through the memory table ---- */
/* The view to decide and fold with; changes belong to group `group`. Valid until the next call of
 * views_decider_begin or _end; the decider ends it before it waits. Beginning again without an end
 * is cheap: the snapshot is kept (the memory table holds everything newer). Each begin and end shows
 * readers what was put before it. */
struct view *views_decider_begin(struct views *views, uint64_t group);
/* The newest group whose entry was looked at or written since the last _begin; 0 when everything
 * looked at has been flushed. What an answer must wait for (D4). */
uint64_t views_decider_group(const struct views *views);
void views_decider_end(struct views *views);

/* ---- the views thread ---- */
/* Writes the frozen memory table, with the applied position `head` of the own live log after the
 * frozen table's last group, in one transaction, then drops the table. Only when that group is
 * durable in the log. Grows the map as needed. ERR_FULL: nothing is written and the table stays; to
 * be called again when there is room. */
enum err views_flush(struct views *views, const struct log_head *head);
/* Folds up to `budget` records of a node's logs that are held and not yet applied, in one
 * transaction, fewer when their changes fill it. OK: something was done, call again; ERR_END:
 * nothing is left. If what is applied is no longer a prefix of the fold order, the next generation
 * is begun and folded aside by further calls, then switched and the old one deleted. If it is not
 * even held by the log store any more, the view is forgotten and folded anew (D5). For the own node
 * only while no writer is open. */
enum err views_fold(struct views *views, struct log_store *logs, const char *node,
                    uint64_t budget);
/* The part of views_fold that leaves the current generation alone: for the own node while its
 * writer is open, so that little remains to be done between two incarnations. ERR_END: the next
 * generation holds all there is, or none is needed. */
enum err views_fold_aside(struct views *views, struct log_store *logs, const char *node,
                          uint64_t budget);
/* Goes on looking at all of the store (V5), about `budget` entries; when a node's whole view was looked
 * at, nothing there has to be proven any more. ERR_END: everything was, the next call begins again. */
enum err views_scrub(struct views *views, uint64_t budget);
/* Empties a node's view at once; the next views_fold begins anew and deletes the old content in
 * bounded steps. The own node's memory table is forgotten with it: only while no writer is open. */
enum err views_forget(struct views *views, const char *node);

/* Keeps readers from the own view while it is not whole: from before the memory table is forgotten, or
 * the view, until it is folded to the end again. What is missing in between must not be answered with
 * «not found». The views thread. */
void views_withhold(struct views *views, bool withhold);

/* ---- proof ---- */
/* A digest over a node's current entries in key order, with their number: what a rebuild must give
 * again. Keys and values alone count, not generations or positions. */
enum err views_digest(struct views *views, const char *node, struct hash *digest,
                      uint64_t *entries);

struct views_check {
    uint64_t records; /* folded again */
    uint64_t held_entries, rebuilt_entries;
    struct hash held, rebuilt; /* digests */
};
/* Folds a node's logs again, from nothing, in a scratch store at `scratch_path` (a new folder, which
 * the caller removes), to the positions that `views` has applied, and compares the content without
 * the memory table. OK: identical. ERR_CONFLICT: not; *check says what was found. `on_progress` may
 * be NULL. */
typedef void views_on_progress(void *context, uint64_t records);
enum err views_check(struct views *views, struct log_store *logs, const char *node,
                     const char *scratch_path, views_on_progress *on_progress, void *context,
                     struct views_check *check);

#endif
