/* How the scenarios are written down. */
#ifndef TESTS_SCENARIO_TRANSCRIPT_H
#define TESTS_SCENARIO_TRANSCRIPT_H

#include "tests/scenario/world.h"

#define TRANSCRIPT_LOG_SIZE 80

/* "ardabil/hub/a1": the incarnation by its first byte. Gives `out` back. */
const char *transcript_log(char out[TRANSCRIPT_LOG_SIZE], const struct log_id *id);
void transcript_add(struct world *world, const char *text);
void transcript_addf(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void transcript_message(struct node *to, const struct node *from, const struct message *message,
                        enum delivery delivery);
void transcript_alarm(struct node *node, const struct effect_alarm *alarm);
void transcript_opens(struct node *node, const struct event *opened, bool unasked);

#endif
