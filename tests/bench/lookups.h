/* Looks up registered requests over HTTP, evenly in time, on a thread of its own.
 *
 * Its thread asks for a higher priority (nice -10, short time slices) and goes on without when that
 * is refused: it stands for clients elsewhere, and what the load beside it does to its own turn on
 * a processor is not the server's latency. */
#ifndef TESTS_BENCH_LOOKUPS_H
#define TESTS_BENCH_LOOKUPS_H

#include "measure.h"

#include "proto/base/bytes.h"

struct lookups;

struct lookups_options {
    unsigned port;
    const char *token; /* with the scope read */
    size_t per_second; /* 1 .. 100000 */
};

struct lookups_result {
    size_t lookups, found;
    unsigned first_failure; /* HTTP status of the first answer other than 200, or 0 */
    struct latencies latencies;
};

/* Options are copied but for the token. Nothing is looked up before lookups_begin(). */
struct lookups *lookups_new(const struct lookups_options *options);
void lookups_free(struct lookups *lookups);

/* One more request that may be looked up; from any thread. The code is copied, the phone number, as
 * it was typed, stays the caller's and must remain. */
void lookups_add(struct lookups *lookups, struct bytes code, struct bytes phone);
size_t lookups_known(struct lookups *lookups);

/* Starts the thread; there must be something known. */
void lookups_begin(struct lookups *lookups);
/* What was answered since the last call. The caller closes the latencies. */
struct lookups_result lookups_take(struct lookups *lookups);
void lookups_end(struct lookups *lookups);

#endif
