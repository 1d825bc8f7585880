/* noise-vectors FILE: runs every vector of a file; see noise_vectors.h for its form.
 * The last line is "N passed, N failed". Exit 0 when all passed, 1 when one failed, 2 when the file
 * cannot be read. */
#include "tests/vectors/noise_vectors.h"

int main(int argc, char **argv)
{
    struct noise_vectors_result result;
    if (argc != 2) {
        fprintf(stderr, "usage: %s FILE\n", argv[0]);
        return 2;
    }
    if (noise_vectors_run(argv[1], &result, stderr) != OK)
        return 2;
    printf("%u passed, %u failed\n", result.passed, result.failed);
    return result.failed ? 1 : 0;
}
