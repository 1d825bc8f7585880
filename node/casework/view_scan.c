#include "node/casework/view_scan.h"

#include "proto/base/require.h"

#include <string.h>

static void key_copy(struct view_key *out, struct bytes key)
{
    require(key.size <= sizeof out->data);
    memcpy(out->data, key.data, key.size);
    out->size = key.size;
}

void view_scan_begin(struct view_scan *scan, struct view *view, struct bytes prefix)
{
    require(prefix.size > 0);
    *scan = (struct view_scan){ .view = view };
    key_copy(&scan->prefix, prefix);
}

static bool accept(struct view_scan *scan, enum err err, struct bytes key, struct bytes value)
{
    if (err != OK || key.size < scan->prefix.size || key.size > sizeof scan->key.data ||
        memcmp(key.data, scan->prefix.data, scan->prefix.size) != 0)
        return false;
    key_copy(&scan->key, key);
    scan->begun = true;
    scan->value = value;
    return true;
}

bool view_scan_next(struct view_scan *scan)
{
    struct view_key from = scan->prefix;
    if (scan->begun) {
        /* The least key above the present one. */
        from = scan->key;
        require(from.size < sizeof from.data);
        from.data[from.size++] = 0;
    }
    struct bytes key;
    struct bytes value;
    enum err err = view_seek(scan->view, view_key_bytes(&from), false, &key, &value);
    return accept(scan, err, key, value);
}

/* The least key above all that begin with the prefix: every prefix begins with a table's letter,
 * so there is a byte that can grow. */
static struct view_key key_after_prefix(const struct view_key *prefix)
{
    struct view_key key = *prefix;
    while (key.data[key.size - 1] == UINT8_MAX)
        key.size--;
    key.data[key.size - 1]++;
    return key;
}

bool view_scan_previous(struct view_scan *scan)
{
    struct view_key from = scan->begun ? scan->key : key_after_prefix(&scan->prefix);
    struct bytes key;
    struct bytes value;
    enum err err = view_seek(scan->view, view_key_bytes(&from), true, &key, &value);
    return accept(scan, err, key, value);
}

void view_scan_before(struct view_scan *scan, struct bytes key)
{
    key_copy(&scan->key, key);
    scan->begun = true;
}

struct bytes view_scan_rest(const struct view_scan *scan)
{
    return bytes_of(scan->key.data + scan->prefix.size, scan->key.size - scan->prefix.size);
}
