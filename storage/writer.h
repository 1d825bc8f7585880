/* The command path of one own log, as steps (design D4, D7, D13): decide, group, commit.
 *
 * Decider steps:   writer_begin_command -> view, writer_propose... -> writer_end_command
 *                  writer_take_group: closes the current group
 * Log step:        group_commit inside the log thread's transaction
 * Back:            writer_group_done after the transaction: durable, or failed
 *
 * No clock, no threads, no randomness: time and entropy come with the calls. Several groups may be
 * under way; they commit in order. A failed group ends the incarnation: the writer is closed, the
 * memory table forgotten, and a new writer opened. */
#ifndef STORAGE_WRITER_H
#define STORAGE_WRITER_H

#include "proto/secure/note.h"
#include "storage/log.h"
#include "storage/rules.h"
#include "storage/views.h"

struct writer;
struct group;

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
};

/* Opens a new incarnation: reads the tips, creates the log and puts its first record into the
 * first group, which the caller commits like any other before it lets commands in. The views of
 * the node must be folded up to the log store's end. */
enum err writer_open(struct writer **out, const struct writer_options *options);
void writer_close(struct writer *writer);
const struct log_id *writer_log(const struct writer *writer);
uint32_t writer_log_number(const struct writer *writer);

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
/* Makes the record, folds it into the view and adds it to the current group. Gives its position. */
enum err writer_propose(struct writer *writer, const struct proposal *proposal,
                        uint64_t *position);
void writer_end_command(struct writer *writer);
/* The last receipt held, to be named by the following records. */
void writer_receipt(struct writer *writer, const struct record_receipt *receipt);

/* The number of the group that the last command's answer depends on: the current one when it
 * proposed, or the newest whose entries it looked at. Group numbers ascend for the life of the
 * process, from 1, over all incarnations of this writer's log. */
uint64_t writer_command_group(const struct writer *writer);
/* Records in the current group. */
size_t writer_pending(const struct writer *writer);

/* Closes the current group; NULL when it is empty. */
struct group *writer_take_group(struct writer *writer);
uint64_t group_number(const struct group *group);
size_t group_size(const struct group *group); /* bytes to be written */
size_t group_count(const struct group *group);
/* Signs the checkpoint and appends the batch: on the log thread. */
enum err group_commit(struct group *group, struct store_txn *txn);
/* The head after the group, valid after group_commit. */
const struct checkpoint *group_checkpoint(const struct group *group);
struct bytes group_note(const struct group *group);
void group_free(struct group *group);
/* On the decider, in order, after the transaction ended. Freezes the memory table for a flush when
 * it has grown beyond its share. */
void writer_group_done(struct writer *writer, const struct group *group, enum err err);
/* The head that views_flush needs: after the frozen table's last group. */
bool writer_flush_head(const struct writer *writer, struct log_head *head);

#endif
