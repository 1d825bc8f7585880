#include "proto/record/record.h"

#include "proto/secure/merkle.h"
#include "tests/unit/proto/forms.h"

#include <string.h>

/* The worked example of proto/README.md, put together by another program than the one tested: it
 * is frozen, and a change of any byte is a change of the format. */
#define LOG "93 a76172646162696c a3687562 c410000102030405060708090a0b0c0d0e0f"
#define CAUSE_LOG "93 a76172646162696c a3687562 c410101112131415161718191a1b1c1d1e1f"
#define LEAF32 "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
#define FACTS32 "01346d648b9ccb1c0dbb78331e2035e5e39dd4d3f1340a567914703d7776ace5"
#define PERSON32 "a1331b722f8a291663ff0f03d55afaaeba4b54594a04f21e027a84f31de8fd19"
#define INCARNATION "c410101112131415161718191a1b1c1d1e1f"

enum { FORMAT, KIND, LOG_ID, POSITION, TIME, ACTOR, CASE, CAUSE, RECEIPT, FACTS, PERSON, FIELDS };

static const char *const FIELD[FIELDS] = {
    [FORMAT] = "01",
    [KIND] = "02",
    [LOG_ID] = LOG,
    [POSITION] = "cd0539",
    [TIME] = "cf0000019b76daa800",
    [ACTOR] = "a5636c6b2d37",
    [CASE] = "c410a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
    [CAUSE] = "93" CAUSE_LOG "2a c420" LEAF32,
    [RECEIPT] = "94 aa6875622d74656872616e" INCARNATION "cd0514 ce6955b8fb",
    [FACTS] = "c420" FACTS32,
    [PERSON] = "c420" PERSON32,
};

static const char FACTS_PART[] =
    "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
    "8801cf0000019b76d9bda002ae32343031323334353637383931320304040105ac77617465722e6f757461676506"
    "ad49522d32342f6172646162696c07a7636f6e736f6c6508a9376333652d30303031";
static const char PERSON_PART[] =
    "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
    "8501b3d8b3d8a7d8b1d8a720d985d8add985d8afdb8c02aa3030373632323936343503ad2b393839313231323334"
    "35363704bbd8a2d8a820d985d8add984d98720d982d8b7d8b920d8a7d8b3d8aa05b8d8aedb8cd8a7d8a8d8a7d986"
    "20d8a7d985d8a7d98520dbb5";
static const char LEAF_HASH[] = "8650d8e8aad366b995b128e2bfd354eadd5481a7e38c41db283105be516a5f6a";

/* The example in a struct. */
static struct record_header example_header(void)
{
    struct record_header header = {
        .kind = RECORD_REQUEST, .position = 1337, .time_ms = 1767225600000,
        .has_case = true, .has_cause = true, .has_receipt = true, .has_person = true,
        .cause.position = 42,
        .receipt = { .size = 1300, .time_s = 1767225595 },
    };
    uint8_t numbers[INCARNATION_SIZE];
    for (uint8_t i = 0; i < INCARNATION_SIZE; i++) {
        numbers[i] = i;
        header.case_id[i] = (uint8_t)(0xa0 + i);
        header.receipt.incarnation[i] = (uint8_t)(0x10 + i);
    }
    log_id_init(&header.log, bytes_of_string("ardabil"), bytes_of_string("hub"), numbers);
    header.cause.log = header.log;
    memcpy(header.cause.log.incarnation, header.receipt.incarnation, INCARNATION_SIZE);
    strcpy(header.actor, "clk-7");
    strcpy(header.receipt.hub, "hub-tehran");
    hex_decode(header.cause.leaf.bytes, HASH_SIZE, LEAF32, 64);
    hex_decode(header.facts.bytes, HASH_SIZE, FACTS32, 64);
    hex_decode(header.person.bytes, HASH_SIZE, PERSON32, 64);
    return header;
}

static void append_example(struct buffer *out, size_t exchanged, const char *by)
{
    append_form(out, "9b", FIELD, FIELDS, exchanged, by);
}

static enum err decode_header(struct bytes form)
{
    struct record_header header;
    return record_header_decode(&header, form);
}

/* What the decoder says of the example with one field exchanged. What it takes, the encoder must
 * write in the same bytes. */
static enum err decode_exchanged(size_t field, const char *by)
{
    struct buffer form = { 0 }, again = { 0 };
    struct record_header header;
    append_example(&form, field, by);
    enum err err = record_header_decode(&header, buffer_bytes(&form));
    if (err == OK) {
        cr_expect(record_header_encode(&again, &header) == OK);
        cr_expect(bytes_equal(buffer_bytes(&form), buffer_bytes(&again)), "field %zu", field);
    }
    buffer_close(&form);
    buffer_close(&again);
    return err;
}

/* ---- the header ------------------------------------------------------------------------------ */

Test(record_header, its_bytes_are_frozen)
{
    struct record_header header = example_header(), decoded;
    struct buffer out = { 0 }, frozen = { 0 };
    append_example(&frozen, FIELDS, NULL);
    cr_assert(record_header_encode(&out, &header) == OK);
    cr_assert(bytes_equal(buffer_bytes(&out), buffer_bytes(&frozen)));
    cr_assert(record_header_decode(&decoded, buffer_bytes(&out)) == OK);
    cr_assert(memcmp(&header.log, &decoded.log, sizeof header.log) == 0);
    cr_assert(memcmp(&header.cause.log, &decoded.cause.log, sizeof header.log) == 0);
    cr_assert(decoded.kind == 2 && decoded.position == 1337 && decoded.time_ms == 1767225600000);
    cr_assert(strcmp(decoded.actor, "clk-7") == 0 && strcmp(decoded.receipt.hub, "hub-tehran") == 0);
    cr_assert(decoded.cause.position == 42 && decoded.receipt.size == 1300);
    cr_assert(decoded.receipt.time_s == 1767225595);
    cr_assert(memcmp(decoded.case_id, header.case_id, CASE_ID_SIZE) == 0);
    cr_assert(memcmp(decoded.receipt.incarnation, header.receipt.incarnation, 16) == 0);
    cr_assert(hash_equal(&decoded.cause.leaf, &header.cause.leaf));
    cr_assert(hash_equal(&decoded.facts, &header.facts));
    cr_assert(hash_equal(&decoded.person, &header.person));
    buffer_close(&out);
    buffer_close(&frozen);
}

Test(record_header, it_is_refused_when_cut_lengthened_or_not_in_its_shortest_form)
{
    struct buffer form = { 0 };
    append_example(&form, FIELDS, NULL);
    assert_strict(buffer_bytes(&form), decode_header);
    buffer_close(&form);
}

Test(record_header, every_combination_of_present_and_absent_fields_comes_back)
{
    for (unsigned present = 0; present < 16; present++) {
        struct record_header header = example_header(), decoded;
        struct buffer out = { 0 };
        header.has_case = present & 1;
        header.has_cause = present & 2;
        header.has_receipt = present & 4;
        header.has_person = present & 8;
        cr_assert(record_header_encode(&out, &header) == OK);
        cr_assert(record_header_decode(&decoded, buffer_bytes(&out)) == OK);
        cr_assert(decoded.has_case == header.has_case && decoded.has_cause == header.has_cause);
        cr_assert(decoded.has_receipt == header.has_receipt);
        cr_assert(decoded.has_person == header.has_person);
        if (!decoded.has_cause)
            cr_assert(decoded.cause.position == 0 && decoded.cause.log.node[0] == '\0');
        buffer_close(&out);
    }
}

Test(record_header, the_decoder_holds_every_limit_on_both_sides)
{
    static const struct {
        size_t field;
        const char *by;
        enum err err;
    } rows[] = {
        { FORMAT, "00", ERR_VERSION }, { FORMAT, "02", ERR_VERSION }, { FORMAT, "ccff", ERR_VERSION },
        { FORMAT, "ff", ERR_MALFORMED }, { FORMAT, "c0", ERR_MALFORMED },
        { KIND, "00", ERR_MALFORMED }, { KIND, "01", OK }, { KIND, "ceffffffff", OK },
        { KIND, "cf0000000100000000", ERR_MALFORMED }, { KIND, "ff", ERR_MALFORMED },
        { POSITION, "00", OK }, { POSITION, "cf7fffffffffffffff", OK },
        { POSITION, "cf8000000000000000", ERR_MALFORMED }, { POSITION, "c0", ERR_MALFORMED },
        { TIME, "00", OK }, { TIME, "cf0020000000000000", OK }, /* 2^53 */
        { TIME, "cf0020000000000001", ERR_MALFORMED }, { TIME, "ff", ERR_MALFORMED },
        { ACTOR, "a0", OK }, { ACTOR, "d940" A64, OK }, { ACTOR, "d941" A64 A1, ERR_MALFORMED },
        { ACTOR, "a120", OK }, { ACTOR, "a17e", OK }, { ACTOR, "a11f", ERR_MALFORMED },
        { ACTOR, "a17f", ERR_MALFORMED }, { ACTOR, "a2d8a7", ERR_MALFORMED },
        { ACTOR, "a100", ERR_MALFORMED }, { ACTOR, "c40161", ERR_MALFORMED },
        { LOG_ID, "93 d920" A32 "d920" A32 INCARNATION, OK },
        { LOG_ID, "93 d921" A32 A1 "a161" INCARNATION, ERR_MALFORMED },
        { LOG_ID, "93 a161 d921" A32 A1 INCARNATION, ERR_MALFORMED },
        { LOG_ID, "93 a0 a161" INCARNATION, ERR_MALFORMED },
        { LOG_ID, "93 a161 a0" INCARNATION, ERR_MALFORMED },
        { LOG_ID, "93 a141 a161" INCARNATION, ERR_MALFORMED }, /* upper case */
        { LOG_ID, "93 a161 a131" INCARNATION, ERR_MALFORMED }, /* begins with a digit */
        { LOG_ID, "93 a161 a161 c40f" A8 A4 A2 A1, ERR_MALFORMED },
        { LOG_ID, "93 a161 a161 c411" A16 A1, ERR_MALFORMED },
        { LOG_ID, "92 a161 a161", ERR_MALFORMED },
        { LOG_ID, "94 a161 a161" INCARNATION "00", ERR_MALFORMED },
        { LOG_ID, "c0", ERR_MALFORMED },
        { CASE, "c0", OK }, { CASE, "c2", ERR_MALFORMED }, { CASE, "c40f" A8 A4 A2 A1, ERR_MALFORMED },
        { CASE, "c411" A16 A1, ERR_MALFORMED }, { CASE, "b0" A16, ERR_MALFORMED },
        { CAUSE, "c0", OK }, { CAUSE, "93" CAUSE_LOG "cf7fffffffffffffff c420" LEAF32, OK },
        { CAUSE, "93" CAUSE_LOG "cf8000000000000000 c420" LEAF32, ERR_MALFORMED },
        { CAUSE, "93" CAUSE_LOG "2a c41f" A16 A8 A4 A2 A1, ERR_MALFORMED },
        { CAUSE, "92" CAUSE_LOG "2a", ERR_MALFORMED },
        { CAUSE, "93 c0 2a c420" LEAF32, ERR_MALFORMED },
        { RECEIPT, "c0", OK }, { RECEIPT, "94 d920" A32 INCARNATION "00 00", OK },
        { RECEIPT, "94 d921" A32 A1 INCARNATION "00 00", ERR_MALFORMED },
        { RECEIPT, "94 a0" INCARNATION "00 00", ERR_MALFORMED },
        { RECEIPT, "94 a12d" INCARNATION "00 00", ERR_MALFORMED },
        { RECEIPT, "94 a161" INCARNATION "cf7fffffffffffffff cf7fffffffffffffff", OK },
        { RECEIPT, "94 a161" INCARNATION "cf8000000000000000 00", ERR_MALFORMED },
        { RECEIPT, "94 a161" INCARNATION "00 cf8000000000000000", ERR_MALFORMED },
        { RECEIPT, "94 a161" INCARNATION "00 ff", ERR_MALFORMED },
        { RECEIPT, "93 a161" INCARNATION "00", ERR_MALFORMED },
        { FACTS, "c0", ERR_MALFORMED }, { FACTS, "c41f" A16 A8 A4 A2 A1, ERR_MALFORMED },
        { FACTS, "c421" A32 A1, ERR_MALFORMED }, { FACTS, "d920" A32, ERR_MALFORMED },
        { PERSON, "c0", OK }, { PERSON, "c2", ERR_MALFORMED }, { PERSON, "c421" A32 A1, ERR_MALFORMED },
        { PERSON, "", ERR_MALFORMED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect(decode_exchanged(rows[i].field, rows[i].by) == rows[i].err, "row %zu: %s", i,
                  rows[i].by);
}

Test(record_header, a_later_format_is_told_from_garbage_whatever_its_number_of_fields)
{
    struct buffer form = { 0 };
    append_hex(&form, "92 02 a161");
    cr_assert(decode_header(buffer_bytes(&form)) == ERR_VERSION);
    buffer_clear(&form);
    append_hex(&form, "92 01 a161");
    cr_assert(decode_header(buffer_bytes(&form)) == ERR_MALFORMED);
    buffer_clear(&form);
    append_form(&form, "9c", FIELD, FIELDS, FIELDS, NULL);
    append_hex(&form, "c0");
    cr_assert(decode_header(buffer_bytes(&form)) == ERR_MALFORMED, "twelve fields in format 1");
    cr_assert(decode_header(BYTES_NONE) == ERR_MALFORMED);
    buffer_close(&form);
}

Test(record_header, the_largest_one_is_far_from_the_limit)
{
    struct buffer form = { 0 };
    append_hex(&form, "9b 01 ceffffffff 93 d920" A32 "d920" A32 INCARNATION "cf7fffffffffffffff"
                      "cf0020000000000000 d940" A64 "c410" A16
                      "93 93 d920" A32 "d920" A32 INCARNATION "cf7fffffffffffffff c420" A32
                      "94 d920" A32 INCARNATION "cf7fffffffffffffff cf7fffffffffffffff"
                      "c420" A32 "c420" A32);
    cr_assert(decode_header(buffer_bytes(&form)) == OK);
    cr_assert(form.size < RECORD_HEADER_SIZE_MAX / 2);
    buffer_close(&form);
}

#define REFUSED_BY_ENCODER(change)                                             \
    do {                                                                       \
        struct record_header header = example_header();                        \
        struct buffer out = { 0 };                                             \
        change;                                                                \
        cr_expect(record_header_encode(&out, &header) == ERR_INVALID, #change); \
        cr_expect(out.size == 0);                                              \
        buffer_close(&out);                                                    \
    } while (0)

Test(record_header, the_encoder_refuses_what_the_decoder_would)
{
    REFUSED_BY_ENCODER(header.kind = 0);
    REFUSED_BY_ENCODER(header.position = UINT64_C(1) << 63);
    REFUSED_BY_ENCODER(header.time_ms = -1);
    REFUSED_BY_ENCODER(header.time_ms = (INT64_C(1) << 53) + 1);
    REFUSED_BY_ENCODER(strcpy(header.actor, "\n"));
    REFUSED_BY_ENCODER(strcpy(header.actor, "ا"));
    REFUSED_BY_ENCODER(memset(header.actor, 'a', sizeof header.actor));
    REFUSED_BY_ENCODER(header.log.node[0] = '\0');
    REFUSED_BY_ENCODER(strcpy(header.log.audience, "Hub"));
    REFUSED_BY_ENCODER(memset(header.log.node, 'a', sizeof header.log.node));
    REFUSED_BY_ENCODER(strcpy(header.cause.log.node, "9"));
    REFUSED_BY_ENCODER(header.cause.position = UINT64_MAX);
    REFUSED_BY_ENCODER(strcpy(header.receipt.hub, ""));
    REFUSED_BY_ENCODER(memset(header.receipt.hub, 'a', sizeof header.receipt.hub));
    REFUSED_BY_ENCODER(header.receipt.size = UINT64_C(1) << 63);
    REFUSED_BY_ENCODER(header.receipt.time_s = -1);
}

Test(record_header, fields_that_are_said_to_be_absent_are_not_looked_at)
{
    struct record_header header = example_header();
    struct buffer out = { 0 };
    header.has_cause = header.has_receipt = false;
    strcpy(header.cause.log.node, "9");
    header.receipt.time_s = -1;
    cr_assert(record_header_encode(&out, &header) == OK);
    buffer_close(&out);
}

/* ---- a whole record -------------------------------------------------------------------------- */

struct example {
    struct buffer header, facts, person;
    struct log_id log;
    struct record record;
};

static void example_open(struct example *example)
{
    *example = (struct example){ .log = example_header().log };
    append_example(&example->header, FIELDS, NULL);
    append_hex(&example->facts, FACTS_PART);
    append_hex(&example->person, PERSON_PART);
    example->record = (struct record){ buffer_bytes(&example->header),
                                       buffer_bytes(&example->facts),
                                       buffer_bytes(&example->person), false };
}

static void example_close(struct example *example)
{
    buffer_close(&example->header);
    buffer_close(&example->facts);
    buffer_close(&example->person);
}

static enum err verify(const struct example *example)
{
    struct record_header header;
    struct hash leaf;
    return record_verify(&example->record, &example->log, 1337, &header, &leaf);
}

/* The example whose header has no person. */
static void example_without_person(struct example *example)
{
    buffer_clear(&example->header);
    append_example(&example->header, PERSON, "c0");
    example->record.header = buffer_bytes(&example->header);
    example->record.person = BYTES_NONE;
}

Test(record, the_worked_example_verifies_and_gives_its_leaf_hash)
{
    struct example example;
    struct record_header header;
    struct hash leaf;
    char hex[2 * HASH_SIZE + 1];
    example_open(&example);
    cr_assert(record_verify(&example.record, &example.log, 1337, &header, &leaf) == OK);
    hex_encode(hex, BYTES_OF_ARRAY(leaf.bytes));
    cr_assert_str_eq(hex, LEAF_HASH);
    cr_assert(header.position == 1337);
    example_close(&example);
}

Test(record, it_must_name_the_log_and_the_position_it_is_offered_for)
{
    struct example example;
    struct record_header header;
    struct hash leaf;
    example_open(&example);
    cr_assert(record_verify(&example.record, &example.log, 1336, &header, &leaf) == ERR_MALFORMED);
    example.log.incarnation[15] ^= 1;
    cr_assert(record_verify(&example.record, &example.log, 1337, &header, &leaf) == ERR_MALFORMED);
    example_close(&example);
}

Test(record, a_flipped_bit_of_a_part_breaks_its_commitment)
{
    struct example example;
    example_open(&example);
    struct buffer *parts[] = { &example.facts, &example.person };
    for (size_t i = 0; i < 2; i++)
        for (size_t bit = 0; bit < 8 * parts[i]->size; bit++) {
            parts[i]->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            cr_expect(verify(&example) == ERR_COMMITMENT, "part %zu bit %zu", i, bit);
            parts[i]->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    cr_assert(verify(&example) == OK);
    example_close(&example);
}

/* A header is not signed by itself: what its decoder and the commitments let pass has another leaf
 * hash, and that is refused by the proof to the log's checkpoint. */
Test(record, a_flipped_bit_of_the_header_is_refused_or_changes_the_leaf_hash)
{
    struct example example;
    struct record_header header;
    struct hash before, after;
    size_t refused = 0, changed = 0;
    example_open(&example);
    record_verify(&example.record, &example.log, 1337, &header, &before);
    for (size_t bit = 0; bit < 8 * example.header.size; bit++) {
        example.header.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum err err = record_verify(&example.record, &example.log, 1337, &header, &after);
        cr_expect(err == OK || err == ERR_MALFORMED || err == ERR_VERSION || err == ERR_COMMITMENT);
        cr_expect(err != OK || !hash_equal(&before, &after), "bit %zu goes unnoticed", bit);
        refused += err != OK;
        changed += err == OK;
        example.header.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_assert(refused > 0 && changed > 0);
    example_close(&example);
}

Test(record, person_is_there_exactly_when_it_should_be)
{
    struct example example;
    example_open(&example);
    struct bytes person = example.record.person;

    example.record.person = BYTES_NONE;
    cr_expect(verify(&example) == ERR_MALFORMED, "missing, and not said to be absent");
    example.record.person_absent = true;
    cr_expect(verify(&example) == OK, "erased");
    example.record.person = person;
    cr_expect(verify(&example) == ERR_MALFORMED, "there, and said to be absent");

    example_without_person(&example);
    example.record.person_absent = false;
    cr_expect(verify(&example) == OK, "a record without a person part");
    example.record.person_absent = true;
    cr_expect(verify(&example) == ERR_MALFORMED, "absent, but there never was one");
    example.record.person_absent = false;
    example.record.person = person;
    cr_expect(verify(&example) == ERR_MALFORMED, "there, but the header has none");
    example_close(&example);
}

Test(record, sizes_are_held_before_anything_is_hashed)
{
    static uint8_t zeros[RECORD_PART_SIZE_MAX + 1];
    struct example example;
    example_open(&example);

    struct bytes facts = example.record.facts, person = example.record.person;
    example.record.facts = bytes_of(zeros, RECORD_PART_SIZE_MAX + 1);
    cr_expect(verify(&example) == ERR_TOO_LARGE);
    example.record.facts = bytes_of(zeros, RECORD_PART_SIZE_MAX);
    cr_expect(verify(&example) == ERR_COMMITMENT);
    example.record.facts = bytes_of(facts.data, SALT_SIZE - 1);
    cr_expect(verify(&example) == ERR_MALFORMED, "shorter than its salt");
    example.record.facts = bytes_of(facts.data, SALT_SIZE);
    cr_expect(verify(&example) == ERR_COMMITMENT);
    example.record.facts = facts;

    example.record.person = bytes_of(zeros, RECORD_PART_SIZE_MAX + 1);
    cr_expect(verify(&example) == ERR_TOO_LARGE);
    example.record.person = bytes_of(person.data, SALT_SIZE - 1);
    cr_expect(verify(&example) == ERR_MALFORMED);
    example.record.person = person;

    example.record.header = bytes_of(zeros, RECORD_HEADER_SIZE_MAX + 1);
    cr_expect(verify(&example) == ERR_TOO_LARGE);
    example_close(&example);
}

Test(record, the_commitment_is_sha256_of_salt_and_part)
{
    struct example example;
    struct hash hash;
    example_open(&example);
    record_commit(&hash, example.record.facts);
    assert_hex(BYTES_OF_ARRAY(hash.bytes), FACTS32);
    example_close(&example);
}

/* ---- on the wire ----------------------------------------------------------------------------- */

static enum err decode_one(struct bytes form)
{
    struct record record;
    enum err err = record_decode(&record, &form);
    return err == OK && form.size > 0 ? ERR_MALFORMED : err;
}

static struct bytes wire_form(struct buffer *out, const struct record *record)
{
    buffer_clear(out);
    record_encode(out, record);
    return buffer_bytes(out);
}

Test(record_wire, a_record_is_an_array_of_three_with_its_person_there_none_or_absent)
{
    struct example example;
    struct buffer out = { 0 };
    example_open(&example);
    struct bytes form = wire_form(&out, &example.record);
    cr_assert_eq(form.size, 498);
    cr_assert(form.data[0] == 0x93 && form.data[1] == 0xc4 && form.data[2] == 243);
    assert_strict(form, decode_one);

    example.record.person = BYTES_NONE;
    form = wire_form(&out, &example.record);
    cr_assert_eq(form.data[form.size - 1], 0xc0);
    assert_strict(form, decode_one);

    example.record.person_absent = true;
    form = wire_form(&out, &example.record);
    cr_assert_eq(form.data[form.size - 1], 0xc2);
    assert_strict(form, decode_one);
    buffer_close(&out);
    example_close(&example);
}

Test(record_wire, records_are_taken_off_the_front_one_by_one_without_copying)
{
    struct example example;
    struct buffer out = { 0 }, again = { 0 };
    struct record record;
    example_open(&example);
    for (int i = 0; i < 3; i++) {
        example.record.person_absent = i == 1;
        record_encode(&out, &example.record);
    }
    struct bytes input = buffer_bytes(&out);
    for (int i = 0; i < 3; i++) {
        cr_assert(record_decode(&record, &input) == OK);
        cr_assert(record.person_absent == (i == 1));
        cr_assert(bytes_equal(record.header, example.record.header));
        cr_assert(record.header.data > out.data && record.facts.data < out.data + out.size);
        record_encode(&again, &record);
    }
    cr_assert(input.size == 0);
    cr_assert(record_decode(&record, &input) == ERR_MALFORMED);
    cr_assert(bytes_equal(buffer_bytes(&out), buffer_bytes(&again)));
    buffer_close(&out);
    buffer_close(&again);
    example_close(&example);
}

Test(record_wire, an_input_that_is_refused_is_not_moved)
{
    struct bytes input = bytes_of("\x93\xc4\x01", 3), before = input;
    struct record record;
    cr_assert(record_decode(&record, &input) == ERR_MALFORMED);
    cr_assert(input.data == before.data && input.size == before.size);
}

Test(record_wire, sizes_and_types_are_held_on_both_sides_of_the_border)
{
    static uint8_t zeros[RECORD_PART_SIZE_MAX + 1];
    static const struct {
        size_t header, facts, person;
        enum err err;
    } rows[] = {
        { RECORD_HEADER_SIZE_MAX, RECORD_PART_SIZE_MAX, RECORD_PART_SIZE_MAX, OK },
        { RECORD_HEADER_SIZE_MAX + 1, 40, 40, ERR_TOO_LARGE },
        { 40, RECORD_PART_SIZE_MAX + 1, 40, ERR_TOO_LARGE },
        { 40, 40, RECORD_PART_SIZE_MAX + 1, ERR_TOO_LARGE },
        { 40, 40, SALT_SIZE, OK },
        { 40, 40, SALT_SIZE - 1, ERR_MALFORMED },
    };
    struct buffer out = { 0 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct record record = { bytes_of(zeros, rows[i].header), bytes_of(zeros, rows[i].facts),
                                 bytes_of(zeros, rows[i].person), false };
        cr_expect(decode_one(wire_form(&out, &record)) == rows[i].err, "row %zu", i);
    }
    static const char *const refused[] = {
        "93 c400 c400 c400", "93 c400 c400 c3", "93 c400 c400 00", "93 c0 c400 c0", "93 c400 c0 c0",
        "93 a0 c400 c0", "92 c400 c400", "94 c400 c400 c0 c0", "83 c400 c400 c0",
        "93 c6ffffffff c400 c0", "ddff000000",
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        buffer_clear(&out);
        append_hex(&out, refused[i]);
        cr_expect(decode_one(buffer_bytes(&out)) == ERR_MALFORMED, "%s", refused[i]);
    }
    buffer_close(&out);
}
