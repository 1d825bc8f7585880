/* What people say, and when: small, valid and stored as it is said, so that what a store holds can be
 * compared with it. (tests/workload is the realistic one; here every typing error would be noise.) */
#include "tests/sim/clients_private.h"

#include "node/casework/national_id.h"
#include "node/casework/province.h"
#include "node/casework/request_words.h"
#include "node/casework/subject.h"
#include "proto/base/require.h"
#include "tests/check/content.h"

#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* ---- when ------------------------------------------------------------------------------------ */

#define HOUR_NS      UINT64_C(3600000000000)
#define DAY_HOURS    24
#define TEHRAN_MIN   210 /* UTC+3:30, without summer time since 1401 */

/* Shares of a day, times 24: two peaks, and the line is answered at night as well. */
static const double HOURS[DAY_HOURS] = { 0.2, 0.1, 0.1, 0.1, 0.1, 0.2, 0.4, 1.2, 2.2, 2.8, 2.8, 2.4,
                                         1.8, 1.2, 1.0, 1.0, 1.2, 1.4, 1.4, 1.0, 0.6, 0.4, 0.2, 0.2 };
/* From Thursday, the day of the Unix epoch: Saturday is the busiest, Friday nobody's working day. */
static const double WEEKDAYS[7] = { 0.6, 0.3, 1.5, 1.25, 1.15, 1.1, 1.1 };
static const double WEIGHT_MAX = 1.5 * 2.8;

static double weight_at(uint64_t now_ns, int64_t epoch_ms)
{
    int64_t hour = (epoch_ms / 60000 + (int64_t)(now_ns / (HOUR_NS / 60)) + TEHRAN_MIN) / 60;
    return HOURS[hour % DAY_HOURS] * WEEKDAYS[hour / DAY_HOURS % 7];
}

uint64_t delay_draw(struct random *random, uint64_t mean_ns)
{
    return (uint64_t)(-log(1 - random_share(random)) * (double)mean_ns);
}

/* Drawn at the busiest hour's rate, and taken as often as the hour deserves. */
uint64_t arrival_next(struct random *random, uint64_t now_ns, int64_t epoch_ms,
                      double requests_a_day)
{
    uint64_t mean_ns = (uint64_t)(DAY_HOURS * (double)HOUR_NS / (requests_a_day * WEIGHT_MAX));
    do
        now_ns += 1 + delay_draw(random, mean_ns);
    while (!random_chance(random, weight_at(now_ns, epoch_ms) / WEIGHT_MAX));
    return now_ns;
}

/* ---- what ------------------------------------------------------------------------------------ */

static const char *const NAMES[] = { "زهرا محمدی", "علی احمدی",    "فاطمه رضایی", "حسین کریمی",
                                     "مریم حسینی", "رضا موسوی",    "سکینه نوری",  "محمد جعفری",
                                     "لیلا صادقی", "ابراهیم قاسمی" };
static const char *const TEXTS[] = {
    "آب روستا دو روز است که قطع است",
    "چراغ خیابان ما روشن نمی شود",
    "برای وام ازدواج شش ماه در نوبت هستم",
    "مدرسه سرویس ندارد و راه دور است",
    "جاده بعد از باران بسته شد و کسی نیامد",
    "از رسیدگی به درخواست قبلی سپاسگزارم",
};

#define ITEM(list, random) (list)[random_below((random), sizeof(list) / sizeof *(list))]

static void draw_national_id(struct random *random, char out[NATIONAL_ID_DIGITS + 1])
{
    for (int i = 0; i < NATIONAL_ID_DIGITS - 1; i++)
        out[i] = (char)('0' + random_below(random, 10));
    out[0] = '1';
    out[1] = '0'; /* never ten equal digits */
    out[NATIONAL_ID_DIGITS - 1] = national_id_check_digit(out);
    out[NATIONAL_ID_DIGITS] = '\0';
}

static const char *draw_subject(struct random *random)
{
    const struct subject *subject;
    do
        subject = &SUBJECTS[random_below(random, (uint32_t)SUBJECT_COUNT)];
    while (subject->retired);
    return subject->code;
}

static void write_body(struct request *request, const struct request_content *content)
{
    int size = snprintf(request->body, sizeof request->body,
                        "{\"kind\":\"%s\",\"channel\":\"%s\",\"subject\":\"%s\",\"place\":\"%s\","
                        "\"name\":\"%s\",\"national_id\":\"%s\",\"phone\":\"%s\",\"text\":\"%s\","
                        "\"address\":\"%s\"}",
                        request_kind_word((uint32_t)content->kind),
                        request_channel_word((uint32_t)content->channel), content->subject,
                        content->place, content->name, content->national_id, content->phone,
                        content->text, content->address);
    require(size > 0 && size < CLIENT_BODY_SIZE);
    request->body_size = (size_t)size;
    crypto_hash_sha256(request->body_hash, (const uint8_t *)request->body, request->body_size);
}

/* As often over as it takes. */
static void write_text(char *out, size_t room, struct random *random, const struct request *request,
                       size_t text_size, bool other)
{
    const char *sentence = ITEM(TEXTS, random);
    size_t size = (size_t)snprintf(out, room, "%s%s", other ? "نه، " : "", sentence);
    while (size < text_size)
        size += (size_t)snprintf(out + size, room - size, " %s", sentence);
    size += (size_t)snprintf(out + size, room - size, " %llu", (unsigned long long)request->number);
    require(size < room);
}

void request_say(struct request *request, const char *node, uint64_t seed, size_t text_size,
                 bool other)
{
    const struct province *province = province_by_node(bytes_of_string(node));
    struct random random = random_of(seed, other ? 2 : 1, request->number);
    char national_id[NATIONAL_ID_DIGITS + 1], text[CLIENT_BODY_SIZE - 1024], address[64];
    struct check_hash facts, person;
    require(province != NULL);
    draw_national_id(&random, national_id);
    snprintf(request->phone, sizeof request->phone, "+989%09u",
             random_below(&random, 1000000000));
    write_text(text, sizeof text, &random, request, text_size, other);
    snprintf(address, sizeof address, "خیابان %u", 1 + random_below(&random, 90));
    struct request_content content = {
        .kind = 1 + random_below(&random, REQUEST_KIND_COUNT),
        .channel = 1 + random_below(&random, CHANNEL_SMS), /* people do not import */
        .subject = draw_subject(&random),
        .place = province->iso,
        .name = ITEM(NAMES, &random),
        .national_id = national_id,
        .phone = request->phone,
        .text = text,
        .address = random_chance(&random, 0.5) ? address : "",
    };
    content_digest(&content, &facts, &person);
    memcpy(request->facts_hash, facts.bytes, CLIENT_HASH_SIZE);
    memcpy(request->person_hash, person.bytes, CLIENT_HASH_SIZE);
    write_body(request, &content);
}
