#include "node/transport/alarms.h"

#include <string.h>

static struct alarm_status *alarm_find(struct replication_status *status,
                                       const struct alarm_status *alarm)
{
    for (size_t i = 0; i < status->alarm_count; i++)
        if (strcmp(status->alarms[i].kind, alarm->kind) == 0 &&
            strcmp(status->alarms[i].subject, alarm->subject) == 0)
            return &status->alarms[i];
    return NULL;
}

static size_t count_of(const struct replication_status *status, const char *peer)
{
    size_t count = 0;
    for (size_t i = 0; i < status->alarm_count; i++)
        count += strcmp(status->alarms[i].peer, peer) == 0;
    return count;
}

/* Which alarm goes first: of `peer`, or of all when it is NULL. The list is in order of age, so the
 * first of equals is the oldest. */
static size_t least(const struct replication_status *status, const char *peer)
{
    size_t found = status->alarm_count, found_count = 0;
    for (size_t i = 0; i < status->alarm_count; i++) {
        const struct alarm_status *alarm = &status->alarms[i];
        if (peer && strcmp(alarm->peer, peer) != 0)
            continue;
        size_t count = count_of(status, alarm->peer);
        if (found == status->alarm_count || alarm->severity < status->alarms[found].severity ||
            (alarm->severity == status->alarms[found].severity && count > found_count)) {
            found = i;
            found_count = count;
        }
    }
    return found;
}

static void remove_at(struct replication_status *status, size_t index)
{
    status->alarm_count--;
    memmove(&status->alarms[index], &status->alarms[index + 1],
            (status->alarm_count - index) * sizeof *status->alarms);
}

bool alarms_add(struct replication_status *status, const struct alarm_status *alarm)
{
    struct alarm_status *known = alarm_find(status, alarm);
    if (known) { /* A1 */
        memcpy(known->detail, alarm->detail, sizeof known->detail);
        return true;
    }
    bool peer_is_full = count_of(status, alarm->peer) >= ALARMS_PEER_MAX;
    if (peer_is_full || status->alarm_count >= ALARMS_MAX) {
        size_t index = least(status, peer_is_full ? alarm->peer : NULL); /* A2, A3 */
        if (status->alarms[index].severity > alarm->severity)
            return false; /* A4 */
        remove_at(status, index);
    }
    status->alarms[status->alarm_count++] = *alarm;
    return true;
}
