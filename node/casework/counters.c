#include "node/casework/counters.h"

#include "node/casework/view_scan.h"

static uint64_t count_of(struct bytes value)
{
    return value.size == 8 ? get_u64(value.data) : 0;
}

static uint64_t count_at(struct view *view, const struct view_key *key)
{
    struct bytes value;
    return view_get(view, view_key_bytes(key), &value) == OK ? count_of(value) : 0;
}

uint64_t counter_read(struct view *view, enum counter counter, struct bytes rest)
{
    struct view_key key = key_of_counter(counter, rest);
    return count_at(view, &key);
}

void counter_add(struct view *view, enum counter counter, struct bytes rest, int change)
{
    struct view_key key = key_of_counter(counter, rest);
    uint64_t count = count_at(view, &key) + (uint64_t)change;
    uint8_t value[8];
    put_u64(value, count);
    if (count == 0)
        view_del(view, view_key_bytes(&key));
    else
        view_put(view, view_key_bytes(&key), BYTES_OF_ARRAY(value));
}

enum err counters_list(struct view *view, enum counter counter, counters_on_count *on_count,
                       void *context)
{
    struct view_key prefix = key_of_counter(counter, BYTES_NONE);
    struct view_scan scan;
    view_scan_begin(&scan, view, view_key_bytes(&prefix));
    while (view_scan_next(&scan))
        on_count(context, view_scan_rest(&scan), count_of(scan.value));
    return view->err;
}
