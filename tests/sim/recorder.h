/* What a run leaves for the checkers: the history (tests/check/history.h) of its clients, disks,
 * lives, faults, alarms and stores. The simulation tells it as things happen; at the end it is
 * judged, and saved when somebody asks for it.
 *
 * Called on the driver and on fibers alike. Nothing here lets time pass or draws a number. */
#ifndef TESTS_SIM_RECORDER_H
#define TESTS_SIM_RECORDER_H

#include "tests/check/history.h"
#include "tests/sim/clients.h"
#include "tests/sim/disk.h"
#include "tests/sim/world.h"

/* After world_build(): every node is a host. `stand_ins`: crypto_use_stand_ins() is on. */
void recorder_begin(bool stand_ins);
void recorder_end(void);
/* A node that came later: a clone of `twin`, from its folder of `since_ns`. */
void recorder_cloned(const struct sim_node *node, const struct sim_node *twin, int64_t since_ns);

void recorder_client(const struct client_event *event);
/* Ready: it answers from now on. Down: how it ended. */
void recorder_up(const struct sim_node *node);
/* It was asked to stop. */
void recorder_stopping(const struct sim_node *node);
void recorder_down(const struct sim_node *node, enum node_end how);
void recorder_paused(const struct sim_node *node, bool paused);
/* A device ("log", "journal", "all") was replaced by a copy of since_ns; lost: by nothing. */
void recorder_restored(const struct sim_node *node, int64_t since_ns, const char *device);
void recorder_lost(const struct sim_node *node, const char *device);
void recorder_disk(const struct sim_node *node, const struct disk_call *call, bool begins);
/* `name` as history.h classes them: "net.cut", "disk.full", "rest.flip"; peer or NULL. */
void recorder_fault(const struct sim_node *node, const char *name, const struct sim_node *peer,
                    bool begins);
void recorder_alarm(const struct sim_node *node, const char *kind, const char *subject);
void recorder_healed(void);
void recorder_converged(uint64_t was_missing);
/* Reads the store of a node that is down, by the checkers' own reader. */
void recorder_dump(const struct sim_node *node, const char *label);

/* Digest of all that the store of a node that stands still holds, by the same reader; false: there is
 * none. And the mark that tells of it (STATE of history.h). */
bool recorder_digest(const struct sim_node *node, struct check_hash *out);
void recorder_state(const struct sim_node *node, const char *name, uint64_t number,
                    const struct check_hash *digest);

/* Judges what was recorded; `on_violation` gets each guarantee and what is wrong. */
void recorder_judge(void (*on_violation)(const char *guarantee, const char *text));
/* As JSON Lines; false: `why` says what failed. */
bool recorder_save(const char *path, char *why, size_t why_size);

#endif
