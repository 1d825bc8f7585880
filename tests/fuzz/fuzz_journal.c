/* Entries of the journal. The items are read before the checksum can be, so they are read from any
 * bytes; here once as a whole entry, and once as items without one, which a checksum would keep the
 * fuzzer from. Items that can be read are written again, and then the entry opens and has them. */
#include "tests/fuzz/fuzz.h"

#include "storage/journal_entry.h"

#include <string.h>

static const uint8_t key[JOURNAL_KEY_SIZE] = { 1 };

static void add(struct journal_entry *entry, const struct journal_item *item)
{
    switch (item->kind) {
    case JOURNAL_BATCH:
        journal_entry_batch(entry, &item->log, item->position, item->payload);
        break;
    case JOURNAL_NOTE:
        journal_entry_note(entry, &item->log, item->position, item->payload);
        break;
    case JOURNAL_RECEIPT:
        journal_entry_receipt(entry, &item->log, item->hub, item->position, item->payload);
        break;
    case JOURNAL_BASE:
        journal_entry_base(entry, &item->log, item->position);
        break;
    }
}

static bool is_same(const struct journal_item *a, const struct journal_item *b)
{
    return a->kind == b->kind && log_id_equal(&a->log, &b->log) && a->position == b->position &&
           strcmp(a->hub, b->hub) == 0 &&
           (a->kind == JOURNAL_BASE || bytes_equal(a->payload, b->payload));
}

static void check_items(struct bytes input)
{
    struct journal_entry entry = { 0 };
    struct journal_item item, again;
    struct journal_view view;
    struct bytes walk = input;
    while (journal_item_next(&walk, &item) == OK)
        add(&entry, &item);
    if (entry.count > 0 && entry.err == OK) {
        require(journal_entry_seal(&entry, key, 5) == OK);
        require(journal_view_open(&view, buffer_bytes(&entry.bytes), key) == OK);
        require(view.count == entry.count && view.persons_damaged == 0);
        struct bytes items = view.body;
        walk = input;
        while (journal_item_next(&walk, &item) == OK)
            require(journal_item_next(&items, &again) == OK && is_same(&item, &again));
        require(journal_item_next(&items, &again) == ERR_END);
    }
    journal_entry_close(&entry);
}

FUZZ_TARGET(journal)
{
    struct journal_view view;
    enum err err = journal_view_open(&view, input, key);
    require(err == OK || err == ERR_CORRUPT || err == ERR_END);
    require(err != OK || view.size <= input.size);
    check_items(input);
}
