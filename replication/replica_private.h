/* Shared by the replica's files only. */
#ifndef REPLICATION_REPLICA_PRIVATE_H
#define REPLICATION_REPLICA_PRIVATE_H

#include "replication/core/fork.h"
#include "replication/core/package.h"
#include "replication/replica.h"
#include "storage/erase.h"

struct replica {
    struct replica_options options;
    char node[NODE_NAME_SIZE_MAX + 1];
    char cosigner[NOTE_NAME_SIZE_MAX + 1]; /* the name of this node's receipt key */
    struct sign_key receipt_key;
    struct store *environment;
};

enum intake_kind { INTAKE_CHECKPOINT, INTAKE_PACKAGE, INTAKE_RECEIPT, INTAKE_FORK };

struct replica_intake {
    struct replica *replica;
    enum intake_kind kind;
    struct log_id log;
    bool branch;
    char peer[NODE_NAME_SIZE_MAX + 1]; /* who sent it */
    enum err err; /* what replica_verify() found */
    struct buffer bytes; /* the copied note, package body or fork proof */
    struct bytes note;

    /* checkpoints */
    struct checkpoint checkpoint;
    uint64_t from;
    struct merkle_proof proof; /* packages too */

    /* packages */
    uint64_t first, count, against;
    uint32_t encoding;
    struct buffer plain; /* the body decompressed; unused when it came plain */
    struct batch_builder batch; /* detached: sealed records and leaf hashes */
    bool batch_begun;
    uint64_t absent; /* records whose person part did not come */
    uint64_t first_special; /* position of the first record that storing must look into */
    bool mends; /* asked for because what is held of these records is damaged */

    /* receipts */
    char hub[NODE_NAME_SIZE_MAX + 1];
    uint64_t size;
};

/* Where one branch of a log is stored: the log itself, or the other branch of a forked one. With
 * `create` it comes into being. ERR_NOT_FOUND. */
enum err replica_log(struct replica *replica, struct store_txn *txn, const struct log_id *log,
                     bool branch, bool create, uint32_t *number);
enum err replica_cursor(struct replica *replica, struct store_txn *txn, uint32_t number,
                        struct cursor *cursor);
/* The root this node holds of the first `size` records. */
enum err replica_root_at(struct replica *replica, struct store_txn *txn, uint32_t number,
                         uint64_t size, struct hash *root);

enum err replica_store_checkpoint(struct replica_intake *intake, struct store_txn *txn,
                                  struct replica_result *result);
enum err replica_store_package(struct replica_intake *intake, struct store_txn *txn,
                               struct replica_result *result);
/* The root that the package must prove itself against: the pending checkpoint of that size, or an
 * earlier accepted one (the sender had not yet heard of the newer). ERR_GAP: there is none. */
enum err replica_against_root(struct replica_intake *intake, struct store_txn *txn, uint32_t number,
                              const struct log_state *state, struct hash *root);
/* Whether the package proves itself; `batch` is attached where it begins. ERR_PROOF. */
enum err replica_check_proof(const struct replica_intake *intake, const struct batch_builder *batch,
                             const struct hash *root);
/* Puts what is damaged of the records that are held right by those of the package. */
enum err replica_mend(struct replica_intake *intake, struct store_txn *txn, uint32_t number,
                      const struct log_state *state, struct replica_result *result);
enum err replica_store_receipt(struct replica_intake *intake, struct store_txn *txn,
                               struct replica_result *result);
enum err replica_store_fork(struct replica_intake *intake, struct store_txn *txn,
                            struct replica_result *result);

/* Freezes a log for a history that `peer` showed under a valid signature, note `b`, which becomes
 * what the other branch is fetched up to. With `a`, a note of the same size and another root, the
 * proof is kept too and result->proven set. */
enum err replica_freeze(struct replica *replica, struct store_txn *txn, uint32_t number,
                        const char *peer, struct bytes a, struct bytes b,
                        struct replica_result *result);
/* A frozen log of which it is not known yet which history the other branch is to be: looks whether
 * the proof and what is held tell by now. */
enum err replica_aim_by_proof(struct replica *replica, struct store_txn *txn,
                              const struct log_id *log);
/* Once both branches hold a position under a checkpoint each, with different leaves: proof. */
enum err replica_prove_by_position(struct replica *replica, struct store_txn *txn,
                                   const struct log_id *log, const char *peer,
                                   struct replica_result *result);
/* Who showed the other branch, and the proof when there is one (appended); ERR_NOT_FOUND for a log
 * that is not frozen. */
enum err replica_fork_load(struct replica *replica, struct store_txn *txn, uint32_t number,
                           char peer[NODE_NAME_SIZE_MAX + 1], struct buffer *proof);

#endif
