/* A WebSocket that stands, against a scripted server on the same loop. */
#include "fake/ws_stage.h"

static void a_message_goes_out_and_one_comes_in(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    assert_int_equal(ws_send(f->ws, "hello", 5), 0);
    wait_for_frames(f, 1);
    assert_frame(f, 0, FAKE_FIN | FAKE_TEXT, "hello", 5);
    assert_false(fake_ws_unmasked(f->server));
    fake_ws_frame(f->server, FAKE_FIN | FAKE_TEXT, "hi there", 8);
    wait_for(f, &f->messages, 1);
    assert_string_equal(f->last.data, "hi there");
    assert_false(f->binary);
}

/* Some of what was read lies in wslay, where neither the loop nor libcurl sees it. */
static void messages_in_one_piece_come_one_after_the_other(void **state)
{
    static const char three[] = "\x81\x03one\x82\x03two\x81\x05three";
    struct fixture *f = *state;

    open_up(f);
    fake_ws_send(f->server, three, sizeof three - 1);
    wait_for(f, &f->messages, 3);
    assert_string_equal(f->last.data, "three");
}

static void a_message_of_a_megabyte_goes_out_and_comes_in(void **state)
{
    struct fixture *f = *state;
    size_t n = 1 << 20;
    char *big = malloc(n);

    assert_non_null(big);
    for (size_t i = 0; i < n; i++)
        big[i] = (char)(i * 7);
    open_up(f);
    assert_int_equal(ws_send_binary(f->ws, big, n), 0);
    wait_for_frames(f, 1);
    assert_frame(f, 0, FAKE_FIN | FAKE_BINARY, big, n);
    fake_ws_frame(f->server, FAKE_FIN | FAKE_BINARY, big, n);
    wait_for(f, &f->messages, 1);
    assert_true(f->binary);
    assert_int_equal(f->last.len, n);
    assert_memory_equal(f->last.data, big, n);
    free(big);
}

static void each_message_is_one_write(void **state)
{
    struct fixture *f = *state;
    char text[9000];

    memset(text, 'x', sizeof text);
    open_up(f);
    writes = 0;
    for (size_t i = 0; i < 10; i++) {
        ws_send(f->ws, text, i % 2 > 0 ? sizeof text : 10);
        wait_for_frames(f, i + 1);
    }
    if (counts_writes())
        assert_int_equal(writes, 10);
}

static void small_writes_do_not_wait_for_each_other(void **state)
{
    struct fixture *f = *state;
    int on = 0;
    socklen_t length = sizeof on;

    open_up(f);
    if (!counts_writes())
        skip();
    ws_send(f->ws, "x", 1);
    assert_int_equal(getsockopt(written_to, IPPROTO_TCP, TCP_NODELAY, &on, &length), 0);
    assert_int_not_equal(on, 0);
}

/* Messages and control frames. */

static void a_message_in_pieces_is_one_with_pings_between(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    fake_ws_frame(f->server, FAKE_TEXT, "gr\xc3", 3);
    fake_ws_frame(f->server, FAKE_FIN | FAKE_PING, "still there?", 12);
    fake_ws_frame(f->server, FAKE_MORE, "", 0);
    fake_ws_frame(f->server, FAKE_FIN | FAKE_PONG, "unasked", 7);
    fake_ws_frame(f->server, FAKE_FIN, "\xbcn", 2);
    wait_for(f, &f->messages, 1);
    assert_string_equal(f->last.data, "gr\xc3\xbcn");
    wait_for_frames(f, 1);
    assert_frame(f, 0, FAKE_FIN | FAKE_PONG, "still there?", 12);
}

/* Bytes from the server, and the code with which the connection is closed for them. */
struct breach {
    const char *bytes;
    size_t n;
    int code;
};

static void assert_breach(void **state, const struct breach *b)
{
    struct fixture *f = *state;
    size_t before = fake_ws_frames(f->server);
    const char *payload = NULL;

    fake_ws_mute(f->server);
    open_up(f);
    fake_ws_send(f->server, b->bytes, b->n);
    wait_closed(f, WS_INVALID);
    assert_int_equal(f->how.code, 0);
    assert_int_equal(f->error.status, STATUS_FAILED);
    assert_int_equal(f->messages, 0);
    wait_for_frames(f, before + 1);
    assert_int_equal(fake_ws_got(f->server, before, &payload, NULL), FAKE_FIN | FAKE_CLOSE);
    assert_int_equal((uint8_t)payload[0] << 8 | (uint8_t)payload[1], b->code);
    let_go(f);
    f->opened = f->closed = 0;
}

static void who_breaks_the_rules_is_told_so(void **state)
{
    static const struct breach breaches[] = {
        {BYTES("\xc1\x01x"), 1002}, /* a reserved bit */
        {BYTES("\x83\x01x"), 1002}, /* opcode 3 */
        {BYTES("\x8b\x01x"), 1002}, /* opcode 11 */
        {BYTES("\x81\x81"
               "abcdx"),
         1002},                                 /* masked */
        {BYTES("\x80\x01x"), 1002},             /* the rest of nothing */
        {BYTES("\x01\x01x\x81\x01y"), 1002},    /* two at once */
        {BYTES("\x09\x01x"), 1002},             /* half a ping */
        {BYTES("\x89\x7e\x00\x7e"), 1002},      /* a long ping */
        {BYTES("\x81\x7e\x00\x05hello"), 1002}, /* a length longer than need be */
        {BYTES("\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00"), 1002}, /* negative */
        {BYTES("\x88\x01x"), 1002},                                /* half a close code */
        {BYTES("\x88\x02\x03\xed"), 1002},                         /* 1005 */
        {BYTES("\x88\x02\x13\x88"), 1002},                         /* 5000 */
        {BYTES("\x88\x03\x03\xe8\xff"), 1007},                     /* a reason that is no text */
        {BYTES("\x81\x02\xc0\x80"), 1007},                         /* overlong */
        {BYTES("\x01\x02\xf4\x90"), 1007}, /* beyond Unicode, not yet whole */
        {BYTES("\x81\x05\xf4\x90"), 1007}, /* the rest is not waited for */
        {BYTES("\x81\x02x\xc3"), 1007},    /* cut */
    };

    for (size_t i = 0; i < sizeof breaches / sizeof *breaches; i++)
        assert_breach(state, &breaches[i]);
}

static void each_text_is_looked_at_from_its_beginning(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    fake_ws_frame(f->server, FAKE_FIN | FAKE_TEXT, "in order", 8);
    fake_ws_frame(f->server, FAKE_FIN | FAKE_TEXT, "no\xff", 3);
    wait_closed(f, WS_INVALID);
    assert_int_equal(f->messages, 1);
}

static void a_message_that_is_too_long_is_refused_before_it_comes(void **state)
{
    static const struct breach breaches[] = {
        {BYTES("\x82\x7f\x00\x00\x00\x00\x7f\xff\xff\xff."), 1009}, /* 2 GiB are announced */
        {BYTES("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff."), 1009},
        {BYTES("\x02\x05hello\x00\x05hello\x00\x01!"), 1009}, /* together */
    };
    struct fixture *f = *state;

    f->config.max_message = 10;
    for (size_t i = 0; i < sizeof breaches / sizeof *breaches; i++)
        assert_breach(state, &breaches[i]);
}

static void a_message_of_just_the_limit_is_taken(void **state)
{
    struct fixture *f = *state;

    f->config.max_message = 10;
    open_up(f);
    fake_ws_frame(f->server, FAKE_TEXT, "12345", 5);
    fake_ws_frame(f->server, FAKE_FIN, "67890", 5);
    wait_for(f, &f->messages, 1);
    assert_string_equal(f->last.data, "1234567890");
}

static void a_flood_does_not_keep_the_loop_busy(void **state)
{
    enum { COUNT = 4000, PER_TURN = 64 };
    struct fixture *f = *state;
    struct buf b = BUF_INIT;
    int before = 0;

    open_up(f);
    for (int i = 0; i < COUNT; i++)
        buf_add(&b, "\x81\x01x", 3);
    fake_ws_send(f->server, b.data, b.len);
    buf_free(&b);
    while (f->messages < COUNT) {
        turn(f, 1);
        assert_true(f->messages - before <= PER_TURN);
        before = f->messages;
    }
}

static void pings_without_end_do_not_pile_up_answers(void **state)
{
    struct fixture *f = *state;
    char text[126] = "";
    const char *last = NULL;
    size_t i, n = 0;

    fake_ws_deaf(f->server, false);
    open_up(f);
    fake_ws_deaf(f->server, true);
    refuse_writes = true;
    for (i = 0; i < 3000; i++) {
        snprintf(text, sizeof text, "%0120zu", i);
        fake_ws_frame(f->server, FAKE_FIN | FAKE_PING, text, 120);
        turn(f, 1);
    }
    fake_ws_frame(f->server, FAKE_FIN | FAKE_TEXT, "x", 1);
    wait_for(f, &f->messages, 1);
    if (!counts_writes())
        skip();
    assert_in_range(ws_waiting(f->ws), 60000, 70000);
    refuse_writes = false;
    fake_ws_deaf(f->server, false);
    wait_for(f, &f->drained, 1);
    turn(f, 20);
    n = fake_ws_frames(f->server);
    assert_true(n > 0 && n < 1000);
    fake_ws_got(f->server, n - 1, &last, NULL);
    assert_memory_equal(last, text, 120); /* the last one has its answer */
}

/* Back-pressure. */

static void what_the_server_does_not_read_waits_and_loses_nothing(void **state)
{
    enum { SIZE = 100000 };
    struct fixture *f = *state;
    char *text = malloc(SIZE);
    size_t sent = 0, most;

    assert_non_null(text);
    open_up(f);
    fake_ws_deaf(f->server, true);
    while (ws_waiting(f->ws) < 1 << 20) {
        memset(text, 'a' + (int)(sent % 26), SIZE);
        assert_int_equal(ws_send(f->ws, text, SIZE), 0);
        sent++;
        assert_true(sent < 1000);
    }
    most = ws_waiting(f->ws);
    turn(f, 3);
    assert_int_equal(f->drained, 0);
    fake_ws_deaf(f->server, false);
    wait_for(f, &f->drained, 1);
    assert_in_range(ws_waiting(f->ws), 0, most / 2);
    while (ws_waiting(f->ws) > 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    wait_for_frames(f, sent);
    for (size_t i = 0; i < sent; i++) {
        memset(text, 'a' + (int)(i % 26), SIZE);
        assert_frame(f, i, FAKE_FIN | FAKE_TEXT, text, SIZE);
    }
    free(text);
    turn(f, 3);
    assert_int_equal(f->waiting, 0); /* when it was told last */
    most = (size_t)f->drained;
    turn(f, 10);
    assert_int_equal(f->drained, most);
}

/* The system takes that much more; then so much waits, and it was told so often. */
static void make_room(struct fixture *f, size_t bytes, size_t waiting, int drained)
{
    room = bytes;
    while (room > 0 && ws_waiting(f->ws) > 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    turn(f, 3);
    assert_int_equal(ws_waiting(f->ws), waiting);
    assert_int_equal(f->drained, drained);
}

static void who_fills_up_again_when_told_is_told_again(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    if (!counts_writes())
        skip();
    for (int round = 1; round <= 3; round++) {
        refuse_writes = true;
        ws_send(f->ws, "hello", 5);
        turn(f, 2);
        assert_int_equal(ws_waiting(f->ws), 11);
        refuse_writes = false;
        wait_for(f, &f->drained, round);
        assert_int_equal(ws_waiting(f->ws), 0);
    }
    wait_for_frames(f, 3);
}

static void it_is_told_at_half_of_what_waited_at_most(void **state)
{
    struct fixture *f = *state;
    char text[1000];

    memset(text, 'x', sizeof text);
    open_up(f);
    if (!counts_writes())
        skip();
    refuse_writes = true;
    for (int i = 0; i < 100; i++)
        ws_send(f->ws, text, sizeof text - 8); /* 1000 with its header */
    assert_int_equal(ws_waiting(f->ws), 100000);
    make_room(f, 30000, 70000, 0);
    make_room(f, 30000, 40000, 1);
    make_room(f, 15000, 25000, 1); /* half of 40000 counts now */
    make_room(f, 10000, 15000, 2);
    make_room(f, 20000, 0, 3);
}

/* What empties it may be a send: the news still comes from the loop. */
static void a_send_that_empties_what_waited_is_told_as_well(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    if (!counts_writes())
        skip();
    refuse_writes = true;
    ws_send(f->ws, "one", 3);
    refuse_writes = false;
    ws_send(f->ws, "two", 3);
    assert_int_equal(ws_waiting(f->ws), 0);
    assert_int_equal(f->drained, 0);
    wait_for(f, &f->drained, 1);
    wait_for_frames(f, 2);
}

/* The line is watched. */

static void pings_measure_the_way(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    assert_true(ws_rtt_ms(f->ws) < 0);
    ws_watch(f->ws, 5, 0);
    while (ws_rtt_ms(f->ws) < 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(fake_ws_got(f->server, 0, NULL, NULL), FAKE_FIN | FAKE_PING);
    wait_for_frames(f, 3);
    assert_int_equal(f->closed, 0);
}

static void silence_breaks_the_connection(void **state)
{
    struct fixture *f = *state;

    fake_ws_mute(f->server);
    open_up(f);
    ws_watch(f->ws, 5, 30);
    wait_closed(f, WS_BROKEN);
    assert_int_equal(f->error.code, -ETIMEDOUT);
    assert_int_equal(f->error.status, STATUS_NETWORK);
    assert_non_null(strstr(f->error.text, "nothing has come"));
    assert_true(fake_ws_frames(f->server) >= 2);
}

static void a_watch_that_was_ended_is_no_more(void **state)
{
    struct fixture *f = *state;

    open_up(f);
    ws_watch(f->ws, 1000, 1);
    ws_watch(f->ws, 0, 0);
    uv_sleep(10);
    turn(f, 3);
    assert_int_equal(f->closed, 0);
}

/* The loop slept, and what came meanwhile was not read. */
static void a_loop_that_was_late_does_not_blame_the_server(void **state)
{
    struct fixture *f = *state;

    fake_ws_mute(f->server);
    open_up(f);
    ws_watch(f->ws, 0, 50);
    fake_ws_frame(f->server, FAKE_FIN | FAKE_TEXT, "here", 4);
    uv_sleep(80);
    wait_for(f, &f->messages, 1);
    assert_int_equal(f->closed, 0);
    wait_closed(f, WS_BROKEN);
}

static void a_watch_set_before_it_is_open_holds(void **state)
{
    struct fixture *f = *state;

    begin(f);
    ws_watch(f->ws, 5, 0);
    wait_for_frames(f, 1);
    assert_int_equal(fake_ws_got(f->server, 0, NULL, NULL), FAKE_FIN | FAKE_PING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_goes_out_and_one_comes_in),
        TEST(messages_in_one_piece_come_one_after_the_other),
        TEST(a_message_of_a_megabyte_goes_out_and_comes_in),
        TEST(each_message_is_one_write),
        TEST(small_writes_do_not_wait_for_each_other),
        TEST(a_message_in_pieces_is_one_with_pings_between),
        TEST(who_breaks_the_rules_is_told_so),
        TEST(each_text_is_looked_at_from_its_beginning),
        TEST(a_message_that_is_too_long_is_refused_before_it_comes),
        TEST(a_message_of_just_the_limit_is_taken),
        TEST(a_flood_does_not_keep_the_loop_busy),
        TEST(pings_without_end_do_not_pile_up_answers),
        TEST(what_the_server_does_not_read_waits_and_loses_nothing),
        TEST(who_fills_up_again_when_told_is_told_again),
        TEST(it_is_told_at_half_of_what_waited_at_most),
        TEST(a_send_that_empties_what_waited_is_told_as_well),
        TEST(pings_measure_the_way),
        TEST(silence_breaks_the_connection),
        TEST(a_watch_that_was_ended_is_no_more),
        TEST(a_loop_that_was_late_does_not_blame_the_server),
        TEST(a_watch_set_before_it_is_open_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
