/* A fuzz target is one function over bytes. In a libFuzzer build FUZZ_TARGET(name) is its entry;
 * in the ordinary build it is fuzz_<name>(), which the corpus test calls with every file of
 * tests/fuzz/corpus/<name>/. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "proto/base/bytes.h"
#include "proto/base/require.h"

#ifdef SAMAD_FUZZ
#define FUZZ_TARGET(name)                                              \
    static void fuzz_##name(struct bytes input);                       \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);      \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)       \
    {                                                                  \
        fuzz_##name(bytes_of(data, size));                             \
        return 0;                                                      \
    }                                                                  \
    static void fuzz_##name(struct bytes input)
#else
#define FUZZ_TARGET(name)                                              \
    void fuzz_##name(struct bytes input);                              \
    void fuzz_##name(struct bytes input)
#endif

#endif
