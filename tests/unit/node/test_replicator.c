/* Two engines and two replicators on one loop: what one node records, the other comes to hold. */
#include "tests/unit/node/member.h"

#include "node/runtime/log.h"
#include "proto/base/require.h"
#include "storage/journal.h"
#include "storage/log_private.h"
#include "tests/support/records.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_LIMIT_MS 8000

struct pair {
    uv_loop_t loop;
    char folder[64];
    char address[80];
    struct member hub, province;
    struct config_province province_at_hub;
    struct config_hub hub_at_province;
    struct replication_status *status;
};

static void pair_turn(struct pair *pair)
{
    loop_turn(&pair->loop, 5);
    member_turn(&pair->hub);
    member_turn(&pair->province);
}

#define WAIT_FOR(pair, condition)                                           \
    do {                                                                    \
        uint64_t until_ = uv_hrtime() + WAIT_LIMIT_MS * UINT64_C(1000000);  \
        while (!(condition) && uv_hrtime() < until_)                        \
            pair_turn(pair);                                                \
        cr_assert(condition, "not in time: %s", #condition);                \
    } while (0)

static void pair_prepare(struct pair *pair)
{
    memset(pair, 0, sizeof *pair);
    cr_assert_geq(sodium_init(), 0);
    log_event_threshold(LOG_EVENT_ERROR);
    strcpy(pair->folder, "/tmp/samad-replicator-XXXXXX");
    cr_assert_not_null(mkdtemp(pair->folder));
    cr_assert_eq(uv_loop_init(&pair->loop), 0);
    pair->status = calloc(1, sizeof *pair->status);
    require(pair->status);
    member_init(&pair->hub, &pair->loop, pair->folder, "centre", ROLE_HUB, 10);
    member_init(&pair->province, &pair->loop, pair->folder, "ardabil", ROLE_PROVINCE, 20);

    pair->hub.config.replication_listen = pair->address;
    pair->hub.config.provinces = &pair->province_at_hub;
    pair->hub.config.province_count = 1;
    strcpy(pair->province_at_hub.name, "ardabil");
    pair->province_at_hub.link_key = pair->province.keyring.link.public;
    pair->province_at_hub.log_key = pair->province.keyring.log.public;

    pair->province.config.hubs = &pair->hub_at_province;
    pair->province.config.hub_count = 1;
    strcpy(pair->hub_at_province.name, "centre");
    pair->hub_at_province.address = pair->address;
    pair->hub_at_province.link_key = pair->hub.keyring.link.public;
    pair->hub_at_province.log_key = pair->hub.keyring.log.public;
    pair->hub_at_province.receipt_key = pair->hub.keyring.receipt.public;

    strcpy(pair->address, "127.0.0.1:0");
}

static void pair_begin(struct pair *pair)
{
    member_begin(&pair->hub);
    snprintf(pair->address, sizeof pair->address, "%s", replicator_address(pair->hub.replicator));
    member_begin(&pair->province);
    WAIT_FOR(pair, pair->hub.started && pair->province.started);
}

static void pair_open(struct pair *pair)
{
    pair_prepare(pair);
    pair_begin(pair);
}

static void pair_close(struct pair *pair)
{
    char command[128];
    member_end(&pair->province);
    member_end(&pair->hub);
    uv_run(&pair->loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&pair->loop), 0, "something is left on the loop");
    free(pair->status);
    snprintf(command, sizeof command, "rm -rf %s", pair->folder);
    cr_assert_eq(system(command), 0);
}

/* ---- what is recorded and what is known ---- */

struct note {
    struct command command;
    unsigned records;
};

static enum err decide(struct command *command, struct writer *writer, int64_t wall_ms)
{
    struct note *note = (struct note *)command;
    struct buffer facts = { 0 }, person = { 0 };
    uint64_t position;
    enum err err = OK;
    struct request_facts content = { .occurred_at_ms = wall_ms,
                                     .code = bytes_of_string("24000000000000"),
                                     .kind = REQUEST_REPORT,
                                     .channel = CHANNEL_PHONE,
                                     .subject = bytes_of_string("water.outage"),
                                     .client = bytes_of_string("test"),
                                     .idempotency_key = bytes_of_string("k") };
    struct request_person who = { .name = bytes_of_string("n"), .text = bytes_of_string("t") };
    cr_assert_eq(request_facts_encode(&facts, &content), OK);
    cr_assert_eq(request_person_encode(&person, &who), OK);
    for (unsigned i = 0; i < note->records && err == OK; i++)
        err = writer_propose(writer,
                             &(struct proposal){ .kind = RECORD_REQUEST,
                                                 .facts = buffer_bytes(&facts),
                                                 .person = buffer_bytes(&person) },
                             &position);
    buffer_close(&facts);
    buffer_close(&person);
    return err;
}

static void done(struct command *command, enum err err)
{
    cr_assert_eq(err, OK);
    free(command);
}

static void record(struct member *member, unsigned groups, unsigned records)
{
    for (unsigned i = 0; i < groups; i++) {
        struct note *note = calloc(1, sizeof *note);
        require(note);
        *note = (struct note){ .command = { .decide = decide, .done = done }, .records = records };
        cr_assert_eq(engine_submit(member->engine, &note->command), OK);
    }
}

/* Records of own logs that are national; `whole` says whether that is all of them. */
static uint64_t national(struct pair *pair, bool *whole)
{
    uint64_t sum = 0;
    *whole = true;
    replicator_status(pair->province.replicator, pair->status);
    for (size_t i = 0; i < pair->status->log_count; i++)
        if (pair->status->logs[i].own) {
            sum += pair->status->logs[i].national_size;
            *whole = *whole && pair->status->logs[i].national_size == pair->status->logs[i].size;
        }
    return sum;
}

static bool is_national(struct pair *pair, uint64_t records)
{
    bool whole;
    return national(pair, &whole) >= records && whole;
}

/* Of the province's logs, all, or those of that size. */
static uint64_t held_of_size(struct pair *pair, uint64_t size)
{
    struct log_store *logs = engine_logs(pair->hub.engine);
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    uint64_t sum = 0;
    for (uint32_t number = 0; number < log_count(logs, &txn); number++) {
        struct log_state state;
        cr_assert_eq(log_state_get(logs, &txn, number, &state), OK);
        if (strcmp(state.id.node, "ardabil") == 0 && (size == 0 || state.size == size))
            sum += state.size;
    }
    store_abort(&txn);
    return sum;
}

static uint64_t held_by_hub(struct pair *pair)
{
    return held_of_size(pair, 0);
}

static const struct peer_status *peer(struct pair *pair)
{
    replicator_status(pair->province.replicator, pair->status);
    return &pair->status->peers[0];
}

/* A record that is in the province's store and that nobody has been told of, as while the journal of a
 * group is still being synced. */
static void write_unannounced(struct pair *pair, const struct log_head *live)
{
    struct log_store *logs = engine_logs(pair->province.engine);
    struct store_txn txn = store_begin_write(log_store_environment(logs));
    struct merkle_frontier frontier;
    struct batch_builder batch;
    struct buffer note = { 0 };
    struct sample sample;
    uint32_t number;
    sample_request(&sample, &live->log, live->size, 1, 10);
    cr_assert_eq(log_find(logs, &txn, &live->log, &number), OK);
    cr_assert_eq(log_frontier(logs, &txn, number, &frontier), OK);
    batch_begin(&batch, &frontier);
    batch_add(&batch, &sample.record, &sample.leaf, log_store_data_key(logs));
    sample_note(&note, &live->log, &batch.frontier, &pair->province.keyring.log);
    cr_assert_eq(log_append(logs, &txn, number, &batch, buffer_bytes(&note)), OK);
    cr_assert_eq(store_commit(&txn), OK);
    batch_close(&batch);
    buffer_close(&note);
    sample_close(&sample);
}

static const struct log_status *own_log(struct pair *pair, uint64_t size)
{
    replicator_status(pair->province.replicator, pair->status);
    for (size_t i = 0; i < pair->status->log_count; i++)
        if (pair->status->logs[i].own && pair->status->logs[i].size == size)
            return &pair->status->logs[i];
    return NULL;
}

/* ---- tests ---- */

Test(replicator, what_a_province_records_is_held_by_the_hub_and_receipted)
{
    struct pair pair;
    pair_open(&pair);
    record(&pair.province, 10, 1);
    WAIT_FOR(&pair, is_national(&pair, 11));
    cr_assert_eq(held_by_hub(&pair), 11u);
    WAIT_FOR(&pair, peer(&pair)->lag_records == 0);
    cr_assert(peer(&pair)->connected);
    cr_assert_eq(peer(&pair)->lag_ms, 0);
    pair_close(&pair);
}

Test(replicator, many_groups_written_while_the_link_is_up_arrive_whole_and_in_order)
{
    struct pair pair;
    pair_open(&pair);
    for (unsigned i = 0; i < 20; i++) {
        record(&pair.province, 4, 200);
        pair_turn(&pair);
    }
    WAIT_FOR(&pair, is_national(&pair, 16001));
    cr_assert_eq(held_by_hub(&pair), 16001u);
    pair_close(&pair);
}

Test(replicator, a_hub_that_was_away_gets_what_it_missed_and_the_lag_was_shown_meanwhile)
{
    struct pair pair;
    pair_open(&pair);
    WAIT_FOR(&pair, is_national(&pair, 1));
    member_end(&pair.hub);
    WAIT_FOR(&pair, !peer(&pair)->connected);
    cr_assert_str_eq(peer(&pair)->last_error, "the peer: the node is stopping");
    record(&pair.province, 5, 100);
    WAIT_FOR(&pair, peer(&pair)->lag_records == 500);
    WAIT_FOR(&pair, peer(&pair)->lag_ms > 0);

    member_begin(&pair.hub); /* on the port it had */
    WAIT_FOR(&pair, is_national(&pair, 501));
    cr_assert_eq(held_by_hub(&pair), 501u);
    pair_close(&pair);
}

Test(replicator, a_province_that_starts_again_writes_a_new_log_and_the_hub_follows_both)
{
    struct pair pair;
    pair_open(&pair);
    record(&pair.province, 3, 1);
    WAIT_FOR(&pair, is_national(&pair, 4));
    member_end(&pair.province);
    member_begin(&pair.province);
    WAIT_FOR(&pair, pair.province.started);
    record(&pair.province, 3, 1);
    WAIT_FOR(&pair, is_national(&pair, 8));
    cr_assert_eq(held_by_hub(&pair), 8u);
    pair_close(&pair);
}

Test(replicator, ending_in_the_middle_of_a_catch_up_leaves_nothing_behind)
{
    struct pair pair;
    pair_open(&pair);
    WAIT_FOR(&pair, is_national(&pair, 1));
    for (unsigned i = 0; i < 10; i++)
        record(&pair.province, 4, 200);
    WAIT_FOR(&pair, held_by_hub(&pair) > 1);
    pair_close(&pair);
}

Test(replicator, a_province_whose_hub_is_unreachable_may_write_after_the_limit)
{
    struct pair pair;
    memset(&pair, 0, sizeof pair);
    pair_open(&pair);
    member_end(&pair.hub);
    member_end(&pair.province);
    member_begin(&pair.province);
    WAIT_FOR(&pair, pair.province.started);
    cr_assert_not(peer(&pair)->connected);
    cr_assert_str_eq(peer(&pair)->last_error, "connection refused");
    member_begin(&pair.hub);
    WAIT_FOR(&pair, is_national(&pair, 2));
    pair_close(&pair);
}

/* The journal of the province is short: what is national leaves it as soon as it can. */
static void give_short_journal(struct pair *pair, char path[160])
{
    snprintf(path, 160, "%s/journal", pair->folder);
    pair->province.config.journal_path = path;
    pair->province.config.journal_segment_size = JOURNAL_SEGMENT_SIZE_MIN;
    pair->province.config.journal_keep_size = 1;
}

static bool first_segment_is_gone(const char *journal)
{
    char path[200];
    snprintf(path, sizeof path, "%s/segment-00000001", journal);
    return access(path, F_OK) != 0;
}

static void lose_log(const struct member *member)
{
    char command[300];
    snprintf(command, sizeof command, "rm -r %s/log", member->path);
    cr_assert_eq(system(command), 0);
}

/* I1. The first log's beginning is at the hub alone, its end and all of the second in the journal alone. No
 * incarnation names the first one again: the second does. */
Test(replicator, what_waited_in_the_journal_reaches_the_hub_without_another_restart)
{
    struct pair pair;
    char journal[160];
    pair_prepare(&pair);
    give_short_journal(&pair, journal);
    pair_begin(&pair);
    record(&pair.province, 2, 200);
    WAIT_FOR(&pair, is_national(&pair, 401));
    WAIT_FOR(&pair, first_segment_is_gone(journal));
    member_end(&pair.hub);
    record(&pair.province, 1, 3);
    member_end(&pair.province);
    member_begin(&pair.province);
    WAIT_FOR(&pair, pair.province.started);
    record(&pair.province, 1, 2);
    member_end(&pair.province);

    lose_log(&pair.province);
    member_begin(&pair.province);
    WAIT_FOR(&pair, pair.province.started);
    cr_assert_geq(engine_missing(pair.province.engine), 404 + 3 - 1,
                  "all but the first are known of");
    member_begin(&pair.hub);
    WAIT_FOR(&pair, held_of_size(&pair, 404) == 404 && held_of_size(&pair, 3) == 3);
    WAIT_FOR(&pair, is_national(&pair, 404 + 3));
    WAIT_FOR(&pair, engine_missing(pair.province.engine) == 0);
    pair_close(&pair);
}

/* ---- damage (I11) ---- */

/* The batch at `position` of the province's first log of that size, at either node. */
static uint32_t log_of_size(const struct member *member, uint64_t size)
{
    struct log_store *logs = engine_logs(member->engine);
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    uint32_t number = 0;
    struct log_state state = { 0 };
    for (; state.size != size || strcmp(state.id.node, "ardabil") != 0; number++)
        cr_assert_eq(log_state_get(logs, &txn, number, &state), OK);
    store_abort(&txn);
    return number - 1;
}

static bool is_sound(const struct member *member, uint32_t number, uint64_t position)
{
    struct log_store *logs = engine_logs(member->engine);
    struct buffer scratch = { 0 };
    struct record record;
    struct record_header header;
    struct hash leaf;
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    enum err err = log_read(logs, &txn, number, position, &scratch, &record, &header, &leaf);
    store_abort(&txn);
    buffer_close(&scratch);
    return err == OK && !record.person_absent;
}

static void damage(const struct member *member, uint32_t number, uint64_t position)
{
    struct log_store *logs = engine_logs(member->engine);
    struct buffer value = { 0 };
    struct log_batch batch;
    struct store_txn txn = store_begin_write(log_store_environment(logs));
    struct store_cursor cursor = store_cursor_open(&txn, LOG_BATCHES);
    cr_assert_eq(log_batch_seek(&cursor, number, position, &batch), OK);
    store_cursor_close(&cursor);
    buffer_append_bytes(&value, batch.value);
    for (uint32_t i = 0; i < batch.view.count; i++) /* every leaf hash, and so every record */
        value.data[batch.view.leaves - batch.value.data + (ptrdiff_t)i * HASH_SIZE] ^= 1;
    struct log_key key = log_key_position(number, batch.first);
    store_put(&txn, LOG_BATCHES, log_key_bytes(&key), buffer_bytes(&value));
    cr_assert_eq(store_commit(&txn), OK);
    buffer_close(&value);
}

/* In the size that stands before the only receipt. */
static void flip_receipt(const struct member *member, uint64_t bits)
{
    struct log_store *logs = engine_logs(member->engine);
    struct buffer value = { 0 };
    struct bytes at, stored;
    struct log_key key = { 0 };
    struct store_txn txn = store_begin_write(log_store_environment(logs));
    struct store_cursor cursor = store_cursor_open(&txn, LOG_RECEIPTS);
    cr_assert_eq(store_cursor_seek(&cursor, BYTES_NONE, &at, &stored), OK);
    memcpy(key.bytes, at.data, key.size = at.size);
    buffer_append_bytes(&value, stored);
    store_cursor_close(&cursor);
    put_u64(value.data, get_u64(value.data) ^ bits);
    store_put(&txn, LOG_RECEIPTS, log_key_bytes(&key), buffer_bytes(&value));
    cr_assert_eq(store_commit(&txn), OK);
    buffer_close(&value);
}

/* I30 */
Test(replicator, a_receipt_that_says_less_than_stands_before_it_makes_nothing_national)
{
    struct pair pair;
    pair_open(&pair);
    record(&pair.province, 3, 1);
    WAIT_FOR(&pair, is_national(&pair, 4));
    member_end(&pair.hub);
    record(&pair.province, 1, 4);
    WAIT_FOR(&pair, own_log(&pair, 8) != NULL);
    cr_assert_eq(own_log(&pair, 8)->national_size, 4);
    flip_receipt(&pair.province, 4 ^ 12);
    member_end(&pair.province);
    member_begin(&pair.province);
    WAIT_FOR(&pair, pair.province.started);
    WAIT_FOR(&pair, own_log(&pair, 8) != NULL);
    cr_assert_eq(own_log(&pair, 8)->national_size, 0);
    member_begin(&pair.hub); /* which repeats it */
    WAIT_FOR(&pair, is_national(&pair, 9));
    pair_close(&pair);
}

Test(replicator, records_that_lie_damaged_at_the_province_come_from_the_hub)
{
    struct pair pair;
    pair_open(&pair);
    record(&pair.province, 2, 300);
    WAIT_FOR(&pair, is_national(&pair, 601));
    member_end(&pair.province);
    member_begin(&pair.province);
    WAIT_FOR(&pair, pair.province.started);
    WAIT_FOR(&pair, is_national(&pair, 602));
    uint32_t number = log_of_size(&pair.province, 601);
    damage(&pair.province, number, 400);
    cr_assert_not(is_sound(&pair.province, number, 400));
    replicator_damaged(pair.province.replicator, number, 400);
    for (uint64_t i = 1; i < 601; i++)
        WAIT_FOR(&pair, is_sound(&pair.province, number, i));
    WAIT_FOR(&pair, is_national(&pair, 602));
    pair_close(&pair);
}

Test(replicator, records_that_lie_damaged_in_the_live_log_come_from_the_hub)
{
    struct pair pair;
    pair_open(&pair);
    record(&pair.province, 2, 300);
    WAIT_FOR(&pair, is_national(&pair, 601));
    uint32_t number = log_of_size(&pair.province, 601);
    damage(&pair.province, number, 100);
    replicator_damaged(pair.province.replicator, number, 100);
    record(&pair.province, 1, 5);
    for (uint64_t i = 1; i < 601; i++)
        WAIT_FOR(&pair, is_sound(&pair.province, number, i));
    WAIT_FOR(&pair, is_national(&pair, 606));
    pair_close(&pair);
}

Test(replicator, records_that_lie_damaged_at_the_hub_come_from_their_author)
{
    struct pair pair;
    pair_open(&pair);
    record(&pair.province, 2, 300);
    WAIT_FOR(&pair, is_national(&pair, 601));
    uint32_t number = log_of_size(&pair.hub, 601);
    damage(&pair.hub, number, 100);
    replicator_damaged(pair.hub.replicator, number, 100);
    for (uint64_t i = 1; i < 601; i++)
        WAIT_FOR(&pair, is_sound(&pair.hub, number, i));
    record(&pair.province, 1, 5); /* and its order stands again */
    WAIT_FOR(&pair, is_national(&pair, 606));
    cr_assert_eq(held_by_hub(&pair), 606u);
    pair_close(&pair);
}

/* I6 */
Test(replicator, the_status_tells_the_root_of_the_size_it_tells_also_when_the_store_is_ahead)
{
    struct pair pair;
    struct engine_status engine;
    pair_open(&pair);
    record(&pair.province, 1, 2);
    do /* the loop stands still: the core does not hear of this group before the store has the next */
        engine_status(pair.province.engine, &engine);
    while (engine.live.size < 3);
    write_unannounced(&pair, &engine.live);
    WAIT_FOR(&pair, own_log(&pair, 3) != NULL);
    cr_assert(hash_equal(&own_log(&pair, 3)->root, &engine.live.root));
    pair_close(&pair);
}
