/* SPDX-License-Identifier: MIT */

/* brood logs: what workers have written, read from the files alone, so that nobody need run. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/nsec.h"
#include "bin/commands.h"
#include "bin/help.h"
#include "bin/options.h"
#include "conf/readers.h"
#include "logs/merge.h"
#include "logs/when.h"
#include "sys/wall.h"

/* How many of the last lines come first where somebody follows. */
#define FOLLOW_LINES 10

#define STATUS_NO_SUCH_POOL 4

/* Logs that are read together: those that were there at the start, then each new one. */
struct batch {
    struct batch *next;
    struct archive_list archives;
    struct merge *merge;
};

struct logs_command {
    enum help_format help;
    bool follow, json, previous;
    struct {
        bool given;
        uint64_t value;
    } lines;
    const char *since, *until, *pattern, *directory;

    struct query query;
    regex_t regex;
    bool has_regex;
    int directory_fd;
    bool is_terminal, is_coloured;
    bool has_failed;
    struct batch *batches;
    char *out;
    size_t out_size;
};

static int read_lines(const char *text, void *field) {
    struct logs_command *c = container_of(field, struct logs_command, lines);

    c->lines.given = true;
    return read_count(text, &c->lines.value);
}

#define AT(member) offsetof(struct logs_command, member)

static const struct option_row rows[] = {
    {"follow", 'f', false, NULL, NULL, AT(follow), NULL,
        "go on with what is written from now on, over rotations and restarts"},
    {"lines", 'n', false, "N", read_lines, AT(lines), "a whole number",
        "only the last N lines (with -f: 10)"},
    {"since", 0, false, "TIME", read_text, AT(since), "a time", "from then on"},
    {"until", 0, false, "TIME", read_text, AT(until), "a time", "up to then"},
    {"grep", 0, false, "REGEX", read_text, AT(pattern), "a pattern",
        "only lines whose text matches (POSIX extended)"},
    {"previous", 0, false, NULL, NULL, AT(previous), NULL,
        "of each worker, only what the process before the last one wrote"},
    {"json", 0, false, NULL, NULL, AT(json), NULL, "one JSON object a line"},
    {"dir", 0, false, "DIR", read_text, AT(directory), "a directory", "where the logs are"},
    HELP_ROW(AT(help)),
};

static const struct help logs_help = {
    .name = "logs",
    .synopsis = (const char *const[]){"logs [POOL[/N]…] [OPTION…]", NULL},
    .text = "Shows what workers have written, read from the files where it is kept: over rotated "
            "and compressed ones, all pools by time. No brood need run.",
    .sections =
        (const struct help_section[]){
            {.heading = "Times",
                .text = "2026-11-22, \"2026-11-22 19:28\", 19:28, yesterday, @1795375738 (seconds "
                        "since 1970), or a duration, which is that long ago: 10min. Local time, "
                        "unless it is as in the log, with Z at the end."},
            {.heading = "Exit status",
                .items =
                    (const struct help_item[]){
                        {"0", "fine"},
                        {"1", "something could not be read"},
                        {"2", "usage"},
                        {"4", "there is no log of that pool"},
                        {0},
                    }},
            {0},
        },
    .see_also = "brood(1), brood-up(1), brood-status(1)",
};

static int usage(const char *what, const char *word, const char *expected) {
    fprintf(
        stderr, "brood logs: %s '%s' is not %s; see 'brood logs --help'\n", what, word, expected);
    return STATUS_USAGE;
}

static int take_subject(struct logs_command *c, const char *word) {
    struct query *query = &c->query;
    struct query_subject *grown =
        reallocarray(query->subjects, query->n_subjects + 1, sizeof(*grown));

    if (!grown)
        return STATUS_INTERNAL;
    query->subjects = grown;
    if (query_subject_parse(word, &grown[query->n_subjects]) < 0)
        return usage("word", word, "POOL or POOL/N");
    query->n_subjects++;
    return STATUS_OK;
}

/* Options and names of pools in any order. */
static int parse_words(
    struct logs_command *c, const struct option_table *table, int argc, char **argv) {
    while (argc > 0) {
        int used = options_parse("brood logs", table, 1, argc, argv);

        if (used < 0)
            return STATUS_USAGE;
        argc -= used;
        argv += used;
        if (argc == 0)
            break;
        int status = take_subject(c, *argv);
        if (status != STATUS_OK)
            return status;
        argc--;
        argv++;
    }
    return STATUS_OK;
}

static int compile_pattern(struct logs_command *c) {
    char why[256];
    int r = regcomp(&c->regex, c->pattern, REG_EXTENDED);

    if (r != 0) {
        regerror(r, &c->regex, why, sizeof(why));
        fprintf(stderr, "brood logs: --grep '%s': %s\n", c->pattern, why);
        return STATUS_USAGE;
    }
    c->has_regex = true;
    c->query.pattern = &c->regex;
    return STATUS_OK;
}

static int prepare(struct logs_command *c) {
    uint64_t now = wall_clock();

    c->query.until = UINT64_MAX;
    c->query.previous = c->previous;
    if (c->since && when_parse(c->since, now, &c->query.since) < 0)
        return usage("--since", c->since, "a time");
    if (c->until && when_parse(c->until, now, &c->query.until) < 0)
        return usage("--until", c->until, "a time");
    if (c->follow && !c->lines.given && !c->since) {
        c->lines.given = true;
        c->lines.value = FOLLOW_LINES;
    }
    c->is_terminal = isatty(STDOUT_FILENO) && !c->json;
    c->is_coloured = c->is_terminal && !getenv("NO_COLOR");
    return c->pattern ? compile_pattern(c) : STATUS_OK;
}

static int open_directory(struct logs_command *c) {
    static char path[4096];

    if (!c->directory) {
        archive_default_directory(NULL, path, sizeof(path));
        c->directory = path;
    }
    c->directory_fd = open(c->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->directory_fd >= 0)
        return STATUS_OK;
    fprintf(stderr, "brood logs: %s: %s%s\n", c->directory, strerror(errno),
        errno == ENOENT ? "; --dir says where else to look" : "");
    return STATUS_UNCLEAN;
}

static void on_trouble(void *data, const struct archive *archive, int error) {
    struct logs_command *c = data;

    c->has_failed = true;
    fprintf(stderr, "brood logs: %s/%s: %s\n", c->directory, archive_file(archive),
        error == ENOEXEC ? "the program that unpacks it is not installed" : strerror(error));
}

/* Lines */

static void print_bytes(const struct buffer *out) {
    fwrite(out->data, 1, out->length, stdout);
}

static int reserve(struct logs_command *c, size_t size) {
    if (size <= c->out_size)
        return 0;
    char *grown = realloc(c->out, size);
    if (!grown)
        return -ENOMEM;
    c->out = grown;
    c->out_size = size;
    return 0;
}

static void add_line(const struct logs_command *c, struct buffer *out, const struct entry *entry,
    enum frame_format format) {
    char memory[FRAME_PREFIX_MAX];
    struct buffer prefix = BUFFER(memory);

    frame_add_prefix(&prefix, format, entry->wall, &entry->tag);
    if (format == FRAME_TEXT && c->is_terminal)
        frame_add_terminal_piece(out, &prefix, entry->tag.worker, c->is_coloured, &entry->piece);
    else
        frame_add_piece(out, format, &prefix, &entry->piece);
}

/* Lines that never had tags are shown as they are, unless somebody wants JSON. */
static int render(struct logs_command *c, const struct entry *entry, struct buffer *ret_out) {
    enum frame_format format = c->json ? FRAME_JSON : entry->is_tagged ? FRAME_TEXT : FRAME_RAW;
    size_t room = MAX(frame_piece_room(format, FRAME_PREFIX_MAX, &entry->piece),
        frame_terminal_room(FRAME_PREFIX_MAX, &entry->piece));

    if (reserve(c, room + 1) < 0)
        return -ENOMEM;
    *ret_out = (struct buffer){.data = c->out, .size = c->out_size};
    add_line(c, ret_out, entry, format);
    return 0;
}

/* The last lines: a ring of what is to be printed, once the end is known. */
struct ring {
    struct buffer *lines;
    size_t size, count, next;
};

static int ring_put(struct ring *ring, const struct buffer *line) {
    struct buffer *place = &ring->lines[ring->next];
    char *copy = realloc(place->data, line->length + 1);

    if (!copy)
        return -ENOMEM;
    memcpy(copy, line->data, line->length + 1);
    *place = (struct buffer){.data = copy, .size = line->length + 1, .length = line->length};
    ring->next = (ring->next + 1) % ring->size;
    ring->count = MIN(ring->count + 1, ring->size);
    return 0;
}

static void ring_print(struct ring *ring) {
    for (size_t i = 0; i < ring->count; i++)
        print_bytes(&ring->lines[(ring->next + ring->size - ring->count + i) % ring->size]);
    for (size_t i = 0; i < ring->size; i++)
        free(ring->lines[i].data);
    free(ring->lines);
}

/* What there is now; through the ring where only the last lines are wanted. */
static int print_now(struct logs_command *c, struct merge *merge, struct ring *ring) {
    const struct entry *entry;
    struct buffer line;
    int r;

    while ((r = merge_next(merge, c->follow, &entry)) > 0) {
        r = render(c, entry, &line);
        if (r >= 0 && ring && ring->size > 0)
            r = ring_put(ring, &line);
        else if (r >= 0 && !ring)
            print_bytes(&line);
        if (r < 0)
            return r;
    }
    return r;
}

static int print_last(struct logs_command *c, struct merge *merge) {
    struct ring ring = {.size = MIN(c->lines.value, (uint64_t)10000000)};

    ring.lines = calloc(MAX(ring.size, (size_t)1), sizeof(*ring.lines));
    if (!ring.lines)
        return -ENOMEM;
    int r = print_now(c, merge, &ring);
    ring_print(&ring);
    return r;
}

/* Logs */

static bool is_read(const struct logs_command *c, const char *name) {
    for (const struct batch *batch = c->batches; batch; batch = batch->next)
        for (size_t i = 0; i < batch->archives.count; i++)
            if (strcmp(batch->archives.archives[i].name, name) == 0)
                return true;
    return false;
}

/* Only what nobody reads yet; 0: there is nothing new. */
static int list_new(struct logs_command *c, struct archive_list *ret_list) {
    size_t kept = 0;
    int r = archive_list(c->directory_fd, ret_list);

    for (size_t i = 0; r >= 0 && i < ret_list->count; i++)
        if (!is_read(c, ret_list->archives[i].name))
            ret_list->archives[kept++] = ret_list->archives[i];
    if (r >= 0)
        ret_list->count = kept;
    return r < 0 ? r : kept > 0;
}

static int add_batch(struct logs_command *c, struct archive_list *archives, uint64_t last) {
    struct batch *batch = calloc(1, sizeof(*batch));

    if (!batch) {
        archive_list_finish(archives);
        return -ENOMEM;
    }
    batch->archives = *archives;
    batch->next = c->batches;
    c->batches = batch;
    return merge_new(&c->query, &batch->archives, last, on_trouble, c, &batch->merge);
}

static void free_batches(struct logs_command *c) {
    while (c->batches) {
        struct batch *batch = c->batches;

        c->batches = batch->next;
        merge_free(batch->merge);
        archive_list_finish(&batch->archives);
        free(batch);
    }
}

static bool has_subject(const struct logs_command *c, size_t i) {
    struct query one = {.subjects = &c->query.subjects[i], .n_subjects = 1};

    for (size_t k = 0; k < c->batches->archives.count; k++)
        if (query_wants(&one, &c->batches->archives.archives[k]))
            return true;
    return false;
}

/* Who follows may wait for a pool that has not written yet. */
static int check_subjects(const struct logs_command *c) {
    int status = STATUS_OK;

    for (size_t i = 0; i < c->query.n_subjects && !c->follow; i++) {
        if (has_subject(c, i))
            continue;
        fprintf(stderr, "brood logs: there is no log of '%s' in %s\n", c->query.subjects[i].pool,
            c->directory);
        status = STATUS_NO_SUCH_POOL;
    }
    return status;
}

/* Everything there is in the queue is of one kind: something has changed. */
static int wait_for_change(int notifier) {
    char events[4096];
    struct pollfd change = {.fd = notifier, .events = POLLIN};

    fflush(stdout);
    while (poll(&change, 1, -1) < 0)
        if (errno != EINTR)
            return -errno;
    return read(notifier, events, sizeof(events)) < 0 && errno != EAGAIN ? -errno : 0;
}

static int print_changes(struct logs_command *c) {
    struct archive_list fresh;
    int r = list_new(c, &fresh);

    if (r > 0)
        r = add_batch(c, &fresh, 0);
    else
        archive_list_finish(&fresh);
    for (struct batch *batch = c->batches; batch && r >= 0; batch = batch->next)
        r = print_now(c, batch->merge, NULL);
    return r;
}

static int follow(struct logs_command *c, int notifier) {
    int r;

    do {
        r = print_changes(c);
        if (r >= 0)
            r = wait_for_change(notifier);
    } while (r >= 0);
    return r;
}

/* Watched before anything is read, so that nothing falls between reading and watching. */
static int watch(const struct logs_command *c) {
    static const uint32_t changes = IN_MODIFY | IN_CREATE | IN_MOVE | IN_DELETE;
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (fd < 0 || inotify_add_watch(fd, c->directory, changes) < 0)
        return -errno;
    return fd;
}

static int show(struct logs_command *c) {
    struct archive_list archives;
    int notifier = c->follow ? watch(c) : 0;
    int r = notifier < 0 ? notifier : list_new(c, &archives);

    if (r >= 0)
        r = add_batch(c, &archives, c->lines.given ? c->lines.value : 0);
    if (r >= 0 && check_subjects(c) != STATUS_OK)
        return STATUS_NO_SUCH_POOL;
    if (r >= 0)
        r = c->lines.given ? print_last(c, c->batches->merge)
                           : print_now(c, c->batches->merge, NULL);
    if (r >= 0 && c->follow)
        r = follow(c, notifier);
    if (r < 0)
        fprintf(stderr, "brood logs: %s: %s\n", c->directory, strerror(-r));
    return r < 0 || c->has_failed || fflush(stdout) != 0 ? STATUS_UNCLEAN : STATUS_OK;
}

static void finish(struct logs_command *c) {
    free_batches(c);
    if (c->has_regex)
        regfree(&c->regex);
    if (c->directory_fd >= 0)
        close(c->directory_fd);
    free(c->query.subjects);
    free(c->out);
}

int command_logs(int argc, char **argv) {
    struct logs_command c = {.directory_fd = -1};
    struct option_table table = {"Options", rows, ELEMENTS(rows), &c};
    int status = parse_words(&c, &table, argc, argv);

    if (status == STATUS_OK && c.help) {
        help_print(&logs_help, &table, 1, c.help);
        finish(&c);
        return STATUS_OK;
    }
    if (status == STATUS_OK)
        status = prepare(&c);
    if (status == STATUS_OK)
        status = open_directory(&c);
    if (status == STATUS_OK)
        status = show(&c);
    finish(&c);
    return status;
}
