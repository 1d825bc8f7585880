#include "node/casework/request_words.h"

#include "node/casework/persian.h"

enum { WORD_SIZE_MAX = 64 };

const struct request_word REQUEST_KINDS[REQUEST_KIND_COUNT] = {
    { REQUEST_COMPLAINT, "complaint", "شکایت" },  { REQUEST_SUGGESTION, "suggestion", "پیشنهاد" },
    { REQUEST_CRITICISM, "criticism", "انتقاد" }, { REQUEST_PROBLEM, "problem", "مشکل" },
    { REQUEST_IDEA, "idea", "طرح و ایده" },       { REQUEST_REQUEST, "request", "درخواست" },
    { REQUEST_QUESTION, "question", "پرسش" },     { REQUEST_REPORT, "report", "گزارش" },
    { REQUEST_THANKS, "thanks", "تشکر" },
};

const struct request_word REQUEST_CHANNELS[REQUEST_CHANNEL_COUNT] = {
    { CHANNEL_PHONE, "phone", "تلفن" },
    { CHANNEL_WALK_IN, "walk_in", "مراجعه حضوری" },
    { CHANNEL_LETTER, "letter", "نامه" },
    { CHANNEL_DESK, "desk", "میز ارتباط مردمی" },
    { CHANNEL_WEB, "web", "وبگاه" },
    { CHANNEL_SMS, "sms", "پیامک" },
    { CHANNEL_IMPORT, "import", "ورود گروهی" },
};

/* For a Persian name, which people type with their own ی, ک and spaces. */
static uint32_t number_of_name(const struct request_word *words, size_t count, struct bytes name)
{
    struct buffer key = { 0 };
    uint32_t number = 0;
    persian_search_key(&key, name, PERSIAN_ZWNJ_SPACED);
    for (size_t i = 0; i < count && number == 0; i++)
        if (bytes_equal(buffer_bytes(&key), bytes_of_string(words[i].name_fa)))
            number = words[i].number;
    buffer_close(&key);
    return number;
}

static uint32_t number_of(const struct request_word *words, size_t count, struct bytes word)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(word, bytes_of_string(words[i].word)))
            return words[i].number;
    return word.size <= WORD_SIZE_MAX ? number_of_name(words, count, word) : 0;
}

static const struct request_word *row_of(const struct request_word *words, size_t count,
                                         uint32_t number)
{
    static const struct request_word UNKNOWN = { 0, "unknown", "نامعلوم" };
    return number >= 1 && number <= count ? &words[number - 1] : &UNKNOWN;
}

uint32_t request_kind_from_word(struct bytes word)
{
    return number_of(REQUEST_KINDS, REQUEST_KIND_COUNT, word);
}

uint32_t request_channel_from_word(struct bytes word)
{
    return number_of(REQUEST_CHANNELS, REQUEST_CHANNEL_COUNT, word);
}

const char *request_kind_word(uint32_t kind)
{
    return row_of(REQUEST_KINDS, REQUEST_KIND_COUNT, kind)->word;
}

const char *request_kind_name_fa(uint32_t kind)
{
    return row_of(REQUEST_KINDS, REQUEST_KIND_COUNT, kind)->name_fa;
}

const char *request_channel_word(uint32_t channel)
{
    return row_of(REQUEST_CHANNELS, REQUEST_CHANNEL_COUNT, channel)->word;
}

const char *request_channel_name_fa(uint32_t channel)
{
    return row_of(REQUEST_CHANNELS, REQUEST_CHANNEL_COUNT, channel)->name_fa;
}
