/* The frozen log store of format 1 (tests/golden/format-1/log) and the text that says what is in
 * it. golden_log_make() wrote it once; golden_log_dump() must give the same text for ever. */
#ifndef TESTS_GOLDEN_GOLDEN_LOG_H
#define TESTS_GOLDEN_GOLDEN_LOG_H

#include "storage/log.h"

/* Makes the store in `folder`, which must not have one. */
void golden_log_make(const char *folder);
/* Everything that can be read of the store in `folder`, as lines. ERR_… of opening or reading. */
enum err golden_log_dump(const char *folder, struct buffer *out);
/* The keys the data were made with. */
struct seal_key golden_data_key(void);
bool golden_log_key(void *context, const struct log_id *id, struct sign_public *key);

#endif
