/* A small good history for the tests of the checkers: a province «ardabil» and a hub «hub-1», six
 * registrations, a retry, a misuse, an erasure, a look-up, a restart, faults, healing and both stores.
 * Hashes of records are invented; roots, signatures and proofs are real. Tests then spoil one thing. */
#ifndef TESTS_UNIT_CHECK_SAMPLE_H
#define TESTS_UNIT_CHECK_SAMPLE_H

#include "tests/check/dump.h"
#include "tests/check/history.h"
#include "tests/check/history_private.h" /* tests change what is recorded */

enum { ARDABIL, HUB };

#define SAMPLE_LOG_1 "samad/ardabil/hub/11111111111111111111111111111111"
#define SAMPLE_LOG_2 "samad/ardabil/hub/22222222222222222222222222222222"

struct history *sample_good(void);

/* The n-th event of the kind from 0, to be changed. */
struct history_event *sample_event(struct history *history, enum history_kind kind, size_t n);
/* Puts one in, behind that event. */
void sample_insert(struct history *history, const struct history_event *after,
                   struct history_event event);
void sample_remove(struct history *history, struct history_event *event);

/* The host's dump of that label, and a log of it. */
struct dump *sample_dump(struct history *history, uint32_t host, const char *label);
struct dump_log *sample_log(struct history *history, uint32_t host, const char *label,
                            const char *origin);

/* The note of that log, size and root, signed by the node's key and, when `cosigned`, by the hub. Kept
 * in the history. */
const char *sample_note(struct history *history, const char *origin, uint64_t size,
                        const struct check_hash *root, bool cosigned);
/* A proof that log 1 has two roots at `size`, in hexadecimal. */
const char *sample_fork_proof(struct history *history, uint64_t size, const struct check_hash *a,
                              const struct check_hash *b);
struct check_hash sample_hash(unsigned number);

struct dump_log *sample_final_log(struct history *history, uint32_t host, const char *origin);
/* The store ends `count` records earlier. */
void sample_shorten(struct dump_log *log, size_t count);

/* Events to be put in. */
struct history_event sample_life(enum history_kind kind, uint32_t host, uint64_t since_ns);
struct history_event sample_fault(const char *name, uint32_t host);

/* Judges by that guarantee alone and frees the history. */
bool sample_is_violated(struct history *history, const char *guarantee);
/* Judges and frees the history: the guarantee must have been violated; with NULL none may have. */
void sample_expect(struct history *history, const char *guarantee);

#endif
