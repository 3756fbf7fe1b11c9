/* From arguments to a command: the tables of all nouns, help, and what a row says of its words. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

#ifndef YB_VERSION
#define YB_VERSION "0.1.0"
#endif

const struct ctl_command *const ctl_commands[] = {
    ctl_tenant_commands,
    ctl_account_commands,
    ctl_alias_commands,
    ctl_setting_commands,
    ctl_node_commands,
    ctl_store_commands,
    ctl_event_commands,
    ctl_queue_commands,
    ctl_relay_commands,
    ctl_session_commands,
    ctl_audit_commands,
    ctl_config_commands,
    NULL,
};

static void
help_all(FILE *to)
{
    fprintf(to,
            "usage: yubin [-c FILE] [--json | --jsonl] NOUN VERB [WORDS] [OPTIONS]\n"
            "       yubin NOUN --help      what can be done with it\n"
            "       yubin --version\n\n"
            "  -c FILE   configuration (default %s)\n"
            "  --json    print JSON\n"
            "  --jsonl   print JSON, an object of a list a line\n\n",
            YB_SYSCONF);
    for (size_t t = 0; ctl_commands[t] != NULL; t++) {
        for (const struct ctl_command *c = ctl_commands[t]; c->noun != NULL; c++)
            fprintf(to, "  %-8s %-13s %s\n", c->noun, c->verb, c->summary);
    }
}

static void
help_command(FILE *to, const struct ctl_command *c)
{
    fprintf(to, "yubin %s %s%s%s%s\n    %s\n", c->noun, c->verb, *c->words == '\0' ? "" : " ",
            c->words, c->options == NULL && c->fields == NULL ? "" : " [OPTIONS]", c->summary);
    for (const struct ctl_option_row *o = c->options; o != NULL && o->name != NULL; o++)
        fprintf(to, "      %s %-*s %s\n", o->name, (int)(20 - strlen(o->name)),
                o->value == NULL ? "" : o->value, o->help);
    for (size_t i = 0; c->fields != NULL && i < c->fields->n; i++) {
        const struct yb_admin_field *f = &c->fields->v[i];

        fprintf(to, "      --%s %-*s %s\n", f->option, (int)(18 - strlen(f->option)), f->value,
                f->help);
    }
}

static int
help_noun(FILE *to, const char *noun)
{
    bool found = false;

    for (size_t t = 0; ctl_commands[t] != NULL; t++) {
        for (const struct ctl_command *c = ctl_commands[t]; c->noun != NULL; c++) {
            if (strcmp(c->noun, noun) == 0) {
                help_command(to, c);
                found = true;
            }
        }
    }
    return found ? 0 : -1;
}

static const struct ctl_command *
find_command(const char *noun, const char *verb)
{
    for (size_t t = 0; ctl_commands[t] != NULL; t++) {
        for (const struct ctl_command *c = ctl_commands[t]; c->noun != NULL; c++) {
            if (strcmp(c->noun, noun) == 0 && strcmp(c->verb, verb) == 0)
                return c;
        }
    }
    return NULL;
}

static int
usage(const struct ctl *c, const char *what, const char *word)
{
    fprintf(stderr, "yubin: %s%s%s\n", what, word == NULL ? "" : ": ", word == NULL ? "" : word);
    if (c->command != NULL)
        help_command(stderr, c->command);
    else
        fprintf(stderr, "See yubin --help.\n");
    return CTL_USAGE;
}

/* Takes one option of the command; returns how many arguments it used, 0 when it is none, or is
 * without its value. An empty value is none: it stands where a script's variable is not set, and
 * would take a limit away; that is the word "none". */
static int
take_option(struct ctl *c, char **argv, int left)
{
    for (const struct ctl_option_row *o = c->command->options; o != NULL && o->name != NULL; o++) {
        if (strcmp(o->name, argv[0]) != 0 || c->n_options == CTL_MAX_OPTIONS)
            continue;
        if (o->value != NULL && (left < 2 || *argv[1] == '\0'))
            return 0;
        c->options[c->n_options++] = (struct ctl_given){ o->name, o->value == NULL ? "" : argv[1] };
        return o->value == NULL ? 1 : 2;
    }
    for (size_t i = 0; c->command->fields != NULL && i < c->command->fields->n; i++) {
        if (strcmp(c->command->fields->v[i].option, argv[0] + 2) != 0 || left < 2 ||
            *argv[1] == '\0' || c->n_options == CTL_MAX_OPTIONS)
            continue;
        c->options[c->n_options++] = (struct ctl_given){ argv[0], argv[1] };
        return 2;
    }
    return 0;
}

/* How it is to be printed. */
static bool
take_form(struct ctl *c, const char *word)
{
    bool json = strcmp(word, "--json") == 0, lines = strcmp(word, "--jsonl") == 0;

    c->json = c->json || json;
    c->lines = c->lines || lines;
    return json || lines;
}

void
ctl_words_wanted(const char *words, size_t *min, size_t *max)
{
    struct yb_str left = yb_str_from(words), word;

    *min = *max = 0;
    while ((word = yb_str_word(&left)).n > 0) {
        *min += word.p[0] != '[';
        *max = yb_str_find(word, '.') < word.n ? CTL_MAX_WORDS : *max + 1;
    }
}

/* What follows noun and verb. */
static int
take_words(struct ctl *c, int argc, char **argv)
{
    size_t min, max;

    ctl_words_wanted(c->command->words, &min, &max);
    for (int i = 0; i < argc;) {
        int used = 1;

        if (*argv[i] == '\0') { /* a script's variable that is not set */
            return usage(c, "an empty word", NULL);
        } else if (!yb_str_utf8(yb_str_from(argv[i]))) {
            return usage(c, "a word that is not UTF-8", NULL);
        } else if (take_form(c, argv[i])) {
        } else if (strcmp(argv[i], "--help") == 0) {
            help_command(stdout, c->command);
            return -2;
        } else if (strncmp(argv[i], "--", 2) == 0) {
            used = take_option(c, argv + i, argc - i);
            if (used == 0)
                return usage(c, "unknown option, or one without its value", argv[i]);
        } else if (c->n_words < max) {
            c->words[c->n_words++] = argv[i];
        } else {
            return usage(c, "one word too many", argv[i]);
        }
        i += used;
    }
    if (c->n_words < min)
        return usage(c, "a word is missing", NULL);
    return -1;
}

int
ctl_arguments(struct ctl *c, int argc, char **argv)
{
    int i = 1, rc;

    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
            c->conf_path = argv[++i];
        } else if (take_form(c, argv[i])) {
        } else if (strcmp(argv[i], "--version") == 0) {
            puts("yubin " YB_VERSION);
            return CTL_DONE;
        } else if (strcmp(argv[i], "--help") == 0) {
            help_all(stdout);
            return CTL_DONE;
        } else {
            return usage(c, "unknown option", argv[i]);
        }
    }
    if (i >= argc) {
        help_all(stderr);
        return CTL_USAGE;
    }
    if (i + 1 >= argc || strcmp(argv[i + 1], "--help") == 0) {
        rc = i + 1 >= argc ? CTL_USAGE : CTL_DONE;
        return help_noun(rc == CTL_DONE ? stdout : stderr, argv[i]) == 0
                   ? rc
                   : usage(c, "there is no such noun", argv[i]);
    }
    c->command = find_command(argv[i], argv[i + 1]);
    if (c->command == NULL) {
        if (help_noun(stderr, argv[i]) < 0)
            return usage(c, "there is no such noun", argv[i]);
        /* Last, where it is seen: the verbs there are may fill the screen. */
        fprintf(stderr, "yubin: %s has no such verb: %s\n", argv[i], argv[i + 1]);
        return CTL_USAGE;
    }
    rc = take_words(c, argc - i - 2, argv + i + 2);
    return rc == -2 ? CTL_DONE : rc;
}
