#include "node/casework/request_input.h"

#include "node/casework/characters.h"
#include "node/casework/instant.h"
#include "node/casework/national_id.h"
#include "node/casework/persian.h"
#include "node/casework/phone.h"
#include "node/casework/request_words.h"
#include "node/casework/subject.h"

#include <stdio.h>
#include <string.h>

enum {
    NAME_SIZE_MAX = 200,
    TEXT_SIZE_MAX = 20000,
    PLACE_SIZE_MAX = 128,
    ADDRESS_SIZE_MAX = 1000,
    ISO_SIZE = 5 /* "IR-24" */
};

static const int64_t OCCURRED_AT_MAX_MS = INT64_C(4102444800000); /* the year 2100 */

/* ---- the faults, each once ------------------------------------------------------------------- */

/* The words of request_words.c; a test compares. */
#define KINDS    "complaint, suggestion, criticism, problem, idea, request, question, report, thanks"
#define CHANNELS "phone, walk_in, letter, desk, web, sms, import"

#define FAULT_LIST(X)                                                                              \
    X(KIND, kind, missing, "The kind is missing: one of " KINDS ".",                               \
      "نوع درخواست وارد نشده است.")                                                                \
    X(KIND, kind, unknown, "The kind is none of " KINDS ".", "نوع درخواست شناخته نیست.")           \
    X(CHANNEL, channel, missing, "The channel is missing: one of " CHANNELS ".",                   \
      "راه دریافت وارد نشده است.")                                                                 \
    X(CHANNEL, channel, unknown, "The channel is none of " CHANNELS ".",                           \
      "راه دریافت شناخته نیست.")                                                                   \
    X(SUBJECT, subject, missing,                                                                   \
      "The subject is missing: a code such as water.outage; `samadctl request subjects` lists "    \
      "them.",                                                                                     \
      "موضوع وارد نشده است.")                                                                      \
    X(SUBJECT, subject, unknown,                                                                   \
      "The subject is none of the known codes; `samadctl request subjects` lists them.",           \
      "موضوع در فهرست موضوع‌ها نیست.")                                    \
    X(SUBJECT, subject, retired, "The subject is no longer in use.",                               \
      "این موضوع دیگر به کار نمی‌رود.")                                   \
    X(TEXT, text, missing, "The text is missing.", "متن درخواست وارد نشده است.")                   \
    X(TEXT, text, not_utf8, "The text is not valid UTF-8.", "متن درخواست خوانا نیست.")             \
    X(TEXT, text, too_long, "The text is longer than 10,000 characters.",                          \
      "متن درخواست از ۱۰٬۰۰۰ نویسه بلندتر است.")                                                   \
    X(NAME, name, missing, "The name is missing.", "نام وارد نشده است.")                           \
    X(NAME, name, not_utf8, "The name is not valid UTF-8.", "نام خوانا نیست.")                     \
    X(NAME, name, too_long, "The name is longer than 100 characters.",                             \
      "نام از ۱۰۰ نویسه بلندتر است.")                                                              \
    X(NATIONAL_ID, national_id, not_a_number, "The national ID contains more than digits.",        \
      "کد ملی باید فقط رقم باشد.")                                                                 \
    X(NATIONAL_ID, national_id, wrong_length, "The national ID does not have ten digits.",         \
      "کد ملی باید ده رقم باشد.")                                                                  \
    X(NATIONAL_ID, national_id, all_same, "The national ID repeats one digit.",                    \
      "کد ملی نمی‌تواند ده رقم یکسان باشد.")                          \
    X(NATIONAL_ID, national_id, wrong_check, "The national ID's check digit is wrong.",            \
      "کد ملی درست نیست؛ رقم کنترل آن نمی‌خواند.")               \
    X(PHONE, phone, missing, "A phone number or a national ID is required.",                       \
      "شماره تلفن یا کد ملی لازم است.")                                                            \
    X(PHONE, phone, not_a_number, "The phone number contains more than digits.",                   \
      "شماره تلفن باید فقط رقم باشد.")                                                             \
    X(PHONE, phone, too_short, "The phone number is too short.", "شماره تلفن کوتاه است.")          \
    X(PHONE, phone, too_long, "The phone number is too long.", "شماره تلفن بلند است.")             \
    X(PHONE, phone, foreign, "The phone number is not an Iranian one.",                            \
      "شماره تلفن باید شماره‌ای در ایران باشد.")                  \
    X(PHONE, phone, unknown_area, "The phone number's area code belongs to no province.",          \
      "پیش‌شماره تلفن از آنِ هیچ استانی نیست.")                    \
    X(PHONE, phone, wrong_local, "The number after the area code begins with 0 or 1.",             \
      "شماره تلفن پس از پیش‌شماره نمی‌تواند با ۰ یا ۱ "     \
      "آغاز "                                                                                  \
      "شود.")                                                                                      \
    X(PLACE, place, not_utf8, "The place is not valid UTF-8.", "محل خوانا نیست.")                  \
    X(PLACE, place, too_long, "The place is longer than 60 characters.",                           \
      "محل از ۶۰ نویسه بلندتر است.")                                                               \
    X(PLACE, place, unknown_province, "The place names a province that does not exist.",           \
      "استانِ محل وجود ندارد.")                                                                     \
    X(OCCURRED_AT, occurred_at, malformed,                                                         \
      "The time is not in ISO 8601 form with an offset, as 2025-04-26T08:14:09+03:30.",            \
      "زمان رویداد به شکل درست نوشته نشده است.")                                                   \
    X(OCCURRED_AT, occurred_at, out_of_range, "The time does not exist or is not plausible.",      \
      "زمان رویداد پذیرفتنی نیست.")                                                                \
    X(ADDRESS, address, not_utf8, "The address is not valid UTF-8.", "نشانی خوانا نیست.")          \
    X(ADDRESS, address, too_long, "The address is longer than 500 characters.",                    \
      "نشانی از ۵۰۰ نویسه بلندتر است.")

enum fault {
    NO_FAULT,
#define FAULT_ENUM(FIELD, field, fault, message, message_fa) FIELD##_##fault,
    FAULT_LIST(FAULT_ENUM)
#undef FAULT_ENUM
};

static const struct request_fault FAULTS[] = { [NO_FAULT] = { REQUEST_FIELD_COUNT, "", "", "" },
#define FAULT_ROW(FIELD, field, fault, message, message_fa)                                        \
    [FIELD##_##fault] = { FIELD_##FIELD, #field "." #fault, message, message_fa },
                                               FAULT_LIST(FAULT_ROW)
#undef FAULT_ROW
};

const char *request_field_name(enum request_field field)
{
    static const char *const NAMES[] = {
#define REQUEST_FIELD_NAME(NAME, name) #name,
        REQUEST_FIELD_LIST(REQUEST_FIELD_NAME)
#undef REQUEST_FIELD_NAME
    };
    return NAMES[field];
}

/* ---- one check ------------------------------------------------------------------------------- */

struct check {
    const struct request_input *input;
    const struct request_setting *setting;
    struct buffer *strings;
    struct request_facts *facts;
    struct request_person *person;
    struct request_faults *faults;
};

static void fail(struct check *check, enum fault fault)
{
    if (fault != NO_FAULT)
        check->faults->items[check->faults->count++] = FAULTS[fault];
}

/* What has been appended since `start`. The room was reserved at the beginning: nothing moves. */
static struct bytes appended(const struct check *check, size_t start)
{
    return bytes_of(check->strings->data + start, check->strings->size - start);
}

struct text_rule {
    enum persian_lines lines;
    size_t length_max;
    size_t size_max;
    enum fault missing; /* NO_FAULT: may be left out */
    enum fault not_utf8;
    enum fault too_long;
};

static struct bytes check_text(struct check *check, struct bytes typed,
                               const struct text_rule *rule)
{
    size_t start = check->strings->size;
    /* No text within the limits is so much longer before cleaning. */
    if (typed.size > 4 * rule->size_max) {
        fail(check, rule->too_long);
        return BYTES_NONE;
    }
    enum err err = persian_clean(check->strings, typed, rule->lines);
    struct bytes kept = appended(check, start);
    if (err == ERR_MALFORMED)
        fail(check, rule->not_utf8);
    else if (kept.size == 0)
        fail(check, rule->missing);
    else if (kept.size > rule->size_max || characters_count(kept) > rule->length_max)
        fail(check, rule->too_long);
    return kept;
}

static void check_kind(struct check *check)
{
    struct bytes word = check->input->kind;
    check->facts->kind = request_kind_from_word(word);
    if (check->facts->kind == 0)
        fail(check, word.size == 0 ? KIND_missing : KIND_unknown);
}

static void check_channel(struct check *check)
{
    struct bytes word = check->input->channel;
    check->facts->channel = request_channel_from_word(word);
    if (check->facts->channel == 0)
        fail(check, word.size == 0 ? CHANNEL_missing : CHANNEL_unknown);
}

static void check_subject(struct check *check)
{
    const struct subject *subject = subject_by_code(check->input->subject);
    if (check->input->subject.size == 0)
        fail(check, SUBJECT_missing);
    else if (!subject)
        fail(check, SUBJECT_unknown);
    else if (subject->retired != 0)
        fail(check, SUBJECT_retired);
    else
        check->facts->subject = bytes_of_string(subject->code);
}

static void check_national_id(struct check *check)
{
    static const enum fault FAULT_OF[] = {
        [NATIONAL_ID_VALID] = NO_FAULT,
        [NATIONAL_ID_NOT_A_NUMBER] = NATIONAL_ID_not_a_number,
        [NATIONAL_ID_WRONG_LENGTH] = NATIONAL_ID_wrong_length,
        [NATIONAL_ID_ALL_SAME] = NATIONAL_ID_all_same,
        [NATIONAL_ID_WRONG_CHECK] = NATIONAL_ID_wrong_check,
    };
    char national_id[NATIONAL_ID_DIGITS + 1];
    size_t start = check->strings->size;
    if (check->input->national_id.size == 0)
        return;
    fail(check, FAULT_OF[national_id_normalise(national_id, check->input->national_id)]);
    buffer_append_string(check->strings, national_id);
    check->person->national_id = appended(check, start);
}

static void check_phone(struct check *check)
{
    static const enum fault FAULT_OF[] = {
        [PHONE_VALID] = NO_FAULT,
        [PHONE_NOT_A_NUMBER] = PHONE_not_a_number,
        [PHONE_TOO_SHORT] = PHONE_too_short,
        [PHONE_TOO_LONG] = PHONE_too_long,
        [PHONE_FOREIGN] = PHONE_foreign,
        [PHONE_UNKNOWN_AREA] = PHONE_unknown_area,
        [PHONE_WRONG_LOCAL] = PHONE_wrong_local,
    };
    char phone[PHONE_SIZE_MAX + 1];
    size_t start = check->strings->size;
    if (check->input->phone.size == 0) {
        if (check->input->national_id.size == 0)
            fail(check, PHONE_missing);
        return;
    }
    fail(
        check,
        FAULT_OF[phone_normalise(phone, check->input->phone, check->setting->province->area_code)]);
    buffer_append_string(check->strings, phone);
    check->person->phone = appended(check, start);
}

/* A typed place that begins with a province's ISO code stands as it is; any other is below the
 * node's own. */
static void check_place(struct check *check)
{
    struct bytes typed = check->input->place;
    bool has_iso = typed.size >= 3 && memcmp(typed.data, "IR-", 3) == 0;
    size_t start = check->strings->size;
    if (has_iso) {
        bool ends =
            typed.size == ISO_SIZE || (typed.size > ISO_SIZE && typed.data[ISO_SIZE] == '/');
        if (!ends || !province_by_iso(bytes_of(typed.data, ISO_SIZE))) {
            fail(check, PLACE_unknown_province);
            return;
        }
    } else {
        buffer_append_string(check->strings, check->setting->province->iso);
        if (typed.size > 0)
            buffer_append_u8(check->strings, '/');
    }
    size_t prefix = check->strings->size - start;
    const struct text_rule rule = { .lines = PERSIAN_ONE_LINE,
                                    .length_max = REQUEST_PLACE_LENGTH_MAX,
                                    .size_max = PLACE_SIZE_MAX - prefix,
                                    .missing = NO_FAULT,
                                    .not_utf8 = PLACE_not_utf8,
                                    .too_long = PLACE_too_long };
    struct bytes below = check_text(check, typed, &rule);
    if (!has_iso && typed.size > 0 && below.size == 0)
        check->strings->size = start + ISO_SIZE; /* nothing but white space was typed */
    check->facts->place = appended(check, start);
}

static void check_occurred_at(struct check *check)
{
    check->facts->occurred_at_ms = check->setting->now_ms;
    if (check->input->occurred_at.size == 0)
        return;
    int64_t occurred_at_ms = 0;
    enum err err = instant_parse(&occurred_at_ms, check->input->occurred_at);
    if (err == ERR_MALFORMED)
        fail(check, OCCURRED_AT_malformed);
    else if (err != OK || occurred_at_ms < 0 || occurred_at_ms >= OCCURRED_AT_MAX_MS)
        fail(check, OCCURRED_AT_out_of_range);
    check->facts->occurred_at_ms = occurred_at_ms;
}

static void check_words(struct check *check)
{
    static const struct text_rule NAME = {
        PERSIAN_ONE_LINE, REQUEST_NAME_LENGTH_MAX, NAME_SIZE_MAX,
        NAME_missing,     NAME_not_utf8,           NAME_too_long
    };
    static const struct text_rule TEXT = { PERSIAN_MANY_LINES, REQUEST_TEXT_LENGTH_MAX,
                                           TEXT_SIZE_MAX,      TEXT_missing,
                                           TEXT_not_utf8,      TEXT_too_long };
    static const struct text_rule ADDRESS = { PERSIAN_MANY_LINES, REQUEST_ADDRESS_LENGTH_MAX,
                                              ADDRESS_SIZE_MAX,   NO_FAULT,
                                              ADDRESS_not_utf8,   ADDRESS_too_long };
    check->person->text = check_text(check, check->input->text, &TEXT);
    check->person->name = check_text(check, check->input->name, &NAME);
    check->person->address = check_text(check, check->input->address, &ADDRESS);
}

/* Room for everything that can be appended, so that the ranges handed out stay where they are.
 * character_append() asks for four bytes whatever it writes. */
static bool reserve_strings(struct buffer *strings, const struct request_input *input)
{
    size_t size = input->name.size + input->text.size + input->address.size + input->place.size +
                  ISO_SIZE + 1 + NATIONAL_ID_DIGITS + PHONE_SIZE_MAX + 4;
    buffer_clear(strings);
    return buffer_reserve(strings, size) != NULL;
}

enum err request_input_check(const struct request_input *input,
                             const struct request_setting *setting, struct buffer *strings,
                             struct request_facts *facts, struct request_person *person,
                             struct request_faults *faults)
{
    struct check check = { input, setting, strings, facts, person, faults };
    *facts = (struct request_facts){ 0 };
    *person = (struct request_person){ 0 };
    faults->count = 0;
    if (!reserve_strings(strings, input))
        return ERR_NOMEM;
    check_kind(&check);
    check_channel(&check);
    check_subject(&check);
    check_words(&check);
    check_national_id(&check);
    check_phone(&check);
    check_place(&check);
    check_occurred_at(&check);
    return faults->count > 0 ? ERR_REFUSED : strings->err;
}
