#include "tests/check/fields.h"

#include "tests/check/dump.h"
#include "tests/check/history_private.h"

#include <inttypes.h>
#include <string.h>

static const char *const PERSON_NAMES[] = {
    [PERSON_NONE] = "",
    [PERSON_HELD] = "held",
    [PERSON_ABSENT] = "absent",
    [PERSON_DAMAGED] = "damaged",
};
enum { PERSON_COUNT = sizeof PERSON_NAMES / sizeof PERSON_NAMES[0] };

/* ---- writing ------------------------------------------------------------------------------- */

void fields_write_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            fprintf(file, "\\%c", *p);
        else if (*p < 0x20 || *p == 0x7f)
            fprintf(file, "\\u%04x", *p);
        else
            fputc(*p, file);
    }
    fputc('"', file);
}

static void write_hex(FILE *file, const uint8_t *bytes, size_t size)
{
    fputc('"', file);
    for (size_t i = 0; i < size; i++)
        fprintf(file, "%02x", bytes[i]);
    fputc('"', file);
}

static bool is_zero(const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < size; i++)
        if (p[i])
            return false;
    return true;
}

static bool is_default(const struct field *field, const void *value)
{
    switch (field->type) {
    case FIELD_TEXT:
        return **(const char *const *)value == 0;
    case FIELD_U64:
        return *(const uint64_t *)value == 0;
    case FIELD_U32:
        return *(const uint32_t *)value == 0;
    case FIELD_BOOL:
        return !*(const bool *)value;
    case FIELD_HASH:
        return is_zero(value, 32);
    case FIELD_CASE:
        return is_zero(value, 16);
    case FIELD_HOST:
        return *(const uint32_t *)value == HISTORY_NO_HOST;
    case FIELD_PERSON:
        return *(const enum dump_person *)value == PERSON_NONE;
    }
    return true;
}

static void write_value(FILE *file, const struct history *history, const struct field *field,
                        const void *value)
{
    switch (field->type) {
    case FIELD_TEXT:
        fields_write_text(file, *(const char *const *)value);
        break;
    case FIELD_U64:
        fprintf(file, "%" PRIu64, *(const uint64_t *)value);
        break;
    case FIELD_U32:
        fprintf(file, "%" PRIu32, *(const uint32_t *)value);
        break;
    case FIELD_BOOL:
        fputs("true", file);
        break;
    case FIELD_HASH:
        write_hex(file, value, 32);
        break;
    case FIELD_CASE:
        write_hex(file, value, 16);
        break;
    case FIELD_HOST:
        fields_write_text(file, history->hosts[*(const uint32_t *)value].name);
        break;
    case FIELD_PERSON:
        fields_write_text(file, PERSON_NAMES[*(const enum dump_person *)value]);
        break;
    }
}

void fields_write(FILE *file, const struct history *history, const struct field *fields,
                  size_t count, const void *from)
{
    for (size_t i = 0; i < count; i++) {
        const void *value = (const char *)from + fields[i].offset;
        if (is_default(&fields[i], value))
            continue;
        fprintf(file, ",\"%s\":", fields[i].name);
        write_value(file, history, &fields[i], value);
    }
}

/* ---- reading ------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const json_t *json, uint8_t *out, size_t size)
{
    const char *text = json_string_value(json);
    if (!text || strlen(text) != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool read_number(const json_t *json, uint64_t limit, uint64_t *number)
{
    if (!json_is_integer(json) || json_integer_value(json) < 0)
        return false;
    *number = (uint64_t)json_integer_value(json);
    return *number <= limit;
}

static bool read_host(const json_t *json, const struct history *history, uint32_t *host)
{
    const char *name = json_string_value(json);
    for (size_t i = 0; name && i < history->host_count; i++)
        if (strcmp(history->hosts[i].name, name) == 0) {
            *host = (uint32_t)i;
            return true;
        }
    return false;
}

static bool read_person(const json_t *json, enum dump_person *person)
{
    const char *name = json_string_value(json);
    for (int i = 0; name && i < PERSON_COUNT; i++)
        if (strcmp(PERSON_NAMES[i], name) == 0) {
            *person = (enum dump_person)i;
            return true;
        }
    return false;
}

static bool read_value(const json_t *json, const struct history *history, struct arena *arena,
                       enum field_type type, void *value)
{
    uint64_t number;
    switch (type) {
    case FIELD_TEXT:
        if (!json_is_string(json))
            return false;
        *(const char **)value = arena_text(arena, json_string_value(json));
        return true;
    case FIELD_U64:
        return read_number(json, INT64_MAX, value);
    case FIELD_U32:
        if (!read_number(json, UINT32_MAX, &number))
            return false;
        *(uint32_t *)value = (uint32_t)number;
        return true;
    case FIELD_BOOL:
        *(bool *)value = json_is_true(json);
        return json_is_boolean(json);
    case FIELD_HASH:
        return read_hex(json, value, 32);
    case FIELD_CASE:
        return read_hex(json, value, 16);
    case FIELD_HOST:
        return read_host(json, history, value);
    case FIELD_PERSON:
        return read_person(json, value);
    }
    return false;
}

static void set_default(const struct field *field, void *value)
{
    if (field->type == FIELD_TEXT)
        *(const char **)value = "";
    else if (field->type == FIELD_HOST)
        *(uint32_t *)value = HISTORY_NO_HOST;
}

bool fields_read(const json_t *object, const struct history *history, struct arena *arena,
                 const struct field *fields, size_t count, void *to, const char **bad)
{
    for (size_t i = 0; i < count; i++) {
        void *value = (char *)to + fields[i].offset;
        const json_t *json = json_object_get(object, fields[i].name);
        set_default(&fields[i], value);
        if (json && !json_is_null(json) &&
            !read_value(json, history, arena, fields[i].type, value)) {
            *bad = fields[i].name;
            return false;
        }
    }
    return true;
}
