/* What a run tells: the story on stdout (--trace), and the counters of faults and of what was reached
 * at all. log_event() of the product comes here as well: each event is part of the trace and of the
 * story, and known ones count as reached. */
#ifndef TESTS_SIM_STORY_H
#define TESTS_SIM_STORY_H

#include "tests/sim/sim.h"

void story_begin(bool tell);
uint64_t story_faults(void);
/* How many different things of the list of those wanted were reached, and how many are wanted. */
unsigned story_reached(void);
unsigned story_wanted(void);
/* One line for each fault and each thing reached or wanted: "reached 12 fork proven". */
void story_print_counters(void);
/* Adds another process's counters, as lines of story_print_counters(). False: not such a line. */
bool story_add_line(const char *line);

#endif
