/* One engine and its replicator on the test's loop, as a daemon would have them, without the API. */
#ifndef TESTS_UNIT_NODE_MEMBER_H
#define TESTS_UNIT_NODE_MEMBER_H

#include "node/transport/replicator.h"

struct member {
    uv_loop_t *loop;
    struct config config; /* peers are the test's, to be set before the beginning */
    struct keyring keyring;
    char path[256];
    struct engine *engine;
    struct replicator *replicator;
    bool may_write, started, closed;
};

/* `seed` makes its keys; its stores come to be in `folder`. */
void member_init(struct member *member, uv_loop_t *loop, const char *folder, const char *node,
                 enum node_role role, uint8_t seed);
/* Failures of either part fail the test. */
void member_begin(struct member *member);
/* Turns the loop until the replicator is closed; the stores stay, and it may begin again. */
void member_end(struct member *member);

/* Starts the engine when the hubs were asked. Waiting for it here is what the daemon does on the
 * pool; nothing of the loop is needed for it. */
void member_turn(struct member *member);
/* One turn of the loop, at most `ms` long. */
void loop_turn(uv_loop_t *loop, uint64_t ms);

#endif
