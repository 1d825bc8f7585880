/* How honest nodes meet what they are told by one that lies (liar.h): counted, so that a run shows
 * that it came to that. What honest nodes hold in the end is judged by tests/check. */
#ifndef TESTS_SIM_DEFENCE_H
#define TESTS_SIM_DEFENCE_H

#include "proto/wire/message.h"
#include "replication/core/effect.h"
#include "tests/sim/world.h"

/* NULL: nobody's. */
void defence_said(const struct sim_node *node, const struct message *message);
void defence_alarmed(const struct sim_node *node, const struct effect_alarm *alarm);

#endif
