#include "dsp/barge.h"

#define MEMORY_FRAMES 6000.0f /* after which a futile hold counts 1/e */
#define FUTILE_MOST   6.0f    /* more than so many do not raise the bar further */

/* What it takes, for one sensitivity. Times in frames. */
struct rule {
    float maybe_speech, maybe_snr_db; /* either makes the fast rule's frame */
    int maybe;                        /* so many of them duck */
    float sure_speech, sure_snr_db;   /* both make the slow rule's frame */
    int sure;                         /* so many of them hold */
    float on_speech;                  /* in HOLD, speech goes on at this probability */
    int on;                           /* from the onset on, so long is no backchannel */
};

static const struct rule rules[] = {
    [BARGE_LOW] = {0.6f, 8, 4, 0.9f, 3, 5, 0.6f, 95},
    [BARGE_MEDIUM] = {0.5f, 6, 3, 0.8f, 1.5f, 1, 0.5f, 78},
    [BARGE_HIGH] = {0.4f, 5, 2, 0.6f, 1, 1, 0.4f, 60},
};

/* What a canceller that has not learnt the room adds. */
#define STRICT_SPEECH 0.1f
#define STRICT_SNR_DB 3
#define STRICT_SURE   8

#define ONSET_FRAMES 6   /* speech began so long before the first frame that showed it */
#define DUCK_QUIET   15  /* frames without a sign of speech that end a duck */
#define HOLD_QUIET   30  /* the same for a hold: between two words there may be as much */
#define HOLD_MOST    300 /* a hold that is neither is over */
#define ALONE_LEAST  10  /* frames of speech with the loudspeaker silent, before STOP */
#define GOES_ON      150 /* who speaks again so soon after a hold goes on speaking, */
#define ALONE_AGAIN  20  /* where it is speech for so long, and no second cough */

void barge_init(struct barge *b, enum barge_level level)
{
    *b = (struct barge){.level = level, .since = GOES_ON};
}

static void play(struct barge *b)
{
    b->state = BARGE_PLAY;
    b->maybe = b->sure = b->quiet = b->alone = 0;
}

/* Counts what this frame looks like. Holds that came to nothing make it harder. */
static void weigh(struct barge *b, const struct rule *r, const struct barge_input *in)
{
    float harder = b->futile < FUTILE_MOST ? b->futile : FUTILE_MOST;
    float speech = r->sure_speech + 0.02f * harder + (in->converged ? 0 : STRICT_SPEECH);
    float snr_db = r->sure_snr_db + 0.5f * harder + (in->converged ? 0 : STRICT_SNR_DB);

    if (speech > 0.97f)
        speech = 0.97f;
    if (in->blind) {
        b->sure = b->maybe = 0;
        return;
    }
    b->sure = in->speech >= speech && in->snr_db >= snr_db ? b->sure + 1 : 0;
    b->maybe = in->speech >= r->maybe_speech || in->snr_db >= r->maybe_snr_db ? b->maybe + 1 : 0;
}

static void before_hold(struct barge *b, const struct rule *r, const struct barge_input *in)
{
    int sure = r->sure + (in->converged ? 0 : STRICT_SURE);

    weigh(b, r, in);
    if (b->state == BARGE_PLAY && (b->maybe >= r->maybe || b->sure >= sure)) {
        int since = (b->maybe > b->sure ? b->maybe : b->sure) + ONSET_FRAMES;
        b->onset = b->frame > (uint64_t)since ? b->frame - (uint64_t)since : 0;
        b->state = BARGE_DUCK;
        b->quiet = 0;
    }
    if (b->state != BARGE_DUCK)
        return;
    b->quiet = b->maybe > 0 ? 0 : b->quiet + 1;
    if (b->sure >= sure) {
        b->state = BARGE_HOLD;
        b->quiet = b->alone = 0;
        if (b->since < GOES_ON)
            b->onset = b->before;
    } else if (b->quiet >= DUCK_QUIET) {
        play(b);
    }
}

/* Once the echo has died, there is nobody but the user. */
static void in_hold(struct barge *b, const struct rule *r, const struct barge_input *in)
{
    bool speech = in->speech >= r->on_speech;
    uint64_t age = b->frame - b->onset;
    int alone = b->since < GOES_ON ? ALONE_AGAIN : ALONE_LEAST;

    b->quiet = speech ? 0 : b->quiet + 1;
    b->alone += speech && !in->echo;
    if (speech && b->alone >= alone && age >= (uint64_t)r->on + ONSET_FRAMES) {
        b->state = BARGE_STOP;
    } else if (b->quiet >= HOLD_QUIET || age >= HOLD_MOST) {
        b->futile++;
        b->before = b->onset;
        b->since = 0;
        play(b);
    }
}

enum barge_state barge_step(struct barge *b, const struct barge_input *in)
{
    const struct rule *r = &rules[b->level];
    enum barge_state state;

    b->frame++;
    if (b->state != BARGE_HOLD && b->since < GOES_ON)
        b->since++;
    b->futile -= b->futile / MEMORY_FRAMES;
    if (!in->playing)
        play(b);
    else if (b->state == BARGE_HOLD)
        in_hold(b, r, in);
    else
        before_hold(b, r, in);
    state = b->state;
    if (state == BARGE_STOP) {
        b->futile = 0; /* decisions work here */
        b->since = GOES_ON;
        play(b);
    }
    return state;
}
