#include "tests/golden/golden_peer.h"

#include "proto/base/require.h"
#include "tests/support/folder.h"
#include "tests/support/records.h"
#include "tests/sync/lib/shell.h"

#include <stdio.h>

#define MESSAGES_MAX 100000

void golden_peer_make(struct buffer *messages)
{
    char folder[FOLDER_PATH_SIZE], path[FOLDER_PATH_SIZE];
    struct shell province, hub;
    struct log_id log = sample_log("ardabil", "hub", 1);
    folder_make(folder);
    folder_path(path, folder, "province");
    shell_open(&province, "ardabil", ROLE_PROVINCE, "centre", path);
    folder_path(path, folder, "hub");
    shell_open(&hub, "centre", ROLE_HUB, "ardabil", path);
    shell_write(&province, &log, 40, 1);
    shell_link(&province, 1, "centre", true);
    shell_link(&hub, 1, "ardabil", false);
    shell_exchange(&province, &hub, messages, MESSAGES_MAX);
    shell_write(&province, &log, 3, 1);
    shell_exchange(&province, &hub, messages, MESSAGES_MAX);
    shell_write(&province, &log, 30, 1);
    shell_exchange(&province, &hub, messages, MESSAGES_MAX);
    shell_close(&province);
    shell_close(&hub);
    folder_remove(folder);
}

void golden_peer_replay(struct bytes messages, struct buffer *line)
{
    char folder[FOLDER_PATH_SIZE], path[FOLDER_PATH_SIZE], text[256], hex[2 * HASH_SIZE + 1];
    struct shell hub;
    struct log_id log = sample_log("ardabil", "hub", 1);
    struct hash root;
    struct reader reader = reader_of(messages);
    unsigned count = 0;
    folder_make(folder);
    folder_path(path, folder, "hub");
    shell_open(&hub, "centre", ROLE_HUB, "ardabil", path);
    shell_link(&hub, 1, "ardabil", false);
    while (!reader_at_end(&reader)) {
        shell_receive(&hub, read_bytes(&reader, read_u32(&reader)));
        count++;
    }
    require(reader.err == OK);
    uint64_t size = shell_held(&hub, &log, &root);
    hex_encode(hex, BYTES_OF_ARRAY(root.bytes));
    snprintf(text, sizeof text, "messages=%u held=%llu root=%s closed=%d\n", count,
             (unsigned long long)size, hex, hub.closed);
    buffer_append_string(line, text);
    shell_close(&hub);
    folder_remove(folder);
}
