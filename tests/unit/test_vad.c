/* vad: the probabilities that ONNX Runtime gives, and what a weight file may not do. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dsp/vad.h"
#include "fake/signals.h"
#include "fake/silero.h"
#include "util/path.h"

#define FRAMES 96

typedef void make_signal(int16_t *x, size_t n);

static int16_t *made(make_signal *make)
{
    int16_t *x = calloc(FRAMES * VAD_FRAME, sizeof(int16_t));
    assert_non_null(x);
    make(x, FRAMES * VAD_FRAME);
    return x;
}

static float *random_weights(uint32_t seed)
{
    float *weights = calloc(SILERO_FLOATS, sizeof(float));
    assert_non_null(weights);
    silero_random(weights, seed);
    return weights;
}

static struct vad_weights *parsed(const float *weights)
{
    struct vad_weights *w = NULL;
    struct buf file = BUF_INIT;
    struct err e = {0};

    silero_file(&file, silero_tensors, SILERO_TENSORS, weights);
    assert_int_equal(vad_weights_parse(&w, file.data, file.len, "made.onnx", &e), 0);
    assert_non_null(w);
    buf_free(&file);
    return w;
}

static void it_computes_the_network_that_is_documented(void **state)
{
    (void)state;
    float *weights = random_weights(3);
    struct vad_weights *w = parsed(weights);
    struct vad *v = NULL;
    struct silero_state plain = {0};
    int16_t *x = made(signal_buzz);
    double least = 1, most = 0;

    assert_int_equal(vad_new(&v, w), 0);
    for (size_t i = 0; i < 24; i++) {
        double expected = silero_plain(weights, &plain, x + i * VAD_FRAME);
        assert_true(fabs(vad_run(v, x + i * VAD_FRAME) - expected) < 1e-4);
        least = fmin(least, expected);
        most = fmax(most, expected);
    }
    assert_true(most - least > 0.05); /* else the comparison would say nothing */
    free(x);
    free(weights);
    vad_free(v);
    vad_weights_free(w);
}

static void reset_starts_anew_and_detectors_share_weights(void **state)
{
    (void)state;
    float *weights = random_weights(4);
    struct vad_weights *w = parsed(weights);
    struct vad *a = NULL, *b = NULL;
    int16_t *x = made(signal_buzz), *other = made(signal_extremes);
    float first[8];

    assert_int_equal(vad_new(&a, w), 0);
    assert_int_equal(vad_new(&b, w), 0);
    for (size_t i = 0; i < 8; i++)
        first[i] = vad_run(a, x + i * VAD_FRAME);
    vad_reset(a);
    for (size_t i = 0; i < 8; i++) {
        vad_run(b, other + (i + 30) * VAD_FRAME); /* a neighbour at work changes nothing */
        assert_true(vad_run(a, x + i * VAD_FRAME) == first[i]);
    }
    assert_true(vad_run(a, x) != first[0]); /* without a reset the past counts */
    free(x);
    free(other);
    free(weights);
    vad_free(a);
    vad_free(b);
    vad_weights_free(w);
}

static void the_largest_weights_allowed_never_give_a_nan(void **state)
{
    (void)state;
    float *weights = random_weights(5);
    int16_t *x = made(signal_extremes);

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < SILERO_FLOATS; i++) {
            float w = round == 0 ? 1 : round == 1 ? -1 : weights[i] < 0 ? -1 : 1;
            weights[i] = 1000 * w;
        }
        struct vad_weights *w = parsed(weights);
        struct vad *v = NULL;
        assert_int_equal(vad_new(&v, w), 0);
        for (size_t i = 0; i < FRAMES; i += 7) {
            float p = vad_run(v, x + i * VAD_FRAME);
            assert_true(p >= 0 && p <= 1);
        }
        vad_free(v);
        vad_weights_free(w);
    }
    free(x);
    free(weights);
}

/* The published weights where this machine has them, else the test is left out. */
static char *published(void)
{
    const char *given = getenv("HULLO_TEST_SILERO"), *models = getenv("HULLO_MODELS_DIR");
    char *file = NULL;

    if (given)
        return strdup(given);
    if (models)
        path_join(&file, models, "silero-vad/silero_vad_16k_op15.onnx");
    else
        path_data(&file, "models/silero-vad/silero_vad_16k_op15.onnx");
    FILE *f = file ? fopen(file, "rb") : NULL;
    if (!f) {
        print_message("skipped: no '%s'; HULLO_TEST_SILERO can name it\n", file ? file : "");
        free(file);
        return NULL;
    }
    fclose(f);
    return file;
}

static int16_t *signal_named(const char *name)
{
    static const struct {
        const char *name;
        make_signal *make;
    } signals[] = {{"chirp", signal_chirp}, {"buzz", signal_buzz}, {"extremes", signal_extremes}};

    for (size_t k = 0; k < sizeof(signals) / sizeof(signals[0]); k++)
        if (strcmp(name, signals[k].name) == 0)
            return made(signals[k].make);
    fail_msg("no signal '%s'", name);
    return NULL;
}

/* Runs v over every signal of the table and compares; returns the frames compared. */
static int compare(struct vad *v, FILE *tsv)
{
    char line[200], name[20] = "";
    int16_t *x = NULL;
    int compared = 0;

    while (fgets(line, sizeof(line), tsv)) {
        unsigned checksum;
        size_t frame;
        double expected;
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%19s %x %zu %lf", name, &checksum, &frame, &expected), 4);
        if (frame == 0) {
            free(x);
            x = signal_named(name);
            assert_int_equal(signal_checksum(x, FRAMES * VAD_FRAME), checksum);
            vad_reset(v);
        }
        assert_true(x != NULL && frame < FRAMES);
        assert_true(fabs(vad_run(v, x + frame * VAD_FRAME) - expected) < 1e-4);
        compared++;
    }
    free(x);
    return compared;
}

static void it_agrees_with_onnx_runtime(void **state)
{
    (void)state;
    struct vad_weights *w = NULL;
    struct vad *v = NULL;
    struct err e = {0};
    char *file = published();

    if (!file)
        skip();
    if (vad_weights_load(&w, file, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(vad_new(&v, w), 0);
    FILE *tsv = fopen(HULLO_SOURCE "/tests/data/silero-reference.tsv", "r");
    assert_non_null(tsv);
    assert_int_equal(compare(v, tsv), 3 * FRAMES);
    fclose(tsv);
    free(file);
    vad_free(v);
    vad_weights_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_computes_the_network_that_is_documented),
        cmocka_unit_test(reset_starts_anew_and_detectors_share_weights),
        cmocka_unit_test(the_largest_weights_allowed_never_give_a_nan),
        cmocka_unit_test(it_agrees_with_onnx_runtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
