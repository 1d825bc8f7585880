/* One running node: the wiring of engine, replication and API on one loop, and the order in which
 * they begin and end.
 *
 *   open    lock file, keys, tokens; stores verified; links begin; the API answers «not ready»
 *   ready   the hubs were asked (or it took too long), an incarnation is open
 *   stop    the API takes no more and waits for its answers; links say that they end; the engine
 *           finishes, flushes and closes
 *
 * When the storage fails the process ends at once, with EXIT_STORAGE and one clear line: nothing of
 * the store is touched any more (design D4). */
#ifndef NODE_SITE_H
#define NODE_SITE_H

#include "node/config.h"

#include <uv.h>

/* Exit codes of samadd; deploy/README.md tells operators what to do. */
enum site_exit {
    EXIT_STOPPED = 0, /* asked to stop, everything is in order */
    EXIT_START = 1,   /* could not start; the reason is the last line */
    EXIT_CONFIG = 2,  /* arguments, configuration or keys need correction */
    EXIT_STORAGE = 3, /* storage failed while running; a restart verifies and goes on */
};

struct engine;
struct site;

/* Checks what can be checked without opening a store: keys, tokens, and what the configuration's
 * `unready` says. One line a problem. */
enum err site_check(const struct config *config, struct buffer *problems);

/* `config` must live until site_close(). ERR_BUSY when another process holds the data folder. On
 * any error `problem` says where and why, and in a second line, when that is known, what to do. */
enum err site_open(struct site **out, const struct config *config, uv_loop_t *loop,
                   struct buffer *problem);
/* Its engine, for tests that look into a running node. */
struct engine *site_engine(struct site *site);
/* Reads the tokens again. */
void site_reload(struct site *site);
/* On the loop thread, once: the loop then runs out of work, and site_close() is called. */
void site_stop(struct site *site);
/* After the loop has ended: the engine stops, everything is freed. */
void site_close(struct site *site);

#endif
