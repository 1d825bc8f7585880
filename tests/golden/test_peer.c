/* A peer of protocol version 1 is understood for ever. */
#include "tests/golden/golden_peer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define FROZEN SAMAD_SOURCE_DIR "/tests/golden/format-1/"

static void read_file(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    uint8_t block[4096];
    size_t count;
    while ((count = fread(block, 1, sizeof block, file)) > 0)
        buffer_append(out, block, count);
    fclose(file);
}

Test(golden, a_hub_takes_the_frozen_session_of_a_province)
{
    struct buffer messages = { 0 }, expected = { 0 }, line = { 0 };
    read_file(FROZEN "peer.messages", &messages);
    read_file(FROZEN "peer.txt", &expected);
    cr_assert_leq(messages.size, 64 * 1024);
    golden_peer_replay(buffer_bytes(&messages), &line);
    buffer_append_u8(&expected, 0);
    buffer_append_u8(&line, 0);
    cr_expect_str_eq((char *)line.data, (char *)expected.data);
    buffer_close(&messages);
    buffer_close(&expected);
    buffer_close(&line);
}

Test(golden, a_province_of_today_leaves_a_hub_in_the_same_state)
{
    struct buffer messages = { 0 }, expected = { 0 }, line = { 0 };
    golden_peer_make(&messages);
    golden_peer_replay(buffer_bytes(&messages), &line);
    read_file(FROZEN "peer.txt", &expected);
    cr_expect(line.size > 0 && expected.size > 0);
    /* The number of messages may change with the core; what is held may not. */
    buffer_append_u8(&expected, 0);
    buffer_append_u8(&line, 0);
    cr_expect_str_eq(strstr((char *)line.data, "held="), strstr((char *)expected.data, "held="));
    buffer_close(&messages);
    buffer_close(&expected);
    buffer_close(&line);
}
