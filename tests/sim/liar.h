/* A node with valid keys that lies: one node of a world, hub or province, runs the product like all
 * others, and what it says is altered on its way to the wire, before the channel seals it, so that
 * it comes under its own keys. When the storm is over it starts anew as an honest node; what it
 * brought about at others must then come right.
 *
 * Which node, how often and which lies is drawn from a stream of its own (STREAM_LIAR), so that
 * every other draw of a seed stays as it is. The history calls it malicious: what it says is not
 * judged, what others make of it is. */
#ifndef TESTS_SIM_LIAR_H
#define TESTS_SIM_LIAR_H

#include "proto/secure/note.h"
#include "proto/wire/message.h"
#include "tests/sim/world.h"

/* The kinds of lies; a seed knows some of them. */
#define LIE_LIST(X)                                                                                \
    X(HEADS_SIZE, "head with another size")   /* none, less, more, impossibly many */              \
    X(HEADS_STRANGE, "head of another's log") /* one that does not exist */                        \
    X(HEADS_FLOOD, "flood of heads")          /* a thousand logs that do not exist */              \
    X(WANT_POSITION, "want beyond what there is")                                                  \
    X(WANT_LOG, "want of another's log")                                                           \
    X(CHECKPOINT_ROOT, "wrong root, signed") /* of its own log: two histories */                   \
    X(CHECKPOINT_SIZE, "wrong size, signed") /* of its own log: future, or stale */                \
    X(CHECKPOINT_FORGED, "another's checkpoint, signed by itself")                                 \
    X(CHECKPOINT_STALE, "old checkpoint again")                                                    \
    X(CHECKPOINT_PROOF, "checkpoint with a wrong proof")                                           \
    X(PACKAGE_RECORD, "record made anew") /* it commits to its parts, as it should */              \
    X(PACKAGE_BODY, "package with another body")                                                   \
    X(PACKAGE_POSITION, "package of another place") /* first, count, against */                    \
    X(PACKAGE_LOG, "package of another's log")                                                     \
    X(PACKAGE_PROOF, "package with a wrong proof")                                                 \
    X(RECEIPT_AHEAD, "receipt for what it does not hold")                                          \
    X(RECEIPT_FORGED, "receipt for a note made up")                                                \
    X(CREDIT, "credit without measure, or none")                                                   \
    X(CREDIT_IGNORED, "more than the credit") /* it believes to have been given more */            \
    X(REFUSAL, "refusal without a reason")                                                         \
    X(FORK, "proof of a fork that proves nothing")                                                 \
    X(HELLO, "hello of another") /* name, role, binding, version */                                \
    X(ORDER, "one message before another")                                                         \
    X(BYTES, "bytes that are no message") /* cut off, flipped, counts made large */                \
    X(PINGS, "flood of pings")

enum lie {
#define LIE_ENUM(NAME, text) LIE_##NAME,
    LIE_LIST(LIE_ENUM)
#undef LIE_ENUM
        LIE_COUNT
};

/* After world_build(): who lies in this seed, if anybody. */
void liar_begin(const struct swarm *swarm);
/* It, and those that have its name. */
bool liar_is(const struct sim_node *node);
/* A log under its name: others may hold more or less of it than it does. */
bool liar_wrote(const struct log_id *log);
/* May it lie now? */
bool liar_lies(const struct sim_node *node);
/* The storm is over: its process ends and starts again, honest from then on. */
void liar_repent(void);
/* Whether it tells such a lie at all. */
bool liar_knows(enum lie lie);

/* What is said instead of `message`; that itself, most of the time. Valid until the next call. */
const struct message *liar_message(const struct sim_node *node, const struct message *message);
/* The encoded message stands in `out` from `offset` on. */
void liar_bytes(const struct sim_node *node, struct buffer *out, size_t offset);
/* It takes what it hears for something better. */
void liar_heard(const struct sim_node *node, struct message *message);
/* Anybody's checkpoint on its way: what a receipt could be given for. */
void liar_saw(struct bytes note);

#endif
