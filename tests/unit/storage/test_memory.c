#include "storage/memory.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MAX_DEFAULT ((size_t)64 << 20)

static struct memory *memory_of_size(size_t size_max)
{
    struct memory *memory = NULL;
    cr_assert_eq(memory_new(&memory, size_max), OK);
    return memory;
}

static void put(struct memory *memory, uint64_t group, const char *key, const char *value)
{
    struct bytes bytes = value ? bytes_of_string(value) : BYTES_NONE;
    cr_assert_eq(memory_put(memory, group, bytes_of_string(key), bytes), OK);
}

/* "value@group", "erased@group" or "-". */
static void expect(const struct memory_pin *pin, const char *key, const char *wanted)
{
    struct bytes value;
    uint64_t group = 0;
    char found[64] = "-";
    enum err err = memory_get(pin, bytes_of_string(key), &value, &group);
    if (err == OK)
        snprintf(found, sizeof found, "%.*s@%d", (int)value.size, (const char *)value.data,
                 (int)group);
    else if (err == ERR_ERASED)
        snprintf(found, sizeof found, "erased@%d", (int)group);
    cr_assert_str_eq(found, wanted, "%s: %s", key, found);
}

/* All keys of a walk, tombstones in brackets: with the end of all keys as limit, each is found. */
static void expect_walk(const struct memory_pin *pin, bool backward, const char *wanted)
{
    char found[256] = "", from[64] = "";
    struct bytes at = backward ? bytes_of_string("\xff") : BYTES_NONE, key, value;
    const struct bytes limit = backward ? bytes_of_string("\xff") : BYTES_NONE;
    uint64_t group;
    while (memory_seek(pin, at, backward, &limit, &key, &value, &group) == OK) {
        size_t used = strlen(found);
        snprintf(found + used, sizeof found - used, value.data ? "%.*s " : "[%.*s] ",
                 (int)key.size, (const char *)key.data);
        memcpy(from, key.data, key.size);
        from[key.size] = '\0';
        at = bytes_of(from, key.size + (backward ? 0 : 1));
    }
    cr_assert_str_eq(found, wanted, "%s", found);
}

/* "key@newest group looked at", tombstones in brackets, "end@group". */
static void expect_seek(const struct memory_pin *pin, const char *from, bool backward,
                        const char *limit, const char *wanted)
{
    struct bytes key, value, bound = bytes_of_string(limit ? limit : "");
    uint64_t group;
    char found[64];
    if (memory_seek(pin, bytes_of_string(from), backward, limit ? &bound : NULL, &key, &value,
                    &group) != OK)
        snprintf(found, sizeof found, "end@%d", (int)group);
    else
        snprintf(found, sizeof found, value.data ? "%.*s@%d" : "[%.*s]@%d", (int)key.size,
                 (const char *)key.data, (int)group);
    cr_assert_str_eq(found, wanted, "%s", found);
}

Test(memory, tombstones_are_passed_over_up_to_the_limit)
{
    struct memory *memory = memory_of_size(SIZE_MAX_DEFAULT);
    struct memory_pin pin;
    put(memory, 1, "a", "hidden by the newer table");
    put(memory, 1, "f", "below");
    put(memory, 1, "g", NULL);
    cr_assert_eq(memory_freeze(memory, 1), OK);
    put(memory, 2, "a", NULL);
    put(memory, 3, "c", NULL);
    put(memory, 2, "e", NULL);
    put(memory, 2, "g", "above");
    memory_publish(memory);
    memory_pin(memory, &pin);
    expect_seek(&pin, "", false, NULL, "f@3");
    expect_seek(&pin, "", false, "b", "[c]@3");
    expect_seek(&pin, "", false, "c", "[c]@3");
    expect_seek(&pin, "", false, "d", "[e]@3");
    expect_seek(&pin, "", false, "z", "f@3");
    expect_seek(&pin, "d", false, "z", "f@2");
    expect_seek(&pin, "g", true, NULL, "f@1");
    expect_seek(&pin, "f", true, NULL, "end@3");
    expect_seek(&pin, "f", true, "b", "[a]@3");
    expect_seek(&pin, "f", true, "d", "[c]@3");
    expect_seek(&pin, "h", false, NULL, "end@0");
    memory_unpin(&pin);
    memory_free(memory);
}

Test(memory, the_newest_value_and_the_group_that_wrote_it_are_found)
{
    struct memory *memory = memory_of_size(SIZE_MAX_DEFAULT);
    struct memory_pin pin;
    put(memory, 1, "a", "one");
    put(memory, 1, "b", "");
    put(memory, 2, "a", "two");
    put(memory, 3, "c", NULL);
    memory_publish(memory);
    memory_pin(memory, &pin);
    expect(&pin, "a", "two@2");
    expect(&pin, "b", "@1");
    expect(&pin, "c", "erased@3");
    expect(&pin, "d", "-");
    expect(&pin, "", "-");
    memory_unpin(&pin);
    memory_free(memory);
}

Test(memory, a_reader_sees_the_state_between_two_commands_and_the_writer_its_own)
{
    struct memory *memory = memory_of_size(SIZE_MAX_DEFAULT);
    struct memory_pin before, during, after, own;
    put(memory, 1, "a", "one");
    put(memory, 1, "c", "one");
    memory_publish(memory);
    memory_pin(memory, &before);
    put(memory, 2, "a", "two");
    put(memory, 2, "b", "two");
    put(memory, 2, "c", NULL);
    memory_pin(memory, &during);
    memory_pin_newest(memory, &own);
    memory_publish(memory);
    memory_pin(memory, &after);

    expect(&before, "a", "one@1");
    expect(&during, "a", "one@1");
    expect(&during, "b", "-");
    expect(&own, "b", "two@2");
    expect(&after, "a", "two@2");
    expect(&after, "c", "erased@2");
    expect_walk(&before, false, "a c ");
    expect_walk(&during, true, "c a ");
    expect_walk(&own, false, "a b [c] ");
    expect_walk(&after, true, "[c] b a ");

    memory_unpin(&before);
    memory_unpin(&during);
    memory_unpin(&after);
    memory_unpin(&own);
    memory_free(memory);
}

Test(memory, the_active_table_stands_before_the_frozen_one)
{
    struct memory *memory = memory_of_size(SIZE_MAX_DEFAULT);
    struct memory_pin pin;
    put(memory, 1, "a", "one");
    put(memory, 1, "b", "one");
    put(memory, 1, "d", NULL);
    cr_assert_eq(memory_freeze(memory, 1), OK);
    cr_assert_eq(memory_freeze(memory, 1), ERR_BUSY);
    cr_assert_eq(memory_frozen_group(memory), 1);
    cr_assert_eq(memory_active_size(memory), 0);
    put(memory, 2, "b", NULL);
    put(memory, 2, "c", "two");
    put(memory, 2, "d", "two");
    memory_publish(memory);
    memory_pin(memory, &pin);
    expect(&pin, "a", "one@1");
    expect(&pin, "b", "erased@2");
    expect(&pin, "d", "two@2");
    expect_walk(&pin, false, "a [b] c d ");
    expect_walk(&pin, true, "d c [b] a ");
    memory_unpin(&pin);
    memory_free(memory);
}

Test(memory, what_a_pin_holds_stays_after_it_was_dropped_or_cleared)
{
    struct memory *memory = memory_of_size(SIZE_MAX_DEFAULT);
    struct memory_pin frozen, cleared, now;
    put(memory, 1, "a", "one");
    cr_assert_eq(memory_freeze(memory, 1), OK);
    memory_pin(memory, &frozen);
    cr_assert(memory_pin_is_current(&frozen));
    memory_frozen_drop(memory);
    cr_assert_not(memory_has_frozen(memory));
    cr_assert(memory_pin_is_current(&frozen), "a drop alone: the pin only holds more");

    put(memory, 2, "b", "two");
    memory_publish(memory);
    memory_pin(memory, &cleared);
    cr_assert_eq(memory_clear(memory), OK);
    cr_assert_not(memory_pin_is_current(&cleared));
    memory_pin(memory, &now);

    expect(&frozen, "a", "one@1");
    expect(&frozen, "b", "-");
    expect(&cleared, "a", "-");
    expect(&cleared, "b", "two@2");
    expect_walk(&now, false, "");
    memory_unpin(&frozen);
    memory_unpin(&cleared);
    memory_unpin(&now);
    memory_free(memory);
}

Test(memory, it_asks_for_a_flush_at_half_of_its_size_and_is_full_at_all_of_it)
{
    struct memory *memory = memory_of_size(64 * 1024);
    char key[16];
    int i = 0;
    for (; !memory_wants_freeze(memory); i++) {
        snprintf(key, sizeof key, "%08d", i);
        put(memory, 1, key, "value");
    }
    cr_assert_geq(memory_active_size(memory), 32 * 1024);
    cr_assert_not(memory_is_full(memory));
    cr_assert_eq(memory_freeze(memory, 1), OK);
    cr_assert_eq(memory_frozen_keys(memory), (size_t)i);
    for (; !memory_is_full(memory); i++) {
        cr_assert_not(memory_wants_freeze(memory), "one is frozen already");
        snprintf(key, sizeof key, "%08d", i);
        put(memory, 2, key, "value");
    }
    cr_assert_geq(memory_size(memory), 64 * 1024);
    memory_frozen_drop(memory);
    cr_assert_not(memory_is_full(memory));
    for (; !memory_wants_freeze(memory); i++) {
        snprintf(key, sizeof key, "%08d", i);
        put(memory, 2, key, "value");
    }
    cr_assert_not(memory_is_full(memory));
    memory_free(memory);
}

struct scan {
    char keys[64];
    int stop_after;
};

static enum err scan_entry(void *context, struct bytes key, struct bytes value)
{
    struct scan *scan = context;
    size_t used = strlen(scan->keys);
    snprintf(scan->keys + used, sizeof scan->keys - used, "%.*s=%.*s ", (int)key.size,
             (const char *)key.data, value.data ? (int)value.size : 1,
             value.data ? (const char *)value.data : "-");
    return --scan->stop_after == 0 ? ERR_IO : OK;
}

Test(memory, the_frozen_table_is_scanned_in_order_each_key_once)
{
    struct memory *memory = memory_of_size(SIZE_MAX_DEFAULT);
    struct scan scan = { .stop_after = 100 };
    cr_assert_eq(memory_frozen_scan(memory, scan_entry, &scan), OK);
    cr_assert_str_empty(scan.keys);
    put(memory, 1, "b", "1");
    put(memory, 1, "a", "1");
    put(memory, 1, "b", "2");
    put(memory, 1, "c", NULL);
    cr_assert_eq(memory_freeze(memory, 1), OK);
    put(memory, 2, "d", "1");
    cr_assert_eq(memory_frozen_scan(memory, scan_entry, &scan), OK);
    cr_assert_str_eq(scan.keys, "a=1 b=2 c=- ");
    scan = (struct scan){ .stop_after = 2 };
    cr_assert_eq(memory_frozen_scan(memory, scan_entry, &scan), ERR_IO);
    memory_free(memory);
}

Test(memory, a_walk_of_many_random_keys_is_sorted_and_whole_in_both_directions)
{
    enum { COUNT = 20000 };
    static uint32_t numbers[COUNT];
    struct memory *memory = memory_of_size(SIZE_MAX_DEFAULT);
    uint32_t random = 12345;
    for (uint32_t i = 0; i < COUNT; i++) {
        /* An odd multiplier is a bijection: no number twice. Long common prefixes for some. */
        uint8_t key[20] = "common prefix..";
        random = (i + 1) * UINT32_C(2654435761);
        numbers[i] = random;
        put_u32(key + (i % 2 ? 16 : 0), random);
        cr_assert_eq(memory_put(memory, 1, bytes_of(key, i % 2 ? 20 : 4),
                                bytes_of(&numbers[i], sizeof numbers[i])),
                     OK);
    }
    memory_publish(memory);
    struct memory_pin pin;
    memory_pin(memory, &pin);
    for (int backward = 0; backward < 2; backward++) {
        uint8_t from[32];
        struct bytes at = backward ? bytes_of("\xff\xff\xff\xff\xff", 5) : BYTES_NONE;
        struct bytes key, value, previous = BYTES_NONE;
        uint64_t group;
        int count = 0;
        while (memory_seek(&pin, at, backward, NULL, &key, &value, &group) == OK) {
            if (count++ > 0)
                cr_assert_eq(bytes_compare(key, previous) > 0, !backward);
            previous = key;
            memcpy(from, key.data, key.size);
            from[key.size] = 0;
            at = bytes_of(from, key.size + !backward);
        }
        cr_assert_eq(count, COUNT);
    }
    memory_unpin(&pin);
    memory_free(memory);
}

/* What the writer's shortcuts are for, all mixed: keys that ascend, keys at random between them, and
 * a few that are put again and again. */
Test(memory, the_writer_finds_its_newest_value_whatever_order_the_keys_come_in)
{
    enum { PUTS = 20000, HOT = 40, MODEL = 3 * PUTS };
    static int model[MODEL];
    struct memory *memory = memory_of_size(SIZE_MAX_DEFAULT);
    struct memory_pin own;
    uint32_t random = 1;
    memory_pin_newest(memory, &own);
    for (int i = 1; i <= PUTS; i++) {
        random = random * 1664525 + 1013904223;
        int sort = (int)(random >> 16) % 3, at = sort == 0 ? i : (int)(random >> 8) % PUTS;
        if (sort == 2)
            at %= HOT;
        char key[24], value[16], wanted[32] = "-";
        snprintf(key, sizeof key, "%c-%06d", "tru"[sort], at);
        if (model[sort * PUTS + at - (sort == 0)] > 0)
            snprintf(wanted, sizeof wanted, "%d@1", model[sort * PUTS + at - (sort == 0)]);
        expect(&own, key, wanted);
        snprintf(value, sizeof value, "%d", i);
        put(memory, 1, key, value);
        model[sort * PUTS + at - (sort == 0)] = i;
        snprintf(wanted, sizeof wanted, "%d@1", i);
        expect(&own, key, wanted);
    }
    memory_publish(memory);
    struct memory_pin reader;
    memory_pin(memory, &reader);
    for (int i = 0; i < MODEL; i++) {
        char key[24], wanted[32] = "-";
        snprintf(key, sizeof key, "%c-%06d", "tru"[i / PUTS], i % PUTS + (i < PUTS));
        if (model[i] > 0)
            snprintf(wanted, sizeof wanted, "%d@1", model[i]);
        expect(&reader, key, wanted);
    }
    memory_unpin(&own);
    memory_unpin(&reader);
    memory_free(memory);
}
