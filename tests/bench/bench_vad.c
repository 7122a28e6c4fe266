/* bench_vad [WEIGHTS [FRAMES]] - what one frame of voice detection costs, with the installed
 * weights unless a file is named. Prints one JSON object: median and 90th percentile in nanoseconds
 * a frame, and how many frames were timed. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsp/vad.h"
#include "models/models.h"
#include "util/clock.h"

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The file to read, malloc'd: the first argument, or what `hullo models` has fetched. */
static int find_weights(char **out, const char *named, struct err *e)
{
    struct log log = {.level = LOG_WARN, .to = stderr};
    struct models *models;
    int rc;

    *out = NULL;
    if (named != NULL)
        return (*out = strdup(named)) != NULL ? 0 : -ENOMEM;
    rc = models_open(&models, &log, e);
    if (rc < 0)
        return rc;
    rc = models_path(models, "silero-vad", "silero_vad_16k_op15.onnx", out, e);
    models_close(models);
    return rc;
}

int main(int argc, char **argv)
{
    struct vad_weights *w = NULL;
    struct vad *v = NULL;
    char *path = NULL;
    struct err e = {0};
    int16_t x[VAD_FRAME];
    uint32_t noise = 1;
    double sum = 0;
    size_t n = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 2000;
    int64_t *ns = n > 0 && n < 1000000 ? calloc(n, sizeof(*ns)) : NULL;

    if (!ns) {
        fprintf(stderr, "usage: bench_vad [WEIGHTS [FRAMES]]\n");
        return STATUS_USAGE;
    }
    if (find_weights(&path, argc > 1 ? argv[1] : NULL, &e) < 0) {
        printf("{\"bench\":\"vad\",\"skipped\":\"no weights: `hullo models pull`\"}\n");
        free(ns);
        return STATUS_DONE;
    }
    if (vad_weights_load(&w, path, &e) < 0 || vad_new(&v, w) < 0) {
        fprintf(stderr, "bench_vad: %s\n", e.text);
        free(ns);
        free(path);
        vad_weights_free(w);
        return STATUS_FAILED;
    }
    for (size_t k = 0; k < n; k++) {
        for (size_t i = 0; i < VAD_FRAME; i++) {
            noise = noise * 1664525u + 1013904223u;
            x[i] = (int16_t)((int)(noise >> 20) - 2048);
        }
        int64_t from = clock_ns();
        sum += (double)vad_run(v, x);
        ns[k] = clock_ns() - from;
    }
    qsort(ns, n, sizeof(*ns), ascending);
    printf("{\"bench\":\"vad\",\"unit\":\"ns per 32 ms frame\",\"median\":%lld,\"p90\":%lld,"
           "\"samples\":%zu,\"mean_probability\":%.4f}\n",
           (long long)ns[n / 2], (long long)ns[n * 9 / 10], n, sum / (double)n);
    vad_free(v);
    vad_weights_free(w);
    free(ns);
    free(path);
    return STATUS_DONE;
}
