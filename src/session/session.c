#include "session/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK   1600 /* samples of microphone audio handed on at a time: 100 ms at most */
#define ECHO_MS 200  /* for so long a reply hangs in the room after the loudspeaker */

struct session {
    struct session_config config;
    struct backend *backend;
    struct duplex *sound;
    uv_async_t wake;
    bool closing;

    /* the microphone: when sample `mic_at` (counted as the backend counts) was captured */
    uint64_t mic_at;
    int64_t mic_ns;
    bool mic_resting;    /* half duplex: what is captured now is not for the backend */
    int64_t mic_from_ns; /* ... nor what was captured before this */

    /* the turn */
    int64_t speech_end_ns; /* last speech at the microphone; 0: not known */
    uint32_t item;         /* of the reply in hand; 0: none */
    int rate_hz;           /* of its speech */
    bool generated;        /* the backend is done with it */
    bool audible;          /* some of it was handed to the sound path */
    bool played;           /* the sound path is done with it */
    bool cancelled;
    struct session_event done; /* what REPLY_DONE will say */
};

static void tell(struct session *s, struct session_event ev)
{
    s->config.event(s->config.user, &ev);
}

/* --- the reply */

static void reply_begin(struct session *s, uint32_t item)
{
    s->item = item;
    s->rate_hz = 0;
    s->generated = s->audible = s->played = s->cancelled = false;
    s->done = (struct session_event){.type = SESSION_REPLY_DONE, .gap_ms = -1};
}

/* The user's turn again. What the backend heard before is forgotten, so that it does not take up in
 * the middle. */
static void mic_listen(struct session *s)
{
    if (!s->mic_resting)
        return;
    s->mic_resting = false;
    s->mic_at = 0;
    s->backend->ops->clear(s->backend);
}

static void reply_done(struct session *s)
{
    struct session_event done = s->done;

    done.cancelled = s->cancelled;
    s->item = 0;
    s->speech_end_ns = 0;
    mic_listen(s);
    tell(s, done);
}

static void reply_maybe_done(struct session *s)
{
    if (s->item != 0 && s->generated && (!s->audible || s->played))
        reply_done(s);
}

/* Milliseconds of the reply that reached the listener: what the callback consumed, less what is
 * still on its way. */
static double heard_ms(const struct session *s)
{
    struct duplex_stats stats;
    double ms;

    if (s->rate_hz == 0)
        return 0;
    duplex_stats(s->sound, &stats);
    ms = (double)duplex_played(s->sound, s->item) * 1000 / s->rate_hz - stats.out_latency_ms;
    return ms > 0 ? ms : 0;
}

/* Now, and for the memory of the conversation. */
static void silence(struct session *s)
{
    s->cancelled = true;
    if (!s->config.sound.playback)
        return;
    duplex_flush(s->sound);
    if (s->backend->caps.can_truncate)
        s->backend->ops->truncate(s->backend, s->item, heard_ms(s));
}

static void reply_audio(struct session *s, const struct backend_event *ev)
{
    if (ev->item != s->item || s->cancelled)
        return;
    s->rate_hz = ev->rate_hz;
    if (s->config.sound.playback && ev->count > 0) {
        s->audible = true;
        if (duplex_play(s->sound, ev->item, ev->rate_hz, ev->samples, ev->count) < 0)
            log_warn(s->config.log, "out of memory: a piece of the reply is not played");
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
    s->done.timing = ev->timing;
    if (s->audible && !s->cancelled && duplex_end(s->sound, s->item) < 0)
        s->played = true; /* out of memory: nobody would tell us of its end */
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
    s->mic_resting = false; /* it goes on resting */
    reply_done(s);
}

static void heard(struct session *s, const struct backend_event *ev)
{
    bool words = ev->text[0] != '\0';
    int64_t speech_end_ns = words && !ev->committed ? s->speech_end_ns : 0;

    if (words && s->item != 0)
        reply_overtaken(s);
    s->speech_end_ns = speech_end_ns;
    if (words) /* half duplex: until the reply was heard */
        s->mic_resting = s->config.sound.capture;
    tell(s, (struct session_event){
                .type = SESSION_HEARD, .text = ev->text, .committed = ev->committed});
}

/* When the backend's sample `at` was captured; 0: not by a microphone. */
static int64_t mic_time(const struct session *s, uint64_t at)
{
    if (s->mic_ns == 0)
        return 0;
    return s->mic_ns + ((int64_t)at - (int64_t)s->mic_at) * 1000000000 / DUPLEX_HZ;
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
        tell(s, (struct session_event){.type = SESSION_SPEECH});
        break;
    case BACKEND_SPEECH_STOPPED:
        s->speech_end_ns = mic_time(s, ev->at);
        break;
    case BACKEND_HEARD:
        heard(s, ev);
        break;
    case BACKEND_REPLY_STARTED:
        reply_begin(s, ev->item);
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
    case BACKEND_ERROR:
        tell(s,
             (struct session_event){.type = SESSION_ERROR, .error = ev->error, .fatal = ev->fatal});
        break;
    }
}

/* --- the sound path */

static void on_sound_started(struct session *s, const struct duplex_event *ev)
{
    if (ev->item != s->item)
        return;
    if (s->speech_end_ns != 0)
        s->done.gap_ms = (double)(ev->at_ns - s->speech_end_ns) / 1e6;
    tell(s, (struct session_event){.type = SESSION_REPLY_SOUND, .gap_ms = s->done.gap_ms});
}

static void on_sound_lost(struct session *s)
{
    struct err error;

    err_set(&error, STATUS_AUDIO, -ENODEV,
            "the sound device went away: connect it again, or name another one with --input-device "
            "and --output-device (`hullo devices` lists them)");
    tell(s, (struct session_event){.type = SESSION_ERROR, .error = &error, .fatal = true});
}

static void poll_sound(struct session *s)
{
    struct duplex_event ev;

    while (!s->closing && duplex_poll(s->sound, &ev)) {
        if (ev.type == DUPLEX_STARTED) {
            on_sound_started(s, &ev);
        } else if (ev.type == DUPLEX_LOST) {
            on_sound_lost(s);
        } else if (ev.item == s->item) {
            s->played = true;
            s->mic_from_ns = ev.at_ns + ECHO_MS * (int64_t)1000000;
            reply_maybe_done(s);
        }
    }
}

static void read_microphone(struct session *s)
{
    int16_t x[CHUNK];
    int64_t at_ns;
    size_t n;

    while ((n = duplex_read(s->sound, x, CHUNK, &at_ns)) > 0) {
        if (s->mic_resting || at_ns < s->mic_from_ns)
            continue;
        s->mic_ns = at_ns + (int64_t)n * 1000000000 / DUPLEX_HZ;
        s->mic_at += n;
        if (s->backend->ops->append(s->backend, x, n) < 0)
            log_warn(s->config.log, "out of memory: %zu samples of the microphone are lost", n);
    }
}

static void on_wake(uv_async_t *handle)
{
    struct session *s = handle->data;

    if (s->closing || s->sound == NULL)
        return;
    read_microphone(s);
    poll_sound(s);
}

static void wake(void *user)
{
    uv_async_send(&((struct session *)user)->wake);
}

/* --- the interface */

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
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
    s->config.sound.wake = wake;
    s->config.sound.user = s;
    rc = config->backend->open(&s->backend, &s->config.backend_config, e);
    if (rc == 0 && (config->sound.capture || config->sound.playback))
        rc = duplex_open(&s->sound, &s->config.sound, config->log, e);
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
    session_stop(s);
    return s->backend->ops->send_text(s->backend, text);
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
    s->speech_end_ns = 0;
    s->mic_resting = false;
    s->mic_at = 0;
}

bool session_replying(const struct session *s)
{
    return s->item != 0;
}

void session_stop(struct session *s)
{
    if (s->item == 0 || s->cancelled)
        return;
    silence(s);
    s->backend->ops->cancel(s->backend);
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
