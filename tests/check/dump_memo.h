/* Records that were read before. A simulation reads the stores of its hosts again at each of their
 * ends: most records are the same, byte for byte, and then what is said of them is the same. Only
 * records that nothing is wrong with are kept, whole, and compared whole. */
#ifndef CHECK_DUMP_MEMO_H
#define CHECK_DUMP_MEMO_H

#include "tests/check/dump.h"
#include "tests/check/pages.h"

struct dump_memo;

/* For readings with one data key. NULL: no memory. */
struct dump_memo *dump_memo_new(void);
void dump_memo_free(struct dump_memo *memo);

/* As a batch holds it, with the leaf hash that the batch says. */
struct dump_stored {
    struct span header, facts, person;
    bool person_missing;
    struct check_hash leaf;
};

/* What was kept of exactly this, in the log of that origin at that position; or NULL. Its strings
 * live as long as the memo. */
const struct dump_record *dump_memo_find(const struct dump_memo *memo, const char *origin,
                                         uint64_t position, const struct dump_stored *stored);
/* Copies both. Without memory it is read again. */
void dump_memo_keep(struct dump_memo *memo, const char *origin, const struct dump_stored *stored,
                    const struct dump_record *record);

#endif
