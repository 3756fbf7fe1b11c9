#include "fuzz/stretch.h"

#include "fuzz/cost.h"
#include "lib/base/io.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SIZE_1 1024
#define SIZE_2 8192
#define SIZE_3 65536
#define SIZES 4       /* and the target's longest */
#define MAX_SEED 4096 /* of longer seeds, their beginning */
#define MAX_PARTS 384 /* of all seeds together */
#define MAX_LARGE 8   /* parts that go on to SIZE_3 by each of the two orders */
#define MAX_LARGEST 1 /* and from there to the target's longest */
/* For each of the three rounds: a second or so with ASan, or without. */
#define MAX_STEPS 60000000
#define MAX_OCTETS (2u << 20) /* of input, where steps are not counted */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seed {
    char *name, *bytes;
    size_t size;
};

/* The octets at..at + n of a seed are what is repeated. */
struct part {
    const struct seed *seed;
    size_t at, n;
    struct cost small, large;
    bool ran, taken;
};

struct pass {
    struct seed *seeds;
    size_t n_seeds;
    struct part parts[MAX_PARTS];
    size_t n_parts, inputs;
    uint64_t steps, octets;   /* of the present round: what it cost, what it was given */
    struct cost worst[SIZES]; /* an octet of input, by the size asked for */
};

static const size_t sizes[SIZES] = { SIZE_1, SIZE_2, SIZE_3 };

static int
by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int
is_seed(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static void
seeds_read(struct pass *p, const char *folder)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, is_seed, by_name);

    p->seeds = yb_alloc(n < 0 ? 0 : (size_t)n, sizeof(*p->seeds));
    for (int i = 0; i < n; i++) {
        struct seed *s = &p->seeds[p->n_seeds];
        struct yb_err err = { 0 };
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        if (yb_read_file(path, 16u << 20, &s->bytes, &s->size, &err) < 0) {
            fprintf(stderr, "%s\n", err.text);
            exit(1);
        }
        s->name = yb_dup(entries[i]->d_name, strlen(entries[i]->d_name));
        s->size = s->size > MAX_SEED ? MAX_SEED : s->size;
        p->n_seeds++;
        free(entries[i]);
    }
    free(entries);
}

static void
seeds_free(struct pass *p)
{
    for (size_t i = 0; i < p->n_seeds; i++) {
        yb_free(p->seeds[i].name);
        yb_free(p->seeds[i].bytes);
    }
    yb_free(p->seeds);
}

static bool
is_word(char c)
{
    return yb_is_alpha(c) || yb_is_digit(c) || (c & 0x80) != 0;
}

/* Past the word at `at`, or past the one octet there that belongs to none. */
static size_t
token_end(const struct seed *s, size_t at)
{
    size_t end = at + 1;

    while (is_word(s->bytes[at]) && end < s->size && is_word(s->bytes[end]))
        end++;
    return end;
}

/* The next of a seed's parts, every `every`th is taken as long as there is room. */
struct picker {
    const struct seed *seed;
    size_t every, seen, room;
    struct part *out;
    size_t n;
};

static void
pick(struct picker *k, size_t from, size_t to)
{
    if (k->seen++ % k->every == 0 && k->n < k->room)
        k->out[k->n++] = (struct part){ .seed = k->seed, .at = from, .n = to - from };
}

/* The whole, the lines, and one to three tokens in a row from each. */
static void
parts_of(struct picker *k)
{
    const struct seed *s = k->seed;

    if (s->size > 0)
        pick(k, 0, s->size);
    for (size_t at = 0, end; at < s->size; at = end) {
        const char *nl = memchr(s->bytes + at, '\n', s->size - at);

        end = nl == NULL ? s->size : (size_t)(nl - s->bytes) + 1;
        pick(k, at, end);
    }
    for (size_t at = 0; at < s->size; at = token_end(s, at)) {
        size_t end = at;

        for (unsigned tokens = 0; tokens < 3 && end < s->size; tokens++) {
            end = token_end(s, end);
            pick(k, at, end);
        }
    }
}

/* Every seed has the same share of the parts; of one with more, they are taken evenly. */
static void
parts_make(struct pass *p)
{
    for (size_t i = 0; i < p->n_seeds; i++) {
        struct picker all = { .seed = &p->seeds[i], .every = 1 }, some = all;

        parts_of(&all);
        some.room = (MAX_PARTS - p->n_parts) / (p->n_seeds - i);
        some.every = some.room == 0 ? 1 : (all.seen + some.room - 1) / some.room;
        some.every = some.every == 0 ? 1 : some.every;
        some.out = p->parts + p->n_parts;
        parts_of(&some);
        p->n_parts += some.n;
    }
}

static void
note_worst(struct pass *p, size_t size, const struct cost *used)
{
    size_t k = 0;

    while (k < SIZES - 1 && sizes[k] != size)
        k++;
    if (p->worst[k].steps < used->steps / size)
        p->worst[k].steps = used->steps / size;
    if (p->worst[k].octets < used->octets / size)
        p->worst[k].octets = used->octets / size;
}

/* Runs the seed with the part repeated until `size` octets are full. */
static struct cost
run(struct pass *p, const struct part *part, size_t size)
{
    const struct seed *s = part->seed;
    size_t rest = s->size - part->at - part->n, n = 0;
    char *bytes, what[400];
    struct cost used;

    bytes = yb_alloc(size + s->size, 1);
    memcpy(bytes, s->bytes, part->at);
    for (n = part->at; n + part->n + rest <= size || n == part->at; n += part->n)
        memcpy(bytes + n, s->bytes + part->at, part->n);
    memcpy(bytes + n, s->bytes + part->at + part->n, rest);
    n += rest;
    snprintf(what, sizeof(what), "seed %.200s with its octets %zu to %zu repeated", s->name,
             part->at, part->at + part->n);
    cost_input_is(what);
    /* A copy of exactly its size, so that a read past the end is seen. */
    bytes = yb_realloc(bytes, n, 1);
    LLVMFuzzerTestOneInput((const uint8_t *)bytes, n);
    cost_input_is(NULL);
    yb_free(bytes);
    used = cost_last();
    p->inputs++;
    p->steps += used.steps;
    p->octets += n;
    note_worst(p, size, &used);
    return used;
}

static uint64_t
weight(const struct cost *c)
{
    return cost_counts_steps() ? c->steps : c->octets;
}

static uint64_t
growth(const struct part *part)
{
    return 1000 * weight(&part->large) / (weight(&part->small) + 1);
}

static uint64_t
price(const struct part *part)
{
    return weight(&part->large);
}

/* The part of those not taken yet that has most; NULL: none is left. */
static struct part *
take(struct pass *p, uint64_t (*of)(const struct part *))
{
    struct part *best = NULL;

    for (size_t i = 0; i < p->n_parts; i++) {
        struct part *part = &p->parts[i];

        if (part->ran && !part->taken && (best == NULL || of(part) > of(best)))
            best = part;
    }
    if (best != NULL)
        best->taken = true;
    return best;
}

static bool
is_spent(const struct pass *p)
{
    return cost_counts_steps() ? p->steps >= MAX_STEPS : p->octets >= MAX_OCTETS;
}

static void
run_small(struct pass *p)
{
    /* Evenly, should the budget end early: every eighth, then the next of each eight. */
    for (size_t first = 0; first < 8; first++) {
        for (size_t i = first; i < p->n_parts && !is_spent(p); i += 8) {
            struct part *part = &p->parts[i];

            part->small = run(p, part, SIZE_1);
            part->large = run(p, part, SIZE_2);
            part->ran = true;
        }
    }
}

static void
run_large(struct pass *p, uint64_t (*of)(const struct part *))
{
    size_t longest = cost_bound()->stretch;
    struct part *part;

    p->steps = p->octets = 0;
    for (size_t i = 0; i < MAX_LARGE && (part = take(p, of)) != NULL; i++) {
        if (i > 0 && is_spent(p))
            return;
        run(p, part, longest < SIZE_3 ? longest : SIZE_3);
        if (i < MAX_LARGEST && longest > SIZE_3)
            run(p, part, longest);
    }
}

int
stretch_folder(const char *folder)
{
    struct pass *p = yb_alloc(1, sizeof(*p));
    int rc = 0;

    seeds_read(p, folder);
    parts_make(p);
    if (cost_bound()->stretch > 0) {
        run_small(p);
        run_large(p, growth);
        run_large(p, price);
    }
    if (p->n_seeds == 0) {
        fprintf(stderr, "%s: no seeds\n", folder);
        rc = -1;
    }
    printf("stretch: %zu inputs; at most octets of memory, steps an octet:", p->inputs);
    for (size_t k = 0; k < SIZES; k++)
        printf("%s %" PRIu64 ", %" PRIu64 " at %zu KiB", k == 0 ? "" : ";", p->worst[k].octets,
               p->worst[k].steps, (k < SIZES - 1 ? sizes[k] : cost_bound()->stretch) / 1024);
    printf("\n");
    seeds_free(p);
    yb_free(p);
    return cost_told() > 0 ? -1 : rc;
}
