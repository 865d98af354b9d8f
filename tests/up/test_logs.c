/* SPDX-License-Identifier: MIT */

/* What waits for the files of captured output, as clients are told, and opening them anew. */

#include <errno.h>
#include <string.h>

#include "world.h"

static struct world *world;
static struct peer one, two;

static char lines[] = "half\nwhole\nno end";
static struct peek of_web = {
    .file = {.device = 7, .inode = 42, .size = 1000},
    .bytes = lines,
    .n_pending = 11,
    .length = 17,
};
static struct peek of_db = {.is_cut = true};

static void begin(void) {
    world = world_new();
    one = peer_new(world);
    two = peer_new(world);
}

static void add_files(void) {
    fake_add_file(world->engine, &(struct capture_file){"web", "/logs/web.log", &of_web});
    fake_add_file(world->engine, &(struct capture_file){"db", "/other/db.log", &of_db});
}

static void end(void) {
    peer_free(&one);
    peer_free(&two);
    world_settle(world);
    cr_assert_not(fake_is_looked_at(world->engine));
    world_free(world);
}

TestSuite(logs, .init = begin, .fini = end);

#define WEB                                                                                        \
    "{'pool':'web','path':'/logs/web.log','known':true,'device':7,'inode':42,'size':1000,"         \
    "'pending':'aGFsZgp3aG9sZQo=','unfinished':'bm8gZW5k','cut':false}"
#define DB                                                                                         \
    "{'pool':'db','path':'/other/db.log','known':true,'device':0,'inode':0,'size':0,'cut':true}"

Test(logs, are_told_when_all_have_been_looked_at)
{
    add_files();
    peer_call(&one, "PendingLogs", "");
    peer_call(&two, "PendingLogs", "'pools':['db']");
    world_settle(world);
    fake_answer_looks(world->engine);
    EXPECT(peer_reply(world, &one), "{'parameters':{'files':[" WEB "," DB "]}}");
    cr_assert_not(fake_is_looked_at(world->engine));
    EXPECT(peer_reply(world, &two), "{'parameters':{'files':[" DB "]}}");
}

Test(logs, that_do_not_answer_are_not_waited_for_long)
{
    add_files();
    EXPECT(ask(world, &one, "PendingLogs", "'pools':['web']"),
        "{'parameters':{'files':[{'pool':'web','path':'/logs/web.log','known':false}]}}");
}

Test(logs, that_cannot_be_looked_at_say_why)
{
    static struct peek of_closed = {.error = EACCES};

    fake_add_file(world->engine, &(struct capture_file){"web", "/logs/web.log", &of_closed});
    peer_call(&one, "PendingLogs", "");
    world_settle(world);
    fake_answer_looks(world->engine);
    EXPECT(peer_reply(world, &one),
        "{'parameters':{'files':[{'pool':'web','path':'/logs/web.log','known':false,"
        "'error':'Permission denied'}]}}");
}

Test(logs, are_none_where_nothing_is_captured)
{
    EXPECT(ask(world, &one, "PendingLogs", ""), "{'parameters':{'files':[]}}");
    CONTAINS(ask(world, &one, "PendingLogs", "'pools':['nobody']"), "NoSuchPool");
}

Test(logs, are_forgotten_with_who_asked)
{
    struct peer gone = peer_new(world);

    add_files();
    peer_call(&gone, "PendingLogs", "");
    world_settle(world);
    cr_assert(fake_is_looked_at(world->engine));
    peer_free(&gone);
}

Test(logs, are_opened_anew)
{
    add_files();
    peer_call(&one, "ReopenLogs", "");
    world_settle(world);
    cr_assert_eq(fake_reopened(world->engine), 1);
    cr_assert(peer_is_waiting(world, &one));
    fake_answer_looks(world->engine);
    EXPECT(peer_reply(world, &one), "{'parameters':{}}");
}

Test(logs, of_a_client_that_follows_events_afterwards)
{
    add_files();
    peer_call(&one, "PendingLogs", "'pools':['web']");
    world_settle(world);
    fake_answer_looks(world->engine);
    peer_reply(world, &one);
    peer_call_more(&one, "Events", "'follow':true,'pools':['db']");
    world_settle(world);
    fake_move(world_pool(world, "web"), 0, WORKER_STARTING);
    fake_move(world_pool(world, "db"), 0, WORKER_STARTING);
    CONTAINS(peer_reply(world, &one), "'pool':'db'");
}

Test(logs, status_says_where_they_are)
{
    static const struct capture_settings files = {
        .targets = {CAPTURE_FILE, CAPTURE_JOURNAL},
        .file = {.directory = "/var/log/\"web\""},
    };

    fake_capture(
        world_pool(world, "web"), &files, (struct capture_facts){.dropped_lines = 7, .blocked = 2});
    CONTAINS(ask(world, &one, "Status", "'pool':'web'"),
        "'output':{'stdout':'log','stderr':'journal','directory':'/var/log/\\'web\\'',"
        "'dropped_lines':7,'held_back':2}");
    const char *reply = ask(world, &one, "Status", "'pool':'db'");
    CONTAINS(reply, "'output':{'stdout':'none','stderr':'none','dropped_lines':0,'held_back':0}");
    CONTAINS(reply, "'logs':'/var/log/brood'");
}
