/* The fewest faults of a seed's schedule that still violate a guarantee (delta debugging). */
#ifndef TESTS_SIM_MINIMISE_H
#define TESTS_SIM_MINIMISE_H

#include "tests/sim/run.h"

/* Runs a seed in a child process. (sim_main.c) */
void minimise_run(const struct run_options *options, struct run_result *result);
/* Prints the command that runs this seed again, without what to show of it. (sim_main.c) */
void minimise_command(const struct run_options *options);
/* Prints the faults that are left, in words and as a command. `failed` is the result of the whole schedule. */
void minimise(const struct run_options *options, const struct run_result *failed);

#endif
