#include "storage/views.h"

#include "storage/views_private.h"

#include <stdlib.h>
#include <string.h>

static const char *const TABLES[VIEWS_TABLE_COUNT] = { "meta", "nodes", "heads", "entries",
                                                       "ranges" };

/* Of the changes of one fold; half of it ends a fold early. */
#define SCRATCH_SIZE_MAX ((size_t)64 << 20)

/* ---- open ------------------------------------------------------------------------------------- */

/* meta: "made" -> u32 format | u32 rules version | node */
static enum err meta_value(const struct views *views, struct buffer *value)
{
    buffer_append_u32(value, VIEWS_FORMAT);
    buffer_append_u32(value, views->rules.version);
    buffer_append_string(value, views->node);
    return value->err;
}

static bool meta_matches(struct views *views, struct bytes wanted, enum err *err)
{
    struct bytes held;
    struct store_txn txn = store_begin_read(views->store);
    *err = store_get(&txn, VIEWS_META, bytes_of_string("made"), &held);
    bool matches = *err == OK && bytes_equal(held, wanted);
    if (*err == ERR_NOT_FOUND)
        *err = OK;
    store_abort(&txn);
    return matches;
}

static enum err meta_renew(struct views *views, struct bytes wanted)
{
    struct store_txn txn = store_begin_write(views->store);
    for (unsigned table = 0; table < VIEWS_TABLE_COUNT; table++)
        store_drop(&txn, table);
    store_put(&txn, VIEWS_META, bytes_of_string("made"), wanted);
    return store_commit(&txn);
}

static enum err views_check_meta(struct views *views, bool read_only)
{
    struct buffer wanted = { 0 };
    enum err err = meta_value(views, &wanted);
    if (err == OK && !meta_matches(views, buffer_bytes(&wanted), &err) && err == OK)
        err = read_only ? ERR_VERSION : meta_renew(views, buffer_bytes(&wanted));
    buffer_close(&wanted);
    return err;
}

static enum err views_init(struct views *views, const struct views_options *options)
{
    struct bytes node = bytes_of_string(options->node);
    struct bytes audience = bytes_of_string(options->audience);
    if (!node_name_is_valid(node) || !node_name_is_valid(audience) || !options->rules.fold)
        return ERR_INVALID;
    memcpy(views->node, node.data, node.size);
    memcpy(views->audience, audience.data, audience.size);
    views->rules = options->rules;
    views->map_size = options->map_size;
    const struct store_options store = {
        .path = options->path,
        .tables = TABLES,
        .table_count = VIEWS_TABLE_COUNT,
        .map_size = options->map_size,
        .reserve_size = options->reserve_size,
        .read_only = options->read_only,
        .disposable = true,
        .paced = true,
    };
    enum err err = store_open(&views->store, &store);
    if (err == OK)
        err = views_check_meta(views, options->read_only);
    if (err != OK || options->read_only)
        return err;
    views->book = order_book_new();
    if (!views->book)
        return ERR_NOMEM;
    err = memory_new(&views->memory, options->memory_size_max);
    return err == OK ? memory_new(&views->scratch, SCRATCH_SIZE_MAX) : err;
}

enum err views_open(struct views **out, const struct views_options *options)
{
    *out = NULL;
    struct views *views = calloc(1, sizeof *views);
    if (!views)
        return ERR_NOMEM;
    pthread_mutex_init(&views->mutex, NULL);
    pthread_mutex_init(&views->proof.mutex, NULL);
    enum err err = views_init(views, options);
    if (err == OK)
        *out = views;
    else
        views_close(views);
    return err;
}

void views_close(struct views *views)
{
    if (!views)
        return;
    views_decider_end(views);
    memory_free(views->memory);
    memory_free(views->scratch);
    order_book_free(views->book);
    if (views->store)
        store_close(views->store);
    pthread_mutex_destroy(&views->mutex);
    pthread_mutex_destroy(&views->proof.mutex);
    buffer_close(&views->scrub.from);
    free(views->proof.ranges);
    free(views->memos);
    free(views);
}

struct store *views_environment(struct views *views)
{
    return views->store;
}

struct memory *views_memory(struct views *views)
{
    return views->memory;
}

/* ---- what the process remembers of a node ------------------------------------------------------ */

/* NULL when there is no memory for it: then nothing is remembered, which costs a check or leaves a
 * damage to be found again. Called with the mutex held. */
static struct views_memo *memo_of(struct views *views, const char *node, bool make)
{
    for (size_t i = 0; i < views->memo_count; i++)
        if (strcmp(views->memos[i].node, node) == 0)
            return &views->memos[i];
    if (!make)
        return NULL;
    struct views_memo *grown =
        realloc(views->memos, (views->memo_count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    views->memos = grown;
    struct views_memo *memo = &grown[views->memo_count++];
    *memo = (struct views_memo){ .held = false };
    memcpy(memo->node, node, strlen(node) + 1);
    return memo;
}

struct views_memo views_memo_get(struct views *views, const char *node)
{
    pthread_mutex_lock(&views->mutex);
    const struct views_memo *memo = memo_of(views, node, false);
    struct views_memo copy = memo ? *memo : (struct views_memo){ .held = false };
    pthread_mutex_unlock(&views->mutex);
    return copy;
}

void views_note_held(struct views *views, const char *node, bool held)
{
    pthread_mutex_lock(&views->mutex);
    struct views_memo *memo = memo_of(views, node, true);
    if (memo)
        memo->held = held;
    pthread_mutex_unlock(&views->mutex);
}

void views_note_damage(struct views *views, const char *node, uint32_t generation)
{
    pthread_mutex_lock(&views->mutex);
    struct views_memo *memo = memo_of(views, node, true);
    if (memo)
        memo->damaged_generation = generation;
    pthread_mutex_unlock(&views->mutex);
}

void views_note_row_mended(struct views *views, const char *node)
{
    pthread_mutex_lock(&views->mutex);
    struct views_memo *memo = memo_of(views, node, true);
    if (memo)
        memo->row_mended = true;
    pthread_mutex_unlock(&views->mutex);
}

void views_note_proven(struct views *views, const char *node, uint32_t generation)
{
    pthread_mutex_lock(&views->mutex);
    struct views_memo *memo = memo_of(views, node, true);
    if (memo && memo->proven[0] != generation && memo->proven[1] != generation) {
        memo->proven[1] = memo->proven[0];
        memo->proven[0] = generation;
    }
    pthread_mutex_unlock(&views->mutex);
}

void views_withhold(struct views *views, bool withhold)
{
    if ((atomic_load(&views->withheld) & 1) != withhold)
        atomic_fetch_add(&views->withheld, 1);
}

/* ---- positions -------------------------------------------------------------------------------- */

static enum err row_of(struct views *views, const char *node, struct views_row *row)
{
    struct store_txn txn = store_begin_read(views->store);
    enum err err = txn.err == OK ? views_row_read(&txn, node, row) : txn.err;
    store_abort(&txn);
    return err;
}

bool views_is_damaged(struct views *views, const char *node)
{
    uint32_t damaged = views_memo_get(views, node).damaged_generation;
    struct views_row row;
    return damaged != 0 && row_of(views, node, &row) == OK && row.generation == damaged;
}

bool views_next_damaged(struct views *views, size_t *index, char node[NODE_NAME_SIZE_MAX + 1])
{
    for (;;) {
        pthread_mutex_lock(&views->mutex);
        bool is_there = *index < views->memo_count;
        if (is_there)
            memcpy(node, views->memos[(*index)++].node, NODE_NAME_SIZE_MAX + 1);
        pthread_mutex_unlock(&views->mutex);
        if (!is_there || views_is_damaged(views, node))
            return is_there;
    }
}

enum err views_applied(struct views *views, const char *node, struct log_head *heads, size_t max,
                       size_t *count)
{
    *count = 0;
    struct views_row row;
    struct log_head *all = NULL;
    struct store_txn txn = store_begin_read(views->store);
    enum err err = txn.err == OK ? views_row_read(&txn, node, &row) : txn.err;
    if (err == OK)
        err = views_heads_read(&txn, node, row.generation, row.head_count, &all, count);
    store_abort(&txn);
    size_t given = *count < max ? *count : max;
    if (err == OK && given > 0)
        memcpy(heads, all, given * sizeof *heads);
    free(all);
    return err == OK && *count > max ? ERR_TOO_LARGE : err;
}

enum err views_forget(struct views *views, const char *node)
{
    bool own = strcmp(node, views->node) == 0;
    if (!views->memory || !node_name_is_valid(bytes_of_string(node)))
        return ERR_INVALID;
    struct views_row row;
    enum err err = own ? memory_clear(views->memory) : OK;
    if (err == OK)
        err = row_of(views, node, &row);
    if (err != OK)
        return err;
    row = (struct views_row){
        .generation = row.newest + 1, .newest = row.newest + 1, .damaged = row.damaged
    };
    return views_write(views, &(struct views_change){ .node = node, .row = row });
}
