#include "duplex_tape.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dsp/frame.h"

#define NAME 1024

static FILE *open_part(const char *prefix, const char *suffix, size_t *samples)
{
    char name[NAME];
    struct stat st;
    FILE *f;

    if (snprintf(name, sizeof name, "%s%s", prefix, suffix) >= NAME)
        return NULL;
    f = fopen(name, "re");
    if (f != NULL && fstat(fileno(f), &st) == 0 && samples != NULL)
        *samples = (size_t)st.st_size / sizeof(int16_t);
    return f;
}

int16_t *tape_part(const char *prefix, const char *suffix, size_t n)
{
    FILE *f = open_part(prefix, suffix, NULL);
    int16_t *x = f == NULL ? NULL : calloc(n + 1, sizeof *x);

    if (x != NULL && fread(x, sizeof *x, n, f) < n && ferror(f)) {
        free(x);
        x = NULL;
    }
    if (f != NULL)
        fclose(f);
    return x;
}

static size_t part_size(const char *prefix, const char *suffix)
{
    size_t n = 0;
    FILE *f = open_part(prefix, suffix, &n);

    if (f != NULL)
        fclose(f);
    return n;
}

static int load_trials(struct tape *t, const char *prefix)
{
    FILE *f = open_part(prefix, ".trials", NULL);

    if (f == NULL)
        return -ENOENT;
    while (t->trial_count < TAPE_TRIALS && fscanf(f, "%zu %zu", &t->trials[t->trial_count].from,
                                                  &t->trials[t->trial_count].to) == 2)
        t->trial_count++;
    fclose(f);
    return 0;
}

int tape_load(struct tape *t, const char *prefix)
{
    memset(t, 0, sizeof *t);
    t->n = part_size(prefix, ".mic") / DSP_FRAME * DSP_FRAME;
    t->far_n = part_size(prefix, ".far");
    t->far = tape_part(prefix, ".far", t->far_n);
    t->mic = tape_part(prefix, ".mic", t->n);
    t->said = tape_part(prefix, ".said", t->n);
    if (t->far == NULL || t->mic == NULL || t->said == NULL)
        return -EIO;
    return load_trials(t, prefix);
}

bool tape_speaks(const struct tape *t, size_t at)
{
    size_t i;

    for (i = 0; i < t->trial_count; i++)
        if (at >= t->trials[i].from && at < t->trials[i].to + DSP_HZ)
            return true;
    return false;
}

void tape_free(struct tape *t)
{
    free(t->far);
    free(t->mic);
    free(t->said);
}
