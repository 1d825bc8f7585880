#include "node/casework/directory_entry.h"

#include "node/casework/view_scan.h"

/* A value is: occurred at(8), status(4), then four strings, each after its size(1). */

static void write_range(struct buffer *out, struct bytes range)
{
    buffer_append_u8(out, (uint8_t)range.size);
    buffer_append_bytes(out, range);
}

void directory_entry_put(struct view *view, const struct directory_facts *facts)
{
    struct view_key key = key_of_directory(facts->node);
    struct buffer out = { 0 };
    buffer_append_u64(&out, (uint64_t)facts->occurred_at_ms);
    buffer_append_u32(&out, facts->status);
    write_range(&out, facts->iso);
    write_range(&out, facts->area_code);
    write_range(&out, facts->name_fa);
    write_range(&out, facts->name_en);
    if (out.err == OK)
        view_put(view, view_key_bytes(&key), buffer_bytes(&out));
    else if (view->err == OK)
        view->err = out.err;
    buffer_close(&out);
}

static void read_string(struct reader *reader, char *out, size_t size_max)
{
    size_t size = read_u8(reader);
    if (size > size_max)
        reader->err = ERR_MALFORMED;
    else
        read_into(reader, out, size);
}

static enum err entry_read(struct directory_entry *entry, struct bytes node, struct bytes value)
{
    struct reader reader = reader_of(value);
    struct reader name = reader_of(node);
    *entry = (struct directory_entry){ .occurred_at_ms = (int64_t)read_u64(&reader) };
    entry->status = read_u32(&reader);
    read_string(&reader, entry->iso, sizeof entry->iso - 1);
    read_string(&reader, entry->area_code, sizeof entry->area_code - 1);
    read_string(&reader, entry->name_fa, DIRECTORY_NAME_SIZE_MAX);
    read_string(&reader, entry->name_en, DIRECTORY_NAME_SIZE_MAX);
    if (node.size > NODE_NAME_SIZE_MAX || reader.rest.size > 0)
        return ERR_CORRUPT;
    read_into(&name, entry->node, node.size);
    return reader.err == OK ? OK : ERR_CORRUPT;
}

enum err directory_entry_get(struct view *view, struct bytes node, struct directory_entry *entry)
{
    struct view_key key = key_of_directory(node);
    struct bytes value;
    enum err err = view_get(view, view_key_bytes(&key), &value);
    if (err != OK)
        return err;
    if (entry_read(entry, node, value) != OK)
        view->err = ERR_CORRUPT;
    return view->err;
}

enum err directory_list(struct view *view, directory_on_entry *on_entry, void *context)
{
    struct view_key prefix = key_of_directory(BYTES_NONE);
    struct view_scan scan;
    view_scan_begin(&scan, view, view_key_bytes(&prefix));
    while (view_scan_next(&scan)) {
        struct directory_entry entry;
        if (entry_read(&entry, view_scan_rest(&scan), scan.value) != OK)
            return view->err = ERR_CORRUPT;
        on_entry(context, &entry);
    }
    return view->err;
}
