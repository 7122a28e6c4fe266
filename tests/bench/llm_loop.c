/* llm_loop MODEL.gguf - has the language model talk without end, as the load for bench_callback.py.
 * Prints a line when the model is loaded, and one for each reply. Ends with a signal. */
#include <stdio.h>
#include <stdlib.h>

#include "local/engines.h"

struct talk {
    struct engine *engine;
    uint32_t id;
    bool failed;
    unsigned long pieces;
};

static void ask(struct talk *t)
{
    static const struct chat_message question[] = {
        {CHAT_USER, "Tell me a very long story about the sea, with every detail."}};
    struct engine_request r = {.id = ++t->id, .messages = question, .count = 1, .max_tokens = 200};

    if (t->engine->ops->submit(t->engine, &r) < 0)
        t->failed = true;
}

static void on_event(void *user, const struct engine_event *ev)
{
    struct talk *t = user;

    switch (ev->type) {
    case ENGINE_READY:
        printf("ready: %s\n", ev->text);
        break;
    case ENGINE_TEXT:
        t->pieces++;
        break;
    case ENGINE_DONE:
        printf("%lu pieces\n", t->pieces);
        ask(t);
        break;
    case ENGINE_FAILED:
        fprintf(stderr, "llm_loop: %s\n", ev->error->text);
        t->failed = true;
        break;
    case ENGINE_AUDIO:
        break;
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const struct log log = {LOG_WARN, stderr};
    struct talk t = {0};
    struct err e = {0};
    uv_loop_t loop;
    struct engine_config config = {.loop = &loop, .log = &log, .event = on_event, .user = &t};

    if (argc != 2) {
        fprintf(stderr, "usage: llm_loop MODEL.gguf\n");
        return STATUS_USAGE;
    }
    config.model = argv[1];
    if (uv_loop_init(&loop) < 0 || engine_llama.open(&t.engine, &config, &e) < 0) {
        fprintf(stderr, "llm_loop: %s\n", e.text);
        return STATUS_FAILED;
    }
    ask(&t);
    while (!t.failed && uv_run(&loop, UV_RUN_ONCE) != 0)
        ;
    t.engine->ops->close(t.engine);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return STATUS_FAILED;
}
