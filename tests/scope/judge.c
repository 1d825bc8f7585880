/* The end of a world, told to the checkers of tests/check.
 *
 * Two structs are called `history`: what a store holds of a log (tests/scenario/store.h), and what
 * the checkers read, which is opaque here. */
#include "proto/base/require.h"
#include "tests/check/check.h"
#include "tests/check/content.h"
#include "tests/check/dump.h"
#include "tests/check/pick.h"
#include "tests/check/record.h"
#include "tests/check/tree.h"
#include "tests/scope/arena.h"
#include "tests/scope/scope.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define CLOCK_NS UINT64_C(1000000) /* of the history, for one tick of a host's clock */

/* ---- to the end --------------------------------------------------------------------------------
 */

static bool is_for(const struct scope_node *node, const struct log_id *log)
{
    return node->options.role == ROLE_HUB || strcmp(node->options.node, log->node) == 0 ||
           strcmp(log->audience, "all") == 0;
}

static uint64_t receipted(const struct store_log *log)
{
    uint64_t size = 0;
    for (size_t i = 0; i < log->receipt_count; i++)
        if (log->receipts[i].size > size)
            size = log->receipts[i].size;
    return size;
}

/* So many records of that log does somebody lack who is to hold it, or its author the receipt for.
 */
static uint64_t missing_of(struct scope *scope, const struct scope_node *holder,
                           const struct store_log *log)
{
    uint64_t missing = 0;
    bool own = strcmp(log->id.node, holder->options.node) == 0;
    if (own && holder->options.role == ROLE_PROVINCE && !log->frozen)
        missing += log->main.count - receipted(log);
    for (int place = 0; place < PLACE_CLONE; place++) {
        struct scope_node *node = &scope->nodes[place];
        const struct store_log *other = store_find(&node->store, &log->id);
        size_t held = other != NULL ? other->main.count : 0;
        if (node != holder && is_for(node, &log->id) && held < log->main.count &&
            !(other != NULL && log->frozen))
            missing += log->main.count - held;
    }
    return missing;
}

static uint64_t missing(struct scope *scope)
{
    uint64_t sum = 0;
    for (int place = 0; place < PLACE_CLONE; place++) {
        const struct scope_node *node = &scope->nodes[place];
        for (size_t i = 0; i < node->store.count; i++)
            sum += missing_of(scope, node, node->store.logs[i]);
        sum += node->live_count == 0;
    }
    return sum;
}

/* Everything that can go on without time does. */
static void drain(struct scope *scope)
{
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < scope->wire_count; i++)
            for (int end = 0; i < scope->wire_count && end < 2; end++)
                if (scope->wires[i]->first[end] != NULL) {
                    scope_deliver(scope, scope->wires[i], end, false);
                    moved = true;
                }
        for (int place = 0; place < PLACE_COUNT; place++)
            if (scope->nodes[place].work_first != NULL) {
                scope_commit(&scope->nodes[place], true);
                moved = true;
            }
    }
}

static void wait_until(struct scope *scope, uint64_t until_ms)
{
    drain(scope);
    while (scope->now_ms < until_ms) {
        scope_tick(scope, until_ms);
        drain(scope);
    }
}

/* A clone is stopped, as its operator would when the alarm names it; what it alone holds stays on
 * its disk. Wires that are mute stay so until their ends give them up. */
static void heal(struct scope *scope)
{
    struct scope_node *clone = &scope->nodes[PLACE_CLONE];
    if (clone->core != NULL) {
        scope_end(scope, clone);
        scope_tell(clone, HISTORY_DOWN, clone->starts, NULL, NULL);
    }
    clone->retired = clone->used;
    for (int place = 0; place < PLACE_CLONE; place++) {
        scope->allowed[place] = true;
        if (scope->nodes[place].core == NULL)
            scope_start(scope, &scope->nodes[place]);
        if (scope->nodes[place].calling)
            scope_link(scope, &scope->nodes[place]);
    }
}

struct end {
    uint64_t behind, took_ms;
    bool converged;
};

/* Beyond I23's bound, so that the checker is who says that it took too long. */
#define PATIENCE_MS 300000
#define REST_MS     5000

/* The network notices the end of faults first, as in the simulator: links that were mute are given
 * up, the delays of those who tried in vain are over. */
#define NOTICING_MS 120000

static struct end come_to_rest(struct scope *scope)
{
    struct end end = { 0 };
    heal(scope);
    wait_until(scope, scope->now_ms + NOTICING_MS);
    end.behind = missing(scope);
    uint64_t began_ms = scope->now_ms;
    while (missing(scope) > 0 && scope->now_ms < began_ms + PATIENCE_MS)
        wait_until(scope, scope->now_ms + 1000);
    end.took_ms = scope->now_ms - began_ms;
    end.converged = missing(scope) == 0;
    wait_until(scope, scope->now_ms + REST_MS);
    return end;
}

/* ---- stores ------------------------------------------------------------------------------------
 */

static void parent_found(void *context, const char *origin, uint64_t size,
                         const struct check_hash *root)
{
    struct dump *dump = ((void **)context)[0];
    dump_add_parent(dump, ((void **)context)[1],
                    &(struct dump_head){ .log = origin, .size = size, .root = *root });
}

/* NULL: the record is as it should be. */
static const char *record_add(struct dump *dump, struct dump_log *log, uint64_t position,
                              struct bytes wire)
{
    struct pick pick = pick_of((struct span){ wire.data, wire.size });
    struct dump_record record = { .position = position, .person = PERSON_NONE };
    struct check_header header;
    char client[80] = "", key[80] = "", code[20] = "";
    pick_array_of(&pick, 3);
    struct span header_bytes = pick_bin(&pick), facts = pick_bin(&pick);
    const char *wrong =
        pick.bad ? "it is not of the form" : check_header_read(&header, header_bytes);
    record.hash = tree_leaf(header_bytes.data, header_bytes.size);
    if (!wrong && (strcmp(header.origin, log->origin) != 0 || header.position != position))
        wrong = "its header names another log or position";
    if (!wrong && !check_part_matches(facts, &header.facts))
        wrong = "its facts are not what its header commits to";
    record.damaged = wrong != NULL;
    record.kind = wrong ? 0 : header.kind;
    struct check_request request;
    if (!wrong && header.kind == CHECK_KIND_REQUEST && !check_request_read(&request, facts)) {
        snprintf(client, sizeof client, "%.*s", (int)request.client.size,
                 (const char *)request.client.data);
        snprintf(key, sizeof key, "%.*s", (int)request.key.size, (const char *)request.key.data);
        snprintf(code, sizeof code, "%.*s", (int)request.code.size,
                 (const char *)request.code.data);
        record.facts_content = request.facts_content;
    }
    if (!wrong && header.kind == CHECK_KIND_INCARNATION && position == 0)
        (void)check_incarnation_read(facts, parent_found, (void *[]){ dump, log });
    record.client = client;
    record.key = key;
    record.code = code;
    dump_add_record(dump, log, &record);
    return wrong;
}

static struct dump_note note_of(const struct store_note *note, const char *hub, char text[1100])
{
    require(note->note_size < 1100);
    memcpy(text, note->note, note->note_size);
    text[note->note_size] = '\0';
    return (struct dump_note){ .size = note->size, .hub = hub, .text = text };
}

/* The stores of the scenarios keep the size of a receipt; its text is in what was told. */
static const char *receipt_text(const struct scope *scope, const char *origin, uint64_t size)
{
    char head[LOG_ORIGIN_SIZE_MAX + 32];
    snprintf(head, sizeof head, "%s\n%llu\n", origin, (unsigned long long)size);
    for (int place = 0; place < PLACE_COUNT; place++) { /* a clone has those of its twin */
        const struct scope_node *node = &scope->nodes[place];
        for (size_t i = 0; i < node->told_count; i++)
            if (node->told[i].kind == HISTORY_RECEIPT &&
                strncmp(node->told[i].text, head, strlen(head)) == 0)
                return node->told[i].text;
    }
    return "";
}

static void branch_add(struct dump *dump, const struct scope_node *node,
                       const struct store_log *held, const struct history *history, bool branch)
{
    char origin[LOG_ORIGIN_SIZE_MAX + 1], text[1100];
    log_id_origin(&held->id, origin);
    struct dump_log *log = dump_add_log(dump, origin, branch);
    log->frozen = held->frozen && !branch;
    log->size = history->count;
    log->cosigned_size = branch ? 0 : held->cosigned;
    for (size_t i = 0; i < history->count; i++) {
        const char *wrong = record_add(dump, log, i, history->records[i]);
        if (wrong)
            dump_add_problem(dump, origin, i, wrong);
    }
    for (size_t i = 0; i < history->note_count; i++) {
        struct dump_note note = note_of(&history->notes[i], "", text);
        struct check_hash root;
        if (dump_root_at(log, note.size, &root) &&
            memcmp(root.bytes, history->notes[i].root.bytes, 32) != 0)
            dump_add_problem(dump, origin, note.size,
                             "a note does not state the root of the records held");
        dump_add_checkpoint(dump, log, &note);
    }
    if (branch)
        return;
    if (held->receipt.note_size > 0) {
        struct dump_note note = note_of(&held->receipt, node->options.node, text);
        dump_add_receipt(dump, log, &note);
    }
    for (size_t i = 0; i < held->receipt_count; i++)
        dump_add_receipt(dump, log,
                         &(struct dump_note){
                             .size = held->receipts[i].size,
                             .hub = held->receipt_hubs[i],
                             .text = receipt_text(node->scope, origin, held->receipts[i].size) });
    if (held->proven) {
        char *hex = malloc(2 * held->proof.size + 1);
        require(hex != NULL);
        sodium_bin2hex(hex, 2 * held->proof.size + 1, held->proof.data, held->proof.size);
        dump_add_fork(dump, log, hex);
        free(hex);
    }
}

static struct dump *dump_of(const struct scope_node *node, const struct store *store,
                            const char *label)
{
    struct dump *dump = dump_new(label);
    require(dump != NULL);
    dump->readable = true;
    dump->node = arena_text(&dump->memory, node->options.node);
    for (size_t i = 0; i < store->count; i++) {
        branch_add(dump, node, store->logs[i], &store->logs[i]->main, false);
        if (store->logs[i]->branch.count > 0 || store->logs[i]->branch.note_count > 0)
            branch_add(dump, node, store->logs[i], &store->logs[i]->branch, true);
    }
    require(!dump->memory.failed);
    return dump;
}

/* ---- the history -------------------------------------------------------------------------------
 */

static void hosts_add(const struct scope *scope, struct history *history)
{
    for (int place = 0; place < PLACE_COUNT; place++) {
        const struct scope_node *node = &scope->nodes[place];
        struct history_host host = { .name = node->host,
                                     .node = node->options.node,
                                     .hub = place == PLACE_HUB,
                                     .receipts_needed = 1 };
        struct sign_key key;
        if (!node->used)
            continue;
        store_log_key(node->options.node, &key);
        memcpy(host.log_key.bytes, key.public.bytes, 32);
        store_receipt_key(node->options.node, &key);
        memcpy(host.receipt_key.bytes, key.public.bytes, 32);
        history_add_host(history, &host);
    }
}

/* As append_request() of shell.c has it. */
static void call_fill(struct history_call *call, uint64_t number, char key[16])
{
    struct request_content content = {
        .kind = 6, .channel = 1, .subject = "water.outage", .place = "IR-24"
    };
    snprintf(key, 16, "k%llu", (unsigned long long)number);
    *call = (struct history_call){
        .call = number, .operation = "register", .client = "desk", .key = key
    };
    content_digest(&content, &call->facts, &call->person);
    memset(&call->person, 0, sizeof call->person);
}

static void told_write(struct history *history, const struct told *told, uint32_t host)
{
    struct history_event event = { .time_ns = told->clock * CLOCK_NS,
                                   .kind = told->kind,
                                   .host = host };
    char key[16], code[20];
    switch (told->kind) {
    case HISTORY_INVOKE:
        call_fill(&event.call, told->number, key);
        break;
    case HISTORY_OK:
        snprintf(code, sizeof code, "%014llu", (unsigned long long)told->number);
        event.answer = (struct history_answer){ .call = told->number, .status = 201, .code = code };
        break;
    case HISTORY_UNKNOWN:
        event.answer = (struct history_answer){ .call = told->number };
        break;
    case HISTORY_CHECKPOINT:
    case HISTORY_RECEIPT:
        event.note = (struct history_note){ .peer = HISTORY_NO_HOST, .text = told->text };
        break;
    case HISTORY_NATIONAL:
        event.claim = (struct history_claim){ .log = told->text, .size = told->number };
        break;
    case HISTORY_ALARM:
        event.alarm = (struct history_alarm){ .name = told->text, .subject = told->subject };
        break;
    case HISTORY_FAULT:
        event.fault = (struct history_fault){ .name = told->text, .peer = HISTORY_NO_HOST };
        break;
    case HISTORY_CLONE:
        event.life =
            (struct history_life){ .since_ns = event.time_ns, .peer = (uint32_t)told->number };
        break;
    default:
        event.life = (struct history_life){ .number = told->number, .peer = HISTORY_NO_HOST };
        if (told->kind == HISTORY_RESTORE)
            event.life.since_ns = told->number * CLOCK_NS;
    }
    history_add(history, &event);
}

/* Of all hosts, the earliest that is not written; ties by host. */
static const struct scope_node *earliest(const struct scope *scope, const size_t *written,
                                         uint32_t *host)
{
    const struct scope_node *best = NULL;
    uint32_t index = 0;
    for (int place = 0; place < PLACE_COUNT; place++) {
        const struct scope_node *node = &scope->nodes[place];
        if (node->used && written[place] < node->told_count &&
            (best == NULL ||
             node->told[written[place]].clock < best->told[written[best->place]].clock)) {
            best = node;
            *host = index;
        }
        index += node->used;
    }
    return best;
}

static uint64_t told_write_all(const struct scope *scope, struct history *history)
{
    size_t written[PLACE_COUNT] = { 0 };
    uint32_t host = 0;
    uint64_t last = 0;
    const struct scope_node *node;
    while ((node = earliest(scope, written, &host)) != NULL) {
        const struct told *told = &node->told[written[node->place]++];
        told_write(history, told, host);
        last = told->clock;
        if (told->kind == HISTORY_RESTORE && (int)node->place == scope->restored_place)
            history_add_dump(history, told->clock * CLOCK_NS, host,
                             dump_of(node, &scope->restored, "restored"));
    }
    return last * CLOCK_NS;
}

static struct history *history_of(const struct scope *scope, const struct end *end)
{
    struct history *history = history_new();
    require(history != NULL);
    hosts_add(scope, history);
    history_add(history,
                &(struct history_event){ .kind = HISTORY_TOTAL,
                                         .host = HISTORY_NO_HOST,
                                         .mark = { .name = "alarms_recorded", .number = 1 } });
    uint64_t time_ns = told_write_all(scope, history);
    history_add(history, &(struct history_event){ .time_ns = time_ns,
                                                  .kind = HISTORY_HEAL,
                                                  .host = HISTORY_NO_HOST,
                                                  .fault.peer = HISTORY_NO_HOST });
    time_ns += end->took_ms * 1000000;
    if (end->converged)
        history_add(history, &(struct history_event){
                                 .time_ns = time_ns,
                                 .kind = HISTORY_CONVERGED,
                                 .host = HISTORY_NO_HOST,
                                 .fault = { .number = end->behind, .peer = HISTORY_NO_HOST } });
    uint32_t host = 0;
    for (int place = 0; place < PLACE_COUNT; place++)
        if (scope->nodes[place].used)
            history_add_dump(history, time_ns, host++,
                             dump_of(&scope->nodes[place], &scope->nodes[place].store, "final"));
    return history;
}

const char *scope_judge(struct scope *scope, const char *history_path)
{
    static char text[600];
    char why[200];
    const char *found = NULL;
    arena_enter();
    struct end end = come_to_rest(scope);
    arena_leave();
    struct history *history = history_of(scope, &end);
    require(history_ok(history));
    if (history_path)
        require(history_save(history, history_path, why, sizeof why));
    struct check_report *report = check_history(history, NULL);
    require(report != NULL && !report->failed);
    if (report->violation_count > 0) {
        snprintf(text, sizeof text, "%s: %s", report->violations[0].guarantee,
                 report->violations[0].text);
        found = text;
    }
    check_report_free(report);
    history_free(history);
    return found;
}
