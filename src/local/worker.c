#include "local/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "util/mailbox.h"
#include "util/os.h"
#include "util/text.h"

/* One event on its way to the loop. A request is also the letter that its DONE or FAILED travels
 * in, so that telling the end of a request can never run out of memory. */
struct message {
    struct letter letter;
    struct engine_event event;
    struct err error;
    struct engine_request request; /* points behind the message */
};

struct worker {
    struct engine base;
    const struct worker_model *model;
    struct engine_config config;
    char *strings; /* config's, one after the other */
    uv_async_t async;
    pthread_t thread;
    struct mailbox *in, *out;
    struct message *hello; /* READY or FAILED of the load; NULL once sent */
    char name[128];
    _Atomic uint32_t cancelled_to;
    _Atomic bool closing;
};

struct worker_job {
    struct worker *w;
    uint32_t id;
};

bool worker_cancelled(const struct worker_job *job)
{
    return atomic_load_explicit(&job->w->closing, memory_order_relaxed) ||
           job->id <= atomic_load_explicit(&job->w->cancelled_to, memory_order_relaxed);
}

static int emit(struct worker_job *job, const struct engine_event *ev, const void *data, size_t n)
{
    struct message *m = calloc(1, sizeof *m + n);

    if (m == NULL)
        return -ENOMEM;
    m->event = *ev;
    m->event.id = job->id;
    if (n > 0)
        memcpy(m + 1, data, n);
    if (ev->type == ENGINE_TEXT) {
        text_clean((char *)(m + 1));
        m->event.text = (const char *)(m + 1);
    } else {
        m->event.samples = (const int16_t *)(const void *)(m + 1);
    }
    mailbox_put(job->w->out, &m->letter);
    return 0;
}

int worker_text(struct worker_job *job, const char *text)
{
    struct engine_event ev = {.type = ENGINE_TEXT};

    return emit(job, &ev, text, strlen(text) + 1);
}

int worker_audio(struct worker_job *job, const int16_t *x, size_t n, int rate_hz)
{
    struct engine_event ev = {.type = ENGINE_AUDIO, .count = n, .rate_hz = rate_hz};

    return emit(job, &ev, x, n * sizeof *x);
}

/* The worker's thread. */

static void finish(struct worker *w, struct message *m, int rc, bool cancelled)
{
    m->event.id = m->request.id;
    m->event.type = rc < 0 && !cancelled ? ENGINE_FAILED : ENGINE_DONE;
    m->event.cancelled = cancelled;
    m->event.error = rc < 0 && !cancelled ? &m->error : NULL;
    mailbox_put(w->out, &m->letter);
}

static void serve(struct worker *w, void *self, const struct err *broken)
{
    struct letter *l;

    while ((l = mailbox_wait(w->in)) != NULL) {
        struct message *m = (struct message *)l;
        struct worker_job job = {.w = w, .id = m->request.id};
        int rc = 0;

        if (broken->code < 0) {
            m->error = *broken;
            rc = broken->code;
        } else if (!worker_cancelled(&job)) {
            rc = w->model->run(self, &m->request, &job, &m->error);
            if (rc < 0 && m->error.code == 0)
                err_set(&m->error, STATUS_FAILED, rc, "%s failed: %s", w->name, strerror(-rc));
        }
        finish(w, m, rc, worker_cancelled(&job));
    }
}

static void *worker_main(void *user)
{
    struct worker *w = user;
    /* No request has the last id, so that only closing cancels this job. */
    struct worker_job job = {.w = w, .id = UINT32_MAX};
    struct message *hello = w->hello;
    struct err broken = {0};
    void *self = NULL;
    int rc;

    w->hello = NULL;
    os_thread_role(w->model->thread, OS_ROLE_ENGINE);
    rc = w->model->load(&self, &w->config, &job, w->name, sizeof w->name, &broken);
    if (rc < 0 && broken.code == 0)
        err_set(&broken, STATUS_FAILED, rc, "cannot load the model '%s': %s",
                w->config.model != NULL ? w->config.model : w->model->thread, strerror(-rc));
    if (rc >= 0)
        broken.code = 0;
    hello->error = broken;
    hello->event.type = rc < 0 ? ENGINE_FAILED : ENGINE_READY;
    hello->event.text = w->name;
    hello->event.error = rc < 0 ? &hello->error : NULL;
    mailbox_put(w->out, &hello->letter);
    serve(w, self, &broken);
    if (self != NULL)
        w->model->unload(self);
    return NULL;
}

/* The loop's thread. */

static void wake(void *user)
{
    struct worker *w = user;

    uv_async_send(&w->async);
}

static void hand_over(struct worker *w, struct message *m)
{
    bool cancelled = m->event.id != 0 && m->event.id <= atomic_load(&w->cancelled_to);
    bool piece = m->event.type == ENGINE_TEXT || m->event.type == ENGINE_AUDIO;

    /* Whatever the worker made of it: what was cancelled by now ends as cancelled. */
    if (cancelled && !piece) {
        m->event.type = ENGINE_DONE;
        m->event.cancelled = true;
        m->event.error = NULL;
    }
    if (!cancelled || !piece)
        w->config.event(w->config.user, &m->event);
    free(m);
}

/* A model may be faster than what its events are put to: until its queue ran empty, the loop would
 * take nothing else, not even what cancels the request. */
static void deliver(uv_async_t *async)
{
    struct worker *w = async->data;
    struct letter *l;

    /* A handler may close the engine; the worker itself stays until libuv lets go of the handle. */
    for (int i = 0; i < WORKER_BATCH && !atomic_load(&w->closing); i++) {
        if ((l = mailbox_take(w->out)) == NULL)
            return;
        hand_over(w, (struct message *)l);
    }
    if (!atomic_load(&w->closing))
        uv_async_send(async); /* there may be more, for the loop's next turn */
}

static size_t request_bytes(const struct engine_request *r)
{
    size_t n = r->samples * sizeof *r->pcm + r->count * sizeof *r->messages;

    for (size_t i = 0; i < r->count; i++)
        n += strlen(r->messages[i].text) + 1;
    return n + (r->text != NULL ? strlen(r->text) + 1 : 0);
}

static char *copy_string(char **at, const char *s)
{
    size_t n = strlen(s) + 1;
    char *to = memcpy(*at, s, n);

    *at += n;
    return to;
}

/* The copy lies behind the message: the chat messages (pointers, so first), samples, strings. */
static void copy_request(struct message *m, const struct engine_request *r)
{
    struct chat_message *messages = (struct chat_message *)(void *)(m + 1);
    int16_t *pcm = (int16_t *)(void *)(messages + r->count);
    char *at = (char *)(pcm + r->samples);

    m->request = *r;
    m->request.messages = messages;
    m->request.pcm = pcm;
    if (r->samples > 0)
        memcpy(pcm, r->pcm, r->samples * sizeof *pcm);
    for (size_t i = 0; i < r->count; i++) {
        messages[i].role = r->messages[i].role;
        messages[i].text = copy_string(&at, r->messages[i].text);
    }
    if (r->text != NULL)
        m->request.text = copy_string(&at, r->text);
}

static int worker_submit(struct engine *g, const struct engine_request *r)
{
    struct worker *w = (struct worker *)g;
    struct message *m = calloc(1, sizeof *m + request_bytes(r));

    if (m == NULL)
        return -ENOMEM;
    copy_request(m, r);
    mailbox_put(w->in, &m->letter);
    return 0;
}

static void worker_cancel(struct engine *g, uint32_t up_to)
{
    struct worker *w = (struct worker *)g;

    if (up_to > atomic_load(&w->cancelled_to))
        atomic_store(&w->cancelled_to, up_to);
}

static void free_mailbox(struct mailbox *box)
{
    struct letter *l;

    if (box == NULL)
        return;
    while ((l = mailbox_take(box)) != NULL)
        free(l);
    mailbox_free(box);
}

static void worker_free(struct worker *w)
{
    free_mailbox(w->in);
    free_mailbox(w->out);
    free(w->hello);
    free(w->strings);
    free(w);
}

static void closed(uv_handle_t *handle)
{
    worker_free(handle->data);
}

static void worker_close(struct engine *g)
{
    struct worker *w = (struct worker *)g;

    atomic_store(&w->closing, true);
    mailbox_close(w->in);
    pthread_join(w->thread, NULL);
    uv_close((uv_handle_t *)&w->async, closed);
}

static const struct engine_ops worker_ops = {
    .submit = worker_submit,
    .cancel = worker_cancel,
    .close = worker_close,
};

static int copy_config(struct worker *w, const struct engine_config *config)
{
    const char *from[] = {config->model, config->name, config->api_key, config->language};
    const char **to[] = {&w->config.model, &w->config.name, &w->config.api_key,
                         &w->config.language};
    const size_t count = sizeof from / sizeof *from;
    size_t n = 1;
    char *at;

    w->config = *config;
    for (size_t i = 0; i < count; i++)
        n += from[i] != NULL ? strlen(from[i]) + 1 : 0;
    at = w->strings = malloc(n);
    if (at == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        *to[i] = from[i] != NULL ? copy_string(&at, from[i]) : NULL;
    return 0;
}

/* Signals are the main thread's. */
static int start_thread(struct worker *w)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&w->thread, NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -rc;
}

int worker_open(struct engine **out, const struct worker_model *model,
                const struct engine_config *config, struct err *e)
{
    struct worker *w = calloc(1, sizeof *w);
    int rc = -ENOMEM;

    *out = NULL;
    if (w == NULL)
        return err_set(e, STATUS_FAILED, rc, "out of memory");
    w->base.ops = &worker_ops;
    w->model = model;
    if ((w->hello = calloc(1, sizeof *w->hello)) == NULL || (rc = copy_config(w, config)) < 0 ||
        (rc = mailbox_new(&w->in, NULL, NULL)) < 0 || (rc = mailbox_new(&w->out, wake, w)) < 0 ||
        (rc = uv_async_init(config->loop, &w->async, deliver)) < 0)
        goto failed;
    w->async.data = w;
    rc = start_thread(w);
    if (rc == 0) {
        *out = &w->base;
        return 0;
    }
    uv_close((uv_handle_t *)&w->async, closed);
    return err_set(e, STATUS_FAILED, rc, "cannot start the thread '%s': %s", model->thread,
                   strerror(-rc));
failed:
    worker_free(w);
    return err_set(e, STATUS_FAILED, rc, "cannot start the engine '%s': %s", model->thread,
                   strerror(-rc));
}
