/* Encodings put together field by field, so that a test can exchange one field for what an encoder
 * would never write; and the mutation that every strict decoder must refuse. */
#ifndef TESTS_UNIT_PROTO_FORMS_H
#define TESTS_UNIT_PROTO_FORMS_H

#include "proto/wire/head.h"
#include "tests/unit/proto/hex.h"

/* 2^n bytes of letter 'a'. */
#define A1 "61"
#define A2 A1 A1
#define A4 A2 A2
#define A8 A4 A4
#define A16 A8 A8
#define A32 A16 A16
#define A64 A32 A32
#define A128 A64 A64

/* `head`, then the fields, of which number `exchanged` is `by` instead. */
static inline void append_form(struct buffer *out, const char *head, const char *const *fields,
                               size_t count, size_t exchanged, const char *by)
{
    append_hex(out, head);
    for (size_t i = 0; i < count; i++)
        append_hex(out, i == exchanged ? by : fields[i]);
}

/* The longer form of the head `head_size` bytes long at `at`; nothing when it is the longest. */
static inline bool append_widened(struct buffer *out, const uint8_t *at, size_t head_size)
{
    uint8_t first = at[0];
    if (first < 0x80)
        buffer_append_u8(out, 0xcc), buffer_append_u8(out, first);
    else if (first < 0x90)
        buffer_append_u8(out, 0xde), buffer_append_u16(out, first & 0x0f);
    else if (first < 0xa0)
        buffer_append_u8(out, 0xdc), buffer_append_u16(out, first & 0x0f);
    else if (first < 0xc0)
        buffer_append_u8(out, 0xd9), buffer_append_u8(out, first & 0x1f);
    else if (head_size == 2 || head_size == 3 || (head_size == 5 && first == 0xce)) {
        /* The next row of the format's table, with as many zero bytes more. */
        uint8_t zeros[4] = { 0 };
        buffer_append_u8(out, (uint8_t)(first + 1));
        buffer_append(out, zeros, head_size - 1);
        buffer_append(out, at + 1, head_size - 1);
    } else
        return false;
    return true;
}

/* Copies `form` with the head number `index` in its longer form. Heads are counted from the front
 * whatever contains them; false when there are not so many. `*widened` says whether the head had a
 * longer form. */
static inline bool widen_head(struct buffer *out, struct bytes form, size_t index, bool *widened)
{
    struct reader reader = reader_of(form);
    for (size_t i = 0; reader.rest.size > 0; i++) {
        const uint8_t *at = reader.rest.data;
        struct head head = head_read(&reader);
        const uint8_t *after = reader.rest.data;
        if (i == index) {
            buffer_append(out, form.data, (size_t)(at - form.data));
            *widened = append_widened(out, at, (size_t)(after - at));
            buffer_append(out, after, (size_t)(form.data + form.size - after));
            return true;
        }
        if (head.type == HEAD_STR || head.type == HEAD_BIN)
            read_bytes(&reader, (size_t)head.value);
        require(reader.err == OK);
    }
    return false;
}

/* `decode` must refuse every prefix of `form`, `form` with a byte after it, and `form` with any one
 * of its heads in a longer form. */
static inline void assert_strict(struct bytes form, enum err (*decode)(struct bytes form))
{
    struct buffer changed = { 0 };
    bool widened;
    size_t widened_count = 0;

    cr_assert(decode(form) == OK);
    for (size_t size = 0; size < form.size; size++)
        cr_expect(decode(bytes_of(form.data, size)) == ERR_MALFORMED, "cut to %zu bytes", size);
    buffer_append_bytes(&changed, form);
    buffer_append_u8(&changed, 0xc0);
    cr_expect(decode(buffer_bytes(&changed)) == ERR_MALFORMED, "a byte after the end");

    for (size_t i = 0; buffer_clear(&changed), widen_head(&changed, form, i, &widened); i++) {
        if (!widened)
            continue;
        cr_expect(decode(buffer_bytes(&changed)) == ERR_MALFORMED, "head %zu in a longer form", i);
        widened_count++;
    }
    cr_assert(widened_count > 0);
    buffer_close(&changed);
}

#endif
