/* A brake on guessing: wrong second factors are counted per code and per client, and after a few
 * the answer is «later» for a growing time (design D15). Bounded memory; nothing is stored. */
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

#endif
