#include "local/listen.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "dsp/vad.h"
#include "local/engine.h"
#include "util/clock.h"
#include "util/mailbox.h"
#include "util/os.h"

#define MS(x)         ((uint64_t)(x)*VAD_HZ / 1000)
#define DRAFT_SILENCE MS(130)  /* silence after which the draft goes out */
#define LONG_SILENCE  MS(1500) /* ends a piece, though not a turn */
#define PAD           MS(100)  /* of silence kept behind the last speech */
#define HANGOVER      MS(250)  /* the detector says so much longer, at most, that there is speech */
#define LEVEL         MS(5)    /* over which a level is taken */
#define ABOVE         8.0      /* in power, that speech is over the silence that follows it */
#define HEARD         5000.0   /* the power of what can be heard at all: -53 dB */
#define CUT_WANTED    MS(20000) /* a piece this long is cut in the next pause */
#define CUT_FORCED    MS((ENGINE_MAX_SECONDS - 2) * 1000) /* ... and this long in any case */
#define SOON_ENOUGH   MS(5000)  /* where pieces are turns, one of this length ends in a pause */
#define SOON_PAUSE    MS(600)   /* ... like this */
#define SOON_WANTED   MS(12000) /* as CUT_WANTED, there */
#define SOON_FORCED   MS(20000) /* as CUT_FORCED */
#define CUT_WITHIN    MS(4000)  /* so far back is the quietest place looked for */
#define CUT_WINDOW    MS(50)    /* ... which is as long as this */
#define PART          MS(800)   /* speech between one part and the next */
#define KEEPS_UP      MS(500)   /* who has no more than this waiting */

enum order_type { ORDER_AUDIO, ORDER_COMMIT, ORDER_DETECT, ORDER_CLEAR };

struct order { /* main loop to thread */
    struct letter letter;
    enum order_type type;
    bool on;
    int64_t at_ns;
    unsigned epoch;
    size_t count;
    int16_t pcm[];
};

struct report { /* thread to main loop */
    struct letter letter;
    struct listen_event ev;
    unsigned epoch;
    int16_t pcm[];
};

struct listen {
    struct listen_config config;
    struct vad_weights *weights;
    struct mailbox *orders, *reports;
    uv_async_t wake;
    pthread_t thread;
    atomic_size_t waiting;
    unsigned epoch; /* counts listen_clear: what the thread said before it is not wanted any more */
    atomic_bool closing; /* the thread drops what is queued, the loop what comes back */

    /* the thread's own */
    struct report *spare; /* for the end of a turn when there is no memory */
    struct vad *vad;
    struct turn turn;
    unsigned thread_epoch;
    bool detect;
    int16_t *audio; /* what may still be wanted: audio[0] is sample `base` */
    size_t count, cap;
    uint64_t base;
    size_t looked;     /* of audio[], what the VAD has seen */
    uint64_t piece;    /* first sample that no final piece holds yet */
    bool unsent;       /* there is speech from `piece` on */
    uint64_t voice;    /* ... which begins here */
    uint64_t parted;   /* end of the last part */
    bool drafted;      /* a draft is out */
    bool spoke;        /* the turn in hand has speech: a piece or more */
    uint64_t last_end; /* end of the last speech in the turn in hand */
};

static void wake(void *user)
{
    uv_async_send(&((struct listen *)user)->wake);
}

/* --- the thread */

/* Out of memory here loses a piece; the caller sees a turn without words, never a crash. It sees
 * the turn: whoever has committed one waits for it. */
static void tell(struct listen *l, struct listen_event ev, const int16_t *pcm)
{
    struct report *r = malloc(sizeof *r + ev.count * sizeof *pcm);

    if (r == NULL && ev.type == LISTEN_TURN) {
        r = l->spare;
        l->spare = NULL;
    } else if (l->spare == NULL) {
        l->spare = malloc(sizeof *l->spare);
    }
    if (r == NULL)
        return;
    r->ev = ev;
    r->epoch = l->thread_epoch;
    if (ev.count > 0)
        memcpy(r->pcm, pcm, ev.count * sizeof *pcm);
    mailbox_put(l->reports, &r->letter);
}

/* Sends audio from `piece` to `to` (absolute), as far as it is there. */
static bool send_audio(struct listen *l, uint64_t to, struct listen_event ev)
{
    uint64_t have = l->base + l->count, from = l->piece < l->base ? l->base : l->piece;

    if (to > have)
        to = have;
    if (to <= from)
        return false;
    ev.type = LISTEN_PIECE;
    ev.at = l->voice > from && l->voice < to ? l->voice : from;
    ev.until = l->last_end > ev.at && l->last_end < to ? l->last_end : to;
    ev.count = (size_t)(to - from);
    tell(l, ev, l->audio + (from - l->base));
    return true;
}

static void send_piece(struct listen *l, uint64_t to, bool draft)
{
    if (!send_audio(l, to, (struct listen_event){.draft = draft}))
        return;
    l->spoke = true;
    if (draft)
        return;
    l->piece = to;
    l->unsent = false;
}

/* Pieces are turns. */
static bool cuts(const struct listen *l)
{
    return l->config.cut == LISTEN_CUT_ALWAYS ||
           (l->config.cut == LISTEN_CUT_UNDETECTED && !l->detect);
}

/* A piece that is complete, though the user has not come to an end. */
static void send_on(struct listen *l, uint64_t to)
{
    uint64_t end = l->last_end < to ? l->last_end : to;

    send_piece(l, to, false);
    if (!cuts(l) || !l->spoke)
        return;
    tell(l, (struct listen_event){.type = LISTEN_TURN, .at = end, .decided_ns = clock_ns()}, NULL);
    l->spoke = false;
}

static double power(const int16_t *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return n > 0 ? sum / (double)n : 0;
}

/* The detector's last frame of speech ends late. Within it, speech ends where the level was last
 * well above that of the silence that followed. */
static uint64_t speech_end(const struct listen *l)
{
    uint64_t end = l->last_end, floor = end > HANGOVER ? end - HANGOVER : 0;
    double silence;

    if (floor < l->base)
        floor = l->base;
    if (end < floor || end > l->base + l->looked)
        return end;
    silence = power(l->audio + (end - l->base), l->looked - (size_t)(end - l->base));
    while (end >= floor + LEVEL &&
           power(l->audio + (end - l->base) - LEVEL, LEVEL) < ABOVE * silence + HEARD)
        end -= LEVEL;
    return end >= floor + LEVEL ? end : l->last_end;
}

static void end_turn(struct listen *l, bool committed, int64_t at_ns)
{
    struct listen_event ev = {.type = LISTEN_TURN,
                              .at = l->spoke ? speech_end(l) : 0,
                              .committed = committed,
                              .decided_ns = at_ns};

    tell(l, ev, NULL);
    l->spoke = l->drafted = l->unsent = false;
    l->piece = l->turn.now;
}

static void draft(struct listen *l)
{
    if (!l->drafted)
        send_piece(l, l->turn.end + PAD, true);
    l->drafted = true;
}

static void on_turn_event(struct listen *l, enum turn_event what)
{
    switch (what) {
    case TURN_NONE:
    case TURN_PAUSED:
        break;
    case TURN_STARTED:
        if (!l->unsent && l->piece < l->turn.start)
            l->piece = l->turn.start;
        if (!l->unsent)
            l->voice = l->turn.onset;
        l->unsent = true;
        tell(l, (struct listen_event){.type = LISTEN_STARTED, .at = l->turn.start}, NULL);
        break;
    case TURN_RESUMED:
        if (l->drafted)
            tell(l, (struct listen_event){.type = LISTEN_RESUMED}, NULL);
        l->drafted = false;
        if (!l->unsent)
            l->voice = l->turn.now - VAD_FRAME;
        l->unsent = true;
        break;
    case TURN_ENDED:
        if (l->detect) {
            draft(l);
            if (l->spoke || !cuts(l)) /* else the turn was its last piece */
                end_turn(l, false, clock_ns());
        }
        break;
    }
}

/* Where in the last seconds it is quietest: least of a word is lost there. */
static uint64_t quietest(const struct listen *l)
{
    uint64_t now = l->base + l->looked, best = now;
    double least = -1;

    for (uint64_t at = now - CUT_WITHIN; at + CUT_WINDOW <= now; at += MS(10)) {
        double p = power(l->audio + (at - l->base), CUT_WINDOW);
        if (least < 0 || p < least) {
            least = p;
            best = at + CUT_WINDOW / 2;
        }
    }
    return best;
}

/* In the middle of speech that has no pauses. */
static void cut_speech(struct listen *l)
{
    uint64_t at = quietest(l);

    send_on(l, at);
    l->voice = at;
    l->unsent = true;
}

/* Pieces are cut where nobody speaks: in a long silence, in any pause once they are long, and in
 * the end where it is quietest. What is said in one breath stays in one piece: it is recognised
 * better. */
static void cut(struct listen *l)
{
    uint64_t length = l->turn.now - l->piece;
    uint64_t silence = l->turn.now - l->turn.end;
    uint64_t enough = cuts(l) && length - silence > SOON_ENOUGH ? SOON_PAUSE : LONG_SILENCE;

    if (l->turn.speaking)
        l->last_end = l->turn.end;
    if (!l->unsent || l->drafted)
        return;
    if (silence >= enough ||
        (silence >= DRAFT_SILENCE && length > (cuts(l) ? SOON_WANTED : CUT_WANTED)))
        send_on(l, l->last_end + PAD);
    else if (length > (cuts(l) ? SOON_FORCED : CUT_FORCED))
        cut_speech(l);
    else if (l->turn.paused && silence >= DRAFT_SILENCE && l->detect)
        draft(l);
}

/* The longer what is being said, the longer it takes to look at, and the less is new. */
static void look_ahead(struct listen *l)
{
    uint64_t now = l->turn.now, since = l->parted > l->voice ? l->parted : l->voice;

    if (!l->config.parts || !l->unsent || l->drafted || !l->turn.speaking || l->turn.paused)
        return;
    if (now < since + PART || (now - since) * 8 < now - l->voice)
        return;
    if (atomic_load(&l->waiting) > KEEPS_UP)
        return;
    l->parted = now;
    (void)send_audio(l, now, (struct listen_event){.part = true});
}

static void look(struct listen *l, const int16_t *frame)
{
    on_turn_event(l, turn_step(&l->turn, vad_run(l->vad, frame), VAD_FRAME));
    cut(l);
    look_ahead(l);
}

/* Forgets audio that nothing will ask for again. */
static void trim(struct listen *l)
{
    uint64_t seen = l->base + l->looked, keep;

    if (l->turn.speaking || l->unsent) {
        keep = l->piece;
    } else {
        uint64_t back = MS(l->turn.config.prefix_ms + l->turn.config.start_ms) + VAD_FRAME;
        keep = seen > back ? seen - back : 0;
        if (keep < l->piece)
            keep = l->piece < seen ? l->piece : seen;
    }
    if (keep <= l->base || keep - l->base < VAD_HZ / 4)
        return;
    size_t drop = (size_t)(keep - l->base);
    memmove(l->audio, l->audio + drop, (l->count - drop) * sizeof *l->audio);
    l->count -= drop;
    l->looked -= drop;
    l->base += drop;
}

static int store(struct listen *l, const int16_t *x, size_t n)
{
    if (l->count + n > l->cap) {
        size_t cap = (l->count + n) * 2;
        int16_t *bigger = realloc(l->audio, cap * sizeof *bigger);
        if (bigger == NULL)
            return -ENOMEM;
        l->audio = bigger;
        l->cap = cap;
    }
    memcpy(l->audio + l->count, x, n * sizeof *x);
    l->count += n;
    return 0;
}

static void hear(struct listen *l, const int16_t *x, size_t n)
{
    while (n > 0) {
        size_t part = n < VAD_HZ ? n : VAD_HZ;
        if (store(l, x, part) < 0)
            return;
        while (l->count - l->looked >= VAD_FRAME) {
            size_t at = l->looked;
            l->looked += VAD_FRAME;
            look(l, l->audio + at);
        }
        trim(l);
        x += part;
        n -= part;
    }
}

static void start_again(struct listen *l, uint64_t at)
{
    struct turn_config config = l->turn.config;

    vad_reset(l->vad);
    turn_init(&l->turn, &config);
    l->turn.now = at;
    l->base = l->piece = l->voice = l->parted = at;
    l->last_end = 0;
    l->count = l->looked = 0;
    l->drafted = l->spoke = l->unsent = false;
}

/* The user's turn ends here, whatever the detector thinks. */
static void commit(struct listen *l, int64_t at_ns)
{
    uint64_t at = l->base + l->count;

    /* Speech may run up to the very end, into a frame that is not full. */
    if (l->unsent && !l->drafted)
        send_piece(l, l->turn.speaking && !l->turn.paused ? at : l->last_end + PAD, false);
    end_turn(l, true, at_ns);
    start_again(l, at);
}

static void obey(struct listen *l, const struct order *o)
{
    switch (o->type) {
    case ORDER_AUDIO:
        hear(l, o->pcm, o->count);
        atomic_fetch_sub(&l->waiting, o->count);
        break;
    case ORDER_COMMIT:
        commit(l, o->at_ns);
        break;
    case ORDER_DETECT:
        l->detect = o->on;
        break;
    case ORDER_CLEAR:
        l->thread_epoch = o->epoch;
        start_again(l, 0);
        break;
    }
}

static void *run(void *arg)
{
    struct listen *l = arg;
    struct letter *letter;

    os_thread_role("hullo-listen", OS_ROLE_ENGINE);
    while ((letter = mailbox_wait(l->orders)) != NULL) {
        if (!atomic_load(&l->closing))
            obey(l, (struct order *)letter);
        free(letter);
    }
    return NULL;
}

/* --- the main loop */

static void on_wake(uv_async_t *handle)
{
    struct listen *l = handle->data;
    struct letter *letter;

    while (!atomic_load(&l->closing) && (letter = mailbox_take(l->reports)) != NULL) {
        struct report *r = (struct report *)letter;
        r->ev.pcm = r->pcm;
        if (r->epoch == l->epoch)
            l->config.event(l->config.user, &r->ev);
        free(r);
    }
}

static void drain(struct mailbox *m)
{
    struct letter *letter;

    while (m != NULL && (letter = mailbox_take(m)) != NULL)
        free(letter);
    mailbox_free(m);
}

static void release(struct listen *l)
{
    drain(l->orders);
    drain(l->reports);
    free(l->spare);
    vad_free(l->vad);
    vad_weights_free(l->weights);
    free(l->audio);
    free(l);
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

int listen_open(struct listen **out, const struct listen_config *config, struct err *e)
{
    struct listen *l = calloc(1, sizeof *l);
    int rc;

    *out = NULL;
    if (l == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    l->config = *config;
    l->detect = config->detect;
    turn_init(&l->turn, &config->turn);
    rc = vad_weights_load(&l->weights, config->weights, e);
    if (rc < 0)
        goto fail;
    l->spare = malloc(sizeof *l->spare);
    rc = l->spare != NULL ? 0 : -ENOMEM;
    if (rc == 0)
        rc = vad_new(&l->vad, l->weights);
    if (rc == 0)
        rc = mailbox_new(&l->orders, NULL, NULL);
    if (rc == 0)
        rc = mailbox_new(&l->reports, wake, l);
    if (rc == 0)
        rc = uv_async_init(config->loop, &l->wake, on_wake);
    if (rc < 0) {
        err_set(e, STATUS_FAILED, rc, "out of memory");
        goto fail;
    }
    l->wake.data = l;
    rc = -pthread_create(&l->thread, NULL, run, l);
    if (rc < 0) {
        err_set(e, STATUS_FAILED, rc, "cannot start a thread: %s", strerror(-rc));
        uv_close((uv_handle_t *)&l->wake, on_closed);
        return rc;
    }
    *out = l;
    return 0;
fail:
    release(l);
    return rc;
}

static int order(struct listen *l, enum order_type type, bool on, const int16_t *x, size_t n)
{
    struct order *o = malloc(sizeof *o + n * sizeof *x);

    if (o == NULL)
        return -ENOMEM;
    *o = (struct order){.type = type, .on = on, .at_ns = clock_ns(), .epoch = l->epoch, .count = n};
    if (n > 0)
        memcpy(o->pcm, x, n * sizeof *x);
    atomic_fetch_add(&l->waiting, n);
    mailbox_put(l->orders, &o->letter);
    return 0;
}

int listen_append(struct listen *l, const int16_t *x, size_t n)
{
    if (n == 0)
        return 0;
    if (n > LISTEN_WAITING_MAX || listen_waiting(l) > LISTEN_WAITING_MAX - n)
        return -EAGAIN;
    return order(l, ORDER_AUDIO, false, x, n);
}

int listen_commit(struct listen *l)
{
    return order(l, ORDER_COMMIT, false, NULL, 0);
}

int listen_detect(struct listen *l, bool on)
{
    return order(l, ORDER_DETECT, on, NULL, 0);
}

int listen_clear(struct listen *l)
{
    l->epoch++;
    return order(l, ORDER_CLEAR, false, NULL, 0);
}

size_t listen_waiting(const struct listen *l)
{
    return atomic_load(&l->waiting);
}

void listen_close(struct listen *l)
{
    if (l == NULL)
        return;
    atomic_store(&l->closing, true);
    mailbox_close(l->orders);
    pthread_join(l->thread, NULL);
    uv_close((uv_handle_t *)&l->wake, on_closed);
}
