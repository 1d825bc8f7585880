/* Bytes written as hexadecimal in tests; spaces may stand between them. */
#ifndef TESTS_UNIT_PROTO_HEX_H
#define TESTS_UNIT_PROTO_HEX_H

#include "proto/base/bytes.h"
#include "proto/base/require.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* Appends the bytes of `text` to `out`. */
static inline void append_hex(struct buffer *out, const char *text)
{
    while (*text) {
        uint8_t value;
        if (*text == ' ' || *text == '\n') {
            text++;
            continue;
        }
        require(hex_decode(&value, 1, text, 2) == OK);
        buffer_append_u8(out, value);
        text += 2;
    }
}

/* Compares with what a human wrote down, and shows both when they differ. */
static inline void assert_hex(struct bytes actual, const char *expected)
{
    struct buffer wanted = { 0 };
    append_hex(&wanted, expected);
    char *shown = malloc(2 * actual.size + 1);
    hex_encode(shown, actual);
    cr_assert(bytes_equal(actual, buffer_bytes(&wanted)), "the bytes are %s", shown);
    free(shown);
    buffer_close(&wanted);
}

#endif
