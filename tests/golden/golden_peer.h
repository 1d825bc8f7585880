/* The frozen session of a province with a hub: every message the province sent, as it left it.
 *
 *   tests/golden/format-1/peer.messages    u32 size || encoded message, in order
 *
 * A hub of any later version must take these messages and then hold these records. */
#ifndef TESTS_GOLDEN_GOLDEN_PEER_H
#define TESTS_GOLDEN_GOLDEN_PEER_H

#include "proto/base/bytes.h"

/* Lets a province and a hub of today talk and gives what the province said. */
void golden_peer_make(struct buffer *messages);
/* Feeds the messages to a hub with an empty store; gives what it holds afterwards as one line. */
void golden_peer_replay(struct bytes messages, struct buffer *line);

#endif
