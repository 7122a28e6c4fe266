/* Which engines are chosen, and what is said when there is none. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake/scratch.h"
#include "local/engines.h"
#include "local/ladder.h"
#include "models/models.h"

#define MODEL(name, role)                                                                      \
    "{\"name\": \"" name "\", \"title\": \"-\", \"role\": \"" role "\", \"licence\": \"MIT\"," \
    " \"licence_text\": \"-\", \"files\": [{\"name\": \"f\", \"bytes\": 1, \"sha256\": \""     \
    "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\", \"sources\": ["       \
    "{\"hub\": \"x/y\", \"path\": \"f\"}]}]}"

static const char manifest[] =
    "{\"version\": 1, \"models\": [" MODEL("ear", "vad") ", " MODEL("brain", "llm") "]}";

struct fixture {
    struct scratch s;
    struct models *models;
    struct backend_config config;
    struct ladder ladder;
    struct err e;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    scratch_new(&f->s);
    scratch_put(&f->s, "models.json", manifest, sizeof manifest - 1);
    setenv("HULLO_MODELS_MANIFEST", scratch_path(&f->s, "models.json"), 1);
    setenv("HULLO_MODELS_DIR", scratch_path(&f->s, "none"), 1);
    assert_int_equal(models_open(&f->models, NULL, NULL), 0);
    f->config.models = f->models;
    f->config.settings.voice = "auto";
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    ladder_free(&f->ladder);
    models_close(f->models);
    scratch_free(&f->s);
    free(f);
    return 0;
}

static void a_server_stands_in_for_a_model(void **state)
{
    struct fixture *f = *state;

    f->config.llm_url = "http://localhost:1";
    f->config.model = "theirs";
    assert_int_equal(ladder_llm(&f->ladder, &f->config, &f->e), 0);
    assert_int_equal(f->ladder.count, 1);
    assert_ptr_equal(f->ladder.rungs[0].kind, &engine_llm_http);
    assert_string_equal(f->ladder.rungs[0].name, "theirs");
}

static void a_missing_voice_is_no_error_while_there_is_a_plainer_one(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ladder_tts(&f->ladder, &f->config, &f->e), 0);
    assert_ptr_equal(f->ladder.rungs[0].kind, &engine_flite);
    assert_string_equal(f->e.text, "");
}

#if HULLO_LOCAL
static void a_model_that_is_not_there_says_how_to_get_it(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ladder_llm(&f->ladder, &f->config, &f->e), -ENOENT);
    assert_non_null(strstr(f->e.text, "hullo models pull brain"));
    assert_int_equal(f->e.status, STATUS_NO_MODEL);
}

static void a_model_of_another_kind_is_no_language_model(void **state)
{
    struct fixture *f = *state;

    f->config.model = "ear";
    assert_int_equal(ladder_llm(&f->ladder, &f->config, &f->e), -ENOENT);
    assert_non_null(strstr(f->e.text, "no language model 'ear'"));
    assert_int_equal(f->e.status, STATUS_USAGE);
}

static void a_list_without_such_a_model_is_an_error(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ladder_stt(&f->ladder, &f->config, &f->e), -ENOENT);
    assert_non_null(strstr(f->e.text, "speech-to-text"));
}
#endif

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_server_stands_in_for_a_model),
        TEST(a_missing_voice_is_no_error_while_there_is_a_plainer_one),
#if HULLO_LOCAL
        TEST(a_model_that_is_not_there_says_how_to_get_it),
        TEST(a_model_of_another_kind_is_no_language_model),
        TEST(a_list_without_such_a_model_is_an_error),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
