/* Files made from others: the exact bytes, and refusal of what has another form. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake/scratch.h"
#include "models/derive.h"

static const char voice[] =
    "{\"audio\": {\"sample_rate\": 22050}, \"espeak\": {\"voice\": \"en-us\"}, "
    "\"language\": {\"name_english\": \"English\"}, \"num_speakers\": 1, "
    "\"phoneme_id_map\": {\"_\": [0], \" \": [3], \"\xc3\xa6\": [39]}}";

static int derive(struct scratch *s, const char *how, const char *first, size_t n,
                  const char *second)
{
    char a[512], b[512], *inputs[] = {a, b};
    struct err e = {0};
    int rc;

    scratch_put(s, "first", first, n);
    snprintf(a, sizeof a, "%s", scratch_path(s, "first"));
    if (second != NULL)
        scratch_put(s, "second", second, strlen(second));
    snprintf(b, sizeof b, "%s", scratch_path(s, "second"));
    rc = derive_file(how, inputs, second != NULL ? 2 : 1, scratch_path(s, "out"), &e);
    assert_true(rc == 0 || e.text[0] != '\0');
    return rc;
}

static void holds(struct scratch *s, const char *bytes, size_t n)
{
    size_t have;
    unsigned char *out = scratch_get(s, "out", &have);

    assert_int_equal(have, n);
    assert_memory_equal(out, bytes, n);
    free(out);
}

static void tokens_of_moonshine(void **state)
{
    static const char want[] = "Pw==\t0\nPHM+\t1\n4paB\t2\n";
    struct scratch s;

    (void)state;
    scratch_new(&s);
    assert_int_equal(derive(&s, "moonshine-tokens", "\0\3<s>\3\xe2\x96\x81", 9, NULL), 0);
    holds(&s, want, sizeof want - 1);
    scratch_free(&s);
}

/* A length from 128 on takes two bytes: 200 is 128 + 72, 1. */
static void long_tokens_of_moonshine(void **state)
{
    char in[202] = "\xc8\1", want[300];
    struct scratch s;

    (void)state;
    memset(in + 2, 'A', 200);
    want[0] = '\0';
    for (int i = 0; i < 66; i++)
        memcpy(want + 4 * i, "QUFB", 4);
    memcpy(want + 264, "QUE=\t0\n", 8);
    scratch_new(&s);
    assert_int_equal(derive(&s, "moonshine-tokens", in, sizeof in, NULL), 0);
    holds(&s, want, strlen(want));
    scratch_free(&s);
}

static void malformed_tokens_are_refused(void **state)
{
    struct scratch s;

    (void)state;
    scratch_new(&s);
    assert_int_equal(derive(&s, "moonshine-tokens", "", 0, NULL), -EINVAL);
    assert_int_equal(derive(&s, "moonshine-tokens", "\5abc", 4, NULL), -EINVAL);
    assert_int_equal(derive(&s, "moonshine-tokens", "\xff", 1, NULL), -EINVAL);
    assert_int_equal(derive(&s, "moonshine-tokens",
                            "\xff\xff"
                            "abc",
                            5, NULL),
                     -EINVAL);
    scratch_free(&s);
}

static void tokens_of_piper(void **state)
{
    static const char want[] = "_ 0\n  3\n\xc3\xa6 39\n";
    struct scratch s;

    (void)state;
    scratch_new(&s);
    assert_int_equal(derive(&s, "piper-tokens", voice, sizeof voice - 1, NULL), 0);
    holds(&s, want, sizeof want - 1);
    scratch_free(&s);
}

static void malformed_voices_are_refused(void **state)
{
    static const char *const wrong[] = {
        "{}",
        "[",
        "{\"phoneme_id_map\": {\"ab\": [1]}}",
        "{\"phoneme_id_map\": {\"a\": 1}}",
        "{\"phoneme_id_map\": {\"\\n\": [1]}}",
        "{\"phoneme_id_map\": {\"\": [1]}}",
        "{\"phoneme_id_map\": {\"a\": [-1]}}",
    };
    struct scratch s;

    (void)state;
    scratch_new(&s);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(derive(&s, "piper-tokens", wrong[i], strlen(wrong[i]), NULL), -EINVAL);
        assert_int_equal(derive(&s, "sherpa-vits", "model", 5, wrong[i]), -EINVAL);
    }
    scratch_free(&s);
}

/* Field 14, wire type 2 is tag 0x72; key and value are fields 1 and 2. */
static void a_model_gets_its_properties_at_the_end(void **state)
{
    static const char want[] = "model"
                               "\x72\x12\x0a\x0amodel_type\x12\x04vits"
                               "\x72\x10\x0a\x07"
                               "comment\x12\x05piper"
                               "\x72\x13\x0a\x08language\x12\x07"
                               "English"
                               "\x72\x0e\x0a\x05voice\x12\x05"
                               "en-us"
                               "\x72\x0f\x0a\x0ahas_espeak\x12\x01"
                               "1"
                               "\x72\x0f\x0a\x0an_speakers\x12\x01"
                               "1"
                               "\x72\x14\x0a\x0bsample_rate\x12\x05"
                               "22050";
    struct scratch s;

    (void)state;
    scratch_new(&s);
    assert_int_equal(derive(&s, "sherpa-vits", "model", 5, voice), 0);
    holds(&s, want, sizeof want - 1);
    scratch_free(&s);
}

static void an_unknown_way_is_refused(void **state)
{
    struct scratch s;

    (void)state;
    scratch_new(&s);
    assert_int_equal(derive(&s, "magic", "x", 1, NULL), -EINVAL);
    assert_int_equal(derive(&s, "sherpa-vits", "x", 1, NULL), -EINVAL);
    scratch_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_of_moonshine),
        cmocka_unit_test(long_tokens_of_moonshine),
        cmocka_unit_test(malformed_tokens_are_refused),
        cmocka_unit_test(tokens_of_piper),
        cmocka_unit_test(malformed_voices_are_refused),
        cmocka_unit_test(a_model_gets_its_properties_at_the_end),
        cmocka_unit_test(an_unknown_way_is_refused),
    };

    return cmocka_run_group_tests_name("models_derive", tests, NULL, NULL);
}
