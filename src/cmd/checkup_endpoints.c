#include "cmd/checkup_endpoints.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "cmd/setup.h"
#include "util/clock.h"

#define LOOK_MS     50
#define PATIENCE_MS 6000

struct attempt {
    struct findings *f;
    const struct endpoint *endpoint;
    const struct backend_dialect *dialect;
    const atomic_int *cancel;
    uv_loop_t loop;
    uv_timer_t look;
    int64_t began_ns;
    char lost[256]; /* why the last connection did not come about */
    bool over;
};

static void leave(struct attempt *a)
{
    a->over = true;
    uv_stop(&a->loop);
}

/* How much can be expected of what is known about the service. */
static void add_answer(struct attempt *a)
{
    findings_add(a->f, "endpoint", FINDING_OK, "'%s' (%s) is ready after %.0f ms",
                 a->endpoint->name, a->dialect->title, clock_ms_since(a->began_ns));
    if (a->dialect->run_against != NULL)
        findings_advise(a->f, "this hullo has been run against %s", a->dialect->run_against);
    else
        findings_advise(a->f, "this hullo has not been run against the real service, only against "
                              "its description");
}

static void add_trouble(struct attempt *a, enum status status, const char *why)
{
    findings_add(a->f, "endpoint", FINDING_TROUBLE, "'%s': %s", a->endpoint->name, why);
    findings_fail(a->f, status);
}

static void on_event(void *user, const struct backend_event *ev)
{
    struct attempt *a = user;

    if (a->over)
        return;
    if (ev->type == BACKEND_READY) {
        add_answer(a);
        leave(a);
    } else if (ev->type == BACKEND_ERROR && ev->fatal) {
        add_trouble(a, ev->error->status, ev->error->text);
        leave(a);
    } else if (ev->type == BACKEND_LINK && !ev->connected && ev->text != NULL) {
        snprintf(a->lost, sizeof a->lost, "%s", ev->text);
    }
}

static void on_look(uv_timer_t *timer)
{
    struct attempt *a = timer->data;

    if (atomic_load(a->cancel) != 0) {
        leave(a);
    } else if (!a->over && clock_ms_since(a->began_ns) > PATIENCE_MS) {
        add_trouble(a, STATUS_NETWORK, a->lost[0] != '\0' ? a->lost : "it does not answer");
        leave(a);
    }
}

static void attempt(struct attempt *a, const struct app *app, const struct backend_kind *kind)
{
    struct backend_config config = {.loop = &a->loop,
                                    .log = app->log,
                                    .event = on_event,
                                    .user = a,
                                    .model = options_text(app->options, OPT_MODEL),
                                    .endpoints = a->endpoint,
                                    .endpoint_count = 1,
                                    .speak = true,
                                    .turn_detection = true};
    struct backend *backend;
    struct err e = {0};

    setup_settings(&config.settings, app->options, true);
    uv_timer_init(&a->loop, &a->look);
    a->look.data = a;
    a->began_ns = clock_ns();
    if (kind->open(&backend, &config, &e) < 0) {
        add_trouble(a, e.status, e.text);
    } else {
        uv_timer_start(&a->look, on_look, LOOK_MS, LOOK_MS);
        uv_run(&a->loop, UV_RUN_DEFAULT);
        backend->ops->close(backend);
    }
    uv_close((uv_handle_t *)&a->look, NULL);
    uv_run(&a->loop, UV_RUN_DEFAULT);
}

static const struct backend_dialect *find_dialect(const struct backend_kind *kind, const char *name)
{
    const struct backend_dialect *d = NULL;
    size_t i = 0;

    while ((d = kind->dialect(i)) != NULL && strcmp(d->name, name) != 0)
        i++;
    return d;
}

void checkup_endpoints(struct findings *f, const struct app *app, const struct endpoints *endpoints,
                       const atomic_int *cancel)
{
    const struct backend_kind *kind = setup_backend(app, true);
    size_t count;
    const struct endpoint *list = endpoints_list(endpoints, &count);

    for (size_t i = 0; i < count && kind != NULL && atomic_load(cancel) == 0; i++) {
        struct attempt a = {.f = f,
                            .endpoint = &list[i],
                            .dialect = find_dialect(kind, list[i].dialect),
                            .cancel = cancel};
        if (a.dialect == NULL || uv_loop_init(&a.loop) < 0) {
            findings_add(f, "endpoint", FINDING_TROUBLE, "out of memory");
            continue;
        }
        attempt(&a, app, kind);
        uv_loop_close(&a.loop);
    }
}
