#include "typing.h"

#include <string.h>

struct typing typing_draw(struct random *random)
{
    static const enum zwnj_habit ZWNJ[] = { ZWNJ_KEPT,   ZWNJ_KEPT,   ZWNJ_KEPT,   ZWNJ_KEPT,
                                            ZWNJ_JOINED, ZWNJ_JOINED, ZWNJ_JOINED, ZWNJ_SPACED,
                                            ZWNJ_SPACED, ZWNJ_SPACED };
    static const enum digit_script DIGITS[] = { DIGITS_PERSIAN, DIGITS_PERSIAN, DIGITS_PERSIAN,
                                                DIGITS_PERSIAN, DIGITS_PERSIAN, DIGITS_PERSIAN,
                                                DIGITS_ASCII,   DIGITS_ASCII,   DIGITS_ASCII,
                                                DIGITS_ARABIC };
    return (struct typing){ .arabic_letters = random_chance(random, 0.14),
                            .colloquial = random_chance(random, 0.15),
                            .zwnj = ZWNJ[random_below(random, 10)],
                            .digits = DIGITS[random_below(random, 10)] };
}

/* ---- as it is said --------------------------------------------------------------------------- */

static const struct {
    const char *written;
    const char *said;
} COLLOQUIAL[] = {
    { "است", "هست" },
    { "را", "رو" },
    { "نیست", "نیس" },
    { "خانه", "خونه" },
    { "نان", "نون" },
    { "می‌گوید", "میگه" },
    { "می‌گویند", "میگن" },
    { "می‌خواهم", "میخوام" },
    { "می‌خواهند", "میخوان" },
    { "می‌آید", "میاد" },
    { "نمی‌دهند", "نمیدن" },
    { "نمی‌دهد", "نمیده" },
    { "می‌رود", "میره" },
    { "دیگر", "دیگه" },
    { "هنوز", "هنوزم" },
    { "اگر", "اگه" },
    { "آن", "اون" },
    { "برای", "واسه" },
    { "ندارم.", "ندارم به خدا." },
    { "داریم.", "داریم دیگه." },
    { "خواهش", "تو رو خدا خواهش" },
    { "همه", "همه‌مون" },

};

static struct bytes said(struct bytes word)
{
    for (size_t i = 0; i < sizeof COLLOQUIAL / sizeof *COLLOQUIAL; i++)
        if (bytes_equal(word, bytes_of_string(COLLOQUIAL[i].written)))
            return bytes_of_string(COLLOQUIAL[i].said);
    return word;
}

/* ---- letters and digits ---------------------------------------------------------------------- */

static size_t write_digit(uint8_t *out, enum digit_script script, uint8_t digit)
{
    if (script == DIGITS_ASCII) {
        out[0] = digit;
        return 1;
    }
    out[0] = script == DIGITS_PERSIAN ? 0xDB : 0xD9;
    out[1] = (uint8_t)((script == DIGITS_PERSIAN ? 0xB0 : 0xA0) + (digit - '0'));
    return 2;
}

static size_t write_zwnj(uint8_t *out, enum zwnj_habit habit)
{
    if (habit == ZWNJ_KEPT) {
        memcpy(out, "\xE2\x80\x8C", 3);
        return 3;
    }
    out[0] = ' ';
    return habit == ZWNJ_SPACED;
}

static void write_letters(struct buffer *out, const struct typing *typing, struct bytes text)
{
    /* Nothing grows beyond a digit of two bytes. */
    uint8_t *to = buffer_reserve(out, 2 * text.size);
    if (!to)
        return;
    const uint8_t *from = text.data;
    const uint8_t *end = from + text.size;
    uint8_t *start = to;
    while (from < end) {
        if (*from >= '0' && *from <= '9') {
            to += write_digit(to, typing->digits, *from++);
        } else if (*from == 0xE2) { /* nothing but ZWNJ begins so in our texts */
            to += write_zwnj(to, typing->zwnj);
            from += 3;
        } else if (typing->arabic_letters && from[0] == 0xDB && from[1] == 0x8C) {
            memcpy(to, "ي", 2);
            to += 2;
            from += 2;
        } else if (typing->arabic_letters && from[0] == 0xDA && from[1] == 0xA9) {
            memcpy(to, "ك", 2);
            to += 2;
            from += 2;
        } else {
            *to++ = *from++;
        }
    }
    out->size += (size_t)(to - start);
}

void typing_write(struct buffer *out, const struct typing *typing, struct bytes text)
{
    if (!typing->colloquial) {
        write_letters(out, typing, text);
        return;
    }
    while (text.size > 0) {
        const uint8_t *space = memchr(text.data, ' ', text.size);
        size_t size = space ? (size_t)(space - text.data) : text.size;
        write_letters(out, typing, said(bytes_of(text.data, size)));
        if (space)
            buffer_append_u8(out, ' ');
        size += space != NULL;
        text = bytes_of(text.data + size, text.size - size);
    }
}
