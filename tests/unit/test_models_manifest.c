/* The manifest: what the shipped one promises, and that a wrong one is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "models/manifest.h"

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PACKAGES \
    "\"packages\": {\"pack\": {\"version\": \"1.0\", \"sha256\": \"" SHA "\", \"bytes\": 7}}"
#define MODEL(name, files)                                                                 \
    "{\"name\": \"" name "\", \"title\": \"t\", \"role\": \"llm\", \"licence\": \"MIT\", " \
    "\"licence_text\": \"x\", \"standard\": true, \"files\": [" files "]}"
#define MANIFEST(models) "{\"version\": 1, " PACKAGES ", \"models\": [" models "]}"
#define FILE_OF(name, rest) \
    "{\"name\": \"" name "\", \"sha256\": \"" SHA "\", \"bytes\": 5, " rest "}"
#define HUB "\"sources\": [{\"hub\": \"a/b\", \"path\": \"c/d.bin\"}]"
#define PARTS(a, b)                                                                            \
    "\"sources\": [{\"packages\": [{\"package\": \"pack\", \"member\": \"x/a\", \"bytes\": " a \
    "}, "                                                                                      \
    "{\"package\": \"pack\", \"member\": \"x/b\", \"bytes\": " b "}]}]"
#define DERIVED(from) "\"derive\": \"piper-tokens\", \"from\": [" from "]"

static int parse(struct models *m, const char *text, struct err *e)
{
    *m = (struct models){0};
    return manifest_parse(m, text, strlen(text), "test.json", e);
}

static void a_good_manifest_is_read(void **state)
{
    struct models m;
    struct err e = {0};
    const struct model *model;

    (void)state;
    assert_int_equal(parse(&m,
                           MANIFEST(MODEL("one", FILE_OF("f.bin", HUB)) ", " MODEL(
                               "two", FILE_OF("g.bin", PARTS("2", "3")) ", " FILE_OF(
                                          "t.txt", DERIVED("\"g.bin\"")))),
                           &e),
                     0);
    assert_int_equal(m.count, 2);
    model = manifest_find(&m, "two", &e);
    assert_non_null(model);
    assert_string_equal(model->files[0].sources[0].members[1].path, "x/b");
    assert_string_equal(model->files[0].sources[0].members[1].package->version, "1.0");
    assert_int_equal(model->files[1].from[0], 0);
    assert_int_equal(model->info.bytes, 10);
    assert_string_equal(m.models[0].files[0].sources[0].revision, "main");
    assert_null(manifest_find(&m, "three", &e));
    assert_int_equal(e.status, STATUS_USAGE);
    manifest_free(&m);
}

static void what_it_says_to_people_does_nothing_to_their_terminal(void **state)
{
    static const char text[] =
        "{\"version\": 1, \"models\": [{\"name\": \"one\", \"title\": \"a\\u001b[2Jb\\nc\", "
        "\"role\": \"llm\", \"licence\": \"M\\u0007IT\", \"licence_text\": \"x\\u202ey\", "
        "\"files\": [" FILE_OF("f.bin", HUB) "]}]}";
    struct models m;
    struct err e = {0};

    (void)state;
    assert_int_equal(parse(&m, text, &e), 0);
    assert_string_equal(m.models[0].info.title, "a[2Jb c");
    assert_string_equal(m.models[0].info.licence, "MIT");
    assert_string_equal(m.models[0].info.licence_text, "xy");
    manifest_free(&m);
}

static void a_package_that_two_parts_share_is_counted_once(void **state)
{
    struct models m;

    (void)state;
    assert_int_equal(parse(&m, MANIFEST(MODEL("m", FILE_OF("f", PARTS("2", "3")))), NULL), 0);
    assert_int_equal(m.models[0].info.fetch_bytes, 7);
    manifest_free(&m);
}

static void a_wrong_manifest_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{\"version\": 2, \"models\": []}",
        "{\"version\": 1}",
        MANIFEST(""),
        MANIFEST("7"),
        MANIFEST(MODEL("../up", FILE_OF("f", HUB))),
        MANIFEST(MODEL("m", "")),
        MANIFEST(MODEL("m", FILE_OF("", HUB))),
        MANIFEST(MODEL("m", FILE_OF(".hidden", HUB))),
        MANIFEST(MODEL("m", FILE_OF("a/b", HUB))),
        MANIFEST(MODEL("m", FILE_OF("f", HUB) ", " FILE_OF("f", HUB))),
        MANIFEST(MODEL("m", FILE_OF("f", HUB)) ", " MODEL("m", FILE_OF("f", HUB))),
        MANIFEST(MODEL("m", FILE_OF("f", "\"sources\": []"))),
        MANIFEST(MODEL("m", FILE_OF("f", "\"sources\": [{\"hub\": \"a/../b\", \"path\": \"c\"}]"))),
        MANIFEST(MODEL("m", FILE_OF("f", "\"sources\": [{\"hub\": \"a/b\", \"path\": \"/c\"}]"))),
        MANIFEST(MODEL("m", FILE_OF("f", "\"sources\": [{\"hub\": \"a/b\", \"path\": \"c?d\"}]"))),
        MANIFEST(MODEL("m", FILE_OF("f", PARTS("2", "2")))),
        MANIFEST(MODEL("m", FILE_OF("f", PARTS("-2", "7")))),
        MANIFEST(MODEL("m", FILE_OF("f", PARTS("1.5", "3.5")))),
        MANIFEST(MODEL("m", FILE_OF("f", "\"sources\": [{\"packages\": [{\"package\": \"other\", "
                                         "\"member\": \"a\", \"bytes\": 5}]}]"))),
        MANIFEST(MODEL("m", FILE_OF("f", DERIVED("\"f\"")))),
        MANIFEST(MODEL("m", FILE_OF("f", DERIVED("")))),
        MANIFEST(MODEL("m", "{\"name\": \"f\", \"bytes\": 5, \"sha256\": \"00\", " HUB "}")),
        MANIFEST(
            MODEL("m", "{\"name\": \"f\", \"bytes\": 1e300, \"sha256\": \"" SHA "\", " HUB "}")),
        "{\"version\": 1, \"packages\": {\"--index-url=x\": {\"version\": \"1\", \"sha256\": \"" SHA
        "\", \"bytes\": 7}}, \"models\": [" MODEL("m", FILE_OF("f", HUB)) "]}",
        "{\"version\": 1, \"packages\": {\"p\": {\"version\": \"1 -r x\", \"sha256\": \"" SHA
        "\", \"bytes\": 7}}, \"models\": [" MODEL("m", FILE_OF("f", HUB)) "]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct models m;
        struct err e = {0};
        if (parse(&m, wrong[i], &e) != -EINVAL)
            fail_msg("accepted: %s", wrong[i]);
        assert_int_equal(e.status, STATUS_FAILED);
        assert_non_null(strstr(e.text, "test.json"));
        manifest_free(&m);
    }
}

/* Every prefix of a good one: no crash, no leak, and not one of them passes. */
static void a_manifest_cut_short_is_refused(void **state)
{
    const char *text = MANIFEST(MODEL("m", FILE_OF("f", PARTS("2", "3"))));

    (void)state;
    for (size_t n = 0; n < strlen(text); n++) {
        struct models m = {0};
        assert_int_equal(manifest_parse(&m, text, n, "cut", NULL), -EINVAL);
        manifest_free(&m);
    }
}

static void the_shipped_manifest_has_a_standard_model_for_each_role(void **state)
{
    unsigned roles = 0;
    struct models *m;
    struct err e = {0};

    (void)state;
    setenv("HULLO_MODELS_MANIFEST", HULLO_SOURCE "/share/models.json", 1);
    setenv("HULLO_MODELS_DIR", "/nonexistent", 1);
    if (models_open(&m, NULL, &e) < 0)
        fail_msg("%s", e.text);
    for (size_t i = 0; i < models_count(m); i++) {
        struct model_info info;
        assert_int_equal(models_info(m, i, &info), 0);
        assert_false(info.present);
        assert_int_equal(models_index(m, info.name), i);
        roles |= info.standard ? 1u << info.role : 0;
    }
    assert_int_equal(roles, 0x1f);
    models_close(m);
}

static void what_is_missing_is_listed_by_role(void **state)
{
    struct models_missing missing;
    struct model_info info;
    struct models *m;

    (void)state;
    assert_int_equal(models_open(&m, NULL, NULL), 0);
    assert_int_equal(models_missing(m, 1u << MODEL_LLM | 1u << MODEL_VAD, &missing), 0);
    assert_int_equal(missing.count, 2);
    models_info(m, missing.indices[0], &info);
    assert_string_equal(info.name, "silero-vad");
    assert_true(missing.fetch_bytes > 500000000 && missing.fetch_bytes < 520000000);
    models_missing_free(&missing);
    models_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_manifest_is_read),
        cmocka_unit_test(what_it_says_to_people_does_nothing_to_their_terminal),
        cmocka_unit_test(a_package_that_two_parts_share_is_counted_once),
        cmocka_unit_test(a_wrong_manifest_is_refused),
        cmocka_unit_test(a_manifest_cut_short_is_refused),
        cmocka_unit_test(the_shipped_manifest_has_a_standard_model_for_each_role),
        cmocka_unit_test(what_is_missing_is_listed_by_role),
    };

    return cmocka_run_group_tests_name("models_manifest", tests, NULL, NULL);
}
