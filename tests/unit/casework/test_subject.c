#include "node/casework/persian.h"
#include "node/casework/request_words.h"
#include "node/casework/subject.h"

#include <criterion/criterion.h>
#include <string.h>

Test(subject, codes_ascend_are_well_formed_and_are_found)
{
    cr_assert(SUBJECT_COUNT >= 25 && SUBJECT_COUNT <= 50);
    for (size_t i = 0; i < SUBJECT_COUNT; i++) {
        const struct subject *subject = &SUBJECTS[i];
        size_t size = strlen(subject->code);
        cr_assert_leq(size, SUBJECT_CODE_SIZE_MAX);
        cr_assert_eq(strspn(subject->code, "abcdefghijklmnopqrstuvwxyz_."), size);
        cr_assert_not_null(strchr(subject->code, '.'), "%s has a branch and a leaf", subject->code);
        cr_assert_eq(subject_by_code(bytes_of_string(subject->code)), subject);
        cr_assert_leq(subject->since, SUBJECT_VERSION);
        if (i > 0)
            cr_assert_lt(strcmp(SUBJECTS[i - 1].code, subject->code), 0);
    }
}

Test(subject, keywords_are_search_keys)
{
    for (size_t i = 0; i < SUBJECT_COUNT; i++) {
        struct buffer key = { 0 };
        persian_search_key(&key, bytes_of_string(SUBJECTS[i].keywords), PERSIAN_ZWNJ_SPACED);
        cr_assert(bytes_equal(buffer_bytes(&key), bytes_of_string(SUBJECTS[i].keywords)), "%s",
                  SUBJECTS[i].keywords);
        buffer_close(&key);
    }
}

Test(subject, unknown_codes_are_not_found)
{
    cr_assert_null(subject_by_code(bytes_of_string("")));
    cr_assert_null(subject_by_code(bytes_of_string("water")));
    cr_assert_null(subject_by_code(bytes_of_string("water.outage2")));
}

Test(request_words, every_kind_and_channel_is_found_by_both_words)
{
    for (uint32_t i = 0; i < REQUEST_KIND_COUNT; i++) {
        const struct request_word *row = &REQUEST_KINDS[i];
        cr_assert_eq(row->number, i + 1);
        cr_assert_eq(request_kind_from_word(bytes_of_string(row->word)), row->number);
        cr_assert_eq(request_kind_from_word(bytes_of_string(row->name_fa)), row->number);
        cr_assert_str_eq(request_kind_word(row->number), row->word);
        cr_assert_str_eq(request_kind_name_fa(row->number), row->name_fa);
    }
    for (uint32_t i = 0; i < REQUEST_CHANNEL_COUNT; i++) {
        const struct request_word *row = &REQUEST_CHANNELS[i];
        cr_assert_eq(row->number, i + 1);
        cr_assert_eq(request_channel_from_word(bytes_of_string(row->word)), row->number);
        cr_assert_eq(request_channel_from_word(bytes_of_string(row->name_fa)), row->number);
        cr_assert_str_eq(request_channel_word(row->number), row->word);
        cr_assert_str_eq(request_channel_name_fa(row->number), row->name_fa);
    }
    cr_assert_eq(REQUEST_KIND_COUNT, REQUEST_THANKS);
    cr_assert_eq(REQUEST_CHANNEL_COUNT, CHANNEL_IMPORT);
}

Test(request_words, persian_names_are_read_as_people_type_them)
{
    cr_assert_eq(request_kind_from_word(bytes_of_string("شكايت")), REQUEST_COMPLAINT);
    cr_assert_eq(request_kind_from_word(bytes_of_string(" طرح و  ایده ")), REQUEST_IDEA);
    cr_assert_eq(request_kind_from_word(bytes_of_string("")), 0);
    cr_assert_eq(request_kind_from_word(bytes_of_string("Complaint!")), 0);
    cr_assert_str_eq(request_kind_word(0), "unknown");
    cr_assert_str_eq(request_channel_word(99), "unknown");
}
