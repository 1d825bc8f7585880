#include "proto/base/require.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void require_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "require failed: %s (%s:%d)\n", expression, file, line);
    abort();
}
