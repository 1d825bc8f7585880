/* The brake on guessing second factors. */
#include "node/api/guess.h"

#include <criterion/criterion.h>

static const uint8_t KEY[16] = { 1 };

Test(guess, a_token_has_a_burst_of_wrong_tries_then_one_in_three_seconds_whatever_the_codes)
{
    struct guesses *guesses;
    const struct bytes token = bytes_of_string("a"), other = bytes_of_string("b");
    int64_t now_ms = 5000;
    cr_assert_eq(guesses_new(&guesses, KEY), OK);
    for (int i = 0; i < GUESS_TOKEN_BURST; i++) {
        cr_assert_eq(guesses_token_wait(guesses, token, now_ms), 0, "try %d", i);
        guesses_token_failed(guesses, token, now_ms);
    }
    cr_expect_eq(guesses_token_wait(guesses, token, now_ms), 3);
    cr_expect_eq(guesses_token_wait(guesses, other, now_ms), 0, "others do not wait");
    now_ms += GUESS_TOKEN_INTERVAL_MS;
    cr_expect_eq(guesses_token_wait(guesses, token, now_ms), 0);
    guesses_token_failed(guesses, token, now_ms);
    cr_expect_eq(guesses_token_wait(guesses, token, now_ms), 3);
    now_ms += (int64_t)GUESS_TOKEN_BURST * GUESS_TOKEN_INTERVAL_MS;
    for (int i = 0; i < GUESS_TOKEN_BURST; i++)
        guesses_token_failed(guesses, token, now_ms);
    cr_expect_eq(guesses_token_wait(guesses, token, now_ms), 3, "no more than a burst is saved up");
    guesses_free(guesses);
}

Test(guess, five_wrong_tries_are_free_then_the_wait_doubles)
{
    struct guesses *guesses;
    struct bytes code = bytes_of_string("24123456789012");
    int64_t now_ms = 1000000;
    cr_assert_eq(guesses_new(&guesses, KEY), OK);
    for (int i = 0; i < 5; i++) {
        cr_expect_eq(guesses_wait(guesses, code, now_ms), 0);
        guesses_failed(guesses, code, now_ms);
    }
    cr_expect_eq(guesses_wait(guesses, code, now_ms), 1);
    now_ms += 1000;
    cr_expect_eq(guesses_wait(guesses, code, now_ms), 0);
    guesses_failed(guesses, code, now_ms);
    cr_expect_eq(guesses_wait(guesses, code, now_ms), 2);
    for (int i = 0; i < 50; i++)
        guesses_failed(guesses, code, now_ms);
    cr_expect_eq(guesses_wait(guesses, code, now_ms), 3600, "never longer than an hour");
    guesses_free(guesses);
}

Test(guess, a_right_answer_or_a_day_clears_the_count)
{
    struct guesses *guesses;
    struct bytes code = bytes_of_string("24123456789012");
    cr_assert_eq(guesses_new(&guesses, KEY), OK);
    for (int i = 0; i < 9; i++)
        guesses_failed(guesses, code, 0);
    cr_expect_gt(guesses_wait(guesses, code, 0), 0);
    guesses_succeeded(guesses, code);
    cr_expect_eq(guesses_wait(guesses, code, 0), 0);
    for (int i = 0; i < 30; i++)
        guesses_failed(guesses, code, 0);
    cr_expect_eq(guesses_wait(guesses, code, INT64_C(25) * 3600 * 1000), 0);
    guesses_free(guesses);
}
