#include "local/local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "local/engines.h"
#include "local/ladder.h"
#include "local/language.h"
#include "local/listen.h"
#include "local/turns.h"
#include "models/models.h"
#include "util/buf.h"
#include "util/text.h"

#define TRANSLATOR "You are a translation engine."
#define INSTRUCTIONS                                                                    \
    "You are a friendly voice assistant. Answer in one or two short spoken sentences. " \
    "Do not use lists, markdown or emojis."

enum role { STT, LLM, TTS, ROLES };

/* One engine and the steps below it. */
struct slot {
    struct local *local;
    enum role role;
    struct ladder ladder;
    size_t step;
    struct engine *engine; /* NULL: not wanted */
    char name[128];        /* what it says it is, once it is ready */
    bool ready;
    bool failed; /* to be replaced by the next step */
    struct err error;
};

struct local {
    struct backend base;
    struct backend_config config; /* strings are the caller's */
    struct listen *ear;
    struct turns *turns;
    struct slot slots[ROLES];
    char lead[64];   /* of what the language model is told to translate */
    uv_async_t kick; /* runs turns_advance and ladder steps from the loop */
    bool ready, dead;
};

static void tell(struct local *l, enum backend_event_type type, const char *text)
{
    struct backend_event ev = {.type = type, .text = text};

    l->config.event(l->config.user, &ev);
}

static void die(struct local *l, const struct err *error)
{
    struct backend_event ev = {.type = BACKEND_ERROR, .fatal = true, .error = error};

    if (l->dead)
        return;
    l->dead = true;
    l->config.event(l->config.user, &ev);
}

/* --- engines */

static void on_engine(void *user, const struct engine_event *ev)
{
    static void (*const on[ROLES])(struct turns *, const struct engine_event *) = {
        turns_on_stt, turns_on_llm, turns_on_tts};
    struct slot *s = user;

    if (ev->type == ENGINE_READY) {
        s->ready = true;
        snprintf(s->name, sizeof s->name, "%s", ev->text);
        text_line(s->name);
        uv_async_send(&s->local->kick);
    } else if (ev->type == ENGINE_FAILED && ev->id == 0) {
        s->failed = true;
        s->error = *ev->error;
        uv_async_send(&s->local->kick);
    } else {
        on[s->role](s->local->turns, ev);
    }
}

/* Which one it must know; NULL: its own. A translation is spoken in another one than is heard. */
static const char *slot_language(const struct slot *s)
{
    const struct backend_config *c = &s->local->config;

    if (s->role == STT)
        return c->settings.language;
    if (s->role == LLM || c->task != BACKEND_TRANSLATE)
        return NULL;
    return language_same(c->settings.to, "en") ? NULL : language_tag(c->settings.to);
}

static int slot_open(struct slot *s, struct err *e)
{
    const struct rung *r = &s->ladder.rungs[s->step];
    const struct backend_config *c = &s->local->config;
    struct engine_config config = {.loop = c->loop,
                                   .log = c->log,
                                   .event = on_engine,
                                   .user = s,
                                   .model = r->model,
                                   .name = r->name,
                                   .api_key = c->api_key,
                                   .language = slot_language(s)};

    s->ready = s->failed = false;
    return r->kind->open(&s->engine, &config, e);
}

static void slot_close(struct slot *s)
{
    if (s->engine != NULL)
        s->engine->ops->close(s->engine);
    s->engine = NULL;
}

/* Speech-to-text begins before the others are there. */
static void hear_meanwhile(struct local *l)
{
    turns_engines(l->turns, false, l->slots[STT].engine, NULL, NULL);
}

/* Down the ladder, or the end. */
static void slot_step(struct slot *s)
{
    struct local *l = s->local;
    struct err error = s->error;

    slot_close(s);
    hear_meanwhile(l);
    s->failed = false;
    while (s->step + 1 < s->ladder.count) {
        char text[sizeof error.text + 64];
        s->step++;
        snprintf(text, sizeof text, "%s; trying '%s' instead", error.text,
                 s->ladder.rungs[s->step].kind->name);
        tell(l, BACKEND_NOTICE, text);
        if (slot_open(s, &error) == 0) {
            hear_meanwhile(l);
            return;
        }
    }
    die(l, &error);
}

/* A translator of this kind is none as people know them. */
static void announce_translation(struct local *l)
{
    char text[256];

    snprintf(text, sizeof text,
             "a language model on this machine translates into %s: turn by turn, when you pause, "
             "not while you speak, and with mistakes; speech is understood in English only%s",
             language_name(l->config.settings.to),
             l->config.stt_url != NULL ? " unless its server knows more" : "");
    text_line(text);
    tell(l, BACKEND_NOTICE, text);
}

static void announce(struct local *l)
{
    static const char *const words[ROLES] = {"hears with", "thinks with", "speaks with"};
    struct buf b = BUF_INIT;
    bool away = l->config.llm_url != NULL || l->config.stt_url != NULL;

    for (int i = 0; i < ROLES; i++) {
        const struct slot *s = &l->slots[i];
        if (s->engine == NULL)
            continue;
        if (s->ladder.rungs[s->step].notice[0] != '\0')
            tell(l, BACKEND_NOTICE, s->ladder.rungs[s->step].notice);
        buf_addf(&b, "%s%s %s", b.len ? ", " : "", words[i], s->name);
    }
    buf_adds(&b, away ? "" : "; all on this machine");
    tell(l, BACKEND_READY, buf_str(&b));
    buf_free(&b);
    if (l->config.task == BACKEND_TRANSLATE)
        announce_translation(l);
}

static void check_ready(struct local *l)
{
    for (int i = 0; i < ROLES; i++)
        if (l->slots[i].engine != NULL && !l->slots[i].ready)
            return;
    l->ready = true;
    turns_engines(l->turns, true, l->slots[STT].engine, l->slots[LLM].engine, l->slots[TTS].engine);
    turns_warm_up(l->turns);
    announce(l);
}

static void on_kick(uv_async_t *handle)
{
    struct local *l = handle->data;

    for (int i = 0; i < ROLES && !l->dead; i++)
        if (l->slots[i].failed)
            slot_step(&l->slots[i]);
    if (l->dead)
        return;
    if (!l->ready)
        check_ready(l);
    turns_advance(l->turns);
}

static void on_listen(void *user, const struct listen_event *ev)
{
    turns_on_listen(((struct local *)user)->turns, ev);
}

/* --- the backend's functions */

static struct local *self(struct backend *b)
{
    return (struct local *)b;
}

static int64_t local_append(struct backend *b, const int16_t *x, size_t n)
{
    struct local *l = self(b);
    int rc = listen_append(l->ear, x, n);

    return rc < 0 ? rc : (int64_t)(listen_waiting(l->ear) + turns_waiting(l->turns));
}

static int local_commit(struct backend *b)
{
    return listen_commit(self(b)->ear);
}

static void local_detect_turns(struct backend *b, bool on)
{
    listen_detect(self(b)->ear, on); /* -ENOMEM: turns go on as before */
}

static void local_clear(struct backend *b)
{
    listen_clear(self(b)->ear);
    turns_drop(self(b)->turns);
    uv_async_send(&self(b)->kick);
}

static int local_send_text(struct backend *b, const char *text)
{
    int rc = turns_text(self(b)->turns, text);

    uv_async_send(&self(b)->kick);
    return rc;
}

static void local_cancel(struct backend *b)
{
    turns_cancel(self(b)->turns);
    uv_async_send(&self(b)->kick);
}

static void local_truncate(struct backend *b, uint32_t item, double played_ms)
{
    turns_truncate(self(b)->turns, item, played_ms);
}

static const char *local_remembered(struct backend *b, uint32_t item)
{
    return turns_remembered(self(b)->turns, item);
}

static int local_glance(struct backend *b, const int16_t *x, size_t n)
{
    return turns_glance(self(b)->turns, x, n);
}

static void local_forget(struct backend *b)
{
    listen_clear(self(b)->ear);
    turns_forget(self(b)->turns);
    uv_async_send(&self(b)->kick);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void local_close(struct backend *b)
{
    struct local *l = self(b);

    if (b == NULL)
        return;
    listen_close(l->ear);
    for (int i = 0; i < ROLES; i++) {
        slot_close(&l->slots[i]);
        ladder_free(&l->slots[i].ladder);
    }
    turns_free(l->turns);
    l->turns = NULL;
    l->dead = true;
    uv_close((uv_handle_t *)&l->kick, on_closed);
}

static const struct backend_ops ops = {
    .name = "local",
    .help = "models on this machine, in this process",
    .append = local_append,
    .commit = local_commit,
    .detect_turns = local_detect_turns,
    .clear = local_clear,
    .send_text = local_send_text,
    .cancel = local_cancel,
    .truncate = local_truncate,
    .remembered = local_remembered,
    .glance = local_glance,
    .forget = local_forget,
    .close = local_close,
};

/* --- opening */

static int open_ear(struct local *l, struct err *e)
{
    static const enum listen_cut cuts[] = {[BACKEND_CONVERSE] = LISTEN_CUT_NEVER,
                                           [BACKEND_TRANSCRIBE] = LISTEN_CUT_ALWAYS,
                                           [BACKEND_TRANSLATE] = LISTEN_CUT_UNDETECTED};
    struct listen_config config = {
        .loop = l->config.loop, .detect = l->config.turn_detection, .event = on_listen, .user = l};
    struct turn defaults;
    char *weights;
    int rc;

    rc = models_path(l->config.models, "silero-vad", "silero_vad_16k_op15.onnx", &weights, e);
    if (rc < 0)
        return rc;
    turn_init(&defaults, NULL);
    config.turn = defaults.config;
    config.turn.wait_ms = turn_wait_ms(l->config.settings.eagerness);
    if (l->config.task == BACKEND_TRANSCRIBE) /* its words are told meanwhile: no hurry */
        config.turn.wait_ms *= 2;
    config.cut = cuts[l->config.task];
    config.parts = l->config.task == BACKEND_TRANSCRIBE;
    config.weights = weights;
    rc = listen_open(&l->ear, &config, e);
    free(weights);
    return rc;
}

static int open_slots(struct local *l, struct err *e)
{
    static int (*const ladder[ROLES])(struct ladder *, const struct backend_config *,
                                      struct err *) = {ladder_stt, ladder_llm, ladder_tts};

    for (int i = 0; i < ROLES; i++) {
        struct slot *s = &l->slots[i];
        int rc;
        s->local = l;
        s->role = (enum role)i;
        if ((i == TTS && !l->config.speak) || (i != STT && l->config.task == BACKEND_TRANSCRIBE))
            continue;
        rc = ladder[i](&s->ladder, &l->config, e);
        if (rc == 0)
            rc = slot_open(s, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int local_open(struct backend **out, const struct backend_config *config, struct err *e)
{
    struct local *l = calloc(1, sizeof *l);
    struct turns_config tc = {.event = config->event,
                              .user = config->user,
                              .task = config->task,
                              .instructions = config->settings.instructions,
                              .speak = config->speak,
                              .max_tokens = config->settings.max_tokens};
    int rc;

    *out = NULL;
    if (l == NULL || uv_async_init(config->loop, &l->kick, on_kick) < 0) {
        free(l);
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    }
    l->kick.data = l;
    l->config = *config;
    l->base.ops = &ops;
    l->base.caps = (struct backend_caps){.can_truncate = true};
    if (config->task == BACKEND_TRANSLATE) {
        snprintf(l->lead, sizeof l->lead,
                 "Translate into %s: ", language_name(config->settings.to));
        tc.lead = l->lead;
    }
    if (tc.instructions == NULL)
        tc.instructions = config->task == BACKEND_TRANSLATE ? TRANSLATOR : INSTRUCTIONS;
    rc = turns_new(&l->turns, &tc);
    if (rc < 0)
        err_set(e, STATUS_FAILED, rc, "out of memory");
    else
        rc = open_slots(l, e);
    if (rc == 0)
        rc = open_ear(l, e);
    if (rc < 0) {
        local_close(&l->base);
        return rc;
    }
    hear_meanwhile(l);
    *out = &l->base;
    return 0;
}

const struct backend_kind backend_local = {
    .name = "local",
    .help = "models on this machine, in this process",
    .open = local_open,
};
