#include "tests/workload/workload.h"

#include "node/casework/instant.h"
#include "node/casework/jalali.h"
#include "node/casework/request_input.h"
#include "node/casework/subject.h"
#include "tests/workload/matters.h"
#include "tests/workload/places.h"
#include "tests/workload/schedule.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_COUNT = 10000, YEAR_1403_TO_1404_DAYS = 731 };

static const struct province *province_of(const char *node)
{
    return province_by_node(bytes_of_string(node));
}

static struct workload_options options_of(uint64_t seed, const char *node)
{
    return (struct workload_options){ .seed = seed,
                                      .province = province_of(node),
                                      .first_day =
                                          jalali_to_day((struct jalali_date){ 1403, 1, 1 }),
                                      .count = LINE_COUNT,
                                      .scale = 1,
                                      .bursts = true };
}

/* ---- reading lines back ---------------------------------------------------------------------- */

static struct bytes member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    cr_assert_not_null(text, "%s is missing", name);
    return bytes_of_string(text);
}

static struct request_input input_of(const json_t *object)
{
    return (struct request_input){ .kind = member(object, "kind"),
                                   .channel = member(object, "channel"),
                                   .subject = member(object, "subject"),
                                   .text = member(object, "text"),
                                   .name = member(object, "name"),
                                   .national_id = member(object, "national_id"),
                                   .phone = member(object, "phone"),
                                   .place = member(object, "place"),
                                   .occurred_at = member(object, "occurred_at") };
}

struct reading {
    const struct workload_options *options;
    struct buffer strings;
    struct request_facts facts;
    struct request_person person;
    char key[40];
};

static void read_line(struct reading *reading, struct bytes line)
{
    json_error_t error;
    json_t *object = json_loadb((const char *)line.data, line.size, JSON_REJECT_DUPLICATES, &error);
    cr_assert_not_null(object, "%s in %.*s", error.text, (int)line.size, (const char *)line.data);
    cr_assert_eq(json_object_size(object), 10);
    struct request_input input = input_of(object);
    struct request_setting setting = { .province = reading->options->province };
    struct request_faults faults;
    enum err err = request_input_check(&input, &setting, &reading->strings, &reading->facts,
                                       &reading->person, &faults);
    cr_assert_eq(err, OK, "%s in %.*s", faults.count > 0 ? faults.items[0].code : err_name(err),
                 (int)line.size, (const char *)line.data);
    struct bytes key = member(object, "idempotency_key");
    cr_assert_eq(key.size, 36);
    memcpy(reading->key, key.data, key.size + 1);
    json_decref(object);
}

typedef void on_reading(void *context, const struct reading *reading);

static void read_all(const struct workload_options *options, on_reading *callback, void *context)
{
    struct workload *workload = workload_new(options);
    struct reading reading = { .options = options };
    struct buffer line = { 0 };
    while (workload_next(workload, &line)) {
        cr_assert_eq(line.data[line.size - 1], '\n');
        read_line(&reading, buffer_bytes(&line));
        callback(context, &reading);
        buffer_clear(&line);
    }
    buffer_close(&line);
    buffer_close(&reading.strings);
    workload_free(workload);
}

/* ---- what must hold for every line ----------------------------------------------------------- */

struct line_check {
    uint64_t count;
    int64_t last_time_ms;
    char last_key[40];
};

static void check_line(void *context, const struct reading *reading)
{
    struct line_check *check = context;
    int64_t time_ms = reading->facts.occurred_at_ms;
    int32_t day = instant_iran_day(time_ms);
    int64_t minute = (time_ms - instant_of_iran_day(day)) / 60000;
    cr_assert_geq(time_ms, check->last_time_ms);
    cr_assert_gt(strcmp(reading->key, check->last_key), 0, "keys ascend");
    cr_assert(reading->key[14] == '7' && strchr("89ab", reading->key[19]), "%s", reading->key);
    cr_assert_gt(day_weight(day), 0);
    cr_assert_neq(weekday_of_day(day), FRIDAY);
    cr_assert(minute >= 7 * 60 + 30 && minute < 14 * 60 + 30);
    cr_assert_null(memchr(reading->person.text.data, '{', reading->person.text.size));
    check->count++;
    check->last_time_ms = time_ms;
    memcpy(check->last_key, reading->key, sizeof check->last_key);
}

Test(workload, ten_thousand_lines_of_several_seeds_and_provinces_are_accepted_as_requests)
{
    static const char *const NODES[] = { "ardabil", "hormozgan", "tehran" };
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct workload_options options = options_of(seed, NODES[seed - 1]);
        struct line_check check = { .count = 0 };
        read_all(&options, check_line, &check);
        cr_assert_eq(check.count, LINE_COUNT);
    }
}

Test(workload, every_province_has_counties_and_is_accepted)
{
    for (size_t i = 0; i < PROVINCE_COUNT; i++) {
        struct workload_options options = options_of(7, PROVINCES[i].node);
        struct line_check check = { .count = 0 };
        options.count = 200;
        cr_assert_geq(COUNTIES[i].count, 4);
        read_all(&options, check_line, &check);
        cr_assert_eq(check.count, 200);
    }
}

/* ---- the same seed --------------------------------------------------------------------------- */

static struct buffer lines_of(const struct workload_options *options)
{
    struct workload *workload = workload_new(options);
    struct buffer lines = { 0 };
    while (workload_next(workload, &lines)) {
    }
    workload_free(workload);
    cr_assert_eq(lines.err, OK);
    return lines;
}

Test(workload, the_same_seed_gives_the_same_bytes_and_another_does_not)
{
    struct workload_options options = options_of(5, "ardabil");
    struct buffer first = lines_of(&options);
    struct buffer second = lines_of(&options);
    cr_assert(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    options.seed = 6;
    struct buffer other_seed = lines_of(&options);
    cr_assert_not(bytes_equal(buffer_bytes(&first), buffer_bytes(&other_seed)));
    options.seed = 5;
    options.province = province_of("zanjan");
    struct buffer other_province = lines_of(&options);
    cr_assert_not(bytes_equal(buffer_bytes(&first), buffer_bytes(&other_province)));
    buffer_close(&first);
    buffer_close(&second);
    buffer_close(&other_seed);
    buffer_close(&other_province);
}

/* ---- who calls twice, counted from the lines alone ------------------------------------------- */

struct seen {
    uint64_t national_id;
    uint64_t phone;
};

struct duplicates {
    struct seen seen[LINE_COUNT];
    size_t count;
    size_t repeats;
    size_t households;
};

static uint64_t number_of(struct bytes digits)
{
    uint64_t number = 1;
    for (size_t i = 0; i < digits.size; i++)
        if (digits.data[i] != '+')
            number = number * 10 + (uint64_t)(digits.data[i] - '0');
    return number;
}

static void find_duplicate(void *context, const struct reading *reading)
{
    struct duplicates *duplicates = context;
    struct seen now = { number_of(reading->person.national_id),
                        reading->person.phone.size > 0 ? number_of(reading->person.phone) : 0 };
    bool same_citizen = false;
    bool same_phone = false;
    for (size_t i = 0; i < duplicates->count; i++) {
        same_citizen = same_citizen || duplicates->seen[i].national_id == now.national_id;
        same_phone = same_phone || (now.phone != 0 && duplicates->seen[i].phone == now.phone);
    }
    duplicates->repeats += same_citizen;
    duplicates->households += same_phone && !same_citizen;
    duplicates->seen[duplicates->count++] = now;
}

Test(workload, repeat_calls_are_2_to_4_and_household_duplicates_3_to_8_percent)
{
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct workload_options options = options_of(seed, "ardabil");
        struct duplicates *duplicates = calloc(1, sizeof *duplicates);
        read_all(&options, find_duplicate, duplicates);
        cr_assert(duplicates->repeats * 50 >= LINE_COUNT && duplicates->repeats * 25 <= LINE_COUNT,
                  "seed %d: %zu repeats", (int)seed, duplicates->repeats);
        cr_assert(duplicates->households * 100 >= 3 * LINE_COUNT &&
                      duplicates->households * 100 <= 8 * LINE_COUNT,
                  "seed %d: %zu households", (int)seed, duplicates->households);
        free(duplicates);
    }
}

/* ---- volume and shape ------------------------------------------------------------------------ */

static struct workload_stats stats_of(const struct workload_options *options)
{
    struct workload *workload = workload_new(options);
    struct buffer line = { 0 };
    while (workload_next(workload, &line))
        buffer_clear(&line);
    struct workload_stats stats = *workload_stats(workload);
    buffer_close(&line);
    workload_free(workload);
    return stats;
}

static bool is_within(uint64_t value, uint64_t expected, double share)
{
    double distance = (double)value - (double)expected;
    return distance <= (double)expected * share && -distance <= (double)expected * share;
}

/* M25 */
Test(workload, two_years_of_ardabil_are_the_numbers_of_the_source_text)
{
    struct workload_options options = options_of(1, "ardabil");
    options.count = 0;
    options.days = YEAR_1403_TO_1404_DAYS;
    struct workload_stats stats = stats_of(&options);
    cr_assert(is_within(stats.registered, REQUESTS_IN_TWO_YEARS, 0.05), "%d registered",
              (int)stats.registered);
    cr_assert(is_within(stats.calls, CALLS_IN_TWO_YEARS, 0.05), "%d calls", (int)stats.calls);
    cr_assert_eq(stats.bursts, 24);
    cr_assert(stats.kinds[REQUEST_REQUEST] > stats.registered / 2);
    for (uint32_t kind = REQUEST_COMPLAINT; kind <= REQUEST_THANKS; kind++)
        cr_assert_gt(stats.kinds[kind], 0);
}

Test(workload, a_count_with_days_comes_in_those_days)
{
    struct workload_options options = options_of(3, "hormozgan");
    struct line_check check = { .count = 0 };
    options.count = 5000;
    options.days = 30;
    read_all(&options, check_line, &check);
    int32_t last_day = instant_iran_day(check.last_time_ms) - options.first_day;
    cr_assert_eq(check.count, 5000);
    cr_assert(last_day >= 27 && last_day <= 33, "the last one on day %d", last_day);
}

Test(workload, saturdays_are_the_busiest_and_holidays_are_empty)
{
    int32_t saturday = jalali_to_day((struct jalali_date){ 1404, 2, 6 });
    for (int32_t day = saturday + 1; day <= saturday + 6; day++)
        cr_assert_lt(day_weight(day), day_weight(saturday));
    cr_assert_eq(day_weight(saturday + 6), 0, "Friday");
    cr_assert_eq(day_weight(jalali_to_day((struct jalali_date){ 1404, 1, 3 })), 0, "Nowruz");
    cr_assert_eq(day_weight(jalali_to_day((struct jalali_date){ 1404, 11, 22 })), 0, "22 Bahman");
}

Test(workload, a_day_has_two_peaks)
{
    size_t per_hour[24] = { 0 };
    for (int i = 0; i < 10000; i++)
        per_hour[schedule_time_ms(i / 10000.0) / 3600000]++;
    cr_assert(per_hour[9] > per_hour[8] && per_hour[9] > per_hour[11]);
    cr_assert(per_hour[12] > per_hour[11] && per_hour[12] > per_hour[13]);
}

/* ---- the sentences --------------------------------------------------------------------------- */

static void check_sentence(const char *sentence)
{
    static const char *const SLOTS[] = { "place", "county", "agency",   "topic", "months",
                                         "days",  "years",  "families", "count", "amount" };
    cr_assert_null(strpbrk(sentence, "\"\\\n\t"), "JSON would escape: %s", sentence);
    for (const char *open = strchr(sentence, '{'); open; open = strchr(open + 1, '{')) {
        bool known = false;
        for (size_t i = 0; i < sizeof SLOTS / sizeof *SLOTS; i++) {
            size_t size = strlen(SLOTS[i]);
            known = known || (strncmp(open + 1, SLOTS[i], size) == 0 && open[1 + size] == '}');
        }
        cr_assert(known, "a slot that nothing fills: %s", open);
    }
}

static void check_sentences(const struct sentences *sentences)
{
    for (size_t i = 0; i < sentences->count; i++) {
        check_sentence(sentences->items[i]);
        for (size_t j = 0; j < i; j++)
            cr_assert(strcmp(sentences->items[i], sentences->items[j]) != 0 ||
                      sentences->items[i][0] == '\0');
    }
}

Test(workload, subjects_are_known_and_have_ten_to_twenty_sentences_whose_slots_are_filled)
{
    cr_assert_geq(MATTER_SUBJECT_COUNT, 25);
    for (size_t i = 0; i < MATTER_SUBJECT_COUNT; i++) {
        const struct matter_subject *subject = &MATTER_SUBJECTS[i];
        cr_assert_not_null(subject_by_code(bytes_of_string(subject->code)), "%s", subject->code);
        cr_assert(subject->requests.count >= 10 && subject->requests.count <= 20, "%s",
                  subject->code);
        check_sentences(&subject->requests);
        check_sentences(&subject->agencies);
    }
    for (uint32_t kind = 1; kind < WORKLOAD_KIND_COUNT; kind++)
        check_sentences(&MATTERS_OF_KIND[kind]);
    check_sentences(&OPENINGS);
    check_sentences(&CLOSINGS);
    check_sentences(&FOLLOW_UPS);
}

Test(workload, texts_are_typed_as_people_type_them)
{
    struct workload_options options = options_of(1, "ardabil");
    struct buffer lines = lines_of(&options);
    static const char *const TRACES[] = { "ي", "ك", "\xE2\x80\x8C", "می شود", "میشود", "۱",
                                          "١", "1", "خونه",         "رو " };
    for (size_t i = 0; i < sizeof TRACES / sizeof *TRACES; i++)
        cr_assert_not_null(memmem(lines.data, lines.size, TRACES[i], strlen(TRACES[i])), "%s",
                           TRACES[i]);
    buffer_close(&lines);
}
