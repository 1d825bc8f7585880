/* One engine in a folder of its own, with the smallest rules: a command registers a key once. */
#ifndef TESTS_UNIT_NODE_ENGINE_CASE_H
#define TESTS_UNIT_NODE_ENGINE_CASE_H

#include "node/runtime/engine.h"
#include "tests/support/folder.h"

#include <pthread.h>
#include <stdatomic.h>

extern _Atomic enum err fold_fault; /* what the fold of "poison" gives, once */

struct entry {
    struct command command;
    char name[24];
    bool known; /* what was decided */
    uint64_t position;
    /* the answer */
    enum err err;
    atomic_int answers;
};

extern pthread_mutex_t answer_lock;
extern pthread_cond_t answered;

void entry_wait(struct entry *entry);
void entry_init(struct entry *entry, const char *name);

extern char folder[FOLDER_PATH_SIZE];
extern struct sign_key key;
extern struct engine *engine;
extern atomic_int failures;
extern _Atomic uint64_t advanced_size;

struct engine_options options_of(size_t memory_size, size_t queue_max);
void engine_run(const struct engine_options *options);
void set_up(void);
void tear_down(void);
void restart(void);
struct entry put(const char *name);
bool is_readable(const char *name);

/* What the first record of the live log says. */
uint32_t live_flags(size_t *parents);

void sleep_ms(long ms);

#endif
