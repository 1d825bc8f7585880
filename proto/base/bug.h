/* Faults that are put into the product on purpose, one at a time, to prove that the simulator's
 * checkers see them (tests/sim/bugs.c). A build with SAMAD_BUGS asks a variable at each place; in
 * every other build SAMAD_BUG() is `false` and nothing of it is left. */
#ifndef PROTO_BASE_BUG_H
#define PROTO_BASE_BUG_H

#include <stdbool.h>

#ifdef SAMAD_BUGS

/* Name, what the guarantee is that it breaks, what it does. */
#define BUG_LIST(X)                                                                                \
    X(CANARY, "I1", "every command is told that all is well, and dropped: any seed shows it")      \
    /* acknowledging */                                                                            \
    X(ANSWER_BEFORE_COMMIT, "I1 I9", "a command is answered when it is decided")                  \
    X(ANSWER_FAILED_GROUP, "I1", "the commands of a group that failed are told that all is well") \
    X(SETTLE_LOSES_GROUP, "I1", "reopening drops the group that gathers, its commands live on")   \
    X(NO_SYNC, "I1 I9", "the stores are never synced")                                            \
    X(NO_ROOT_SYNC, "I1 I9", "the data is synced and the new root is not")                         \
    X(SYNC_ERROR_IGNORED, "I10", "a commit that failed with EIO counts as done")                  \
    X(KEEPS_FAILED_VIEWS, "I1 I4", "after a failed group its entries stay in the memory table")   \
    X(CURSOR_APART, "I4", "the applied position is committed before what it describes")           \
    X(NO_REPLAY, "I4 I8", "after a start the tail of the log is not folded")                      \
    /* what a request is */                                                                        \
    X(KEY_FORGOTTEN, "I4", "an idempotency key that is known makes a second case")                \
    X(BODY_IGNORED, "I4", "a known key with another body is answered like a retry")               \
    X(FACTOR_IGNORED, "I3", "a code is answered whatever the second factor is")                   \
    X(ERASES_NOTHING, "I11 I20", "an erasure is recorded and the personal data stays")             \
    X(TIME_GOES_BACK, "I24", "the time in a log follows the clock backwards")                     \
    /* logs */                                                                                     \
    X(INCARNATION_REUSED, "I6 I13", "an incarnation's id is the number of the logs held")         \
    X(PARENTS_FORGOTTEN, "I5 I13", "an incarnation names no heads")                               \
    X(ROOT_BEFORE_GROUP, "I5", "a checkpoint signs the root from before its last record")          \
    /* replication: receiving */                                                                   \
    X(PROOF_SKIPPED, "I5 I7 I11", "a package is stored without its proof")                        \
    X(COMMITMENT_SKIPPED, "I5 I11", "parts of received records are not compared with commitments") \
    X(FORK_FORGOTTEN, "I12", "a fork is noticed and nothing is frozen or kept")                   \
    X(HAND_BACK_REFUSED, "I13 I23", "what a hub holds of our own logs is not taken")              \
    X(MERGE_FORGOTTEN, "I13", "what was handed back is never named by an incarnation")             \
    X(LAST_RECORD_LEFT, "I23", "a log that lacks a single record counts as complete")             \
    X(REFUSED_FOR_EVER, "I23", "a log that could not be taken once is never asked for again")      \
    /* replication: receipts */                                                                    \
    X(RECEIPT_BEFORE_SYNC, "I2 I9", "what hubs store is answered before the commit")              \
    X(RECEIPT_AHEAD, "I2", "a receipt covers the accepted checkpoint and not what is held")        \
    X(RECEIPT_NOT_REPEATED, "I23", "a receipt that was lost on the way is not given again")        \
    X(NATIONAL_WITHOUT_RECEIPT, "I2", "a record is called national when it is held")              \
    X(ANY_RECEIPT_WILL_DO, "I2", "one receipt makes a record national, whatever the policy")      \
    /* replication: links */                                                                       \
    X(ROLLBACK_SILENT, "I13", "a rollback raises no alarm")                                       \
    X(START_NEEDS_HUB, "I22", "no incarnation opens before a hub has answered")                   \
    X(SILENCE_IGNORED, "I23", "a link on which nothing is heard is kept for ever")                \
    X(RECONNECT_FORGOTTEN, "I23", "a link that ended is not made again")                          \
    X(OLD_LOGS_KEPT_BACK, "I7 I23", "only the live log is announced")                             \
    X(CREDIT_LEAK, "I23", "credit is not given back")                                             \
    /* the disk */                                                                                 \
    X(FULL_FOR_EVER, "I23", "a disk that was full once stays full")                                \
    /* the journal */                                                                              \
    X(JOURNAL_NO_SYNC, "I1 I9", "an entry of the journal is written and not synced")               \
    X(JOURNAL_NOT_PUT_BACK, "I1", "what only the journal has stays there")                         \
    X(JOURNAL_LOSS_SILENT, "I10", "a journal that failed raises no alarm")                         \
    X(MISSING_DENIED, "I1", "what hubs have yet to hand back is said not to exist")

enum bug {
    BUG_NONE,
#define BUG_ENUM(name, breaks, text) BUG_##name,
    BUG_LIST(BUG_ENUM)
#undef BUG_ENUM
        BUG_COUNT
};
extern enum bug bug_chosen; /* tests/sim/bugs.c */
#define SAMAD_BUG(name) (bug_chosen == BUG_##name)

#else
#define SAMAD_BUG(name) false
#endif

#endif
