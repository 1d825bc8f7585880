/* Counters of a view: kept by the fold, so that a report never scans history (design D13). */
#ifndef NODE_CASEWORK_COUNTERS_H
#define NODE_CASEWORK_COUNTERS_H

#include "node/casework/view_keys.h"
#include "storage/view.h"

/* What stands there; 0 when nothing does. */
uint64_t counter_read(struct view *view, enum counter counter, struct bytes rest);

/* A counter that comes down to zero vanishes, as if it had never been. */
void counter_add(struct view *view, enum counter counter, struct bytes rest, int change);

/* Calls back for every counter of one sort, in the order of `rest`, which is valid during the call;
 * the callback does not use the view. */
typedef void counters_on_count(void *context, struct bytes rest, uint64_t count);
enum err counters_list(struct view *view, enum counter counter, counters_on_count *on_count,
                       void *context);

#endif
