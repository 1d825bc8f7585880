/* Proofs of forks (replication/README.md, Forks), judged by a verifier of its own. */
#ifndef CHECK_FORK_H
#define CHECK_FORK_H

#include "tests/check/history.h"

/* NULL when the proof, in hexadecimal, shows that the log of that origin has two histories signed by
 * `key`; otherwise why it does not. */
const char *check_fork_proof(const char *hex, const char *origin, const struct check_hash *key);

#endif
