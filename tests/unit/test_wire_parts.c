/* What the codecs share: samples as base64, names and texts of strangers, events once each. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "realtime/wire_parts.h"
#include "util/buf.h"

static int keep(void *user, const char *json, size_t n)
{
    buf_add(user, json, n);
    buf_adds(user, "\n");
    return 0;
}

static void tell(void *user, const struct wire_event *ev)
{
    buf_addf(user, "%d:%s|%s|%s|%zu@%d\n", (int)ev->type, ev->reply, ev->item, ev->text, ev->count,
             ev->rate_hz);
}

static void open_parts(struct wire_parts *p, struct buf *seen)
{
    struct wire_config config = {.send = keep, .event = tell, .user = seen};

    wire_parts_init(p, &config);
}

/* The vectors of RFC 4648, section 10, that are whole samples. */
static void samples_become_the_base64_of_the_standard(void **state)
{
    static const struct {
        const char *bytes, *base64;
    } cases[] = {
        {"", ""},
        {"fo", "Zm8="},
        {"foob", "Zm9vYg=="},
        {"foobar", "Zm9vYmFy"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = BUF_INIT;
        int16_t x[4] = {0}, back[4] = {0};
        size_t n = strlen(cases[i].bytes) / 2, count = 9;
        for (size_t k = 0; k < n; k++)
            x[k] = (int16_t)(cases[i].bytes[2 * k] | cases[i].bytes[2 * k + 1] << 8);
        wire_put_pcm(&b, x, n);
        assert_string_equal(buf_str(&b), cases[i].base64);
        assert_int_equal(wire_get_pcm(back, &count, cases[i].base64), 0);
        assert_int_equal(count, n);
        assert_memory_equal(back, x, n * sizeof *x);
        buf_free(&b);
    }
}

static void any_samples_survive_there_and_back(void **state)
{
    enum { MOST = 1000 };
    int16_t x[MOST], back[MOST];
    unsigned seed = 7;

    (void)state;
    for (size_t i = 0; i < MOST; i++)
        x[i] = (int16_t)(uint16_t)((seed = seed * 1664525u + 1013904223u) >> 16);
    x[0] = INT16_MIN;
    x[1] = INT16_MAX;
    x[2] = -1;
    for (size_t n = 0; n <= MOST; n += n < 400 ? 1 : 97) {
        struct buf b = BUF_INIT;
        size_t count = 0;
        wire_put_pcm(&b, x, n);
        assert_int_equal(b.len, (n * 2 + 2) / 3 * 4);
        assert_int_equal(wire_get_pcm(back, &count, buf_str(&b)), 0);
        assert_int_equal(count, n);
        assert_memory_equal(back, x, n * sizeof *x);
        buf_free(&b);
    }
}

static void base64_that_is_not_quite_right_is_refused(void **state)
{
    static const char *const bad[] = {
        "A",
        "AA",
        "AAA",
        "Zm8",
        "Zm8==",
        "====",
        "Z===",
        "Zm=8",
        "Zm9v",
        "Zg==",
        "Zm8=Zm8=",
        "Zm8=AAAA",
        "Zm 8",
        "Zm8\n",
        "Zm9vYmF-",
        "Zm9vYmF_",
        "Zm9=",
        "Zm9vYh==",
        "\xff\xff\xff\xff",
        "AAAA====",
        "AAAAA===",
        " Zm9vYmFy",
        "Zm8=\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int16_t out[16];
        size_t count = 9;
        assert_int_equal(wire_get_pcm(out, &count, bad[i]), -EBADMSG);
        assert_int_equal(count, 0);
    }
}

static void audio_becomes_an_event_unless_it_is_bad_or_empty(void **state)
{
    struct buf seen = BUF_INIT;
    struct wire_parts p;

    (void)state;
    open_parts(&p, &seen);
    assert_int_equal(wire_emit_audio(&p, "r", "i", "Zm9vYmFy", 24000), 0);
    assert_int_equal(wire_emit_audio(&p, "r", "i", "", 24000), 0);
    assert_int_equal(wire_emit_audio(&p, "r", "i", "Zm9v", 24000), -EBADMSG);
    assert_string_equal(buf_str(&seen), "10:r|i||3@24000\n");
    wire_parts_free(&p);
    buf_free(&seen);
}

static void names_and_texts_are_bounded_and_clean(void **state)
{
    struct buf json = BUF_INIT;
    cJSON *o = NULL;

    (void)state;
    buf_adds(&json, "{\"ok\":\"item_1\",\"number\":1,\"esc\":\"a\\u001b[31mb\",\"long\":\"");
    for (int i = 0; i <= WIRE_TEXT_MAX / 2; i++)
        buf_adds(&json, "\xc3\xa9");
    buf_adds(&json, "\"}");
    assert_int_equal(wire_parse(&o, buf_str(&json), json.len), 0);
    assert_string_equal(wire_id(o, "ok"), "item_1");
    assert_string_equal(wire_id(o, "esc"), "");
    assert_string_equal(wire_id(o, "long"), "");
    assert_string_equal(wire_id(o, "number"), "");
    assert_string_equal(wire_id(o, "none"), "");
    assert_string_equal(wire_text(o, "esc"), "a[31mb");
    assert_string_equal(wire_text(o, "number"), "");
    assert_int_equal(strlen(wire_text(o, "long")), WIRE_TEXT_MAX);
    cJSON_Delete(o);
    buf_free(&json);
}

static void a_name_of_the_longest_is_one_and_a_longer_one_is_none(void **state)
{
    char id[WIRE_ID + 2];
    cJSON *o = cJSON_CreateObject();

    (void)state;
    memset(id, 'x', sizeof id);
    id[WIRE_ID] = '\0';
    cJSON_AddStringToObject(o, "most", id);
    id[WIRE_ID] = 'x';
    id[WIRE_ID + 1] = '\0';
    cJSON_AddStringToObject(o, "more", id);
    assert_int_equal(strlen(wire_id(o, "most")), WIRE_ID);
    assert_string_equal(wire_id(o, "more"), "");
    cJSON_Delete(o);
}

static void counts_that_make_no_sense_are_none(void **state)
{
    static const char json[] = "{\"a\":{\"n\":12},\"minus\":-1,\"huge\":1e300,\"word\":\"3\"}";
    cJSON *o = NULL;

    (void)state;
    assert_int_equal(wire_parse(&o, json, strlen(json)), 0);
    assert_int_equal(wire_count(o, "a.n"), 12);
    assert_int_equal(wire_count(o, "a.m"), 0);
    assert_int_equal(wire_count(o, "minus"), 0);
    assert_int_equal(wire_count(o, "huge"), 0);
    assert_int_equal(wire_count(o, "word"), 0);
    cJSON_Delete(o);
}

static void what_is_no_object_is_no_message(void **state)
{
    static const char *const bad[] = {"", "[]", "1", "\"x\"", "null", "{", "{}{}", "\xff"};
    cJSON *o = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(wire_parse(&o, bad[i], strlen(bad[i])), -EBADMSG);
        assert_null(o);
    }
}

static void an_unknown_name_is_told_once_and_a_flood_of_them_ends(void **state)
{
    struct buf seen = BUF_INIT;
    struct wire_parts p;
    char name[80], *line;
    size_t told = 0;

    (void)state;
    open_parts(&p, &seen);
    wire_emit_unknown(&p, "new\x1b.event");
    wire_emit_unknown(&p, "new\x1b.event");
    assert_string_equal(buf_str(&seen), "18:||new.event|0@0\n");
    memset(name, 'y', sizeof name);
    for (int i = 0; i < 100; i++) {
        name[0] = (char)('!' + i);
        name[sizeof name - 1] = '\0';
        wire_emit_unknown(&p, name);
    }
    for (line = seen.data; *line != '\0'; line++)
        told += *line == '\n';
    assert_int_equal(told, WIRE_UNKNOWNS);
    wire_parts_free(&p);
    buf_free(&seen);
}

static void audio_goes_out_between_its_words(void **state)
{
    static const int16_t x[] = {0x6f66, 0x626f, 0x7261};
    struct buf seen = BUF_INIT;
    struct wire_parts p;

    (void)state;
    open_parts(&p, &seen);
    assert_int_equal(wire_send_audio(&p, "{\"a\":\"", x, 3, "\"}"), 0);
    assert_int_equal(wire_send_audio(&p, "{\"a\":\"", x, 0, "\"}"), 0);
    assert_int_equal(wire_send_audio(&p, "{\"b\":\"", x, 1, "\"}"), 0);
    assert_string_equal(buf_str(&seen), "{\"a\":\"Zm9vYmFy\"}\n{\"b\":\"Zm8=\"}\n");
    wire_parts_free(&p);
    buf_free(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_become_the_base64_of_the_standard),
        cmocka_unit_test(any_samples_survive_there_and_back),
        cmocka_unit_test(base64_that_is_not_quite_right_is_refused),
        cmocka_unit_test(audio_becomes_an_event_unless_it_is_bad_or_empty),
        cmocka_unit_test(names_and_texts_are_bounded_and_clean),
        cmocka_unit_test(a_name_of_the_longest_is_one_and_a_longer_one_is_none),
        cmocka_unit_test(counts_that_make_no_sense_are_none),
        cmocka_unit_test(what_is_no_object_is_no_message),
        cmocka_unit_test(an_unknown_name_is_told_once_and_a_flood_of_them_ends),
        cmocka_unit_test(audio_goes_out_between_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
