/* A brake on guessing (design D15). Wrong second factors are counted per code: after a few the answer
 * is «later» for a growing time. And per token, whatever the codes: a burst is free, for people err,
 * then only as many as a page for the public may see. Bounded memory; nothing is stored. */
#ifndef NODE_API_GUESS_H
#define NODE_API_GUESS_H

#include "proto/base/bytes.h"

struct guesses;

enum err guesses_new(struct guesses **out, const uint8_t key[16]);
void guesses_free(struct guesses *guesses);
/* Seconds to wait before `subject` may try again; 0: now. Any thread. */
unsigned guesses_wait(struct guesses *guesses, struct bytes subject, int64_t now_ms);
/* A wrong try; a right one clears the count. */
void guesses_failed(struct guesses *guesses, struct bytes subject, int64_t now_ms);
void guesses_succeeded(struct guesses *guesses, struct bytes subject);

/* The same for all that one token tries: GUESS_TOKEN_BURST wrong ones at once, then one in
 * GUESS_TOKEN_INTERVAL_MS. Right ones cost nothing, and wait like the others: an answer that came
 * only when the guess was right would give it away. */
#define GUESS_TOKEN_BURST       60
#define GUESS_TOKEN_INTERVAL_MS 3000
unsigned guesses_token_wait(struct guesses *guesses, struct bytes token, int64_t now_ms);
void guesses_token_failed(struct guesses *guesses, struct bytes token, int64_t now_ms);

#endif
