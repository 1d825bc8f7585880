/* Messages of a link: what is taken is written again in the same bytes. */
#include "tests/fuzz/fuzz.h"

#include "proto/wire/message.h"

FUZZ_TARGET(message)
{
    static struct message message; /* large */
    struct buffer again = { 0 };
    if (message_decode(&message, input) != OK)
        return;
    require(message_encode(&again, &message) == OK);
    require(bytes_equal(buffer_bytes(&again), input));
    buffer_close(&again);
}
