#include "tests/unit/storage/views_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(views_memory, .init = setup, .fini = teardown);

/* ---- the decider and readers ----------------------------------------------------------------- */

Test(views_memory, what_is_put_is_read_back_before_and_after_the_flush)
{
    struct view *view = decide(1);
    put(view, "a", "one");
    put(view, "empty", "");
    put(view, "gone", "x");
    put(view, "gone", NULL);
    for (int flushed = 0; flushed < 2; flushed++) {
        view = decide(2);
        expect(view, "a", "one");
        expect(view, "empty", "");
        expect(view, "gone", "-");
        cr_assert_eq(views_decider_group(fixture.views), flushed ? 0 : 1);
        views_decider_end(fixture.views);
        READER(reader);
        expect(&reader.view, "a", "one");
        expect(&reader.view, "empty", "");
        expect(&reader.view, "gone", "-");
        cr_assert_eq(reader.group, flushed ? 0 : 1);
        view_put(&reader.view, bytes_of_string("a"), bytes_of_string("two"));
        cr_assert_eq(reader.view.err, ERR_INVALID, "readers do not write");
        views_reader_end(&reader);
        if (!flushed)
            flush(1);
    }
}

Test(views_memory, a_key_that_was_looked_for_in_vain_is_found_from_the_moment_it_is_put)
{
    struct view *view = decide(1);
    expect(view, "a", "-");
    expect(view, "a", "-"); /* remembered by now */
    put(view, "a", "one");
    expect(view, "a", "one");
    put(view, "a", NULL);
    expect(view, "a", "-");
    cr_assert_eq(views_decider_group(fixture.views), 1, "that it is gone is not yet durable");
    expect(view, "b", "-");
    view = decide(2);
    put(view, "b", "two");
    views_decider_end(fixture.views);
    flush(2);
    view = decide(3);
    expect(view, "a", "-");
    expect(view, "b", "two");
    views_decider_end(fixture.views);
}

Test(views_memory, a_flush_of_puts_and_tombstones_in_turn_leaves_just_what_was_put)
{
    enum { KEYS = 3000 };
    char key[24], value[200];
    struct view *view = decide(1);
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key-%05d", i);
        put(view, key, value);
    }
    views_decider_end(fixture.views);
    flush(1);
    view = decide(2);
    for (int i = 0; i < KEYS; i++) { /* whole pages vanish, others grow */
        snprintf(key, sizeof key, "key-%05d", i);
        put(view, key, i / 100 % 2 ? NULL : "short");
        snprintf(key, sizeof key, "key-%05d+", i);
        if (i % 3 == 0)
            put(view, key, value);
    }
    views_decider_end(fixture.views);
    flush(2);
    cr_assert_eq(views_fixture_entries(&fixture), KEYS / 2 + KEYS / 3);
    READER(reader);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key-%05d", i);
        expect(&reader.view, key, i / 100 % 2 ? "-" : "short");
    }
    views_reader_end(&reader);
}

Test(views_memory, a_tombstone_hides_what_is_stored_until_the_flush_takes_it_away)
{
    struct view *view = decide(1);
    put(view, "a", "one");
    put(view, "b", "one");
    views_decider_end(fixture.views);
    flush(1);
    view = decide(2);
    put(view, "a", NULL);
    views_decider_end(fixture.views);
    READER(reader);
    struct bytes key, value;
    expect(&reader.view, "a", "-");
    cr_assert_eq(reader.group, 2, "that it is gone is not yet durable");
    cr_assert_eq(view_seek(&reader.view, BYTES_NONE, false, &key, &value), OK);
    cr_assert(bytes_equal(key, bytes_of_string("b")));
    cr_assert_eq(view_seek(&reader.view, bytes_of_string("b"), true, &key, &value), ERR_END);
    views_reader_end(&reader);
    flush(2);
    cr_assert_eq(views_fixture_entries(&fixture), 1);
}

Test(views_memory, a_reader_keeps_its_state_while_tables_are_frozen_flushed_and_dropped)
{
    put(decide(1), "a", "one");
    views_decider_end(fixture.views);
    READER(first);
    struct view *view = decide(2);
    put(view, "a", "two");
    put(view, "b", "two");
    READER(unpublished);
    views_decider_end(fixture.views);
    flush(2);
    READER(second);
    put(decide(3), "a", NULL);
    views_decider_end(fixture.views);
    flush(3);
    READER(third);

    expect(&first.view, "a", "one");
    expect(&first.view, "b", "-");
    expect(&unpublished.view, "a", "one");
    expect(&unpublished.view, "b", "-");
    expect(&second.view, "a", "two");
    expect(&second.view, "b", "two");
    expect(&third.view, "a", "-");
    views_reader_end(&first);
    views_reader_end(&unpublished);
    views_reader_end(&second);
    views_reader_end(&third);
}

/* Walks forward as callers do: from just above the last key. "4 400 1 " are the sizes of keys. */
static void expect_walk(struct view *view, const char *wanted)
{
    uint8_t from[VIEW_KEY_SIZE_MAX + 1];
    char sizes[64] = "";
    struct bytes at = BYTES_NONE, key, value;
    while (view_seek(view, at, false, &key, &value) == OK) {
        size_t used = strlen(sizes);
        snprintf(sizes + used, sizeof sizes - used, "%d ", (int)key.size);
        if (key.size > 0)
            memcpy(from, key.data, key.size);
        from[key.size] = 0;
        at = bytes_of(from, key.size + 1);
    }
    cr_assert_eq(view->err, OK, "%s", err_name(view->err));
    cr_assert_str_eq(sizes, wanted, "%s", sizes);
}

Test(views_memory, keys_may_be_empty_and_as_long_as_allowed_and_no_longer)
{
    char longest[VIEW_KEY_SIZE_MAX + 1];
    struct bytes value;
    memset(longest, 'k', sizeof longest);
    struct view *view = decide(1);
    view_put(view, BYTES_NONE, bytes_of_string("empty"));
    view_put(view, bytes_of(longest, VIEW_KEY_SIZE_MAX), bytes_of_string("long"));
    put(view, "z", "last");
    cr_assert_eq(view->err, OK);
    expect_walk(view, "0 400 1 ");
    views_decider_end(fixture.views);
    flush(1);
    READER(reader);
    expect(&reader.view, "", "empty");
    cr_assert_eq(view_get(&reader.view, bytes_of(longest, VIEW_KEY_SIZE_MAX), &value), OK);
    expect_walk(&reader.view, "0 400 1 ");
    views_reader_end(&reader);
    view = decide(2);
    view_del(view, bytes_of(longest, VIEW_KEY_SIZE_MAX));
    expect_walk(view, "0 1 ");
    view_put(view, bytes_of(longest, sizeof longest), bytes_of_string("too long"));
    cr_assert_eq(view->err, ERR_INVALID);
}

/* ---- against a plain array ------------------------------------------------------------------- */

enum { MODEL_KEYS = 200, MODEL_READERS = 3 };

struct model {
    uint32_t values[MODEL_KEYS]; /* 0: not there */
};

static size_t model_key(uint32_t key, char out[16])
{
    /* Of different lengths, some a prefix of others. */
    return (size_t)snprintf(out, 16, "%.*x", 1 + (int)(key % 3), (unsigned)key);
}

/* The array's keys in byte order. */
static int model_order[MODEL_KEYS];
static char model_names[MODEL_KEYS][16];

static int model_compare(const void *a, const void *b)
{
    return strcmp(model_names[*(const int *)a], model_names[*(const int *)b]);
}

static void model_prepare(void)
{
    for (int i = 0; i < MODEL_KEYS; i++) {
        model_key((uint32_t)i, model_names[i]);
        /* Make them unique without losing prefixes. */
        for (int k = 0; k < i; k++)
            if (strcmp(model_names[k], model_names[i]) == 0) {
                strcat(model_names[i], "/");
                k = -1;
            }
        model_order[i] = i;
    }
    qsort(model_order, MODEL_KEYS, sizeof *model_order, model_compare);
}

static void model_check(struct view *view, const struct model *model, uint64_t *random,
                        unsigned seed)
{
    uint32_t pick = history_random(random) % MODEL_KEYS;
    struct bytes key, value, name = bytes_of_string(model_names[pick]);
    enum err err = view_get(view, name, &value);
    cr_assert_eq(err, model->values[pick] ? OK : ERR_NOT_FOUND, "seed %u get %s: %s", seed,
                 model_names[pick], err_name(err));
    if (err == OK)
        cr_assert_eq(get_u32(value.data), model->values[pick], "seed %u get %s", seed,
                     model_names[pick]);

    bool backward = history_random(random) % 2;
    int at = backward ? MODEL_KEYS - 1 : 0;
    for (; at >= 0 && at < MODEL_KEYS; at += backward ? -1 : 1) {
        int order = strcmp(model_names[model_order[at]], model_names[pick]);
        if (model->values[model_order[at]] && (backward ? order < 0 : order >= 0))
            break;
    }
    err = view_seek(view, name, backward, &key, &value);
    if (at < 0 || at == MODEL_KEYS) {
        cr_assert_eq(err, ERR_END, "seed %u seek %s", seed, model_names[pick]);
        return;
    }
    int found = model_order[at];
    cr_assert_eq(err, OK, "seed %u seek %s: %s", seed, model_names[pick], err_name(err));
    cr_assert(bytes_equal(key, bytes_of_string(model_names[found])), "seed %u seek %s found %.*s",
              seed, model_names[pick], (int)key.size, (const char *)key.data);
    cr_assert_eq(get_u32(value.data), model->values[found]);
}

Test(views_memory, random_changes_flushes_and_readers_agree_with_a_plain_array)
{
    unsigned seed = getenv("SEED") ? (unsigned)strtoul(getenv("SEED"), NULL, 10) : 1;
    uint64_t random = seed;
    struct model now = { { 0 } }, seen[MODEL_READERS];
    struct views_reader readers[MODEL_READERS];
    bool open[MODEL_READERS] = { false };
    uint64_t group = 1;
    uint32_t next_value = 1;
    printf("seed %u\n", seed);
    model_prepare();
    for (int step = 0; step < 12000; step++) {
        uint32_t what = history_random(&random) % 100, key = history_random(&random) % MODEL_KEYS;
        uint32_t slot = history_random(&random) % MODEL_READERS;
        if (what < 40) { /* a command of one to four changes; readers begin between commands */
            struct view *view = decide(group);
            for (uint32_t i = 0; i <= what % 4; i++) {
                uint8_t raw[4];
                key = (key * 7 + i) % MODEL_KEYS;
                now.values[key] = history_random(&random) % 3 ? next_value++ : 0;
                put_u32(raw, now.values[key]);
                if (now.values[key])
                    view_put(view, bytes_of_string(model_names[key]), BYTES_OF_ARRAY(raw));
                else
                    view_del(view, bytes_of_string(model_names[key]));
                model_check(view, &now, &random, seed);
            }
            cr_assert_eq(view->err, OK);
            if (what % 2)
                views_decider_end(fixture.views);
        } else if (what < 60) {
            model_check(decide(group), &now, &random, seed);
        } else if (what < 80) {
            if (open[slot])
                model_check(&readers[slot].view, &seen[slot], &random, seed);
        } else if (what < 88) {
            if (open[slot])
                views_reader_end(&readers[slot]);
            decide(group); /* publishes what was put */
            cr_assert_eq(views_reader_begin(fixture.views, "ardabil", &readers[slot]), OK);
            seen[slot] = now;
            open[slot] = true;
        } else if (what < 92) {
            memory_freeze(views_memory(fixture.views), group++); /* or is busy */
        } else if (what < 96) {
            struct log_head head = some_head(group);
            enum err err = views_flush(fixture.views, &head);
            cr_assert(err == OK || err == ERR_NOT_FOUND, "%s", err_name(err));
        } else if (open[slot]) {
            views_reader_end(&readers[slot]);
            open[slot] = false;
        }
    }
    for (int i = 0; i < MODEL_READERS; i++)
        if (open[i])
            views_reader_end(&readers[i]);
}
