/* What a conversation costs, when it has cost enough, and where the time of its turns went. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "session/latency.h"
#include "session/meter.h"

#define assert_near(a, b, most) assert_true(fabs((a) - (b)) <= (most))
#define MINUTE                  60000000000LL

static const char list[] =
    "{\"date\":\"2026-11\",\"models\":["
    "{\"model\":\"talker\",\"per_million\":{\"audio_in\":32,\"audio_cached\":0.4,\"audio_out\":64,"
    "\"text_in\":4,\"text_cached\":0.4,\"text_out\":24}},"
    "{\"model\":\"talker-mini\",\"per_million\":{\"audio_in\":10}},"
    "{\"model\":\"hearer\",\"per_minute\":0.02}]}";

static int setup(void **state)
{
    struct prices *p = NULL;

    int rc = prices_parse(&p, list, sizeof list - 1, NULL);
    *state = p;
    return rc;
}

static int teardown(void **state)
{
    prices_free(*state);
    return 0;
}

/* --- prices */

static void each_kind_of_token_has_its_price(void **state)
{
    struct backend_usage u = {.audio_in = 1000000,
                              .audio_cached = 1000000,
                              .audio_out = 500000,
                              .text_in = 250000,
                              .text_cached = 0,
                              .text_out = 1000000};
    double usd;

    assert_true(prices_usage(*state, "talker", &u, &usd));
    assert_near(usd, 32 + 0.4 + 32 + 1 + 24, 1e-9);
}

static void the_longest_name_that_fits_decides(void **state)
{
    struct backend_usage u = {.audio_in = 1000000};
    double usd;

    assert_true(prices_usage(*state, "talker-mini-2026-10-01", &u, &usd));
    assert_near(usd, 10, 1e-9);
    assert_true(prices_usage(*state, "talker-2026-10-01", &u, &usd));
    assert_near(usd, 32, 1e-9);
    assert_false(prices_usage(*state, "somebody else", &u, &usd));
}

static void a_list_that_is_none_says_what_is_wrong(void **state)
{
    static const char *const bad[] = {
        "", "{", "[]", "{\"models\":[]}", "{\"models\":[{}]}", "{\"models\":[{\"model\":7}]}"};
    struct prices *p;
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        e.text[0] = '\0';
        assert_int_equal(prices_parse(&p, bad[i], strlen(bad[i]), &e) < 0, 1);
        assert_null(p);
        assert_string_not_equal(e.text, "");
    }
}

static void the_list_that_is_shipped_knows_the_models_of_the_manual(void **state)
{
    static const char *const models[] = {"gpt-realtime-2",       "gpt-realtime-2.1-mini",
                                         "gpt-realtime-whisper", "gpt-realtime-translate",
                                         "gpt-live-1",           "gpt-realtime-2.1"};
    struct prices *p;
    double usd;

    (void)state;
    setenv("HULLO_SHARE", HULLO_SOURCE "/share", 1);
    assert_int_equal(prices_load(&p, NULL), 0);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        assert_true(prices_minute(p, models[i], &usd));
    prices_free(p);
}

/* --- the meter */

static void usage_adds_up_and_minutes_count_by_themselves(void **state)
{
    struct meter m;

    meter_init(&m, *state, "talker", 0);
    meter_usage(&m, &(struct backend_usage){.audio_in = 1000000});
    meter_usage(&m, &(struct backend_usage){.audio_out = 1000000});
    assert_near(meter_usd(&m, 5 * MINUTE), 96, 1e-9);
    meter_init(&m, *state, "hearer", 0);
    assert_near(meter_usd(&m, 5 * MINUTE), 0.1, 1e-9);
}

/* A recording is sent faster than it was spoken; the words of a turn are billed by another model.
 */
static void seconds_that_are_told_count_where_minutes_are_billed(void **state)
{
    struct meter m;

    meter_init(&m, *state, "hearer", 0);
    meter_usage(&m, &(struct backend_usage){.seconds = 600, .model = "hearer"});
    assert_near(meter_usd(&m, MINUTE), 0.2, 1e-9);
    assert_near(meter_usd(&m, 20 * MINUTE), 0.4, 1e-9);
    meter_init(&m, *state, "talker", 0);
    meter_usage(&m, &(struct backend_usage){.seconds = 600, .model = "hearer"});
    assert_near(meter_usd(&m, MINUTE), 0.2, 1e-9);
}

static void usage_may_name_another_model(void **state)
{
    struct meter m;

    meter_init(&m, *state, "talker", 0);
    meter_usage(&m, &(struct backend_usage){.audio_in = 1000000, .model = "talker-mini"});
    assert_near(meter_usd(&m, 0), 10, 1e-9);
}

/* A limit holds for what is known, whatever else was used. */
static void what_has_no_price_is_left_out_of_the_sum(void **state)
{
    struct meter m;

    meter_init(&m, *state, "stranger", 0);
    assert_near(meter_usd(&m, MINUTE), -1, 0);
    meter_usage(&m, &(struct backend_usage){.audio_in = 1000000, .model = "talker"});
    assert_near(meter_usd(&m, MINUTE), 32, 1e-9); /* another endpoint has served */
    meter_init(&m, *state, "talker", 0);
    assert_false(m.partly);
    m.max_usd = 32;
    meter_usage(&m, &(struct backend_usage){.audio_in = 1, .model = "stranger"});
    meter_usage(&m, &(struct backend_usage){.audio_in = 1000000});
    assert_near(meter_usd(&m, MINUTE), 32, 1e-9);
    assert_true(m.partly);
    assert_int_equal(meter_check(&m, MINUTE), METER_COST);
    meter_init(&m, NULL, NULL, 0);
    assert_near(meter_usd(&m, MINUTE), -1, 0);
}

static void a_limit_is_told_of_once_before_it_is_reached(void **state)
{
    struct meter m;

    meter_init(&m, *state, "talker", 0);
    m.max_usd = 40;
    meter_usage(&m, &(struct backend_usage){.audio_in = 990000});
    assert_int_equal(meter_check(&m, 0), METER_NONE);
    meter_usage(&m, &(struct backend_usage){.audio_in = 20000});
    assert_int_equal(meter_check(&m, 0), METER_NEAR);
    assert_int_equal(meter_check(&m, 0), METER_NONE);
    meter_usage(&m, &(struct backend_usage){.audio_out = 125000});
    assert_int_equal(meter_check(&m, 0), METER_COST);
}

static void time_and_idleness_are_limits_of_their_own(void **state)
{
    struct meter m;

    meter_init(&m, *state, "talker", 0);
    m.max_minutes = 30;
    m.idle_minutes = 10;
    assert_int_equal(meter_check(&m, 10 * MINUTE - 1), METER_NONE);
    assert_int_equal(meter_check(&m, 10 * MINUTE), METER_IDLE);
    meter_alive(&m, 25 * MINUTE);
    assert_int_equal(meter_check(&m, 29 * MINUTE), METER_NONE);
    assert_int_equal(meter_check(&m, 30 * MINUTE), METER_TIME);
}

/* --- latency */

#define MS 1000000LL

static void the_parts_of_a_gap_add_up_to_it(void **state)
{
    struct latency_turn t = latency_parts(1000 * MS, 1200 * MS, 1500 * MS, 1530 * MS, 40);

    (void)state;
    assert_near(t.gap_ms, 530, 1e-6);
    assert_near(t.end_ms, 200, 1e-6);
    assert_near(t.network_ms, 40, 1e-6);
    assert_near(t.model_ms, 260, 1e-6);
    assert_near(t.buffer_ms, 30, 1e-6);
}

static void moments_that_are_not_known_or_out_of_order_leave_the_sum_true(void **state)
{
    static const long long moments[][3] = {
        {0, 0, 1530}, {1600, 1500, 1530}, {1200, 1600, 1530}, {900, 950, 1530}, {1700, 0, 1530}};

    (void)state;
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        struct latency_turn t = latency_parts(1000 * MS, moments[i][0] * MS, moments[i][1] * MS,
                                              moments[i][2] * MS, 5000);
        assert_near(t.gap_ms, 530, 1e-6);
        assert_near(t.end_ms + t.network_ms + t.model_ms + t.buffer_ms, 530, 1e-6);
        assert_true(t.end_ms >= 0 && t.network_ms >= 0 && t.model_ms >= 0 && t.buffer_ms >= 0);
    }
    assert_near(latency_parts(0, 1, 2, 3, 0).gap_ms, -1, 0);
    assert_near(latency_parts(5, 1, 2, 3, 0).gap_ms, -1, 0);
}

static void quantiles_are_of_what_was_seen(void **state)
{
    static struct latency l;
    struct latency_turn t = {-1, 0, 0, 0, 0};

    (void)state;
    memset(&l, 0, sizeof l);
    latency_add(&l, &t);
    assert_near(latency_quantile(&l, 0.5), -1, 0);
    for (int i = 100; i >= 1; i--) {
        t.gap_ms = i;
        latency_add(&l, &t);
    }
    assert_near(latency_quantile(&l, 0.5), 50, 0);
    assert_near(latency_quantile(&l, 0.95), 95, 0);
    for (int i = 0; i < LATENCY_TURNS; i++) {
        t.gap_ms = 7;
        latency_add(&l, &t);
    }
    assert_near(latency_quantile(&l, 0.95), 7, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_kind_of_token_has_its_price, setup, teardown),
        cmocka_unit_test_setup_teardown(the_longest_name_that_fits_decides, setup, teardown),
        cmocka_unit_test(a_list_that_is_none_says_what_is_wrong),
        cmocka_unit_test(the_list_that_is_shipped_knows_the_models_of_the_manual),
        cmocka_unit_test_setup_teardown(usage_adds_up_and_minutes_count_by_themselves, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(seconds_that_are_told_count_where_minutes_are_billed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(usage_may_name_another_model, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_no_price_is_left_out_of_the_sum, setup, teardown),
        cmocka_unit_test_setup_teardown(a_limit_is_told_of_once_before_it_is_reached, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(time_and_idleness_are_limits_of_their_own, setup, teardown),
        cmocka_unit_test(the_parts_of_a_gap_add_up_to_it),
        cmocka_unit_test(moments_that_are_not_known_or_out_of_order_leave_the_sum_true),
        cmocka_unit_test(quantiles_are_of_what_was_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
