/* SPDX-License-Identifier: MIT */

/* What can be called, and that an answer comes when it is true and not before. */

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/macro.h"
#include "world.h"

static struct world *world;
static struct peer one, two;
static struct engine_pool *web, *db;

static void begin(void) {
    world = world_new();
    one = peer_new(world);
    two = peer_new(world);
    web = world_pool(world, "web");
    db = world_pool(world, "db");
}

static void end(void) {
    peer_free(&one);
    peer_free(&two);
    world_free(world);
}

TestSuite(methods, .init = begin, .fini = end);

static void move_all(struct engine_pool *pool, enum worker_state state) {
    for (uint32_t i = 0; i < engine_pool_workers(pool); i++)
        fake_move(pool, i, state);
}

/* Started, and all ready. */
static void bring_up(struct engine_pool *pool) {
    engine_pool_command(pool, EVENT_START);
    move_all(pool, WORKER_READY);
}

Test(methods, start_waits_until_each_is_ready)
{
    peer_call(&one, "Start", "'pools':['web']");
    cr_assert(peer_is_waiting(world, &one));
    fake_move(web, 0, WORKER_READY);
    fake_move(web, 2, WORKER_READY);
    cr_assert(peer_is_waiting(world, &one));
    fake_move(web, 1, WORKER_READY);
    EXPECT(peer_reply(world, &one),
        "{'parameters':{'outcomes':[{'pool':'web','worker':null,'ok':true,'state':'up',"
        "'text':'3 of 3 workers ready'}]}}");
}

Test(methods, start_answers_at_once_for_what_is_up)
{
    bring_up(db);
    CONTAINS(ask(world, &one, "Start", "'pools':['db']"), "'ok':true");
}

Test(methods, start_names_the_worker_that_failed_and_why)
{
    peer_call(&one, "Start", "'pools':['web']");
    world_settle(world);
    fake_move(web, 0, WORKER_READY);
    *fake_worker(web, 1) = (struct fake_worker){.cause = {.kind = CAUSE_EXIT, .value = 3}};
    fake_move(web, 1, WORKER_FAILED);
    /* One that failed has failed, though it is tried again while others are waited for. */
    fake_worker(web, 2)->detail = "exec /bin/wbe: No such file or directory";
    fake_worker(web, 2)->cause = (struct cause){.kind = CAUSE_EXEC, .value = ENOENT, .status = 127};
    fake_move(web, 2, WORKER_BACKOFF);
    EXPECT(peer_reply(world, &one),
        "{'parameters':{'outcomes':["
        "{'pool':'web','worker':1,'ok':false,'state':'failed','text':'exit status 3'},"
        "{'pool':'web','worker':2,'ok':false,'state':'backing-off',"
        "'text':'exec /bin/wbe: No such file or directory; it is going to be tried again'}]}}");
}

Test(methods, start_takes_one_that_is_done_for_well)
{
    peer_call(&one, "Start", "'pools':['db']");
    world_settle(world);
    fake_move(db, 0, WORKER_DONE);
    CONTAINS(peer_reply(world, &one), "'ok':true,'state':'done'");
}

Test(methods, ready_has_to_hold_until_all_are)
{
    peer_call(&one, "Start", "'pools':['web']");
    world_settle(world);
    fake_move(web, 0, WORKER_READY);
    fake_move(web, 1, WORKER_READY);
    world_settle(world);
    fake_move(web, 0, WORKER_STARTING);
    fake_move(web, 2, WORKER_READY);
    cr_assert(peer_is_waiting(world, &one));
    fake_move(web, 0, WORKER_READY);
    CONTAINS(peer_reply(world, &one), "3 of 3");
}

Test(methods, stop_waits_until_nothing_is_alive)
{
    bring_up(web);
    bring_up(db);
    peer_call(&one, "Stop", "'pools':[]");
    world_settle(world);
    fake_move(db, 0, WORKER_STOPPED);
    fake_move(web, 0, WORKER_STOPPED);
    fake_move(web, 1, WORKER_STOPPED);
    cr_assert(peer_is_waiting(world, &one));
    fake_move(web, 2, WORKER_STOPPED);
    const char *reply = peer_reply(world, &one);
    CONTAINS(reply, "{'pool':'web','worker':null,'ok':true,'state':'stopped','text':'stopped'}");
    CONTAINS(reply, "{'pool':'db','worker':null,'ok':true,'state':'stopped','text':'stopped'}");
}

Test(methods, stop_says_what_could_not_be_killed)
{
    bring_up(db);
    peer_call(&one, "Stop", "'pools':['db']");
    world_settle(world);
    fake_worker(db, 0)->detail = "sleep (pid 7)";
    fake_report(db, 0, REPORT_LEFTOVER);
    fake_move(db, 0, WORKER_STOPPED);
    CONTAINS(peer_reply(world, &one), "'ok':false,'state':'stopped','text':'SIGKILL did not end "
                                      "sleep (pid 7)'");
}

Test(methods, stop_of_what_is_removed_is_done)
{
    bring_up(db);
    peer_call(&one, "Stop", "'pools':['db']");
    peer_call(&two, "Wait", "'pools':['db'],'for':'failed'");
    cr_assert(peer_is_waiting(world, &one));
    fake_remove_pool(world->engine, "db");
    control_pools_changed(world->control);
    CONTAINS(peer_reply(world, &one), "'ok':true,'state':'removed'");
    CONTAINS(peer_reply(world, &two), "'ok':false,'state':'removed'");
}

Test(methods, restart_waits_for_new_processes)
{
    bring_up(web);
    peer_call(&one, "Restart", "'pools':['web'],'worker':1");
    cr_assert(peer_is_waiting(world, &one));
    /* Ready is not enough: it has to be another one. */
    fake_worker(web, 1)->state = WORKER_READY;
    fake_report(web, 1, REPORT_READY);
    cr_assert(peer_is_waiting(world, &one));
    fake_move(web, 1, WORKER_STARTING);
    cr_assert(peer_is_waiting(world, &one));
    fake_move(web, 1, WORKER_READY);
    EXPECT(peer_reply(world, &one),
        "{'parameters':{'outcomes':[{'pool':'web','worker':1,'ok':true,'state':'ready',"
        "'text':'ready'}]}}");
}

Test(methods, restart_that_is_stopped_meanwhile_is_no_success)
{
    bring_up(db);
    peer_call(&one, "Restart", "'pools':['db']");
    world_settle(world);
    fake_move(db, 0, WORKER_STOPPED);
    CONTAINS(peer_reply(world, &one), "'ok':false,'state':'stopped','text':'stopped; it was");
}

Test(methods, roll_waits_for_its_end)
{
    bring_up(web);
    bring_up(db);
    peer_call(&one, "Restart", "'pools':['web'],'rolling':true");
    cr_assert(peer_is_waiting(world, &one));
    EXPECT(ask(world, &two, "Restart", "'pools':['db','web'],'rolling':true"),
        "{'error':'io.brood.Busy','parameters':{'text':'a rolling restart of web is under way'}}");
    cr_assert_not(engine_pool_core(db)->rolling, "refused, and begun in part all the same");
    fake_end_roll(web, REPORT_ROLL_DONE, 0);
    CONTAINS(peer_reply(world, &one), "'ok':true,'state':'up'");
}

Test(methods, roll_that_fails_names_the_worker)
{
    bring_up(web);
    peer_call(&one, "Restart", "'pools':['web'],'rolling':true");
    world_settle(world);
    fake_worker(web, 1)->cause = (struct cause){.kind = CAUSE_EXIT, .value = 9};
    fake_report(web, 1, REPORT_EXITED);
    fake_worker(web, 1)->cause = (struct cause){};
    fake_end_roll(web, REPORT_ROLL_FAILED, 1);
    const char *reply = peer_reply(world, &one);
    CONTAINS(reply, "'worker':1,'ok':false");
    CONTAINS(reply, "did not come up: exit status 9");

    peer_call(&one, "Restart", "'pools':['web'],'rolling':true");
    world_settle(world);
    fake_end_roll(web, REPORT_MAX, 0);
    fake_report(web, 0, REPORT_STOPPING);
    CONTAINS(peer_reply(world, &one), "'ok':false,'state':'up','text':'the roll was called off'");
}

Test(methods, scale_up_waits_for_the_new)
{
    bring_up(web);
    peer_call(&one, "Scale", "'pool':'web','by':2");
    cr_assert(peer_is_waiting(world, &one));
    fake_move(web, 3, WORKER_READY);
    cr_assert(peer_is_waiting(world, &one));
    fake_move(web, 4, WORKER_READY);
    CONTAINS(peer_reply(world, &one), "'ok':true,'state':'up','text':'5 of 5 workers ready'");
}

Test(methods, scale_down_waits_until_the_surplus_is_gone)
{
    bring_up(web);
    peer_call(&one, "Scale", "'pool':'web','workers':2");
    cr_assert(peer_is_waiting(world, &one));
    fake_move(web, 2, WORKER_STOPPED);
    CONTAINS(peer_reply(world, &one), "'ok':true,'state':'up','text':'2 of 2 workers ready'");
}

Test(methods, scale_refuses_what_makes_no_sense)
{
    CONTAINS(ask(world, &one, "Scale", "'pool':'web'"), "'parameter':'workers'");
    CONTAINS(ask(world, &one, "Scale", "'pool':'web','workers':1,'by':1"), "'parameter':'by'");
    CONTAINS(ask(world, &one, "Scale", "'pool':'web','by':-4"), "'error':'io.brood.NotPossible'");
    CONTAINS(ask(world, &one, "Scale", "'pool':'web','by':9223372036854775807"), "NotPossible");
    CONTAINS(ask(world, &one, "Scale", "'pool':'web','workers':17"), "Cannot allocate memory");
    CONTAINS(ask(world, &one, "Scale", "'pool':'wbe','workers':1"),
        "{'error':'io.brood.NoSuchPool','parameters':{'pool':'wbe','known':['web','db']}}");
    /* Of a pool that is down, the number is all there is to change. */
    CONTAINS(ask(world, &one, "Scale", "'pool':'web','workers':1"), "'ok':true,'state':'stopped'");
}

Test(methods, scale_that_is_overtaken_says_so)
{
    bring_up(web);
    peer_call(&one, "Scale", "'pool':'web','workers':4");
    cr_assert(peer_is_waiting(world, &one));
    peer_call(&two, "Scale", "'pool':'web','workers':5");
    CONTAINS(peer_reply(world, &one), "'ok':false");
    fake_move(web, 3, WORKER_READY);
    fake_move(web, 4, WORKER_READY);
    CONTAINS(peer_reply(world, &two), "'ok':true");
}

Test(methods, reload_waits_for_the_commands)
{
    bring_up(web);
    CONTAINS(ask(world, &one, "ReloadPool", "'pools':['web']"), "web has no ExecReload=");
    fake_rules(web)->n_reload = fake_rules(db)->n_reload = 1;
    CONTAINS(ask(world, &one, "ReloadPool", "'pools':['web','db']"),
        "db has nothing running that could reload");
    peer_call(&one, "ReloadPool", "'pools':['web']");
    cr_assert(peer_is_waiting(world, &one));
    fake_report(web, 0, REPORT_RELOADED);
    fake_report(web, 1, REPORT_RELOADED);
    cr_assert(peer_is_waiting(world, &one));
    fake_worker(web, 2)->cause = (struct cause){.kind = CAUSE_EXIT, .value = 4};
    fake_report(web, 2, REPORT_RELOAD_FAILED);
    CONTAINS(peer_reply(world, &one), "[{'pool':'web','worker':2,'ok':false,'state':'ready',"
                                      "'text':'reloading failed: exit status 4'}]");
}

Test(methods, wait_ends_with_what_was_waited_for)
{
    bring_up(web);
    CONTAINS(ask(world, &one, "Wait", "'pools':['web'],'for':'ready'"), "'ok':true");
    CONTAINS(ask(world, &one, "Wait", "'pools':['web'],'for':'lunch'"), "'parameter':'for'");
    peer_call(&one, "Wait", "'pools':['web'],'for':'failed'");
    peer_call(&two, "Wait", "'pools':['web'],'for':'stopped'");
    cr_assert(peer_is_waiting(world, &one));
    fake_move(web, 1, WORKER_FAILED);
    CONTAINS(peer_reply(world, &one), "'ok':true,'state':'failed'");
    cr_assert(peer_is_waiting(world, &two));
    fake_move(web, 0, WORKER_DONE);
    fake_move(web, 2, WORKER_STOPPED);
    CONTAINS(peer_reply(world, &two), "'ok':true");
    /* What has failed for good will not be ready by itself; what is tried again may. */
    CONTAINS(ask(world, &one, "Wait", "'pools':['web'],'worker':1,'for':'ready'"), "'ok':false");
    fake_move(web, 1, WORKER_BACKOFF);
    peer_call(&one, "Wait", "'pools':['web'],'worker':1,'for':'ready'");
    cr_assert(peer_is_waiting(world, &one));
}

Test(methods, a_deadline_ends_the_waiting_alone)
{
    peer_call(&one, "Start", "'pools':['web','db'],'timeout':0.05");
    world_settle(world);
    fake_move(web, 0, WORKER_READY);
    EXPECT(peer_reply(world, &one),
        "{'error':'io.brood.TimedOut','parameters':{'text':'not yet after 50ms: web is starting, "
        "1 of 3 ready, and 1 more','outcomes':[]}}");
    cr_assert_eq(fake_worker(web, 1)->state, WORKER_STARTING);
}

Test(methods, no_wait_answers_at_once)
{
    EXPECT(ask(world, &one, "Start", "'pools':['db'],'wait':false"),
        "{'parameters':{'outcomes':[{'pool':'db','worker':null,'ok':true,'state':'starting',"
        "'text':'begun'}]}}");
}

Test(methods, many_wait_side_by_side)
{
    bring_up(db);
    peer_call(&one, "Start", "'pools':['web']");
    peer_call(&two, "Stop", "'pools':['db']");
    cr_assert(peer_is_waiting(world, &one));
    fake_move(db, 0, WORKER_STOPPED);
    CONTAINS(peer_reply(world, &two), "'ok':true");
    cr_assert(peer_is_waiting(world, &one));
    move_all(web, WORKER_READY);
    CONTAINS(peer_reply(world, &one), "'ok':true");
}

Test(methods, unknown_names_are_refused_before_anything_is_done)
{
    CONTAINS(ask(world, &one, "Start", "'pools':['db','dv']"),
        "{'error':'io.brood.NoSuchPool','parameters':{'pool':'dv','known':['web','db']}}");
    CONTAINS(ask(world, &one, "Start", "'pools':['web'],'worker':3"),
        "{'error':'io.brood.NoSuchWorker','parameters':{'pool':'web','worker':3}}");
    CONTAINS(ask(world, &one, "Start", ""), "'parameter':'pools'");
    CONTAINS(ask(world, &one, "Start", "'pools':['db'],'wiat':true"), "'parameter':'wiat'");
    CONTAINS(ask(world, &one, "Run", ""), "org.varlink.service.MethodNotFound");
    cr_assert_eq(fake_worker(db, 0)->state, WORKER_STOPPED);
}

Test(methods, signals_by_name)
{
    unsigned times;

    bring_up(web);
    CONTAINS(ask(world, &one, "Signal", "'pools':['web'],'signal':'HUP'"), "'ok':true");
    cr_assert_eq(fake_signal(world->engine, &times), SIGHUP);
    cr_assert_eq(times, 3);
    CONTAINS(ask(world, &one, "Signal", "'pools':['web'],'signal':'HAPPY'"), "'signal'");
    CONTAINS(ask(world, &one, "Signal", "'pools':['db'],'worker':0,'signal':'1'"),
        "signal db/0: it has no process now");
}

Test(methods, reset_forgets_failures)
{
    fake_move(db, 0, WORKER_FAILED);
    CONTAINS(ask(world, &one, "Reset", "'pools':['db']"), "'state':'stopped','text':'reset'");
}

Test(methods, status_tells_how_things_stand)
{
    bring_up(web);
    fake_worker(web, 1)->cause = (struct cause){.kind = CAUSE_SIGNAL, .value = SIGKILL};
    fake_worker(web, 1)->words = "first\nbad \"index\"\xff";
    fake_worker(web, 1)->status = "serving \"3\"\xff";
    const char *reply = ask(world, &one, "Status", "");

    CONTAINS(reply, "{'parameters':{'brood':{'pid':");
    CONTAINS(reply, "'version':'1.2'");
    CONTAINS(reply, "'configuration':7,'logs':'/var/log/brood'}");
    CONTAINS(reply, "{'name':'web','state':'up','wanted':true,'workers':3,'ready':3,");
    CONTAINS(reply, "'command':'serve \\'it\\'','origin':'/etc/brood/a\\'b.conf:12'");
    CONTAINS(reply, "'workers_list':[{'pool':'web','worker':0,'role':'holder','state':'ready',");
    CONTAINS(reply, "'cause':{'kind':'signal','text':'killed by SIGKILL','exit_status':137,"
                    "'signal':'SIGKILL'},'stderr':'first\\u000abad \\'index\\'\\ufffd'");
    CONTAINS(reply, "'status':'serving \\'3\\'\\ufffd'");
    CONTAINS(reply, "{'name':'db','state':'stopped','wanted':false,");

    reply = ask(world, &one, "Status", "'pool':'web','worker':2");
    cr_assert(strstr(reply, "'worker':2") && !strstr(reply, "'worker':1"));
    cr_assert_not(strstr(reply, "'db'"));
    CONTAINS(ask(world, &one, "Status", "'worker':2"), "'parameter':'worker'");
}

static int reload_well(struct world *w, struct control_changes *changes) {
    engine_pool_command(world_pool(w, "db"), EVENT_START);
    control_changed(changes, "db", CHANGE_ADDED, "new");
    control_changed(changes, "web", CHANGE_UNCHANGED, NULL);
    control_changed(changes, "old", CHANGE_REMOVED, NULL);
    control_warn(changes, "a.conf:3: warning: \"Slice=\" is not enforced");
    return 0;
}

static int reload_badly(struct world *w, struct control_changes *changes) {
    (void)w;
    control_error(changes, "a.conf:3: error: what is \"Workes=\"?");
    control_error(changes, "a.conf:4: error: bad \xff");
    return -EINVAL;
}

static int reload_later(struct world *w, struct control_changes *changes) {
    (void)w, (void)changes;
    return -EBUSY;
}

Test(methods, reload_of_the_configuration_says_what_changed)
{
    fake_add_pool(world->engine, "old", 1);
    world->reload = reload_well;
    peer_call(&one, "ReloadConfig", "");
    cr_assert(peer_is_waiting(world, &one));
    fake_move(db, 0, WORKER_READY);
    cr_assert(peer_is_waiting(world, &one));
    fake_remove_pool(world->engine, "old");
    control_pools_changed(world->control);
    const char *reply = peer_reply(world, &one);
    CONTAINS(reply, "{'pool':'db','what':'added','ok':true,'text':'new'}");
    CONTAINS(reply, "{'pool':'web','what':'unchanged','ok':true,'text':''}");
    CONTAINS(reply, "{'pool':'old','what':'removed','ok':true,");
    CONTAINS(reply, "'warnings':['a.conf:3: warning: \\'Slice=\\' is not enforced']");

    world->reload = reload_badly;
    EXPECT(ask(world, &one, "ReloadConfig", ""),
        "{'error':'io.brood.InvalidConfig','parameters':{'errors':["
        "'a.conf:3: error: what is \\'Workes=\\'?','a.conf:4: error: bad \\ufffd']}}");
    world->reload = reload_later;
    CONTAINS(ask(world, &one, "ReloadConfig", ""), "'error':'io.brood.Busy'");
}

Test(methods, shutdown_is_answered_at_the_very_end)
{
    peer_call(&one, "Shutdown", "");
    cr_assert(peer_is_waiting(world, &one));
    cr_assert_eq(world->shutdowns, 1);
    CONTAINS(ask(world, &two, "Start", "'pools':['db']"), "brood is shutting down");
    EXPECT(ask(world, &two, "Shutdown", "'wait':false"), "{'parameters':{}}");
    cr_assert_eq(world->shutdowns, 2);
    world->control = control_free(world->control);
    EXPECT(peer_reply(world, &one), "{'parameters':{}}");
}

Test(methods, events_are_remembered_and_followed)
{
    EXPECT(ask(world, &one, "Events", ""),
        "{'error':'org.varlink.service.ExpectedMore','parameters':{}}");
    peer_call_more(&one, "Events", "");
    EXPECT(peer_reply(world, &one), "{'parameters':{'event':null}}");
    bring_up(db);
    bring_up(web);
    peer_call_more(&one, "Events", "'pools':['db']");
    const char *reply = peer_reply(world, &one);
    CONTAINS(reply, "'event':'started','pool':'db','worker':0,'generation':1,'seq':1}}");
    CONTAINS(reply, "'continues':true}");
    reply = peer_reply(world, &one);
    CONTAINS(reply, "'event':'ready','pool':'db','worker':0,'generation':1,'seq':2}}}");

    peer_call_more(&two, "Events", "'follow':true,'pools':['db']");
    CONTAINS(peer_reply(world, &two), "'seq':1");
    CONTAINS(peer_reply(world, &two), "'seq':2");
    cr_assert(peer_is_waiting(world, &two));
    fake_move(web, 0, WORKER_STOPPING);
    cr_assert(peer_is_waiting(world, &two));
    fake_move(db, 0, WORKER_STOPPING);
    CONTAINS(peer_reply(world, &two), "'event':'stopping','pool':'db'");
    control_note(world->control, NOTE_RELOADED_ALL, "the configuration");
    cr_assert(peer_is_waiting(world, &two), "only asked for those of one pool");
    peer_call_more(&one, "Events", "'pools':['nobody']");
    CONTAINS(peer_reply(world, &one), "NoSuchPool");
}

Test(methods, only_the_last_thousand_events_are_remembered)
{
    for (int i = 0; i < 1500; i++)
        fake_report(db, 0, REPORT_READY);
    peer_call_more(&one, "Events", "");
    CONTAINS(peer_reply(world, &one), "'seq':501}");
    for (int i = 1; i < 999; i++)
        peer_reply(world, &one);
    const char *last = peer_reply(world, &one);
    CONTAINS(last, "'seq':1500}");
    cr_assert_not(strstr(last, "continues"));
}
