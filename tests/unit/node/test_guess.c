/* The brake on guessing second factors. */
#include "node/api/guess.h"

#include <criterion/criterion.h>

static const uint8_t KEY[16] = { 1 };

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
