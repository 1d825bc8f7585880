#include "node/transport/alarms.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct replication_status *status;

static void begin(void)
{
    status = calloc(1, sizeof *status);
    cr_assert(status);
}

static void end(void)
{
    free(status);
}

TestSuite(alarms, .init = begin, .fini = end);

static bool add(const char *peer, unsigned severity, unsigned subject)
{
    struct alarm_status alarm = { .severity = severity, .since_ms = subject };
    snprintf(alarm.kind, sizeof alarm.kind, "kind-%u", severity);
    snprintf(alarm.subject, sizeof alarm.subject, "%s/%u", peer, subject);
    snprintf(alarm.peer, sizeof alarm.peer, "%s", peer);
    return alarms_add(status, &alarm);
}

static size_t count(const char *peer, unsigned severity)
{
    size_t found = 0;
    for (size_t i = 0; i < status->alarm_count; i++)
        found += strcmp(status->alarms[i].peer, peer) == 0 &&
                 status->alarms[i].severity == severity;
    return found;
}

static bool holds(const char *subject)
{
    for (size_t i = 0; i < status->alarm_count; i++)
        if (strcmp(status->alarms[i].subject, subject) == 0)
            return true;
    return false;
}

Test(alarms, the_same_alarm_stands_once_with_its_beginning_and_its_newest_detail) /* A1 */
{
    struct alarm_status alarm = { .kind = "fork", .subject = "x", .detail = "a", .since_ms = 1 };
    cr_assert(alarms_add(status, &alarm));
    strcpy(alarm.detail, "b");
    alarm.since_ms = 2;
    cr_assert(alarms_add(status, &alarm));
    cr_assert_eq(status->alarm_count, 1);
    cr_assert_eq(status->alarms[0].since_ms, 1);
    cr_assert_str_eq(status->alarms[0].detail, "b");
}

Test(alarms, a_noisy_peer_hides_no_other_and_keeps_its_most_severe) /* A2, A4 */
{
    cr_assert(add("ardabil", 1, 0));
    cr_assert(add("noisy", 4, 0));
    for (unsigned i = 1; i < 200; i++)
        cr_assert(add("noisy", 2, i));
    cr_assert_eq(count("noisy", 2) + count("noisy", 4), ALARMS_PEER_MAX);
    cr_assert_eq(count("noisy", 4), 1);
    cr_assert_eq(count("ardabil", 1), 1);
    cr_assert(holds("noisy/199") && !holds("noisy/1"), "the newest of equals are kept");
    cr_assert_not(add("noisy", 1, 500), "what is less severe than all is not kept");
    cr_assert_eq(status->alarm_count, 1 + ALARMS_PEER_MAX);
}

Test(alarms, a_full_list_loses_its_least_severe_of_the_peer_that_has_the_most) /* A3 */
{
    char peer[16];
    cr_assert(add("quiet", 1, 0));
    cr_assert(add("severe", 4, 0));
    for (unsigned i = 0; status->alarm_count < ALARMS_MAX; i++) {
        snprintf(peer, sizeof peer, "p%u", i / ALARMS_PEER_MAX);
        cr_assert(add(peer, 1, i));
    }
    cr_assert(add("new", 1, 0));
    cr_assert_eq(status->alarm_count, ALARMS_MAX);
    cr_assert_not(holds("p0/0"), "the oldest of the peer with the most");
    cr_assert(holds("quiet/0") && holds("severe/0") && holds("new/0"));
    for (unsigned i = 0; i < ALARMS_PEER_MAX; i++)
        cr_assert(add("worse", 3, i));
    cr_assert(holds("severe/0"));
    cr_assert_eq(count("worse", 3), ALARMS_PEER_MAX);
    cr_assert_leq(status->alarm_count, STATUS_ALARM_MAX - STATUS_ALARM_OWN_MAX,
                  "room for what the node says of itself");
}
