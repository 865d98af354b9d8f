/* SPDX-License-Identifier: MIT */

/*
 * The simulator: the core under random schedules and faults, millions of events in virtual time.
 *
 *     sim [--seed N] [--events M]
 *
 * Without a seed it draws one. Either way the seed is printed, and the same seed with at least as
 * many events replays the same run.
 */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/text.h"
#include "world.h"

#define EVENTS_DEFAULT 1000000

static struct world world; /* for the handler: an assertion of the core must name the seed too */

static void on_abort(int signal) {
    char line[96];
    int n = snprintf(line, sizeof(line), "not ok - aborted: seed %" PRIu64 ", event %" PRIu64 "\n",
        world.seed, world.steps);

    (void)signal;
    if (write(STDOUT_FILENO, line, (size_t)n) < 0)
        _exit(2);
}

static uint64_t draw_seed(void) {
    uint64_t seed;

    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        abort();
    return seed;
}

static int parse(int argc, char **argv, uint64_t *ret_events) {
    for (int i = 1; i < argc; i += 2) {
        uint64_t *target = strcmp(argv[i], "--seed") == 0     ? &world.seed
                           : strcmp(argv[i], "--events") == 0 ? ret_events
                                                              : NULL;

        if (!target || i + 1 == argc || text_parse_u64(argv[i + 1], 0, UINT64_MAX, target) < 0) {
            fprintf(stderr, "usage: sim [--seed N] [--events M]\n");
            return -EINVAL;
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    uint64_t events = EVENTS_DEFAULT;

    setvbuf(stdout, NULL, _IOLBF, 0);
    world.seed = draw_seed();
    if (parse(argc, argv, &events) < 0)
        return 2;
    printf("1..2\n# seed %" PRIu64 "\n", world.seed);
    signal(SIGABRT, on_abort);
    world.random.state = world.seed;
    while (world.steps < events)
        world_episode(&world, 100 + random_below(&world.random, 4000));
    futures_finish(&world.futures);

    printf("ok 1 - %" PRIu64 " events in %" PRIu64 " episodes, seed %" PRIu64 "\n", world.steps,
        world.episodes, world.seed);
    unsigned missing = coverage_print(&world.coverage);
    printf("%sok 2 - every state met every event, every transition was taken (%u missing)\n",
        missing ? "not " : "", missing);
    return missing != 0;
}
