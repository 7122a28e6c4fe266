#include "session/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/session_parts.h"
#include "session/stopword.h"
#include "util/clock.h"
#include "util/text.h"

#define TURN_MS    700 /* a turn shorter than this, with the lead of 300 ms, may be a cough */
#define GLANCE_MAX (2 * 16000) /* samples of something short */

void session_tell(struct session *s, struct session_event ev)
{
    s->config.event(s->config.user, &ev);
}

/* --- events of the backend */

/* Whether the turn that was just heard was spoken into the microphone. */
static bool was_spoken(struct session *s, const struct backend_event *ev)
{
    bool written = ev->committed && s->written > 0;

    s->written -= written;
    return !written;
}

/* Since the session began. The backend begins anew to count whenever it was to forget. */
static double position_ms(const struct session *s, uint64_t at)
{
    return s->mic.began_ns != 0 ? mic_position_ms(&s->mic, at) : (double)at * 1000 / BACKEND_HZ;
}

static void tell_heard(struct session *s, const struct backend_event *ev)
{
    bool known = ev->until > 0;

    session_tell(s, (struct session_event){.type = SESSION_HEARD,
                                           .text = ev->text,
                                           .committed = ev->committed,
                                           .late = ev->late,
                                           .from_ms = known ? position_ms(s, ev->at) : 0,
                                           .to_ms = known ? position_ms(s, ev->until) : 0});
}

static void heard(struct session *s, const struct backend_event *ev)
{
    bool words = ev->text[0] != '\0';

    if (ev->late) {
        tell_heard(s, ev);
        return;
    }
    if (words && s->item != 0)
        session_reply_overtaken(s);
    s->asked_ns = was_spoken(s, ev) && words ? s->speech_end_ns : 0;
    s->speech_end_ns = 0;
    s->heard = words;
    tell_heard(s, ev);
}

/* Where its turn's words are not known yet, it was spoken. */
static void reply_started(struct session *s, const struct backend_event *ev)
{
    if (!s->heard) {
        if (s->item != 0)
            session_reply_overtaken(s);
        s->asked_ns = s->speech_end_ns;
        s->speech_end_ns = 0;
    }
    s->heard = false;
    session_reply_begin(s, ev->item);
    if (s->talking || s->finish > 0) /* to what was said before */
        session_reply_stop(s);
}

static void speech_started(struct session *s, const struct backend_event *ev)
{
    s->speaking = true;
    s->speech_start = ev->at;
    session_tell(s, (struct session_event){.type = SESSION_SPEECH});
}

/* A provider counts the silence that it waited for to the turn. The sound path knows better, unless
 * it has heard nothing of this turn. */
static int64_t last_speech(const struct session *s, uint64_t end)
{
    int64_t start_ns = mic_time(&s->mic, s->speech_start), end_ns = mic_time(&s->mic, end);
    bool heard = s->spoken_ns != 0 && s->spoken_ns > start_ns && s->spoken_ns < end_ns;

    return heard ? s->spoken_ns : end_ns;
}

/* A reply that nobody has heard yet gives way to a user who went on; not to a cough. */
static void speech_stopped(struct session *s, const struct backend_event *ev)
{
    uint64_t samples = ev->at > s->speech_start ? ev->at - s->speech_start : 0;
    bool went_on = s->speaking && samples * 1000 / DUPLEX_HZ >= TURN_MS;

    s->speech_end_ns = last_speech(s, ev->at);
    s->decided_ns = clock_ns();
    s->speaking = false;
    if (s->item == 0 || s->audible || s->cancelled || !s->config.sound.capture ||
        s->backend->caps.continuous)
        return;
    if (went_on)
        session_reply_stop(s);
    else
        session_play_waiting(s);
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
        session_reply_stop(s);
}

static void on_backend(void *user, const struct backend_event *ev)
{
    struct session *s = user;

    switch (ev->type) {
    case BACKEND_READY:
        session_tell(s, (struct session_event){.type = SESSION_READY, .text = ev->text});
        break;
    case BACKEND_NOTICE:
        session_tell(s, (struct session_event){.type = SESSION_NOTICE, .text = ev->text});
        break;
    case BACKEND_SPEECH_STARTED:
        speech_started(s, ev);
        break;
    case BACKEND_SPEECH_STOPPED:
        speech_stopped(s, ev);
        break;
    case BACKEND_HEARD_PART:
        session_tell(s, (struct session_event){.type = SESSION_HEARD_PART, .text = ev->text});
        break;
    case BACKEND_HEARD:
        heard(s, ev);
        break;
    case BACKEND_REPLY_STARTED:
        reply_started(s, ev);
        break;
    case BACKEND_REPLY_TEXT:
        if (ev->item == s->item && !s->cancelled)
            session_tell(s, (struct session_event){.type = SESSION_REPLY_TEXT, .text = ev->text});
        break;
    case BACKEND_REPLY_AUDIO:
        session_reply_audio(s, ev);
        break;
    case BACKEND_REPLY_DONE:
        session_reply_generated(s, ev);
        break;
    case BACKEND_GLANCED:
        on_glanced(s, ev->text);
        break;
    case BACKEND_USAGE:
        session_tell(s, (struct session_event){.type = SESSION_USAGE, .usage = ev->usage});
        break;
    case BACKEND_LINK:
        session_tell(s, (struct session_event){.type = SESSION_LINK,
                                               .connected = ev->connected,
                                               .text = ev->text,
                                               .error = ev->error});
        break;
    case BACKEND_ERROR:
        session_tell(s, (struct session_event){
                            .type = SESSION_ERROR, .error = ev->error, .fatal = ev->fatal});
        break;
    }
}

/* --- the sound path */

static void on_started(struct session *s, const struct duplex_event *ev)
{
    if (s->asked_ns != 0)
        s->done.gap_ms = (double)(ev->at_ns - s->asked_ns) / 1e6;
    s->sounded_ns = ev->at_ns;
    session_tell(s, (struct session_event){.type = SESSION_REPLY_SOUND, .gap_ms = s->done.gap_ms});
}

static void on_barged(struct session *s, const struct duplex_event *ev)
{
    if (s->cancelled)
        return;
    s->held = true;
    s->held_ns = ev->at_ns;
    session_reply_stop(s);
}

static void notice(struct session *s, const char *text)
{
    session_tell(s, (struct session_event){.type = SESSION_NOTICE, .text = text});
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

static void on_lost(struct session *s)
{
    struct err error;

    s->lost = true;
    if (s->config.sound.capture) {
        s->speaking = false; /* nobody hears it end */
        if (s->finish > 0)
            session_talked(s);
        if (s->cancelled)
            s->played = true;
        session_play_waiting(s);
        notice(s, "the sound device went away: connect it again, or choose another one in the "
                  "system's settings, and the conversation goes on");
        session_reply_maybe_done(s);
        return;
    }
    err_set(&error, STATUS_AUDIO, -ENODEV,
            "the sound device went away: connect it again, or name another one with "
            "--output-device (`hullo devices` lists them)");
    session_tell(s, (struct session_event){.type = SESSION_ERROR, .error = &error, .fatal = true});
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
        session_reply_ended(s, ev);
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

static void on_wake(uv_async_t *handle)
{
    struct session *s = handle->data;

    if (s->closing || s->sound == NULL)
        return;
    session_listen(s);
    poll_sound(s);
    if (s->closing)
        return;
    if (!s->speaking) /* whatever it was that ended it */
        session_play_waiting(s);
    if (s->cancelled)
        session_reply_maybe_done(s);
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
    if (s->config.half_duplex || s->config.push_to_talk || s->backend->caps.continuous)
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
    s->speech_end_ns = s->asked_ns = s->spoken_ns = 0;
    s->written = 0;
    s->heard = false;
    if (s->config.sound.capture)
        session_listen_again(s, 0);
}

int session_adjust(struct session *s, const struct backend_settings *settings, struct err *e)
{
    if (s->backend->ops->adjust == NULL)
        return err_set(e, STATUS_USAGE, -ENOTSUP,
                       "the settings of the local model stand until hullo is started anew");
    return s->backend->ops->adjust(s->backend, settings, e);
}

bool session_replying(const struct session *s)
{
    return s->item != 0;
}

void session_stop(struct session *s)
{
    if (s->item != 0 && !s->cancelled)
        session_reply_stop(s);
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
