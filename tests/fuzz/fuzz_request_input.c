/* Any bytes as the JSON of a request. What is accepted can be written into a record, comes out of it
 * the same, and is accepted again as it is kept; what is not has a fault for each field at most. */
#include "tests/fuzz/fuzz.h"

#include "node/casework/request_input.h"

#include <jansson.h>
#include <string.h>

static struct bytes member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_string(value)
               ? bytes_of((const uint8_t *)json_string_value(value), json_string_length(value))
               : BYTES_NONE;
}

static void check_faults(const struct request_faults *faults)
{
    bool seen[REQUEST_FIELD_COUNT] = { false };
    require(faults->count >= 1 && faults->count <= REQUEST_FIELD_COUNT);
    for (size_t i = 0; i < faults->count; i++) {
        const struct request_fault *fault = &faults->items[i];
        require(fault->field < REQUEST_FIELD_COUNT && !seen[fault->field]);
        require(fault->code && fault->message && fault->message_fa);
        seen[fault->field] = true;
    }
}

/* The parts of a record, there and back. */
static void check_parts(const struct request_facts *facts, const struct request_person *person)
{
    struct buffer first = { 0 }, second = { 0 };
    struct request_person read;
    require(request_person_encode(&first, person) == OK);
    require(request_person_decode(&read, buffer_bytes(&first)) == OK);
    require(bytes_equal(read.name, person->name) && bytes_equal(read.text, person->text) &&
            bytes_equal(read.phone, person->phone) && bytes_equal(read.address, person->address) &&
            bytes_equal(read.national_id, person->national_id));
    struct request_facts whole = *facts, back; /* what is not typed is added by the node */
    whole.code = bytes_of_string("24000000000000");
    whole.client = bytes_of_string("client");
    whole.idempotency_key = bytes_of_string("key");
    require(request_facts_encode(&second, &whole) == OK);
    require(request_facts_decode(&back, buffer_bytes(&second)) == OK);
    require(bytes_equal(back.place, facts->place) && bytes_equal(back.subject, facts->subject) &&
            back.occurred_at_ms == facts->occurred_at_ms);
    buffer_close(&first);
    buffer_close(&second);
}

FUZZ_TARGET(request_input)
{
    struct request_input typed;
    struct buffer strings = { 0 }, again_strings = { 0 };
    struct request_facts facts, facts_again;
    struct request_person person, again;
    struct request_faults faults;
    const struct request_setting setting = {
        .province = province_by_node(bytes_of_string("ardabil")), .now_ms = 1763700000000
    };
    memset(&typed, 0, sizeof typed);
    json_t *object = json_loadb((const char *)input.data, input.size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return;
    }
#define TAKE(NAME, name) typed.name = member(object, #name);
    REQUEST_FIELD_LIST(TAKE)
#undef TAKE
    enum err err = request_input_check(&typed, &setting, &strings, &facts, &person, &faults);
    if (err == OK) {
        require(faults.count == 0);
        check_parts(&facts, &person);
        typed.name = person.name;
        typed.text = person.text;
        typed.phone = person.phone;
        typed.national_id = person.national_id;
        typed.address = person.address;
        typed.place = facts.place;
        require(request_input_check(&typed, &setting, &again_strings, &facts_again, &again,
                                    &faults) == OK);
        require(bytes_equal(again.name, person.name) && bytes_equal(again.text, person.text) &&
                bytes_equal(again.phone, person.phone) &&
                bytes_equal(again.national_id, person.national_id) &&
                bytes_equal(again.address, person.address) &&
                bytes_equal(facts_again.place, facts.place));
    } else {
        require(err == ERR_REFUSED);
        check_faults(&faults);
    }
    buffer_close(&strings);
    buffer_close(&again_strings);
    json_decref(object);
}
