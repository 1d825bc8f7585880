/* One log in many stores: its copies, what they agree on, its roots and its ancestors. */
#include "tests/check/index_private.h"

#include "tests/check/arena.h"

#include <stdlib.h>
#include <string.h>

static int copy_order(const void *a, const void *b)
{
    const struct index_copy *x = a, *y = b;
    int order = strcmp(x->log->origin, y->log->origin);
    if (order == 0)
        order = (x->dump->at > y->dump->at) - (x->dump->at < y->dump->at);
    return order ? order : (int)x->log->branch - (int)y->log->branch;
}

static uint64_t whole_records(const struct dump_log *log)
{
    uint64_t whole = 0;
    while (whole < log->record_count && log->records[whole].position == whole &&
           !log->records[whole].damaged)
        whole++;
    return whole;
}

uint64_t index_difference(const struct dump_log *a, const struct dump_log *b)
{
    size_t i = 0, k = 0;
    while (i < a->record_count && k < b->record_count) {
        const struct dump_record *x = &a->records[i], *y = &b->records[k];
        if (x->position == y->position && !x->damaged && !y->damaged &&
            !check_hash_equal(&x->hash, &y->hash))
            return x->position;
        i += x->position <= y->position;
        k += y->position <= x->position;
    }
    return UINT64_MAX;
}

static void table_fill(struct index *index, struct tree_table *table, const struct index_copy *copy)
{
    for (uint64_t i = 0; copy && i < copy->whole; i++)
        if (!tree_table_append(table, &copy->log->records[i].hash)) {
            index->failed = true;
            return;
        }
}

/* Main is the longest; other the longest of those that differ from it. */
static void choose_copies(struct index *index, struct index_log *log, struct index_copy *copies)
{
    for (size_t i = 0; i < log->copy_count; i++) {
        const struct index_copy *copy = &log->copies[i];
        if (!copy->dump->host->malicious && (!log->main || copy->whole > log->main->whole))
            log->main = copy;
    }
    for (size_t i = 0; i < log->copy_count; i++) {
        struct index_copy *copy = &copies[i];
        copy->differs = log->main ? index_difference(copy->log, log->main->log) : UINT64_MAX;
        if (!copy->dump->host->malicious && (!log->other || copy->whole > log->other->whole) &&
            copy->differs < copy->whole)
            log->other = copy;
    }
    table_fill(index, &log->main_tree, log->main);
    table_fill(index, &log->other_tree, log->other);
}

static void log_add(struct index *index, struct index_copy *copies, size_t count)
{
    if (!arena_grow((void **)&index->logs, &index->log_capacity, index->log_count,
                    sizeof *index->logs)) {
        index->failed = true;
        return;
    }
    struct index_log *log = &index->logs[index->log_count++];
    *log = (struct index_log){ .origin = copies->log->origin,
                               .node = copies->log->node,
                               .audience = copies->log->audience,
                               .copies = copies,
                               .copy_count = count };
    choose_copies(index, log, copies);
}

void index_logs_read(struct index *index)
{
    size_t count = 0;
    for (size_t i = 0; i < index->dump_count; i++)
        count += index->dumps[i].dump->log_count;
    struct index_copy *copies = calloc(count + 1, sizeof *copies);
    if (!copies) {
        index->failed = true;
        return;
    }
    index->copies = copies;
    count = 0;
    for (size_t i = 0; i < index->dump_count; i++)
        for (size_t k = 0; k < index->dumps[i].dump->log_count; k++) {
            const struct dump_log *log = &index->dumps[i].dump->logs[k];
            if (*log->origin && index->dumps[i].host)
                copies[count++] =
                    (struct index_copy){ &index->dumps[i], log, whole_records(log), UINT64_MAX };
        }
    if (count > 0)
        qsort(copies, count, sizeof *copies, copy_order);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count; end++)
            if (strcmp(copies[end].log->origin, copies[i].log->origin) != 0)
                break;
        log_add(index, copies + i, end - i);
    }
}

void index_logs_close(struct index *index)
{
    for (size_t i = 0; i < index->log_count; i++) {
        tree_table_close(&index->logs[i].main_tree);
        tree_table_close(&index->logs[i].other_tree);
    }
    free(index->logs);
    free(index->copies);
}

const struct index_log *index_log_of(const struct index *index, const char *origin)
{
    size_t low = 0, high = index->log_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(index->logs[middle].origin, origin);
        if (order == 0)
            return &index->logs[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct dump_record *index_record(const struct dump_log *log, uint64_t position)
{
    size_t low = 0, high = log->record_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct dump_record *record = &log->records[middle];
        if (record->position == position)
            return record->damaged ? NULL : record;
        if (record->position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool table_has(const struct tree_table *table, uint64_t size, const struct check_hash *root)
{
    if (size > table->count)
        return false;
    struct check_hash is = tree_table_root(table, size);
    return check_hash_equal(&is, root);
}

static bool further_has(const struct index_log *log, uint64_t size, const struct check_hash *root)
{
    struct check_hash is;
    for (size_t i = 0; i < log->copy_count; i++) {
        const struct index_copy *copy = &log->copies[i];
        if (copy->differs != UINT64_MAX && copy != log->other && copy->whole >= size &&
            dump_root_at(copy->log, size, &is) && check_hash_equal(&is, root))
            return true;
    }
    return false;
}

unsigned index_histories(const struct index_log *log, uint64_t size, const struct check_hash *root)
{
    unsigned histories = 0;
    if (log && table_has(&log->main_tree, size, root))
        histories |= HISTORY_MAIN;
    if (log && log->other && table_has(&log->other_tree, size, root))
        histories |= HISTORY_OTHER;
    if (log && log->other && further_has(log, size, root))
        histories |= HISTORY_FURTHER;
    return histories;
}

bool index_root_is_wrong(const struct index_log *log, uint64_t size, const struct check_hash *root)
{
    return log && size <= log->main_tree.count && !index_histories(log, size, root);
}

/* ---- ancestors ----------------------------------------------------------------------------- */

struct search {
    const struct index *index;
    const char *wanted;
    uint64_t size;
    uint8_t *seen; /* one a log of the index */
};

static void search_from(struct search *search, const char *origin)
{
    const struct index_log *log = index_log_of(search->index, origin);
    const struct dump_log *named = NULL;
    if (!log || search->seen[log - search->index->logs]++)
        return;
    for (size_t i = 0; i < log->copy_count && !named; i++)
        if (log->copies[i].log->parent_count > 0)
            named = log->copies[i].log; /* they all name the same */
    for (size_t i = 0; named && i < named->parent_count; i++) {
        const struct dump_head *parent = &named->parents[i];
        if (strcmp(parent->log, search->wanted) == 0 && parent->size > search->size)
            search->size = parent->size;
        search_from(search, parent->log);
    }
}

uint64_t index_covered(const struct index *index, const char *origin, const char *other)
{
    struct search search = { index, other, 0, calloc(index->log_count + 1, 1) };
    if (search.seen)
        search_from(&search, origin);
    free(search.seen);
    return search.size;
}
