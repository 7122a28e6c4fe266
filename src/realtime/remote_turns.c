/* The user's turns: when they begin and end, what their words are, and which still wait for a
 * reply. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "realtime/remote_parts.h"
#include "util/clock.h"
#include "util/text.h"

#define SHORTEST    REMOTE_MS(100)       /* a provider takes no shorter turn */
#define LATE_WORDS  REMOTE_MS(2000)      /* by so much a server's words come behind the speech */
#define TOLD_MAX    256                  /* turns at once that a server may tell of */
#define WORDS_MAX   (1u << 20)           /* bytes of a turn */
#define WORDS_LATE  (int64_t)15000000000 /* so long after the reply, words do not come any more */
#define WORDS_NEVER (int64_t)60000000000 /* ... and without a reply */
#define PAUSE_NS    (int64_t)1200000000  /* ends a sentence of a continuous session */
#define STILL_NS    (int64_t)500000000   /* so long after its last sample the microphone rests */
#define HUSH_MS     1000                 /* of silence end a turn */
#define SPEAKS_MAX  (int64_t)10000000000 /* a turn that was given again began long ago */

enum remote_mode remote_mode(const struct remote *r)
{
    if (!r->detect)
        return BY_CALLER;
    return r->ear != NULL ? BY_EAR : BY_SERVER;
}

static uint64_t count_of(const struct remote *r, uint64_t pos)
{
    return pos > r->zero ? pos - r->zero : 0;
}

/* --- the list */

static struct user_turn *turn_add(struct remote *r, uint64_t start, uint64_t end)
{
    struct user_turn *t = calloc(1, sizeof *t);

    if (t == NULL) {
        log_error(r->config.log, "out of memory: a turn of yours is lost");
        return NULL;
    }
    t->id = ++r->next_turn;
    t->start = start;
    t->end = end;
    t->touched_ns = clock_ns();
    *r->last_turn = t;
    r->last_turn = &t->next;
    return t;
}

static void turn_remove(struct remote *r, struct user_turn *t)
{
    struct user_turn **at = &r->turns;

    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    if (r->last_turn == &t->next)
        r->last_turn = at;
    if (t->item[0] != '\0') {
        struct past_turn *past = &r->past[r->past_count++ % REMOTE_PAST];
        past->id = t->id;
        memcpy(past->item, t->item, sizeof past->item);
    }
    buf_free(&t->words);
    free(t);
}

static void prune(struct remote *r)
{
    struct user_turn *t, *next;

    for (t = r->turns; t != NULL; t = next) {
        next = t->next;
        if (t->told && t->state == USER_SETTLED && !t->start_due && !t->stop_due)
            turn_remove(r, t);
    }
}

struct user_turn *remote_turn_open(const struct remote *r)
{
    struct user_turn *open = NULL;

    for (struct user_turn *t = r->turns; t != NULL; t = t->next)
        if (t->state == USER_SPEAKS)
            open = t;
    return open;
}

struct user_turn *remote_turn(const struct remote *r, uint32_t id)
{
    struct user_turn *t = r->turns;

    while (t != NULL && t->id != id)
        t = t->next;
    return t;
}

/* A written one that is not with the server yet is not for a reply that the server begins. */
uint32_t remote_turn_last(const struct remote *r)
{
    uint32_t last = 0;

    for (const struct user_turn *t = r->turns; t != NULL; t = t->next)
        if (t->state == USER_WAITS && t->given)
            last = t->id;
    return last;
}

static struct user_turn *find(const struct remote *r, const char *item)
{
    for (struct user_turn *t = r->turns; t != NULL; t = t->next)
        if (strcmp(t->item, item) == 0)
            return t;
    return NULL;
}

/* The turn of that name, that is over. 0: there was none. */
static uint32_t find_past(const struct remote *r, const char *item)
{
    for (size_t i = 0; i < REMOTE_PAST; i++)
        if (r->past[i].id != 0 && strcmp(r->past[i].item, item) == 0)
            return r->past[i].id;
    return 0;
}

static void name_turn(struct user_turn *t, const char *item)
{
    snprintf(t->item, sizeof t->item, "%s", item);
}

/* Not a turn but the end of all that is said to a session without turns. */
static bool ends_all(const struct user_turn *t)
{
    return t->committed && !t->known && !t->written && t->start == t->end;
}

/* --- beginning and end */

void remote_turn_begins(struct remote *r, uint64_t at)
{
    struct user_turn *t = turn_add(r, at < r->floor ? r->floor : at, 0);

    if (t == NULL)
        return;
    t->end = t->start;
    t->start_due = true;
}

static void turn_complete(struct remote *r, struct user_turn *t, uint64_t at)
{
    t->end = at > t->start ? at : t->start;
    t->state = USER_WAITS;
    t->ended_ns = t->touched_ns = clock_ns();
    if (t->end > r->floor)
        r->floor = t->end;
    if (journal_add(r->journal, JOURNAL_USER, t->id, t->known ? buf_str(&t->words) : NULL) < 0)
        log_warn(r->config.log, "out of memory: a turn of yours may be forgotten");
}

static bool converses(const struct remote *r)
{
    return r->config.task == BACKEND_CONVERSE && !r->base.caps.continuous;
}

/* To be ended by us, and answered because we ask for it. */
static void end_by_us(struct remote *r, struct user_turn *t)
{
    t->ours = true;
    t->ask = converses(r);
}

void remote_turn_ends(struct remote *r, uint64_t at)
{
    struct user_turn *t = remote_turn_open(r);

    if (t == NULL)
        return;
    turn_complete(r, t, at);
    t->stop_due = true;
    end_by_us(r, t);
}

/* Where speech began of which only its words have told. */
static uint64_t unnoticed(const struct remote *r)
{
    return r->sent > LATE_WORDS ? r->sent - LATE_WORDS : 0;
}

/* A turn that only the server knows of. One that invents them would fill the memory. */
static struct user_turn *turn_told(struct remote *r, uint64_t at)
{
    size_t n = 0;

    for (const struct user_turn *t = r->turns; t != NULL; t = t->next)
        n++;
    if (n < TOLD_MAX)
        remote_turn_begins(r, at);
    return remote_turn_open(r);
}

void remote_speech_started(struct conn *c, const struct wire_event *ev)
{
    struct remote *r = c->remote;
    struct user_turn *t = remote_turn_open(r);

    if (remote_mode(r) != BY_SERVER)
        return;
    if (t == NULL)
        t = turn_told(r, ev->ms < 0 ? unnoticed(r) : remote_audio_position(c, ev->ms));
    if (t == NULL)
        return;
    t->again = false;
    name_turn(t, ev->item);
    remote_turns_tell(r);
}

void remote_speech_stopped(struct conn *c, const struct wire_event *ev)
{
    struct remote *r = c->remote;
    struct user_turn *t = remote_turn_open(r);

    if (remote_mode(r) != BY_SERVER || t == NULL)
        return;
    c->used = true;
    if (ev->item[0] != '\0')
        name_turn(t, ev->item);
    turn_complete(r, t, ev->ms < 0 ? r->sent : remote_audio_position(c, ev->ms));
    t->given = t->stop_due = true;
    r->input_ns = t->ended_ns;
    remote_turns_tell(r);
}

/* One of those that we have ended, which have no names yet. */
static struct user_turn *nameless(const struct remote *r)
{
    for (struct user_turn *t = r->turns; t != NULL; t = t->next)
        if (t->given && t->item[0] == '\0' && !t->written && !t->known && t->end > t->start)
            return t;
    return NULL;
}

/* Some servers tell of a turn only once it is over. */
void remote_committed(struct conn *c, const struct wire_event *ev)
{
    struct remote *r = c->remote;
    struct user_turn *t = find(r, ev->item);

    c->used = true;
    if (ev->item[0] == '\0' || find_past(r, ev->item) != 0)
        return;
    if (t == NULL)
        t = nameless(r);
    if (t == NULL && remote_mode(r) == BY_SERVER && !r->base.caps.continuous) {
        t = remote_turn_open(r);
        if (t == NULL)
            t = turn_told(r, r->floor);
    }
    if (t == NULL)
        return;
    name_turn(t, ev->item);
    if (t->state != USER_SPEAKS || remote_mode(r) != BY_SERVER)
        return;
    turn_complete(r, t, r->sent);
    t->given = t->stop_due = true;
    r->input_ns = t->ended_ns;
    remote_turns_tell(r);
}

/* --- what the caller ends */

int remote_turn_commit(struct remote *r)
{
    uint64_t end = spool_end(r->spool);
    struct user_turn *t = remote_turn_open(r);
    bool sound = false;

    if (t == NULL) {
        sound = remote_mode(r) != BY_EAR && end - r->floor >= SHORTEST &&
                !r->base.caps.continuous && remote_audio_loud(r, r->floor, end);
        t = turn_add(r, sound ? r->floor : end, end);
        if (t == NULL)
            return -ENOMEM;
    } else {
        sound = end >= t->start + SHORTEST;
        t->stop_due = true;
    }
    t->committed = true;
    r->input_ns = clock_ns();
    if (sound) {
        turn_complete(r, t, end);
        t->stop_due = true;
        end_by_us(r, t);
    } else { /* nobody has said anything; or, where there are no turns, nobody will */
        t->known = !r->base.caps.continuous;
        t->state = USER_SETTLED;
    }
    r->floor = end;
    if (r->ear != NULL)
        remote_ear_reset(r->ear, end);
    return 0;
}

bool remote_turn_ends_all(const struct remote *r)
{
    for (const struct user_turn *t = r->turns; t != NULL; t = t->next)
        if (ends_all(t))
            return true;
    return false;
}

int remote_turn_text(struct remote *r, const char *text)
{
    uint64_t now = spool_end(r->spool);
    struct user_turn *t = turn_add(r, now, now);

    if (t == NULL)
        return -ENOMEM;
    buf_adds(&t->words, text);
    if (buf_failed(&t->words)) {
        turn_remove(r, t);
        return -ENOMEM;
    }
    t->written = t->committed = t->known = t->ask = true;
    t->state = USER_WAITS;
    t->ended_ns = clock_ns();
    if (journal_add(r->journal, JOURNAL_USER, t->id, text) < 0) {
        turn_remove(r, t);
        return -ENOMEM;
    }
    return 0;
}

/* --- words */

/* Where the words of a session without turns belong: to the sentence in hand. */
static struct user_turn *stream_turn(struct remote *r)
{
    struct user_turn *t;

    for (t = r->turns; t != NULL; t = t->next)
        if (t->stream && !t->known)
            return t;
    t = turn_add(r, r->sent, r->sent);
    if (t == NULL)
        return NULL;
    t->stream = t->begun = true;
    t->state = USER_SETTLED;
    (void)journal_add(r->journal, JOURNAL_USER, t->id, NULL);
    return t;
}

/* Whose words these are; NULL: nobody's any more. */
static struct user_turn *speaker(struct remote *r, const char *item)
{
    struct user_turn *t = item[0] != '\0' ? find(r, item) : NULL;

    if (t != NULL || find_past(r, item) != 0)
        return t;
    for (t = r->turns; t != NULL; t = t->next)
        if (!t->written && !t->known && !t->stream && !ends_all(t) && t->item[0] == '\0')
            break;
    if (t == NULL && item[0] != '\0' && remote_mode(r) == BY_SERVER && !r->base.caps.continuous &&
        remote_turn_open(r) == NULL) {
        t = turn_told(r, unnoticed(r));
    } else if (t == NULL) {
        t = stream_turn(r);
    }
    if (t != NULL && item[0] != '\0')
        name_turn(t, item);
    return t;
}

static bool first_untold(const struct remote *r, const struct user_turn *t)
{
    const struct user_turn *first = r->turns;

    while (first != NULL && (first->told || first->written || ends_all(first)))
        first = first->next;
    return first == t;
}

/* A sentence of a session without turns is over when its last mark says so. */
static bool sentence_over(const struct user_turn *t)
{
    const char *text = buf_str(&t->words);
    size_t n = strlen(text);

    while (n > 0 && text[n - 1] == ' ')
        n--;
    if (n >= 3 && memcmp(text + n - 3, "\xe3\x80\x82", 3) == 0) /* the ideographic full stop */
        return true;
    return n > 8 && (text[n - 1] == '.' || text[n - 1] == '?' || text[n - 1] == '!');
}

static void words_known(struct remote *r, struct user_turn *t)
{
    t->known = true;
    t->heard_ns = t->touched_ns = clock_ns();
    if (t->stream)
        t->end = r->sent;
    if (buf_failed(&t->words))
        buf_free(&t->words);
    if (journal_set(r->journal, JOURNAL_USER, t->id, buf_str(&t->words)) < 0)
        log_warn(r->config.log, "out of memory: words of yours are lost");
}

static void words_lost(struct remote *r, struct user_turn *t)
{
    t->lost = t->words.len == 0 && !t->stream;
    words_known(r, t);
}

void remote_heard_part(struct conn *c, const struct wire_event *ev)
{
    struct remote *r = c->remote;
    struct user_turn *t = speaker(r, ev->item);
    uint32_t id;

    if (t == NULL || t->known)
        return;
    if (ev->anew)
        buf_clear(&t->words);
    if (t->words.len < WORDS_MAX)
        buf_adds(&t->words, ev->text);
    t->touched_ns = clock_ns();
    remote_turns_tell(r); /* it may have begun just now */
    t = speaker(r, ev->item);
    if (t == NULL)
        return;
    id = t->id;
    if (first_untold(r, t))
        remote_tell(r,
                    (struct backend_event){.type = BACKEND_HEARD_PART, .text = buf_str(&t->words)});
    t = remote_turn(r, id);
    if (t != NULL && t->stream && !t->known && t->item[0] == '\0' && sentence_over(t)) {
        words_known(r, t);
        remote_turns_tell(r);
    }
}

void remote_heard(struct conn *c, const struct wire_event *ev, bool failed)
{
    struct remote *r = c->remote;
    struct user_turn *t = speaker(r, ev->item);

    if (t == NULL) { /* they may be more than was told */
        if (!failed && ev->text[0] != '\0')
            (void)journal_set(r->journal, JOURNAL_USER, find_past(r, ev->item), ev->text);
        return;
    }
    if (t->told || (t->known && failed))
        return;
    if (!failed || t->words.len == 0) {
        buf_clear(&t->words);
        buf_adds(&t->words, text_blank(ev->text) || failed ? "" : ev->text);
    }
    t->lost = failed && t->words.len == 0;
    words_known(r, t);
    remote_turns_tell(r);
}

/* --- telling */

static bool tell_edges(struct remote *r)
{
    for (struct user_turn *t = r->turns; t != NULL; t = t->next) {
        if (t->start_due) {
            t->start_due = false;
            remote_tell(r, (struct backend_event){.type = BACKEND_SPEECH_STARTED,
                                                  .at = count_of(r, t->start)});
            return true;
        }
        if (t->stop_due) {
            t->stop_due = false;
            remote_tell(r, (struct backend_event){.type = BACKEND_SPEECH_STOPPED,
                                                  .at = count_of(r, t->end)});
            return true;
        }
    }
    return false;
}

/* The next turn whose words can be told: in order, but for what was written, whose reply is asked
 * for at the same time. A turn without words for which a reply is due waits until that begins:
 * nobody shall think that none comes. */
static struct user_turn *next_words(const struct remote *r)
{
    bool first = true;

    for (struct user_turn *t = r->turns; t != NULL; t = t->next) {
        bool due = t->written ? t->given : t->known && t->state != USER_SPEAKS;
        bool late = t->begun || t->state == USER_SETTLED || !converses(r);
        if (t->told || ends_all(t))
            continue;
        if (due && (first || t->written) && (late || t->words.len > 0))
            return t;
        first = false;
    }
    return NULL;
}

static void tell_words(struct remote *r, struct user_turn *t)
{
    struct buf words = t->words; /* the turn may be gone before the handler returns */
    bool tell = !t->lost || t->committed;
    struct backend_event ev = {.type = BACKEND_HEARD,
                               .text = buf_str(&words),
                               .committed = t->committed,
                               .late = !t->written &&
                                       (t->begun || t->state == USER_SETTLED || !converses(r))};

    if (t->end > t->start) {
        ev.at = count_of(r, t->start);
        ev.until = count_of(r, t->end);
    }
    t->words = (struct buf)BUF_INIT;
    t->told = true;
    if (!converses(r) && t->state == USER_WAITS)
        t->state = USER_SETTLED;
    if (t->state == USER_WAITS)
        buf_adds(&t->words, ev.text); /* a new connection may have to be told */
    prune(r);
    if (tell)
        remote_tell(r, ev);
    buf_free(&words);
}

void remote_turns_tell(struct remote *r)
{
    struct user_turn *t;

    while (tell_edges(r))
        ;
    while ((t = next_words(r)) != NULL)
        tell_words(r, t);
    prune(r);
}

/* --- what becomes of them */

/* It waits behind another one's reply: no reply can be to it. */
static bool not_asked_yet(const struct user_turn *t)
{
    return t->written && !t->given && !t->begun;
}

void remote_turns_begun(struct remote *r, uint32_t upto)
{
    bool transcribes = r->conn.ops->caps(r->conn.wire)->transcribes;

    for (struct user_turn *t = r->turns; t != NULL && t->id <= upto; t = t->next) {
        if (t->state != USER_WAITS || not_asked_yet(t))
            continue;
        t->begun = true;
        t->ask = false;
        if (!t->known && (!transcribes || t->wordless))
            t->known = t->lost = true;
    }
}

void remote_turns_settle(struct remote *r, uint32_t upto)
{
    for (struct user_turn *t = r->turns; t != NULL && t->id <= upto; t = t->next) {
        if (t->state != USER_WAITS || not_asked_yet(t))
            continue;
        t->state = USER_SETTLED;
        t->ask = false;
        t->touched_ns = clock_ns();
    }
    prune(r);
}

void remote_turns_clear(struct remote *r)
{
    struct user_turn *t = remote_turn_open(r);

    if (t != NULL)
        turn_remove(r, t);
}

void remote_turns_forget(struct remote *r)
{
    while (r->turns != NULL)
        turn_remove(r, r->turns);
}

void remote_turns_lost(struct remote *r)
{
    for (struct user_turn *t = r->turns; t != NULL; t = t->next) {
        t->item[0] = '\0';
        if (t->state == USER_SETTLED && !t->known && !t->stream && !ends_all(t))
            words_lost(r, t);
        t->hushed = false;
        if (t->state == USER_SPEAKS)
            t->again = true;
        if (t->state == USER_WAITS)
            t->given = false;
        if (!t->known && !t->stream)
            buf_clear(&t->words);
    }
}

void remote_turns_ended(struct remote *r)
{
    for (struct user_turn *t = r->turns; t != NULL; t = t->next)
        if (t->stream && !t->known)
            words_known(r, t);
    remote_turns_tell(r);
    for (struct user_turn *t = r->turns; t != NULL; t = t->next)
        if (ends_all(t))
            words_known(r, t);
    remote_turns_tell(r);
}

static bool words_over(const struct remote *r, const struct user_turn *t, int64_t since_ns)
{
    if (ends_all(t)) /* see remote_turns_ended */
        return false;
    if (t->stream)
        return t->item[0] == '\0' && since_ns > PAUSE_NS;
    if (t->state == USER_WAITS && !converses(r))
        return t->given && since_ns > WORDS_NEVER;
    return t->state == USER_SETTLED && since_ns > WORDS_LATE;
}

/* A turn that was given again to a server that alone ends turns. When the microphone is not in use
 * any more, silence has to tell it the end; where it hears no speech, there is no turn. */
static void help_to_end(struct remote *r, struct user_turn *t, int64_t now_ns)
{
    bool there = remote_up(r) && remote_audio_waiting(r) == 0;

    if (!there || now_ns - r->fed_ns < STILL_NS)
        return;
    if (!t->hushed && remote_audio_silence(r, HUSH_MS) < 0)
        return;
    t->hushed = true;
    if (now_ns - r->conn.born_ns <= SPEAKS_MAX)
        return;
    turn_complete(r, t, r->sent);
    t->state = USER_SETTLED;
    t->given = t->stop_due = true;
}

/* The server has it, and does nothing about it. */
static bool unanswered(const struct remote *r, const struct user_turn *t)
{
    return t->state == USER_WAITS && t->given && !t->ask && r->reply == NULL && !r->ask.out &&
           converses(r);
}

/* Words that do not come any more, and sentences that are over. */
void remote_turns_tick(struct remote *r)
{
    int64_t now = clock_ns();

    for (struct user_turn *t = r->turns; t != NULL; t = t->next) {
        if (t->again && t->state == USER_SPEAKS && remote_mode(r) == BY_SERVER)
            help_to_end(r, t, now);
        if (unanswered(r, t) && now - t->touched_ns > WORDS_NEVER) {
            t->state = USER_SETTLED;
            t->touched_ns = now;
        }
        if (!t->known && words_over(r, t, now - t->touched_ns))
            words_lost(r, t);
    }
    remote_turns_tell(r);
}
