#include "node/api/guess.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Slots are found by a keyed hash; two subjects in one slot share their waiting, which is rare and
 * harmless. FREE_TRIES wrong ones cost nothing, then the wait doubles from 1 s to an hour. */
enum { SLOT_COUNT = 1 << 16, FREE_TRIES = 5, WAIT_MAX_S = 3600, FORGET_MS = 24 * 3600 * 1000 };

struct slot {
    int64_t last_ms;
    unsigned failures;
};

enum { TOKEN_SLOT_COUNT = 1 << 12 };

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

unsigned guesses_wait(struct guesses *guesses, struct bytes subject, int64_t now_ms)
{
    unsigned wait_s = 0;
    pthread_mutex_lock(&guesses->lock);
    struct slot *slot = slot_of(guesses, subject);
    if (slot->failures > 0 && now_ms - slot->last_ms > FORGET_MS)
        slot->failures = 0;
    if (slot->failures >= FREE_TRIES) {
        unsigned doublings = slot->failures - FREE_TRIES;
        int64_t limit_s = doublings > 11 ? WAIT_MAX_S : (int64_t)1 << doublings;
        int64_t left_ms = slot->last_ms + limit_s * 1000 - now_ms;
        wait_s = left_ms > 0 ? (unsigned)(left_ms + 999) / 1000 : 0;
    }
    pthread_mutex_unlock(&guesses->lock);
    return wait_s;
}

void guesses_failed(struct guesses *guesses, struct bytes subject, int64_t now_ms)
{
    pthread_mutex_lock(&guesses->lock);
    struct slot *slot = slot_of(guesses, subject);
    slot->failures += slot->failures < 1000;
    slot->last_ms = now_ms;
    pthread_mutex_unlock(&guesses->lock);
}

void guesses_succeeded(struct guesses *guesses, struct bytes subject)
{
    pthread_mutex_lock(&guesses->lock);
    slot_of(guesses, subject)->failures = 0;
    pthread_mutex_unlock(&guesses->lock);
}

/* ---- per token -------------------------------------------------------------------------------- */

static int64_t *token_paid(struct guesses *guesses, struct bytes token)
{
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, token.data, token.size, guesses->key);
    return &guesses->token_paid_ms[get_u16(hash) % TOKEN_SLOT_COUNT];
}

unsigned guesses_token_wait(struct guesses *guesses, struct bytes token, int64_t now_ms)
{
    pthread_mutex_lock(&guesses->lock);
    int64_t reach_ms = *token_paid(guesses, token) - now_ms;
    pthread_mutex_unlock(&guesses->lock);
    int64_t over_ms = reach_ms - (GUESS_TOKEN_BURST - 1) * GUESS_TOKEN_INTERVAL_MS;
    return over_ms > 0 ? (unsigned)((over_ms + 999) / 1000) : 0;
}

void guesses_token_failed(struct guesses *guesses, struct bytes token, int64_t now_ms)
{
    pthread_mutex_lock(&guesses->lock);
    int64_t *paid_ms = token_paid(guesses, token);
    if (*paid_ms < now_ms)
        *paid_ms = now_ms;
    *paid_ms += GUESS_TOKEN_INTERVAL_MS;
    pthread_mutex_unlock(&guesses->lock);
}
