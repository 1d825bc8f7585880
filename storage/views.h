/* The views store, views/ (design D12, D13): everything derived, per node, each with the positions
 * it is applied to. Disposable: folding the logs again gives identical content.
 *
 *   meta     format version
 *   nodes    node -> current generation, applied logs in fold order: [log id, size, root]...
 *   entries  node 0x00 generation(u32) key -> value || 8 bytes SipHash of key and value
 *
 * The own node's newest changes are in a memory table; followed nodes are folded here directly. A
 * node whose fold order changed is folded aside into the next generation and switched. */
#ifndef STORAGE_VIEWS_H
#define STORAGE_VIEWS_H

#include "storage/log.h"
#include "storage/memory.h"
#include "storage/order.h"
#include "storage/rules.h"
#include "storage/view.h"

struct views;

struct views_options {
    const char *path;     /* the folder views/ */
    const char *node;     /* the own node */
    const char *audience; /* of the own node's logs that fold into its view: "hub" or "all" */
    struct rules rules;
    size_t map_size;
    size_t reserve_size;
    size_t memory_size_max; /* of the memory table */
    bool read_only;
};

enum err views_open(struct views **out, const struct views_options *options);
void views_close(struct views *views);
struct store *views_environment(struct views *views);
struct memory *views_memory(struct views *views);

/* ---- reading, any thread ---- */
struct views_reader {
    struct view view; /* read-only */
    uint64_t group;   /* the newest uncommitted or committed group whose entry was looked at; an
                         answer made from this reader waits until that group is durable (D4) */
    struct views *views;
    struct memory_pin pin;
    struct store_txn txn;
    char prefix[64];
    size_t prefix_size;
    struct buffer key, value;
};
/* The view of one node: the own one merges the memory table, others are as applied. */
enum err views_reader_begin(struct views *views, const char *node, struct views_reader *reader);
void views_reader_end(struct views_reader *reader);
/* The applied positions of a node, in fold order. */
enum err views_applied(struct views *views, const char *node, struct log_head *heads, size_t max,
                       size_t *count);

/* ---- the decider: the own node, read and write through the memory table ---- */
/* The view to decide and fold with; changes belong to group `group`. Valid until the next call of
 * views_decider_begin or _end; the decider ends it before it waits. Beginning again without an end
 * is cheap: the snapshot is kept (the memory table holds everything newer). */
struct view *views_decider_begin(struct views *views, uint64_t group);
/* The newest group whose entry was looked at or written since the last _begin; 0 when everything
 * looked at has been flushed. What an answer must wait for (D4). */
uint64_t views_decider_group(const struct views *views);
void views_decider_end(struct views *views);

/* ---- the views thread ---- */
/* Writes the frozen memory table, with the applied position `head` of the own live log after the
 * frozen table's last group, in one transaction, then drops the table. Only when that group is
 * durable in the log. */
enum err views_flush(struct views *views, const struct log_head *head);
/* Folds up to `budget` records of a node's logs that are held and not yet applied, in one
 * transaction. OK: something was done, call again; ERR_END: nothing is left. If what is applied is
 * no longer a prefix of the fold order, the next generation is begun and folded aside by further
 * calls, then switched and the old one deleted. For the own node only while no writer is open. */
enum err views_fold(struct views *views, struct log_store *logs, const char *node,
                    uint64_t budget);
/* Deletes a node's view (all generations); the next views_fold begins anew. */
enum err views_forget(struct views *views, const char *node);

/* A digest over a node's current entries in key order, with their number: what a rebuild must give
 * again. */
enum err views_digest(struct views *views, const char *node, struct hash *digest,
                      uint64_t *entries);

#endif
