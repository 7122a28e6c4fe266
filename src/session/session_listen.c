/* Whom the microphone is for: the backend, nobody, or who turns out to speak over a reply. Also
 * what the user does with it: push-to-talk and mute. */
#include "session/session_parts.h"
#include "util/clock.h"

#define CHUNK     1600 /* samples of microphone audio handed on at a time: 100 ms at most */
#define ECHO_MS   200  /* for so long a reply hangs in the room after the loudspeaker */
#define LATEST_MS 1000 /* by no more is a sound heard later than it is told of */
#define ONSET_MS  100  /* within which speech is known as such */
#define SPEECH    0.5  /* a probability of the sound path's */
#define FINISH_MS 40   /* captured so long ago, a sample may still be on its way to us */

void session_listen_again(struct session *s, int64_t at_ns)
{
    s->speaking = false;
    s->quiet_ns = 0;
    if (s->config.push_to_talk && !s->talking)
        mic_rest(&s->mic);
    else
        mic_open(&s->mic, at_ns);
}

void session_listen_when_quiet(struct session *s)
{
    struct duplex_stats stats;

    duplex_stats(s->sound, &stats);
    session_listen_again(s, s->mic.seen_ns + (int64_t)((stats.out_latency_ms + ECHO_MS) * 1e6));
}

void session_listen_after_reply(struct session *s, int64_t ended_ns)
{
    int64_t latest_ns = s->mic.seen_ns + LATEST_MS * (int64_t)1000000;
    int64_t at_ns = (ended_ns < latest_ns ? ended_ns : latest_ns) + ECHO_MS * (int64_t)1000000;

    if (s->mic.way == MIC_KEPT)
        s->quiet_ns = at_ns;
    else
        session_listen_again(s, at_ns);
}

/* When somebody spoke last; and while the microphone is kept: what became of it, once the reply's
 * echo has died. */
static void watch_for_speech(struct session *s)
{
    struct duplex_stats stats;

    duplex_stats(s->sound, &stats);
    if (stats.speech >= SPEECH)
        s->spoken_ns = s->mic.seen_ns;
    if (s->mic.way != MIC_KEPT)
        return;
    if (stats.speech < SPEECH)
        s->voice_ns = 0;
    else if (s->voice_ns == 0)
        s->voice_ns = s->mic.seen_ns - ONSET_MS * (int64_t)1000000;
    if (s->quiet_ns == 0 || s->mic.seen_ns < s->quiet_ns + ONSET_MS * (int64_t)1000000)
        return;
    if (s->voice_ns != 0)
        s->speaking &= mic_hand_over(&s->mic, s->voice_ns);
    else
        session_listen_again(s, s->quiet_ns);
}

void session_hand_over(struct session *s)
{
    if (s->mic.way == MIC_KEPT && s->held)
        s->speaking &= mic_hand_over(&s->mic, s->held_ns);
}

static void mute(struct session *s)
{
    bool quiet = s->config.push_to_talk && !s->talking && s->finish == 0;

    duplex_mute(s->sound, s->muted || quiet);
}

void session_talked(struct session *s)
{
    s->finish = 0;
    s->decided_ns = clock_ns();
    mic_rest(&s->mic);
    mute(s);
    if (s->backend->ops->commit(s->backend) < 0)
        log_error(s->config.log, "out of memory: what you said is lost");
}

void session_listen(struct session *s)
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
            session_talked(s);
    }
}

void session_talk(struct session *s, bool on)
{
    struct duplex_stats stats;

    if (!s->config.push_to_talk || s->sound == NULL || s->talking == on)
        return;
    if (s->finish > 0)
        session_talked(s);
    s->talking = on;
    if (on) {
        session_stop(s);
        s->muted = false;
        session_listen_again(s, 0);
    } else {
        duplex_stats(s->sound, &stats);
        s->finish = (size_t)((stats.in_latency_ms + FINISH_MS) * DUPLEX_HZ / 1000);
        if (s->lost)
            session_talked(s);
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
