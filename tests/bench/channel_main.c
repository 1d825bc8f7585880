/* channel: what a link's encryption costs, one JSON line a message size. One thread sends and
 * receives in memory, so a figure is the cost of both ends together; `--input BYTES` cuts what is
 * received into reads of that size (default 65536, as a socket gives it). */
#include "proto/base/require.h"
#include "proto/secure/channel.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LARGEST_MESSAGE (1024 * 1024)

struct options {
    size_t input_size;
    double seconds;
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct options *options = state->input;
    if (key == 'i')
        options->input_size = strtoul(value, NULL, 10);
    else if (key == 's')
        options->seconds = strtod(value, NULL);
    else
        return ARGP_ERR_UNKNOWN;
    if (options->input_size == 0 || !(options->seconds > 0))
        argp_error(state, "the value must be above zero");
    return 0;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static enum err count_message(void *context, struct bytes message)
{
    *(uint64_t *)context += message.size;
    return OK;
}

static struct link_key key_of(uint8_t fill)
{
    uint8_t seed[KEY_SIZE];
    struct link_key key;
    memset(seed, fill, sizeof seed);
    link_key_from_seed(&key, seed);
    return key;
}

static void receive(struct channel *channel, struct buffer *bytes, struct buffer *answers,
                    size_t input_size, uint64_t *received)
{
    for (size_t at = 0; at < bytes->size;) {
        size_t size = bytes->size - at < input_size ? bytes->size - at : input_size;
        struct bytes input = bytes_of(bytes->data + at, size);
        require(channel_receive(channel, input, answers, count_message, received) == OK);
        at += size;
    }
    buffer_clear(bytes);
}

static void open_pair(struct channel *sides[2])
{
    struct link_key statics[2] = { key_of(1), key_of(2) };
    struct link_key ephemerals[2] = { key_of(3), key_of(4) };
    struct buffer out[2] = { { 0 }, { 0 } };
    for (int i = 0; i < 2; i++) {
        struct channel_config config = {
            .role = i == 0 ? NOISE_INITIATOR : NOISE_RESPONDER,
            .purpose = CHANNEL_LINK,
            .local_static = &statics[i],
            .local_ephemeral = &ephemerals[i],
            .remote_static = i == 0 ? &statics[1].public : NULL,
            .message_size_max = LARGEST_MESSAGE,
        };
        require(channel_new(&sides[i], &config) == OK);
        require(channel_start(sides[i], &out[i]) == OK);
    }
    for (int step = 0; step < 3; step++)
        receive(sides[1 - step % 2], &out[step % 2], &out[1 - step % 2], SIZE_MAX, NULL);
    require(channel_is_open(sides[0]) && channel_is_open(sides[1]));
    buffer_close(&out[0]);
    buffer_close(&out[1]);
}

static void measure_messages(size_t size, const struct options *options)
{
    struct channel *sides[2];
    struct buffer bytes = { 0 }, answers = { 0 };
    uint8_t *content = calloc(1, size);
    uint64_t received = 0, messages = 0;
    require(content);
    open_pair(sides);
    double start = now_s(), elapsed;
    do {
        require(channel_send(sides[0], bytes_of(content, size), &bytes) == OK);
        receive(sides[1], &bytes, &answers, options->input_size, &received);
        messages++;
        elapsed = now_s() - start;
    } while (elapsed < options->seconds);
    require(received == messages * size);
    printf("{\"bench\":\"channel\",\"message_bytes\":%zu,\"input_bytes\":%zu,\"messages\":%llu,"
           "\"seconds\":%.3f,\"mib_per_s\":%.1f,\"us_per_message\":%.2f}\n",
           size, options->input_size, (unsigned long long)messages, elapsed,
           (double)received / elapsed / (1024 * 1024), elapsed * 1e6 / (double)messages);
    free(content);
    buffer_close(&bytes);
    buffer_close(&answers);
    channel_free(sides[0]);
    channel_free(sides[1]);
}

static void measure_handshakes(const struct options *options)
{
    uint64_t count = 0;
    double start = now_s(), elapsed;
    do {
        struct channel *sides[2];
        open_pair(sides);
        channel_free(sides[0]);
        channel_free(sides[1]);
        count++;
        elapsed = now_s() - start;
    } while (elapsed < options->seconds);
    printf(
        "{\"bench\":\"channel\",\"handshakes\":%llu,\"seconds\":%.3f,\"us_per_handshake\":%.1f}\n",
        (unsigned long long)count, elapsed, elapsed * 1e6 / (double)count);
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = { 100, 1000, 16 * 1024, 64 * 1024, LARGEST_MESSAGE };
    static const struct argp_option rows[] = {
        { "input", 'i', "BYTES", 0, "size of one read", 0 },
        { "seconds", 's', "S", 0, "time for each size (default 1)", 0 },
        { 0 },
    };
    static const struct argp argp = { .options = rows, .parser = parse_option };
    struct options options = { .input_size = 65536, .seconds = 1 };
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        measure_messages(sizes[i], &options);
    measure_handshakes(&options);
    return 0;
}
