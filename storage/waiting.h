/* What is here of a node's own records and cannot be folded yet, because something before it is not
 * here (order.h O1, restore.h): folded by itself, in memory, so that the node can answer from it
 * while it waits for its hubs. Records that wait in log/ and in the journal, as the start found
 * them.
 *
 * A stop-gap: it says what these records say by themselves. Whoever asks looks into the node's own
 * view first, and here only for what is not there. Each record was compared with its leaf hash and
 * its commitments; the tree and the signature above it are looked at when it gets its place in
 * log/. */
#ifndef STORAGE_WAITING_H
#define STORAGE_WAITING_H

#include "storage/journal.h"
#include "storage/log.h"
#include "storage/memory.h"
#include "storage/rules.h"

struct waiting;

struct waiting_options {
    const char *node, *audience; /* as of order_of_node() */
    struct rules rules;
    size_t size_max; /* of memory: what is beyond it is not answered from */
};

/* `journal` may be NULL; nobody writes to it or to log/ meanwhile. NULL in *out when nothing waits.
 */
enum err waiting_new(struct waiting **out, struct log_store *logs, struct journal *journal,
                     const struct waiting_options *options);
void waiting_free(struct waiting *waiting);
/* Nothing waits any more. Readers keep what they see. One thread. */
void waiting_clear(struct waiting *waiting);

/* Embed it and do not move it while it is open. Any thread; `waiting` may be NULL. */
struct waiting_reader {
    struct view view; /* read-only */
    struct memory_pin pin;
    bool open;
};
void waiting_reader_begin(struct waiting *waiting, struct waiting_reader *reader);
void waiting_reader_end(struct waiting_reader *reader);

#endif
