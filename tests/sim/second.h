/* The second device of a node: where its journal lies (storage/README.md, section 11). Which nodes have
 * one, and what may happen to it or to the first, is drawn from a stream of its own: a seed without
 * second devices is what it was before there were any.
 *
 * Of a province that has two devices one may be lost, damaged or put back at any time, and nothing that
 * was acknowledged may be missing afterwards; a second harm before the first was made good is outside
 * of the failure model and is not done. A hub's first device holds the provinces' logs, which no
 * journal has: its loss is that of a hub. */
#ifndef TESTS_SIM_SECOND_H
#define TESTS_SIM_SECOND_H

#include "tests/sim/disk.h"
#include "tests/sim/swarm.h"
#include "tests/sim/world.h"

/* Of swarm->second. */
void second_draw(struct swarm *swarm);
/* For a profile: every node has one, and harms come often. */
void second_insist(struct swarm *swarm);

/* Gives the node a second device, if the seed has it so, with the hooks of the first. `twin`: it gets
 * one when that has. */
void second_make(struct sim_node *node, const struct sim_node *twin,
                 const struct disk_options *first);
void second_configure(const struct sim_node *node, struct config *config);

/* The process begins; it answered a request with success. */
void second_on_start(struct sim_node *node);
void second_on_answer(struct sim_node *node);
void second_on_event(struct sim_node *node, const char *event);

/* ---- harms ---- */

struct harm {
    unsigned variant;
    struct sim_node *node;
    char snapshot[SIM_PATH_SIZE]; /* of one of the devices, to be put back later; "" */
    int64_t since_ns;
};
/* Draws one and does it, or its first part. False: it does not fit. A node that was killed for it is
 * down, and is to be started again. */
bool second_harm(struct harm *harm, struct sim_node *node, struct dice *dice);
/* The second part, if there is one; true: the node was killed for it. */
bool second_harm_end(struct harm *harm, struct dice *dice);

/* Kills the node, and what belongs to one place of its journal, or of its log, then stands at another,
 * too. False: the other one is not whole. */
bool second_misdirect(struct sim_node *node, bool journal, struct dice *dice);

/* Beside a snapshot of the first device at `path`, of the second, at one moment; put back ("": empty). */
bool second_snapshot(struct sim_node *node, const char *path);
void second_restore(struct sim_node *node, const char *path);

/* The process dies when the next entry is durable in the one and not yet in the other. */
void second_split_syncs(struct sim_node *node, bool journal_first);
/* How much longer than usual a sync takes. */
int64_t second_on_disk_begin(struct sim_node *node, const struct disk_call *call);
void second_on_disk_end(struct sim_node *node, const struct disk_call *call);

#endif
