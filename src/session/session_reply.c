/* The reply, from the backend to the loudspeaker: what is played, what waits, and when it is over.
 */
#include "session/session_parts.h"
#include "util/clock.h"

#define WAITING_MAX (128u << 20) /* bytes of speech that are kept while the user speaks */

void session_reply_begin(struct session *s, uint32_t item)
{
    s->item = item;
    s->rate_hz = 0;
    s->generated = s->audible = s->played = s->cancelled = s->held = false;
    s->arrived_ns = s->sounded_ns = 0;
    s->done = (struct session_event){
        .type = SESSION_REPLY_DONE, .gap_ms = -1, .heard_ms = s->config.sound.playback ? 0 : -1};
}

static void reply_done(struct session *s)
{
    struct session_event done = s->done;

    done.cancelled = s->cancelled;
    done.latency = latency_parts(s->asked_ns, s->decided_ns, s->arrived_ns, s->sounded_ns,
                                 done.timing.network_ms);
    if (s->cancelled && s->backend->caps.can_truncate)
        done.text = s->backend->ops->remembered(s->backend, s->item);
    s->item = 0;
    s->held = false;
    buf_clear(&s->waiting);
    if (s->mic.way != MIC_OPEN && s->quiet_ns == 0)
        session_listen_when_quiet(s);
    session_tell(s, done);
}

void session_reply_maybe_done(struct session *s)
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
    session_hand_over(s);
}

void session_reply_stop(struct session *s)
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
        if (s->config.half_duplex || (s->half && !s->backend->caps.continuous))
            mic_rest(&s->mic);
        else if (!s->backend->caps.continuous)
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

void session_play_waiting(struct session *s)
{
    if (s->waiting.len == 0)
        return;
    play(s, (const int16_t *)(const void *)s->waiting.data, s->waiting.len / sizeof(int16_t));
    buf_clear(&s->waiting);
    play_end(s);
}

void session_reply_audio(struct session *s, const struct backend_event *ev)
{
    if (ev->item != s->item || s->cancelled)
        return;
    s->rate_hz = ev->rate_hz;
    if (s->arrived_ns == 0)
        s->arrived_ns = clock_ns();
    if (s->config.sound.playback && ev->count > 0) {
        if (!s->audible && (s->speaking || s->waiting.len > 0) && !s->backend->caps.continuous)
            wait_to_play(s, ev);
        else
            play(s, ev->samples, ev->count);
    }
    session_tell(s, (struct session_event){.type = SESSION_REPLY_AUDIO,
                                           .samples = ev->samples,
                                           .count = ev->count,
                                           .rate_hz = ev->rate_hz});
}

void session_reply_generated(struct session *s, const struct backend_event *ev)
{
    if (ev->item != s->item)
        return;
    s->generated = true;
    s->done.complete = !ev->cancelled;
    s->done.timing = ev->timing;
    if (ev->cancelled && !s->cancelled) /* the backend itself has heard that the user speaks */
        silence(s);
    if (s->waiting.len == 0)
        play_end(s);
    session_reply_maybe_done(s);
}

void session_reply_overtaken(struct session *s)
{
    if (s->config.sound.capture && !s->cancelled && !s->backend->caps.continuous)
        silence(s);
    reply_done(s);
}

void session_reply_ended(struct session *s, const struct duplex_event *ev)
{
    s->played = true;
    if (ev->flushed && !s->cancelled) /* the sound path alone knows why */
        session_reply_stop(s);
    s->done.heard_ms = heard_ms(s, ev->played);
    session_hand_over(s);
    if (s->mic.way != MIC_OPEN)
        session_listen_after_reply(s, ev->at_ns);
    session_reply_maybe_done(s);
}
