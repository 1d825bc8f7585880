/* The hub's directory of provinces: one record a province in the broadcast log, which every province
 * follows and folds (design D17). */
#ifndef NODE_HUB_DIRECTORY_H
#define NODE_HUB_DIRECTORY_H

#include "node/config.h"
#include "node/runtime/engine.h"

/* Compares the configured provinces with this hub's own view and records what differs: entries that
 * are new or changed, and as retired those that are no longer configured. Returns at once; the
 * outcome is logged. `config` must live until the engine has stopped. */
void directory_update(struct engine *engine, const struct config *config);

#endif
