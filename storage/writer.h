/* The command path of one own log, as steps (design D4, D7, D13): decide, group, commit.
 *
 *   Decider steps:  writer_begin_command -> view, writer_propose... -> writer_end_command
 *                   writer_take_group: closes the current group
 *   Log step:       group_commit inside the log thread's transaction
 *
 * No clock, no threads, no randomness: time and entropy come with the calls. Several groups may be
 * under way; they commit in order. A failed group ends the incarnation: the writer is closed, the
 * memory table forgotten, and a new writer opened. */
#ifndef STORAGE_WRITER_H
#define STORAGE_WRITER_H

#include "storage/group.h"
#include "storage/rules.h"
#include "storage/views.h"

struct writer;

struct writer_options {
    struct log_store *logs;
    struct views *views; /* NULL: this log does not fold here (a hub's log for one province) */
    struct rules rules;
    const char *node;
    const char *audience;
    const struct sign_key *log_key;
    uint8_t incarnation[INCARNATION_SIZE]; /* random, from the caller */
    uint8_t entropy[32];                   /* seeds the salts of this incarnation */
    uint32_t flags;                        /* enum incarnation_flag */
    int64_t wall_ms;
    uint64_t first_group; /* number of its first group: above every earlier one's, at least 1 */
    size_t memory_share;  /* bytes of the memory table from which it is frozen for a flush */
};

/* Opens a new incarnation: reads the tips and puts its first record, which names them, into the
 * first group, which the caller commits (creating the log) like any other before it lets commands
 * in. The views of the node must be folded up to the log store's end. Every error of reading;
 * ERR_INVALID for names that cannot be a log's. */
enum err writer_open(struct writer **out, const struct writer_options *options);
/* After the last group of this writer was freed. */
void writer_close(struct writer *writer);
const struct log_id *writer_log(const struct writer *writer);

/* One command at a time, on the decider. `wall_ms` is the clock now; within the log time does not
 * decrease. ERR_CONFLICT when the clock went back by more than five minutes (the caller opens a
 * new incarnation), ERR_BUSY when the memory table is full. */
enum err writer_begin_command(struct writer *writer, int64_t wall_ms);
struct view *writer_view(struct writer *writer);
/* 32 bytes of the writer's own deterministic stream (codes, case ids). */
void writer_entropy(struct writer *writer, uint8_t *out, size_t size);

struct proposal {
    uint32_t kind;
    struct bytes actor;
    const uint8_t *case_id; /* or NULL */
    const struct record_cause *cause; /* or NULL */
    struct bytes facts;  /* without salt; copied */
    struct bytes person; /* without salt; empty: none */
};
/* Makes the record, folds it into the view and adds it to the current group. Gives its position.
 * ERR_INVALID and ERR_TOO_LARGE for a proposal outside the limits of a record, and nothing
 * happened; ERR_BUSY when the group is full. After any other error the view may hold half of the
 * fold: the writer is broken, gives that error for ever, and is dealt with like a failed group. */
enum err writer_propose(struct writer *writer, const struct proposal *proposal,
                        uint64_t *position);
void writer_end_command(struct writer *writer);
/* The last receipt held, to be named by the following records. */
void writer_receipt(struct writer *writer, const struct record_receipt *receipt);

/* The number of the group that the last command's answer depends on: the current one when it
 * proposed, or the newest whose entries it looked at; 0 for none. Group numbers ascend for the life
 * of the process, over all incarnations of this writer's log. */
uint64_t writer_command_group(const struct writer *writer);
/* The number of the current group. */
uint64_t writer_group_number(const struct writer *writer);
/* Records in the current group, and their size as they will be stored, about. */
size_t writer_pending(const struct writer *writer);
size_t writer_pending_size(const struct writer *writer);

/* Lets go of the snapshot of the views; before the decider waits. */
void writer_pause(struct writer *writer);

/* The error that broke the writer, or OK. */
enum err writer_error(const struct writer *writer);
/* Records made by this writer, and the time of the newest. */
uint64_t writer_position(const struct writer *writer);

/* Closes the current group; NULL when it is empty. Freezes the memory table for a flush when it has
 * grown beyond its share: between two groups is the only moment when it can be. */
struct group *writer_take_group(struct writer *writer);
/* The same when the current group is empty, whatever the table's size. ERR_BUSY while a frozen table
 * exists; ERR_END when the table is empty. */
enum err writer_freeze(struct writer *writer);
/* True once after each freeze: what views_flush needs when `group` is durable. */
bool writer_flush_wanted(struct writer *writer, uint64_t *group, struct log_head *head);

#endif
