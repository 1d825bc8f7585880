/* The parts of RECORD_REQUEST (facts.h). */
#include "proto/record/facts.h"
#include "proto/record/part.h"

#include <string.h>

#define SUBJECT_SIZE_MAX 64
#define PLACE_SIZE_MAX 128
#define CLIENT_SIZE_MAX 64
#define NAME_SIZE_MAX 200
#define TEXT_SIZE_MAX 20000
#define ADDRESS_SIZE_MAX 1000
#define NATIONAL_ID_DIGITS 10
#define PHONE_SIZE_MAX 16 /* E.164: '+' and fifteen digits */

enum facts_key {
    FACTS_OCCURRED_AT = 1, FACTS_CODE, FACTS_KIND, FACTS_CHANNEL, FACTS_SUBJECT, FACTS_PLACE,
    FACTS_CLIENT, FACTS_IDEMPOTENCY_KEY
};
enum person_key {
    PERSON_NAME = 1, PERSON_NATIONAL_ID, PERSON_PHONE, PERSON_TEXT, PERSON_ADDRESS
};

/* ---- facts ----------------------------------------------------------------------------------- */

static bool facts_are_valid(const struct request_facts *facts)
{
    return time_ms_is_valid(facts->occurred_at_ms) &&
           facts->code.size == TRACKING_CODE_DIGITS && ascii_is_digits(facts->code) &&
           facts->kind >= REQUEST_COMPLAINT && facts->kind <= REQUEST_THANKS &&
           facts->channel >= CHANNEL_PHONE && facts->channel <= CHANNEL_IMPORT &&
           size_is_within(facts->subject, 1, SUBJECT_SIZE_MAX) &&
           facts->place.size <= PLACE_SIZE_MAX &&
           size_is_within(facts->client, 1, CLIENT_SIZE_MAX) &&
           size_is_within(facts->idempotency_key, 1, IDEMPOTENCY_KEY_SIZE_MAX) &&
           ascii_is_printable(facts->idempotency_key);
}

enum err request_facts_encode(struct buffer *out, const struct request_facts *facts)
{
    if (!facts_are_valid(facts))
        return ERR_INVALID;
    size_t start = out->size;
    pack_map(out, facts->place.size > 0 ? 8 : 7);
    part_put_uint(out, FACTS_OCCURRED_AT, (uint64_t)facts->occurred_at_ms);
    part_put_text(out, FACTS_CODE, facts->code);
    part_put_uint(out, FACTS_KIND, facts->kind);
    part_put_uint(out, FACTS_CHANNEL, facts->channel);
    part_put_text(out, FACTS_SUBJECT, facts->subject);
    part_put_text(out, FACTS_PLACE, facts->place);
    part_put_text(out, FACTS_CLIENT, facts->client);
    part_put_text(out, FACTS_IDEMPOTENCY_KEY, facts->idempotency_key);
    return part_end(out, start);
}

static void read_facts_field(struct unpack *unpack, struct request_facts *facts)
{
    switch (unpack_uint(unpack, UINT64_MAX)) {
    case FACTS_OCCURRED_AT:
        facts->occurred_at_ms = part_read_time_ms(unpack);
        break;
    case FACTS_CODE:
        facts->code = unpack_text(unpack, TRACKING_CODE_DIGITS);
        break;
    case FACTS_KIND:
        facts->kind = part_read_u32(unpack);
        break;
    case FACTS_CHANNEL:
        facts->channel = part_read_u32(unpack);
        break;
    case FACTS_SUBJECT:
        facts->subject = unpack_text(unpack, SUBJECT_SIZE_MAX);
        break;
    case FACTS_PLACE:
        facts->place = unpack_text(unpack, PLACE_SIZE_MAX);
        break;
    case FACTS_CLIENT:
        facts->client = unpack_text(unpack, CLIENT_SIZE_MAX);
        break;
    case FACTS_IDEMPOTENCY_KEY:
        facts->idempotency_key = unpack_text(unpack, IDEMPOTENCY_KEY_SIZE_MAX);
        break;
    default:
        unpack_skip(unpack);
    }
}

enum err request_facts_decode(struct request_facts *facts, struct bytes part)
{
    struct unpack unpack;
    *facts = (struct request_facts){ .occurred_at_ms = -1 };
    for (size_t left = part_begin(&unpack, part); left > 0; left--)
        read_facts_field(&unpack, facts);
    unpack_expect(&unpack, facts_are_valid(facts));
    return unpack_end(&unpack);
}

/* ---- person ---------------------------------------------------------------------------------- */

static bool national_id_is_valid(struct bytes id)
{
    /* The check digit is the API's rule: here stands what was recorded. */
    return id.size == 0 || (id.size == NATIONAL_ID_DIGITS && ascii_is_digits(id));
}

static bool phone_is_valid(struct bytes phone)
{
    if (phone.size == 0)
        return true;
    return phone.size > 3 && phone.size <= PHONE_SIZE_MAX && memcmp(phone.data, "+98", 3) == 0 &&
           ascii_is_digits(bytes_of(phone.data + 3, phone.size - 3));
}

static bool person_is_valid(const struct request_person *person)
{
    return size_is_within(person->name, 1, NAME_SIZE_MAX) &&
           national_id_is_valid(person->national_id) && phone_is_valid(person->phone) &&
           size_is_within(person->text, 1, TEXT_SIZE_MAX) &&
           person->address.size <= ADDRESS_SIZE_MAX;
}

enum err request_person_encode(struct buffer *out, const struct request_person *person)
{
    const struct bytes *const texts[] = { &person->name, &person->national_id, &person->phone,
                                          &person->text, &person->address };
    if (!person_is_valid(person))
        return ERR_INVALID;
    size_t start = out->size;
    pack_map(out, part_count_texts(texts, sizeof texts / sizeof *texts));
    part_put_text(out, PERSON_NAME, person->name);
    part_put_text(out, PERSON_NATIONAL_ID, person->national_id);
    part_put_text(out, PERSON_PHONE, person->phone);
    part_put_text(out, PERSON_TEXT, person->text);
    part_put_text(out, PERSON_ADDRESS, person->address);
    return part_end(out, start);
}

static void read_person_field(struct unpack *unpack, struct request_person *person)
{
    switch (unpack_uint(unpack, UINT64_MAX)) {
    case PERSON_NAME:
        person->name = unpack_text(unpack, NAME_SIZE_MAX);
        break;
    case PERSON_NATIONAL_ID:
        person->national_id = unpack_text(unpack, NATIONAL_ID_DIGITS);
        break;
    case PERSON_PHONE:
        person->phone = unpack_text(unpack, PHONE_SIZE_MAX);
        break;
    case PERSON_TEXT:
        person->text = unpack_text(unpack, TEXT_SIZE_MAX);
        break;
    case PERSON_ADDRESS:
        person->address = unpack_text(unpack, ADDRESS_SIZE_MAX);
        break;
    default:
        unpack_skip(unpack);
    }
}

enum err request_person_decode(struct request_person *person, struct bytes part)
{
    struct unpack unpack;
    *person = (struct request_person){ 0 };
    for (size_t left = part_begin(&unpack, part); left > 0; left--)
        read_person_field(&unpack, person);
    unpack_expect(&unpack, person_is_valid(person));
    return unpack_end(&unpack);
}
