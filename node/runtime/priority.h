/* Which threads go first when there are more than processors.
 *
 * Hints: a system that refuses them or does not know them schedules as it likes. Linux keeps nice
 * value and time slice for each thread. */
#ifndef NODE_RUNTIME_PRIORITY_H
#define NODE_RUNTIME_PRIORITY_H

/* The calling thread works in the background: nobody waits for one step of it. nice 10. */
void priority_background(void);

/* The calling thread works on what nobody waits for at all. nice 19. */
void priority_idle(void);

/* The calling thread answers people: many short turns, each soon after it is due. A slice of 0.3 ms
 * instead of some 3 ms; Linux 6.12 and later (sched_setattr(2), sched_runtime of SCHED_OTHER). */
void priority_responsive(void);

#endif
