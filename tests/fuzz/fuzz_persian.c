/* Any bytes as typed text. What is cleaned is clean, what is a key is its own key. */
#include "tests/fuzz/fuzz.h"

#include "node/casework/persian.h"
#include "proto/base/utf8.h"

static void check_clean(struct bytes typed, enum persian_lines lines)
{
    struct buffer once = { 0 }, twice = { 0 };
    buffer_append_u8(&once, 'x'); /* it appends */
    enum err err = persian_clean(&once, typed, lines);
    require(err == OK || (err == ERR_MALFORMED && once.size == 1));
    require((err == OK) == utf8_is_valid(typed));
    if (err == OK) {
        struct bytes cleaned = bytes_of(once.data + 1, once.size - 1);
        require(cleaned.size <= typed.size && utf8_is_valid(cleaned));
        require(persian_clean(&twice, cleaned, lines) == OK);
        require(bytes_equal(buffer_bytes(&twice), cleaned));
    }
    buffer_close(&once);
    buffer_close(&twice);
}

static void check_key(struct bytes text, enum persian_zwnj zwnj)
{
    struct buffer once = { 0 }, twice = { 0 };
    persian_search_key(&once, text, zwnj);
    require(once.err == OK && utf8_is_valid(buffer_bytes(&once)));
    persian_search_key(&twice, buffer_bytes(&once), zwnj);
    require(bytes_equal(buffer_bytes(&twice), buffer_bytes(&once)));
    buffer_close(&once);
    buffer_close(&twice);
}

FUZZ_TARGET(persian)
{
    check_clean(input, PERSIAN_ONE_LINE);
    check_clean(input, PERSIAN_MANY_LINES);
    check_key(input, PERSIAN_ZWNJ_SPACED);
    check_key(input, PERSIAN_ZWNJ_JOINED);
}
