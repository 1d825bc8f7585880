/* The brake on guessing second factors. */
#include "node/api/guess.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static const uint8_t KEY[16] = { 1 };

/* Each try of a code comes from a token of its own here, each try of a token is for another code. */
enum { WRONG_MAX = 256 };
static char names[WRONG_MAX][8];
static unsigned next_name;

static struct bytes other(void)
{
    char *name = names[next_name++ % WRONG_MAX];
    snprintf(name, sizeof names[0], "%u", next_name);
    return bytes_of_string(name);
}

static struct bytes code(void)
{
    return bytes_of_string("24123456789012");
}

static struct bytes token(void)
{
    return bytes_of_string("0badcafe");
}

/* Wrong tries of one code until one has to wait: for how long. */
static unsigned guess_wrong(struct guesses *guesses, int64_t now_ms, unsigned tries)
{
    struct guess guess;
    unsigned wait_s = 0;
    for (unsigned i = 0; i < tries && wait_s == 0; i++)
        wait_s = guess_begin(guesses, &guess, code(), other(), now_ms);
    return wait_s;
}

/* The same of one token. */
static unsigned guess_wrong_by_token(struct guesses *guesses, int64_t now_ms, unsigned tries)
{
    struct guess guess;
    unsigned wait_s = 0;
    for (unsigned i = 0; i < tries && wait_s == 0; i++)
        wait_s = guess_begin(guesses, &guess, other(), token(), now_ms);
    return wait_s;
}

Test(guess, a_token_has_a_burst_of_wrong_tries_then_one_in_three_seconds_whatever_the_codes)
{
    struct guesses *guesses;
    struct guess guess;
    int64_t now_ms = 5000;
    cr_assert_eq(guesses_new(&guesses, KEY), OK);
    cr_expect_eq(guess_wrong_by_token(guesses, now_ms, GUESS_TOKEN_BURST), 0);
    cr_expect_eq(guess_wrong_by_token(guesses, now_ms, 1), 3);
    cr_expect_eq(guess_begin(guesses, &guess, code(), other(), now_ms), 0, "others do not wait");
    now_ms += GUESS_TOKEN_INTERVAL_MS;
    cr_expect_eq(guess_wrong_by_token(guesses, now_ms, 1), 0);
    cr_expect_eq(guess_wrong_by_token(guesses, now_ms, 1), 3);
    now_ms += 2 * (int64_t)GUESS_TOKEN_BURST * GUESS_TOKEN_INTERVAL_MS;
    cr_expect_eq(guess_wrong_by_token(guesses, now_ms, GUESS_TOKEN_BURST), 0);
    cr_expect_eq(guess_wrong_by_token(guesses, now_ms, 1), 3, "no more than a burst is saved up");
    guesses_free(guesses);
}

Test(guess, right_and_withdrawn_tries_cost_a_token_nothing)
{
    struct guesses *guesses;
    struct guess guess;
    cr_assert_eq(guesses_new(&guesses, KEY), OK);
    for (int i = 0; i < 3 * GUESS_TOKEN_BURST; i++) {
        cr_assert_eq(guess_begin(guesses, &guess, code(), token(), 5000), 0);
        if (i % 2 == 0)
            guess_succeeded(guesses, &guess);
        else
            guess_withdraw(guesses, &guess);
    }
    cr_expect_eq(guess_wrong_by_token(guesses, 5000, GUESS_TOKEN_BURST), 0);
    cr_expect_eq(guess_wrong_by_token(guesses, 5000, 1), 3);
    guesses_free(guesses);
}

Test(guess, five_wrong_tries_are_free_then_the_wait_doubles)
{
    struct guesses *guesses;
    int64_t now_ms = 1000000;
    cr_assert_eq(guesses_new(&guesses, KEY), OK);
    cr_expect_eq(guess_wrong(guesses, now_ms, 5), 0);
    for (unsigned wait_s = 1; wait_s <= 2048; wait_s *= 2) {
        cr_expect_eq(guess_wrong(guesses, now_ms, 1), wait_s);
        cr_expect_eq(guess_wrong(guesses, now_ms, 1), wait_s, "a refused try is not counted");
        now_ms += wait_s * 1000;
        cr_expect_eq(guess_wrong(guesses, now_ms, 1), 0);
    }
    cr_expect_eq(guess_wrong(guesses, now_ms, 1), 3600, "never longer than an hour");
    guesses_free(guesses);
}

Test(guess, a_right_answer_or_a_day_clears_the_count)
{
    struct guesses *guesses;
    struct guess guess;
    cr_assert_eq(guesses_new(&guesses, KEY), OK);
    cr_expect_eq(guess_wrong(guesses, 0, 5), 0);
    cr_expect_eq(guess_begin(guesses, &guess, code(), other(), 1000), 0);
    guess_succeeded(guesses, &guess);
    cr_expect_eq(guess_wrong(guesses, 1000, 5), 0);
    cr_expect_gt(guess_wrong(guesses, 1000, 1), 0);
    cr_expect_eq(guess_wrong(guesses, INT64_C(25) * 3600 * 1000, 5), 0);
    guesses_free(guesses);
}

Test(guess, a_withdrawn_try_leaves_the_count_and_the_time_as_they_were)
{
    struct guesses *guesses;
    struct guess guess;
    cr_assert_eq(guesses_new(&guesses, KEY), OK);
    cr_expect_eq(guess_wrong(guesses, 0, 5), 0);
    for (int i = 0; i < 10; i++) {
        cr_expect_eq(guess_begin(guesses, &guess, code(), other(), 1000), 0);
        guess_withdraw(guesses, &guess);
    }
    cr_expect_eq(guess_wrong(guesses, 999, 1), 1, "still counted from the fifth");
    cr_expect_eq(guess_wrong(guesses, 1000, 1), 0);
    cr_expect_eq(guess_wrong(guesses, 1000, 1), 2);
    guesses_free(guesses);
}

struct crowd {
    struct guesses *guesses;
    atomic_uint admitted;
};

static void *guess_at_once(void *argument)
{
    struct crowd *crowd = argument;
    struct guess guess;
    for (int i = 0; i < 100; i++)
        if (guess_begin(crowd->guesses, &guess, code(), token(), 1000) == 0)
            atomic_fetch_add(&crowd->admitted, 1);
    return NULL;
}

Test(guess, many_threads_at_a_time_get_no_more_tries_than_one)
{
    struct crowd crowd = { 0 };
    pthread_t threads[8];
    cr_assert_eq(guesses_new(&crowd.guesses, KEY), OK);
    for (size_t i = 0; i < 8; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, guess_at_once, &crowd), 0);
    for (size_t i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    cr_expect_eq(atomic_load(&crowd.admitted), 5);
    guesses_free(crowd.guesses);
}
