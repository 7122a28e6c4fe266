/* The pipeline of a turn, with scripted engines: what they are asked for is noted, what they answer
 * is told by the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "local/turns.h"
#include "util/buf.h"

struct script {
    struct engine engine;
    const char *name;
    struct stage *stage;
    uint32_t last_id; /* of the last request */
};

struct stage {
    struct turns *turns;
    struct script stt, llm, tts;
    struct buf asked;   /* what the engines were asked for */
    struct buf events;  /* what the session was told */
    uint64_t at, until; /* of the last turn heard */
    bool forgetful;     /* the session forgets as soon as it hears something */
    bool impatient;     /* ... and cancels each reply at its first words, or when something fails */
};

static int submit(struct engine *g, const struct engine_request *r)
{
    struct script *s = (struct script *)g;

    s->last_id = r->id;
    buf_addf(&s->stage->asked, "%s", s->name);
    if (r->text != NULL)
        buf_addf(&s->stage->asked, "(%s)", r->text);
    for (size_t i = 1; i < r->count; i++)
        buf_addf(&s->stage->asked, "[%s]", r->messages[i].text);
    buf_adds(&s->stage->asked, " ");
    return 0;
}

static void cancel(struct engine *g, uint32_t up_to)
{
    struct script *s = (struct script *)g;

    (void)up_to;
    buf_addf(&s->stage->asked, "-%s ", s->name);
}

static const struct engine_ops ops = {.submit = submit, .cancel = cancel};

static void on_event(void *user, const struct backend_event *ev)
{
    struct stage *st = user;

    switch (ev->type) {
    case BACKEND_SPEECH_STARTED:
        buf_adds(&st->events, "started ");
        break;
    case BACKEND_SPEECH_STOPPED:
        buf_adds(&st->events, "stopped ");
        break;
    case BACKEND_HEARD:
        buf_addf(&st->events, "heard%s%s(%s) ", ev->late ? "-late" : "", ev->committed ? "!" : "",
                 ev->text);
        st->at = ev->at;
        st->until = ev->until;
        if (st->forgetful)
            turns_forget(st->turns);
        break;
    case BACKEND_REPLY_STARTED:
        buf_addf(&st->events, "reply%u ", ev->item);
        break;
    case BACKEND_REPLY_TEXT:
        buf_addf(&st->events, "text(%s) ", ev->text);
        if (st->impatient)
            turns_cancel(st->turns);
        break;
    case BACKEND_REPLY_AUDIO:
        buf_addf(&st->events, "audio%zu ", ev->count);
        break;
    case BACKEND_REPLY_DONE:
        buf_addf(&st->events, "done%u%s ", ev->item, ev->cancelled ? "-cancelled" : "");
        break;
    case BACKEND_ERROR:
        buf_addf(&st->events, "error(%s) ", ev->error->text);
        if (st->impatient)
            turns_cancel(st->turns);
        break;
    case BACKEND_GLANCED:
        buf_addf(&st->events, "glanced(%s) ", ev->text);
        break;
    case BACKEND_HEARD_PART:
        buf_addf(&st->events, "part(%s) ", ev->text);
        break;
    case BACKEND_READY:
    case BACKEND_NOTICE:
    case BACKEND_USAGE:
    case BACKEND_LINK:
        break;
    }
}

static int open_stage(void **state, enum backend_task task)
{
    struct stage *st = calloc(1, sizeof *st);
    struct turns_config config = {.event = on_event,
                                  .user = st,
                                  .task = task,
                                  .instructions = "be kind",
                                  .lead = task == BACKEND_TRANSLATE ? "in Latin: " : NULL,
                                  .speak = true,
                                  .max_tokens = 10};

    st->stt = (struct script){{&ops}, "stt", st, 0};
    st->llm = (struct script){{&ops}, "llm", st, 0};
    st->tts = (struct script){{&ops}, "tts", st, 0};
    *state = st;
    if (turns_new(&st->turns, &config) < 0)
        return -1;
    if (task == BACKEND_TRANSCRIBE)
        turns_engines(st->turns, true, &st->stt.engine, NULL, NULL);
    else
        turns_engines(st->turns, true, &st->stt.engine, &st->llm.engine, &st->tts.engine);
    return 0;
}

static int setup(void **state)
{
    return open_stage(state, BACKEND_CONVERSE);
}

static int setup_transcribe(void **state)
{
    return open_stage(state, BACKEND_TRANSCRIBE);
}

static int setup_translate(void **state)
{
    return open_stage(state, BACKEND_TRANSLATE);
}

static int teardown(void **state)
{
    struct stage *st = *state;

    turns_free(st->turns);
    buf_free(&st->asked);
    buf_free(&st->events);
    free(st);
    return 0;
}

static void piece(struct stage *st, bool draft)
{
    static const int16_t pcm[160];

    turns_on_listen(st->turns, &(struct listen_event){
                                   .type = LISTEN_PIECE, .pcm = pcm, .count = 160, .draft = draft});
}

static void listened(struct stage *st, enum listen_event_type type, bool committed)
{
    turns_on_listen(st->turns,
                    &(struct listen_event){.type = type, .at = 160, .committed = committed});
}

static void transcribed(struct stage *st, const char *text)
{
    uint32_t id = st->stt.last_id;

    turns_on_stt(st->turns, &(struct engine_event){.type = ENGINE_TEXT, .id = id, .text = text});
    turns_on_stt(st->turns, &(struct engine_event){.type = ENGINE_DONE, .id = id});
}

static void wrote(struct stage *st, const char *text)
{
    turns_on_llm(st->turns,
                 &(struct engine_event){.type = ENGINE_TEXT, .id = st->llm.last_id, .text = text});
}

static void wrote_all(struct stage *st)
{
    turns_on_llm(st->turns, &(struct engine_event){.type = ENGINE_DONE, .id = st->llm.last_id});
}

/* A voice's piece of `count` samples that can be heard from number `quiet` on. */
static void sounded(struct stage *st, uint32_t id, size_t quiet, size_t count)
{
    int16_t pcm[22050] = {0};

    for (size_t i = quiet; i < count; i++)
        pcm[i] = 1000;
    turns_on_tts(
        st->turns,
        &(struct engine_event){
            .type = ENGINE_AUDIO, .id = id, .samples = pcm, .count = count, .rate_hz = 22050});
}

static void spoke(struct stage *st, uint32_t id, size_t count)
{
    sounded(st, id, 0, count);
    turns_on_tts(st->turns, &(struct engine_event){.type = ENGINE_DONE, .id = id});
}

#define SAW(buffer, text)                           \
    do {                                            \
        assert_string_equal(buf_str(buffer), text); \
        buf_clear(buffer);                          \
    } while (0)

static void a_committed_turn_is_heard_answered_and_spoken(void **state)
{
    struct stage *st = *state;

    piece(st, false);
    listened(st, LISTEN_TURN, true);
    SAW(&st->asked, "stt ");
    transcribed(st, "How are you?");
    SAW(&st->asked, "llm[How are you?] ");
    SAW(&st->events, "stopped heard!(How are you?) reply1 ");
    wrote(st, "Very well.");
    wrote_all(st);
    SAW(&st->asked, "tts(Very well.) ");
    spoke(st, st->tts.last_id, 100);
    SAW(&st->events, "text(Very well.) audio100 done1 ");
}

static void the_next_turn_remembers_the_last(void **state)
{
    struct stage *st = *state;

    turns_text(st->turns, "Hello.");
    turns_advance(st->turns);
    wrote(st, "Hi!");
    wrote_all(st);
    spoke(st, st->tts.last_id, 100);
    buf_clear(&st->asked);
    turns_text(st->turns, "Again.");
    turns_advance(st->turns);
    SAW(&st->asked, "llm[Hello.][Hi!][Again.] ");
}

static void nobody_waits_for_the_quiet_before_the_first_word(void **state)
{
    struct stage *st = *state;

    turns_text(st->turns, "Hello.");
    turns_advance(st->turns);
    wrote(st, "Hi!");
    wrote_all(st);
    buf_clear(&st->events);
    sounded(st, st->tts.last_id, 2000, 2000);
    SAW(&st->events, "");
    sounded(st, st->tts.last_id, 2000, 3000);
    SAW(&st->events, "audio1110 "); /* 5 ms of it are kept */
    sounded(st, st->tts.last_id, 2000, 3000);
    SAW(&st->events, "audio3000 "); /* pauses within a reply are its own */
}

static void a_glance_is_no_part_of_the_conversation(void **state)
{
    static const int16_t pcm[160];
    struct stage *st = *state;

    turns_text(st->turns, "Hello.");
    turns_advance(st->turns);
    wrote(st, "Hi!");
    buf_clear(&st->asked);
    buf_clear(&st->events);
    assert_int_equal(turns_glance(st->turns, pcm, 160), 0);
    transcribed(st, "Stop.");
    SAW(&st->asked, "stt ");
    SAW(&st->events, "glanced(Stop.) ");
    assert_int_equal(turns_waiting(st->turns), 0);
    wrote_all(st);
    spoke(st, st->tts.last_id, 100);
    buf_clear(&st->asked);
    turns_text(st->turns, "Again.");
    turns_advance(st->turns);
    SAW(&st->asked, "llm[Hello.][Hi!][Again.] ");
}

static void a_glance_and_a_turn_do_not_mix(void **state)
{
    static const int16_t pcm[160];
    struct stage *st = *state;
    uint32_t piece_id;

    piece(st, false);
    piece_id = st->stt.last_id;
    assert_int_equal(turns_glance(st->turns, pcm, 160), 0);
    listened(st, LISTEN_TURN, false);
    turns_on_stt(st->turns,
                 &(struct engine_event){.type = ENGINE_TEXT, .id = piece_id, .text = "Tell me."});
    turns_on_stt(st->turns, &(struct engine_event){.type = ENGINE_DONE, .id = piece_id});
    transcribed(st, "Stop.");
    SAW(&st->events, "stopped heard(Tell me.) reply1 glanced(Stop.) ");
}

static void pieces_of_one_turn_are_joined_in_order(void **state)
{
    struct stage *st = *state;

    piece(st, false);
    transcribed(st, "One two");
    piece(st, false);
    listened(st, LISTEN_TURN, true);
    transcribed(st, "three.");
    SAW(&st->events, "stopped heard!(One two three.) reply1 ");
}

static void a_draft_is_answered_early_and_told_only_when_confirmed(void **state)
{
    struct stage *st = *state;

    piece(st, true);
    transcribed(st, "What time is it?");
    wrote(st, "Noon.");
    wrote_all(st);
    spoke(st, st->tts.last_id, 50);
    SAW(&st->events, "");
    listened(st, LISTEN_TURN, false);
    SAW(&st->events, "stopped heard(What time is it?) reply1 text(Noon.) audio50 done1 ");
}

static void a_draft_that_is_taken_back_leaves_no_trace(void **state)
{
    struct stage *st = *state;

    piece(st, true);
    transcribed(st, "What time");
    wrote(st, "Noon.");
    listened(st, LISTEN_RESUMED, false);
    buf_clear(&st->asked);
    piece(st, true);
    transcribed(st, "What time is it in Rome?");
    SAW(&st->asked, "stt llm[What time is it in Rome?] ");
    listened(st, LISTEN_TURN, false);
    SAW(&st->events, "stopped heard(What time is it in Rome?) reply1 ");
}

static void a_draft_decode_that_ends_late_is_not_heard(void **state)
{
    struct stage *st = *state;
    uint32_t first;

    piece(st, true);
    first = st->stt.last_id;
    listened(st, LISTEN_RESUMED, false);
    piece(st, true);
    turns_on_stt(st->turns,
                 &(struct engine_event){.type = ENGINE_TEXT, .id = first, .text = "old"});
    turns_on_stt(st->turns, &(struct engine_event){.type = ENGINE_DONE, .id = first});
    transcribed(st, "new");
    listened(st, LISTEN_TURN, false);
    SAW(&st->events, "stopped heard(new) reply1 ");
}

static void a_turn_without_words_has_no_reply(void **state)
{
    struct stage *st = *state;

    listened(st, LISTEN_TURN, true);
    SAW(&st->asked, "");
    SAW(&st->events, "stopped heard!() ");
}

static void cancelling_ends_the_reply_and_drops_what_still_comes(void **state)
{
    struct stage *st = *state;

    turns_text(st->turns, "Tell me a story.");
    turns_advance(st->turns);
    wrote(st, "Once upon a time.");
    buf_clear(&st->events);
    turns_cancel(st->turns);
    wrote(st, " There was");
    turns_advance(st->turns);
    spoke(st, st->tts.last_id, 100);
    SAW(&st->events, "done1-cancelled ");
}

static void the_memory_keeps_what_was_heard_of_a_cancelled_reply(void **state)
{
    struct stage *st = *state;

    turns_text(st->turns, "Tell me.");
    turns_advance(st->turns);
    wrote(st, "One two three. ");
    wrote(st, "Five six.");
    spoke(st, st->tts.last_id, 22050);
    turns_cancel(st->turns);
    turns_truncate(st->turns, 1, 700);
    turns_advance(st->turns);
    buf_clear(&st->asked);
    turns_text(st->turns, "Go on.");
    turns_advance(st->turns);
    SAW(&st->asked, "llm[Tell me.][One two][Go on.] ");
}

/* The voice is still at its first clause, of which 600 ms were made: 16 letters, 960 ms. */
static void the_memory_keeps_what_was_heard_of_a_first_clause(void **state)
{
    struct stage *st = *state;

    turns_text(st->turns, "Tell me.");
    turns_advance(st->turns);
    wrote(st, "One two thr four. ");
    sounded(st, st->tts.last_id, 0, 13230);
    turns_truncate(st->turns, 1, 500);
    assert_string_equal(turns_remembered(st->turns, 1), "One two");
    turns_cancel(st->turns);
    turns_advance(st->turns);
    buf_clear(&st->asked);
    turns_text(st->turns, "Go on.");
    turns_advance(st->turns);
    SAW(&st->asked, "llm[Tell me.][One two][Go on.] ");
}

/* They said more before they heard anything: for the model that is one question. */
static void a_reply_that_nobody_heard_is_no_part_of_the_conversation(void **state)
{
    struct stage *st = *state;

    turns_text(st->turns, "What is");
    turns_advance(st->turns);
    wrote(st, "It depends on the context. ");
    turns_truncate(st->turns, 1, 0);
    turns_cancel(st->turns);
    turns_advance(st->turns);
    buf_clear(&st->asked);
    turns_text(st->turns, "the capital?");
    turns_advance(st->turns);
    SAW(&st->asked, "llm[What is the capital?] ");
    assert_string_equal(turns_remembered(st->turns, 1), "");
    assert_null(turns_remembered(st->turns, 9));
}

static void turns_wait_for_one_another(void **state)
{
    struct stage *st = *state;

    turns_text(st->turns, "First.");
    turns_text(st->turns, "Second.");
    turns_advance(st->turns);
    SAW(&st->asked, "llm[First.] ");
    wrote_all(st);
    SAW(&st->asked, "llm[First. Second.] "); /* the first one was not answered a word */
}

static void a_failing_model_ends_the_turn_and_not_the_conversation(void **state)
{
    struct stage *st = *state;
    struct err error = {.status = STATUS_NETWORK, .code = -5, .text = "server is down"};

    turns_text(st->turns, "Hello.");
    turns_advance(st->turns);
    buf_clear(&st->events);
    turns_on_llm(st->turns, &(struct engine_event){
                                .type = ENGINE_FAILED, .id = st->llm.last_id, .error = &error});
    SAW(&st->events, "error(server is down) done1 ");
    turns_text(st->turns, "Hello?");
    turns_advance(st->turns);
    SAW(&st->events, "heard!(Hello?) reply2 ");
}

static void nothing_is_asked_of_a_model_that_is_not_loaded(void **state)
{
    struct stage *st = *state;

    turns_engines(st->turns, false, &st->stt.engine, NULL, NULL);
    piece(st, false);
    listened(st, LISTEN_TURN, true);
    transcribed(st, "Early.");
    SAW(&st->asked, "stt ");
    turns_engines(st->turns, true, &st->stt.engine, &st->llm.engine, &st->tts.engine);
    turns_advance(st->turns);
    SAW(&st->asked, "llm[Early.] ");
}

static void speech_to_text_may_be_replaced_while_it_is_busy(void **state)
{
    struct stage *st = *state;
    struct script other = {{&ops}, "other", st, 0};

    turns_engines(st->turns, false, &st->stt.engine, NULL, NULL);
    piece(st, false);
    turns_engines(st->turns, false, NULL, NULL, NULL);
    piece(st, false);
    turns_engines(st->turns, true, &other.engine, &st->llm.engine, &st->tts.engine);
    assert_int_equal(turns_waiting(st->turns), 0);
    piece(st, false);
    listened(st, LISTEN_TURN, true);
    SAW(&st->asked, "stt other ");
    turns_on_stt(st->turns, &(struct engine_event){
                                .type = ENGINE_TEXT, .id = other.last_id, .text = "Hello."});
    turns_on_stt(st->turns, &(struct engine_event){.type = ENGINE_DONE, .id = other.last_id});
    SAW(&st->asked, "llm[Hello.] ");
}

static void forgetting_starts_a_new_conversation(void **state)
{
    struct stage *st = *state;

    turns_text(st->turns, "My name is Ann.");
    turns_advance(st->turns);
    wrote(st, "Hello Ann.");
    turns_forget(st->turns);
    buf_clear(&st->asked);
    turns_text(st->turns, "Who am I?");
    turns_advance(st->turns);
    SAW(&st->asked, "llm[Who am I?] ");
}

static void a_session_may_forget_while_it_is_told_something(void **state)
{
    struct stage *st = *state;

    st->forgetful = true;
    listened(st, LISTEN_TURN, true);
    turns_text(st->turns, "Hello.");
    turns_advance(st->turns);
    piece(st, true);
    transcribed(st, "What time is it?");
    wrote(st, "Noon.");
    listened(st, LISTEN_TURN, false);
    SAW(&st->events, "stopped heard!() heard!(Hello.) stopped heard(What time is it?) ");
}

static void a_session_may_cancel_while_it_is_told_something(void **state)
{
    struct stage *st = *state;

    st->impatient = true;
    turns_text(st->turns, "Hello.");
    turns_advance(st->turns);
    wrote(st, "Good day to you! ");
    turns_advance(st->turns);
    SAW(&st->asked, "llm[Hello.] -llm ");
    SAW(&st->events, "heard!(Hello.) reply1 text(Good day to you! ) done1-cancelled ");
    piece(st, true);
    transcribed(st, "What time is it?");
    wrote(st, "It is ");
    wrote(st, "noon.");
    listened(st, LISTEN_TURN, false);
    SAW(&st->events, "stopped heard(What time is it?) reply2 text(It is ) done2-cancelled ");
}

static void a_session_may_cancel_when_the_voice_fails(void **state)
{
    struct stage *st = *state;
    struct err error = {.status = STATUS_FAILED, .code = -5, .text = "hoarse"};

    turns_text(st->turns, "Hello.");
    turns_advance(st->turns);
    wrote(st, "Good day to you! ");
    st->impatient = true;
    turns_on_tts(st->turns, &(struct engine_event){
                                .type = ENGINE_FAILED, .id = st->tts.last_id, .error = &error});
    SAW(&st->events, "heard!(Hello.) reply1 text(Good day to you! ) "
                     "error(hoarse) done1-cancelled ");
}

/* --- other tasks */

static void part(struct stage *st)
{
    static const int16_t pcm[160];

    turns_on_listen(st->turns, &(struct listen_event){
                                   .type = LISTEN_PIECE, .pcm = pcm, .count = 160, .part = true});
}

static void a_transcription_asks_for_no_reply(void **state)
{
    struct stage *st = *state;

    piece(st, false);
    transcribed(st, "What time is it?");
    listened(st, LISTEN_TURN, false);
    SAW(&st->events, "stopped heard-late(What time is it?) ");
    listened(st, LISTEN_TURN, true);
    SAW(&st->events, "stopped heard-late!() ");
    SAW(&st->asked, "stt ");
}

static void a_turn_says_where_it_was(void **state)
{
    static const int16_t pcm[160];
    struct stage *st = *state;
    struct listen_event ev = {
        .type = LISTEN_PIECE, .pcm = pcm, .count = 160, .at = 1000, .until = 1100};

    turns_on_listen(st->turns, &ev);
    transcribed(st, "One.");
    ev.at = 2000;
    ev.until = 2100;
    turns_on_listen(st->turns, &ev);
    transcribed(st, "Two.");
    turns_on_listen(st->turns, &(struct listen_event){.type = LISTEN_TURN, .at = 2090});
    assert_int_equal(st->at, 1000);
    assert_int_equal(st->until, 2090);
}

static void what_is_being_said_is_shown_bit_by_bit(void **state)
{
    struct stage *st = *state;

    part(st);
    transcribed(st, "What");
    part(st);
    transcribed(st, "What time");
    piece(st, true);
    transcribed(st, "What time is it?");
    SAW(&st->events, "part(What) part(What time) part(What time is it?) ");
    listened(st, LISTEN_RESUMED, false);
    part(st);
    transcribed(st, "What time is it there?");
    SAW(&st->events, "part(What time is it there?) ");
}

static void nobody_looks_ahead_while_something_waits(void **state)
{
    struct stage *st = *state;

    piece(st, false);
    part(st);
    SAW(&st->asked, "stt ");
    transcribed(st, "Yes.");
    SAW(&st->events, "");
}

static void a_part_gives_way_to_its_piece(void **state)
{
    struct stage *st = *state;
    uint32_t id;

    part(st);
    id = st->stt.last_id;
    piece(st, false);
    SAW(&st->asked, "stt stt -stt ");
    turns_on_stt(st->turns, &(struct engine_event){.type = ENGINE_TEXT, .id = id, .text = "Wh"});
    turns_on_stt(st->turns, &(struct engine_event){.type = ENGINE_DONE, .id = id});
    listened(st, LISTEN_TURN, false);
    transcribed(st, "What?");
    SAW(&st->events, "stopped heard-late(What?) ");
    assert_int_equal(turns_waiting(st->turns), 0);
}

static void a_turn_of_which_there_was_only_a_part_ends(void **state)
{
    struct stage *st = *state;

    part(st);
    listened(st, LISTEN_TURN, true);
    SAW(&st->events, "stopped heard-late!() ");
    transcribed(st, "What?");
    SAW(&st->events, "");
}

static void no_translation_knows_of_the_one_before(void **state)
{
    struct stage *st = *state;

    turns_text(st->turns, "Hello.");
    turns_advance(st->turns);
    SAW(&st->asked, "llm[in Latin: Hello.] ");
    wrote(st, "Ave.");
    wrote_all(st);
    spoke(st, st->tts.last_id, 100);
    turns_text(st->turns, "Good bye.");
    turns_advance(st->turns);
    SAW(&st->asked, "tts(Ave.) llm[in Latin: Good bye.] ");
    SAW(&st->events, "heard!(Hello.) reply1 text(Ave.) audio100 done1 heard!(Good bye.) reply2 ");
}

static void a_translation_that_is_taken_back_leaves_no_trace(void **state)
{
    struct stage *st = *state;

    piece(st, true);
    transcribed(st, "Hello.");
    listened(st, LISTEN_RESUMED, false);
    piece(st, false);
    transcribed(st, "Hello, you.");
    listened(st, LISTEN_TURN, false);
    SAW(&st->asked, "stt llm[in Latin: Hello.] -llm stt llm[in Latin: Hello, you.] ");
}

static void waiting_speech_is_counted_until_it_is_transcribed(void **state)
{
    struct stage *st = *state;

    piece(st, false);
    assert_int_equal(turns_waiting(st->turns), 160);
    transcribed(st, "word");
    assert_int_equal(turns_waiting(st->turns), 0);
}

#define TEST(f)       cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TRANSCRIBE(f) cmocka_unit_test_setup_teardown(f, setup_transcribe, teardown)
#define TRANSLATE(f)  cmocka_unit_test_setup_teardown(f, setup_translate, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_committed_turn_is_heard_answered_and_spoken),
        TEST(the_next_turn_remembers_the_last),
        TEST(nobody_waits_for_the_quiet_before_the_first_word),
        TEST(a_glance_is_no_part_of_the_conversation),
        TEST(a_glance_and_a_turn_do_not_mix),
        TEST(pieces_of_one_turn_are_joined_in_order),
        TEST(a_draft_is_answered_early_and_told_only_when_confirmed),
        TEST(a_draft_that_is_taken_back_leaves_no_trace),
        TEST(a_draft_decode_that_ends_late_is_not_heard),
        TEST(a_turn_without_words_has_no_reply),
        TEST(cancelling_ends_the_reply_and_drops_what_still_comes),
        TEST(the_memory_keeps_what_was_heard_of_a_cancelled_reply),
        TEST(the_memory_keeps_what_was_heard_of_a_first_clause),
        TEST(a_reply_that_nobody_heard_is_no_part_of_the_conversation),
        TEST(turns_wait_for_one_another),
        TEST(a_failing_model_ends_the_turn_and_not_the_conversation),
        TEST(nothing_is_asked_of_a_model_that_is_not_loaded),
        TEST(speech_to_text_may_be_replaced_while_it_is_busy),
        TEST(forgetting_starts_a_new_conversation),
        TEST(a_session_may_forget_while_it_is_told_something),
        TEST(a_session_may_cancel_while_it_is_told_something),
        TEST(a_session_may_cancel_when_the_voice_fails),
        TEST(waiting_speech_is_counted_until_it_is_transcribed),
        TRANSCRIBE(a_transcription_asks_for_no_reply),
        TRANSCRIBE(a_turn_says_where_it_was),
        TRANSCRIBE(what_is_being_said_is_shown_bit_by_bit),
        TRANSCRIBE(nobody_looks_ahead_while_something_waits),
        TRANSCRIBE(a_part_gives_way_to_its_piece),
        TRANSCRIBE(a_turn_of_which_there_was_only_a_part_ends),
        TRANSLATE(no_translation_knows_of_the_one_before),
        TRANSLATE(a_translation_that_is_taken_back_leaves_no_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
