#include "tests/faults/faults.h"

#include "proto/base/require.h"

#include <stdio.h>
#include <sys/stat.h>

enum { OPEN_TRIES = 3, STEP_MS = 20, TICK_MS = 1100 /* a journal is recycled by the tick */ };

struct script {
    struct place places[PLACE_COUNT];
    char data[PLACE_COUNT][FAULTS_PATH_SIZE];
    unsigned number; /* of the next request */
};

/* As a supervisor would: a start that fails is tried again. False: given up. */
static bool begin(struct script *script, unsigned index)
{
    struct place *place = &script->places[index];
    for (unsigned i = 0; i < OPEN_TRIES; i++) {
        doing(index == HUB ? "opening the hub" : "opening the province");
        if (place_open(place, index, script->data[index]) != OK)
            continue;
        enum err err = place_start(place);
        if (err == OK)
            return true;
        if (place->failed)
            return false;
        if (err == ERR_TIMEOUT && !notes->lasting)
            violated("no incarnation was ever opened");
        place_stop(place);
    }
    return false;
}

/* Bursts of 1 to 5 requests, each a group or two. False: the storage has failed. */
static bool requests(struct script *script, unsigned bursts)
{
    struct place *place = &script->places[PROVINCE];
    for (unsigned i = 0; i < bursts && !place->failed; i++) {
        unsigned count = 1 + (script->number + i) % 5;
        doing("registering requests");
        place_register(place, script->number, count, NULL);
        script->number += count;
        program_sleep(STEP_MS);
    }
    return !place->failed;
}

static bool exchange(struct script *script)
{
    struct place *province = &script->places[PROVINCE], *hub = &script->places[HUB];
    doing("sending to the hub");
    if (place_transfer(province, hub, PROVINCE) == OK) {
        doing("giving a receipt");
        place_receipt(hub, province);
    }
    program_sleep(setup == SETUP_ALONE ? STEP_MS : TICK_MS);
    return !province->failed && !hub->failed;
}

/* After a failure of its storage a process ends; so does the script. One more request shows that
 * nothing is acknowledged any more. */
static void end_failed(struct script *script)
{
    doing("after a failure");
    if (script->places[PROVINCE].failed && script->places[PROVINCE].engine)
        place_register(&script->places[PROVINCE], script->number, 1, NULL);
    program_sleep(2000);
}

static bool steps(struct script *script)
{
    struct place *province = &script->places[PROVINCE], *hub = &script->places[HUB];
    if (!begin(script, PROVINCE) || !requests(script, 8))
        return false;
    if (!begin(script, HUB) || !exchange(script) || !requests(script, 6))
        return false;
    doing("erasing");
    place_erase(province, 4);
    if (province->failed || !exchange(script))
        return false;
    doing("opening another incarnation");
    engine_reopen(province->engine, 0);
    if (!requests(script, 5) || !exchange(script))
        return false;
    doing("stopping the province");
    place_stop(province);
    if (province->failed || !begin(script, PROVINCE) || !requests(script, 4) || !exchange(script))
        return false;
    doing("stopping both");
    place_stop(hub);
    place_stop(province);
    return !hub->failed && !province->failed;
}

static void script_main(void *context)
{
    struct script *script = context;
    notes->finished = steps(script);
    if (!notes->finished)
        end_failed(script);
}

void script_run(const char *folder)
{
    static struct script script;
    script.number = 1;
    for (unsigned i = 0; i < PLACE_COUNT; i++)
        path_form(script.data[i], "%s/%s", folder, place_node(i));
    program_run(script_main, &script, 1);
}
