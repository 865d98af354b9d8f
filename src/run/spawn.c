/* SPDX-License-Identifier: MIT */
#include "run/spawn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK_SLOTS 64

/* The child's calls are shallow: a few hundred bytes of stack; more in a build without optimiser.
 */
#define STACK_SIZE 8192

/* A burst that touched no more slots than this is not worth a system call to give back. */
#define SLOTS_KEPT 4

/* The head of a slot; the scratch memory follows, then the stack, which grows down towards it. */
struct slot {
    _Alignas(16) uint32_t busy; /* the kernel clears it; read with acquire */
    void *owner;
    struct child child;
    _Alignas(16) char scratch[];
};

struct spawn_chunk {
    char *memory;
    size_t slot_size;
    uint64_t used;
    uint64_t touched; /* since the last trim */
};

void spawner_init(struct spawner *spawner, struct process_features features, bool is_guest) {
    *spawner = (struct spawner){.features = features, .is_guest = is_guest};
}

static size_t chunk_size(const struct spawn_chunk *chunk) {
    return chunk->slot_size * CHUNK_SLOTS;
}

void spawner_finish(struct spawner *spawner) {
    for (uint32_t i = 0; i < spawner->n_chunks; i++)
        munmap(spawner->chunks[i].memory, chunk_size(&spawner->chunks[i]));
    free(spawner->chunks);
    *spawner = (struct spawner){0};
}

static struct slot *slot_at(const struct spawner *spawner, uint32_t number) {
    const struct spawn_chunk *chunk = &spawner->chunks[number / CHUNK_SLOTS];

    return (struct slot *)(chunk->memory + number % CHUNK_SLOTS * chunk->slot_size);
}

static size_t slot_size_for(size_t scratch_size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = sizeof(struct slot) + scratch_size + STACK_SIZE;

    return (size + page - 1) / page * page;
}

static int add_chunk(struct spawner *spawner, size_t scratch_size) {
    struct spawn_chunk *grown =
        reallocarray(spawner->chunks, spawner->n_chunks + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    spawner->chunks = grown;

    struct spawn_chunk chunk = {.slot_size = slot_size_for(scratch_size)};
    void *memory = mmap(NULL, chunk_size(&chunk), PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    chunk.memory = memory;
    spawner->chunks[spawner->n_chunks++] = chunk;
    return 0;
}

static bool chunk_has_room(const struct spawn_chunk *chunk, size_t scratch_size) {
    return chunk->used != UINT64_MAX &&
           chunk->slot_size >= sizeof(struct slot) + scratch_size + STACK_SIZE;
}

/* The lowest free slot: a steady state goes on using the same few pages. */
static int take_slot(struct spawner *spawner, size_t scratch_size, uint32_t *ret_slot) {
    uint32_t i = 0;

    while (i < spawner->n_chunks && !chunk_has_room(&spawner->chunks[i], scratch_size))
        i++;
    if (i == spawner->n_chunks) {
        int r = add_chunk(spawner, scratch_size);

        if (r < 0)
            return r;
    }
    struct spawn_chunk *chunk = &spawner->chunks[i];
    uint32_t bit = (uint32_t)__builtin_ctzll(~chunk->used);

    chunk->used |= UINT64_C(1) << bit;
    chunk->touched |= UINT64_C(1) << bit;
    spawner->in_flight++;
    *ret_slot = i * CHUNK_SLOTS + bit;
    return 0;
}

void spawn_release(struct spawner *spawner, uint32_t slot) {
    if (slot == SPAWN_NO_SLOT)
        return;
    spawner->chunks[slot / CHUNK_SLOTS].used &= ~(UINT64_C(1) << (slot % CHUNK_SLOTS));
    spawner->in_flight--;
}

static void fill_slot(
    const struct spawner *spawner, const struct spawn_request *request, struct slot *slot) {
    const struct plan *plan = request->plan;
    bool all_signals = spawner->is_guest || !spawner->features.clone3;

    slot->busy = 1;
    slot->owner = request->owner;
    slot->child = (struct child){
        .plan = plan,
        .reset_signals = all_signals ? UINT64_MAX : plan->ignored_signals,
        .group = spawner->features.into_group ? -1 : request->group,
        .parent = plan->parent_death_signal ? getpid() : 0,
        .unshare_files = spawner->features.close_range,
    };
    plan_render(plan, request->incarnation, slot->scratch, &slot->child.rendered);
}

int spawn(
    struct spawner *spawner, const struct spawn_request *request, struct spawned *ret_spawned) {
    uint32_t number;
    int r =
        take_slot(spawner, plan_scratch_for(request->plan, request->incarnation.extras), &number);

    if (r < 0)
        return r;

    const struct spawn_chunk *chunk = &spawner->chunks[number / CHUNK_SLOTS];
    struct slot *slot = slot_at(spawner, number);
    fill_slot(spawner, request, slot);
    struct process_clone clone = {
        .stack = (char *)slot + chunk->slot_size - STACK_SIZE,
        .stack_size = STACK_SIZE,
        .run = child_main,
        .argument = &slot->child,
        .wait = request->plan->oom_score[0] != '\0',
        .share_files = spawner->features.close_range,
        .group = spawner->features.into_group ? request->group : -1,
        .busy = &slot->busy,
    };
    r = process_clone(&clone, &spawner->features, &ret_spawned->pid, &ret_spawned->pidfd);
    if (r == -EOPNOTSUPP && clone.group >= 0) {
        clone.group = -1;
        fill_slot(spawner, request, slot);
        r = process_clone(&clone, &spawner->features, &ret_spawned->pid, &ret_spawned->pidfd);
    }
    if (r < 0) {
        spawn_release(spawner, number);
        return r;
    }
    ret_spawned->slot = number;
    return 0;
}

enum spawn_outcome spawn_outcome(
    const struct spawner *spawner, uint32_t number, struct child_fault *ret_fault) {
    const struct slot *slot = slot_at(spawner, number);

    if (__atomic_load_n(&slot->busy, __ATOMIC_ACQUIRE) != 0)
        return SPAWN_BUSY;
    if (slot->child.fault.error == 0)
        return SPAWN_BECAME;
    *ret_fault = slot->child.fault;
    return SPAWN_FAULT;
}

void spawn_visit(
    struct spawner *spawner, void (*visit)(void *data, void *owner, uint32_t slot), void *data) {
    for (uint32_t i = 0; i < spawner->n_chunks; i++)
        for (uint64_t left = spawner->chunks[i].used; left != 0; left &= left - 1) {
            uint32_t number = i * CHUNK_SLOTS + (uint32_t)__builtin_ctzll(left);

            visit(data, slot_at(spawner, number)->owner, number);
        }
}

void spawner_trim(struct spawner *spawner) {
    if (spawner->in_flight > 0 || spawner->n_chunks == 0)
        return;
    while (spawner->n_chunks > 1) {
        struct spawn_chunk *last = &spawner->chunks[--spawner->n_chunks];

        munmap(last->memory, chunk_size(last));
    }
    struct spawn_chunk *first = &spawner->chunks[0];
    if (first->touched >> SLOTS_KEPT != 0)
        madvise(first->memory, chunk_size(first), MADV_DONTNEED);
    first->touched = 0;
}
