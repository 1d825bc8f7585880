#include "node/api/guess.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Slots are found by a keyed hash; two subjects in one slot share their waiting, which is rare and
 * harmless. FREE_TRIES wrong ones cost nothing, then the wait doubles from 1 s to an hour. */
enum { SLOT_COUNT = 1 << 16, FREE_TRIES = 5, WAIT_MAX_S = 3600, FORGET_MS = 24 * 3600 * 1000,
       FAILURES_MAX = 1000, TOKEN_SLOT_COUNT = 1 << 12 };

struct slot {
    int64_t last_ms;
    unsigned failures;
};

struct guesses {
    uint8_t key[16];
    pthread_mutex_t lock;
    int64_t token_paid_ms[TOKEN_SLOT_COUNT]; /* until then the wrong tries of a token reach */
    struct slot slots[SLOT_COUNT];
};

enum err guesses_new(struct guesses **out, const uint8_t key[16])
{
    struct guesses *guesses = calloc(1, sizeof *guesses);
    if (!guesses)
        return ERR_NOMEM;
    memcpy(guesses->key, key, 16);
    pthread_mutex_init(&guesses->lock, NULL);
    *out = guesses;
    return OK;
}

void guesses_free(struct guesses *guesses)
{
    if (!guesses)
        return;
    pthread_mutex_destroy(&guesses->lock);
    free(guesses);
}

static struct slot *slot_of(struct guesses *guesses, struct bytes subject)
{
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, subject.data, subject.size, guesses->key);
    return &guesses->slots[get_u16(hash)];
}

static unsigned seconds_of(int64_t ms)
{
    return ms > 0 ? (unsigned)((ms + 999) / 1000) : 0;
}

static unsigned code_wait(const struct slot *slot, int64_t now_ms)
{
    if (slot->failures < FREE_TRIES)
        return 0;
    unsigned doublings = slot->failures - FREE_TRIES;
    int64_t limit_s = doublings > 11 ? WAIT_MAX_S : (int64_t)1 << doublings;
    return seconds_of(slot->last_ms + limit_s * 1000 - now_ms);
}

static int64_t *token_paid(struct guesses *guesses, struct bytes token)
{
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, token.data, token.size, guesses->key);
    return &guesses->token_paid_ms[get_u16(hash) % TOKEN_SLOT_COUNT];
}

static unsigned token_wait(int64_t paid_ms, int64_t now_ms)
{
    return seconds_of(paid_ms - now_ms - (GUESS_TOKEN_BURST - 1) * GUESS_TOKEN_INTERVAL_MS);
}

unsigned guess_begin(struct guesses *guesses, struct guess *guess, struct bytes code,
                     struct bytes token, int64_t now_ms)
{
    pthread_mutex_lock(&guesses->lock);
    struct slot *slot = slot_of(guesses, code);
    int64_t *paid_ms = token_paid(guesses, token);
    if (slot->failures > 0 && now_ms - slot->last_ms > FORGET_MS)
        slot->failures = 0;
    unsigned code_s = code_wait(slot, now_ms), token_s = token_wait(*paid_ms, now_ms);
    unsigned wait_s = code_s > token_s ? code_s : token_s;
    if (wait_s == 0) {
        *guess = (struct guess){ code, token, now_ms, slot->last_ms };
        slot->failures += slot->failures < FAILURES_MAX;
        slot->last_ms = now_ms;
        *paid_ms = (*paid_ms > now_ms ? *paid_ms : now_ms) + GUESS_TOKEN_INTERVAL_MS;
    }
    pthread_mutex_unlock(&guesses->lock);
    return wait_s;
}

void guess_succeeded(struct guesses *guesses, const struct guess *guess)
{
    pthread_mutex_lock(&guesses->lock);
    slot_of(guesses, guess->code)->failures = 0;
    *token_paid(guesses, guess->token) -= GUESS_TOKEN_INTERVAL_MS;
    pthread_mutex_unlock(&guesses->lock);
}

void guess_withdraw(struct guesses *guesses, const struct guess *guess)
{
    pthread_mutex_lock(&guesses->lock);
    struct slot *slot = slot_of(guesses, guess->code);
    slot->failures -= slot->failures > 0;
    if (slot->last_ms == guess->began_ms)
        slot->last_ms = guess->last_ms;
    *token_paid(guesses, guess->token) -= GUESS_TOKEN_INTERVAL_MS;
    pthread_mutex_unlock(&guesses->lock);
}
