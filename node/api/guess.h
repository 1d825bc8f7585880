/* A brake on guessing (design D15). Wrong second factors are counted per code: after a few the answer
 * is «later» for a growing time. And per token, whatever the codes: a burst is free, for people err,
 * then only as many as a page for the public may see. Bounded memory; nothing is stored. */
#ifndef NODE_API_GUESS_H
#define NODE_API_GUESS_H

#include "proto/base/bytes.h"

struct guesses;

enum err guesses_new(struct guesses **out, const uint8_t key[16]);
void guesses_free(struct guesses *guesses);
/* Wrong tries of one token, whatever the codes: GUESS_TOKEN_BURST at once, then one in
 * GUESS_TOKEN_INTERVAL_MS. Right ones cost nothing, and wait like the others: an answer that came only
 * when the guess was right would give it away. */
#define GUESS_TOKEN_BURST       60
#define GUESS_TOKEN_INTERVAL_MS 3000

/* One try. It counts as a wrong one from its beginning, so that many at a time are no way around the
 * brake. Any thread. */
struct guess {
    struct bytes code, token;
    int64_t began_ms, last_ms; /* last_ms: of the try of this code before it */
};
/* Seconds to wait before `token` may try a factor of `code`; 0: now, and the try is counted. Both must
 * live until the guess is over; a wrong one needs no further call. */
unsigned guess_begin(struct guesses *guesses, struct guess *guess, struct bytes code,
                     struct bytes token, int64_t now_ms);
/* It was right: the code's count is cleared, the token's is as before it. */
void guess_succeeded(struct guesses *guesses, const struct guess *guess);
/* It was neither right nor wrong (nothing was compared): it is not counted. */
void guess_withdraw(struct guesses *guesses, const struct guess *guess);

#endif
