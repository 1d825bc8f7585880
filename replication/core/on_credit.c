/* The peer has stored what we sent: that many more bytes may follow (R10). */
#include "replication/core/state.h"

void core_on_credit(struct core *core, struct link *link, const struct message_credit *message)
{
    (void)core; /* sending goes on at the end of the step */
    if (message->size > UINT64_MAX - link->credit_send)
        link->credit_send = UINT64_MAX;
    else
        link->credit_send += message->size;
}
