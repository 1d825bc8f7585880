/* A group: the records of many commands that become durable together, under one signed checkpoint
 * (design D2, D4). The writer builds it on the decider; it is committed on the log thread. */
#ifndef STORAGE_GROUP_H
#define STORAGE_GROUP_H

#include "proto/secure/note.h"
#include "storage/log.h"

struct group;

/* Ascending over all incarnations. */
uint64_t group_number(const struct group *group);
size_t group_size(const struct group *group); /* bytes to be written, about */
size_t group_count(const struct group *group);
/* Appends the batch under a signed checkpoint, creates the log with its first group, and applies
 * the erasures the group contains: on the log thread. May be called again with another transaction
 * when the first was aborted. */
enum err group_commit(struct group *group, struct store_txn *txn);
/* The head after the group; its signed note and the log's number are valid after group_commit. */
const struct checkpoint *group_checkpoint(const struct group *group);
struct bytes group_note(const struct group *group);
uint32_t group_log_number(const struct group *group);
void group_free(struct group *group);

/* ---- the writer's side ---- */
struct group_log {
    struct log_store *logs;
    const struct sign_key *key;
    uint32_t number; /* written by the commit of the first group, read by the later ones: all on the
                        log thread */
};
/* An empty group after `at`. The first one of a log `opens` it. `log` outlives the group. NULL
 * without memory. */
struct group *group_new(struct group_log *log, uint64_t number, bool opens,
                        const struct merkle_frontier *at);
/* Adds a record whose leaf hash is `leaf`; copied, its person part sealed. */
enum err group_add(struct group *group, const struct record *record,
                   const struct record_header *header, const struct hash *leaf);
/* No further record: fixes the checkpoint; gives the frontier to go on from. */
void group_close(struct group *group, const struct log_id *log, struct merkle_frontier *frontier);

#endif
