/* The user's audio on its way to the wire: one cursor that walks over the spool, wherever it is
 * set. */
#include <errno.h>
#include <stdlib.h>

#include "dsp/resample.h"
#include "realtime/remote_parts.h"
#include "util/clock.h"

#define WAITING_MAX                                                              \
    ((size_t)256 << 10) /* bytes inside the connection: audio waits here instead \
                         */
#define HZ_MAX    48000
#define LOOK_BACK REMOTE_MS(5000) /* a server may not have told yet that the user speaks */
#define LEAD      REMOTE_MS(300)  /* given before a turn, which begins softly */
#define LOUD      32.0            /* -60 dB: below it there is nothing */
#define WINDOW    REMOTE_MS(20)

enum { OUT_MAX = REMOTE_PIECE * (HZ_MAX / BACKEND_HZ) + 256 };

void remote_audio_end(struct conn *c)
{
    resample_free(c->in);
    c->in = NULL;
}

/* The audio goes on at another place of the spool. */
static void note_stretch(struct conn *c, uint64_t pos)
{
    if (c->stretch_count == REMOTE_STRETCHES) {
        for (size_t i = 1; i < REMOTE_STRETCHES; i++)
            c->stretches[i - 1] = c->stretches[i];
        c->stretch_count--;
    }
    c->stretches[c->stretch_count++] = (struct stretch){c->fed, pos};
    remote_audio_end(c);
}

uint64_t remote_audio_position(const struct conn *c, double ms)
{
    uint64_t at = ms > 0 ? (uint64_t)(ms * BACKEND_HZ / 1000) : 0;

    if (at > c->fed)
        at = c->fed;
    for (size_t i = c->stretch_count; i-- > 0;)
        if (c->stretches[i].fed <= at)
            return c->stretches[i].pos + (at - c->stretches[i].fed);
    return c->stretch_count > 0 ? c->stretches[0].pos : c->next_pos;
}

static int begin(struct conn *c)
{
    const struct wire_caps *caps = c->ops->caps(c->wire);

    return c->in != NULL ? 0 : resample_new(&c->in, BACKEND_HZ, caps->input_hz);
}

/* At most REMOTE_PIECE samples, as audio of the connection. */
static int put(struct conn *c, const int16_t *x, size_t n)
{
    int16_t y[OUT_MAX];
    size_t used, made;
    int rc = begin(c);

    while (rc == 0 && n > 0) {
        used = n;
        made = OUT_MAX;
        resample_run(c->in, x, &used, y, &made);
        if (made > 0)
            rc = c->ops->audio(c->wire, y, made);
        if (used == 0 && made == 0)
            break;
        x += used;
        n -= used;
        c->fed += used;
    }
    return rc;
}

/* What the resampler still holds belongs to the turn that ends here. */
static int flush(struct conn *c)
{
    static const int16_t zeros[256];
    size_t tail = c->in != NULL ? resample_tail(c->in) : 0;
    uint64_t fed = c->fed;
    int rc = 0;

    while (rc == 0 && tail > 0) {
        size_t n = tail < 256 ? tail : 256;
        rc = put(c, zeros, n);
        tail -= n;
    }
    c->fed = fed;
    remote_audio_end(c);
    return rc;
}

int remote_audio_silence(struct remote *r, unsigned ms)
{
    static const int16_t zeros[REMOTE_PIECE];
    struct conn *c = &r->conn;
    uint64_t left = REMOTE_MS(ms);
    int rc = 0;

    note_stretch(c, c->next_pos);
    while (rc == 0 && left > 0) {
        size_t n = left < REMOTE_PIECE ? (size_t)left : REMOTE_PIECE;
        rc = put(c, zeros, n);
        left -= n;
    }
    note_stretch(c, c->next_pos);
    return rc;
}

/* --- the cursor */

/* The turn at whose end the server has to be told that it ends there. */
static struct user_turn *next_end(const struct remote *r)
{
    for (struct user_turn *t = r->turns; t != NULL; t = t->next)
        if (t->ours && !t->given && t->state == USER_WAITS && t->end > t->start)
            return t;
    return NULL;
}

/* Between turns that are detected here nothing is sent, and nothing waits. */
uint64_t remote_audio_waiting(const struct remote *r)
{
    uint64_t end = spool_end(r->spool);
    bool idle = remote_mode(r) == BY_EAR && r->ear != NULL && next_end(r) == NULL &&
                remote_turn_open(r) == NULL;

    return end > r->sent && !idle ? end - r->sent : 0;
}

/* Where the cursor goes next, and how far. */
static uint64_t limit(struct remote *r, const struct user_turn *end)
{
    const struct user_turn *open = end == NULL ? remote_turn_open(r) : NULL;
    const struct user_turn *t = end != NULL ? end : open;

    if (end == NULL && (remote_mode(r) != BY_EAR || r->ear == NULL))
        return spool_end(r->spool);
    if (t == NULL) /* nobody speaks */
        return r->sent;
    if (r->sent < t->start)
        r->sent = t->start;
    return end != NULL ? end->end : spool_end(r->spool);
}

static int end_turn(struct remote *r, struct user_turn *t)
{
    struct conn *c = &r->conn;
    int rc = flush(c);

    if (rc == 0 && c->active && c->ops->activity != NULL)
        rc = c->ops->activity(c->wire, false);
    c->active = false;
    if (rc == 0 && c->ops->caps(c->wire)->commits)
        rc = c->ops->commit(c->wire);
    if (rc < 0)
        return rc;
    t->given = c->used = true;
    t->ended_ns = r->input_ns = clock_ns();
    return 0;
}

static int send_piece(struct remote *r, uint64_t to)
{
    struct conn *c = &r->conn;
    int16_t x[REMOTE_PIECE];
    size_t n = to - r->sent < REMOTE_PIECE ? (size_t)(to - r->sent) : REMOTE_PIECE;
    int rc = 0;

    n = spool_read(r->spool, r->sent, x, n);
    if (n == 0) { /* too long ago: it is not there any more */
        r->sent = spool_begin(r->spool) > r->sent ? spool_begin(r->spool) : to;
        return 0;
    }
    if (c->stretch_count == 0 || c->next_pos != r->sent)
        note_stretch(c, r->sent);
    if (!c->active && c->ops->activity != NULL && remote_mode(r) != BY_SERVER) {
        rc = c->ops->activity(c->wire, true);
        c->active = true;
    }
    if (rc == 0)
        rc = put(c, x, n);
    r->sent += n;
    c->next_pos = r->sent;
    return rc;
}

void remote_audio_send(struct remote *r)
{
    struct conn *c = &r->conn;
    int rc = 0;

    while (rc == 0 && remote_up(r) && !c->finished) {
        struct user_turn *end = next_end(r);
        uint64_t to = limit(r, end);
        c->held = link_waiting(r->link) > WAITING_MAX;
        if (c->held)
            return;
        if (r->sent < to)
            rc = send_piece(r, to);
        else if (end != NULL)
            rc = end_turn(r, end);
        else
            return;
        if (rc == 0 && end != NULL && end->given)
            remote_reply_ask(r); /* before what was said since */
    }
    if (rc < 0)
        remote_conn_fail(r, rc, "what the microphone hears cannot be sent");
}

/* --- turns as a whole */

static int convert(struct remote *r, const struct user_turn *t, int16_t *y, size_t *made,
                   size_t room)
{
    const struct wire_caps *caps = r->conn.ops->caps(r->conn.wire);
    int16_t x[REMOTE_PIECE];
    struct resample *in;
    uint64_t at = t->start;
    size_t n = 1, tail, used, got;
    int rc = resample_new(&in, BACKEND_HZ, caps->input_hz);

    *made = 0;
    if (rc < 0)
        return rc;
    tail = resample_tail(in);
    while (n > 0) {
        n = t->end - at < REMOTE_PIECE ? (size_t)(t->end - at) : REMOTE_PIECE;
        n = n > 0 ? spool_read(r->spool, at, x, n) : 0;
        at += n;
        for (size_t i = 0; n == 0 && i < tail && i < REMOTE_PIECE; i++)
            x[i] = 0;
        used = n > 0 ? n : tail;
        got = room - *made;
        resample_run(in, x, &used, y + *made, &got);
        *made += got;
    }
    resample_free(in);
    return at == t->end ? 0 : -ENOENT;
}

int remote_audio_turn(struct remote *r, const struct user_turn *t)
{
    struct conn *c = &r->conn;
    uint64_t n = t->end - t->start;
    size_t room = (size_t)(n * HZ_MAX / BACKEND_HZ) + OUT_MAX, made;
    int16_t *y;
    int rc;

    if (t->start < spool_begin(r->spool) || t->end > spool_end(r->spool))
        return -ENOENT;
    y = malloc(room * sizeof *y);
    if (y == NULL)
        return -ENOMEM;
    rc = convert(r, t, y, &made, room);
    if (rc == 0)
        rc = c->ops->user_audio(c->wire, y, made);
    free(y);
    return rc;
}

bool remote_audio_loud(const struct remote *r, uint64_t from, uint64_t to)
{
    int16_t x[WINDOW];

    while (from < to) {
        size_t n = spool_read(r->spool, from, x, to - from < WINDOW ? (size_t)(to - from) : WINDOW);
        double sum = 0;
        if (n == 0)
            return false;
        for (size_t i = 0; i < n; i++)
            sum += (double)x[i] * x[i];
        if (sum > LOUD * LOUD * (double)n)
            return true;
        from += n;
    }
    return false;
}

static uint64_t before(uint64_t pos, uint64_t by)
{
    return pos > by ? pos - by : 0;
}

void remote_audio_trim(struct remote *r)
{
    uint64_t keep;

    if (remote_mode(r) == BY_CALLER) {
        keep = r->floor;
    } else {
        keep = before(r->ear != NULL ? spool_end(r->spool) : r->sent, LOOK_BACK);
        if (keep < r->floor)
            keep = r->floor;
    }
    if (keep > r->sent && r->ear == NULL)
        keep = r->sent;
    for (const struct user_turn *t = r->turns; t != NULL; t = t->next)
        if (t->state != USER_SETTLED && t->end >= t->start && before(t->start, LEAD) < keep &&
            !t->written && !t->stream)
            keep = before(t->start, LEAD);
    spool_drop(r->spool, keep);
}
