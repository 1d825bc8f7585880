/* The alarms that stand, in a list of bounded size that no single peer can fill.
 *
 *   A1  The same alarm (kind and subject) stands once: it keeps its beginning, its detail is renewed.
 *   A2  A peer causes at most ALARMS_PEER_MAX; its next one takes the place of its own least severe.
 *   A3  A full list lets its least severe go; among equals one of the peer with the most, of those
 *       the oldest.
 *   A4  An alarm less severe than all that it could replace is not kept. Every alarm is in the event
 *       log all the same. */
#ifndef NODE_TRANSPORT_ALARMS_H
#define NODE_TRANSPORT_ALARMS_H

#include "node/status.h"

#define ALARMS_PEER_MAX 16
/* Of replication; the rest of the status's list is for what the node says of itself (a full disk). */
#define ALARMS_MAX (STATUS_ALARM_MAX - STATUS_ALARM_OWN_MAX)

/* `alarm` is copied. False: it was not kept (A4). */
bool alarms_add(struct replication_status *status, const struct alarm_status *alarm);

#endif
