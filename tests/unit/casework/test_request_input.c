#include "node/casework/request_input.h"

#include "node/casework/request_words.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* One form, and what came of it. */
static struct request_input input;
static struct request_facts facts;
static struct request_person person;
static struct request_faults faults;
static struct buffer strings;

static void fill(void)
{
    input = (struct request_input){
        .kind = bytes_of_string("request"),
        .channel = bytes_of_string("phone"),
        .subject = bytes_of_string("water.outage"),
        .text = bytes_of_string(" سه روز است آب روستا قطع است.\r\nلطفاً رسیدگی شود. "),
        .name = bytes_of_string(" علي  كريمي "),
        .national_id = bytes_of_string("۷۶۲۲۹۶۴۵"),
        .phone = bytes_of_string("۳۳۲۴۱۲۳۴"),
        .place = bytes_of_string("نیر، روستای گلستان"),
        .occurred_at = bytes_of_string("2025-04-26T08:14:09+03:30"),
        .address = bytes_of_string("جنب مسجد"),
    };
}

static void release(void)
{
    buffer_close(&strings);
}

static enum err check(void)
{
    struct request_setting setting = { .province = province_by_node(bytes_of_string("ardabil")),
                                       .now_ms = 1700000000000 };
    return request_input_check(&input, &setting, &strings, &facts, &person, &faults);
}

static void expect(struct bytes range, const char *expected)
{
    cr_assert(bytes_equal(range, bytes_of_string(expected)), "%.*s is not %s", (int)range.size,
              (const char *)range.data, expected);
}

static void expect_fault(enum request_field field, const char *code)
{
    cr_assert_eq(check(), ERR_REFUSED, "%s", code);
    cr_assert_eq(faults.count, 1, "%s: %zu faults", code, faults.count);
    cr_assert_eq(faults.items[0].field, field);
    cr_assert_str_eq(faults.items[0].code, code);
    size_t name_size = strlen(request_field_name(field));
    cr_assert_eq(strncmp(code, request_field_name(field), name_size), 0);
    cr_assert_eq(code[name_size], '.');
    cr_assert_gt(strlen(faults.items[0].message), 10);
    cr_assert_gt(strlen(faults.items[0].message_fa), 10);
    fill();
}

TestSuite(request_input, .init = fill, .fini = release);

Test(request_input, a_good_form_is_normalised)
{
    cr_assert_eq(check(), OK);
    cr_assert_eq(facts.kind, REQUEST_REQUEST);
    cr_assert_eq(facts.channel, CHANNEL_PHONE);
    cr_assert_eq(facts.occurred_at_ms, INT64_C(1745642649000));
    expect(facts.subject, "water.outage");
    expect(facts.place, "IR-24/نیر، روستای گلستان");
    expect(person.name, "علي كريمي"); /* the letters as typed, the spaces put right */
    expect(person.national_id, "0076229645");
    expect(person.phone, "+984533241234");
    expect(person.text, "سه روز است آب روستا قطع است.\nلطفاً رسیدگی شود.");
    expect(person.address, "جنب مسجد");
    cr_assert_eq(facts.code.size + facts.client.size + facts.idempotency_key.size, 0);
}

Test(request_input, what_may_be_left_out_may_be_left_out)
{
    input.phone = input.place = input.occurred_at = input.address = BYTES_NONE;
    cr_assert_eq(check(), OK);
    cr_assert_eq(facts.occurred_at_ms, 1700000000000);
    expect(facts.place, "IR-24");
    cr_assert_eq(person.phone.size, 0);
    fill();
    input.national_id = BYTES_NONE;
    cr_assert_eq(check(), OK);
    cr_assert_eq(person.national_id.size, 0);
}

Test(request_input, an_empty_form_names_every_required_field_at_once)
{
    input = (struct request_input){ 0 };
    cr_assert_eq(check(), ERR_REFUSED);
    bool named[REQUEST_FIELD_COUNT] = { false };
    for (size_t i = 0; i < faults.count; i++)
        named[faults.items[i].field] = true;
    cr_assert_eq(faults.count, 6);
    cr_assert(named[FIELD_KIND] && named[FIELD_CHANNEL] && named[FIELD_SUBJECT] &&
              named[FIELD_TEXT] && named[FIELD_NAME] && named[FIELD_PHONE]);
}

/* Of the fault of `field`. */
static const char *message_of(enum request_field field)
{
    for (size_t i = 0; i < faults.count; i++)
        if (faults.items[i].field == field)
            return faults.items[i].message;
    return "";
}

static void expect_words_named(void)
{
    cr_assert_eq(check(), ERR_REFUSED);
    for (size_t i = 0; i < REQUEST_KIND_COUNT; i++)
        cr_expect(strstr(message_of(FIELD_KIND), REQUEST_KINDS[i].word), "%s",
                  REQUEST_KINDS[i].word);
    for (size_t i = 0; i < REQUEST_CHANNEL_COUNT; i++)
        cr_expect(strstr(message_of(FIELD_CHANNEL), REQUEST_CHANNELS[i].word), "%s",
                  REQUEST_CHANNELS[i].word);
}

Test(request_input, a_missing_or_unknown_kind_or_channel_is_told_the_words_there_are)
{
    input.kind = input.channel = BYTES_NONE;
    expect_words_named();
    input.kind = input.channel = bytes_of_string("pigeon");
    expect_words_named();
}

Test(request_input, a_form_of_garbage_names_every_field_at_once)
{
    struct bytes garbage = bytes_of_string("IR-99\xFF");
    input = (struct request_input){ garbage, garbage, garbage, garbage, garbage,
                                    garbage, garbage, garbage, garbage, garbage };
    cr_assert_eq(check(), ERR_REFUSED);
    cr_assert_eq(faults.count, REQUEST_FIELD_COUNT);
}

Test(request_input, each_wrong_field_is_named_with_its_own_code)
{
    input.kind = bytes_of_string("wish");
    expect_fault(FIELD_KIND, "kind.unknown");
    input.channel = bytes_of_string("pigeon");
    expect_fault(FIELD_CHANNEL, "channel.unknown");
    input.subject = bytes_of_string("water");
    expect_fault(FIELD_SUBJECT, "subject.unknown");
    input.text = bytes_of_string(" \n\t ");
    expect_fault(FIELD_TEXT, "text.missing");
    input.text = bytes_of_string("\xC3");
    expect_fault(FIELD_TEXT, "text.not_utf8");
    input.name = bytes_of_string("\xC3");
    expect_fault(FIELD_NAME, "name.not_utf8");
    input.national_id = bytes_of_string("0076229644");
    expect_fault(FIELD_NATIONAL_ID, "national_id.wrong_check");
    input.national_id = bytes_of_string("1111111111");
    expect_fault(FIELD_NATIONAL_ID, "national_id.all_same");
    input.national_id = bytes_of_string("12345");
    expect_fault(FIELD_NATIONAL_ID, "national_id.wrong_length");
    input.national_id = bytes_of_string("A076229645");
    expect_fault(FIELD_NATIONAL_ID, "national_id.not_a_number");
    input.phone = bytes_of_string("0914");
    expect_fault(FIELD_PHONE, "phone.too_short");
    input.phone = bytes_of_string("+14155552671");
    expect_fault(FIELD_PHONE, "phone.foreign");
    input.place = bytes_of_string("IR-31/x");
    expect_fault(FIELD_PLACE, "place.unknown_province");
    input.place = bytes_of_string("\xC3");
    expect_fault(FIELD_PLACE, "place.not_utf8");
    input.occurred_at = bytes_of_string("2025-04-26");
    expect_fault(FIELD_OCCURRED_AT, "occurred_at.malformed");
    input.occurred_at = bytes_of_string("2025-02-30T00:00:00Z");
    expect_fault(FIELD_OCCURRED_AT, "occurred_at.out_of_range");
    input.occurred_at = bytes_of_string("1969-12-31T00:00:00Z");
    expect_fault(FIELD_OCCURRED_AT, "occurred_at.out_of_range");
    input.address = bytes_of_string("\xC3");
    expect_fault(FIELD_ADDRESS, "address.not_utf8");
}

Test(request_input, a_place_of_another_province_stands_as_typed)
{
    input.place = bytes_of_string("IR-22/میناب");
    cr_assert_eq(check(), OK);
    expect(facts.place, "IR-22/میناب");
    input.place = bytes_of_string("IR-22");
    cr_assert_eq(check(), OK);
    expect(facts.place, "IR-22");
    input.place = bytes_of_string("  \t ");
    cr_assert_eq(check(), OK);
    expect(facts.place, "IR-24");
    input.place = bytes_of_string("IR-2"); /* not a code: below the node's own */
    expect_fault(FIELD_PLACE, "place.unknown_province");
}

/* `count` times the letter ب, two bytes each. */
static struct bytes letters(size_t count)
{
    static char text[64 * 1024];
    for (size_t i = 0; i < count; i++)
        memcpy(text + 2 * i, "ب", 2);
    return bytes_of(text, 2 * count);
}

Test(request_input, limits_are_counted_in_characters)
{
    input.text = letters(REQUEST_TEXT_LENGTH_MAX);
    cr_assert_eq(check(), OK);
    cr_assert_eq(person.text.size, 2 * REQUEST_TEXT_LENGTH_MAX);
    input.text = letters(REQUEST_TEXT_LENGTH_MAX + 1);
    expect_fault(FIELD_TEXT, "text.too_long");
    input.name = letters(REQUEST_NAME_LENGTH_MAX);
    cr_assert_eq(check(), OK);
    input.name = letters(REQUEST_NAME_LENGTH_MAX + 1);
    expect_fault(FIELD_NAME, "name.too_long");
    input.place = letters(REQUEST_PLACE_LENGTH_MAX);
    cr_assert_eq(check(), OK);
    input.place = letters(REQUEST_PLACE_LENGTH_MAX + 1);
    expect_fault(FIELD_PLACE, "place.too_long");
    input.address = letters(REQUEST_ADDRESS_LENGTH_MAX);
    cr_assert_eq(check(), OK);
    input.address = letters(REQUEST_ADDRESS_LENGTH_MAX + 1);
    expect_fault(FIELD_ADDRESS, "address.too_long");
}

Test(request_input, what_is_accepted_at_its_largest_is_encoded_as_a_record)
{
    struct buffer part = { 0 };
    input.text = letters(REQUEST_TEXT_LENGTH_MAX);
    input.name = letters(REQUEST_NAME_LENGTH_MAX);
    input.place = letters(REQUEST_PLACE_LENGTH_MAX);
    input.address = letters(REQUEST_ADDRESS_LENGTH_MAX);
    cr_assert_eq(check(), OK);
    facts.code = bytes_of_string("24123456789012");
    facts.client = facts.idempotency_key = bytes_of_string("desk-1");
    cr_assert_eq(request_facts_encode(&part, &facts), OK);
    cr_assert_eq(request_person_encode(&part, &person), OK);
    buffer_close(&part);
}

Test(request_input, the_ranges_stay_where_they_are_for_texts_of_any_size)
{
    uint32_t state = 1;
    for (int round = 0; round < 200; round++) {
        state = state * 1664525 + 1013904223;
        input.text = letters(1 + state % 3000);
        input.name = letters(1 + state % 90);
        cr_assert_eq(check(), OK);
        cr_assert(bytes_equal(person.text, input.text));
        cr_assert(bytes_equal(person.name, input.name));
        expect(person.national_id, "0076229645");
        expect(person.phone, "+984533241234");
    }
}
