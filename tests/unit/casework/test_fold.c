#include "node/casework/counters.h"
#include "node/casework/directory_entry.h"
#include "node/casework/find.h"
#include "node/casework/fold.h"
#include "node/casework/instant.h"
#include "sample_records.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define CODE_A "24123456789067" /* whether the check digits fit is not the fold's question */
#define CODE_B "24000000000071"
#define ID_A   "0076229645"
#define ID_B   "1583250689"
#define PHONE  "+989141234567"

static struct array_view array;

static void init(void)
{
    array_view_init(&array);
}

static void fini(void)
{
    array_view_close(&array);
}

TestSuite(fold, .init = init, .fini = fini);

static void fold_request(uint8_t incarnation, uint64_t position, const char *code, const char *key,
                         const char *national_id, const char *phone)
{
    struct request_facts facts = sample_facts(code, key);
    struct request_person person = sample_person(national_id, phone);
    struct sample sample = sample_request(incarnation, position, &facts, &person);
    sample_fold(&array, &sample, false);
    sample_close(&sample);
}

static void fold_erase(uint8_t incarnation, uint64_t position, uint8_t target_incarnation,
                       uint64_t target)
{
    struct log_id log = sample_log(target_incarnation);
    struct sample sample = sample_erase(incarnation, position, &log, target);
    sample_fold(&array, &sample, false);
    sample_close(&sample);
}

static uint64_t count(enum counter counter)
{
    return counter_read(&array.view, counter, BYTES_NONE);
}

static struct request_entry entry_of(const char *code, uint8_t slot)
{
    struct request_id id = request_id_of(bytes_of_string(code), slot);
    struct request_entry entry;
    cr_assert_eq(request_entry_get(&array.view, &id, &entry), OK);
    return entry;
}

static size_t found_by_phone(const char *phone)
{
    struct request_entry entries[8];
    size_t found = 0;
    cr_assert_eq(request_list_by_phone(&array.view, &SAMPLE_CONTEXT.lookup_key,
                                       bytes_of_string(phone), entries, 8, &found),
                 OK);
    return found;
}

static size_t found_by_national_id(const char *national_id)
{
    struct request_entry entries[8];
    size_t found = 0;
    cr_assert_eq(request_list_by_national_id(&array.view, &SAMPLE_CONTEXT.lookup_key,
                                             bytes_of_string(national_id), entries, 8, &found),
                 OK);
    return found;
}

static void expect_parked(enum parked_reason reason)
{
    struct parked parked[4];
    size_t found = 0;
    cr_assert_eq(parked_list(&array.view, NULL, parked, 4, &found), OK);
    cr_assert_eq(found, 1);
    cr_assert_eq(parked[0].reason, reason);
    cr_assert_eq(count(COUNTER_PARKED), 1);
    cr_assert_str_neq(parked_reason_word(reason), "unknown");
}

/* ---- requests -------------------------------------------------------------------------------- */

Test(fold, a_request_is_found_by_code_phone_and_national_id_and_names_its_record)
{
    fold_request(1, 5, CODE_A, "key-1", ID_A, PHONE);
    struct request_entry entry = entry_of(CODE_A, 0);
    cr_assert_eq(entry.record.position, 5);
    cr_assert_str_eq(entry.record.audience, "hub");
    cr_assert_eq(entry.record.incarnation[0], 1);
    cr_assert_eq(entry.kind, REQUEST_REQUEST);
    cr_assert_eq(entry.channel, CHANNEL_PHONE);
    cr_assert_eq(entry.occurred_at_ms, INT64_C(1745642649000));
    cr_assert_eq(entry.registered_at_ms, INT64_C(1745642700005));
    cr_assert_str_eq(entry.subject, "water.outage");
    cr_assert_str_eq(entry.place, "IR-24/نیر");
    cr_assert_eq(entry.flags, REQUEST_HAS_PHONE | REQUEST_HAS_NATIONAL_ID);
    cr_assert_eq(found_by_phone(PHONE), 1);
    cr_assert_eq(found_by_national_id(ID_A), 1);
    cr_assert_eq(found_by_national_id(ID_B), 0);
}

/* D18 */
Test(fold, no_personal_data_stands_in_the_view)
{
    fold_request(1, 5, CODE_A, "key-1", ID_A, PHONE);
    cr_assert_not(array_view_contains(&array, bytes_of_string("9141234567")));
    cr_assert_not(array_view_contains(&array, bytes_of_string(ID_A)));
    cr_assert_not(array_view_contains(&array, bytes_of_string("کریمی")));
    cr_assert_not(array_view_contains(&array, bytes_of_string("قطع")));
    cr_assert(array_view_contains(&array, bytes_of_string("water.outage"))); /* it does look */
}

/* The keys of the index hold half of a hash: somebody else may have the same half. */
Test(fold, who_shares_half_of_a_hash_is_not_listed)
{
    fold_request(1, 1, CODE_A, "key-1", ID_A, PHONE);
    fold_request(1, 2, CODE_B, "key-2", ID_B, "+989120000000");
    struct lookup_hash phone = lookup_phone(&SAMPLE_CONTEXT.lookup_key, bytes_of_string(PHONE));
    struct lookup_hash id = lookup_national_id(&SAMPLE_CONTEXT.lookup_key, bytes_of_string(ID_A));
    struct request_id other = request_id_of(bytes_of_string(CODE_B), 0);
    struct view_key keys[] = { key_of_phone(&phone, &other), key_of_national_id(&id, &other) };
    for (size_t i = 0; i < 2; i++)
        view_put(&array.view, view_key_bytes(&keys[i]), bytes_of_string("x"));
    cr_assert_eq(found_by_phone(PHONE), 1);
    cr_assert_eq(found_by_national_id(ID_A), 1);
}

Test(fold, an_index_that_names_no_code_is_damage)
{
    fold_request(1, 1, CODE_A, "key-1", ID_A, PHONE);
    struct request_id id = request_id_of(bytes_of_string(CODE_A), 0);
    struct lookup_hash phone = lookup_phone(&SAMPLE_CONTEXT.lookup_key, bytes_of_string(PHONE));
    struct view_key key = key_of_phone(&phone, &id);
    memset(key.data + key.size - REQUEST_ID_SIZE, 0xff, REQUEST_ID_SIZE); /* above 10^14 */
    view_put(&array.view, view_key_bytes(&key), bytes_of_string("x"));
    struct request_entry entries[8];
    size_t found = 0;
    cr_assert_eq(request_list_by_phone(&array.view, &SAMPLE_CONTEXT.lookup_key,
                                       bytes_of_string(PHONE), entries, 8, &found),
                 ERR_CORRUPT);
}

Test(fold, a_request_whose_entry_is_gone_is_damage)
{
    fold_request(1, 5, CODE_A, "key-1", ID_A, PHONE);
    struct request_entry entry = entry_of(CODE_A, 0);
    struct view_key key = key_of_entry(entry.registered_at_ms, &entry.id);
    view_del(&array.view, view_key_bytes(&key));
    cr_assert_eq(request_entry_get(&array.view, &entry.id, &entry), ERR_CORRUPT);
}

Test(fold, every_code_comes_back_from_its_key)
{
    static const char *const CODES[] = { "00000000000000", "00000000000001", "99999999999999", CODE_A };
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++) {
        struct request_id id = request_id_of(bytes_of_string(CODES[i]), (uint8_t)(7 * i));
        uint8_t packed[REQUEST_ID_SIZE];
        request_id_pack(packed, &id);
        struct reader reader = reader_of(BYTES_OF_ARRAY(packed));
        struct request_id back = request_id_read(&reader);
        cr_assert_eq(reader.err, OK);
        cr_assert(request_id_equal(&id, &back));
    }
}

static void add_up(void *context, struct bytes rest, uint64_t counted)
{
    (void)rest;
    *(uint64_t *)context += counted;
}

Test(fold, counters_follow_kind_channel_subject_and_the_day_it_occurred)
{
    fold_request(1, 1, CODE_A, "key-1", ID_A, PHONE);
    fold_request(1, 2, CODE_B, "key-2", ID_B, PHONE);
    struct counter_rest kind = counter_number(REQUEST_REQUEST);
    struct counter_rest channel = counter_number(CHANNEL_PHONE);
    struct counter_rest day = counter_day(instant_iran_day(INT64_C(1745642649000)));
    uint64_t days = 0;
    cr_assert_eq(count(COUNTER_REQUESTS), 2);
    cr_assert_eq(counter_read(&array.view, COUNTER_KIND, BYTES_OF_ARRAY(kind.data)), 2);
    cr_assert_eq(counter_read(&array.view, COUNTER_CHANNEL, BYTES_OF_ARRAY(channel.data)), 2);
    cr_assert_eq(counter_read(&array.view, COUNTER_SUBJECT, bytes_of_string("water.outage")), 2);
    cr_assert_eq(counter_read(&array.view, COUNTER_DAY, BYTES_OF_ARRAY(day.data)), 2);
    cr_assert_eq(counters_list(&array.view, COUNTER_DAY, add_up, &days), OK);
    cr_assert_eq(days, 2);
    cr_assert_eq(counter_rest_day(BYTES_OF_ARRAY(day.data)), 20204); /* 2025-04-26 */
}

Test(fold, the_newest_are_listed_first_page_by_page)
{
    static const char *const CODES[] = { "24000000000168", "24000000000071", "24000000000265" };
    for (uint64_t i = 0; i < 3; i++)
        fold_request(1, i, CODES[i], CODES[i], ID_A, PHONE);
    struct request_entry page[2];
    size_t found = 0;
    cr_assert_eq(request_list_recent(&array.view, NULL, page, 2, &found), OK);
    cr_assert_eq(found, 2);
    cr_assert_str_eq(page[0].id.code, CODES[2]);
    cr_assert_str_eq(page[1].id.code, CODES[1]);
    struct request_entry last = page[1];
    cr_assert_eq(request_list_recent(&array.view, &last, page, 2, &found), OK);
    cr_assert_eq(found, 1);
    cr_assert_str_eq(page[0].id.code, CODES[0]);
}

/* F3 */
Test(fold, a_kind_that_is_not_known_changes_nothing)
{
    struct request_facts facts = sample_facts(CODE_A, "key-1");
    struct request_person person = sample_person(ID_A, PHONE);
    struct sample sample = sample_request(1, 1, &facts, &person);
    sample.header.kind = 4711;
    sample_fold(&array, &sample, false);
    sample.header.kind = RECORD_INCARNATION;
    sample_fold(&array, &sample, false);
    cr_assert_eq(array.count, 0);
    sample_close(&sample);
}

/* F4 */
Test(fold, facts_that_cannot_be_read_are_parked_and_nothing_else_happens)
{
    static const uint32_t KINDS[] = { RECORD_REQUEST, RECORD_ERASE, RECORD_DIRECTORY };
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        struct sample sample = {
            .header = { .kind = KINDS[i], .log = sample_log(1), .position = 9, .has_case = true }
        };
        buffer_append_string(&sample.facts, "garbage");
        sample_fold(&array, &sample, false);
        expect_parked(PARKED_FACTS_UNREADABLE);
        cr_assert_eq(array.count, 2, "the parked record and its counter");
        sample_close(&sample);
    }
}

Test(fold, a_request_without_a_case_is_parked)
{
    struct request_facts facts = sample_facts(CODE_A, "key-1");
    struct request_person person = sample_person(ID_A, PHONE);
    struct sample sample = sample_request(1, 1, &facts, &person);
    sample.header.has_case = false;
    sample_fold(&array, &sample, false);
    expect_parked(PARKED_CASE_MISSING);
    cr_assert_eq(count(COUNTER_REQUESTS), 0);
    sample_close(&sample);
}

/* F1, F4 */
Test(fold, a_person_part_that_cannot_be_read_is_parked_until_it_is_erased)
{
    struct request_facts facts = sample_facts(CODE_A, "key-1");
    struct request_person person = sample_person(ID_A, PHONE);
    struct sample sample = sample_request(1, 1, &facts, &person);
    buffer_clear(&sample.person);
    buffer_append_string(&sample.person, "garbage");
    sample_fold(&array, &sample, false);
    expect_parked(PARKED_PERSON_UNREADABLE);
    cr_assert_eq(count(COUNTER_REQUESTS), 1);
    cr_assert_eq(entry_of(CODE_A, 0).flags, REQUEST_PERSON_UNKNOWN);
    fold_erase(1, 2, 1, 1);
    cr_assert_eq(count(COUNTER_PARKED), 0);
    cr_assert_eq(entry_of(CODE_A, 0).flags, REQUEST_ERASED);
    sample_close(&sample);
}

/* ---- two of one ------------------------------------------------------------------------------ */

/* F5, D1, I4 */
Test(fold, one_key_in_two_incarnations_is_one_case_with_two_codes)
{
    fold_request(1, 7, CODE_A, "key-1", ID_A, PHONE);
    fold_request(2, 3, CODE_B, "key-1", ID_A, PHONE);
    struct request_entry first = entry_of(CODE_A, 0);
    struct request_entry second = entry_of(CODE_B, 0);
    cr_assert_arr_eq(first.case_id, second.case_id, CASE_ID_SIZE);
    cr_assert(second.flags & REQUEST_MERGED);
    cr_assert_not(first.flags & REQUEST_MERGED);
    cr_assert(request_id_equal(&second.same_as, &first.id));
    cr_assert_eq(count(COUNTER_REQUESTS), 1);
    cr_assert_eq(count(COUNTER_MERGED), 1);
    cr_assert_eq(count(COUNTER_PARKED), 0);
    cr_assert_eq(found_by_phone(PHONE), 2, "both codes answer");
}

Test(fold, one_key_with_other_facts_is_merged_and_parked_for_a_person)
{
    fold_request(1, 7, CODE_A, "key-1", ID_A, PHONE);
    struct request_facts facts = sample_facts(CODE_B, "key-1");
    struct request_person person = sample_person(ID_A, PHONE);
    facts.subject = bytes_of_string("gas.connection");
    struct sample sample = sample_request(2, 3, &facts, &person);
    sample_fold(&array, &sample, false);
    expect_parked(PARKED_KEY_REUSED);
    cr_assert(entry_of(CODE_B, 0).flags & REQUEST_MERGED);
    cr_assert_eq(count(COUNTER_REQUESTS), 1);
    sample_close(&sample);
}

Test(fold, one_key_of_two_clients_is_two_requests)
{
    fold_request(1, 7, CODE_A, "key-1", ID_A, PHONE);
    struct request_facts facts = sample_facts(CODE_B, "key-1");
    struct request_person person = sample_person(ID_A, PHONE);
    facts.client = bytes_of_string("desk-2");
    struct sample sample = sample_request(1, 8, &facts, &person);
    sample_fold(&array, &sample, false);
    cr_assert_eq(count(COUNTER_REQUESTS), 2);
    cr_assert_eq(count(COUNTER_MERGED), 0);
    sample_close(&sample);
}

/* F6, D15 */
Test(fold, one_code_given_twice_is_kept_twice_and_parked)
{
    fold_request(1, 7, CODE_A, "key-1", ID_A, PHONE);
    fold_request(2, 3, CODE_A, "key-2", ID_B, "");
    cr_assert_eq(entry_of(CODE_A, 0).record.position, 7);
    cr_assert_eq(entry_of(CODE_A, 1).record.position, 3);
    cr_assert(entry_of(CODE_A, 1).flags & REQUEST_CODE_SHARED);
    cr_assert_eq(count(COUNTER_REQUESTS), 2);
    expect_parked(PARKED_CODE_SHARED);
    struct request_entry entries[4];
    size_t found = 0;
    cr_assert_eq(request_list_by_code(&array.view, bytes_of_string(CODE_A), entries, 4, &found),
                 OK);
    cr_assert_eq(found, 2);
}

Test(fold, a_code_given_more_than_256_times_is_parked)
{
    char key[16];
    for (unsigned i = 0; i < 257; i++) {
        snprintf(key, sizeof key, "key-%u", i);
        fold_request(1, i, CODE_A, key, ID_A, PHONE);
    }
    cr_assert_eq(count(COUNTER_REQUESTS), 256);
    cr_assert_eq(count(COUNTER_PARKED), 256, "255 shared ones and the one that found no slot");
}

/* ---- erasing --------------------------------------------------------------------------------- */

/* F1, I20 */
Test(fold, an_erasure_leaves_facts_and_counts_and_takes_what_derives_from_the_person)
{
    fold_request(1, 7, CODE_A, "key-1", ID_A, PHONE);
    struct request_entry before = entry_of(CODE_A, 0);
    fold_erase(1, 8, 1, 7);
    struct request_entry after = entry_of(CODE_A, 0);
    cr_assert_eq(after.flags, REQUEST_ERASED);
    cr_assert_str_eq(after.subject, "water.outage");
    cr_assert_eq(count(COUNTER_REQUESTS), 1);
    cr_assert_eq(count(COUNTER_ERASED), 1);
    cr_assert_eq(found_by_phone(PHONE), 0);
    cr_assert_eq(found_by_national_id(ID_A), 0);
    cr_assert_not(array_view_contains(&array, BYTES_OF_ARRAY(before.phone.bytes)));
    cr_assert_not(array_view_contains(&array, BYTES_OF_ARRAY(before.national_id.bytes)));
    cr_assert_not(array_view_contains(&array, BYTES_OF_ARRAY(before.last_digits.bytes)));
}

Test(fold, an_erasure_touches_nobody_else)
{
    fold_request(1, 7, CODE_A, "key-1", ID_A, PHONE);
    fold_request(1, 8, CODE_B, "key-2", ID_B, PHONE);
    fold_erase(1, 9, 1, 7);
    cr_assert_eq(found_by_phone(PHONE), 1);
    cr_assert_eq(found_by_national_id(ID_B), 1);
}

Test(fold, a_second_erasure_of_one_record_is_not_counted)
{
    fold_request(1, 7, CODE_A, "key-1", ID_A, PHONE);
    fold_erase(1, 8, 1, 7);
    fold_erase(1, 9, 1, 7);
    cr_assert_eq(count(COUNTER_ERASED), 1);
    cr_assert_eq(count(COUNTER_PARKED), 0);
}

Test(fold, an_erasure_that_comes_first_waits_parked_and_is_applied)
{
    fold_erase(2, 1, 1, 7);
    expect_parked(PARKED_ERASE_UNKNOWN);
    fold_request(1, 7, CODE_A, "key-1", ID_A, PHONE);
    cr_assert_eq(count(COUNTER_PARKED), 0);
    cr_assert_eq(entry_of(CODE_A, 0).flags, REQUEST_ERASED);
    cr_assert_eq(found_by_phone(PHONE), 0);
    cr_assert_eq(count(COUNTER_REQUESTS), 1);
}

Test(fold, an_erasure_of_another_node_s_record_is_parked)
{
    struct log_id log;
    uint8_t incarnation[INCARNATION_SIZE] = { 1, 0xAB };
    log_id_init(&log, bytes_of_string("hormozgan"), bytes_of_string("hub"), incarnation);
    fold_request(1, 7, CODE_A, "key-1", ID_A, PHONE);
    struct sample sample = sample_erase(1, 8, &log, 7);
    sample_fold(&array, &sample, false);
    expect_parked(PARKED_ERASE_FOREIGN);
    cr_assert_eq(found_by_phone(PHONE), 1);
    sample_close(&sample);
}

/* ---- the directory --------------------------------------------------------------------------- */

static void fold_directory(uint64_t position, int64_t occurred_at_ms, const char *node,
                           const char *name_en)
{
    struct directory_facts facts = { .occurred_at_ms = occurred_at_ms,
                                     .node = bytes_of_string(node),
                                     .iso = bytes_of_string("IR-24"),
                                     .name_fa = bytes_of_string("اردبیل"),
                                     .name_en = bytes_of_string(name_en),
                                     .area_code = bytes_of_string("045"),
                                     .status = 1 };
    struct sample sample = {
        .header = { .kind = RECORD_DIRECTORY, .log = sample_log(1), .position = position }
    };
    cr_assert_eq(directory_facts_encode(&sample.facts, &facts), OK);
    sample_fold(&array, &sample, false);
    sample_close(&sample);
}

static void count_entries(void *context, const struct directory_entry *entry)
{
    cr_assert_gt(strlen(entry->node), 0);
    cr_assert_str_eq(entry->area_code, "045");
    cr_assert_str_eq(entry->name_fa, "اردبیل");
    *(int *)context += 1;
}

Test(fold, the_newest_directory_entry_of_a_node_wins)
{
    struct directory_entry entry;
    int entries = 0;
    fold_directory(1, 2000, "ardabil", "second");
    fold_directory(2, 1000, "ardabil", "first, late");
    fold_directory(3, 1000, "zanjan", "other");
    cr_assert_eq(directory_entry_get(&array.view, bytes_of_string("ardabil"), &entry), OK);
    cr_assert_str_eq(entry.name_en, "second");
    fold_directory(4, 3000, "ardabil", "third");
    cr_assert_eq(directory_entry_get(&array.view, bytes_of_string("ardabil"), &entry), OK);
    cr_assert_str_eq(entry.name_en, "third");
    cr_assert_eq(directory_list(&array.view, count_entries, &entries), OK);
    cr_assert_eq(entries, 2);
    cr_assert_eq(directory_entry_get(&array.view, bytes_of_string("qom"), &entry), ERR_NOT_FOUND);
}

/* ---- histories ------------------------------------------------------------------------------- */

enum { HISTORY_SIZE = 400 };

static uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

static struct sample random_request(uint64_t *random, uint64_t position)
{
    char code[TRACKING_CODE_DIGITS + 1];
    char key[16];
    char phone[16];
    /* Few codes, keys and phones, so that they meet often. */
    snprintf(code, sizeof code, "24%012u", next_random(random) % 300);
    snprintf(key, sizeof key, "key-%u", next_random(random) % 250);
    snprintf(phone, sizeof phone, "+98914%07u", next_random(random) % 50);
    struct request_facts facts = sample_facts(code, key);
    struct request_person person =
        sample_person(next_random(random) % 2 ? ID_A : ID_B, next_random(random) % 4 ? phone : "");
    facts.kind = 1 + next_random(random) % 9;
    struct sample sample =
        sample_request((uint8_t)(next_random(random) % 3), position, &facts, &person);
    if (next_random(random) % 20 == 0)
        sample.person.data[0] ^= 0x55;
    if (next_random(random) % 30 == 0)
        sample.facts.data[0] ^= 0x55;
    return sample;
}

static struct sample random_record(uint64_t *random, uint64_t position)
{
    if (next_random(random) % 4 > 0)
        return random_request(random, position);
    struct log_id log = sample_log((uint8_t)(next_random(random) % 3));
    return sample_erase(0, position, &log, next_random(random) % HISTORY_SIZE);
}

static bool is_erased(struct array_view *view, const struct sample *sample)
{
    struct record_ref record = record_ref_of(&sample->header.log, sample->header.position);
    struct view_key key = key_of_erased(&record);
    struct bytes value;
    return view_get(&view->view, view_key_bytes(&key), &value) == OK;
}

/* F1, F2, D13 */
Test(fold, folding_again_after_erasures_gives_the_same_bytes_for_any_history)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct sample history[HISTORY_SIZE];
        struct array_view live;
        struct array_view rebuilt;
        uint64_t random = seed;
        size_t erased = 0;
        array_view_init(&live);
        array_view_init(&rebuilt);
        for (size_t i = 0; i < HISTORY_SIZE; i++) {
            history[i] = random_record(&random, i);
            sample_fold(&live, &history[i], false);
        }
        for (size_t i = 0; i < HISTORY_SIZE; i++) {
            bool absent = is_erased(&live, &history[i]);
            sample_fold(&rebuilt, &history[i], absent);
            erased += absent;
        }
        cr_assert(array_view_equal(&live, &rebuilt), "seed %d", (int)seed);
        cr_assert_gt(erased, 10);
        uint64_t parked = counter_read(&live.view, COUNTER_PARKED, BYTES_NONE);
        uint64_t merged = counter_read(&live.view, COUNTER_MERGED, BYTES_NONE);
        cr_assert(parked > 10 && merged > 10, "the history met nothing interesting");
        for (size_t i = 0; i < HISTORY_SIZE; i++)
            sample_close(&history[i]);
        array_view_close(&live);
        array_view_close(&rebuilt);
    }
}

static void count_rows(void *context, struct bytes rest, uint64_t counted)
{
    cr_assert_gt(counted, 0);
    (void)rest;
    *(uint64_t *)context += counted;
}

Test(fold, counters_agree_with_what_can_be_counted_by_hand)
{
    uint64_t random = 99;
    for (size_t i = 0; i < HISTORY_SIZE; i++) {
        struct sample sample = random_record(&random, i);
        sample_fold(&array, &sample, false);
        sample_close(&sample);
    }
    uint64_t kinds = 0;
    uint64_t days = 0;
    counters_list(&array.view, COUNTER_KIND, count_rows, &kinds);
    counters_list(&array.view, COUNTER_DAY, count_rows, &days);
    static struct request_entry entries[HISTORY_SIZE];
    static struct parked parked[HISTORY_SIZE];
    size_t recent = 0;
    size_t parked_count = 0;
    cr_assert_eq(request_list_recent(&array.view, NULL, entries, HISTORY_SIZE, &recent), OK);
    cr_assert_eq(parked_list(&array.view, NULL, parked, HISTORY_SIZE, &parked_count), OK);
    cr_assert_eq(count(COUNTER_REQUESTS), recent);
    cr_assert_eq(kinds, recent);
    cr_assert_eq(days, recent);
    cr_assert_eq(count(COUNTER_PARKED), parked_count);
    size_t page = 0;
    size_t paged = 0;
    do {
        const struct parked *after = paged > 0 ? &parked[paged - 1] : NULL;
        cr_assert_eq(parked_list(&array.view, after, &parked[paged], 7, &page), OK);
        paged += page;
    } while (page > 0);
    cr_assert_eq(paged, parked_count);
}

/* ---- a failing view -------------------------------------------------------------------------- */

Test(fold, every_failing_call_of_the_view_is_the_fold_s_error)
{
    struct request_facts facts = sample_facts(CODE_A, "key-1");
    struct request_person person = sample_person(ID_A, PHONE);
    struct sample sample = sample_request(1, 1, &facts, &person);
    struct fold_context context = SAMPLE_CONTEXT;
    for (long calls = 0;; calls++) {
        struct array_view failing;
        array_view_init(&failing);
        failing.calls_until_failure = calls;
        enum err err =
            fold_record(&context, &failing.view, &sample.header, buffer_bytes(&sample.facts),
                        buffer_bytes(&sample.person), false);
        enum err kept = failing.view.err;
        array_view_close(&failing);
        cr_assert_eq(err, kept);
        if (err == OK) {
            cr_assert_gt(calls, 10);
            break;
        }
        cr_assert_eq(err, ERR_IO);
    }
    sample_close(&sample);
}
