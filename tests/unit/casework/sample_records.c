#include "sample_records.h"

#include <criterion/criterion.h>
#include <string.h>

const struct fold_context SAMPLE_CONTEXT = { .lookup_key = { { 7, 1, 1, 1 } } };

struct log_id sample_log(uint8_t incarnation)
{
    struct log_id log;
    uint8_t bytes[INCARNATION_SIZE] = { incarnation, 0xAB };
    cr_assert_eq(log_id_init(&log, bytes_of_string("ardabil"), bytes_of_string("hub"), bytes), OK);
    return log;
}

struct request_facts sample_facts(const char *code, const char *idempotency_key)
{
    return (struct request_facts){ .occurred_at_ms = INT64_C(1745642649000), /* 1404-02-06 */
                                   .code = bytes_of_string(code),
                                   .kind = REQUEST_REQUEST,
                                   .channel = CHANNEL_PHONE,
                                   .subject = bytes_of_string("water.outage"),
                                   .place = bytes_of_string("IR-24/نیر"),
                                   .client = bytes_of_string("desk-1"),
                                   .idempotency_key = bytes_of_string(idempotency_key) };
}

struct request_person sample_person(const char *national_id, const char *phone)
{
    return (struct request_person){ .name = bytes_of_string("علی کریمی"),
                                    .national_id = bytes_of_string(national_id),
                                    .phone = bytes_of_string(phone),
                                    .text = bytes_of_string("آب قطع است.") };
}

static struct sample sample_of(uint32_t kind, uint8_t incarnation, uint64_t position)
{
    struct sample sample = { .header = { .kind = kind,
                                         .log = sample_log(incarnation),
                                         .position = position,
                                         .time_ms = INT64_C(1745642700000) + (int64_t)position } };
    return sample;
}

struct sample sample_request(uint8_t incarnation, uint64_t position,
                             const struct request_facts *facts, const struct request_person *person)
{
    struct sample sample = sample_of(RECORD_REQUEST, incarnation, position);
    sample.header.has_case = true;
    sample.header.has_person = true;
    sample.header.case_id[0] = incarnation;
    put_u64(sample.header.case_id + 8, position);
    cr_assert_eq(request_facts_encode(&sample.facts, facts), OK);
    cr_assert_eq(request_person_encode(&sample.person, person), OK);
    return sample;
}

struct sample sample_erase(uint8_t incarnation, uint64_t position, const struct log_id *log,
                           uint64_t target)
{
    struct sample sample = sample_of(RECORD_ERASE, incarnation, position);
    struct erase_facts facts = { .occurred_at_ms = INT64_C(1745642800000),
                                 .log = *log,
                                 .position = target,
                                 .reason = bytes_of_string("asked") };
    cr_assert_eq(erase_facts_encode(&sample.facts, &facts), OK);
    return sample;
}

void sample_close(struct sample *sample)
{
    buffer_close(&sample->facts);
    buffer_close(&sample->person);
}

void sample_fold(struct array_view *array, const struct sample *sample, bool person_absent)
{
    struct fold_context context = SAMPLE_CONTEXT;
    struct bytes person = person_absent ? BYTES_NONE : buffer_bytes(&sample->person);
    cr_assert_eq(fold_record(&context, &array->view, &sample->header, buffer_bytes(&sample->facts),
                             person, person_absent),
                 OK);
}
