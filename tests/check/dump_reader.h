/* Inside the reader of stores: dump_read.c walks the tables, dump_batch.c reads batches,
 * dump_journal.c a journal. */
#ifndef CHECK_DUMP_READER_H
#define CHECK_DUMP_READER_H

#include "tests/check/dump.h"
#include "tests/check/pages.h"
#include "tests/check/tree.h"

enum { DUMP_STORED_LEVEL = 8 }; /* the lowest level of the table `tree` */

struct dump_level {
    struct check_hash *hashes;
    size_t count, capacity;
};

/* What is made of a log besides its dump. */
struct log_reading {
    struct tree tree; /* of the records so far */
    bool whole;       /* no hole and no damaged header so far: roots can be computed */
    struct dump_level levels[64 - DUMP_STORED_LEVEL];
    uint64_t subtrees_stored;
    struct tree cursor; /* of the first cursor.count records; for notes, whose sizes ascend */
    uint8_t *explained; /* one a record: its missing person part has a reason */
};

struct dump_reading {
    struct dump *dump;
    struct pages pages;
    const struct dump_options *options;
    struct log_reading *logs; /* as many as the dump has, by log number */
};

/* What stands beside each log of the dump, as many as there are now. false: no memory. */
bool dump_logs_prepare(struct dump_reading *reading);
void dump_logs_close(struct dump_reading *reading);

/* One entry of the table `batches`. */
void dump_batch(struct dump_reading *reading, uint32_t number, uint64_t first, struct span value);

/* A note that claims the root of `size` records; problems are added to the dump. "" when it is not
 * one, otherwise its text, kept in the dump's memory. */
const char *dump_note_text(struct dump_reading *reading, uint32_t number, uint64_t size,
                           struct span note);

/* What the journal in `folder` holds and `store` does not; NULL: no memory. */
struct dump *dump_read_journal(const struct dump *store, const char *folder);

uint64_t dump_big_endian(const uint8_t *bytes, unsigned size);

#endif
