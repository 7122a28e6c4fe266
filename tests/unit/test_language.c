/* language: tags and names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "local/language.h"

static void a_tag_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(language_name("es"), "Spanish");
    assert_string_equal(language_name("pt-BR"), "Portuguese");
    assert_string_equal(language_name("ZH_tw"), "Chinese");
}

static void what_is_not_known_is_its_own_name(void **state)
{
    (void)state;
    assert_string_equal(language_name("tlh"), "tlh");
    assert_string_equal(language_name("Klingon"), "Klingon");
    assert_string_equal(language_name(""), "");
    assert_string_equal(language_tag("Klingon"), "Klingon");
}

static void a_name_has_a_tag(void **state)
{
    (void)state;
    assert_string_equal(language_tag("spanish"), "es");
    assert_string_equal(language_tag("es-MX"), "es-MX");
}

static void regions_do_not_matter(void **state)
{
    (void)state;
    assert_true(language_same("en", "en-GB"));
    assert_true(language_same("English", "en"));
    assert_false(language_same("en", "es"));
    assert_false(language_same("en", "eng-x"));
    assert_false(language_same("en", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tag_has_a_name),
        cmocka_unit_test(what_is_not_known_is_its_own_name),
        cmocka_unit_test(a_name_has_a_tag),
        cmocka_unit_test(regions_do_not_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
