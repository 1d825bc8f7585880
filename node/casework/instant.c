#include "node/casework/instant.h"

#include "node/casework/jalali.h"

#include <string.h>

int32_t instant_iran_day(int64_t time_ms)
{
    int64_t local_ms = time_ms + IRAN_OFFSET_S * INT64_C(1000);
    return (int32_t)(local_ms / DAY_MS - (local_ms % DAY_MS < 0));
}

int64_t instant_of_iran_day(int32_t day)
{
    return day * DAY_MS - IRAN_OFFSET_S * INT64_C(1000);
}

/* ---- writing --------------------------------------------------------------------------------- */

static char *write_number(char *out, int count, int value, char after)
{
    for (int i = count; i-- > 0; value /= 10)
        out[i] = (char)('0' + value % 10);
    out[count] = after;
    return out + count + 1;
}

void instant_format(char out[INSTANT_TEXT_SIZE + 1], int64_t time_ms)
{
    int32_t day = instant_iran_day(time_ms);
    int second = (int)((time_ms - instant_of_iran_day(day)) / 1000);
    struct gregorian_date date = gregorian_from_day(day);
    out = write_number(out, 4, date.year, '-');
    out = write_number(out, 2, date.month, '-');
    out = write_number(out, 2, date.day, 'T');
    out = write_number(out, 2, second / 3600, ':');
    out = write_number(out, 2, second / 60 % 60, ':');
    out = write_number(out, 2, second % 60, '+');
    memcpy(out, "03:30", sizeof "03:30");
}

/* ---- reading --------------------------------------------------------------------------------- */

static int read_number(struct reader *reader, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        uint8_t digit = read_u8(reader);
        if (digit < '0' || digit > '9')
            reader->err = ERR_MALFORMED;
        value = value * 10 + (digit - '0');
    }
    return reader->err == OK ? value : 0;
}

static void read_character(struct reader *reader, char expected)
{
    if (read_u8(reader) != (uint8_t)expected)
        reader->err = ERR_MALFORMED;
}

static bool next_is(const struct reader *reader, char character)
{
    return !reader_at_end(reader) && reader->rest.data[0] == (uint8_t)character;
}

static int read_fraction_ms(struct reader *reader)
{
    int fraction_ms = 0;
    int weight = 100;
    do {
        fraction_ms += read_number(reader, 1) * weight;
        weight /= 10;
    } while (!reader_at_end(reader) && reader->rest.data[0] >= '0' && reader->rest.data[0] <= '9');
    return fraction_ms;
}

struct moment {
    struct gregorian_date date;
    int hour;
    int minute;
    int second;
    int fraction_ms;
    int offset_minute;
};

static void read_offset(struct reader *reader, struct moment *moment)
{
    uint8_t sign = read_u8(reader);
    if (sign == 'Z')
        return;
    if (sign != '+' && sign != '-')
        reader->err = ERR_MALFORMED;
    int hours = read_number(reader, 2);
    read_character(reader, ':');
    int minutes = read_number(reader, 2);
    if (hours > 23 || minutes > 59)
        reader->err = ERR_MALFORMED;
    moment->offset_minute = (hours * 60 + minutes) * (sign == '-' ? -1 : 1);
}

static enum err read_moment(struct moment *moment, struct bytes text)
{
    struct reader reader = reader_of(text);
    moment->date.year = read_number(&reader, 4);
    read_character(&reader, '-');
    moment->date.month = read_number(&reader, 2);
    read_character(&reader, '-');
    moment->date.day = read_number(&reader, 2);
    read_character(&reader, 'T');
    moment->hour = read_number(&reader, 2);
    read_character(&reader, ':');
    moment->minute = read_number(&reader, 2);
    if (next_is(&reader, ':')) {
        read_character(&reader, ':');
        moment->second = read_number(&reader, 2);
    }
    if (next_is(&reader, '.')) {
        read_character(&reader, '.');
        moment->fraction_ms = read_fraction_ms(&reader);
    }
    read_offset(&reader, moment);
    return reader.err == OK && reader.rest.size > 0 ? ERR_MALFORMED : reader.err;
}

enum err instant_parse(int64_t *time_ms, struct bytes text)
{
    struct moment moment = { 0 };
    enum err err = read_moment(&moment, text);
    if (err != OK)
        return err;
    if (moment.date.month < 1 || moment.date.month > 12 || moment.date.day < 1 ||
        moment.date.day > 31 || moment.hour > 23 || moment.minute > 59 || moment.second > 59)
        return ERR_INVALID;
    int32_t day = gregorian_to_day(moment.date);
    if (gregorian_from_day(day).day != moment.date.day)
        return ERR_INVALID; /* 30 February and its like come back as another day */
    int64_t minute = (moment.hour * INT64_C(60) + moment.minute) - moment.offset_minute;
    *time_ms = day * DAY_MS + minute * 60000 + moment.second * INT64_C(1000) + moment.fraction_ms;
    return OK;
}
