/* What the files of the journal share:
 *
 *   journal.c          opening, writing, recycling
 *   journal_scan.c     reading segments at opening
 *   journal_segment.c  their files
 *   journal_index.c    what is where, in memory
 *   journal_entry.c    the bytes of an entry */
#ifndef STORAGE_JOURNAL_PRIVATE_H
#define STORAGE_JOURNAL_PRIVATE_H

#include "storage/journal.h"

#define SEGMENT_HEADER_SIZE 4096
#define SEGMENT_PATH_SIZE   4200

struct segment {
    uint32_t number; /* ascending from 1 */
    uint64_t size;
    uint64_t first_sequence; /* of its first entry */
    uint8_t key[JOURNAL_KEY_SIZE];
    uint64_t used; /* where its entries end */
};

struct journal {
    char path[4096];
    char node[NODE_NAME_SIZE_MAX + 1];
    uint64_t segment_size, keep_size;
    int folder, lock;
    uint64_t device;
    struct segment *segments;
    size_t segment_count; /* the last one is being written */
    int file;             /* of the last one */
    uint64_t sequence;    /* of the next entry */
    uint64_t last_offset; /* of the last entry, for taking it back; 0 none */
    uint32_t remake_from; /* number of the first segment of a remaking */

    int spare; /* the next segment's file, or -1 */
    uint64_t spare_size, spare_zeroed;
    bool spare_ready; /* wholly written and synced */
    bool no_space;    /* it could not be written on */

    struct journal_log *logs;
    size_t log_count;
    bool failed;
    char failure[512];
};

/* Remembers what failed; gives the error that errno means. */
enum err journal_fail(struct journal *journal, const char *what, int code);
/* The journal holds damage of its own making or reading. */
enum err journal_fail_corrupt(struct journal *journal, const char *what);

/* ---- journal_segment.c ---- */
enum err segment_write(struct journal *journal, int file, const void *data, size_t size,
                       uint64_t at);
enum err segment_zero(struct journal *journal, int file, uint64_t at, uint64_t size);
enum err segment_sync(struct journal *journal, int file);
enum err folder_sync(struct journal *journal);
/* Reads exactly `size` bytes. */
enum err segment_read(struct journal *journal, int file, void *data, size_t size, uint64_t at);
/* Begins the next segment, with room for an entry of `size` bytes. */
enum err segment_begin(struct journal *journal, size_t size);
enum err segment_open(struct journal *journal, uint32_t number, int *file);
enum err segment_remove(struct journal *journal, uint32_t number);
/* ERR_CORRUPT, ERR_VERSION, ERR_CONFLICT. `whole`: both copies of the header can be read. */
enum err segment_header_read(struct journal *journal, struct bytes header, struct segment *segment,
                             bool *whole);
struct segment *segment_find(struct journal *journal, uint32_t number);
enum err segment_add(struct journal *journal, const struct segment *segment);

/* ---- journal_scan.c ---- */
/* Reads every segment of the folder, in order. */
enum err journal_scan(struct journal *journal, struct journal_report *report);

/* ---- journal_index.c ---- */
/* Takes up the items of an entry that stands at `offset` of a segment. */
enum err index_entry(struct journal *journal, uint32_t segment, uint64_t offset,
                     const uint8_t *entry, struct bytes body);
/* Forgets what stands in [from, to) of a segment, or in segments below one. */
void index_forget(struct journal *journal, uint32_t segment, uint64_t from);
void index_forget_below(struct journal *journal, uint32_t segment);
struct journal_log *index_log(struct journal *journal, const struct log_id *id);
void index_close(struct journal *journal);

#endif
