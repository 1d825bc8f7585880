#include "node/casework/find.h"
#include "node/casework/register.h"
#include "sample_records.h"

#include <criterion/criterion.h>
#include <string.h>

static struct array_view array;
static struct request_facts facts;
static struct request_person person;
static struct register_decision decision;
static struct buffer facts_part;
static struct buffer person_part;
static uint8_t entropy[REGISTER_ENTROPY_SIZE];
static uint64_t next_position;

static void init(void)
{
    array_view_init(&array);
    facts = sample_facts("", "key-1");
    person = sample_person("0076229645", "+989141234567");
    memset(entropy, 3, sizeof entropy);
}

static void fini(void)
{
    array_view_close(&array);
    buffer_close(&facts_part);
    buffer_close(&person_part);
}

TestSuite(register_decide, .init = init, .fini = fini);
TestSuite(request_find, .init = init, .fini = fini);

static enum err decide(void)
{
    struct register_setting setting = { .lookup_key = &SAMPLE_CONTEXT.lookup_key,
                                        .province_number = 24 };
    buffer_clear(&facts_part);
    buffer_clear(&person_part);
    return register_decide(&array.view, &setting, &facts, &person, entropy, &decision, &facts_part,
                           &person_part);
}

/* What the writer does with a new request. */
static void record(void)
{
    struct fold_context context = SAMPLE_CONTEXT;
    struct record_header header = { .kind = RECORD_REQUEST,
                                    .log = sample_log(1),
                                    .position = next_position++,
                                    .time_ms = 1745642700000,
                                    .has_case = true,
                                    .has_person = true };
    memcpy(header.case_id, decision.case_id, CASE_ID_SIZE);
    cr_assert_eq(fold_record(&context, &array.view, &header, buffer_bytes(&facts_part),
                             buffer_bytes(&person_part), false),
                 OK);
}

static void erase(uint64_t position)
{
    struct log_id log = sample_log(1);
    struct sample sample = sample_erase(1, next_position++, &log, position);
    sample_fold(&array, &sample, false);
    sample_close(&sample);
}

static struct register_decision register_one(const char *key)
{
    facts.idempotency_key = bytes_of_string(key);
    entropy[CASE_ID_SIZE + TRACKING_CODE_ENTROPY_SIZE - 1]++;
    cr_assert_eq(decide(), OK);
    cr_assert(decision.is_new);
    record();
    return decision;
}

Test(register_decide, a_new_request_gets_a_code_of_its_province_and_the_parts_of_a_record)
{
    struct request_facts recorded;
    struct request_person recorded_person;
    char code[TRACKING_CODE_DIGITS + 1];
    cr_assert_eq(decide(), OK);
    cr_assert(decision.is_new);
    cr_assert_eq(tracking_code_parse(code, bytes_of_string(decision.id.code)), TRACKING_CODE_VALID);
    cr_assert_eq(tracking_code_province(code), 24);
    cr_assert_arr_eq(decision.case_id, entropy, CASE_ID_SIZE);
    cr_assert_eq(request_facts_decode(&recorded, buffer_bytes(&facts_part)), OK);
    cr_assert(bytes_equal(recorded.code, bytes_of_string(code)));
    cr_assert(bytes_equal(recorded.subject, facts.subject));
    cr_assert_eq(request_person_decode(&recorded_person, buffer_bytes(&person_part)), OK);
    cr_assert(bytes_equal(recorded_person.phone, person.phone));
    cr_assert_eq(array.count, 0, "deciding changes nothing");
}

/* I4 */
Test(register_decide, the_same_request_again_gets_the_same_code_and_case)
{
    struct register_decision first = register_one("key-1");
    memset(entropy, 9, sizeof entropy);
    facts.occurred_at_ms += 60000; /* the client left the time out; it is another one now */
    cr_assert_eq(decide(), OK);
    cr_assert_not(decision.is_new);
    cr_assert(request_id_equal(&decision.id, &first.id));
    cr_assert_arr_eq(decision.case_id, first.case_id, CASE_ID_SIZE);
    cr_assert_eq(facts_part.size + person_part.size, 0);
}

Test(register_decide, a_view_can_be_asked_for_a_key_without_deciding_anything)
{
    struct register_setting setting = { .lookup_key = &SAMPLE_CONTEXT.lookup_key };
    struct register_decision found, first;
    cr_assert_eq(register_find(&array.view, &setting, &facts, &person, &found), ERR_NOT_FOUND);
    first = register_one("key-1");
    cr_assert_eq(register_find(&array.view, &setting, &facts, &person, &found), OK);
    cr_assert(request_id_equal(&found.id, &first.id));
    cr_assert_not(found.is_new);
    person.text = bytes_of_string("other");
    cr_assert_eq(register_find(&array.view, &setting, &facts, &person, &found), ERR_CONFLICT);
}

Test(register_decide, other_content_under_one_key_is_a_conflict_whatever_differs)
{
    struct request_facts good_facts;
    struct request_person good_person;
    struct register_decision first = register_one("key-1");
    good_facts = facts;
    good_person = person;
    struct bytes *const fields[] = { &facts.subject,      &facts.place,  &person.name,
                                     &person.national_id, &person.phone, &person.text,
                                     &person.address };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        *fields[i] = bytes_of_string("other");
        cr_assert_eq(decide(), ERR_CONFLICT, "field %zu", i);
        cr_assert(request_id_equal(&decision.id, &first.id));
        facts = good_facts;
        person = good_person;
    }
    facts.kind++;
    cr_assert_eq(decide(), ERR_CONFLICT);
    facts = good_facts;
    facts.channel++;
    cr_assert_eq(decide(), ERR_CONFLICT);
    facts = good_facts;
    cr_assert_eq(decide(), OK);
}

Test(register_decide, text_that_moves_from_one_field_to_the_next_is_other_content)
{
    person.name = bytes_of_string("ab");
    person.text = bytes_of_string("c");
    register_one("key-1");
    person.name = bytes_of_string("a");
    person.text = bytes_of_string("bc");
    cr_assert_eq(decide(), ERR_CONFLICT);
}

Test(register_decide, a_request_whose_person_was_erased_is_the_same_whatever_is_said)
{
    struct register_decision first = register_one("key-1");
    erase(0);
    person.text = bytes_of_string("other");
    cr_assert_eq(decide(), OK);
    cr_assert_not(decision.is_new);
    cr_assert(request_id_equal(&decision.id, &first.id));
}

Test(register_decide, one_key_of_another_client_is_another_request)
{
    register_one("key-1");
    facts.client = bytes_of_string("desk-2");
    cr_assert_eq(decide(), OK);
    cr_assert(decision.is_new);
    /* "desk-1" + "key-1" is not "desk-1k" + "ey-1". */
    facts.client = bytes_of_string("desk-1k");
    facts.idempotency_key = bytes_of_string("ey-1");
    cr_assert_eq(decide(), OK);
    cr_assert(decision.is_new);
}

Test(register_decide, a_known_code_is_drawn_again_and_after_four_it_asks_for_entropy)
{
    struct register_decision first = register_one("key-1");
    facts.idempotency_key = bytes_of_string("key-2");
    put_u64(entropy + CASE_ID_SIZE + TRACKING_CODE_ENTROPY_SIZE, 42);
    cr_assert_eq(decide(), OK);
    cr_assert_not(request_id_equal(&decision.id, &first.id));
    cr_assert_eq(strncmp(decision.id.code, "240000000042", 12), 0);
    for (size_t draw = 1; draw < REGISTER_DRAWS; draw++)
        memcpy(entropy + CASE_ID_SIZE + draw * TRACKING_CODE_ENTROPY_SIZE, entropy + CASE_ID_SIZE,
               TRACKING_CODE_ENTROPY_SIZE);
    cr_assert_eq(decide(), ERR_BUSY);
}

Test(register_decide, a_key_or_field_outside_the_limits_is_invalid)
{
    static const char LONG[] =
        "0123456789012345678901234567890123456789012345678901234567890123456";
    facts.idempotency_key = bytes_of_string(LONG);
    cr_assert_eq(decide(), ERR_INVALID);
    facts.idempotency_key = BYTES_NONE;
    cr_assert_eq(decide(), ERR_INVALID);
    facts.idempotency_key = bytes_of_string("key-1");
    facts.client = bytes_of_string(LONG);
    cr_assert_eq(decide(), ERR_INVALID);
    facts.client = bytes_of_string("desk-1");
    person.name = BYTES_NONE;
    cr_assert_eq(decide(), ERR_INVALID);
}

Test(register_decide, a_failing_view_is_its_error)
{
    array.calls_until_failure = 0;
    cr_assert_eq(decide(), ERR_IO);
}

/* ---- finding --------------------------------------------------------------------------------- */

static enum err find(const char *code, const char *factor)
{
    struct request_entry entry;
    enum err err = request_find(&array.view, &SAMPLE_CONTEXT.lookup_key, bytes_of_string(code),
                                bytes_of_string(factor), "045", &entry);
    cr_assert(err != OK || strncmp(entry.id.code, decision.id.code, 14) == 0);
    return err;
}

/* D15 */
Test(request_find, a_code_answers_with_the_phone_in_any_writing)
{
    register_one("key-1");
    char grouped[TRACKING_CODE_TEXT_SIZE + 1];
    tracking_code_format(grouped, decision.id.code);
    cr_assert_eq(find(decision.id.code, "+989141234567"), OK);
    cr_assert_eq(find(grouped, "۰۹۱۴ ۱۲۳ ۴۵۶۷"), OK);
    cr_assert_eq(find(grouped, "09141234568"), ERR_NOT_FOUND);
    cr_assert_eq(find(grouped, "9645"), ERR_NOT_FOUND, "there is a phone: the ID does not do");
}

Test(request_find, a_code_without_a_phone_answers_with_the_last_four_digits_of_the_id)
{
    person.phone = BYTES_NONE;
    register_one("key-1");
    cr_assert_eq(find(decision.id.code, "۹۶۴۵"), OK);
    cr_assert_eq(find(decision.id.code, "9646"), ERR_NOT_FOUND);
    cr_assert_eq(find(decision.id.code, "09141234567"), ERR_NOT_FOUND);
}

Test(request_find, faults_of_code_and_factor_are_told_apart_from_not_found)
{
    register_one("key-1");
    char wrong[TRACKING_CODE_DIGITS + 1];
    memcpy(wrong, decision.id.code, sizeof wrong);
    wrong[5] = wrong[5] == '9' ? '0' : (char)(wrong[5] + 1);
    cr_assert_eq(find(wrong, "09141234567"), ERR_MALFORMED);
    cr_assert_eq(find("", "09141234567"), ERR_MALFORMED);
    cr_assert_eq(find(decision.id.code, "12345"), ERR_INVALID);
    cr_assert_eq(find(decision.id.code, ""), ERR_INVALID);
    cr_assert_eq(find("00000000000098", "09141234567"), ERR_NOT_FOUND);
}

Test(request_find, an_erased_request_is_not_found)
{
    register_one("key-1");
    erase(0);
    cr_assert_eq(find(decision.id.code, "09141234567"), ERR_NOT_FOUND);
    cr_assert_eq(find(decision.id.code, "9645"), ERR_NOT_FOUND);
}

Test(request_find, two_requests_under_one_code_are_told_apart_by_the_second_factor)
{
    register_one("key-1");
    struct request_facts other_facts = sample_facts(decision.id.code, "key-2");
    struct request_person other_person = sample_person("1583250689", "+989351234567");
    struct sample other = sample_request(2, 1, &other_facts, &other_person);
    sample_fold(&array, &other, false);
    struct request_entry entry;
    struct bytes code = bytes_of_string(decision.id.code);
    cr_assert_eq(request_find(&array.view, &SAMPLE_CONTEXT.lookup_key, code,
                              bytes_of_string("09141234567"), "045", &entry),
                 OK);
    cr_assert_eq(entry.id.slot, 0);
    cr_assert_eq(request_find(&array.view, &SAMPLE_CONTEXT.lookup_key, code,
                              bytes_of_string("09351234567"), "045", &entry),
                 OK);
    cr_assert_eq(entry.id.slot, 1);
    sample_close(&other);
}

Test(request_find, another_lookup_key_finds_nobody)
{
    struct lookup_key other = { { 1 } };
    struct request_entry entry;
    register_one("key-1");
    cr_assert_eq(request_find(&array.view, &other, bytes_of_string(decision.id.code),
                              bytes_of_string("09141234567"), "045", &entry),
                 ERR_NOT_FOUND);
}
