#include "array_view.h"

#include "proto/base/require.h"

#include <stdlib.h>
#include <string.h>

static bool fails(struct array_view *array)
{
    if (array->calls_until_failure < 0)
        return false;
    return array->calls_until_failure-- <= 0;
}

/* The place of the first row with a key >= `key`. */
static size_t lower_bound(const struct array_view *array, struct bytes key)
{
    size_t low = 0;
    size_t high = array->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (bytes_compare(buffer_bytes(&array->rows[middle].key), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct array_view *array, size_t place, struct bytes key)
{
    return place < array->count && bytes_equal(buffer_bytes(&array->rows[place].key), key);
}

/* Lends a copy in fresh memory, and frees what was lent before: AddressSanitizer then sees every
 * use of a range after its time. */
static struct bytes lend(struct buffer *lent, struct bytes bytes)
{
    buffer_close(lent);
    buffer_append_bytes(lent, bytes);
    return buffer_bytes(lent);
}

static enum err array_get(void *context, struct bytes key, struct bytes *value)
{
    struct array_view *array = context;
    if (fails(array))
        return ERR_IO;
    size_t place = lower_bound(array, key);
    if (!is_at(array, place, key))
        return ERR_NOT_FOUND;
    *value = lend(&array->lent_value, buffer_bytes(&array->rows[place].value));
    return OK;
}

static void insert_row(struct array_view *array, size_t place)
{
    if (array->count == array->capacity) {
        array->capacity = array->capacity ? 2 * array->capacity : 64;
        array->rows = realloc(array->rows, array->capacity * sizeof *array->rows);
        require(array->rows != NULL);
    }
    memmove(array->rows + place + 1, array->rows + place,
            (array->count - place) * sizeof *array->rows);
    array->rows[place] = (struct array_row){ 0 };
    array->count++;
}

static enum err array_put(void *context, struct bytes key, struct bytes value)
{
    struct array_view *array = context;
    require(key.size > 0 && key.size <= VIEW_KEY_SIZE_MAX && value.data != NULL && value.size > 0);
    if (fails(array))
        return ERR_IO;
    size_t place = lower_bound(array, key);
    if (!is_at(array, place, key)) {
        insert_row(array, place);
        buffer_append_bytes(&array->rows[place].key, key);
    }
    buffer_clear(&array->rows[place].value);
    buffer_append_bytes(&array->rows[place].value, value);
    return OK;
}

static enum err array_del(void *context, struct bytes key)
{
    struct array_view *array = context;
    if (fails(array))
        return ERR_IO;
    size_t place = lower_bound(array, key);
    if (!is_at(array, place, key))
        return ERR_NOT_FOUND;
    buffer_close(&array->rows[place].key);
    buffer_close(&array->rows[place].value);
    array->count--;
    memmove(array->rows + place, array->rows + place + 1,
            (array->count - place) * sizeof *array->rows);
    return OK;
}

static enum err array_seek(void *context, struct bytes from, bool backward, struct bytes *key,
                           struct bytes *value)
{
    struct array_view *array = context;
    if (fails(array))
        return ERR_IO;
    size_t place = lower_bound(array, from);
    if (backward ? place == 0 : place == array->count)
        return ERR_END;
    place -= backward;
    *key = lend(&array->lent_key, buffer_bytes(&array->rows[place].key));
    *value = lend(&array->lent_value, buffer_bytes(&array->rows[place].value));
    return OK;
}

void array_view_init(struct array_view *array)
{
    static const struct view_ops OPS = { array_get, array_put, array_del, array_seek };
    *array =
        (struct array_view){ .view = { .ops = &OPS, .context = array }, .calls_until_failure = -1 };
}

void array_view_close(struct array_view *array)
{
    for (size_t i = 0; i < array->count; i++) {
        buffer_close(&array->rows[i].key);
        buffer_close(&array->rows[i].value);
    }
    free(array->rows);
    buffer_close(&array->lent_key);
    buffer_close(&array->lent_value);
}

bool array_view_equal(const struct array_view *a, const struct array_view *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!bytes_equal(buffer_bytes(&a->rows[i].key), buffer_bytes(&b->rows[i].key)) ||
            !bytes_equal(buffer_bytes(&a->rows[i].value), buffer_bytes(&b->rows[i].value)))
            return false;
    return true;
}

bool array_view_contains(const struct array_view *array, struct bytes needle)
{
    for (size_t i = 0; i < array->count; i++)
        if (memmem(array->rows[i].key.data, array->rows[i].key.size, needle.data, needle.size) ||
            memmem(array->rows[i].value.data, array->rows[i].value.size, needle.data, needle.size))
            return true;
    return false;
}
