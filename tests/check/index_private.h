#ifndef CHECK_INDEX_PRIVATE_H
#define CHECK_INDEX_PRIVATE_H

#include "tests/check/index.h"

/* index_logs.c: the same log in all stores. */
void index_logs_read(struct index *index);
void index_logs_close(struct index *index);

/* index_devices.c: when the loss or damage of one of two devices was made good. */
#define INDEX_PENDING (SIZE_MAX - 1)
void index_devices_read(struct index *index);
bool index_harm_is_of_journal(const struct history_event *event);

bool index_is_malicious_host(const struct index *index, uint32_t host);

#endif
