#include "workload.h"

#include "matters.h"
#include "people.h"
#include "places.h"
#include "random.h"
#include "schedule.h"
#include "typing.h"

#include "node/casework/instant.h"
#include "node/casework/national_id.h"
#include "node/casework/request_words.h"
#include "proto/base/require.h"

#include <stdlib.h>
#include <string.h>

enum { PAST_COUNT = 2048, PHONE_DIGITS = 11, TWO_YEARS_DAYS = 731 };
enum { STREAM_REQUESTS = 1, STREAM_CALLS = 2 };

static const double HOUSEHOLD_SHARE = 0.06;
static const double REPEAT_SHARE = 0.034;
static const double REGISTERED_SHARE = (double)REQUESTS_IN_TWO_YEARS / CALLS_IN_TWO_YEARS;
static const double NO_PHONE_SHARE = 0.03;
static const double LANDLINE_SHARE = 0.25;
static const double FRAME_SHARE = 0.5; /* openings and closings that are not empty */

struct citizen {
    uint16_t first_name;
    uint16_t surname;
    char national_id[NATIONAL_ID_DIGITS + 1];
    char phone[PHONE_DIGITS + 1]; /* with its zero; empty: none */
};

/* What is asked for. Everything that fills the slots comes from `seed`, so that a second call about
 * the same matter has the same places and numbers. */
struct matter {
    uint64_t seed;
    uint8_t kind;
    uint8_t subject;
    uint16_t sentence;
    uint16_t county;
    uint16_t settlement; /* villages first, then quarters */
};

struct past {
    struct citizen citizen;
    struct matter matter;
};

struct workload {
    struct workload_options options;
    struct schedule schedule;
    struct workload_stats stats;
    struct random random;
    struct random calls;
    uint32_t subject_limits[64]; /* cumulative weights */
    uint32_t kind_limits[WORKLOAD_KIND_COUNT];
    /* the day */
    int32_t day;
    uint32_t day_count;
    uint32_t day_next;
    struct burst burst;
    struct matter burst_matter;
    /* the key's clock: it never stands still */
    int64_t key_time_ms;
    uint16_t key_counter;
    /* who called before */
    struct past past[PAST_COUNT];
    uint64_t past_added;
    struct buffer text; /* scratch: a text before it is typed */
};

/* ---- weights --------------------------------------------------------------------------------- */

static void init_subjects(struct workload *workload)
{
    uint32_t sum = 0;
    require(MATTER_SUBJECT_COUNT <= 64);
    for (uint32_t rank = 0; rank < MATTER_SUBJECT_COUNT; rank++) {
        sum += 200000 / (rank + 2); /* Zipf-like */
        workload->subject_limits[rank] = sum;
    }
}

/* As 372 contacts of Hamadan were sorted, and a few reports besides. */
static void init_kinds(struct workload *workload)
{
    static const uint32_t CONTACTS[WORKLOAD_KIND_COUNT] = {
        [REQUEST_COMPLAINT] = 1, [REQUEST_SUGGESTION] = 3, [REQUEST_CRITICISM] = 3,
        [REQUEST_IDEA] = 12,     [REQUEST_REQUEST] = 350,  [REQUEST_QUESTION] = 2,
        [REQUEST_REPORT] = 1,    [REQUEST_THANKS] = 1
    };
    uint32_t sum = 0;
    for (size_t kind = 0; kind < WORKLOAD_KIND_COUNT; kind++)
        workload->kind_limits[kind] = sum += CONTACTS[kind];
}

static size_t draw_weighted(struct random *random, const uint32_t *limits, size_t count)
{
    uint32_t drawn = random_below(random, limits[count - 1]);
    size_t i = 0;
    while (drawn >= limits[i])
        i++;
    return i;
}

/* ---- citizens -------------------------------------------------------------------------------- */

static void draw_digits(struct random *random, char *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (char)('0' + random_below(random, 10));
}

static void draw_national_id(struct random *random, char out[NATIONAL_ID_DIGITS + 1])
{
    do {
        draw_digits(random, out, NATIONAL_ID_DIGITS - 1);
    } while (memcmp(out, out + 1, NATIONAL_ID_DIGITS - 2) == 0); /* nine equal digits */
    out[NATIONAL_ID_DIGITS - 1] = national_id_check_digit(out);
    out[NATIONAL_ID_DIGITS] = '\0';
}

static void draw_phone(struct workload *workload, char out[PHONE_DIGITS + 1])
{
    static const char MOBILE[][4] = { "091", "091", "091", "093", "090", "099" };
    struct random *random = &workload->random;
    memset(out, 0, PHONE_DIGITS + 1);
    if (random_chance(random, NO_PHONE_SHARE))
        return;
    draw_digits(random, out, PHONE_DIGITS);
    if (random_chance(random, LANDLINE_SHARE)) {
        memcpy(out, workload->options.province->area_code, 3);
        out[3] = (char)('3' + random_below(random, 3));
    } else {
        memcpy(out, MOBILE[random_below(random, 6)], 3);
    }
}

static void draw_citizen(struct workload *workload, struct citizen *citizen)
{
    citizen->first_name = (uint16_t)random_below(&workload->random, (uint32_t)FIRST_NAME_COUNT);
    citizen->surname = (uint16_t)random_below(&workload->random, (uint32_t)SURNAME_COUNT);
    draw_national_id(&workload->random, citizen->national_id);
    draw_phone(workload, citizen->phone);
}

/* Somebody else at the same telephone. */
static void draw_relative(struct workload *workload, struct citizen *citizen)
{
    citizen->first_name = (uint16_t)random_below(&workload->random, (uint32_t)FIRST_NAME_COUNT);
    if (random_chance(&workload->random, 0.3))
        citizen->surname = (uint16_t)random_below(&workload->random, (uint32_t)SURNAME_COUNT);
    draw_national_id(&workload->random, citizen->national_id);
}

/* ---- matters --------------------------------------------------------------------------------- */

static const struct sentences *sentences_of(uint8_t kind, uint8_t subject)
{
    if (kind == REQUEST_REQUEST || kind == REQUEST_PROBLEM)
        return &MATTER_SUBJECTS[subject].requests;
    return &MATTERS_OF_KIND[kind];
}

static const struct names *counties_of(const struct workload *workload)
{
    return &COUNTIES[workload->options.province->number];
}

static void draw_place(struct workload *workload, struct random *random, struct matter *matter)
{
    /* The first county is the capital; it brings a quarter besides its share. */
    uint32_t counties = (uint32_t)counties_of(workload)->count;
    uint32_t county = random_below(random, counties + counties / 3);
    matter->county = (uint16_t)(county < counties ? county : 0);
    matter->settlement =
        (uint16_t)random_below(random, (uint32_t)(VILLAGES.count + QUARTERS.count));
}

static void draw_matter(struct workload *workload, struct matter *matter)
{
    struct random *random = &workload->random;
    matter->seed = random_next(random);
    matter->kind = (uint8_t)draw_weighted(random, workload->kind_limits, WORKLOAD_KIND_COUNT);
    matter->subject =
        (uint8_t)draw_weighted(random, workload->subject_limits, MATTER_SUBJECT_COUNT);
    const struct sentences *sentences = sentences_of(matter->kind, matter->subject);
    matter->sentence = (uint16_t)random_below(random, (uint32_t)sentences->count);
    draw_place(workload, random, matter);
}

/* What a whole district complains of today: water, now and then the power. */
static void draw_burst_matter(struct workload *workload)
{
    struct random random = { workload->burst.seed };
    struct matter *matter = &workload->burst_matter;
    const char *code = random_chance(&random, 0.8) ? "water.outage" : "electricity.outage";
    matter->kind = REQUEST_PROBLEM;
    matter->subject = 0;
    while (strcmp(MATTER_SUBJECTS[matter->subject].code, code) != 0)
        matter->subject++;
    draw_place(workload, &random, matter);
}

static void draw_case_of_burst(struct workload *workload, struct matter *matter)
{
    *matter = workload->burst_matter;
    matter->seed = random_next(&workload->random);
    const struct sentences *sentences = sentences_of(matter->kind, matter->subject);
    matter->sentence = (uint16_t)random_below(&workload->random, (uint32_t)sentences->count);
    struct matter near = *matter;
    draw_place(workload, &workload->random, &near);
    matter->settlement = near.settlement; /* all over one county */
}

/* ---- texts ----------------------------------------------------------------------------------- */

struct slots {
    const struct workload *workload;
    const struct matter *matter;
    struct random random; /* from the matter's seed, in the order of the sentence */
};

static void append_number(struct buffer *out, uint32_t number)
{
    char digits[10];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
    } while ((number /= 10) > 0);
    buffer_append(out, digits + at, sizeof digits - at);
}

static void append_settlement(struct buffer *out, uint16_t settlement)
{
    if (settlement < VILLAGES.count) {
        buffer_append_string(out, "روستای ");
        buffer_append_string(out, VILLAGES.items[settlement]);
    } else {
        buffer_append_string(out, QUARTERS.items[settlement - VILLAGES.count]);
    }
}

static void append_sentence(struct buffer *out, struct slots *slots, const char *sentence);

static void append_slot(struct buffer *out, struct slots *slots, struct bytes name)
{
    const struct matter_subject *subject = &MATTER_SUBJECTS[slots->matter->subject];
    struct random *random = &slots->random;
    /* The names differ in their first two letters, but for one pair. */
    switch (name.data[0] << 8 | name.data[1]) {
    case 'p' << 8 | 'l':
        append_settlement(out, slots->matter->settlement);
        break;
    case 'c' << 8 | 'o':
        if (name.size == strlen("count"))
            append_number(out, random_between(random, 2, 6));
        else
            buffer_append_string(out, counties_of(slots->workload)->items[slots->matter->county]);
        break;
    case 'a' << 8 | 'g':
        append_sentence(out, slots,
                        subject->agencies.items[slots->matter->seed % subject->agencies.count]);
        break;
    case 't' << 8 | 'o':
        buffer_append_string(out, subject->topic);
        break;
    case 'm' << 8 | 'o':
        append_number(out, random_between(random, 2, 18));
        break;
    case 'd' << 8 | 'a':
        append_number(out, random_between(random, 2, 12));
        break;
    case 'y' << 8 | 'e':
        append_number(out, random_between(random, 2, 25));
        break;
    case 'f' << 8 | 'a':
        append_number(out, random_between(random, 4, 60) * 5);
        break;
    case 'a' << 8 | 'm':
        append_number(out, random_between(random, 2, 60) * 10);
        break;
    default:
        require(false); /* a slot of the sentences that nothing fills */
    }
}

static void append_sentence(struct buffer *out, struct slots *slots, const char *sentence)
{
    for (const char *rest = sentence;;) {
        const char *open = strchr(rest, '{');
        if (!open) {
            buffer_append_string(out, rest);
            return;
        }
        const char *close = strchr(open, '}');
        require(close && close - open > 2);
        buffer_append(out, rest, (size_t)(open - rest));
        append_slot(out, slots, bytes_of(open + 1, (size_t)(close - open - 1)));
        rest = close + 1;
    }
}

static void append_one_of(struct buffer *out, struct slots *slots, struct random *random,
                          const struct sentences *sentences)
{
    append_sentence(out, slots, sentences->items[random_below(random, (uint32_t)sentences->count)]);
}

/* Openings and closings are the speaker's of the day; the sentence between is the matter's. */
static void compose_text(struct workload *workload, const struct matter *matter, bool follow_up)
{
    struct buffer *out = &workload->text;
    struct random *random = &workload->random;
    struct slots slots = { workload, matter, { matter->seed } };
    struct slots frame = { workload, matter, { random_next(random) } };
    buffer_clear(out);
    if (follow_up)
        append_one_of(out, &frame, random, &FOLLOW_UPS);
    else if (random_chance(random, FRAME_SHARE))
        append_one_of(out, &frame, random, &OPENINGS);
    append_sentence(out, &slots,
                    sentences_of(matter->kind, matter->subject)->items[matter->sentence]);
    if (random_chance(random, FRAME_SHARE))
        append_one_of(out, &frame, random, &CLOSINGS);
}

/* ---- one line -------------------------------------------------------------------------------- */

static void write_literal(struct buffer *out, const char *literal)
{
    buffer_append_string(out, literal);
}

static void write_typed(struct buffer *out, const char *key, const struct typing *typing,
                        struct bytes text)
{
    write_literal(out, key);
    typing_write(out, typing, text);
}

static const char *draw_channel(struct random *random)
{
    static const struct {
        uint32_t limit;
        uint32_t channel;
    } CHANNELS[] = { { 78, CHANNEL_PHONE }, { 85, CHANNEL_LETTER }, { 91, CHANNEL_WALK_IN },
                     { 95, CHANNEL_DESK },  { 98, CHANNEL_WEB },    { 100, CHANNEL_SMS } };
    uint32_t drawn = random_below(random, 100);
    size_t i = 0;
    while (drawn >= CHANNELS[i].limit)
        i++;
    return request_channel_word(CHANNELS[i].channel);
}

static void compose_name(struct buffer *out, const struct citizen *citizen)
{
    buffer_clear(out);
    buffer_append_string(out, FIRST_NAMES[citizen->first_name]);
    buffer_append_u8(out, ' ');
    buffer_append_string(out, SURNAMES[citizen->surname]);
}

static void compose_place(struct buffer *out, const struct workload *workload,
                          const struct matter *matter)
{
    buffer_clear(out);
    buffer_append_string(out, counties_of(workload)->items[matter->county]);
    buffer_append_string(out, "، ");
    append_settlement(out, matter->settlement);
}

/* Leading zeros get lost in spreadsheets: eight or nine digits are left. */
static void compose_national_id(struct buffer *out, struct random *random,
                                const struct citizen *citizen)
{
    const char *digits = citizen->national_id;
    buffer_clear(out);
    if (random_chance(random, 0.3))
        for (int lost = 0; lost < 2 && *digits == '0'; lost++)
            digits++;
    buffer_append_string(out, digits);
}

static void compose_phone(struct buffer *out, struct random *random, const struct citizen *citizen)
{
    const char *digits = citizen->phone;
    bool is_mobile = digits[1] == '9';
    uint32_t habit = random_below(random, 10);
    buffer_clear(out);
    if (*digits == '\0' || habit < 6) {
        buffer_append_string(out, digits);
    } else if (habit == 6) {
        buffer_append_string(out, "+98");
        buffer_append_string(out, digits + 1);
    } else if (habit == 7) {
        buffer_append_string(out, is_mobile ? digits + 1 : digits + 3);
    } else {
        size_t head = is_mobile ? 4 : 3;
        buffer_append(out, digits, head);
        buffer_append_u8(out, is_mobile ? ' ' : '-');
        buffer_append_string(out, digits + head);
    }
}

/* UUIDv7: 48 bits of time, a counter within the millisecond, then what makes it unlike others. */
static void write_key(struct buffer *out, struct workload *workload, int64_t time_ms)
{
    uint8_t uuid[16];
    char hex[33];
    if (time_ms > workload->key_time_ms) {
        workload->key_time_ms = time_ms;
        workload->key_counter = 0;
    } else if (++workload->key_counter == 1 << 12) {
        workload->key_time_ms++;
        workload->key_counter = 0;
    }
    put_u64(uuid,
            (uint64_t)workload->key_time_ms << 16 | UINT64_C(7) << 12 | workload->key_counter);
    put_u64(uuid + 8, UINT64_C(1) << 63 | random_next(&workload->random) >> 2);
    hex_encode(hex, BYTES_OF_ARRAY(uuid));
    static const size_t GROUPS[] = { 8, 4, 4, 4, 12 };
    const char *at = hex;
    for (size_t i = 0; i < 5; at += GROUPS[i++]) {
        if (i > 0)
            buffer_append_u8(out, '-');
        buffer_append(out, at, GROUPS[i]);
    }
}

static void write_line(struct workload *workload, struct buffer *out, const struct citizen *citizen,
                       const struct matter *matter, bool follow_up, int64_t time_ms)
{
    struct random *random = &workload->random;
    struct typing typing = typing_draw(random);
    struct typing numbers = typing_draw(random);
    struct buffer *text = &workload->text;
    char occurred_at[INSTANT_TEXT_SIZE + 1];
    numbers.colloquial = false;

    write_literal(out, "{\"kind\":\"");
    write_literal(out, request_kind_word(matter->kind));
    write_literal(out, "\",\"channel\":\"");
    write_literal(out, draw_channel(random));
    write_literal(out, "\",\"subject\":\"");
    write_literal(out, MATTER_SUBJECTS[matter->subject].code);
    compose_text(workload, matter, follow_up);
    write_typed(out, "\",\"text\":\"", &typing, buffer_bytes(text));
    typing.colloquial = false;
    compose_name(text, citizen);
    write_typed(out, "\",\"name\":\"", &typing, buffer_bytes(text));
    compose_national_id(text, random, citizen);
    write_typed(out, "\",\"national_id\":\"", &numbers, buffer_bytes(text));
    compose_phone(text, random, citizen);
    write_typed(out, "\",\"phone\":\"", &numbers, buffer_bytes(text));
    compose_place(text, workload, matter);
    write_typed(out, "\",\"place\":\"", &typing, buffer_bytes(text));
    instant_format(occurred_at, time_ms);
    write_literal(out, "\",\"occurred_at\":\"");
    write_literal(out, occurred_at);
    write_literal(out, "\",\"idempotency_key\":\"");
    write_key(out, workload, time_ms);
    write_literal(out, "\"}\n");
}

/* ---- one request ----------------------------------------------------------------------------- */

static const struct past *draw_past(struct workload *workload)
{
    uint32_t count =
        workload->past_added < PAST_COUNT ? (uint32_t)workload->past_added : PAST_COUNT;
    return &workload->past[random_below(&workload->random, count)];
}

static void remember(struct workload *workload, const struct citizen *citizen,
                     const struct matter *matter)
{
    workload->past[workload->past_added++ % PAST_COUNT] = (struct past){ *citizen, *matter };
}

/* Every call is registered with the same chance, until one is. */
static void count_calls(struct workload *workload)
{
    do {
        workload->stats.calls++;
    } while (!random_chance(&workload->calls, REGISTERED_SHARE));
}

static void write_request(struct workload *workload, struct buffer *out, int64_t time_ms,
                          bool of_burst)
{
    struct workload_stats *stats = &workload->stats;
    struct citizen citizen;
    struct matter matter;
    double fate = random_share(&workload->random);
    bool known = !of_burst && workload->past_added > 0;
    bool is_repeat = known && fate < REPEAT_SHARE;
    bool is_household = known && !is_repeat && fate < REPEAT_SHARE + HOUSEHOLD_SHARE;
    if (is_repeat || is_household) {
        const struct past *past = draw_past(workload);
        citizen = past->citizen;
        matter = past->matter;
        if (is_household)
            draw_relative(workload, &citizen);
    } else {
        draw_citizen(workload, &citizen);
        if (of_burst)
            draw_case_of_burst(workload, &matter);
        else
            draw_matter(workload, &matter);
        remember(workload, &citizen, &matter);
    }
    write_line(workload, out, &citizen, &matter, is_repeat, time_ms);
    stats->registered++;
    stats->repeats += is_repeat;
    stats->households += is_household;
    stats->burst_requests += of_burst;
    stats->kinds[matter.kind]++;
    count_calls(workload);
}

/* ---- days ------------------------------------------------------------------------------------ */

static void begin_day(struct workload *workload)
{
    uint32_t ordinary = schedule_ordinary_count(&workload->schedule, workload->day);
    workload->burst = schedule_burst(&workload->schedule, workload->day);
    workload->day_count = ordinary + workload->burst.size;
    workload->day_next = 0;
    workload->stats.working_days += day_weight(workload->day) > 0;
    workload->stats.bursts += workload->burst.is_today;
    if (workload->burst.is_today)
        draw_burst_matter(workload);
}

static bool is_past_last_day(const struct workload *workload)
{
    /* With a count, days only set the scale: chance may need another day to reach it. */
    return workload->options.days > 0 && workload->options.count == 0 &&
           workload->day - workload->options.first_day >= workload->options.days;
}

/* False when the last day is over. */
static bool find_day(struct workload *workload)
{
    while (workload->day_next == workload->day_count) {
        workload->day++;
        if (is_past_last_day(workload))
            return false;
        begin_day(workload);
    }
    return true;
}

bool workload_next(struct workload *workload, struct buffer *out)
{
    uint64_t count = workload->options.count;
    if ((count > 0 && workload->stats.registered == count) || !find_day(workload))
        return false;
    /* Each request has its own slice of the day's work, so that times ascend without sorting. */
    double share = (workload->day_next + random_share(&workload->random)) / workload->day_count;
    int64_t time_ms = instant_of_iran_day(workload->day) + schedule_time_ms(share);
    bool of_burst = random_below(&workload->random, workload->day_count) < workload->burst.size;
    workload->day_next++;
    write_request(workload, out, time_ms, of_burst);
    return true;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* With a count, the scale at which it is expected in the days given, or, when none are given and
 * the scale would take longer, in two years: requests of the next century help nobody. */
static double scale_of(const struct workload_options *options, uint64_t seed)
{
    struct schedule schedule;
    int64_t days = options->days > 0 ? options->days : TWO_YEARS_DAYS;
    if (options->count == 0)
        return options->scale;
    schedule_init(&schedule, seed, options->province, 1, options->bursts);
    double expected = schedule_expected(&schedule, options->first_day, days);
    double scale = expected > 0 ? (double)options->count / expected : options->scale;
    return options->days > 0 || scale > options->scale ? scale : options->scale;
}

struct workload *workload_new(const struct workload_options *options)
{
    struct workload *workload = calloc(1, sizeof *workload);
    if (!workload)
        return NULL;
    const struct province *province = options->province;
    uint64_t seed = random_of(options->seed, province->number, 0).state;
    workload->options = *options;
    workload->random = random_of(seed, STREAM_REQUESTS, 0);
    workload->calls = random_of(seed, STREAM_CALLS, 0);
    workload->day = options->first_day - 1;
    schedule_init(&workload->schedule, seed, province, scale_of(options, seed), options->bursts);
    init_subjects(workload);
    init_kinds(workload);
    return workload;
}

void workload_free(struct workload *workload)
{
    if (!workload)
        return;
    buffer_close(&workload->text);
    free(workload);
}

const struct workload_stats *workload_stats(const struct workload *workload)
{
    return &workload->stats;
}
