#ifndef CHECK_INDEX_PRIVATE_H
#define CHECK_INDEX_PRIVATE_H

#include "tests/check/index.h"

/* index_logs.c: the same log in all stores. */
void index_logs_read(struct index *index);
void index_logs_close(struct index *index);

bool index_is_malicious_host(const struct index *index, uint32_t host);

#endif
