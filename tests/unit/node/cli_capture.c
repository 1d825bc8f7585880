#include "tests/unit/node/cli_capture.h"

#include "proto/base/require.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORD_MAX 32

struct redirection {
    int stream, saved;
    FILE *file;
};

static struct redirection redirect(FILE *stream, int number)
{
    fflush(stream);
    struct redirection redirection = { number, dup(number), tmpfile() };
    require(redirection.saved >= 0 && redirection.file);
    require(dup2(fileno(redirection.file), number) == number);
    return redirection;
}

static void restore(FILE *stream, struct redirection *redirection, struct buffer *out)
{
    char block[4096];
    size_t size;
    fflush(stream);
    require(dup2(redirection->saved, redirection->stream) >= 0);
    close(redirection->saved);
    rewind(redirection->file);
    while (out && (size = fread(block, 1, sizeof block, redirection->file)) > 0)
        buffer_append(out, block, size);
    fclose(redirection->file);
    if (!out)
        return;
    buffer_append_u8(out, '\0');
    require(out->err == OK);
    out->size--;
}

enum cli_exit cli_capture(struct buffer *out, struct buffer *err_out, const char *const *words)
{
    char *arguments[WORD_MAX + 2] = { strdup("samadctl") };
    int count = 1;
    for (; words[count - 1]; count++) {
        require(count <= WORD_MAX);
        arguments[count] = strdup(words[count - 1]);
    }
    /* getopt changes the order of what it is given */
    char *given[WORD_MAX + 2];
    memcpy(given, arguments, sizeof given);
    struct redirection out_saved = redirect(stdout, STDOUT_FILENO);
    struct redirection err_saved = redirect(stderr, STDERR_FILENO);
    enum cli_exit result = cli_main(count, given);
    restore(stdout, &out_saved, out);
    restore(stderr, &err_saved, err_out);
    for (int i = 0; i < count; i++)
        free(arguments[i]);
    return result;
}
