#include "node/cli/audit.h"
#include "node/cli/plain_tree.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEM_MAX 1000 /* listed; all are counted */

static void say(struct audit *audit, const struct log_id *log, uint64_t position,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

static void say(struct audit *audit, const struct log_id *log, uint64_t position,
                const char *format, ...)
{
    char origin[LOG_ORIGIN_SIZE_MAX + 1], what[160], line[400];
    va_list args;
    if (json_array_size(audit->problems) >= PROBLEM_MAX)
        return;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    log_id_origin(log, origin);
    snprintf(line, sizeof line, "%s at %" PRIu64 ": %s", origin, position, what);
    json_array_append_new(audit->problems, json_string(line));
}

/* ---- duplicates ------------------------------------------------------------------------------ */

static void keys_add(struct audit *audit, struct audit_keys *keys, const struct hash *hash)
{
    if (keys->count == keys->room) {
        size_t room = keys->room ? 2 * keys->room : 1024;
        struct hash *hashes = realloc(keys->hashes, room * sizeof *hashes);
        if (!hashes) {
            audit->err = ERR_NOMEM;
            return;
        }
        keys->hashes = hashes;
        keys->room = room;
    }
    keys->hashes[keys->count++] = *hash;
}

static int compare_hashes(const void *a, const void *b)
{
    return memcmp(a, b, HASH_SIZE);
}

/* How many stand there beyond the first of each. */
static uint64_t keys_repeated(struct audit_keys *keys)
{
    uint64_t repeated = 0;
    if (keys->count > 1)
        qsort(keys->hashes, keys->count, sizeof *keys->hashes, compare_hashes);
    for (size_t i = 1; i < keys->count; i++)
        repeated += hash_equal(&keys->hashes[i], &keys->hashes[i - 1]);
    return repeated;
}

static uint64_t excess(uint64_t hub, uint64_t province)
{
    return hub > province ? hub - province : 0;
}

/* A province may itself hold one key twice (a restored backup: one case, two codes), and then the
 * hub must. A copied record repeats key and code, and is one duplicate. */
void audit_finish(struct audit *audit)
{
    uint64_t keys = excess(keys_repeated(&audit->hub_keys), keys_repeated(&audit->province_keys));
    uint64_t codes =
        excess(keys_repeated(&audit->hub_codes), keys_repeated(&audit->province_codes));
    audit->duplicated = keys > codes ? keys : codes;
}

void audit_close(struct audit *audit)
{
    free(audit->hub_keys.hashes);
    free(audit->hub_codes.hashes);
    free(audit->province_keys.hashes);
    free(audit->province_codes.hashes);
}

static void take_keys(struct audit *audit, const struct audit_log *log, struct audit_keys *keys,
                      struct audit_keys *codes)
{
    for (size_t i = 0; i < log->count; i++)
        if (log->records[i].request) {
            keys_add(audit, keys, &log->records[i].key);
            keys_add(audit, codes, &log->records[i].code);
        }
}

/* ---- records --------------------------------------------------------------------------------- */

/* NULL when both are the same record, whole. */
static const char *difference(const struct audit_record *province, const struct audit_record *hub)
{
    if (!province->sound)
        return "the province's own record is damaged";
    if (!hash_equal(&province->leaf, &hub->leaf))
        return "the header differs";
    if (!hash_equal(&province->facts, &hub->facts))
        return "the facts differ";
    if (province->person_state != hub->person_state)
        return "the personal data is there on one side only";
    if (!hash_equal(&province->person, &hub->person))
        return "the personal data differs";
    return hub->sound ? NULL : "the hub's record is damaged";
}

static void count_cut(struct audit *audit, const struct audit_log *log, size_t position)
{
    if (!audit->cut_from || !audit->cut_to || position < snapshot_size(audit->cut_from, &log->id) ||
        position >= snapshot_size(audit->cut_to, &log->id))
        return;
    audit->while_cut++;
    audit->held_while_cut +=
        audit->held_before && position < snapshot_size(audit->held_before, &log->id);
}

struct counts {
    uint64_t requests, held, missing, altered, extra;
};

static struct counts compare(struct audit *audit, const struct audit_log *province,
                             const struct audit_log *hub)
{
    struct counts counts = { 0 };
    for (size_t i = 0; i < province->count; i++) {
        const struct audit_record *record = &province->records[i];
        const char *what;
        counts.requests += record->request;
        if (record->request)
            count_cut(audit, province, i);
        if (i >= hub->count) {
            counts.missing++;
            say(audit, &province->id, i, "the hub does not hold it");
        } else if ((what = difference(record, &hub->records[i])) != NULL) {
            counts.altered++;
            say(audit, &province->id, i, "%s", what);
        } else {
            counts.held += record->request;
        }
    }
    for (size_t i = province->count; i < hub->count; i++) {
        counts.extra++;
        say(audit, &hub->id, i, "the hub holds it, the province does not");
    }
    return counts;
}

/* ---- signatures ------------------------------------------------------------------------------ */

/* The root of the first `size` records as the hub holds them; false when it holds fewer. */
static bool root_of(const struct audit_log *log, uint64_t size, struct plain_tree *tree,
                    struct hash *root)
{
    if (size > log->count || size < tree->size)
        return false;
    while (tree->size < size)
        plain_append(tree, log->records[tree->size].leaf.bytes);
    plain_root(tree, root->bytes);
    return true;
}

/* The key that this log must be signed with, as the hub's configuration says. */
static bool log_key_of(struct audit *audit, const struct log_id *id, struct sign_public *key)
{
    if (local_log_key(audit->hub, id->node, key))
        return true;
    audit->checkpoints_wrong++;
    say(audit, id, 0, "the hub's configuration has no key of this province");
    return false;
}

struct note_at {
    uint64_t size;
    struct hash root;
    bool good;
};

/* All checkpoints of a log in its province's store, from the newest down. */
static enum err read_notes(const struct local *province, const struct audit_log *log,
                           const struct sign_public *key, struct note_at **notes, size_t *count)
{
    enum err err = OK;
    size_t room = 0;
    uint64_t limit = log->count;
    *notes = NULL;
    *count = 0;
    while (err == OK && limit > 0) {
        struct buffer note = { 0 };
        struct checkpoint checkpoint;
        uint64_t size = 0;
        struct store_txn txn = store_begin_read(log_store_environment(province->logs));
        err = log_note(province->logs, &txn, log->number, 1, limit, &note, &size);
        store_abort(&txn);
        if (err == OK && *count == room) {
            room = room ? 2 * room : 256;
            struct note_at *more = realloc(*notes, room * sizeof *more);
            err = more ? OK : ERR_NOMEM;
            *notes = more ? more : *notes;
        }
        if (err == OK) {
            bool good = checkpoint_open(&checkpoint, buffer_bytes(&note), key) == OK &&
                        checkpoint.size == size && log_id_equal(&checkpoint.log, &log->id);
            (*notes)[(*count)++] = (struct note_at){ size, checkpoint.root, good };
            limit = size - 1;
        }
        buffer_close(&note);
    }
    return err == ERR_NOT_FOUND ? OK : err;
}

/* Each checkpoint that the province signed states the root of what the hub holds. */
static void check_notes(struct audit *audit, const struct local *province,
                        const struct audit_log *log, const struct audit_log *held,
                        const struct sign_public *key)
{
    struct note_at *notes;
    size_t count;
    struct plain_tree tree = { 0 };
    enum err err = read_notes(province, log, key, &notes, &count);
    if (err != OK)
        audit->err = err;
    for (size_t i = count; i-- > 0;) {
        struct hash root;
        audit->checkpoints++;
        if (notes[i].good && notes[i].size > held->count)
            continue; /* the records are counted as missing */
        if (notes[i].good && root_of(held, notes[i].size, &tree, &root) &&
            hash_equal(&root, &notes[i].root))
            continue;
        audit->checkpoints_wrong++;
        say(audit, &log->id, notes[i].size,
            notes[i].good ? "the checkpoint states another root than the hub's records have"
                          : "the checkpoint's signature does not verify");
    }
    free(notes);
}

/* The receipt of this hub as the province holds it. */
static void check_receipt(struct audit *audit, const struct local *province,
                          const struct audit_log *log, const struct audit_log *held,
                          const struct sign_public *key)
{
    const char *hub = audit->hub->config->node, *problem = NULL;
    struct buffer note = { 0 };
    struct checkpoint checkpoint = { 0 };
    struct plain_tree tree = { 0 };
    struct hash root;
    char name[NOTE_NAME_SIZE_MAX + 1];
    uint64_t size = 0;
    int64_t time_s;
    struct store_txn txn = store_begin_read(log_store_environment(province->logs));
    enum err err = log_receipt_get(province->logs, &txn, log->number, hub, &note, &size);
    store_abort(&txn);
    if (err == ERR_NOT_FOUND) {
        audit->receipts_pending += log->count > 0;
        return;
    }
    receipt_key_name(name, hub);
    if (err != OK)
        problem = "the receipt cannot be read";
    else if (checkpoint_open(&checkpoint, buffer_bytes(&note), key) != OK ||
             checkpoint.size != size || !log_id_equal(&checkpoint.log, &log->id))
        problem = "the receipt is not on a checkpoint of this log";
    else if (receipt_open(buffer_bytes(&note), bytes_of_string(name),
                          &audit->hub->keyring.receipt.public, &time_s) != OK)
        problem = "the receipt is not signed by the hub";
    else if (!root_of(held, size, &tree, &root))
        problem = "the receipt covers more than the hub holds";
    else if (!hash_equal(&root, &checkpoint.root))
        problem = "the receipt states another root than the hub's records have";
    buffer_close(&note);
    audit->receipts++;
    if (problem) {
        audit->receipts_wrong++;
        say(audit, &log->id, size, "%s", problem);
    } else if (size < log->count) {
        audit->receipts_pending++;
    }
}

/* ---- logs ------------------------------------------------------------------------------------ */

static void add_line(struct audit *audit, const struct audit_log *province,
                     const struct audit_log *hub, const struct counts *counts)
{
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    if (!audit->table)
        return;
    log_id_origin(&province->id, origin);
    table_row(audit->table);
    table_log(audit->table, origin);
    table_number(audit->table, province->count);
    table_number(audit->table, hub->count);
    table_number(audit->table, counts->requests);
    table_number(audit->table, counts->held);
    table_number(audit->table, counts->missing);
    table_number(audit->table, counts->altered);
    table_number(audit->table, counts->extra);
}

/* The log of this id in a store; an empty one when it is not there. */
static enum err read_by_id(struct audit_log *log, const struct local *local,
                           const struct log_id *id)
{
    uint32_t number;
    struct store_txn txn = store_begin_read(log_store_environment(local->logs));
    enum err err = log_find(local->logs, &txn, id, &number);
    store_abort(&txn);
    if (err == OK)
        return audit_log_read(log, local, number);
    memset(log, 0, sizeof *log);
    log->id = *id;
    return err == ERR_NOT_FOUND ? OK : err;
}

static void audit_one_log(struct audit *audit, const struct local *province,
                          const struct log_id *id)
{
    struct audit_log recorded, held;
    struct sign_public key;
    enum err err = read_by_id(&recorded, province, id);
    enum err hub_err = read_by_id(&held, audit->hub, id);
    if (err != OK || hub_err != OK) {
        say(audit, id, hub_err != OK ? held.count : recorded.count, "%s: %s",
            hub_err != OK ? "the hub's store" : "the province's store",
            err_text(hub_err != OK ? hub_err : err));
        if (err != OK)
            audit->err = err;
    }
    struct counts counts = compare(audit, &recorded, &held);
    audit->registered += counts.requests;
    audit->hub_holds += counts.held;
    audit->missing += counts.missing;
    audit->altered += counts.altered;
    audit->extra += counts.extra;
    take_keys(audit, &recorded, &audit->province_keys, &audit->province_codes);
    take_keys(audit, &held, &audit->hub_keys, &audit->hub_codes);
    if (recorded.count > 0 && log_key_of(audit, id, &key)) {
        check_notes(audit, province, &recorded, &held, &key);
        check_receipt(audit, province, &recorded, &held, &key);
    }
    add_line(audit, &recorded, &held, &counts);
    free(recorded.records);
    free(held.records);
}

/* Ids of the logs of `node` in a store. */
static enum err list_logs(const struct local *local, const char *node, struct log_id **ids,
                          size_t *count)
{
    struct log_state state;
    struct store_txn txn = store_begin_read(log_store_environment(local->logs));
    uint32_t logs = log_count(local->logs, &txn);
    struct log_id *grown = realloc(*ids, (*count + logs + 1) * sizeof **ids);
    enum err err = txn.err != OK ? txn.err : grown ? OK : ERR_NOMEM;
    *ids = grown ? grown : *ids;
    for (uint32_t i = 0; i < logs && err == OK; i++) {
        err = log_state_get(local->logs, &txn, i, &state);
        bool known = err != OK || strcmp(state.id.node, node) != 0;
        for (size_t j = 0; j < *count && !known; j++)
            known = log_id_equal(&(*ids)[j], &state.id);
        if (!known)
            (*ids)[(*count)++] = state.id;
    }
    store_abort(&txn);
    return err;
}

void audit_province(struct audit *audit, const struct local *province)
{
    struct log_id *ids = NULL;
    size_t count = 0;
    const char *node = province->config->node;
    enum err err = list_logs(province, node, &ids, &count);
    if (err == OK)
        err = list_logs(audit->hub, node, &ids, &count);
    if (err != OK)
        audit->err = err;
    for (size_t i = 0; i < count && err == OK; i++)
        audit_one_log(audit, province, &ids[i]);
    free(ids);
}

const char *audit_receipts(const struct audit *audit)
{
    if (audit->receipts_wrong > 0 || audit->checkpoints_wrong > 0)
        return "wrong";
    return audit->receipts_pending > 0 ? "pending" : "verified";
}

bool audit_is_good(const struct audit *audit)
{
    return audit->err == OK && audit->missing == 0 && audit->altered == 0 &&
           audit->duplicated == 0 && audit->extra == 0 && audit->held_while_cut == 0 &&
           audit->registered == audit->hub_holds && strcmp(audit_receipts(audit), "verified") == 0;
}
