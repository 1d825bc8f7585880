#include "storage/entropy.h"

#include <criterion/criterion.h>
#include <string.h>

static const uint8_t SEED[ENTROPY_SEED_SIZE] = { 1, 2, 3 };

Test(entropy, one_seed_gives_one_stream_however_it_is_cut)
{
    static uint8_t whole[3 * ENTROPY_BLOCK_SIZE], cut[sizeof(whole)];
    struct entropy a, b;
    entropy_init(&a, SEED);
    entropy_init(&b, SEED);
    entropy_take(&a, whole, sizeof(whole));
    for (size_t at = 0, step = 1; at < sizeof(cut); at += step, step = step % 97 + 1) {
        if (step > sizeof(cut) - at)
            step = sizeof(cut) - at;
        entropy_take(&b, cut + at, step);
    }
    cr_assert_arr_eq(whole, cut, sizeof(whole));
}

Test(entropy, another_seed_gives_another_stream)
{
    uint8_t other[ENTROPY_SEED_SIZE] = { 1, 2, 4 }, x[32], y[32];
    struct entropy a, b;
    entropy_init(&a, SEED);
    entropy_init(&b, other);
    entropy_take(&a, x, sizeof(x));
    entropy_take(&b, y, sizeof(y));
    cr_assert(memcmp(x, y, sizeof(x)) != 0);
}

Test(entropy, what_was_given_out_is_no_longer_in_memory)
{
    uint8_t salt[32];
    struct entropy entropy;
    entropy_init(&entropy, SEED);
    entropy_take(&entropy, salt, sizeof(salt));
    cr_assert_null(memmem(&entropy, sizeof(entropy), salt, 8));
    cr_assert_null(memmem(&entropy, sizeof(entropy), SEED, sizeof(SEED)));
}
