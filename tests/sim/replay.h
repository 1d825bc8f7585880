/* I18: when all is quiet, what was recorded on the wire is said to every hub again, and each hub's store
 * holds afterwards what it held before. (During the storm strangers do the same at any time, but then
 * nobody can tell what changed a store.) */
#ifndef TESTS_SIM_REPLAY_H
#define TESTS_SIM_REPLAY_H

/* After all have converged; lets some twenty seconds pass. */
void replay_all(void);

#endif
