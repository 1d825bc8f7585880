/* The daemon's own log: one event a line, "time level event key=value ...", to the journal with
 * structured fields when it listens, else to stderr. No personal data, ever: values are names,
 * numbers, codes of errors. Control characters, quotes and anything not printable are escaped. */
#ifndef NODE_RUNTIME_LOG_H
#define NODE_RUNTIME_LOG_H

#include <stdint.h>

enum log_level { LOG_EVENT_ERROR = 3, LOG_EVENT_WARNING = 4, LOG_EVENT_INFO = 6, LOG_EVENT_DEBUG = 7 };

/* Below this importance nothing is written; LOG_EVENT_INFO at first. */
void log_event_threshold(enum log_level level);

/* `event` is a constant such as "link.closed"; then pairs of key and value strings, ended by NULL:
 * log_event(LOG_EVENT_INFO, "link.closed", "peer", name, "reason", err_name(err), NULL);
 * Any thread. */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));

/* A number as a value for one log_event call; a few live at once per thread. */
const char *log_number(int64_t number);

#endif
