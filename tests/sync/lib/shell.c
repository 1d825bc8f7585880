#include "tests/sync/lib/shell.h"

#include "proto/base/require.h"
#include "tests/support/records.h"

#include <stdlib.h>
#include <string.h>

struct sign_key shell_log_key(const char *node)
{
    return sample_key((uint8_t)node[0]);
}

struct sign_key shell_receipt_key(const char *node)
{
    return sample_key((uint8_t)(node[0] + 100));
}

static enum err find_log_key(void *context, const char *node, struct sign_public *key)
{
    (void)context;
    *key = shell_log_key(node).public;
    return OK;
}

static enum err find_receipt_key(void *context, const char *hub, struct sign_public *key)
{
    (void)context;
    *key = shell_receipt_key(hub).public;
    return OK;
}

static void run(struct shell *shell);

static void step(struct shell *shell, struct event *event)
{
    event->now_ms = shell->now_ms;
    core_step(shell->core, event, &shell->effects);
}

static void on_loaded(void *context, const struct event_log_loaded *loaded)
{
    struct event event = { .type = EVENT_LOG_LOADED, .log_loaded = *loaded };
    step(context, &event);
}

void shell_open(struct shell *shell, const char *node, enum node_role role, const char *peer,
                const char *folder)
{
    memset(shell, 0, sizeof *shell);
    strcpy(shell->node, node);
    shell->now_ms = 1000;
    struct log_store_options store = { .path = folder, .node = node, .map_size = 16 << 20,
                                       .create = true };
    memset(store.data_key.bytes, node[0], sizeof store.data_key.bytes);
    require(log_store_open(&shell->logs, &store) == OK);
    struct sign_key receipt_key = shell_receipt_key(node);
    struct replica_options replica = { .logs = shell->logs, .node = shell->node,
                                       .receipt_key = &receipt_key, .log_key = find_log_key,
                                       .receipt_key_of = find_receipt_key };
    require(replica_new(&shell->replica, &replica) == OK);
    struct core_peer other = { .role = role == ROLE_HUB ? ROLE_PROVINCE : ROLE_HUB,
                               .connect = role == ROLE_PROVINCE };
    strcpy(other.node, peer);
    struct core_options options = { .role = role, .peers = &other, .peer_count = 1, .seed = 1 };
    strcpy(options.node, node);
    shell->core = core_new(&options);
    require(shell->core);
    const char *hubs[] = { peer };
    require(replica_load(shell->replica, hubs, role == ROLE_PROVINCE, on_loaded, shell) == OK);
    struct event start = { .type = EVENT_START };
    step(shell, &start);
    run(shell);
}

void shell_close(struct shell *shell)
{
    core_free(shell->core);
    replica_free(shell->replica);
    log_store_close(shell->logs);
    effects_close(&shell->effects);
    buffer_close(&shell->outbox);
}

/* ---- effects ----------------------------------------------------------------------------------- */

static void put_message(struct shell *shell, struct bytes message)
{
    buffer_append_u32(&shell->outbox, (uint32_t)message.size);
    buffer_append_bytes(&shell->outbox, message);
}

static void send_checkpoint(struct shell *shell, const struct effect_send_checkpoint *effect)
{
    struct buffer message = { 0 };
    struct event event = { .type = EVENT_CHECKPOINT_SENT };
    event.checkpoint_sent.link = effect->link;
    event.checkpoint_sent.log = effect->log;
    event.checkpoint_sent.err = replica_send_checkpoint(shell->replica, effect, &message,
                                                        &event.checkpoint_sent.size);
    if (event.checkpoint_sent.err == OK)
        put_message(shell, buffer_bytes(&message));
    buffer_close(&message);
    step(shell, &event);
}

static void send_records(struct shell *shell, const struct effect_send_records *effect)
{
    struct event event = { .type = EVENT_RECORDS_SENT };
    event.records_sent.link = effect->link;
    event.records_sent.log = effect->log;
    struct buffer messages = { 0 };
    event.records_sent.err = replica_send_records(shell->replica, effect, &messages,
                                                  &event.records_sent.next,
                                                  &event.records_sent.size);
    struct reader reader = reader_of(buffer_bytes(&messages));
    while (!reader_at_end(&reader))
        put_message(shell, read_bytes(&reader, read_u32(&reader)));
    buffer_close(&messages);
    step(shell, &event);
}

static void send_built(struct shell *shell, const struct effect_send_log *effect,
                       enum err (*build)(struct replica *, const struct log_id *, struct buffer *))
{
    struct buffer message = { 0 };
    if (build(shell->replica, &effect->log, &message) == OK)
        put_message(shell, buffer_bytes(&message));
    buffer_close(&message);
}

static void send_want(struct shell *shell, const struct effect_send_want *effect)
{
    struct buffer message = { 0 };
    struct event unsent = { .type = EVENT_WANT_UNSENT };
    unsent.want_unsent.link = effect->link;
    unsent.want_unsent.log = effect->log;
    if (replica_send_want(shell->replica, effect, &message) == OK)
        put_message(shell, buffer_bytes(&message));
    else
        step(shell, &unsent);
    buffer_close(&message);
}

static void find_branch(struct shell *shell, const struct effect_find_branch *effect)
{
    struct event event = { .type = EVENT_BRANCH_FOUND };
    event.branch_found.link = effect->link;
    event.branch_found.log = effect->log;
    event.branch_found.err =
        replica_find_branch(shell->replica, effect, &event.branch_found.branch);
    step(shell, &event);
}

/* What could not be stored is not there, whatever the result says. */
static void forget_result(struct shell *shell, const struct log_id *log, struct store_txn *txn,
                          enum err err, struct replica_result *result)
{
    struct core_log_status status;
    store_abort(txn);
    replica_result_close(result);
    result->err = err;
    for (size_t i = 0; i < core_log_count(shell->core); i++) {
        core_log_status(shell->core, i, &status);
        if (log_id_equal(&status.log, log))
            result->cursor = status.held;
        if (log_id_equal(&status.log, log))
            result->other = status.branch;
    }
}

static void store(struct shell *shell, const struct log_id *log, struct replica_intake *intake,
                  struct replica_result *result)
{
    (void)replica_verify(intake);
    /* Twice, as in a transaction that has to be run again. */
    struct store_txn txn = store_begin_write(log_store_environment(shell->logs));
    (void)replica_store(intake, &txn, result);
    store_abort(&txn);
    replica_result_close(result);
    txn = store_begin_write(log_store_environment(shell->logs));
    enum err err = replica_store(intake, &txn, result);
    if (err == OK)
        require(store_commit(&txn) == OK);
    else
        forget_result(shell, log, &txn, err, result);
    replica_intake_free(intake);
}

static void fill_stored(struct event_stored *stored, const struct replica_result *result)
{
    stored->err = result->err;
    stored->cursor = result->cursor;
    stored->other = result->other;
    stored->proven = result->proven;
    stored->parents = result->parents;
    stored->parent_count = result->parent_count;
}

static void store_checkpoint(struct shell *shell, const struct effect_store_checkpoint *effect)
{
    struct replica_intake *intake;
    struct replica_result result;
    struct event event = { .type = EVENT_CHECKPOINT_STORED };
    require(replica_open_checkpoint(shell->replica, effect, &intake) == OK);
    store(shell, &effect->log, intake, &result);
    event.stored.link = effect->link;
    event.stored.node = effect->node;
    event.stored.log = effect->log;
    event.stored.branch = effect->branch;
    fill_stored(&event.stored, &result);
    step(shell, &event);
    replica_result_close(&result);
}

static void store_package(struct shell *shell, const struct effect_store_package *effect)
{
    struct replica_intake *intake;
    struct replica_result result;
    struct event event = { .type = EVENT_PACKAGE_STORED };
    require(replica_open_package(shell->replica, effect, &intake) == OK);
    store(shell, &effect->log, intake, &result);
    event.stored.link = effect->link;
    event.stored.node = effect->node;
    event.stored.log = effect->log;
    event.stored.branch = effect->branch;
    event.stored.size = effect->size;
    fill_stored(&event.stored, &result);
    step(shell, &event);
    replica_result_close(&result);
}

static void store_receipt(struct shell *shell, const struct effect_store_receipt *effect)
{
    struct replica_intake *intake;
    struct replica_result result;
    struct event event = { .type = EVENT_RECEIPT_STORED };
    require(replica_open_receipt(shell->replica, effect, &intake) == OK);
    store(shell, &effect->log, intake, &result);
    event.receipt_stored.hub = effect->hub;
    event.receipt_stored.log = effect->log;
    event.receipt_stored.size = result.receipt_size;
    event.receipt_stored.err = result.err;
    event.receipt_stored.proven = result.proven;
    event.receipt_stored.other = result.other;
    step(shell, &event);
    replica_result_close(&result);
}

static void store_fork(struct shell *shell, const struct effect_store_fork *effect)
{
    struct replica_intake *intake;
    struct replica_result result;
    struct event event = { .type = EVENT_FORK_STORED };
    require(replica_open_fork(shell->replica, effect, &intake) == OK);
    store(shell, &effect->log, intake, &result);
    event.fork_stored.fork_node = effect->fork_node;
    event.fork_stored.log = effect->log;
    event.fork_stored.err = result.err;
    event.fork_stored.cursor = result.cursor;
    event.fork_stored.other = result.other;
    step(shell, &event);
    replica_result_close(&result);
}

static void sign_receipt(struct shell *shell, const struct effect_sign_receipt *effect)
{
    struct replica_result result;
    struct event event = { .type = EVENT_RECEIPT_SIGNED };
    struct store_txn txn = store_begin_write(log_store_environment(shell->logs));
    require(replica_sign_receipt(shell->replica, &txn, &effect->log, effect->size, 1700000000,
                                 &result) == OK);
    require(store_commit(&txn) == OK);
    event.receipt_signed.log = effect->log;
    event.receipt_signed.size = effect->size;
    event.receipt_signed.err = result.err;
    event.receipt_signed.note = buffer_bytes(&result.note);
    step(shell, &event);
    replica_result_close(&result);
}

static void carry_out(struct shell *shell, const struct effects *effects,
                      const struct effect *effect)
{
    switch (effect->type) {
    case EFFECT_SEND:
        put_message(shell, effect_message(effects, &effect->send));
        break;
    case EFFECT_SEND_CHECKPOINT:
        send_checkpoint(shell, &effect->send_checkpoint);
        break;
    case EFFECT_SEND_RECORDS:
        send_records(shell, &effect->send_records);
        break;
    case EFFECT_SEND_RECEIPT:
        send_built(shell, &effect->send_log, replica_send_receipt);
        break;
    case EFFECT_SEND_FORK:
        send_built(shell, &effect->send_log, replica_send_fork);
        break;
    case EFFECT_SEND_WANT:
        send_want(shell, &effect->send_want);
        break;
    case EFFECT_FIND_BRANCH:
        find_branch(shell, &effect->find_branch);
        break;
    case EFFECT_STORE_CHECKPOINT:
        store_checkpoint(shell, &effect->store_checkpoint);
        break;
    case EFFECT_STORE_PACKAGE:
        store_package(shell, &effect->store_package);
        break;
    case EFFECT_STORE_RECEIPT:
        store_receipt(shell, &effect->store_receipt);
        break;
    case EFFECT_STORE_FORK:
        store_fork(shell, &effect->store_fork);
        break;
    case EFFECT_SIGN_RECEIPT:
        sign_receipt(shell, &effect->sign_receipt);
        break;
    case EFFECT_CLOSE:
    case EFFECT_DROP:
        shell->closed = true;
        break;
    case EFFECT_ALARM:
        shell->alarms[effect->alarm.alarm]++;
        break;
    case EFFECT_CONNECT:
    case EFFECT_MAY_WRITE:
    case EFFECT_NEED_INCARNATION:
        break; /* the test decides about links and logs */
    }
}

/* Effects may cause events, which add effects: taken in turns until none is left. */
static void run(struct shell *shell)
{
    while (shell->effects.count > 0) {
        struct effects now = shell->effects;
        shell->effects = (struct effects){ 0 };
        require(now.err == OK);
        for (size_t i = 0; i < now.count; i++)
            carry_out(shell, &now, &now.items[i]);
        effects_close(&now);
    }
}

/* ---- events ------------------------------------------------------------------------------------ */

void shell_link(struct shell *shell, uint64_t link, const char *peer, bool outbound)
{
    struct event event = { .type = EVENT_LINK_OPENED };
    event.link_opened.link = shell->link = link;
    event.link_opened.outbound = outbound;
    event.link_opened.node = peer;
    shell->closed = false;
    step(shell, &event);
    run(shell);
}

void shell_unlink(struct shell *shell)
{
    struct event event = { .type = EVENT_LINK_CLOSED, .link = { .link = shell->link } };
    step(shell, &event);
    run(shell);
    shell->link = 0;
    buffer_clear(&shell->outbox);
}

void shell_receive(struct shell *shell, struct bytes bytes)
{
    struct message *message = calloc(1, sizeof *message);
    struct event event = { .type = EVENT_MESSAGE };
    require(message);
    event.message.link = shell->link;
    event.message.message = message;
    event.message.size = bytes.size;
    require(message_decode(message, bytes) == OK);
    shell->now_ms++;
    step(shell, &event);
    run(shell);
    free(message);
}

void shell_tick(struct shell *shell, uint64_t ms)
{
    struct event event = { .type = EVENT_TICK };
    shell->now_ms += ms;
    step(shell, &event);
    run(shell);
}

/* One message from one end to the other; false when there is none. */
static bool carry_one(struct shell *from, struct shell *to, struct buffer *recorded)
{
    if (from->outbox.size == 0)
        return false;
    struct reader reader = reader_of(buffer_bytes(&from->outbox));
    struct buffer message = { 0 };
    buffer_append_bytes(&message, read_bytes(&reader, read_u32(&reader)));
    if (recorded)
        buffer_append(recorded, from->outbox.data, 4 + message.size);
    size_t rest = from->outbox.size - 4 - message.size;
    memmove(from->outbox.data, from->outbox.data + 4 + message.size, rest);
    from->outbox.size = rest;
    shell_receive(to, buffer_bytes(&message));
    buffer_close(&message);
    return true;
}

size_t shell_exchange(struct shell *from, struct shell *to, struct buffer *recorded, size_t limit)
{
    size_t count = 0;
    for (bool moved = true; moved && count < limit;) {
        moved = carry_one(from, to, recorded);
        count += moved;
        if (count < limit && carry_one(to, from, NULL)) {
            moved = true;
            count++;
        }
    }
    return count;
}

/* ---- the own log ------------------------------------------------------------------------------- */

/* One group: `count` requests, or one record of these facts. */
static void write_group(struct shell *shell, const struct log_id *log, uint32_t count,
                        uint64_t seed, uint32_t kind, struct bytes facts)
{
    uint32_t number;
    struct merkle_frontier frontier;
    struct batch_builder batch;
    struct buffer note = { 0 };
    const struct seal_key *data_key = log_store_data_key(shell->logs);
    struct sign_key key = shell_log_key(log->node);
    struct store_txn txn = store_begin_write(log_store_environment(shell->logs));
    enum err err = log_find(shell->logs, &txn, log, &number);
    if (err == ERR_NOT_FOUND)
        err = log_create(shell->logs, &txn, log, &number);
    require(err == OK);
    require(log_frontier(shell->logs, &txn, number, &frontier) == OK);
    batch_begin(&batch, &frontier);
    if (facts.size == 0) {
        sample_batch(&batch, log, seed, count, 60, data_key);
    } else {
        struct sample sample;
        sample_record(&sample, log, batch.first, seed, kind, facts, BYTES_NONE);
        batch_add(&batch, &sample.record, &sample.leaf, data_key);
        sample_close(&sample);
    }
    sample_note(&note, log, &batch.frontier, &key);
    require(log_append(shell->logs, &txn, number, &batch, buffer_bytes(&note)) == OK);
    require(store_commit(&txn) == OK);
    bool opened = log_id_equal(&shell->live, log);
    struct event event = { .type = opened ? EVENT_LOG_ADVANCED : EVENT_LOG_OPENED };
    shell->live = *log;
    event.own_log.log = *log;
    event.own_log.size = batch.frontier.size;
    batch_close(&batch);
    buffer_close(&note);
    step(shell, &event);
    run(shell);
}

void shell_write(struct shell *shell, const struct log_id *log, uint32_t count, uint64_t seed)
{
    write_group(shell, log, count, seed, 0, BYTES_NONE);
}

void shell_write_record(struct shell *shell, const struct log_id *log, uint64_t seed,
                        uint32_t kind, struct bytes facts)
{
    write_group(shell, log, 1, seed, kind, facts);
}

uint64_t shell_held(struct shell *shell, const struct log_id *log, struct hash *root)
{
    uint32_t number;
    struct merkle_frontier frontier = { 0 };
    struct store_txn txn = store_begin_read(log_store_environment(shell->logs));
    if (log_find(shell->logs, &txn, log, &number) == OK)
        require(log_frontier(shell->logs, &txn, number, &frontier) == OK);
    store_abort(&txn);
    merkle_frontier_root(&frontier, root);
    return frontier.size;
}
