#include "session/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/mic.h"
#include "session/stopword.h"
#include "util/buf.h"
#include "util/text.h"

#define CHUNK       1600 /* samples of microphone audio handed on at a time: 100 ms at most */
#define ECHO_MS     200  /* for so long a reply hangs in the room after the loudspeaker */
#define LATEST_MS   1000 /* by no more is a sound heard later than it is told of */
#define ONSET_MS    100  /* within which speech is known as such */
#define SPEECH      0.5  /* a probability of the sound path's */
#define TURN_MS     700  /* a turn shorter than this, with the lead of 300 ms, may be a cough */
#define WAITING_MAX (128u << 20) /* bytes of speech that are kept while the user speaks */
#define GLANCE_MAX  (2 * 16000)  /* samples of something short */
#define FINISH_MS   40           /* captured so long ago, a sample may still be on its way to us */

struct session {
    struct session_config config;
    struct backend *backend;
    struct duplex *sound;
    uv_async_t wake;
    bool closing;

    /* the microphone */
    struct mic mic;
    bool half; /* it rests while a reply is being heard */
    bool half_said, full_said;
    int64_t quiet_ns; /* the reply has ended, and so has its echo from here on; 0: it has not */
    int64_t voice_ns; /* while the microphone is kept: there is speech since; 0: there is none */
    bool lost;        /* the device */
    bool muted;       /* by the user */
    bool talking;     /* push-to-talk */
    size_t finish;    /* samples to come until what the user has talked is a turn; 0: none */

    /* the user's turn */
    bool speaking;         /* ... is open at the backend */
    uint64_t speech_start; /* in the backend's samples */
    int64_t speech_end_ns; /* last speech at the microphone, not yet heard as words; 0: not known */
    int64_t asked_ns;      /* the same, of the turn that the reply answers */
    unsigned written;      /* turns in writing that the backend has yet to take */

    /* the reply */
    uint32_t item;  /* 0: none */
    int rate_hz;    /* of its speech */
    bool generated; /* the backend is done with it */
    bool audible;   /* some of it was handed to the sound path */
    bool played;    /* the sound path is done with it */
    bool cancelled;
    bool held;                 /* the user seems to speak */
    int64_t held_ns;           /* ... since */
    uint32_t glanced;          /* the reply over which something short was said */
    struct buf waiting;        /* its speech, while the user speaks */
    struct session_event done; /* what REPLY_DONE will say */
};

static void tell(struct session *s, struct session_event ev)
{
    s->config.event(s->config.user, &ev);
}

/* --- the microphone */

/* The user's turn again, from at_ns on. What the backend heard before is forgotten, so that it does
 * not take up in the middle. */
static void listen_again(struct session *s, int64_t at_ns)
{
    s->speaking = false;
    s->quiet_ns = 0;
    if (s->config.push_to_talk && !s->talking)
        mic_rest(&s->mic);
    else
        mic_open(&s->mic, at_ns);
}

/* ... once the reply that was just silenced has died away in the room. */
static void listen_when_quiet(struct session *s)
{
    struct duplex_stats stats;

    duplex_stats(s->sound, &stats);
    listen_again(s, s->mic.seen_ns + (int64_t)((stats.out_latency_ms + ECHO_MS) * 1e6));
}

/* The reply has ended by itself. Who answers at once may have begun while it hung in the room,
 * which shows a moment later. */
static void listen_after_reply(struct session *s, int64_t ended_ns)
{
    int64_t latest_ns = s->mic.seen_ns + LATEST_MS * (int64_t)1000000;
    int64_t at_ns = (ended_ns < latest_ns ? ended_ns : latest_ns) + ECHO_MS * (int64_t)1000000;

    if (s->mic.way == MIC_KEPT)
        s->quiet_ns = at_ns;
    else
        listen_again(s, at_ns);
}

static void watch_for_speech(struct session *s)
{
    struct duplex_stats stats;

    if (s->mic.way != MIC_KEPT)
        return;
    duplex_stats(s->sound, &stats);
    if (stats.speech < SPEECH)
        s->voice_ns = 0;
    else if (s->voice_ns == 0)
        s->voice_ns = s->mic.seen_ns - ONSET_MS * (int64_t)1000000;
    if (s->quiet_ns == 0 || s->mic.seen_ns < s->quiet_ns + ONSET_MS * (int64_t)1000000)
        return;
    if (s->voice_ns != 0)
        s->speaking &= mic_hand_over(&s->mic, s->voice_ns);
    else
        listen_again(s, s->quiet_ns);
}

/* Where the user speaks over the reply: their turn, from their first word on. */
static void hand_over(struct session *s)
{
    if (s->mic.way == MIC_KEPT && s->held)
        s->speaking &= mic_hand_over(&s->mic, s->held_ns);
}

/* --- the reply */

static void reply_begin(struct session *s, uint32_t item)
{
    s->item = item;
    s->rate_hz = 0;
    s->generated = s->audible = s->played = s->cancelled = s->held = false;
    s->done = (struct session_event){
        .type = SESSION_REPLY_DONE, .gap_ms = -1, .heard_ms = s->config.sound.playback ? 0 : -1};
}

static void reply_done(struct session *s)
{
    struct session_event done = s->done;

    done.cancelled = s->cancelled;
    if (s->cancelled && s->backend->caps.can_truncate)
        done.text = s->backend->ops->remembered(s->backend, s->item);
    s->item = 0;
    s->held = false;
    buf_clear(&s->waiting);
    if (s->mic.way != MIC_OPEN && s->quiet_ns == 0)
        listen_when_quiet(s);
    tell(s, done);
}

static void reply_maybe_done(struct session *s)
{
    if (s->item != 0 && s->generated && s->waiting.len == 0 && (!s->audible || s->played))
        reply_done(s);
}

/* Milliseconds of the reply that reach the listener. What the callback consumed does, though a part
 * of it may be on its way still. */
static double heard_ms(const struct session *s, uint64_t samples)
{
    return s->rate_hz > 0 ? (double)samples * 1000 / s->rate_hz : 0;
}

/* Now, and for the memory of the conversation. */
static void silence(struct session *s)
{
    s->cancelled = true;
    buf_clear(&s->waiting);
    if (!s->config.sound.playback)
        return;
    duplex_flush(s->sound);
    s->done.heard_ms = heard_ms(s, duplex_played(s->sound, s->item));
    if (s->backend->caps.can_truncate)
        s->backend->ops->truncate(s->backend, s->item, s->done.heard_ms);
    if (s->lost) /* nothing will tell that it ended */
        s->played = true;
    hand_over(s);
}

static void stop(struct session *s)
{
    silence(s);
    if (!s->generated)
        s->backend->ops->cancel(s->backend);
    else if (!s->audible || s->played) /* on the loop: no event comes from inside a call */
        uv_async_send(&s->wake);
}

/* Something is heard of the reply from now on. */
static void reply_audible(struct session *s)
{
    s->audible = true;
    s->quiet_ns = s->voice_ns = 0;
    if (s->config.sound.capture && s->mic.way == MIC_OPEN) {
        if (s->half || s->config.half_duplex)
            mic_rest(&s->mic);
        else
            mic_keep(&s->mic);
    }
}

static void play(struct session *s, const int16_t *x, size_t n)
{
    if (!s->audible)
        reply_audible(s);
    if (duplex_play(s->sound, s->item, s->rate_hz, x, n) < 0)
        log_warn(s->config.log, "out of memory: a piece of the reply is not played");
}

/* All of it was made, and what waited has been played. */
static void play_end(struct session *s)
{
    if (s->generated && s->audible && !s->cancelled && duplex_end(s->sound, s->item) < 0)
        s->played = true; /* out of memory: nobody would tell us of its end */
}

static void wait_to_play(struct session *s, const struct backend_event *ev)
{
    if (s->waiting.len < WAITING_MAX)
        buf_add(&s->waiting, ev->samples, ev->count * sizeof *ev->samples);
    if (buf_failed(&s->waiting) || s->waiting.len >= WAITING_MAX)
        log_warn(s->config.log, "out of memory: a piece of the reply is not played");
}

/* The user has not gone on to speak: what waited is for them to hear. */
static void play_waiting(struct session *s)
{
    if (s->waiting.len == 0)
        return;
    play(s, (const int16_t *)(const void *)s->waiting.data, s->waiting.len / sizeof(int16_t));
    buf_clear(&s->waiting);
    play_end(s);
}

static void reply_audio(struct session *s, const struct backend_event *ev)
{
    if (ev->item != s->item || s->cancelled)
        return;
    s->rate_hz = ev->rate_hz;
    if (s->config.sound.playback && ev->count > 0) {
        if (!s->audible && (s->speaking || s->waiting.len > 0))
            wait_to_play(s, ev);
        else
            play(s, ev->samples, ev->count);
    }
    tell(s, (struct session_event){.type = SESSION_REPLY_AUDIO,
                                   .samples = ev->samples,
                                   .count = ev->count,
                                   .rate_hz = ev->rate_hz});
}

static void reply_generated(struct session *s, const struct backend_event *ev)
{
    if (ev->item != s->item)
        return;
    s->generated = true;
    s->done.complete = !ev->cancelled;
    s->done.timing = ev->timing;
    if (s->waiting.len == 0)
        play_end(s);
    reply_maybe_done(s);
}

/* --- events of the backend */

/* The backend is done with a reply that is still being heard, and goes on to a turn that waited: a
 * line that was written meanwhile, which stops the reply as any turn does; or the next turn of a
 * recording, whose replies are heard one after the other. */
static void reply_overtaken(struct session *s)
{
    if (s->config.sound.capture && !s->cancelled)
        silence(s);
    reply_done(s);
}

/* Whether the turn that was just heard was spoken into the microphone. */
static bool was_spoken(struct session *s, const struct backend_event *ev)
{
    bool written = ev->committed && s->written > 0;

    s->written -= written;
    return !written;
}

static void heard(struct session *s, const struct backend_event *ev)
{
    bool words = ev->text[0] != '\0';

    if (words && s->item != 0)
        reply_overtaken(s);
    s->asked_ns = was_spoken(s, ev) && words ? s->speech_end_ns : 0;
    s->speech_end_ns = 0;
    tell(s, (struct session_event){
                .type = SESSION_HEARD, .text = ev->text, .committed = ev->committed});
}

static void speech_started(struct session *s, const struct backend_event *ev)
{
    s->speaking = true;
    s->speech_start = ev->at;
    tell(s, (struct session_event){.type = SESSION_SPEECH});
}

/* A reply that nobody has heard yet gives way to a user who went on; not to a cough. */
static void speech_stopped(struct session *s, const struct backend_event *ev)
{
    uint64_t samples = ev->at > s->speech_start ? ev->at - s->speech_start : 0;
    bool went_on = s->speaking && samples * 1000 / DUPLEX_HZ >= TURN_MS;

    s->speech_end_ns = mic_time(&s->mic, ev->at);
    s->speaking = false;
    if (s->item == 0 || s->audible || s->cancelled || !s->config.sound.capture)
        return;
    if (went_on)
        stop(s);
    else
        play_waiting(s);
}

/* It was short. "Mhm" is nothing, but "stop" is as short: where the backend can tell, it is asked,
 * while the reply goes on. */
static void glance(struct session *s)
{
    int16_t x[GLANCE_MAX];
    size_t n;

    if (s->backend->ops->glance == NULL || s->cancelled)
        return;
    n = mic_kept(&s->mic, s->held_ns, x, GLANCE_MAX);
    if (n > 0 && s->backend->ops->glance(s->backend, x, n) == 0)
        s->glanced = s->item;
}

static void on_glanced(struct session *s, const char *text)
{
    log_debug(s->config.log, "over the reply, somebody said: '%s'", text);
    if (s->item != 0 && s->glanced == s->item && !s->cancelled && stopword(text))
        stop(s);
}

static void on_backend(void *user, const struct backend_event *ev)
{
    struct session *s = user;

    switch (ev->type) {
    case BACKEND_READY:
        tell(s, (struct session_event){.type = SESSION_READY, .text = ev->text});
        break;
    case BACKEND_NOTICE:
        tell(s, (struct session_event){.type = SESSION_NOTICE, .text = ev->text});
        break;
    case BACKEND_SPEECH_STARTED:
        speech_started(s, ev);
        break;
    case BACKEND_SPEECH_STOPPED:
        speech_stopped(s, ev);
        break;
    case BACKEND_HEARD:
        heard(s, ev);
        break;
    case BACKEND_REPLY_STARTED:
        reply_begin(s, ev->item);
        if (s->talking || s->finish > 0) /* to what was said before */
            stop(s);
        break;
    case BACKEND_REPLY_TEXT:
        if (ev->item == s->item && !s->cancelled)
            tell(s, (struct session_event){.type = SESSION_REPLY_TEXT, .text = ev->text});
        break;
    case BACKEND_REPLY_AUDIO:
        reply_audio(s, ev);
        break;
    case BACKEND_REPLY_DONE:
        reply_generated(s, ev);
        break;
    case BACKEND_GLANCED:
        on_glanced(s, ev->text);
        break;
    case BACKEND_ERROR:
        tell(s,
             (struct session_event){.type = SESSION_ERROR, .error = ev->error, .fatal = ev->fatal});
        break;
    }
}

/* --- the sound path */

static void on_started(struct session *s, const struct duplex_event *ev)
{
    if (s->asked_ns != 0)
        s->done.gap_ms = (double)(ev->at_ns - s->asked_ns) / 1e6;
    tell(s, (struct session_event){.type = SESSION_REPLY_SOUND, .gap_ms = s->done.gap_ms});
}

static void on_barged(struct session *s, const struct duplex_event *ev)
{
    if (s->cancelled)
        return;
    s->held = true;
    s->held_ns = ev->at_ns;
    stop(s);
}

/* The reply's last sample was heard, or it was silenced. */
static void on_ended(struct session *s, const struct duplex_event *ev)
{
    s->played = true;
    if (ev->flushed && !s->cancelled) /* the sound path alone knows why */
        stop(s);
    s->done.heard_ms = heard_ms(s, ev->played);
    hand_over(s);
    if (s->mic.way != MIC_OPEN)
        listen_after_reply(s, ev->at_ns);
    reply_maybe_done(s);
}

static void notice(struct session *s, const char *text)
{
    tell(s, (struct session_event){.type = SESSION_NOTICE, .text = text});
}

static void on_half(struct session *s, bool on)
{
    bool *said = on ? &s->half_said : &s->full_said;

    s->half = on;
    if (on && s->mic.way == MIC_KEPT && s->quiet_ns == 0)
        mic_rest(&s->mic);
    if (*said || s->config.half_duplex || s->config.push_to_talk)
        return;
    *said = true;
    notice(s, on ? "too much of what is played comes back to the microphone, so that it rests "
                   "meanwhile: your voice cannot stop an answer. Headphones help, and so does "
                   "less volume"
                 : "your voice can stop an answer again");
}

static void talked(struct session *s);

static void on_lost(struct session *s)
{
    struct err error;

    s->lost = true;
    if (s->config.sound.capture) {
        s->speaking = false; /* nobody hears it end */
        if (s->finish > 0)
            talked(s);
        if (s->cancelled)
            s->played = true;
        play_waiting(s);
        notice(s, "the sound device went away: connect it again, or choose another one in the "
                  "system's settings, and the conversation goes on");
        reply_maybe_done(s);
        return;
    }
    err_set(&error, STATUS_AUDIO, -ENODEV,
            "the sound device went away: connect it again, or name another one with "
            "--output-device (`hullo devices` lists them)");
    tell(s, (struct session_event){.type = SESSION_ERROR, .error = &error, .fatal = true});
}

static void on_back(struct session *s, const struct duplex_event *ev)
{
    char text[192];

    s->lost = false;
    snprintf(text, sizeof text, "there is sound again: '%s'", ev->name != NULL ? ev->name : "?");
    text_line(text);
    notice(s, text);
}

/* Events of a reply that is over concern nobody. */
static void on_reply_event(struct session *s, const struct duplex_event *ev)
{
    if (s->item == 0 || ev->item != s->item || s->played)
        return;
    switch (ev->type) {
    case DUPLEX_STARTED:
        on_started(s, ev);
        break;
    case DUPLEX_HELD:
        s->held = true;
        s->held_ns = ev->at_ns;
        break;
    case DUPLEX_RESUMED:
        s->held = false;
        glance(s);
        break;
    case DUPLEX_BARGED:
        on_barged(s, ev);
        break;
    case DUPLEX_ENDED:
        on_ended(s, ev);
        break;
    case DUPLEX_HALF:
    case DUPLEX_LOST:
    case DUPLEX_BACK:
        break;
    }
}

static void poll_sound(struct session *s)
{
    struct duplex_event ev;

    while (!s->closing && duplex_poll(s->sound, &ev)) {
        if (ev.type == DUPLEX_HALF)
            on_half(s, ev.on);
        else if (ev.type == DUPLEX_LOST)
            on_lost(s);
        else if (ev.type == DUPLEX_BACK)
            on_back(s, &ev);
        else
            on_reply_event(s, &ev);
    }
}

static void read_microphone(struct session *s)
{
    int16_t x[CHUNK];
    int64_t at_ns;
    size_t n;

    while ((n = duplex_read(s->sound, x, CHUNK, &at_ns)) > 0) {
        mic_push(&s->mic, x, n, at_ns);
        watch_for_speech(s);
        if (s->finish > n)
            s->finish -= n;
        else if (s->finish > 0)
            talked(s);
    }
}

static void on_wake(uv_async_t *handle)
{
    struct session *s = handle->data;

    if (s->closing || s->sound == NULL)
        return;
    read_microphone(s);
    poll_sound(s);
    if (s->closing)
        return;
    if (!s->speaking) /* whatever it was that ended it */
        play_waiting(s);
    if (s->cancelled)
        reply_maybe_done(s);
}

static void wake(void *user)
{
    uv_async_send(&((struct session *)user)->wake);
}

/* --- the interface */

static void on_closed(uv_handle_t *handle)
{
    struct session *s = handle->data;

    mic_free(&s->mic);
    buf_free(&s->waiting);
    free(s);
}

static int open_sound(struct session *s, struct err *e)
{
    struct duplex_config *sound = &s->config.sound;
    int rc;

    sound->wake = wake;
    sound->user = s;
    rc = duplex_open(&s->sound, sound, s->config.log, e);
    if (rc < 0 || !sound->capture)
        return rc;
    rc = mic_init(&s->mic, s->config.log);
    if (rc < 0)
        return err_set(e, STATUS_FAILED, rc, "out of memory");
    s->mic.backend = s->backend;
    if (s->config.half_duplex || s->config.push_to_talk)
        duplex_barge(s->sound, false);
    if (s->config.push_to_talk) {
        mic_rest(&s->mic);
        duplex_mute(s->sound, true);
    }
    return 0;
}

int session_open(struct session **out, const struct session_config *config, struct err *e)
{
    struct session *s = calloc(1, sizeof *s);
    int rc;

    *out = NULL;
    if (s == NULL || uv_async_init(config->loop, &s->wake, on_wake) < 0) {
        free(s);
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    }
    s->wake.data = s;
    s->config = *config;
    s->config.backend_config.loop = config->loop;
    s->config.backend_config.log = config->log;
    s->config.backend_config.event = on_backend;
    s->config.backend_config.user = s;
    rc = config->backend->open(&s->backend, &s->config.backend_config, e);
    if (rc == 0 && (config->sound.capture || config->sound.playback))
        rc = open_sound(s, e);
    if (rc < 0) {
        session_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

int64_t session_append(struct session *s, const int16_t *x, size_t n)
{
    return s->backend->ops->append(s->backend, x, n);
}

int session_commit(struct session *s)
{
    return s->backend->ops->commit(s->backend);
}

int session_text(struct session *s, const char *text)
{
    int rc;

    session_stop(s);
    rc = s->backend->ops->send_text(s->backend, text);
    s->written += rc == 0;
    return rc;
}

void session_detect_turns(struct session *s, bool on)
{
    if (s->backend->ops->detect_turns != NULL)
        s->backend->ops->detect_turns(s->backend, on);
}

void session_forget(struct session *s)
{
    session_stop(s);
    s->backend->ops->forget(s->backend);
    s->item = 0;
    s->speech_end_ns = s->asked_ns = 0;
    s->written = 0;
    if (s->config.sound.capture)
        listen_again(s, 0);
}

bool session_replying(const struct session *s)
{
    return s->item != 0;
}

void session_stop(struct session *s)
{
    if (s->item != 0 && !s->cancelled)
        stop(s);
}

/* --- what the user does with the microphone */

static void mute(struct session *s)
{
    bool quiet = s->config.push_to_talk && !s->talking && s->finish == 0;

    duplex_mute(s->sound, s->muted || quiet);
}

/* What was said has come in: it is a turn. */
static void talked(struct session *s)
{
    s->finish = 0;
    mic_rest(&s->mic);
    mute(s);
    if (s->backend->ops->commit(s->backend) < 0)
        log_error(s->config.log, "out of memory: what you said is lost");
}

void session_talk(struct session *s, bool on)
{
    struct duplex_stats stats;

    if (!s->config.push_to_talk || s->sound == NULL || s->talking == on)
        return;
    if (s->finish > 0)
        talked(s);
    s->talking = on;
    if (on) {
        session_stop(s);
        s->muted = false;
        listen_again(s, 0);
    } else {
        duplex_stats(s->sound, &stats);
        s->finish = (size_t)((stats.in_latency_ms + FINISH_MS) * DUPLEX_HZ / 1000);
        if (s->lost)
            talked(s);
    }
    mute(s);
}

bool session_talking(const struct session *s)
{
    return s->talking;
}

void session_mute(struct session *s, bool on)
{
    s->muted = on;
    if (s->sound != NULL)
        mute(s);
}

bool session_muted(const struct session *s)
{
    return s->muted;
}

void session_hang_up(struct session *s)
{
    if (s == NULL)
        return;
    s->closing = true;
    duplex_close(s->sound);
    s->sound = NULL;
}

void session_close(struct session *s)
{
    if (s == NULL)
        return;
    session_hang_up(s);
    if (s->backend != NULL)
        s->backend->ops->close(s->backend);
    s->backend = NULL;
    uv_close((uv_handle_t *)&s->wake, on_closed);
}
