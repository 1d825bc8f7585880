/* What of a host with two devices was made good. Loss or damage of one of them is within the failure
 * model: when the host next answers after a start it has compared both, and nothing excuses it any
 * more. Not so when the other one was harmed, or had failed, before that.
 *
 * A hub's first device holds the logs of others, which its journal does not have: its loss is a loss. */
#include "tests/check/index.h"
#include "tests/check/index_private.h"

#include <stdlib.h>
#include <string.h>

enum { LOG, JOURNAL, DEVICE_COUNT };

struct devices {
    bool out[DEVICE_COUNT];
    bool starting; /* up, and no answer seen since */
    bool failed;   /* an error of the journal since the start: it is not written any more */
    size_t up_at;
};

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_harm(const struct history_event *event)
{
    return event->kind == HISTORY_RESTORE || event->kind == HISTORY_DISK_LOST ||
           (event->kind == HISTORY_FAULT && begins(event->fault.name, "rest."));
}

bool index_harm_is_of_journal(const struct history_event *event)
{
    return event->kind == HISTORY_FAULT
               ? begins(event->fault.name, "rest.journal")
               : is_harm(event) && strcmp(event->life.name, "journal") == 0;
}

static bool is_of_log_alone(const struct history_event *event)
{
    return event->kind == HISTORY_FAULT ? !begins(event->fault.name, "rest.journal")
                                        : strcmp(event->life.name, "log") == 0;
}

/* Everything that is out is lost for good: the other one cannot make it good. */
static void forget(struct index *index, uint32_t host)
{
    for (size_t i = 0; i < index->incident_count; i++)
        if (index_event(index, index->incidents[i])->host == host &&
            index->good_at[i] == INDEX_PENDING)
            index->good_at[i] = INDEX_NEVER;
}

static void harm(struct index *index, struct devices *devices, size_t incident)
{
    const struct history_event *event = index_event(index, index->incidents[incident]);
    const struct history_host *host = index_host(index, event->host);
    bool journal = index_harm_is_of_journal(event), log = is_of_log_alone(event);
    devices->out[JOURNAL] |= !log;
    devices->out[LOG] |= !journal;
    index->good_at[incident] = INDEX_NEVER;
    if (devices->out[LOG] && devices->out[JOURNAL])
        forget(index, event->host);
    else if (journal || (log && !host->hub))
        index->good_at[incident] = INDEX_PENDING;
}

static void prove(struct index *index, struct devices *devices, uint32_t host, size_t at)
{
    if (!devices->starting)
        return;
    devices->starting = false;
    devices->out[LOG] = false;
    devices->out[JOURNAL] = devices->failed;
    for (size_t i = 0; i < index->incident_count && index->incidents[i] < devices->up_at; i++)
        if (index_event(index, index->incidents[i])->host == host &&
            index->good_at[i] == INDEX_PENDING)
            index->good_at[i] = at;
}

static void journal_fails(struct index *index, struct devices *devices, uint32_t host)
{
    devices->failed = devices->out[JOURNAL] = true;
    if (devices->out[LOG])
        forget(index, host);
}

static void follow(struct index *index, struct devices *devices, size_t at, size_t incident)
{
    const struct history_event *event = index_event(index, at);
    bool is_success = event->kind == HISTORY_SENT && event->answer.status >= 200 &&
                      event->answer.status < 300;
    if (event->kind == HISTORY_UP) {
        devices->starting = true;
        devices->failed = false;
        devices->up_at = at;
    } else if (event->kind == HISTORY_IO_ERROR && strcmp(event->sync.device, "journal") == 0) {
        journal_fails(index, devices, event->host);
    } else if (is_success) {
        prove(index, devices, event->host, at);
    } else if (is_harm(event)) {
        harm(index, devices, incident);
    }
}

void index_devices_read(struct index *index)
{
    size_t hosts = history_host_count(index->history), incident = 0;
    struct devices *devices = calloc(hosts + 1, sizeof *devices);
    index->good_at = calloc(index->incident_count + 1, sizeof *index->good_at);
    index->failed |= !devices || !index->good_at;
    for (size_t i = 0; index->good_at && i < index->incident_count; i++)
        index->good_at[i] = INDEX_NEVER;
    for (size_t at = 0; !index->failed && at < history_count(index->history); at++) {
        const struct history_event *event = index_event(index, at);
        const struct history_host *host = index_host(index, event->host);
        if (host && host->journal)
            follow(index, &devices[event->host], at, incident);
        for (size_t i = 0; event->kind == HISTORY_CONVERGED && i < hosts; i++)
            prove(index, &devices[i], (uint32_t)i, at);
        incident += incident < index->incident_count && index->incidents[incident] == at;
    }
    for (size_t i = 0; index->good_at && i < index->incident_count; i++)
        if (index->good_at[i] == INDEX_PENDING)
            index->good_at[i] = INDEX_NEVER;
    free(devices);
}

bool index_journal_is_out(const struct index *index, uint32_t host, size_t at)
{
    bool out = false;
    for (size_t i = 0; i < index->incident_count && index->incidents[i] <= at; i++) {
        const struct history_event *event = index_event(index, index->incidents[i]);
        if (event->host != host)
            continue;
        if (event->kind == HISTORY_UP)
            out = false;
        else if (event->kind == HISTORY_IO_ERROR && strcmp(event->sync.device, "journal") == 0)
            out = true;
    }
    return out;
}
