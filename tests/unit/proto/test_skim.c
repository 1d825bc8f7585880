#include "proto/wire/skim.h"

#include "tests/unit/proto/hex.h"

/* The size of the first value, -1 when it is refused. */
static int skimmed(const char *hex)
{
    struct buffer input = { 0 };
    size_t used;
    append_hex(&input, hex);
    enum err err = skim_value(buffer_bytes(&input), &used);
    buffer_close(&input);
    cr_assert(err == OK || err == ERR_MALFORMED);
    return err == OK ? (int)used : -1;
}

static void assert_taken(const char *const *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buffer input = { 0 };
        append_hex(&input, rows[i]);
        cr_expect(skim_whole(buffer_bytes(&input)) == OK, "%s must be taken", rows[i]);
        for (size_t size = 0; size < input.size; size++)
            cr_expect(skim_whole(bytes_of(input.data, size)) == ERR_MALFORMED,
                      "%s cut to %zu bytes must be refused", rows[i], size);
        buffer_close(&input);
    }
}

static void assert_refused(const char *const *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cr_expect(skimmed(rows[i]) == -1, "%s must be refused", rows[i]);
}

#define TAKEN(...)                                              \
    do {                                                        \
        static const char *const rows[] = { __VA_ARGS__ };      \
        assert_taken(rows, sizeof rows / sizeof *rows);         \
    } while (0)
#define REFUSED(...)                                            \
    do {                                                        \
        static const char *const rows[] = { __VA_ARGS__ };      \
        assert_refused(rows, sizeof rows / sizeof *rows);       \
    } while (0)

Test(skim, every_type_is_taken_in_its_shortest_form_and_refused_when_cut_at_any_byte)
{
    TAKEN("c0", "c2", "c3", "00", "7f", "cc80", "ccff", "cd0100", "cdffff", "ce00010000",
          "ceffffffff", "cf0000000100000000", "cfffffffffffffffff", "ff", "e0", "d0df", "d080",
          "d1ff7f", "d18000", "d2ffff7fff", "d280000000", "d3ffffffff7fffffff",
          "d38000000000000000", "a0", "a161", "c400", "c40161", "90", "9100", "80", "810000",
          "82 00c0 01c0", "93 01 a161 91c3");
}

Test(skim, an_integer_in_a_longer_form_than_needed_is_refused)
{
    REFUSED("cc00", "cc7f", "cd00ff", "cd0000", "ce0000ffff", "cf00000000ffffffff", "d000", "d07f",
            "d0e0", "d0ff", "d10000", "d10080", "d1ff80", "d1ffff", "d200000000", "d200008000",
            "d2ffff8000", "d2ffffffff", "d30000000000000000", "d30000000080000000",
            "d3ffffffff80000000", "d3ffffffffffffffff");
}

/* A head in hex followed by `size` filling bytes. */
static enum err skim_filled(const char *head, size_t size, uint8_t filling)
{
    struct buffer input = { 0 };
    append_hex(&input, head);
    for (size_t i = 0; i < size; i++)
        buffer_append_u8(&input, filling);
    enum err err = skim_whole(buffer_bytes(&input));
    buffer_close(&input);
    return err;
}

Test(skim, a_length_or_count_in_a_longer_form_than_needed_is_refused)
{
    static const struct {
        const char *head;
        size_t size;
        enum err err;
    } filled[] = {
        { "bf", 31, OK },           { "d920", 32, OK },          { "d91f", 31, ERR_MALFORMED },
        { "d9ff", 255, OK },        { "da0100", 256, OK },       { "da00ff", 255, ERR_MALFORMED },
        { "daffff", 65535, OK },    { "db00010000", 65536, OK }, { "db0000ffff", 65535, ERR_MALFORMED },
        { "c4ff", 255, OK },        { "c50100", 256, OK },       { "c500ff", 255, ERR_MALFORMED },
        { "c5ffff", 65535, OK },    { "c600010000", 65536, OK }, { "c60000ffff", 65535, ERR_MALFORMED },
        { "9f", 15, OK },           { "dc0010", 16, OK },        { "dc000f", 15, ERR_MALFORMED },
        { "dc7fff", 32767, OK },    { "dd00007fff", 32767, ERR_MALFORMED },
    };
    for (size_t i = 0; i < sizeof filled / sizeof *filled; i++)
        cr_expect(skim_filled(filled[i].head, filled[i].size, 0x00) == filled[i].err, "%s",
                  filled[i].head);
    REFUSED("de0001 0000", "df00000001 0000", "dd00000001 00", "de000f 0000 0100 0200 0300 0400"
            "0500 0600 0700 0800 0900 0a00 0b00 0c00 0d00 0e00");
    TAKEN("de0010 0000 0100 0200 0300 0400 0500 0600 0700 0800 0900 0a00 0b00 0c00 0d00 0e00 0f00");
}

Test(skim, floats_ext_and_the_reserved_byte_are_refused)
{
    REFUSED("c1", "ca00000000", "cb0000000000000000", "cb7ff8000000000000", "d40000", "d5000000",
            "d60000000000", "d7000000000000000000", "c70000", "c7010000", "c8000000", "c90000000000",
            "d800 00000000000000000000000000000000", "91ca00000000", "8100cb0000000000000000");
}

Test(skim, the_five_bytes_that_ask_for_128_gib_are_refused_like_every_count_beyond_the_bytes_left)
{
    REFUSED("ddff000000", "ddffffffff", "dfffffffff", "df80000000", "dbffffffff", "c6ffffffff",
            "9200", "820000", "a261", "c40261", "dc0010 00", "de0010 00", "92 90 dc0010 00");
}

Test(skim, containers_nest_eight_deep_and_not_nine)
{
    TAKEN("91919191919191 90", "91919191919191 91 00", "8100 8100 8100 8100 8100 8100 8100 8100 c0");
    REFUSED("9191919191919191 90", "9191919191919191 80", "8100 8100 8100 8100 8100 8100 8100 8100 90");
    cr_assert(skim_filled("91", 1000000, 0x91) == ERR_MALFORMED);
    /* Depth is what is open, not what was: siblings do not add up. */
    TAKEN("9a 9191919191919100 9191919191919100 9191919191919100 9191919191919100 9191919191919100"
          "9191919191919100 9191919191919100 9191919191919100 9191919191919100 9191919191919100");
}

Test(skim, the_number_of_values_is_bounded_whatever_the_size)
{
    /* The array itself is one of SKIM_VALUE_MAX. */
    cr_assert(skim_filled("dc7fff", SKIM_VALUE_MAX - 1, 0xc0) == OK);
    cr_assert(skim_filled("dc8000", SKIM_VALUE_MAX, 0xc0) == ERR_MALFORMED);
}

Test(skim, map_keys_are_unsigned_ascending_and_unique)
{
    TAKEN("82 00c0 7fc0", "82 7fc0 cc80c0", "82 00 82 00c0 01c0 01 82 00c0 01c0");
    REFUSED("82 00c0 00c0", "82 01c0 00c0", "83 00c0 02c0 01c0", "81 a161 00", "81 ff 00",
            "81 c0 00", "81 90 00", "81 80 00", "81 c3 00", "82 cc80c0 7fc0", "91 82 05c0 05c0");
}

Test(skim, a_str_is_well_formed_utf8)
{
    TAKEN("a17f", "a2c280", "a2dfbf", "a3e0a080", "a3ed9fbf", "a3ee8080", "a3efbfbf", "a4f0908080",
          "a4f48fbfbf", "a8d8a7d8b1d8afd8a8", "b0 d8a7d8b1d8afd8a8 6162636465666768", "a100");
    REFUSED("a180", "a1bf", "a1c2", "a1ff", "a1fe", "a2c080", "a2c1bf", /* overlong */
            "a3e09fbf", "a4f08fbfbf", "a2c27f", "a2c2c0", "a3e28041", "a3e241ac",
            "a3eda080", "a3edbfbf", /* surrogates */
            "a4f4908080", "a4f5808080", "a4f7bfbfbf", /* above U+10FFFF */
            "a5f888808080", "a6fc8480808080", "a4f0908041", "a4f0904180", "a2e282", "a3f09080",
            "b0 6162636465666768 6162636465666780", "a962636465666768 d9");
    /* A character that is cut at the end of its str is not completed by what follows. */
    REFUSED("92 a1c2 80", "92 a2e282 ac");
    /* Bytes that are no text may stand in a bin. */
    TAKEN("c402c080", "c403eda080");
}

Test(skim, what_follows_the_value_is_the_callers_business)
{
    cr_assert_eq(skimmed("00 00"), 1);
    cr_assert_eq(skimmed("9100 c1"), 2);
    cr_assert_eq(skimmed("a161 a1"), 2);
    struct bytes two = BYTES_OF_ARRAY("\x01\x02");
    cr_assert(skim_whole(bytes_of(two.data, 2)) == ERR_MALFORMED);
    cr_assert(skim_whole(BYTES_NONE) == ERR_MALFORMED);
}
