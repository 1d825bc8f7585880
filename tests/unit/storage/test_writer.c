#include "storage/writer.h"

#include "storage/erase.h"
#include "tests/support/folder.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define MINUTE_MS 60000
#define NOW_MS    INT64_C(1700000000000)

/* The smallest rules: a record's facts are a key, its person part is the value. */
static enum err fold_pair(void *context, struct view *view, const struct record_header *header,
                          struct bytes facts, struct bytes person, bool person_absent)
{
    (void)context, (void)person_absent;
    if (header->kind == RECORD_REQUEST)
        view_put(view, facts, person.size > 0 ? person : bytes_of_string("-"));
    return view->err;
}

static char folder[FOLDER_PATH_SIZE];
static struct log_store *logs;
static struct views *views;
static struct sign_key key;
static struct writer *writer;
static uint64_t groups; /* taken so far */

static void open_stores(void)
{
    char path[FOLDER_PATH_SIZE];
    folder_path(path, folder, "log");
    struct log_store_options log_options = {
        .path = path, .node = "ardabil", .map_size = 16 << 20, .create = true
    };
    cr_assert_eq(log_store_open(&logs, &log_options), OK);
    folder_path(path, folder, "views");
    struct views_options views_options = { .path = path,
                                           .node = "ardabil",
                                           .audience = "hub",
                                           .rules = { .fold = fold_pair },
                                           .map_size = 16 << 20,
                                           .memory_size_max = 1 << 20 };
    cr_assert_eq(views_open(&views, &views_options), OK);
}

static enum err open_writer(uint8_t incarnation, uint32_t flags)
{
    struct writer_options options = { .logs = logs,
                                      .views = views,
                                      .rules = { .fold = fold_pair },
                                      .node = "ardabil",
                                      .audience = "hub",
                                      .log_key = &key,
                                      .flags = flags,
                                      .wall_ms = NOW_MS,
                                      .first_group = groups + 1,
                                      .memory_share = 64 << 10 };
    memset(options.incarnation, incarnation, sizeof(options.incarnation));
    memset(options.entropy, incarnation, sizeof(options.entropy));
    return writer_open(&writer, &options);
}

static void set_up(void)
{
    uint8_t seed[KEY_SIZE] = { 7 };
    sign_key_from_seed(&key, seed);
    folder_make(folder);
    open_stores();
    cr_assert_eq(open_writer(1, INCARNATION_HUBS_UNASKED), OK);
}

static void tear_down(void)
{
    writer_close(writer);
    views_close(views);
    log_store_close(logs);
    folder_remove(folder);
}

TestSuite(writer, .init = set_up, .fini = tear_down);

static struct group *take(void)
{
    struct group *group = writer_take_group(writer);
    cr_assert_not_null(group);
    groups = group_number(group);
    return group;
}

static void commit(void)
{
    struct group *group = take();
    struct store_txn txn = store_begin_write(log_store_environment(logs));
    cr_assert_eq(group_commit(group, &txn), OK);
    cr_assert_eq(store_commit(&txn), OK);
    group_free(group);
}

static uint64_t propose_at(int64_t wall_ms, const char *facts, const char *person)
{
    uint64_t position = 0;
    struct proposal proposal = { .kind = RECORD_REQUEST,
                                 .actor = bytes_of_string("clerk-1"),
                                 .facts = bytes_of_string(facts),
                                 .person = bytes_of_string(person) };
    cr_assert_eq(writer_begin_command(writer, wall_ms), OK);
    cr_assert_eq(writer_propose(writer, &proposal, &position), OK);
    writer_end_command(writer);
    return position;
}

static uint64_t propose(const char *facts, const char *person)
{
    return propose_at(NOW_MS, facts, person);
}

/* A stored record of the live log; ranges are valid until the next call. */
static struct record read_record(uint32_t number, uint64_t position, struct record_header *header)
{
    static struct buffer scratch;
    struct record record;
    struct hash leaf;
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    cr_assert_eq(log_read(logs, &txn, number, position, &scratch, &record, header, &leaf), OK);
    store_abort(&txn);
    return record;
}

static uint32_t live_number(void)
{
    uint32_t number = 0;
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    cr_assert_eq(log_find(logs, &txn, writer_log(writer), &number), OK);
    store_abort(&txn);
    return number;
}

static size_t parents_of(uint32_t number, struct log_head *parents, size_t max)
{
    size_t count = 0;
    struct store_txn txn = store_begin_read(log_store_environment(logs));
    cr_assert_eq(log_parents(logs, &txn, number, parents, max, &count), OK);
    store_abort(&txn);
    return count;
}

Test(writer, the_first_record_of_the_first_log_names_no_parents)
{
    struct record_header header;
    struct incarnation_facts facts = { 0 };
    commit();
    struct record record = read_record(live_number(), 0, &header);
    cr_assert_eq(header.kind, RECORD_INCARNATION);
    cr_assert_eq(header.time_ms, NOW_MS);
    cr_assert_eq(incarnation_facts_decode(&facts, record_unsalted(record.facts)), OK);
    cr_assert_eq(facts.parent_count, 0);
    cr_assert_eq(facts.flags, INCARNATION_HUBS_UNASKED);
}

Test(writer, the_next_incarnation_names_the_log_it_follows)
{
    commit();
    propose("a", "1");
    commit();
    struct log_id first = *writer_log(writer);
    writer_close(writer);
    cr_assert_eq(open_writer(2, 0), OK);
    commit();
    struct log_head parents[4];
    cr_assert_eq(parents_of(live_number(), parents, 4), 1);
    cr_assert(log_id_equal(&parents[0].log, &first));
    cr_assert_eq(parents[0].size, 2);
}

Test(writer, a_committed_record_reads_back_as_proposed)
{
    struct record_header header;
    commit();
    cr_assert_eq(propose("a", "the citizen's words"), 1);
    commit();
    struct record record = read_record(live_number(), 1, &header);
    cr_assert(bytes_equal(record_unsalted(record.facts), bytes_of_string("a")));
    cr_assert(bytes_equal(record_unsalted(record.person), bytes_of_string("the citizen's words")));
    cr_assert_str_eq(header.actor, "clerk-1");
}

Test(writer, one_signed_checkpoint_covers_the_whole_group)
{
    struct checkpoint checkpoint;
    commit();
    for (int i = 0; i < 40; i++)
        propose("a", "b");
    struct group *group = take();
    cr_assert_eq(group_count(group), 40);
    struct store_txn txn = store_begin_write(log_store_environment(logs));
    cr_assert_eq(group_commit(group, &txn), OK);
    struct log_source source = { .logs = logs, .txn = &txn, .number = group_log_number(group) };
    struct merkle_source merkle = log_merkle_source(&source);
    struct hash root;
    cr_assert_eq(merkle_root(&merkle, 41, &root), OK);
    cr_assert_eq(checkpoint_open(&checkpoint, group_note(group), &key.public), OK);
    cr_assert_eq(checkpoint.size, 41);
    cr_assert(hash_equal(&checkpoint.root, &root));
    cr_assert(group_note(group).size <= group_size(group));
    store_abort(&txn);
    group_free(group);
}

Test(writer, a_group_can_be_committed_again_after_its_transaction_was_aborted)
{
    commit();
    propose("a", "b");
    struct group *group = take();
    for (int i = 0; i < 3; i++) {
        struct store_txn txn = store_begin_write(log_store_environment(logs));
        cr_assert_eq(group_commit(group, &txn), OK);
        if (i < 2)
            store_abort(&txn);
        else
            cr_assert_eq(store_commit(&txn), OK);
    }
    group_free(group);
    struct record_header header;
    read_record(live_number(), 1, &header);
}

Test(writer, equal_content_is_committed_to_differently)
{
    struct record_header a, b;
    commit();
    propose("same", "same");
    propose("same", "same");
    commit();
    read_record(live_number(), 1, &a);
    read_record(live_number(), 2, &b);
    cr_assert(!hash_equal(&a.facts, &b.facts));
    cr_assert(!hash_equal(&a.person, &b.person));
    cr_assert(!hash_equal(&a.facts, &a.person));
}

Test(writer, time_stands_still_when_the_clock_goes_back_a_little)
{
    struct record_header header;
    commit();
    propose_at(NOW_MS + 4 * MINUTE_MS, "a", "");
    propose_at(NOW_MS, "b", "");
    commit();
    read_record(live_number(), 2, &header);
    cr_assert_eq(header.time_ms, NOW_MS + 4 * MINUTE_MS);
}

Test(writer, a_clock_that_goes_back_more_than_five_minutes_asks_for_a_new_incarnation)
{
    commit();
    propose_at(NOW_MS + 20 * MINUTE_MS, "a", "");
    cr_assert_eq(writer_begin_command(writer, NOW_MS + 15 * MINUTE_MS), OK);
    writer_end_command(writer);
    cr_assert_eq(writer_begin_command(writer, NOW_MS + 15 * MINUTE_MS - 1), ERR_CONFLICT);
    commit();
    /* The guard is not inherited. */
    writer_close(writer);
    cr_assert_eq(open_writer(2, INCARNATION_CLOCK_BACK), OK);
    cr_assert_eq(writer_begin_command(writer, NOW_MS), OK);
    writer_end_command(writer);
}

Test(writer, an_answer_waits_for_the_newest_group_it_looked_at)
{
    struct bytes value;
    commit();
    propose("a", "1");
    cr_assert_eq(writer_command_group(writer), 2, "a proposal waits for its own group");
    struct group *flying = take();

    cr_assert_eq(writer_begin_command(writer, NOW_MS), OK);
    cr_assert_eq(view_get(writer_view(writer), bytes_of_string("a"), &value), OK);
    writer_end_command(writer);
    cr_assert_eq(writer_command_group(writer), 2, "a duplicate waits for the first one's group");

    cr_assert_eq(writer_begin_command(writer, NOW_MS), OK);
    cr_assert_eq(view_get(writer_view(writer), bytes_of_string("b"), &value), ERR_NOT_FOUND);
    writer_end_command(writer);
    cr_assert_eq(writer_command_group(writer), 0, "a refusal that saw nothing waits for nothing");
    group_free(flying);
}

Test(writer, a_proposal_outside_the_limits_changes_nothing)
{
    char actor[RECORD_ACTOR_SIZE_MAX + 2];
    uint64_t position;
    memset(actor, 'a', sizeof(actor));
    struct proposal proposal = { .kind = RECORD_REQUEST,
                                 .actor = bytes_of(actor, RECORD_ACTOR_SIZE_MAX + 1),
                                 .facts = bytes_of_string("a") };
    commit();
    cr_assert_eq(writer_begin_command(writer, NOW_MS), OK);
    cr_assert_eq(writer_propose(writer, &proposal, &position), ERR_INVALID);
    writer_end_command(writer);
    cr_assert_eq(writer_error(writer), OK);
    cr_assert_null(writer_take_group(writer));
    cr_assert_eq(propose("a", "1"), 1);
    commit();
}

Test(writer, a_full_group_takes_no_more)
{
    uint64_t position;
    struct proposal proposal = { .kind = 999, .facts = bytes_of_string("a") };
    commit();
    cr_assert_eq(writer_begin_command(writer, NOW_MS), OK);
    for (int i = 0; i < BATCH_RECORD_MAX; i++)
        cr_assert_eq(writer_propose(writer, &proposal, &position), OK);
    cr_assert_eq(writer_propose(writer, &proposal, &position), ERR_BUSY);
    writer_end_command(writer);
    commit();
    cr_assert_eq(propose("b", ""), BATCH_RECORD_MAX + 1);
    commit();
}

Test(writer, records_name_the_last_receipt_held)
{
    struct record_receipt receipt = { .hub = "hub-1", .size = 1, .time_s = 1700000000 };
    struct record_header header;
    commit();
    propose("a", "");
    writer_receipt(writer, &receipt);
    propose("b", "");
    commit();
    read_record(live_number(), 1, &header);
    cr_assert_not(header.has_receipt);
    read_record(live_number(), 2, &header);
    cr_assert(header.has_receipt);
    cr_assert_eq(header.receipt.size, 1);
    cr_assert_str_eq(header.receipt.hub, "hub-1");
}

Test(writer, the_memory_table_is_frozen_between_groups_and_flushed_with_its_head)
{
    static char person[2000];
    uint64_t group;
    struct log_head head;
    commit();
    memset(person, 'p', sizeof(person) - 1);
    for (int i = 0; i < 64; i++) {
        char name[16];
        snprintf(name, sizeof(name), "key-%02d", i);
        propose(name, person);
        cr_assert_not(writer_flush_wanted(writer, &group, &head), "never inside a group");
    }
    commit();
    cr_assert(writer_flush_wanted(writer, &group, &head));
    cr_assert_not(writer_flush_wanted(writer, &group, &head), "told once");
    cr_assert_eq(group, 2);
    cr_assert_eq(head.size, 65);
    cr_assert_eq(memory_frozen_group(views_memory(views)), 2);
    cr_assert_eq(views_flush(views, &head), OK);

    /* The next decision sees what was flushed, and waits for nothing. */
    struct bytes value;
    cr_assert_eq(writer_begin_command(writer, NOW_MS), OK);
    cr_assert_eq(view_get(writer_view(writer), bytes_of_string("key-07"), &value), OK);
    cr_assert_eq(value.size, sizeof(person) - 1);
    writer_end_command(writer);
    cr_assert_eq(writer_command_group(writer), 0);
}

/* ---- erasures ---- */

static void propose_erase(const struct log_id *log, uint64_t position)
{
    struct buffer part = { 0 };
    struct erase_facts facts = { .occurred_at_ms = NOW_MS,
                                 .log = *log,
                                 .position = position,
                                 .reason = bytes_of_string("asked") };
    uint64_t at;
    cr_assert_eq(erase_facts_encode(&part, &facts), OK);
    struct proposal proposal = { .kind = RECORD_ERASE, .facts = buffer_bytes(&part) };
    cr_assert_eq(writer_begin_command(writer, NOW_MS), OK);
    cr_assert_eq(writer_propose(writer, &proposal, &at), OK);
    writer_end_command(writer);
    buffer_close(&part);
}

Test(writer, an_erase_record_takes_the_person_part_away_in_its_own_transaction)
{
    struct record_header header;
    commit();
    propose("a", "secret");
    propose("b", "kept");
    commit();
    propose_erase(writer_log(writer), 1);
    commit();
    cr_assert(read_record(live_number(), 1, &header).person_absent);
    cr_assert(header.has_person);
    cr_assert_not(read_record(live_number(), 2, &header).person_absent);
}

Test(writer, a_record_and_its_erasure_may_come_in_one_group)
{
    struct record_header header;
    commit();
    propose("a", "secret");
    propose_erase(writer_log(writer), 1);
    commit();
    cr_assert(read_record(live_number(), 1, &header).person_absent);
}

/* An erasure of a record that is not held yet waits for it. */
Test(writer, an_erasure_that_comes_first_is_applied_when_the_record_arrives)
{
    struct log_id older;
    uint8_t incarnation[INCARNATION_SIZE] = { 9 };
    cr_assert_eq(log_id_init(&older, bytes_of_string("ardabil"), bytes_of_string("hub"),
                             incarnation),
                 OK);
    commit();
    propose_erase(&older, 0);
    commit();

    /* given: one record of the older log, made by hand */
    uint8_t facts[SALT_SIZE + 1] = { 1 }, person[SALT_SIZE + 6] = { 2 };
    struct buffer bytes = { 0 };
    struct record_header header = { .kind = 999, .log = older, .has_person = true };
    record_commit(&header.facts, BYTES_OF_ARRAY(facts));
    record_commit(&header.person, BYTES_OF_ARRAY(person));
    cr_assert_eq(record_header_encode(&bytes, &header), OK);
    struct record record = { .header = buffer_bytes(&bytes),
                             .facts = BYTES_OF_ARRAY(facts),
                             .person = BYTES_OF_ARRAY(person) };
    struct hash leaf;
    merkle_leaf_hash(&leaf, record.header);
    struct merkle_frontier empty = { 0 };
    struct batch_builder batch;
    batch_begin(&batch, &empty);
    batch_add(&batch, &record, &leaf, log_store_data_key(logs));

    /* when it is handed back */
    uint32_t number;
    struct store_txn txn = store_begin_write(log_store_environment(logs));
    cr_assert_eq(log_create(logs, &txn, &older, &number), OK);
    cr_assert_eq(log_append(logs, &txn, number, &batch, BYTES_NONE), OK);
    cr_assert_eq(erase_on_append(logs, &txn, number, &older, 0, 1), OK);
    cr_assert_eq(store_commit(&txn), OK);
    batch_close(&batch);
    buffer_close(&bytes);

    cr_assert(read_record(number, 0, &header).person_absent);
}

Test(writer, another_nodes_erase_record_has_no_effect)
{
    struct record_header header;
    commit();
    propose("a", "secret");
    commit();
    struct buffer part = { 0 };
    struct erase_facts facts = { .occurred_at_ms = NOW_MS,
                                 .log = *writer_log(writer),
                                 .position = 1,
                                 .reason = bytes_of_string("malice") };
    cr_assert_eq(erase_facts_encode(&part, &facts), OK);
    struct record_header foreign = { .kind = RECORD_ERASE };
    uint8_t incarnation[INCARNATION_SIZE] = { 9 };
    cr_assert_eq(log_id_init(&foreign.log, bytes_of_string("hormozgan"), bytes_of_string("hub"),
                             incarnation),
                 OK);
    struct store_txn txn = store_begin_write(log_store_environment(logs));
    cr_assert_eq(erase_on_record(logs, &txn, &foreign, buffer_bytes(&part)), OK);
    cr_assert_eq(txn.changes, 0);
    store_abort(&txn);
    buffer_close(&part);
    cr_assert_not(read_record(live_number(), 1, &header).person_absent);
}
