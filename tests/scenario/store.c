/* The store of the scenarios, see store.h. */
#include "tests/scenario/store.h"

#include "proto/base/require.h"
#include "replication/core/fork.h"
#include "replication/core/package.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- keys --------------------------------------------------------------------------------------
 */

static void key_from(struct sign_key *key, const char *purpose, const char *node)
{
    struct hash seed;
    hash_sha256(&seed, (struct bytes[]){ bytes_of_string(purpose), bytes_of_string(node) }, 2);
    sign_key_from_seed(key, seed.bytes);
}

void store_log_key(const char *node, struct sign_key *key)
{
    key_from(key, "log key of ", node);
}

void store_receipt_key(const char *node, struct sign_key *key)
{
    key_from(key, "receipt key of ", node);
}

/* ---- memory ------------------------------------------------------------------------------------
 */

static void *must(void *memory)
{
    require(memory);
    return memory;
}

static void history_close(struct history *history)
{
    for (size_t i = 0; i < history->count; i++)
        free((void *)history->records[i].data);
    free(history->records);
    free(history->leaves);
    free(history->notes);
    *history = (struct history){ 0 };
}

static void history_append(struct history *history, struct bytes record, const struct hash *leaf)
{
    size_t count = history->count + 1;
    require(count <= STORE_HISTORY_MAX);
    uint8_t *copy = must(malloc(record.size));
    memcpy(copy, record.data, record.size);
    history->records = must(realloc(history->records, count * sizeof *history->records));
    history->leaves = must(realloc(history->leaves, count * sizeof *history->leaves));
    history->records[history->count] = bytes_of(copy, record.size);
    history->leaves[history->count] = *leaf;
    history->count = count;
}

static void history_note(struct history *history, uint64_t size, const struct hash *root,
                         struct bytes note)
{
    for (size_t i = 0; i < history->note_count; i++)
        if (history->notes[i].size == size && hash_equal(&history->notes[i].root, root)) {
            history->pending = i;
            return;
        }
    size_t count = history->note_count + 1;
    history->notes = must(realloc(history->notes, count * sizeof *history->notes));
    size_t index = history->note_count;
    for (; index > 0 && history->notes[index - 1].size > size; index--)
        history->notes[index] = history->notes[index - 1];
    struct store_note *added = &history->notes[index];
    history->pending = index;
    *added = (struct store_note){ .size = size, .root = *root, .note_size = note.size };
    require(note.size <= sizeof added->note);
    memcpy(added->note, note.data, note.size);
    history->note_count = count;
}

static struct bytes note_bytes(const struct store_note *note)
{
    return bytes_of(note->note, note->note_size);
}

static void history_copy(struct history *to, const struct history *from)
{
    *to = (struct history){ 0 };
    for (size_t i = 0; i < from->count; i++)
        history_append(to, from->records[i], &from->leaves[i]);
    for (size_t i = 0; i < from->note_count; i++)
        history_note(to, from->notes[i].size, &from->notes[i].root, note_bytes(&from->notes[i]));
    to->pending = from->pending;
}

void store_close(struct store *store)
{
    for (size_t i = 0; i < store->count; i++) {
        history_close(&store->logs[i]->main);
        history_close(&store->logs[i]->branch);
        buffer_close(&store->logs[i]->proof);
        free(store->logs[i]);
    }
    store->count = 0;
}

void store_copy(struct store *to, const struct store *from)
{
    to->count = from->count;
    for (size_t i = 0; i < from->count; i++) {
        struct store_log *log = to->logs[i] = must(malloc(sizeof *log));
        *log = *from->logs[i];
        history_copy(&log->main, &from->logs[i]->main);
        history_copy(&log->branch, &from->logs[i]->branch);
        for (size_t j = 0; j < log->receipt_count; j++)
            log->receipts[j].hub = log->receipt_hubs[j];
        log->proof = (struct buffer){ 0 };
        buffer_append_bytes(&log->proof, buffer_bytes(&from->logs[i]->proof));
    }
}

struct store_log *store_find(struct store *store, const struct log_id *id)
{
    for (size_t i = 0; i < store->count; i++)
        if (log_id_equal(&store->logs[i]->id, id))
            return store->logs[i];
    return NULL;
}

struct store_log *store_make(struct store *store, const struct log_id *id)
{
    struct store_log *log = store_find(store, id);
    if (log)
        return log;
    require(store->count < STORE_LOG_MAX);
    log = store->logs[store->count++] = must(calloc(1, sizeof *log));
    log->id = *id;
    return log;
}

/* ---- trees -------------------------------------------------------------------------------------
 */

static enum err history_node(void *context, unsigned level, uint64_t index, struct hash *out)
{
    struct history *history = context;
    struct hash left, right;
    if (((index + 1) << level) > history->count)
        return ERR_NOT_FOUND;
    if (level == 0) {
        *out = history->leaves[index];
        return OK;
    }
    history_node(history, level - 1, index * 2, &left);
    history_node(history, level - 1, index * 2 + 1, &right);
    merkle_node_hash(out, &left, &right);
    return OK;
}

struct merkle_source history_source(struct history *history)
{
    return (struct merkle_source){ .node = history_node, .context = history };
}

static const struct store_note *history_pending(const struct history *history)
{
    return history->note_count ? &history->notes[history->pending] : NULL;
}

/* The largest checkpoint that is wholly held. */
static const struct store_note *history_covered(const struct history *history)
{
    const struct store_note *best = NULL;
    for (size_t i = 0; i < history->note_count; i++)
        if (history->notes[i].size <= history->count)
            best = &history->notes[i];
    return best;
}

struct cursor history_cursor(const struct history *history)
{
    const struct store_note *covered = history_covered(history);
    const struct store_note *pending = history_pending(history);
    return (struct cursor){ .size = history->count,
                            .covered = covered ? covered->size : 0,
                            .pending = pending ? pending->size : 0 };
}

const struct log_head *history_parents(const struct history *history, size_t *count)
{
    static struct log_head parents[INCARNATION_PARENT_MAX];
    struct incarnation_facts facts = { .parents = parents };
    struct record record;
    *count = 0;
    if (history->count == 0)
        return parents;
    struct bytes input = history->records[0];
    require(record_decode(&record, &input) == OK);
    require(incarnation_facts_decode(&facts, record_unsalted(record.facts)) == OK);
    *count = facts.parent_count;
    return parents;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static bool is_named(const struct store *store, const struct store_log *log, uint64_t size)
{
    for (size_t i = 0; i < store->count; i++) {
        size_t count;
        const struct log_head *parents = history_parents(&store->logs[i]->main, &count);
        for (size_t j = 0; j < count; j++)
            if (log_id_equal(&parents[j].log, &log->id) && parents[j].size >= size)
                return true;
    }
    return false;
}

/* Whether all its ancestors are held as far as they are named (storage/order.h). */
static bool stands_in_order(const struct store *store, const struct store_log *log)
{
    for (size_t i = 0;; i++) {
        size_t count;
        const struct log_head *parents = history_parents(&log->main, &count);
        if (i == count)
            return true;
        struct log_head parent = parents[i]; /* the next call overwrites them */
        const struct store_log *held = store_find((struct store *)store, &parent.log);
        if (!held || held->main.count == 0 || (!held->frozen && held->main.count < parent.size) ||
            !stands_in_order(store, held))
            return false;
    }
}

static size_t find_tips(const struct store *store, const struct store_log *own,
                        struct log_head *tips)
{
    size_t count = 0;
    for (size_t i = 0; i < store->count; i++) {
        const struct store_log *log = store->logs[i];
        const struct store_note *covered = history_covered(&log->main);
        if (log == own || !covered || strcmp(log->id.node, own->id.node) != 0 ||
            strcmp(log->id.audience, own->id.audience) != 0 ||
            is_named(store, log, covered->size) || !stands_in_order(store, log))
            continue;
        tips[count++] =
            (struct log_head){ .log = log->id, .size = covered->size, .root = covered->root };
    }
    return count;
}

static void append_incarnation(struct store *store, struct store_log *log, struct buffer *facts)
{
    struct log_head tips[STORE_LOG_MAX];
    struct incarnation_facts incarnation = { .parents = tips };
    incarnation.parent_count = find_tips(store, log, tips);
    require(incarnation_facts_encode(facts, &incarnation) == OK);
}

void store_add(struct store_log *log, enum record_kind kind, struct bytes salted_facts)
{
    struct buffer header_bytes = { 0 }, wire = { 0 };
    struct record_header header = { .kind = kind, .log = log->id, .position = log->main.count };
    record_commit(&header.facts, salted_facts);
    require(record_header_encode(&header_bytes, &header) == OK);
    struct record record = { .header = buffer_bytes(&header_bytes), .facts = salted_facts };
    record_encode(&wire, &record);
    struct hash leaf;
    merkle_leaf_hash(&leaf, record.header);
    history_append(&log->main, buffer_bytes(&wire), &leaf);
    buffer_close(&header_bytes);
    buffer_close(&wire);
}

static void write_one(struct store *store, struct store_log *log, uint8_t salt)
{
    struct buffer facts = { 0 };
    uint8_t salt_bytes[SALT_SIZE];
    bool first = log->main.count == 0;
    memset(salt_bytes, salt, sizeof salt_bytes);
    buffer_append(&facts, salt_bytes, sizeof salt_bytes);
    if (first)
        append_incarnation(store, log, &facts);
    else
        buffer_append_u64(&facts, log->main.count);
    store_add(log, first ? RECORD_INCARNATION : RECORD_REQUEST, buffer_bytes(&facts));
    buffer_close(&facts);
}

void store_write(struct store *store, struct store_log *log, size_t count, uint8_t salt)
{
    struct merkle_source source = history_source(&log->main);
    struct checkpoint checkpoint = { .log = log->id };
    struct sign_key key;
    struct buffer note = { 0 };
    for (size_t i = 0; i < count; i++)
        write_one(store, log, salt);
    checkpoint.size = log->main.count;
    require(merkle_root(&source, checkpoint.size, &checkpoint.root) == OK);
    store_log_key(log->id.node, &key);
    checkpoint_sign(&note, &checkpoint, &key);
    history_note(&log->main, checkpoint.size, &checkpoint.root, buffer_bytes(&note));
    buffer_close(&note);
}

/* ---- forks -------------------------------------------------------------------------------------
 */

/* What the other branch is fetched up to: the smallest note that is known of it. */
static void aim(struct store_log *log, uint64_t size, const struct hash *root, struct bytes note)
{
    const struct store_note *pending = history_pending(&log->branch);
    if (log->branch.count == 0 && (!pending || pending->size > size))
        history_note(&log->branch, size, root, note);
}

static void freeze(struct store_log *log, const char *fork_node)
{
    if (log->frozen)
        return;
    log->frozen = true;
    snprintf(log->fork_node, sizeof log->fork_node, "%s", fork_node);
}

static void keep_proof(struct store_log *log, const struct fork_proof *proof)
{
    if (log->proven)
        return;
    fork_proof_encode(&log->proof, proof);
    log->proven = true;
}

/* Two notes of one size and different roots. */
static bool prove_same_size(struct store_log *log, const struct checkpoint *other,
                            struct bytes note)
{
    for (size_t i = 0; i < log->main.note_count; i++) {
        const struct store_note *own = &log->main.notes[i];
        if (own->size != other->size || hash_equal(&own->root, &other->root))
            continue;
        struct fork_proof proof = { .a.note = note_bytes(own), .b.note = note };
        keep_proof(log, &proof);
        return true;
    }
    return false;
}

/* Both branches hold a position, covered by a checkpoint each, with different leaves. */
static bool prove_by_position(struct store_log *log)
{
    static struct fork_proof proof;
    const struct store_note *a = history_covered(&log->main);
    const struct store_note *b = history_covered(&log->branch);
    struct merkle_source source_a = history_source(&log->main);
    struct merkle_source source_b = history_source(&log->branch);
    for (uint64_t i = 0; a && b && i < a->size && i < b->size; i++) {
        if (hash_equal(&log->main.leaves[i], &log->branch.leaves[i]))
            continue;
        proof.has_position = true;
        proof.position = i;
        proof.a.note = note_bytes(a);
        proof.b.note = note_bytes(b);
        proof.a.leaf = log->main.leaves[i];
        proof.b.leaf = log->branch.leaves[i];
        require(merkle_prove_inclusion(&source_a, i, a->size, &proof.a.path) == OK);
        require(merkle_prove_inclusion(&source_b, i, b->size, &proof.b.path) == OK);
        keep_proof(log, &proof);
        return true;
    }
    return false;
}

enum relation { NOT_KNOWN, THE_SAME, ANOTHER };

/* What is held, or accepted, beside one side of a proof. */
static enum relation relate(struct store_log *log, const struct fork_proof *proof,
                            const struct fork_branch *side, const struct checkpoint *checkpoint)
{
    struct history *main = &log->main;
    const struct store_note *pending = history_pending(main);
    struct merkle_source source = history_source(main);
    struct hash root;
    if (checkpoint->size <= main->count) {
        require(merkle_root(&source, checkpoint->size, &root) == OK);
        return hash_equal(&root, &checkpoint->root) ? THE_SAME : ANOTHER;
    }
    if (proof->has_position && proof->position < main->count)
        return hash_equal(&main->leaves[proof->position], &side->leaf) ? THE_SAME : ANOTHER;
    if (pending && pending->size == checkpoint->size)
        return hash_equal(&pending->root, &checkpoint->root) ? THE_SAME : ANOTHER;
    return NOT_KNOWN;
}

/* Which of the two is the other branch here; with nothing held, the second. */
static void aim_by_proof(struct store_log *log)
{
    static struct fork_proof proof;
    struct checkpoint a, b;
    if (log->proof.size == 0)
        return;
    require(fork_proof_decode(&proof, buffer_bytes(&log->proof)) == OK);
    require(checkpoint_parse(&a, proof.a.note) == OK && checkpoint_parse(&b, proof.b.note) == OK);
    enum relation to_a = relate(log, &proof, &proof.a, &a);
    enum relation to_b = relate(log, &proof, &proof.b, &b);
    if (to_a == NOT_KNOWN && to_b == NOT_KNOWN && log->main.count == 0) {
        history_note(&log->main, a.size, &a.root, proof.a.note);
        to_a = THE_SAME;
    }
    if (to_b == ANOTHER || (to_b == NOT_KNOWN && to_a == THE_SAME))
        aim(log, b.size, &b.root, proof.b.note);
    else if (to_a != NOT_KNOWN || to_b != NOT_KNOWN)
        aim(log, a.size, &a.root, proof.a.note);
}

enum err store_fork(struct store *store, const struct effect_store_fork *effect)
{
    struct sign_key key;
    struct log_id id;
    store_log_key(effect->log.node, &key);
    enum err err = fork_proof_verify(effect->proof, &key.public, &id);
    if (err != OK)
        return err;
    struct store_log *log = store_make(store, &id);
    freeze(log, effect->fork_node);
    if (!log->proven)
        buffer_append_bytes(&log->proof, effect->proof);
    log->proven = true;
    aim_by_proof(log);
    return OK;
}

/* ---- receiving ---------------------------------------------------------------------------------
 */

/* It covers more of what is held than any note so far: kept; what is pending stays. */
static bool covers_more(struct history *history, const struct checkpoint *checkpoint,
                        struct bytes note)
{
    struct merkle_source source = history_source(history);
    uint64_t pending_size = history_cursor(history).pending;
    struct hash root;
    if (checkpoint->size > history->count || checkpoint->size <= history_cursor(history).covered)
        return false;
    require(merkle_root(&source, checkpoint->size, &root) == OK);
    if (!hash_equal(&root, &checkpoint->root))
        return false;
    history_note(history, checkpoint->size, &checkpoint->root, note);
    while (history_cursor(history).pending < pending_size)
        history->pending++;
    return true;
}

enum err store_checkpoint(struct store *store, const struct effect_store_checkpoint *effect,
                          bool *proven)
{
    struct store_log *log = store_make(store, &effect->log);
    struct history *history = effect->branch ? &log->branch : &log->main;
    const struct store_note *pending = history_pending(history);
    const struct message_checkpoint *message = effect->message;
    struct checkpoint checkpoint;
    struct sign_key key;
    struct hash empty;
    merkle_empty_root(&empty);
    store_log_key(effect->log.node, &key);
    enum err err = checkpoint_open(&checkpoint, message->note, &key.public);
    if (err != OK)
        return err;
    if (covers_more(history, &checkpoint, message->note))
        return OK;
    uint64_t pending_size = pending ? pending->size : 0;
    struct hash from_root = pending ? pending->root : empty;
    if (!log->frozen && message->from == history->count && checkpoint.size < pending_size) {
        struct merkle_source source = history_source(history);
        require(merkle_root(&source, history->count, &from_root) == OK);
    } else if (message->from != pending_size) {
        return ERR_STALE;
    }
    err = merkle_judge_consistency(message->from, &from_root, checkpoint.size, &checkpoint.root,
                                   &message->proof);
    if (err == OK && checkpoint.size > message->from)
        history_note(history, checkpoint.size, &checkpoint.root, message->note);
    if (err != ERR_FORK)
        return err;
    if (effect->branch)
        return ERR_PROOF;
    if (log->frozen)
        return ERR_STALE;
    aim(log, checkpoint.size, &checkpoint.root, message->note);
    freeze(log, effect->node); /* signed by the log's key, and yet no continuation */
    *proven = prove_same_size(log, &checkpoint, message->note);
    return ERR_FORK;
}

struct kept {
    size_t count;
    struct buffer wires[MERKLE_BLOCK_SIZE];
};

static enum err keep_record(void *context, uint64_t position, const struct record *record,
                            const struct record_header *header, const struct hash *leaf)
{
    struct kept *kept = context;
    (void)position, (void)header, (void)leaf;
    record_encode(&kept->wires[kept->count++], record);
    return OK;
}

/* The note whose size was reached since `before` and that has another root than the tree. */
static struct store_note *note_of_another(struct history *history, size_t before)
{
    struct merkle_source source = history_source(history);
    for (size_t i = 0; i < history->note_count; i++) {
        struct store_note *note = &history->notes[i];
        struct hash root;
        if (note->size <= before || note->size > history->count)
            continue;
        require(merkle_root(&source, note->size, &root) == OK);
        if (!hash_equal(&root, &note->root))
            return note;
    }
    return NULL;
}

static void note_forget(struct history *history, struct store_note *note)
{
    size_t index = (size_t)(note - history->notes);
    memmove(note, note + 1, (history->note_count - index - 1) * sizeof *note);
    history->note_count--;
    history->pending -= history->pending > index;
}

enum err store_package(struct store *store, const struct effect_store_package *effect, bool *proven,
                       bool *first_stored)
{
    struct store_log *log = store_make(store, &effect->log);
    struct history *history = effect->branch ? &log->branch : &log->main;
    const struct message_package *package = effect->message;
    const struct store_note *pending = history_pending(history);
    struct checkpoint checkpoint = { .log = log->id };
    struct merkle_source held = history_source(history);
    struct hash leaves[MERKLE_BLOCK_SIZE];
    struct kept kept = { 0 };
    if (!pending || package->first > history->count)
        return ERR_GAP;
    checkpoint.size = pending->size;
    checkpoint.root = pending->root;
    enum err err =
        package_verify(package, package->body, &held, &checkpoint, leaves, keep_record, &kept);
    size_t before = history->count;
    for (size_t i = 0; i < kept.count; i++) {
        if (err == OK && package->first + i >= history->count) {
            *first_stored |= history->count == 0;
            history_append(history, buffer_bytes(&kept.wires[i]), &leaves[i]);
        }
        buffer_close(&kept.wires[i]);
    }
    struct store_note *another = err == OK ? note_of_another(history, before) : NULL;
    if (another) {
        bool is_news = !log->frozen;
        if (!effect->branch)
            aim(log, another->size, &another->root, note_bytes(another));
        note_forget(history, another);
        freeze(log, effect->node);
        if (is_news)
            return ERR_FORK;
    }
    if (err == OK && log->frozen && !effect->branch)
        aim_by_proof(log);
    if (err == OK && log->frozen && !log->proven)
        *proven = prove_by_position(log);
    return err;
}

static void keep_receipt(struct store_log *log, const char *hub, uint64_t size)
{
    size_t i = 0;
    while (i < log->receipt_count && strcmp(log->receipts[i].hub, hub) != 0)
        i++;
    if (i == log->receipt_count) {
        snprintf(log->receipt_hubs[i], sizeof log->receipt_hubs[i], "%s", hub);
        log->receipts[i] = (struct event_receipt_held){ .hub = log->receipt_hubs[i] };
        log->receipt_count++;
    }
    if (size > log->receipts[i].size)
        log->receipts[i].size = size;
}

enum err store_receipt(struct store *store, const struct effect_store_receipt *effect, bool *proven)
{
    struct store_log *log = store_find(store, &effect->log);
    struct merkle_source source = history_source(&log->main);
    struct checkpoint checkpoint;
    struct sign_key log_key, hub_key;
    struct hash root;
    char name[NOTE_NAME_SIZE_MAX + 1];
    int64_t time_s;
    store_log_key(effect->log.node, &log_key);
    store_receipt_key(effect->hub, &hub_key);
    receipt_key_name(name, effect->hub);
    enum err err = checkpoint_open(&checkpoint, effect->note, &log_key.public);
    if (err == OK)
        err = receipt_open(effect->note, bytes_of_string(name), &hub_key.public, &time_s);
    if (err != OK)
        return err;
    require(merkle_root(&source, checkpoint.size, &root) == OK);
    if (!hash_equal(&root, &checkpoint.root)) {
        aim(log, checkpoint.size, &checkpoint.root, effect->note);
        freeze(log, effect->hub);
        *proven = prove_same_size(log, &checkpoint, effect->note);
        return ERR_FORK;
    }
    keep_receipt(log, effect->hub, checkpoint.size);
    return OK;
}

/* ---- giving ------------------------------------------------------------------------------------
 */

enum err store_cosign(struct store *store, const char *hub,
                      const struct effect_sign_receipt *effect)
{
    struct store_log *log = store_find(store, &effect->log);
    const struct store_note *note = NULL;
    struct buffer receipt = { 0 };
    struct sign_key key;
    char name[NOTE_NAME_SIZE_MAX + 1];
    for (size_t i = 0; i < log->main.note_count; i++)
        if (log->main.notes[i].size == effect->size)
            note = &log->main.notes[i];
    require(note && effect->size <= log->main.count); /* R8: wholly held */
    require(effect->size > log->cosigned);            /* R8: never a smaller one */
    receipt_key_name(name, hub);
    store_receipt_key(hub, &key);
    require(receipt_sign(&receipt, note_bytes(note), bytes_of_string(name), 1000, &key) == OK);
    require(receipt.size <= sizeof log->receipt.note);
    log->cosigned = log->receipt.size = effect->size;
    log->receipt.note_size = receipt.size;
    memcpy(log->receipt.note, receipt.data, receipt.size);
    buffer_close(&receipt);
    return OK;
}

static bool has_root(struct history *history, uint64_t size, const struct hash *root)
{
    struct merkle_source source = history_source(history);
    struct hash held;
    if (size > history->count)
        return false;
    require(merkle_root(&source, size, &held) == OK);
    return hash_equal(&held, root);
}

enum err store_find_branch(struct store *store, const struct effect_find_branch *effect,
                           bool *branch)
{
    struct store_log *log = store_find(store, &effect->log);
    *branch = log && !has_root(&log->main, effect->size, &effect->root);
    return log && (!*branch || has_root(&log->branch, effect->size, &effect->root)) ? OK
                                                                                    : ERR_NOT_FOUND;
}

const struct store_note *store_choose(const struct store_log *log,
                                      const struct effect_send_checkpoint *effect)
{
    const struct history *history = effect->branch ? &log->branch : &log->main;
    const struct store_note *best = NULL;
    for (size_t i = 0; i < history->note_count; i++) {
        const struct store_note *note = &history->notes[i];
        if (note->size < effect->at_least || note->size > history->count)
            continue;
        if (note->size <= effect->limit || !best)
            best = note;
    }
    return best;
}

struct message_want store_want(struct store *store, const struct effect_send_want *effect)
{
    const struct store_log *log = store_find(store, &effect->log);
    require(log != NULL);
    const struct history *history = effect->branch ? &log->branch : &log->main;
    require(history->note_count > 0);
    return (struct message_want){ .log = effect->log,
                                  .next = effect->next,
                                  .pending = history->notes[history->pending].size,
                                  .names_branch = true,
                                  .root = history->notes[history->pending].root };
}

struct event store_loaded(const struct store_log *log)
{
    struct event event = { .type = EVENT_LOG_LOADED };
    event.log_loaded = (struct event_log_loaded){ .log = log->id,
                                                  .held = history_cursor(&log->main),
                                                  .cosigned = log->cosigned,
                                                  .receipts = log->receipts,
                                                  .receipt_count = log->receipt_count,
                                                  .frozen = log->frozen,
                                                  .proven = log->proven,
                                                  .fork_node = log->fork_node,
                                                  .branch = history_cursor(&log->branch) };
    event.log_loaded.parents = history_parents(&log->main, &event.log_loaded.parent_count);
    return event;
}
