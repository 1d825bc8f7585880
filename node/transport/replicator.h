/* The shell of the replication core: owns it on the loop thread, tells it what happens on links, in
 * the store and on the clock, and carries out its effects (replication/core/effect.h).
 *
 *   loop thread   the core, the links, the order of everything
 *   pool          building what is sent, verifying what came: the costly part, several at once
 *   log thread    storing, as jobs of the engine: many packages under one sync
 *
 * Two orders are kept across those threads: messages of one link leave in the order of the effects
 * (a queue per link), store effects of one log are stored in order (a lane per log). */
#ifndef NODE_TRANSPORT_REPLICATOR_H
#define NODE_TRANSPORT_REPLICATOR_H

#include "node/config.h"
#include "node/keyring.h"
#include "node/runtime/engine.h"
#include "node/status.h"

#include <uv.h>

struct replicator;

struct replicator_options {
    uv_loop_t *loop;
    const struct config *config;   /* borrowed */
    const struct keyring *keyring; /* borrowed */
    struct engine *engine;         /* open; not started before may_write() */
    /* The hubs were asked, or it took too long: the engine may open its incarnation. On the loop
     * thread, once; `flags` are enum incarnation_flag. Must not wait. */
    void (*may_write)(void *context, uint32_t flags);
    /* The process must stop. */
    void (*failed)(void *context, enum err err, const char *what);
    void *context;
};

/* Loads the logs into the core, listens, begins to connect. ERR_INVALID, ERR_IO with `problem` in
 * words; errors of the store. */
enum err replicator_open(struct replicator **out, const struct replicator_options *options,
                         struct buffer *problem);
/* Where it listens, with the real port; empty when it does not. */
const char *replicator_address(const struct replicator *replicator);
/* The engine's main log has grown durably (engine_options.on_advanced). Any thread. */
void replicator_advanced(struct replicator *replicator, const struct checkpoint *checkpoint);
/* The same of a log that is not live (engine_options.on_put_back). The log thread. */
void replicator_put_back(struct replicator *replicator, const struct log_id *log);
/* Verification found damage there (verifier_options.on_damage): another holder is asked for the records,
 * and they are put right. Any thread. */
void replicator_damaged(struct replicator *replicator, uint32_t number, uint64_t position);
/* A copy of what was known at most a tenth of a second ago. Any thread; cheap. */
void replicator_status(struct replicator *replicator, struct replication_status *status);
/* How many records of this own log are covered by as many receipts as the config asks for, as was
 * known at most a tenth of a second ago. Any thread; for each look-up. */
uint64_t replicator_national_size(struct replicator *replicator, const struct log_id *log);
/* On the loop thread: every link is told and ended, what is under way is awaited; then `done` is
 * called and nothing is left on the loop. The engine must still run until then. */
void replicator_close(struct replicator *replicator, void (*done)(void *context), void *context);
/* After `done`, and after the engine has stopped: it may call replicator_advanced() and
 * replicator_put_back() until then. */
void replicator_free(struct replicator *replicator);

#endif
