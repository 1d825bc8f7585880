#include "node/casework/persian.h"

#include "node/casework/characters.h"
#include "node/casework/persian_forms.h"

enum {
    ZWNJ = 0x200C,
    ZWJ = 0x200D,
    LRM = 0x200E,
    RLM = 0x200F,
    BYTE_ORDER_MARK = 0xFEFF,
    LINE_BREAK = '\n'
};

static bool is_space(int32_t code)
{
    return code == ' ' || code == '\t' || code == 0xA0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200A) || code == 0x202F || code == 0x205F || code == 0x3000;
}

static bool is_line_break(int32_t code)
{
    return code == '\n' || code == '\r' || code == 0x85 || code == 0x2028 || code == 0x2029;
}

/* Embeddings, overrides and isolates: they can make a text read as another one. */
static bool is_direction_override(int32_t code)
{
    return (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

static bool is_dropped_from_input(int32_t code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || is_direction_override(code) ||
           code == BYTE_ORDER_MARK || (code >= 0xFFF9 && code <= 0xFFFB) ||
           (code >= 0xFDD0 && code <= 0xFDEF) || (code & 0xFFFE) == 0xFFFE;
}

/* ---- cleaning -------------------------------------------------------------------------------- */

static bool ends_with_blank(const struct buffer *out, size_t start)
{
    return out->size == start || out->data[out->size - 1] == ' ' ||
           out->data[out->size - 1] == LINE_BREAK;
}

static void trim_end(struct buffer *out, size_t start)
{
    for (;;) {
        size_t size = out->size;
        if (size > start && (out->data[size - 1] == ' ' || out->data[size - 1] == LINE_BREAK))
            out->size -= 1;
        else if (size >= start + 3 && out->data[size - 3] == 0xE2 && out->data[size - 2] == 0x80 &&
                 out->data[size - 1] == 0x8C)
            out->size -= 3; /* a ZWNJ with nothing to keep apart */
        else
            return;
    }
}

static void clean_line_break(struct buffer *out, size_t start, enum persian_lines lines)
{
    if (lines == PERSIAN_MANY_LINES && out->size > start)
        buffer_append_u8(out, LINE_BREAK);
    else if (!ends_with_blank(out, start))
        buffer_append_u8(out, ' ');
}

/* The letters and the space between them, which nearly all of a text is: how many bytes of them,
 * one space at most at a time, stand at the front. */
static size_t plain_run_size(struct bytes text)
{
    size_t size = 0;
    while (text.size - size >= 2) {
        const uint8_t *at = text.data + size;
        bool letter = at[0] >= 0xD8 && at[0] <= 0xDB && (at[1] & 0xC0) == 0x80;
        bool space = at[0] == ' ' && at[1] >= 0xD8 && at[1] <= 0xDB && size > 0;
        if (!letter && !space)
            break;
        size += letter ? 2 : 1;
    }
    return size;
}

enum err persian_clean(struct buffer *out, struct bytes typed, enum persian_lines lines)
{
    size_t start = out->size;
    int32_t previous = 0;
    while (typed.size > 0) {
        size_t plain = plain_run_size(typed);
        if (plain > 0) {
            buffer_append(out, typed.data, plain);
            typed = bytes_of(typed.data + plain, typed.size - plain);
            previous = 0;
            continue;
        }
        int32_t code = character_next(&typed);
        if (code < 0) {
            out->size = start;
            return ERR_MALFORMED;
        }
        if (is_line_break(code)) {
            if (code != '\n' || previous != '\r')
                clean_line_break(out, start, lines);
        } else if (is_space(code)) {
            if (!ends_with_blank(out, start))
                buffer_append_u8(out, ' ');
        } else if (!is_dropped_from_input(code) && !(code == ZWNJ && ends_with_blank(out, start))) {
            character_append(out, code);
        }
        previous = code;
    }
    trim_end(out, start);
    return out->err;
}

/* ---- digits ---------------------------------------------------------------------------------- */

int persian_digit_value(int32_t code)
{
    if (code >= '0' && code <= '9')
        return code - '0';
    if (code >= 0x06F0 && code <= 0x06F9)
        return code - 0x06F0;
    if (code >= 0x0660 && code <= 0x0669)
        return code - 0x0660;
    return -1;
}

bool persian_is_number_separator(int32_t code)
{
    switch (code) {
    case '-':
    case '.':
    case '/':
    case '_':
    case '(':
    case ')':
    case 0x066B: /* ٫ decimal separator */
    case 0x0640: /* tatweel, typed as a long dash */
    case 0x2212: /* minus sign */
    case ZWNJ:
    case ZWJ:
    case LRM:
    case RLM:
    case BYTE_ORDER_MARK:
        return true;
    default:
        return is_space(code) || is_line_break(code) || is_direction_override(code) ||
               (code >= 0x2010 && code <= 0x2015);
    }
}

/* ---- the search key -------------------------------------------------------------------------- */

static int32_t fold_letter(int32_t code)
{
    switch (code) {
    case 0x064A: /* ي */
    case 0x0649: /* ى */
    case 0x06D0: /* ې */
    case 0x06CD: /* ۍ */
        return 0x06CC;
    case 0x0643: /* ك */
    case 0x06AA: /* ڪ */
    case 0x06AB: /* ګ */
    case 0x06AC: /* ڬ */
    case 0x06AD: /* ڭ */
        return 0x06A9;
    case 0x0629: /* ة */
    case 0x06C0: /* ۀ */
    case 0x06D5: /* ە */
    case 0x06C1: /* ہ */
    case 0x06BE: /* ھ */
        return 0x0647;
    case 0x0624: /* ؤ */
        return 0x0648;
    case 0x0623: /* أ */
    case 0x0625: /* إ */
    case 0x0671: /* ٱ */
        return 0x0627;
    case 0x066A: /* ٪ */
        return '%';
    case 0x066B: /* ٫ */
        return '.';
    default:
        return code >= 'A' && code <= 'Z' ? code - 'A' + 'a' : code;
    }
}

static bool is_dropped_from_key(int32_t code)
{
    return code == 0x0640 || (code >= 0x064B && code <= 0x065F) || code == 0x0670 || code == ZWJ ||
           code == LRM || code == RLM || is_dropped_from_input(code);
}

static bool is_letter(int32_t code)
{
    return (code >= 0x0620 && code <= 0x06D3) || (code >= 'a' && code <= 'z');
}

struct key_writer {
    struct buffer *out;
    size_t start;
    int32_t last;
    int repeats; /* how often `last` stands at the end */
    bool space_pending;
};

static void key_put(struct key_writer *key, int32_t code)
{
    if (key->space_pending && key->out->size > key->start) {
        buffer_append_u8(key->out, ' ');
        key->repeats = 0;
    }
    key->space_pending = false;
    key->repeats = key->repeats > 0 && code == key->last ? key->repeats + 1 : 1;
    key->last = code;
    if (key->repeats <= 2 || !is_letter(code))
        character_append(key->out, code);
}

static const char *presentation_letters(int32_t code)
{
    if (code >= 0xFB50 && code <= 0xFDFF)
        return PERSIAN_FORMS_A[code - 0xFB50];
    if (code >= 0xFE70 && code <= 0xFEFF)
        return PERSIAN_FORMS_B[code - 0xFE70];
    return NULL;
}

static void key_put_letters(struct key_writer *key, const char *letters)
{
    for (struct bytes rest = bytes_of_string(letters); rest.size > 0;) {
        int32_t code = character_next(&rest);
        if (code == ' ')
            key->space_pending = true;
        else
            key_put(key, code);
    }
}

void persian_search_key(struct buffer *out, struct bytes text, enum persian_zwnj zwnj)
{
    struct key_writer key = { .out = out, .start = out->size };
    while (text.size > 0) {
        int32_t code = character_next(&text);
        const char *letters = presentation_letters(code);
        if (code < 0)
            continue;
        if (letters)
            key_put_letters(&key, letters);
        else if (is_space(code) || is_line_break(code) ||
                 (code == ZWNJ && zwnj == PERSIAN_ZWNJ_SPACED))
            key.space_pending = true;
        else if (persian_digit_value(code) >= 0)
            key_put(&key, '0' + persian_digit_value(code));
        else if (code != ZWNJ && !is_dropped_from_key(code))
            key_put(&key, fold_letter(code));
    }
}
