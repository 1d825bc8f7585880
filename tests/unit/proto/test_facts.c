#include "proto/record/facts.h"

#include "tests/unit/proto/forms.h"

#include <string.h>

#define LOG "93 a76172646162696c a3687562 c410000102030405060708090a0b0c0d0e0f"
#define LOG2 "93 a76172646162696c a3687562 c410101112131415161718191a1b1c1d1e1f"
#define TIME "cf0000019b76daa800"
#define ROOT "c420 404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
#define TIME_MS INT64_C(1767225600000)
#define PART_SIZE_MAX (RECORD_PART_SIZE_MAX - SALT_SIZE)

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct log_id log_named(const char *node, uint8_t first)
{
    struct log_id log;
    uint8_t incarnation[INCARNATION_SIZE];
    for (uint8_t i = 0; i < INCARNATION_SIZE; i++)
        incarnation[i] = (uint8_t)(first + i);
    cr_assert(log_id_init(&log, bytes_of_string(node), bytes_of_string("hub"), incarnation) == OK);
    return log;
}

static struct bytes text(const char *string)
{
    return bytes_of_string(string);
}

/* Every kind's decoder in one form, and its encoder behind it: what is taken must be written again
 * in the same bytes (unless it had keys that this program does not know). */
typedef enum err codec(struct bytes part, struct buffer *again);

static enum err incarnation_codec(struct bytes part, struct buffer *again)
{
    static struct log_head parents[INCARNATION_PARENT_MAX];
    struct incarnation_facts facts = { .parents = parents };
    enum err err = incarnation_facts_decode(&facts, part);
    return err == OK ? incarnation_facts_encode(again, &facts) : err;
}

static enum err request_codec(struct bytes part, struct buffer *again)
{
    struct request_facts facts;
    enum err err = request_facts_decode(&facts, part);
    return err == OK ? request_facts_encode(again, &facts) : err;
}

static enum err person_codec(struct bytes part, struct buffer *again)
{
    struct request_person person;
    enum err err = request_person_decode(&person, part);
    return err == OK ? request_person_encode(again, &person) : err;
}

static enum err erase_codec(struct bytes part, struct buffer *again)
{
    struct erase_facts facts;
    enum err err = erase_facts_decode(&facts, part);
    return err == OK ? erase_facts_encode(again, &facts) : err;
}

static enum err directory_codec(struct bytes part, struct buffer *again)
{
    struct directory_facts facts;
    enum err err = directory_facts_decode(&facts, part);
    return err == OK ? directory_facts_encode(again, &facts) : err;
}

#define STRICT(kind)                                      \
    static enum err kind##_decode(struct bytes part)      \
    {                                                     \
        struct buffer again = { 0 };                      \
        enum err err = kind##_codec(part, &again);        \
        buffer_close(&again);                             \
        return err;                                       \
    }
STRICT(incarnation)
STRICT(request)
STRICT(person)
STRICT(erase)
STRICT(directory)

/* A kind's frozen example: `fields` are keys with their values. */
struct form {
    const char *head;
    const char *const *fields;
    size_t count;
    codec *codec;
};

struct row {
    size_t field;
    const char *by;
    enum err err;
};

static void assert_rows(const struct form *form, const struct row *rows, size_t count)
{
    struct buffer part = { 0 }, again = { 0 };
    for (size_t i = 0; i < count; i++) {
        buffer_clear(&part);
        buffer_clear(&again);
        append_form(&part, form->head, form->fields, form->count, rows[i].field, rows[i].by);
        cr_expect(form->codec(buffer_bytes(&part), &again) == rows[i].err, "row %zu: %s", i,
                  rows[i].by);
        if (rows[i].err == OK)
            cr_expect(bytes_equal(buffer_bytes(&part), buffer_bytes(&again)), "row %zu", i);
    }
    buffer_close(&part);
    buffer_close(&again);
}

/* Without any one of its fields the example is refused, or taken when the field may be empty. */
static void assert_required(const struct form *form, const char *smaller_head, unsigned optional)
{
    struct buffer part = { 0 }, again = { 0 };
    for (size_t i = 0; i < form->count; i++) {
        buffer_clear(&part);
        buffer_clear(&again);
        append_form(&part, smaller_head, form->fields, form->count, i, "");
        enum err expected = optional & 1U << i ? OK : ERR_MALFORMED;
        cr_expect(form->codec(buffer_bytes(&part), &again) == expected, "without field %zu", i);
    }
    buffer_close(&part);
    buffer_close(&again);
}

/* Keys that this program does not know may stand in front, at the end, and hold anything. */
static void assert_unknown_keys_are_passed_over(const struct form *form, const char *larger_head)
{
    struct buffer part = { 0 }, again = { 0 }, plain = { 0 };
    append_hex(&part, larger_head);
    append_hex(&part, "00 c3");
    append_form(&part, "", form->fields, form->count, form->count, NULL);
    append_hex(&part, "ccc8 82 00 90 01 a161");
    append_form(&plain, form->head, form->fields, form->count, form->count, NULL);
    cr_expect(form->codec(buffer_bytes(&part), &again) == OK);
    cr_expect(bytes_equal(buffer_bytes(&plain), buffer_bytes(&again)));
    buffer_close(&part);
    buffer_close(&again);
    buffer_close(&plain);
}

static void assert_frozen(const struct form *form, struct bytes encoded,
                          enum err (*decode)(struct bytes part))
{
    struct buffer frozen = { 0 };
    append_form(&frozen, form->head, form->fields, form->count, form->count, NULL);
    cr_assert(bytes_equal(buffer_bytes(&frozen), encoded), "the format has changed");
    assert_strict(encoded, decode);
    buffer_close(&frozen);
}

static const struct row NOT_A_MAP[] = { { 0, "", ERR_MALFORMED } };

/* ---- request facts --------------------------------------------------------------------------- */

static const char *const REQUEST_FIELD[] = {
    "01 cf0000019b76d9bda0", "02 ae3234303132333435363738393132", "03 04", "04 01",
    "05 ac77617465722e6f7574616765", "06 ad49522d32342f6172646162696c", "07 a7636f6e736f6c65",
    "08 a9376333652d30303031",
};
static const struct form REQUEST = { "88", REQUEST_FIELD, COUNT(REQUEST_FIELD), request_codec };

static struct request_facts request_example(void)
{
    return (struct request_facts){ TIME_MS - 60000, text("24012345678912"), REQUEST_PROBLEM,
                                   CHANNEL_PHONE, text("water.outage"), text("IR-24/ardabil"),
                                   text("console"), text("7c3e-0001") };
}

Test(request_facts, their_bytes_are_frozen_and_strict)
{
    struct request_facts facts = request_example();
    struct buffer out = { 0 };
    cr_assert(request_facts_encode(&out, &facts) == OK);
    assert_frozen(&REQUEST, buffer_bytes(&out), request_decode);
    buffer_close(&out);
}

Test(request_facts, every_field_comes_back_and_points_into_the_part)
{
    struct request_facts in = request_example(), facts;
    struct buffer out = { 0 };
    cr_assert(request_facts_encode(&out, &in) == OK);
    cr_assert(request_facts_decode(&facts, buffer_bytes(&out)) == OK);
    cr_assert(facts.occurred_at_ms == in.occurred_at_ms);
    cr_assert(facts.kind == in.kind && facts.channel == in.channel);
    cr_assert(bytes_equal(facts.code, in.code) && bytes_equal(facts.subject, in.subject));
    cr_assert(bytes_equal(facts.place, in.place) && bytes_equal(facts.client, in.client));
    cr_assert(bytes_equal(facts.idempotency_key, in.idempotency_key));
    cr_assert(facts.code.data > out.data && facts.code.data < out.data + out.size);
    buffer_close(&out);
}

Test(request_facts, every_limit_is_held_on_both_sides)
{
    static const struct row rows[] = {
        { 0, "01 00", OK }, { 0, "01 cf0020000000000000", OK },
        { 0, "01 cf0020000000000001", ERR_MALFORMED }, { 0, "01 ff", ERR_MALFORMED },
        { 1, "02 ad32343031323334353637383931", ERR_MALFORMED }, /* thirteen */
        { 1, "02 af323430313233343536373839313233", ERR_MALFORMED }, /* fifteen */
        { 1, "02 ae3234303132333435363738393161", ERR_MALFORMED }, /* a letter */
        { 1, "02 ae323430313233343536373839312f", ERR_MALFORMED },
        { 2, "03 00", ERR_MALFORMED }, { 2, "03 01", OK }, { 2, "03 09", OK },
        { 2, "03 0a", ERR_MALFORMED }, { 3, "04 00", ERR_MALFORMED }, { 3, "04 07", OK },
        { 3, "04 08", ERR_MALFORMED }, { 3, "04 cf0000000100000001", ERR_MALFORMED },
        { 4, "05 a161", OK }, { 4, "05 a0", ERR_MALFORMED }, { 4, "05 d940" A64, OK },
        { 4, "05 d941" A64 A1, ERR_MALFORMED }, { 4, "05 a2d8a2", OK },
        { 4, "05 c40161", ERR_MALFORMED }, { 4, "05 a2c080", ERR_MALFORMED },
        { 5, "06 a0", ERR_MALFORMED }, /* an empty place is left out */
        { 5, "06 d980" A128, OK }, { 5, "06 d981" A128 A1, ERR_MALFORMED },
        { 6, "07 a161", OK }, { 6, "07 a0", ERR_MALFORMED }, { 6, "07 d940" A64, OK },
        { 6, "07 d941" A64 A1, ERR_MALFORMED },
        { 7, "08 a161", OK }, { 7, "08 a0", ERR_MALFORMED }, { 7, "08 d940" A64, OK },
        { 7, "08 d941" A64 A1, ERR_MALFORMED }, { 7, "08 a2207e", OK },
        { 7, "08 a11f", ERR_MALFORMED }, { 7, "08 a17f", ERR_MALFORMED },
        { 7, "08 a2d8a2", ERR_MALFORMED },
        { 1, "01 ae3234303132333435363738393132", ERR_MALFORMED }, /* a key twice */
        { 1, "09 c0", ERR_MALFORMED }, /* keys not ascending */
    };
    assert_rows(&REQUEST, rows, COUNT(rows));
    assert_rows(&(struct form){ "98", REQUEST_FIELD, 8, request_codec }, NOT_A_MAP, 1);
}

Test(request_facts, only_the_place_may_be_missing_and_unknown_keys_are_passed_over)
{
    assert_required(&REQUEST, "87", 1U << 5);
    assert_unknown_keys_are_passed_over(&REQUEST, "8a");
}

/* ---- request person -------------------------------------------------------------------------- */

static const char *const PERSON_FIELD[] = {
    "01 b3d8b3d8a7d8b1d8a720d985d8add985d8afdb8c", "02 aa30303736323239363435",
    "03 ad2b393839313231323334353637", "04 bbd8a2d8a820d985d8add984d98720d982d8b7d8b920d8a7d8b3d8aa",
    "05 b8d8aedb8cd8a7d8a8d8a7d98620d8a7d985d8a7d98520dbb5",
};
static const struct form PERSON = { "85", PERSON_FIELD, COUNT(PERSON_FIELD), person_codec };

static struct request_person person_example(void)
{
    return (struct request_person){ text("سارا محمدی"), text("0076229645"), text("+989121234567"),
                                    text("آب محله قطع است"), text("خیابان امام ۵") };
}

Test(request_person, its_bytes_are_frozen_and_strict)
{
    struct request_person person = person_example();
    struct buffer out = { 0 };
    cr_assert(request_person_encode(&out, &person) == OK);
    assert_frozen(&PERSON, buffer_bytes(&out), person_decode);
    buffer_close(&out);
}

Test(request_person, every_limit_is_held_on_both_sides)
{
    static const struct row rows[] = {
        { 0, "01 a161", OK }, { 0, "01 a0", ERR_MALFORMED },
        { 0, "01 d9c8" A128 A64 A8, OK }, { 0, "01 d9c9" A128 A64 A8 A1, ERR_MALFORMED },
        { 1, "02 a0", ERR_MALFORMED }, { 1, "02 a9303736323239363435", ERR_MALFORMED },
        { 1, "02 ab3030303736323239363435", ERR_MALFORMED },
        { 1, "02 aa3030373632323936343a", ERR_MALFORMED },
        { 2, "03 a42b393831", OK }, { 2, "03 a32b3938", ERR_MALFORMED },
        { 2, "03 a43039383131", ERR_MALFORMED }, { 2, "03 a42b393731", ERR_MALFORMED },
        { 2, "03 b02b393831323334353637383930313233", OK },
        { 2, "03 b12b39383132333435363738393031323334", ERR_MALFORMED },
        { 2, "03 ad2b3938393132313233343536ff", ERR_MALFORMED },
        { 2, "03 ad2b393839313231323334353661", ERR_MALFORMED },
        { 3, "04 a161", OK }, { 3, "04 a0", ERR_MALFORMED }, { 4, "05 a0", ERR_MALFORMED },
        { 4, "05 a3eda080", ERR_MALFORMED },
    };
    assert_rows(&PERSON, rows, COUNT(rows));
}

/* Long texts are built: both sides of a limit, in both directions. */
static void assert_size_limit(struct bytes *field, struct request_person *person, size_t size_max)
{
    static uint8_t letters[32 * 1024];
    struct buffer out = { 0 };
    struct request_person decoded;
    memset(letters, 'a', sizeof letters);
    *field = bytes_of(letters, size_max + 1);
    cr_expect(request_person_encode(&out, person) == ERR_INVALID && out.size == 0);
    *field = bytes_of(letters, size_max);
    cr_expect(request_person_encode(&out, person) == OK);
    cr_expect(request_person_decode(&decoded, buffer_bytes(&out)) == OK);
    buffer_close(&out);
}

Test(request_person, the_long_texts_have_limits_in_bytes)
{
    struct request_person person = person_example();
    assert_size_limit(&person.text, &person, 20000);
    assert_size_limit(&person.address, &person, 1000);
    assert_size_limit(&person.name, &person, 200);
}

Test(request_person, name_and_text_are_needed_and_the_rest_may_be_missing)
{
    struct request_person person = { .name = text("سارا"), .text = text("آب") }, decoded;
    struct buffer out = { 0 };
    assert_required(&PERSON, "84", 1U << 1 | 1U << 2 | 1U << 4);
    assert_unknown_keys_are_passed_over(&PERSON, "87");
    cr_assert(request_person_encode(&out, &person) == OK);
    cr_assert(out.data[0] == 0x82, "what is empty is left out");
    cr_assert(request_person_decode(&decoded, buffer_bytes(&out)) == OK);
    cr_assert(decoded.phone.size == 0 && decoded.national_id.size == 0);
    buffer_close(&out);
}

/* ---- incarnation ----------------------------------------------------------------------------- */

static const char *const INCARNATION_FIELD[] = {
    ("01 92 93" LOG "cd0539" ROOT "93" LOG2 "00" ROOT), ("02" TIME), "03 05",
};
static const struct form INCARNATION = { "83", INCARNATION_FIELD, COUNT(INCARNATION_FIELD),
                                         incarnation_codec };

static void two_parents(struct log_head parents[2])
{
    for (uint8_t i = 0; i < HASH_SIZE; i++)
        parents[0].root.bytes[i] = parents[1].root.bytes[i] = (uint8_t)(0x40 + i);
    parents[0].log = log_named("ardabil", 0x00);
    parents[0].size = 1337;
    parents[1].log = log_named("ardabil", 0x10);
    parents[1].size = 0;
}

Test(incarnation_facts, their_bytes_are_frozen_and_strict)
{
    struct log_head parents[2];
    struct incarnation_facts facts = { TIME_MS, INCARNATION_HUBS_UNASKED | INCARNATION_MERGE, 2,
                                       parents };
    struct buffer out = { 0 };
    two_parents(parents);
    cr_assert(incarnation_facts_encode(&out, &facts) == OK);
    assert_frozen(&INCARNATION, buffer_bytes(&out), incarnation_decode);
    buffer_close(&out);
}

Test(incarnation_facts, parents_come_back_or_are_only_counted)
{
    struct log_head parents[2], decoded[2];
    struct incarnation_facts facts = { TIME_MS, 0, 2, parents };
    struct buffer out = { 0 };
    two_parents(parents);
    incarnation_facts_encode(&out, &facts);

    facts = (struct incarnation_facts){ .parents = decoded };
    cr_assert(incarnation_facts_decode(&facts, buffer_bytes(&out)) == OK);
    cr_assert(facts.parent_count == 2 && facts.occurred_at_ms == TIME_MS && facts.flags == 0);
    for (int i = 0; i < 2; i++) {
        cr_assert(log_id_equal(&decoded[i].log, &parents[i].log));
        cr_assert(hash_equal(&decoded[i].root, &parents[i].root));
        cr_assert(decoded[i].size == parents[i].size);
    }

    facts = (struct incarnation_facts){ .parents = NULL };
    cr_assert(incarnation_facts_decode(&facts, buffer_bytes(&out)) == OK);
    cr_assert(facts.parent_count == 2 && facts.parents == NULL);
    buffer_close(&out);
}

Test(incarnation_facts, every_limit_is_held_on_both_sides)
{
    static const struct row rows[] = {
        { 0, "01 90", OK }, { 0, "01 c0", ERR_MALFORMED },
        { 0, "01 91 93" LOG "cf7fffffffffffffff" ROOT, OK },
        { 0, "01 91 93" LOG "cf8000000000000000" ROOT, ERR_MALFORMED },
        { 0, "01 91 92" LOG "00", ERR_MALFORMED }, { 0, "01 91 94" LOG "00" ROOT "00", ERR_MALFORMED },
        { 0, "01 91 93 93a141a3687562c410" A16 "00" ROOT, ERR_MALFORMED },
        { 1, "02 00", OK }, { 1, "02 cf0020000000000001", ERR_MALFORMED },
        { 2, "03 ceffffffff", OK }, { 2, "03 cf0000000100000000", ERR_MALFORMED },
    };
    assert_rows(&INCARNATION, rows, COUNT(rows));
    assert_required(&INCARNATION, "82", 0);
    assert_unknown_keys_are_passed_over(&INCARNATION, "85");
}

/* What bounds the parents is the size of a part, long before INCARNATION_PARENT_MAX. */
Test(incarnation_facts, as_many_parents_are_taken_as_fit_a_part)
{
    static struct log_head parents[INCARNATION_PARENT_MAX + 1];
    struct incarnation_facts facts = { TIME_MS, 0, 0, parents };
    struct buffer out = { 0 };
    for (size_t i = 0; i <= INCARNATION_PARENT_MAX; i++)
        parents[i] = (struct log_head){ .log = log_named("ardabil", (uint8_t)i), .size = 1000 };
    for (size_t count = 1; count <= INCARNATION_PARENT_MAX; count++) {
        facts.parent_count = count;
        size_t before = out.size;
        enum err err = incarnation_facts_encode(&out, &facts);
        if (err != OK) {
            cr_assert(err == ERR_INVALID && out.size == before, "what was written is taken back");
            cr_assert(count > 800, "%zu", count);
            break;
        }
        cr_assert(out.size <= PART_SIZE_MAX);
        buffer_clear(&out);
        cr_assert(count < INCARNATION_PARENT_MAX);
        count += count < 700 ? 99 : 0;
    }
    facts.parent_count = INCARNATION_PARENT_MAX + 1;
    cr_assert(incarnation_facts_encode(&out, &facts) == ERR_INVALID);
    buffer_close(&out);
}

/* ---- erase ----------------------------------------------------------------------------------- */

static const char *const ERASE_FIELD[] = {
    ("01" TIME), ("02 92" LOG "2a"), "03 ab636f7572742d6f72646572",
};
static const struct form ERASE = { "83", ERASE_FIELD, COUNT(ERASE_FIELD), erase_codec };

Test(erase_facts, their_bytes_are_frozen_and_strict)
{
    struct erase_facts facts = { TIME_MS, log_named("ardabil", 0), 42, text("court-order") }, decoded;
    struct buffer out = { 0 };
    cr_assert(erase_facts_encode(&out, &facts) == OK);
    assert_frozen(&ERASE, buffer_bytes(&out), erase_decode);
    cr_assert(erase_facts_decode(&decoded, buffer_bytes(&out)) == OK);
    cr_assert(log_id_equal(&decoded.log, &facts.log) && decoded.position == 42);
    cr_assert(bytes_equal(decoded.reason, facts.reason) && decoded.occurred_at_ms == TIME_MS);
    buffer_close(&out);
}

Test(erase_facts, every_limit_is_held_on_both_sides)
{
    static const struct row rows[] = {
        { 0, "01 cf0020000000000001", ERR_MALFORMED }, { 1, "02 92" LOG "cf7fffffffffffffff", OK },
        { 1, "02 92" LOG "cf8000000000000000", ERR_MALFORMED }, { 1, "02 91" LOG, ERR_MALFORMED },
        { 1, "02 93" LOG "2a 2a", ERR_MALFORMED }, { 1, "02 c0", ERR_MALFORMED },
        { 2, "03 a161", OK }, { 2, "03 a0", ERR_MALFORMED }, { 2, "03 d9c8" A128 A64 A8, OK },
        { 2, "03 d9c9" A128 A64 A8 A1, ERR_MALFORMED },
    };
    assert_rows(&ERASE, rows, COUNT(rows));
    assert_required(&ERASE, "82", 0);
    assert_unknown_keys_are_passed_over(&ERASE, "85");
}

/* ---- directory ------------------------------------------------------------------------------- */

static const char *const DIRECTORY_FIELD[] = {
    ("01" TIME), "02 a76172646162696c", "03 a549522d3234", "04 acd8a7d8b1d8afd8a8db8cd984",
    "05 a74172646162696c", "06 a3303435", "07 01",
};
static const struct form DIRECTORY = { "87", DIRECTORY_FIELD, COUNT(DIRECTORY_FIELD),
                                       directory_codec };

Test(directory_facts, their_bytes_are_frozen_and_strict)
{
    struct directory_facts facts = { TIME_MS, text("ardabil"), text("IR-24"), text("اردبیل"),
                                     text("Ardabil"), text("045"), 1 };
    struct buffer out = { 0 };
    cr_assert(directory_facts_encode(&out, &facts) == OK);
    assert_frozen(&DIRECTORY, buffer_bytes(&out), directory_decode);
    buffer_close(&out);
}

Test(directory_facts, every_limit_is_held_on_both_sides)
{
    static const struct row rows[] = {
        { 0, "01 cf0020000000000001", ERR_MALFORMED }, { 1, "02 d920" A32, OK },
        { 1, "02 d921" A32 A1, ERR_MALFORMED }, { 1, "02 a141", ERR_MALFORMED },
        { 1, "02 a0", ERR_MALFORMED }, { 2, "03 a0", ERR_MALFORMED }, { 2, "03 b0" A16, OK },
        { 2, "03 b1" A16 A1, ERR_MALFORMED }, { 2, "03 a2d8a7", ERR_MALFORMED },
        { 3, "04 a0", ERR_MALFORMED }, { 3, "04 d9c8" A128 A64 A8, OK },
        { 3, "04 d9c9" A128 A64 A8 A1, ERR_MALFORMED }, { 4, "05 a0", ERR_MALFORMED },
        { 4, "05 d9c8" A128 A64 A8, OK }, { 4, "05 d9c9" A128 A64 A8 A1, ERR_MALFORMED },
        { 5, "06 a130", OK }, { 5, "06 a0", ERR_MALFORMED }, { 5, "06 a83031323334353637", OK },
        { 5, "06 a9303132333435363738", ERR_MALFORMED }, { 5, "06 a161", ERR_MALFORMED },
        { 6, "07 00", ERR_MALFORMED }, { 6, "07 02", OK }, { 6, "07 03", ERR_MALFORMED },
    };
    assert_rows(&DIRECTORY, rows, COUNT(rows));
    assert_required(&DIRECTORY, "86", 0);
    assert_unknown_keys_are_passed_over(&DIRECTORY, "89");
}

/* ---- encoders -------------------------------------------------------------------------------- */

#define REFUSED(kind, type, example, change)                                   \
    do {                                                                       \
        type value = example;                                                  \
        struct buffer out = { 0 };                                             \
        buffer_append_string(&out, "salt");                                    \
        change;                                                                \
        cr_expect(kind##_encode(&out, &value) == ERR_INVALID, #change);        \
        cr_expect(out.size == 4 && out.err == OK, "the buffer is as before");  \
        buffer_close(&out);                                                    \
    } while (0)
#define REFUSED_FACTS(change) REFUSED(request_facts, struct request_facts, request_example(), change)
#define REFUSED_PERSON(change) \
    REFUSED(request_person, struct request_person, person_example(), change)

Test(facts_encoders, refuse_what_a_decoder_would)
{
    struct bytes not_utf8 = bytes_of("\xc0\x80", 2);
    REFUSED_FACTS(value.occurred_at_ms = -1);
    REFUSED_FACTS(value.occurred_at_ms = (INT64_C(1) << 53) + 1);
    REFUSED_FACTS(value.code = text("2401234567891"));
    REFUSED_FACTS(value.code = text("2401234567891x"));
    REFUSED_FACTS(value.kind = 0);
    REFUSED_FACTS(value.kind = REQUEST_THANKS + 1);
    REFUSED_FACTS(value.channel = 0);
    REFUSED_FACTS(value.channel = CHANNEL_IMPORT + 1);
    REFUSED_FACTS(value.subject = BYTES_NONE);
    REFUSED_FACTS(value.subject = not_utf8);
    REFUSED_FACTS(value.place = not_utf8);
    REFUSED_FACTS(value.client = BYTES_NONE);
    REFUSED_FACTS(value.idempotency_key = BYTES_NONE);
    REFUSED_FACTS(value.idempotency_key = text("a\tb"));
    REFUSED_PERSON(value.name = BYTES_NONE);
    REFUSED_PERSON(value.name = not_utf8);
    REFUSED_PERSON(value.national_id = text("123"));
    REFUSED_PERSON(value.phone = text("0912"));
    REFUSED_PERSON(value.text = BYTES_NONE);
    REFUSED_PERSON(value.address = not_utf8);
}

Test(facts_decoders, refuse_a_part_larger_than_a_record_can_carry)
{
    struct request_facts facts = request_example(), decoded;
    struct buffer out = { 0 };
    cr_assert(request_facts_encode(&out, &facts) == OK);
    size_t known = out.size;
    /* One unknown key whose bin fills the part up to its limit, and then one byte more. */
    for (size_t extra = 0; extra < 2; extra++) {
        out.size = known;
        out.data[0] = 0x89;
        buffer_append_u8(&out, 0x20);
        buffer_append_u8(&out, 0xc5);
        size_t size = PART_SIZE_MAX - out.size - 2 + extra;
        buffer_append_u16(&out, (uint16_t)size);
        memset(buffer_reserve(&out, size), 0, size);
        out.size += size;
        enum err err = request_facts_decode(&decoded, buffer_bytes(&out));
        cr_expect(err == (extra ? ERR_MALFORMED : OK));
    }
    buffer_close(&out);
}
