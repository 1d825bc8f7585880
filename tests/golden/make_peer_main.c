/* Writes the frozen session (golden_peer.h) once: `make-peer FOLDER` makes peer.messages and
 * peer.txt there. Not run by any test: what is frozen stays. */
#include "tests/golden/golden_peer.h"

#include <stdio.h>

static int write_file(const char *folder, const char *name, struct bytes content)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(content.data, 1, content.size, file) != content.size || fclose(file) != 0) {
        perror(path);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct buffer messages = { 0 }, line = { 0 };
    if (argc != 2) {
        fprintf(stderr, "usage: make-peer FOLDER\n");
        return 2;
    }
    golden_peer_make(&messages);
    golden_peer_replay(buffer_bytes(&messages), &line);
    int status = write_file(argv[1], "peer.messages", buffer_bytes(&messages)) |
                 write_file(argv[1], "peer.txt", buffer_bytes(&line));
    buffer_close(&messages);
    buffer_close(&line);
    return status;
}
