#include "proto/record/rules.h"

#include <string.h>

bool time_ms_is_valid(int64_t time_ms)
{
    return time_ms >= 0 && (uint64_t)time_ms <= TIME_MS_MAX;
}

bool name_field_is_valid(const char name[NODE_NAME_SIZE_MAX + 1])
{
    return node_name_is_valid(bytes_of(name, strnlen(name, NODE_NAME_SIZE_MAX + 1)));
}

bool log_id_is_valid(const struct log_id *id)
{
    return name_field_is_valid(id->node) && name_field_is_valid(id->audience);
}

static bool bytes_are_within(struct bytes text, uint8_t least, uint8_t most)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < least || text.data[i] > most)
            return false;
    return true;
}

bool ascii_is_printable(struct bytes text)
{
    return bytes_are_within(text, 0x20, 0x7e);
}

bool ascii_is_digits(struct bytes text)
{
    return bytes_are_within(text, '0', '9');
}
