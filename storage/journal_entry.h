/* An entry of the journal: what one transaction on log/ changed of the node's own logs, as bytes that
 * are written, and torn, as one (storage/README.md, section 11, has the layout).
 *
 * An entry holds items. Its checksum covers every byte but the sealed person parts inside batches,
 * each of which has a mark (a hash) of its own: so an erasure overwrites these bytes with zeros where
 * they stand, and no interrupted overwriting can spoil more than the part that is to go. */
#ifndef STORAGE_JOURNAL_ENTRY_H
#define STORAGE_JOURNAL_ENTRY_H

#include "proto/record/log_id.h"
#include "storage/batch.h"

#define JOURNAL_KEY_SIZE 16 /* the random id of a segment: its entries verify nowhere else */
#define JOURNAL_MARK_SIZE 16 /* of a sealed person part */
#define JOURNAL_ENTRY_OVERHEAD 88 /* head, padding and trailer at most */
#define JOURNAL_ENTRY_SIZE_MAX ((size_t)1 << 30)

enum journal_kind {
    JOURNAL_BATCH = 1, /* position: of its first record; payload: the batch as stored in log/ */
    JOURNAL_NOTE,      /* position: size; payload: an accepted checkpoint of a log handed back */
    JOURNAL_RECEIPT,   /* position: size; payload: the receipt note; hub: whose */
    JOURNAL_BASE       /* the journal keeps nothing below `position`: it was recycled */
};

struct journal_item {
    enum journal_kind kind;
    struct log_id log;
    uint64_t position;
    char hub[NODE_NAME_SIZE_MAX + 1]; /* empty but for receipts */
    struct bytes payload;
    struct bytes marks; /* of the batch's person parts, in order */
};

/* ---- building -------------------------------------------------------------------------------- */

struct journal_erase {
    struct log_id log;
    uint64_t position;
};

/* All zero is an empty entry. */
struct journal_entry {
    struct buffer bytes;
    uint32_t count;    /* items */
    struct bytes body; /* the items, once sealed */
    /* Person parts that the transaction erased: to be zeroed after it (journal_erase). */
    struct journal_erase *erases;
    size_t erase_count, erase_room;
    enum err err; /* sticky: ERR_NOMEM, ERR_CORRUPT (of a batch that cannot be read) */
};

/* Keeps the memory. */
void journal_entry_clear(struct journal_entry *entry);
void journal_entry_close(struct journal_entry *entry);
/* Everything is copied. */
void journal_entry_batch(struct journal_entry *entry, const struct log_id *log, uint64_t first,
                         struct bytes value);
void journal_entry_note(struct journal_entry *entry, const struct log_id *log, uint64_t size,
                        struct bytes note);
void journal_entry_receipt(struct journal_entry *entry, const struct log_id *log, const char *hub,
                           uint64_t size, struct bytes receipt);
void journal_entry_base(struct journal_entry *entry, const struct log_id *log, uint64_t position);
void journal_entry_erase(struct journal_entry *entry, const struct log_id *log, uint64_t position);
/* Bytes that it will have when sealed; 0 without items. */
size_t journal_entry_size(const struct journal_entry *entry);
/* Completes it: entry->bytes is what is to be written, until the entry is cleared. Once. */
enum err journal_entry_seal(struct journal_entry *entry, const uint8_t key[JOURNAL_KEY_SIZE],
                            uint64_t sequence);

/* ---- reading --------------------------------------------------------------------------------- */

struct journal_view {
    uint64_t sequence;
    uint32_t count;
    size_t size; /* of the whole entry */
    struct bytes body;
    uint32_t persons_erased;
    uint32_t persons_damaged; /* neither what was written nor zeros: an erasure that was interrupted,
                                 or damage */
};

/* Reads the entry at the beginning of `bytes`, which are any bytes. ERR_END where there is none but
 * zeros; ERR_CORRUPT. The view points into `bytes`. */
enum err journal_view_open(struct journal_view *view, struct bytes bytes,
                           const uint8_t key[JOURNAL_KEY_SIZE]);

/* The items in order; ERR_END after the last. `walk` begins as view->body. */
enum err journal_item_next(struct bytes *walk, struct journal_item *item);

enum journal_person { JOURNAL_PERSON_WHOLE, JOURNAL_PERSON_ERASED, JOURNAL_PERSON_DAMAGED };
/* How a sealed person part stands against its mark, the `index`-th of the item. */
enum journal_person journal_person_state(const struct journal_item *item, uint32_t index,
                                         struct bytes sealed);

#endif
