#include "proto/base/err.h"

#include <stddef.h>

static const struct {
    const char *name;
    const char *text;
} ERRORS[] = {
#define ERR_ROW(name, text) { #name, text },
    ERR_LIST(ERR_ROW)
#undef ERR_ROW
};

const char *err_name(enum err err)
{
    return (size_t)err < sizeof ERRORS / sizeof *ERRORS ? ERRORS[err].name : "ERR_UNKNOWN";
}

const char *err_text(enum err err)
{
    return (size_t)err < sizeof ERRORS / sizeof *ERRORS ? ERRORS[err].text : "unknown error";
}
