#include "tests/check/dump_memo.h"

#include "tests/check/tree.h"

#include <stdlib.h>
#include <string.h>

struct memo_entry {
    const char *origin; /* one copy of each in the memo's memory */
    struct dump_record record;
    size_t header_size, facts_size, person_size;
    bool person_missing;
    struct check_hash leaf;
    const uint8_t *content; /* header, facts, person */
};

struct dump_memo {
    struct memo_entry **entries; /* open addressing by leaf, a power of two */
    size_t count, capacity;
    struct arena memory;
};

struct dump_memo *dump_memo_new(void)
{
    return calloc(1, sizeof(struct dump_memo));
}

void dump_memo_free(struct dump_memo *memo)
{
    if (!memo)
        return;
    free(memo->entries);
    arena_close(&memo->memory);
    free(memo);
}

static size_t first_slot(const struct dump_memo *memo, const struct check_hash *leaf)
{
    uint64_t number;
    memcpy(&number, leaf->bytes, sizeof number);
    return (size_t)number & (memo->capacity - 1);
}

static bool is_part(struct span part, const uint8_t *content, size_t size)
{
    return part.size == size && (size == 0 || memcmp(part.data, content, size) == 0);
}

static bool is_same(const struct memo_entry *entry, const char *origin, uint64_t position,
                    const struct dump_stored *stored)
{
    const uint8_t *facts = entry->content + entry->header_size;
    return check_hash_equal(&entry->leaf, &stored->leaf) && entry->record.position == position &&
           entry->person_missing == stored->person_missing &&
           is_part(stored->header, entry->content, entry->header_size) &&
           is_part(stored->facts, facts, entry->facts_size) &&
           is_part(stored->person, facts + entry->facts_size, entry->person_size) &&
           strcmp(entry->origin, origin) == 0;
}

const struct dump_record *dump_memo_find(const struct dump_memo *memo, const char *origin,
                                         uint64_t position, const struct dump_stored *stored)
{
    if (memo->capacity == 0)
        return NULL;
    for (size_t i = first_slot(memo, &stored->leaf); memo->entries[i];
         i = (i + 1) & (memo->capacity - 1))
        if (is_same(memo->entries[i], origin, position, stored))
            return &memo->entries[i]->record;
    return NULL;
}

static void entry_place(struct dump_memo *memo, struct memo_entry *entry)
{
    size_t i = first_slot(memo, &entry->leaf);
    while (memo->entries[i])
        i = (i + 1) & (memo->capacity - 1);
    memo->entries[i] = entry;
}

static bool memo_grow(struct dump_memo *memo)
{
    struct memo_entry **old = memo->entries;
    size_t old_capacity = memo->capacity, capacity = old_capacity ? 2 * old_capacity : 256;
    struct memo_entry **grown = calloc(capacity, sizeof(struct memo_entry *));
    if (!grown)
        return false;
    memo->entries = grown;
    memo->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i])
            entry_place(memo, old[i]);
    free(old);
    return true;
}

static const uint8_t *content_copy(struct arena *memory, const struct dump_stored *stored)
{
    size_t size = stored->header.size + stored->facts.size;
    uint8_t *content = arena_take(memory, size + stored->person.size + 1);
    if (!content)
        return NULL;
    memcpy(content, stored->header.data, stored->header.size);
    memcpy(content + stored->header.size, stored->facts.data, stored->facts.size);
    memcpy(content + size, stored->person.data, stored->person.size);
    return content;
}

static void strings_keep(struct arena *memory, struct dump_record *record)
{
    record->client = arena_text(memory, record->client);
    record->key = arena_text(memory, record->key);
    record->code = arena_text(memory, record->code);
    record->erased_log = arena_text(memory, record->erased_log);
    record->cause_log = arena_text(memory, record->cause_log);
}

void dump_memo_keep(struct dump_memo *memo, const char *origin, const struct dump_stored *stored,
                    const struct dump_record *record)
{
    if (2 * (memo->count + 1) > memo->capacity && !memo_grow(memo))
        return;
    struct memo_entry *entry = arena_take(&memo->memory, sizeof *entry);
    const uint8_t *content = content_copy(&memo->memory, stored);
    if (!entry || !content)
        return;
    *entry = (struct memo_entry){ .origin = arena_text(&memo->memory, origin),
                                  .record = *record,
                                  .header_size = stored->header.size,
                                  .facts_size = stored->facts.size,
                                  .person_size = stored->person.size,
                                  .person_missing = stored->person_missing,
                                  .leaf = stored->leaf,
                                  .content = content };
    strings_keep(&memo->memory, &entry->record);
    if (memo->memory.failed)
        return; /* a string may be missing */
    entry_place(memo, entry);
    memo->count++;
}
