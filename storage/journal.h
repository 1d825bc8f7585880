/* The journal: a second copy of what log/ needs to be made again, on a device of its own (guarantees
 * I1, I11; storage/README.md, section 11).
 *
 * It holds the node's own logs: batches as stored, checkpoints, receipts held. What others wrote is
 * with them. A folder of segments, each written from its beginning to its end; every transaction of
 * log/ that changed something of this adds one entry, written and synced while LMDB commits.
 *
 *   log thread                        helper thread
 *   builds the transaction, entry
 *   journal_make_room
 *   LMDB commit                       journal_append          in parallel
 *   journal_undo, when LMDB failed
 *   journal_erase, of what was erased
 *   answers
 *
 * Calls never overlap. After an error other than ERR_FULL and ERR_NOMEM of make_room, prepare and
 * recycle nothing of the journal can be trusted and it is only to be closed. */
#ifndef STORAGE_JOURNAL_H
#define STORAGE_JOURNAL_H

#include "storage/journal_entry.h"

#define JOURNAL_SEGMENT_SIZE_MIN ((uint64_t)64 << 10)

struct journal;

struct journal_options {
    const char *path;      /* the folder; made when its parent exists */
    const char *node;      /* whose it is */
    uint64_t segment_size; /* bytes of a segment, at least JOURNAL_SEGMENT_SIZE_MIN */
    uint64_t keep_size;    /* segments are recycled when the journal is larger, and all of them hold
                              records that are national */
};

/* What opening met. */
struct journal_report {
    bool is_new;               /* there was none */
    bool torn;                 /* the end was cut: an entry that never became whole */
    uint64_t torn_size;        /* bytes cut */
    uint64_t damaged_places;   /* stretches of bytes that cannot be read */
    uint64_t missing_entries;  /* at least so many, by their sequence numbers */
    uint64_t persons_damaged;  /* person parts that are neither whole nor erased */
    uint64_t entries;
};
/* True when the journal should be made again from log/. */
static inline bool journal_is_damaged(const struct journal_report *report)
{
    return report->damaged_places > 0 || report->missing_entries > 0;
}

/* Reads and checks everything, cuts a torn end off. ERR_CONFLICT: of another node. ERR_VERSION: by a
 * newer program. ERR_BUSY: in use. ERR_NOT_FOUND: no folder, and none to make it in. ERR_IO, ERR_FULL,
 * ERR_NOMEM. Damage is no error: see the report. */
enum err journal_open(struct journal **out, const struct journal_options *options,
                      struct journal_report *report);
void journal_close(struct journal *journal);
/* The last failure in words. */
const char *journal_failure(const struct journal *journal);

/* ---- writing --------------------------------------------------------------------------------- */

/* Room for an entry of `size` bytes in the segment being written, or in the next one. ERR_FULL. */
enum err journal_make_room(struct journal *journal, size_t size);
/* Durable when OK. The caller has made room. Seals the entry. */
enum err journal_append(struct journal *journal, struct journal_entry *entry);
/* Takes the last entry back, durably: its transaction failed, and nobody was answered yet. */
enum err journal_undo(struct journal *journal);
/* Overwrites the person part of one record with zeros wherever it stands, durably. OK when the
 * journal does not have it. */
enum err journal_erase(struct journal *journal, const struct log_id *log, uint64_t position);
/* Between transactions: writes the next part of the next segment's zeros, at most `size` bytes. What
 * it costs is spread this way. ERR_FULL: no room on the device. */
enum err journal_prepare(struct journal *journal, size_t size);
/* The device is full and the segment being written nearly so: new intake is to be refused. */
bool journal_touches_reserve(const struct journal *journal);

/* Removes the oldest segment when the journal is larger than keep_size and everything in it is below
 * `national` (of a log; called many times). OK also when there was nothing to remove. */
typedef uint64_t journal_national(void *context, const struct log_id *log);
enum err journal_recycle(struct journal *journal, journal_national *national, void *context);

/* Everything written before begin is superseded by what is written between begin and end, and
 * removed by end. */
enum err journal_remake_begin(struct journal *journal);
enum err journal_remake_end(struct journal *journal);

/* ---- reading --------------------------------------------------------------------------------- */

struct journal_place { /* of a batch */
    uint64_t first;
    uint32_t count;
    uint32_t segment;
    uint32_t offset, size, marks_size; /* of the payload in its segment; the marks follow it */
};

struct journal_note {
    uint64_t size;
    uint32_t segment, offset;
    char hub[NODE_NAME_SIZE_MAX + 1]; /* of receipts */
    struct buffer note;
};

struct journal_log {
    struct log_id id;
    uint64_t base; /* nothing below is kept */
    uint32_t base_segment;
    struct journal_place *places; /* by first; more than one may hold a record */
    size_t place_count, place_room;
    struct journal_note *notes; /* accepted checkpoints, by size */
    size_t note_count;
    struct journal_note *receipts; /* the largest of each hub */
    size_t receipt_count;
};

size_t journal_log_count(const struct journal *journal);
const struct journal_log *journal_log_at(const struct journal *journal, size_t index);
const struct journal_log *journal_log_find(const struct journal *journal, const struct log_id *id);
/* The newest copy of a batch that holds `position`; NULL. */
const struct journal_place *journal_place_of(const struct journal_log *log, uint64_t position);
/* The smallest first position above `position`; false when there is none. */
bool journal_place_after(const struct journal_log *log, uint64_t position, uint64_t *first);
/* The batch as it was written, person parts that were erased since as zeros: into `scratch`, where
 * item->payload and item->marks then point. ERR_CORRUPT, ERR_IO, ERR_NOMEM. */
enum err journal_read(struct journal *journal, const struct journal_log *log,
                      const struct journal_place *place, struct buffer *scratch,
                      struct journal_item *item);

struct journal_space {
    uint64_t size; /* of all segments */
    uint64_t used_size;
    uint32_t segments;
    uint64_t entries; /* the sequence number of the last */
    uint64_t device;  /* st_dev of the folder */
};
void journal_space_get(const struct journal *journal, struct journal_space *space);

#endif
