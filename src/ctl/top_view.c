/* SPDX-License-Identifier: MIT */
#include "ctl/top_view.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Less than this between two samples tells more of the clock's ticks than of the process. */
#define SAMPLE_AGE (900 * NSEC_PER_MSEC)

/* Lines that are no rows: title, sums, empty, headings; empty, keys. */
#define FRAME_LINES 6

struct row {
    const struct worker_view *worker;
    size_t place;
    int permille;
};

static int compare_pids(const void *a, const void *b) {
    pid_t x = ((const struct sample *)a)->pid, y = ((const struct sample *)b)->pid;

    return (x > y) - (x < y);
}

static const struct sample *find(const struct top_view *view, pid_t pid) {
    struct sample key = {.pid = pid};

    return view->n_samples > 0
               ? bsearch(&key, view->samples, view->n_samples, sizeof(key), compare_pids)
               : NULL;
}

static int share_of(const struct top_view *view, const struct worker_view *worker, nsec_t elapsed) {
    const struct sample *before = find(view, worker->pid);

    if (!before || elapsed == 0)
        return -1;
    return (int)((double)nsec_sub(worker->usage.cpu, before->cpu) * 1000 / (double)elapsed);
}

void top_view_sample(struct top_view *view, const struct snapshot *snapshot, nsec_t now) {
    nsec_t elapsed = nsec_sub(now, view->sampled);
    size_t count = 0;

    if (view->sampled != 0 && elapsed < SAMPLE_AGE)
        return;
    struct sample *samples = ctl_must(calloc(snapshot->n_workers + 1, sizeof(*samples)));
    for (size_t i = 0; i < snapshot->n_workers; i++) {
        const struct worker_view *worker = &snapshot->workers[i];

        if (worker->usage.processes > 0)
            samples[count++] =
                (struct sample){worker->pid, worker->usage.cpu, share_of(view, worker, elapsed)};
    }
    qsort(samples, count, sizeof(*samples), compare_pids);
    free(view->samples);
    view->samples = samples;
    view->n_samples = count;
    view->sampled = now;
}

void top_view_finish(struct top_view *view) {
    for (size_t i = 0; i < TOP_EVENTS; i++)
        free(view->events[i]);
    free(view->samples);
    *view = (struct top_view){0};
}

/* "2026-11-22T21:34:49.123456Z" → the time of day here. */
static void format_time(const char *text, char buffer[16]) {
    struct tm utc = {0}, local;

    snprintf(buffer, 16, "-");
    if (!text || !strptime(text, "%Y-%m-%dT%H:%M:%S", &utc))
        return;
    time_t seconds = timegm(&utc);
    if (localtime_r(&seconds, &local))
        strftime(buffer, 16, "%H:%M:%S", &local);
}

static const char *text_of(const json_t *event, const char *key) {
    return json_string_value(json_object_get(event, key)) ?: "";
}

void top_view_event(struct top_view *view, const json_t *event) {
    const json_t *worker = json_object_get(event, "worker");
    const char *why = text_of(event, "cause");
    char when[16], number[24] = "", *line;

    if (*why == '\0')
        why = text_of(event, "reason");
    if (json_is_integer(worker))
        snprintf(number, sizeof(number), "/%" JSON_INTEGER_FORMAT, json_integer_value(worker));
    format_time(text_of(event, "time"), when);
    if (asprintf(&line, "%s  %s%s  %s%s%s", when, text_of(event, "pool"), number,
            text_of(event, "event"), *why ? ": " : "", why) < 0)
        ctl_must(NULL);
    free(view->events[0]);
    memmove(&view->events[0], &view->events[1], (TOP_EVENTS - 1) * sizeof(view->events[0]));
    view->events[TOP_EVENTS - 1] = line;
}

static int by_name(const void *a, const void *b) {
    const struct row *x = a, *y = b;

    return (x->place > y->place) - (x->place < y->place);
}

static int by_cpu(const void *a, const void *b) {
    const struct row *x = a, *y = b;

    return x->permille != y->permille ? y->permille - x->permille : by_name(a, b);
}

static int by_memory(const void *a, const void *b) {
    const struct row *x = a, *y = b;
    uint64_t more = x->worker->usage.memory, less = y->worker->usage.memory;

    return more != less ? (more < less) - (more > less) : by_name(a, b);
}

static int (*const orders[TOP_ORDER_MAX])(const void *a, const void *b) = {
    [TOP_BY_NAME] = by_name,
    [TOP_BY_CPU] = by_cpu,
    [TOP_BY_MEMORY] = by_memory,
};

static struct row *sorted_rows(const struct top_view *view, const struct snapshot *snapshot) {
    struct row *rows = ctl_must(calloc(snapshot->n_workers + 1, sizeof(*rows)));

    for (size_t i = 0; i < snapshot->n_workers; i++) {
        const struct worker_view *worker = &snapshot->workers[i];
        const struct sample *sample = worker->pid > 0 ? find(view, worker->pid) : NULL;

        rows[i] = (struct row){worker, i, sample ? sample->permille : -1};
    }
    qsort(rows, snapshot->n_workers, sizeof(*rows), orders[view->order]);
    return rows;
}

static const char *show_share(int permille, char buffer[32]) {
    if (permille < 0)
        return "-";
    snprintf(buffer, 32, "%d.%d", permille / 10, permille % 10);
    return buffer;
}

static void add_row(struct table *table, const struct row *row, const struct screen *screen) {
    const struct worker_view *worker = row->worker;
    char buffer[32];

    table_add(table, STYLE_STRONG, "%s/%lld", worker->pool, worker->number);
    worker_view_add_state(table, worker, screen);
    table_add(table, STYLE_PLAIN, "%s", show_pid(worker->pid, buffer));
    table_add(table, row->permille >= 500 ? STYLE_STRONG : STYLE_PLAIN, "%s",
        show_share(row->permille, buffer));
    table_add(table, STYLE_PLAIN, "%s", show_memory(&worker->usage, buffer));
    table_add(table, STYLE_PLAIN, "%s",
        show_duration(worker->pid > 0 ? worker->uptime : NSEC_NEVER, buffer));
    table_add(table, worker->restarts > 0 ? STYLE_BUSY : STYLE_PLAIN, "%lld", worker->restarts);
    table_add(table, STYLE_PLAIN, "%s", worker->cause ?: "-");
    table_add(table, STYLE_PLAIN, "%s", worker->status ?: "");
}

static void print_sums(const struct row *rows, size_t n_rows, const struct top_view *view,
    const struct screen *screen, FILE *file) {
    static const char *const names[TOP_ORDER_MAX] = {
#define X(name, text, key) [TOP_BY_##name] = text,
        TOP_ORDERS(X)
#undef X
    };
    struct usage sum = {0};
    char share[32], memory[32];
    int permille = 0;

    for (size_t i = 0; i < n_rows; i++) {
        permille += MAX(rows[i].permille, 0);
        sum.memory += rows[i].worker->usage.memory;
        sum.processes += rows[i].worker->usage.processes;
    }
    line_print(screen, STYLE_PLAIN, file, "CPU %s%%, memory %s, %u processes; by %s",
        show_share(permille, share), show_memory(&sum, memory), sum.processes, names[view->order]);
}

static size_t count_events(const struct top_view *view) {
    size_t count = 0;

    for (size_t i = 0; i < TOP_EVENTS; i++)
        count += view->events[i] != NULL;
    return count;
}

/* How many rows have room, and from which on; events give way where there is little. */
static void fit(
    struct top_view *view, size_t n_rows, const struct screen *screen, size_t *ret_n_events) {
    size_t lines = screen->rows > FRAME_LINES ? screen->rows - FRAME_LINES : 1;

    *ret_n_events = lines > 2 * TOP_EVENTS ? count_events(view) : 0;
    view->page = *ret_n_events > 0 ? lines - *ret_n_events - 1 : lines;
    view->first = MIN(view->first, n_rows > view->page ? n_rows - view->page : 0);
}

static void print_foot(const struct top_view *view, size_t n_rows, size_t n_events,
    const struct screen *screen, FILE *file) {
    size_t shown = MIN(view->page, n_rows - view->first);

    for (size_t i = shown; i < view->page; i++)
        fputc('\n', file);
    if (n_events > 0)
        fputc('\n', file);
    for (size_t i = TOP_EVENTS - n_events; i < TOP_EVENTS; i++)
        line_print(screen, STYLE_PLAIN, file, "%s", view->events[i]);
    fputc('\n', file);
    line_print(screen, STYLE_FAINT, file,
        "%zu to %zu of %zu   q quit   ↑ ↓ move   n name   c CPU   m memory",
        n_rows > 0 ? view->first + 1 : 0, view->first + shown, n_rows);
}

void top_view_draw(struct top_view *view, const struct snapshot *snapshot,
    const struct screen *screen, FILE *file) {
    static const struct table_column columns[] = {
        {.heading = "WORKER"},
        {.heading = "STATE"},
        {.heading = "PID", .right = true},
        {.heading = "CPU%", .right = true},
        {.heading = "MEM", .right = true},
        {.heading = "UPTIME", .right = true},
        {.heading = "RESTARTS", .right = true},
        {.heading = "LAST CAUSE"},
        {.heading = "STATUS", .spare = true},
    };
    struct row *rows = sorted_rows(view, snapshot);
    struct table table = TABLE_INIT(columns);
    size_t n_rows = snapshot->n_workers, n_events = 0, count = n_rows;

    if (screen->terminal) {
        fit(view, n_rows, screen, &n_events);
        count = view->page;
        snapshot_print_title(snapshot, screen, file);
        print_sums(rows, n_rows, view, screen, file);
        fputc('\n', file);
    }
    for (size_t i = 0; i < n_rows; i++)
        add_row(&table, &rows[i], screen);
    table_print_rows(&table, screen, 0, view->first, count, file);
    if (screen->terminal)
        print_foot(view, n_rows, n_events, screen, file);
    table_finish(&table);
    free(rows);
}
