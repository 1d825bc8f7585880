#include "storage/order.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is known of each log ---------------------------------------------------------------- */

struct book_log {
    struct log_id id;
    bool has_parents; /* its first record was read */
    size_t parent_count;
    struct log_head *parents; /* as its first record names them */
};

struct order_book {
    struct book_log *logs; /* by log number */
    uint32_t count;
    struct log_head *heads; /* INCARNATION_PARENT_MAX, for decoding; made on first use */
};

struct order_book *order_book_new(void)
{
    return calloc(1, sizeof(struct order_book));
}

void order_book_free(struct order_book *book)
{
    if (!book)
        return;
    for (uint32_t i = 0; i < book->count; i++)
        free(book->logs[i].parents);
    free(book->logs);
    free(book->heads);
    free(book);
}

/* Learns the ids of logs that came since the last call. */
static enum err book_read_ids(struct order_book *book, struct log_store *logs,
                              struct store_txn *txn)
{
    uint32_t count = log_count(logs, txn);
    if (txn->err != OK || count <= book->count)
        return txn->err;
    struct book_log *grown = realloc(book->logs, count * sizeof *grown);
    if (!grown)
        return ERR_NOMEM;
    book->logs = grown;
    for (uint32_t number = book->count; number < count; number++) {
        struct log_state state;
        enum err err = log_state_get(logs, txn, number, &state);
        if (err != OK)
            return err;
        book->logs[number] = (struct book_log){ .id = state.id };
        book->count = number + 1;
    }
    return OK;
}

static enum err book_read_parents(struct order_book *book, struct log_store *logs,
                                  struct store_txn *txn, uint32_t number)
{
    struct book_log *log = &book->logs[number];
    if (log->has_parents)
        return OK;
    if (!book->heads)
        book->heads = malloc(INCARNATION_PARENT_MAX * sizeof *book->heads);
    if (!book->heads)
        return ERR_NOMEM;
    size_t count = 0;
    enum err err =
        log_parents(logs, txn, number, book->heads, INCARNATION_PARENT_MAX, &count);
    if (err != OK)
        return err;
    if (count > 0) {
        log->parents = calloc(count, sizeof *log->parents);
        if (!log->parents)
            return ERR_NOMEM;
    }
    if (count > 0)
        memcpy(log->parents, book->heads, count * sizeof *log->parents);
    log->parent_count = count;
    log->has_parents = true;
    return OK;
}

/* ---- the logs of one node, sorted by id -------------------------------------------------------- */

struct candidate {
    struct order_entry entry;
    bool frozen;
    const struct book_log *log;
    bool waits;             /* a parent is not there or not held far enough */
    size_t first_parent, parent_count; /* in parents[]: those that come before it */
    size_t parents_unplaced;
    size_t first_child; /* into children[]; the next candidate's is its end */
};

struct candidates {
    struct candidate *items;
    size_t count;
    size_t *parents, *children; /* of all candidates, one run after the other */
    size_t link_count;          /* so many they are, in either */
    size_t *heap;     /* candidates whose parents are all placed, the smallest on top */
    size_t heap_count;
};

static bool audience_matches(const struct log_id *id, const char *audience)
{
    if (audience)
        return strcmp(id->audience, audience) == 0;
    return strcmp(id->audience, "hub") == 0 || strcmp(id->audience, "all") == 0;
}

static int candidate_compare(const void *a, const void *b)
{
    const struct candidate *left = a, *right = b;
    return log_id_compare(&left->entry.id, &right->entry.id);
}

static enum err candidates_read(struct candidates *all, struct order_book *book,
                                struct log_store *logs, struct store_txn *txn, const char *node,
                                const char *audience)
{
    size_t room = 0;
    for (uint32_t number = 0; number < book->count; number++) {
        const struct log_id *id = &book->logs[number].id;
        if (strcmp(id->node, node) != 0 || !audience_matches(id, audience))
            continue;
        struct log_state state;
        enum err err = log_state_get(logs, txn, number, &state);
        if (err != OK)
            return err;
        if (state.size == 0 || state.branch)
            continue;
        err = book_read_parents(book, logs, txn, number);
        if (err != OK)
            return err;
        if (all->count == room) {
            room = room ? 2 * room : 16;
            struct candidate *grown = realloc(all->items, room * sizeof *grown);
            if (!grown)
                return ERR_NOMEM;
            all->items = grown;
        }
        all->items[all->count++] = (struct candidate){
            .entry = { .number = number, .id = *id, .size = state.size },
            .frozen = state.frozen,
            .log = &book->logs[number],
        };
    }
    if (all->count > 0)
        qsort(all->items, all->count, sizeof *all->items, candidate_compare);
    return OK;
}

static struct candidate *candidate_find(const struct candidates *all, const struct log_id *id)
{
    struct candidate wanted = { .entry.id = *id };
    return bsearch(&wanted, all->items, all->count, sizeof *all->items, candidate_compare);
}

/* What is named of a forked log is on the branch that stands here. By their ids alone two logs can be
 * each other's parents, each meaning another branch; by their roots none can. */
static bool stands(struct log_store *logs, struct store_txn *txn, const struct candidate *parent,
                   const struct log_head *named)
{
    struct log_source source = { .logs = logs, .txn = txn, .number = parent->entry.number };
    struct merkle_source tree = log_merkle_source(&source);
    struct hash root;
    return named->size <= parent->entry.size && merkle_root(&tree, named->size, &root) == OK &&
           hash_equal(&root, &named->root);
}

/* O1, O2: which of the logs that it names come before it, and whether one of them is lacking. */
static void candidate_take_parents(struct candidates *all, struct candidate *child,
                                   struct log_store *logs, struct store_txn *txn)
{
    child->first_parent = all->link_count;
    for (size_t i = 0; i < child->log->parent_count && !child->waits; i++) {
        const struct log_head *named = &child->log->parents[i];
        struct candidate *parent = candidate_find(all, &named->log);
        if (!parent || (!parent->frozen && parent->entry.size < named->size))
            child->waits = true;
        else if (!parent->frozen || stands(logs, txn, parent, named))
            all->parents[all->link_count++] = (size_t)(parent - all->items);
    }
    if (child->waits)
        all->link_count = child->first_parent;
    child->parents_unplaced = child->parent_count = all->link_count - child->first_parent;
}

/* Finds each candidate's parents, and lists each one's children. */
static enum err candidates_link(struct candidates *all, struct log_store *logs,
                                struct store_txn *txn)
{
    size_t named = 0;
    for (size_t i = 0; i < all->count; i++)
        named += all->items[i].log->parent_count;
    all->parents = calloc(named + 1, sizeof *all->parents);
    all->children = calloc(named + 1, sizeof *all->children);
    all->heap = calloc(all->count + 1, sizeof *all->heap);
    if (!all->parents || !all->children || !all->heap)
        return ERR_NOMEM;
    for (size_t i = 0; i < all->count; i++)
        candidate_take_parents(all, &all->items[i], logs, txn);
    /* Counting sort of the links by parent: how many, where each run ends, then filled backwards. */
    for (size_t i = 0; i < all->link_count; i++)
        all->items[all->parents[i]].first_child++;
    size_t end = 0;
    for (size_t i = 0; i < all->count; i++)
        all->items[i].first_child = end += all->items[i].first_child;
    for (size_t i = all->count; i-- > 0;)
        for (size_t p = 0; p < all->items[i].parent_count; p++)
            all->children[--all->items[all->parents[all->items[i].first_parent + p]].first_child] =
                i;
    return OK;
}

/* ---- Kahn's algorithm (O3) --------------------------------------------------------------------- */

static void heap_push(struct candidates *all, size_t item)
{
    size_t at = all->heap_count++;
    for (; at > 0 && all->heap[(at - 1) / 2] > item; at = (at - 1) / 2)
        all->heap[at] = all->heap[(at - 1) / 2];
    all->heap[at] = item;
}

static size_t heap_pop(struct candidates *all)
{
    size_t top = all->heap[0];
    size_t last = all->heap[--all->heap_count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < all->heap_count; at = child) {
        if (child + 1 < all->heap_count && all->heap[child + 1] < all->heap[child])
            child++;
        if (all->heap[child] >= last)
            break;
        all->heap[at] = all->heap[child];
    }
    all->heap[at] = last;
    return top;
}

static size_t candidates_sort(struct candidates *all, struct order_entry *sorted)
{
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        if (!all->items[i].waits && all->items[i].parents_unplaced == 0)
            heap_push(all, i);
    while (all->heap_count > 0) {
        size_t item = heap_pop(all);
        sorted[count++] = all->items[item].entry;
        size_t end = item + 1 < all->count ? all->items[item + 1].first_child
                                           : all->link_count;
        for (size_t c = all->items[item].first_child; c < end; c++)
            if (--all->items[all->children[c]].parents_unplaced == 0)
                heap_push(all, all->children[c]);
    }
    return count;
}

enum err order_book_of_node(struct order_book *book, struct log_store *logs, struct store_txn *txn,
                            const char *node, const char *audience, struct order_entry **entries,
                            size_t *count)
{
    *entries = NULL;
    *count = 0;
    struct candidates all = { 0 };
    enum err err = book_read_ids(book, logs, txn);
    if (err == OK)
        err = candidates_read(&all, book, logs, txn, node, audience);
    if (err == OK && all.count > 0)
        err = candidates_link(&all, logs, txn);
    if (err != OK || all.count == 0)
        goto out;
    *entries = calloc(all.count, sizeof **entries);
    if (!*entries) {
        err = ERR_NOMEM;
        goto out;
    }
    *count = candidates_sort(&all, *entries);
out:
    free(all.items);
    free(all.parents);
    free(all.children);
    free(all.heap);
    return err;
}

enum err order_of_node(struct log_store *logs, struct store_txn *txn, const char *node,
                       const char *audience, struct order_entry **entries, size_t *count)
{
    *entries = NULL;
    *count = 0;
    struct order_book *book = order_book_new();
    if (!book)
        return ERR_NOMEM;
    enum err err = order_book_of_node(book, logs, txn, node, audience, entries, count);
    order_book_free(book);
    return err;
}

static uint64_t known_size(const struct log_state *state)
{
    return !state->frozen && state->pending_size > state->size ? state->pending_size : state->size;
}

enum err order_missing(struct log_store *logs, struct store_txn *txn, const char *node,
                       const char *audience, uint64_t *records)
{
    struct order_entry *entries;
    size_t entry_count;
    uint32_t count = log_count(logs, txn);
    enum err err = order_of_node(logs, txn, node, audience, &entries, &entry_count);
    *records = 0;
    for (uint32_t number = 0; number < count && err == OK; number++) {
        struct log_state state;
        err = log_state_get(logs, txn, number, &state);
        if (err == OK && strcmp(state.id.node, node) == 0 &&
            audience_matches(&state.id, audience) && !state.branch)
            *records += known_size(&state);
    }
    for (size_t i = 0; i < entry_count && err == OK; i++)
        *records -= entries[i].size;
    free(entries);
    return err == OK ? txn->err : err;
}
