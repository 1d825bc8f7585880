#include "node/cli/answer.h"

#include <stdio.h>

void answer_json(json_t *json)
{
    if (!json || json_dumpf(json, stdout,
                            JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9)) != 0)
        fputs("null", stdout);
    putchar('\n');
    json_decref(json);
}
