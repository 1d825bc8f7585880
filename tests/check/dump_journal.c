/* A journal, read by a reader of its own (storage/README.md, 11): the records that it holds and
 * log/ does not. Written for one question: what a store lacks, is it in the journal? So an entry is
 * looked at closely only when it has a batch that log/ does not hold to its end; its checksum must
 * then be right, and each record is what its header commits to. Damage is no problem to be told
 * here: what cannot be read is not there. */
#include "tests/check/dump_reader.h"

#include "tests/check/record.h"

#include <dirent.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEGMENT_HEAD = 4096,
    SEGMENT_COPY = 2048, /* the header stands there twice */
    SEGMENT_KEY = 32,    /* where in it the key is */
    KEY_SIZE = 16,
    ENTRY_HEAD = 64,
    ENTRY_HASHED = 32, /* the checksum stands behind it */
    ENTRY_TRAILER = 16,
    SUM_SIZE = 32,
    ITEM_HEAD = 24,
    ITEM_BATCH = 1,
    MARK_SIZE = 16,
    BATCH_HEAD = 16,
};
#define PERSON_MISSING UINT32_MAX

struct item {
    unsigned kind;
    uint64_t position;
    struct span origin, payload;
};

struct entry {
    struct span whole, items;
    uint32_t count;
};

/* A batch that log/ lacks. */
struct found {
    char origin[CHECK_ORIGIN_SIZE];
    uint64_t first;
    size_t order; /* later copies count */
    uint8_t *payload;
    size_t size;
};

struct journal {
    const struct dump *store;
    struct found *found;
    size_t count, capacity;
    bool failed;
};

static uint64_t number_at(struct span span, size_t at, unsigned size)
{
    return dump_big_endian(span.data + at, size);
}

/* ---- entries ------------------------------------------------------------------------------- */

static bool entry_open(struct entry *entry, struct span rest)
{
    if (rest.size < ENTRY_HEAD || memcmp(rest.data, "SJE1", 4) != 0)
        return false;
    uint64_t body = number_at(rest, 16, 4);
    uint64_t size = (ENTRY_HEAD + body + 7) / 8 * 8 + ENTRY_TRAILER;
    if (size > rest.size || memcmp(rest.data + size - 4, "1EJS", 4) != 0 ||
        number_at(rest, size - 8, 4) != size ||
        number_at(rest, size - 16, 8) != number_at(rest, 8, 8))
        return false;
    entry->count = (uint32_t)number_at(rest, 4, 4);
    entry->whole = (struct span){ rest.data, (size_t)size };
    entry->items = (struct span){ rest.data + ENTRY_HEAD, (size_t)body };
    return true;
}

static bool item_next(struct span *items, struct item *item)
{
    if (items->size < ITEM_HEAD)
        return false;
    uint64_t origin = number_at(*items, 2, 2), hub = number_at(*items, 4, 2);
    uint64_t payload = number_at(*items, 16, 4), marks = number_at(*items, 20, 4);
    uint64_t size = ITEM_HEAD + origin + hub + payload + marks;
    if (size > items->size)
        return false;
    item->kind = items->data[0];
    item->position = number_at(*items, 8, 8);
    item->origin = (struct span){ items->data + ITEM_HEAD, (size_t)origin };
    item->payload = (struct span){ item->origin.data + origin + hub, (size_t)payload };
    items->data += size;
    items->size -= (size_t)size;
    return true;
}

/* Everything up to the next person part, and leaves that out. */
static bool sum_batch(crypto_generichash_state *sum, const uint8_t **at, struct span batch)
{
    if (batch.size < BATCH_HEAD)
        return false;
    uint64_t records = number_at(batch, 4, 4);
    uint64_t offset =
        BATCH_HEAD + 44 * records + 32 * number_at(batch, 2, 2) + number_at(batch, 8, 4);
    for (uint64_t i = 0; i < records && offset <= batch.size; i++) {
        uint64_t person = number_at(batch, BATCH_HEAD + 12 * i + 8, 4);
        offset +=
            number_at(batch, BATCH_HEAD + 12 * i, 4) + number_at(batch, BATCH_HEAD + 12 * i + 4, 4);
        if (person == PERSON_MISSING || person == 0)
            continue;
        if (offset + person > batch.size)
            return false;
        crypto_generichash_update(sum, *at, (size_t)(batch.data + offset - *at));
        offset += person;
        *at = batch.data + offset;
    }
    return offset <= batch.size;
}

static bool sum_is_right(const struct entry *entry, const uint8_t key[KEY_SIZE])
{
    crypto_generichash_state sum;
    uint8_t made[SUM_SIZE];
    struct span items = entry->items;
    struct item item;
    const uint8_t *at = entry->items.data;
    uint32_t count = 0;
    crypto_generichash_init(&sum, key, KEY_SIZE, SUM_SIZE);
    crypto_generichash_update(&sum, entry->whole.data, ENTRY_HASHED);
    for (; item_next(&items, &item); count++)
        if (item.kind == ITEM_BATCH && !sum_batch(&sum, &at, item.payload))
            return false;
    crypto_generichash_update(&sum, at, (size_t)(entry->whole.data + entry->whole.size - at));
    crypto_generichash_final(&sum, made, SUM_SIZE);
    return items.size == 0 && count == entry->count &&
           memcmp(made, entry->whole.data + ENTRY_HASHED, SUM_SIZE) == 0;
}

/* ---- what log/ lacks ----------------------------------------------------------------------- */

static bool is_origin(const struct dump_log *log, struct span origin)
{
    return !log->branch && strlen(log->origin) == origin.size &&
           memcmp(log->origin, origin.data, origin.size) == 0;
}

static uint64_t held(const struct journal *journal, struct span origin)
{
    for (size_t i = 0; i < journal->store->log_count; i++)
        if (is_origin(&journal->store->logs[i], origin))
            return journal->store->logs[i].size;
    return 0;
}

static bool is_lacking(const struct journal *journal, const struct item *item)
{
    return item->kind == ITEM_BATCH && item->payload.size >= BATCH_HEAD && item->origin.size > 0 &&
           item->origin.size < CHECK_ORIGIN_SIZE &&
           item->position + number_at(item->payload, 4, 4) > held(journal, item->origin);
}

static void keep(struct journal *journal, const struct item *item)
{
    if (!arena_grow((void **)&journal->found, &journal->capacity, journal->count,
                    sizeof *journal->found)) {
        journal->failed = true;
        return;
    }
    struct found *found = &journal->found[journal->count];
    *found = (struct found){ .first = item->position,
                             .order = journal->count,
                             .payload = malloc(item->payload.size),
                             .size = item->payload.size };
    if (!found->payload) {
        journal->failed = true;
        return;
    }
    memcpy(found->payload, item->payload.data, item->payload.size);
    memcpy(found->origin, item->origin.data, item->origin.size);
    journal->count++;
}

static void read_entry(struct journal *journal, const struct entry *entry, const uint8_t *key)
{
    struct span items = entry->items;
    struct item item;
    bool lacking = false;
    while (!lacking && item_next(&items, &item))
        lacking = is_lacking(journal, &item);
    if (!lacking || !sum_is_right(entry, key))
        return;
    items = entry->items;
    while (item_next(&items, &item))
        if (is_lacking(journal, &item))
            keep(journal, &item);
}

/* ---- segments ------------------------------------------------------------------------------ */

static const uint8_t *segment_key(struct span segment)
{
    uint8_t sum[SUM_SIZE];
    for (size_t at = 0; at < SEGMENT_HEAD && segment.size >= SEGMENT_HEAD; at += SEGMENT_COPY) {
        const uint8_t *copy = segment.data + at;
        crypto_generichash(sum, SUM_SIZE, copy, SEGMENT_COPY - SUM_SIZE, NULL, 0);
        if (memcmp(copy, "samadjnl", 8) == 0 &&
            memcmp(copy + SEGMENT_COPY - SUM_SIZE, sum, SUM_SIZE) == 0)
            return copy + SEGMENT_KEY;
    }
    return NULL;
}

static void read_segment(struct journal *journal, struct span segment)
{
    const uint8_t *key = segment_key(segment);
    for (size_t at = SEGMENT_HEAD; key && at < segment.size;) {
        struct entry entry;
        if (entry_open(&entry, (struct span){ segment.data + at, segment.size - at })) {
            read_entry(journal, &entry, key);
            at += entry.whole.size;
        } else {
            at += 8;
        }
    }
}

static void read_file(struct journal *journal, const char *folder, const char *name)
{
    char path[4400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    uint8_t *bytes = size > 0 ? malloc((size_t)size) : NULL;
    rewind(file);
    if (bytes && fread(bytes, 1, (size_t)size, file) == (size_t)size)
        read_segment(journal, (struct span){ bytes, (size_t)size });
    journal->failed |= size > 0 && !bytes;
    free(bytes);
    fclose(file);
}

static int is_segment(const struct dirent *entry)
{
    return strncmp(entry->d_name, "segment-", 8) == 0;
}

static void read_folder(struct journal *journal, const char *folder)
{
    struct dirent **names;
    int count = scandir(folder, &names, is_segment, alphasort);
    for (int i = 0; i < count; i++) {
        read_file(journal, folder, names[i]->d_name);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static int found_order(const void *a, const void *b)
{
    const struct found *left = a, *right = b;
    int order = strcmp(left->origin, right->origin);
    if (order == 0)
        order = (left->first > right->first) - (left->first < right->first);
    return order ? order : (left->order < right->order) - (left->order > right->order);
}

static void read_records(struct journal *journal, struct dump *dump)
{
    /* Person parts stay sealed: one that was erased is zeros here. */
    struct dump_options options = { .label = dump->label };
    struct dump_reading reading = { .dump = dump, .options = &options };
    for (size_t i = 0; i < journal->count; i++)
        if (i == 0 || strcmp(journal->found[i].origin, journal->found[i - 1].origin) != 0)
            dump_add_log(dump, journal->found[i].origin, false);
    if (!dump_logs_prepare(&reading))
        return;
    uint32_t number = 0;
    for (size_t i = 0; i < journal->count; i++) {
        const struct found *found = &journal->found[i];
        while (strcmp(dump->logs[number].origin, found->origin) != 0)
            number++;
        if (found->first >= dump->logs[number].size)
            dump_batch(&reading, number, found->first,
                       (struct span){ found->payload, found->size });
    }
    dump_logs_close(&reading);
}

struct dump *dump_read_journal(const struct dump *store, const char *folder)
{
    struct journal journal = { .store = store };
    struct dump *dump = dump_new(store->label);
    if (!dump)
        return NULL;
    read_folder(&journal, folder);
    if (journal.count > 0)
        qsort(journal.found, journal.count, sizeof *journal.found, found_order);
    if (!journal.failed)
        read_records(&journal, dump);
    dump->memory.failed |= journal.failed;
    for (size_t i = 0; i < journal.count; i++)
        free(journal.found[i].payload);
    free(journal.found);
    return dump;
}
