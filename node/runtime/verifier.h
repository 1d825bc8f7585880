/* The background verification: a thread that reads everything in the log store again, at a bounded
 * rate, once a day, for ever (guarantee I11); an hour after a round that found damage. It goes on after
 * a restart where it stood: the cursor is the file `verify` in the data folder, replaced whole about
 * once a minute. */
#ifndef NODE_RUNTIME_VERIFIER_H
#define NODE_RUNTIME_VERIFIER_H

#include "storage/verify.h"

struct verifier;

struct verifier_options {
    struct log_store *logs;
    const char *folder;
    uint64_t rate; /* bytes a second; 0: no verification */
    verify_key *key;
    /* Damage that another holder's copy can put right: once a round. The verifier's thread. May be
     * NULL. */
    void (*on_damage)(void *context, uint32_t number, uint64_t position);
    void *context;
};

enum err verifier_start(struct verifier **out, const struct verifier_options *options);
void verifier_stop(struct verifier *verifier);

struct verifier_status {
    uint64_t rounds;   /* complete ones since the start */
    uint64_t records;  /* looked at in this round */
    uint64_t failures; /* of this round, or of the last complete one when that had some */
};
void verifier_status(struct verifier *verifier, struct verifier_status *status);

#endif
