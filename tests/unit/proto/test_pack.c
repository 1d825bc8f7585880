#include "proto/wire/pack.h"

#include "proto/wire/skim.h"
#include "tests/unit/proto/hex.h"

#include <string.h>

Test(pack, unsigned_integers_take_their_shortest_form_and_come_back)
{
    static const struct {
        uint64_t value;
        const char *hex;
    } rows[] = {
        { 0, "00" }, { 127, "7f" }, { 128, "cc80" }, { 255, "ccff" }, { 256, "cd0100" },
        { 65535, "cdffff" }, { 65536, "ce00010000" }, { UINT32_MAX, "ceffffffff" },
        { UINT64_C(1) << 32, "cf0000000100000000" }, { UINT64_MAX, "cfffffffffffffffff" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer out = { 0 };
        struct unpack unpack;
        pack_uint(&out, rows[i].value);
        assert_hex(buffer_bytes(&out), rows[i].hex);
        cr_assert(unpack_begin(&unpack, buffer_bytes(&out)) == OK);
        cr_assert(unpack_uint(&unpack, rows[i].value) == rows[i].value);
        cr_assert(unpack_end(&unpack) == OK);
        if (rows[i].value > 0) {
            unpack_begin(&unpack, buffer_bytes(&out));
            cr_assert(unpack_uint(&unpack, rows[i].value - 1) == 0);
            cr_assert(unpack_end(&unpack) == ERR_MALFORMED);
        }
        buffer_close(&out);
    }
}

Test(pack, signed_integers_take_their_shortest_form_and_come_back)
{
    static const struct {
        int64_t value;
        const char *hex;
    } rows[] = {
        { 0, "00" }, { 127, "7f" }, { 128, "cc80" }, { INT64_MAX, "cf7fffffffffffffff" },
        { -1, "ff" }, { -32, "e0" }, { -33, "d0df" }, { -128, "d080" }, { -129, "d1ff7f" },
        { -32768, "d18000" }, { -32769, "d2ffff7fff" }, { INT32_MIN, "d280000000" },
        { (int64_t)INT32_MIN - 1, "d3ffffffff7fffffff" }, { INT64_MIN, "d38000000000000000" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer out = { 0 };
        struct unpack unpack;
        pack_int(&out, rows[i].value);
        assert_hex(buffer_bytes(&out), rows[i].hex);
        cr_assert(unpack_begin(&unpack, buffer_bytes(&out)) == OK);
        cr_assert(unpack_int(&unpack) == rows[i].value);
        cr_assert(unpack_end(&unpack) == OK);
        buffer_close(&out);
    }
}

Test(pack, an_unsigned_integer_above_the_signed_range_is_not_a_signed_one)
{
    struct bytes input = bytes_of("\xcf\x80\0\0\0\0\0\0\0", 9);
    struct unpack unpack;
    cr_assert(unpack_begin(&unpack, input) == OK);
    cr_assert(unpack_int(&unpack) == 0);
    cr_assert(unpack_end(&unpack) == ERR_MALFORMED);
}

Test(pack, whatever_is_written_passes_the_skim_at_every_length)
{
    static const size_t sizes[] = { 0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536 };
    static uint8_t letters[65536];
    memset(letters, 'a', sizeof letters);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct bytes value = bytes_of(letters, sizes[i]);
        struct buffer out = { 0 };
        struct unpack unpack;
        pack_array(&out, 2);
        pack_str(&out, value);
        pack_bin(&out, value);
        cr_assert(unpack_begin(&unpack, buffer_bytes(&out)) == OK);
        cr_assert(unpack_array(&unpack, 2, 2) == 2);
        struct bytes text = unpack_str(&unpack, sizes[i]);
        struct bytes data = unpack_bin(&unpack, sizes[i]);
        cr_assert(bytes_equal(text, value) && bytes_equal(data, value));
        if (sizes[i] > 0)
            cr_assert(text.data > out.data && data.data + data.size <= out.data + out.size,
                      "ranges point into the input");
        cr_assert(unpack_end(&unpack) == OK);
        buffer_close(&out);
    }
}

Test(pack, counts_take_their_shortest_form)
{
    struct buffer out = { 0 };
    pack_array(&out, 0);
    pack_array(&out, 15);
    pack_array(&out, 16);
    pack_array(&out, 65536);
    pack_map(&out, 0);
    pack_map(&out, 15);
    pack_map(&out, 16);
    pack_nil(&out);
    pack_bool(&out, true);
    pack_bool(&out, false);
    assert_hex(buffer_bytes(&out), "90 9f dc0010 dd00010000 80 8f de0010 c0 c3 c2");
    buffer_close(&out);
}

/* [ 7, { 1: "ab", 5: [true, nil] }, -3, bin 2 ] */
static const char NESTED[] = "94 07 82 01 a26162 05 92 c3 c0 fd c4020809";

static struct bytes nested(struct buffer *input)
{
    append_hex(input, NESTED);
    return buffer_bytes(input);
}

Test(pack, nested_values_are_read_in_order)
{
    struct buffer input = { 0 };
    struct unpack unpack;
    uint8_t two[2];
    cr_assert(unpack_begin(&unpack, nested(&input)) == OK);
    cr_assert(unpack_array(&unpack, 4, 4) == 4);
    cr_assert(!unpack_nil(&unpack));
    cr_assert(unpack_uint(&unpack, 7) == 7);
    cr_assert(unpack_map(&unpack, 2) == 2);
    cr_assert(unpack_uint(&unpack, 9) == 1);
    cr_assert(bytes_equal(unpack_str(&unpack, 2), bytes_of_string("ab")));
    cr_assert(unpack_uint(&unpack, 9) == 5);
    cr_assert(unpack_array(&unpack, 0, 2) == 2);
    cr_assert(unpack_bool(&unpack));
    cr_assert(unpack_nil(&unpack));
    cr_assert(unpack_int(&unpack) == -3);
    unpack_bin_into(&unpack, two, 2);
    cr_assert(two[0] == 8 && two[1] == 9);
    cr_assert(unpack_end(&unpack) == OK);
    buffer_close(&input);
}

Test(pack, a_value_left_over_is_an_error_at_the_end)
{
    struct buffer input = { 0 };
    struct unpack unpack;
    cr_assert(unpack_begin(&unpack, nested(&input)) == OK);
    cr_assert(unpack_end(&unpack) == ERR_MALFORMED, "nothing read");

    unpack_begin(&unpack, buffer_bytes(&input));
    unpack_array(&unpack, 4, 4);
    for (int i = 0; i < 3; i++)
        unpack_skip(&unpack);
    cr_assert(unpack_end(&unpack) == ERR_MALFORMED, "three of four read");

    unpack_begin(&unpack, buffer_bytes(&input));
    unpack_array(&unpack, 4, 4);
    for (int i = 0; i < 4; i++)
        unpack_skip(&unpack);
    cr_assert(unpack_end(&unpack) == OK, "all four passed over, whole containers included");

    unpack_begin(&unpack, buffer_bytes(&input));
    unpack_skip(&unpack);
    unpack_skip(&unpack);
    cr_assert(unpack_end(&unpack) == ERR_MALFORMED, "more read than there is");
    buffer_close(&input);
}

Test(pack, the_first_error_stays_and_every_later_read_gives_zero)
{
    struct buffer input = { 0 };
    struct unpack unpack;
    uint8_t two[2] = { 1, 1 };
    unpack_begin(&unpack, nested(&input));
    unpack_array(&unpack, 4, 4);
    cr_assert(unpack_str(&unpack, 10).size == 0, "a number stands here");
    cr_assert(unpack.err == ERR_MALFORMED);
    cr_assert(unpack_uint(&unpack, 7) == 0);
    cr_assert(unpack_int(&unpack) == 0);
    cr_assert(unpack_map(&unpack, 2) == 0);
    cr_assert(unpack_array(&unpack, 0, 9) == 0);
    cr_assert(!unpack_bool(&unpack) && !unpack_nil(&unpack));
    unpack_skip(&unpack);
    unpack_bin_into(&unpack, two, 2);
    cr_assert(two[0] == 0 && two[1] == 0);
    cr_assert(unpack_end(&unpack) == ERR_MALFORMED);
    buffer_close(&input);
}

/* Reads the value of `hex` by `read`; the result of unpack_end(). */
static enum err reads(const char *hex, void (*read)(struct unpack *unpack))
{
    struct buffer input = { 0 };
    struct unpack unpack;
    append_hex(&input, hex);
    unpack_begin(&unpack, buffer_bytes(&input));
    read(&unpack);
    enum err err = unpack_end(&unpack);
    buffer_close(&input);
    return err;
}

static void read_str_of_2(struct unpack *unpack)
{
    unpack_str(unpack, 2);
}

static void read_bin_of_2(struct unpack *unpack)
{
    unpack_bin(unpack, 2);
}

static void read_exactly_2(struct unpack *unpack)
{
    uint8_t two[2];
    unpack_bin_into(unpack, two, 2);
}

static void read_1_or_2_nils(struct unpack *unpack)
{
    for (size_t left = unpack_array(unpack, 1, 2); left > 0; left--)
        unpack_nil(unpack);
}

static void read_map_of_1(struct unpack *unpack)
{
    for (size_t left = 2 * unpack_map(unpack, 1); left > 0; left--)
        unpack_skip(unpack);
}

Test(pack, limits_hold_on_both_sides_of_the_border)
{
    static const struct {
        const char *hex;
        void (*read)(struct unpack *unpack);
        enum err err;
    } rows[] = {
        { "a26161", read_str_of_2, OK },         { "a3616161", read_str_of_2, ERR_MALFORMED },
        { "c4026161", read_str_of_2, ERR_MALFORMED }, { "c4026161", read_bin_of_2, OK },
        { "c403616161", read_bin_of_2, ERR_MALFORMED }, { "a26161", read_bin_of_2, ERR_MALFORMED },
        { "c4026161", read_exactly_2, OK },      { "c40161", read_exactly_2, ERR_MALFORMED },
        { "c403616161", read_exactly_2, ERR_MALFORMED }, { "90", read_1_or_2_nils, ERR_MALFORMED },
        { "91c0", read_1_or_2_nils, OK },        { "92c0c0", read_1_or_2_nils, OK },
        { "93c0c0c0", read_1_or_2_nils, ERR_MALFORMED }, { "80", read_map_of_1, OK },
        { "810000", read_map_of_1, OK },         { "8200000100", read_map_of_1, ERR_MALFORMED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect(reads(rows[i].hex, rows[i].read) == rows[i].err, "row %zu: %s", i, rows[i].hex);
}

Test(pack, nothing_is_unpacked_that_the_skim_refuses)
{
    static const char *const rows[] = { "ddff000000", "cc00", "ca00000000", "0000", "", "a1ff" };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer input = { 0 };
        struct unpack unpack;
        append_hex(&input, rows[i]);
        cr_expect(unpack_begin(&unpack, buffer_bytes(&input)) == ERR_MALFORMED, "%s", rows[i]);
        cr_expect(unpack_uint(&unpack, 9) == 0);
        cr_expect(unpack_end(&unpack) == ERR_MALFORMED);
        buffer_close(&input);
    }
}
