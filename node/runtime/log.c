#include "node/runtime/log.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE_MAX = 2048, FIELD_MAX = 16, FIELD_SIZE_MAX = 320 };

static atomic_int threshold = LOG_EVENT_INFO;

void log_event_threshold(enum log_level level)
{
    atomic_store(&threshold, (int)level);
}

const char *log_number(int64_t number)
{
    static _Thread_local char texts[8][24];
    static _Thread_local unsigned next;
    char *text = texts[next++ % 8];
    snprintf(text, sizeof texts[0], "%" PRId64, number);
    return text;
}

/* JOURNAL_STREAM names the device and inode of the journal's stream (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat info;
    uintmax_t device, inode;
    return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &info) == 0 && info.st_dev == device && info.st_ino == inode;
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_EVENT_ERROR:
        return "error";
    case LOG_EVENT_WARNING:
        return "warning";
    case LOG_EVENT_INFO:
        return "info";
    case LOG_EVENT_DEBUG:
        return "debug";
    }
    return "?";
}

/* Appends a value so that one line stays one line whatever the value holds. */
static size_t append_value(char *line, size_t at, const char *value)
{
    bool plain = *value != '\0';
    for (const char *p = value; *p && plain; p++)
        plain = *p > ' ' && *p < 127 && *p != '"' && *p != '\\' && *p != '=';
    if (!plain && at < LINE_SIZE_MAX)
        line[at++] = '"';
    for (const char *p = value; *p && at + 8 < LINE_SIZE_MAX; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\') {
            line[at++] = '\\';
            line[at++] = (char)c;
        } else if (c < ' ' || c >= 127) {
            at += (size_t)snprintf(line + at, LINE_SIZE_MAX - at, "\\x%02x", c);
        } else {
            line[at++] = (char)c;
        }
    }
    if (!plain && at < LINE_SIZE_MAX)
        line[at++] = '"';
    return at;
}

static void write_stderr(enum log_level level, const char *event, va_list args)
{
    char line[LINE_SIZE_MAX + 2];
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t at = strftime(line, 64, "%Y-%m-%dT%H:%M:%S", &utc);
    at += (size_t)snprintf(line + at, 128, ".%03ldZ %s %.80s", now.tv_nsec / 1000000,
                           level_name(level), event);
    for (const char *key; (key = va_arg(args, const char *)) != NULL;) {
        const char *value = va_arg(args, const char *);
        if (at + strlen(key) + 16 >= LINE_SIZE_MAX)
            break;
        line[at++] = ' ';
        memcpy(line + at, key, strlen(key));
        at += strlen(key);
        line[at++] = '=';
        at = append_value(line, at, value ? value : "");
    }
    line[at++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, at);
    (void)written; /* there is nowhere else to complain */
}

static void write_journal(enum log_level level, const char *event, va_list args)
{
    char fields[FIELD_MAX + 2][FIELD_SIZE_MAX];
    struct iovec parts[FIELD_MAX + 2];
    int count = 0;
    snprintf(fields[count++], FIELD_SIZE_MAX, "PRIORITY=%d", (int)level);
    size_t at = (size_t)snprintf(fields[1], FIELD_SIZE_MAX, "MESSAGE=%s", event);
    count++;
    for (const char *key; (key = va_arg(args, const char *)) != NULL && count < FIELD_MAX + 2;) {
        const char *value = va_arg(args, const char *);
        char value_line[LINE_SIZE_MAX];
        size_t size = append_value(value_line, 0, value ? value : "");
        int used = snprintf(fields[count], FIELD_SIZE_MAX, "SAMAD_%s=%.*s", key, (int)size,
                            value_line);
        for (int i = 6; i < used && fields[count][i] != '=' && i < FIELD_SIZE_MAX; i++)
            fields[count][i] = (char)toupper((unsigned char)fields[count][i]);
        if (at < FIELD_SIZE_MAX)
            at += (size_t)snprintf(fields[1] + at, FIELD_SIZE_MAX - at, " %s=%.*s", key,
                                   (int)size, value_line);
        count++;
    }
    for (int i = 0; i < count; i++)
        parts[i] = (struct iovec){ fields[i], strlen(fields[i]) };
    sd_journal_sendv(parts, count);
}

void log_event(enum log_level level, const char *event, ...)
{
    if ((int)level > atomic_load(&threshold))
        return;
    va_list args;
    va_start(args, event);
    if (stderr_is_journal())
        write_journal(level, event, args);
    else
        write_stderr(level, event, args);
    va_end(args);
}
