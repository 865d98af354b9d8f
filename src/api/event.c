/* SPDX-License-Identifier: MIT */

/* Reports of the core as public events: the numbers are fixed, whatever the core does with its own.
 */

#include "api/internal.h"
#include "base/macro.h"

static const int kinds[REPORT_MAX] = {
    [REPORT_STARTED] = BROOD_EVENT_STARTED,
    [REPORT_READY] = BROOD_EVENT_READY,
    [REPORT_EXITED] = BROOD_EVENT_EXITED,
    [REPORT_SPAWN_FAILED] = BROOD_EVENT_SPAWN_FAILED,
    [REPORT_BACKOFF] = BROOD_EVENT_BACKOFF,
    [REPORT_STOPPING] = BROOD_EVENT_STOPPING,
    [REPORT_KILLING] = BROOD_EVENT_KILLING,
    [REPORT_STOPPED] = BROOD_EVENT_STOPPED,
    [REPORT_DONE] = BROOD_EVENT_DONE,
    [REPORT_GIVEN_UP] = BROOD_EVENT_GIVEN_UP,
    [REPORT_LEFTOVER] = BROOD_EVENT_LEFTOVER,
    [REPORT_RESTART_LIMIT] = BROOD_EVENT_RESTART_LIMIT,
    [REPORT_ROLLING] = BROOD_EVENT_ROLLING,
    [REPORT_ROLL_DONE] = BROOD_EVENT_ROLL_DONE,
    [REPORT_ROLL_FAILED] = BROOD_EVENT_ROLL_FAILED,
    [REPORT_ENDED] = BROOD_EVENT_ENDED,
    [REPORT_RELOADED] = BROOD_EVENT_RELOADED,
    [REPORT_RELOAD_FAILED] = BROOD_EVENT_RELOAD_FAILED,
    [REPORT_REPLACING] = BROOD_EVENT_REPLACING,
    [REPORT_SCALED] = BROOD_EVENT_SCALED,
    [REPORT_UNHEARD] = BROOD_EVENT_UNHEARD,
};

_Static_assert((int)REPORT_MAX == BROOD_EVENT_UNHEARD, "every report has its event");

const char *brood_event_name(int kind) {
    for (size_t i = 0; i < ELEMENTS(kinds); i++)
        if (kinds[i] == kind)
            return report_kind_name((enum report_kind)i);
    return "unknown";
}

void event_tell(
    brood_event_fn fn, void *data, unsigned pool_number, const struct engine_report *told) {
    const struct report *report = told->report;
    bool is_fault = report->kind != REPORT_LEFTOVER &&
                    (report->cause.kind == CAUSE_EXEC || report->cause.kind == CAUSE_SPAWN);
    const char *cause = "";
    char text[80];

    if (is_fault && told->detail)
        cause = told->detail;
    else if (report->cause.kind != CAUSE_NONE)
        cause = cause_format(report->cause, text);
    fn(data, &(struct brood_event){
                 .size = sizeof(struct brood_event),
                 .kind = kinds[report->kind],
                 .pool_number = pool_number,
                 .pool = told->pool,
                 .worker = report->kind < REPORT_FIRST_OF_POOL ? report->worker : BROOD_ALL,
                 .generation = report->generation,
                 .pid = report->pid,
                 .exit_status = cause_exit_status(report->cause),
                 .cause = cause,
                 .reason = report->reason ? report->reason : "",
                 .detail = told->detail && !is_fault ? told->detail : "",
                 .ran = report->ran,
                 .delay = report->delay,
             });
}
