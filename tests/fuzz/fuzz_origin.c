#include "tests/fuzz/fuzz.h"

#include "proto/record/log_id.h"

/* An origin that is read is the one that is written, byte for byte. */
FUZZ_TARGET(origin)
{
    struct log_id id;
    char origin[LOG_ORIGIN_SIZE_MAX + 1];
    if (log_id_from_origin(&id, input) != OK)
        return;
    log_id_origin(&id, origin);
    require(bytes_equal(bytes_of_string(origin), input));
}
