#include "proto/base/bytes.h"

#include <criterion/criterion.h>
#include <string.h>

Test(buffer, an_expected_size_is_taken_exactly_and_what_exceeds_it_still_finds_room)
{
    struct buffer buffer = { 0 };
    buffer_expect(&buffer, 1000);
    cr_assert_eq(buffer.capacity, 1000u);
    cr_assert_eq(buffer.size, 0u);
    uint8_t content[1500];
    memset(content, 7, sizeof content);
    buffer_append(&buffer, content, 1000);
    cr_assert_eq(buffer.capacity, 1000u);
    buffer_append(&buffer, content, 500);
    cr_assert_eq(buffer.err, OK);
    cr_assert(bytes_equal(buffer_bytes(&buffer), BYTES_OF_ARRAY(content)));
    buffer_close(&buffer);
}

Test(buffer, an_expectation_changes_nothing_of_a_buffer_with_content_or_with_more_room)
{
    struct buffer buffer = { 0 };
    buffer_append_string(&buffer, "kept");
    size_t capacity = buffer.capacity;
    buffer_expect(&buffer, 100000);
    cr_assert_eq(buffer.capacity, capacity);
    cr_assert(bytes_equal(buffer_bytes(&buffer), bytes_of_string("kept")));
    buffer_clear(&buffer);
    buffer_expect(&buffer, 1);
    cr_assert_eq(buffer.capacity, capacity);
    buffer_close(&buffer);
}
