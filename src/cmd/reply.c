#include "cmd/reply.h"

#include <stdio.h>

#include "util/json.h"

static void add_stage(cJSON *o, const char *name, double ms)
{
    if (ms >= 0)
        cJSON_AddNumberToObject(o, name, (double)(int64_t)(ms * 10) / 10);
    else
        cJSON_AddNullToObject(o, name);
}

static void add_latency(cJSON *o, const struct backend_timing *t)
{
    cJSON *l = cJSON_AddObjectToObject(o, "latency_ms");

    add_stage(l, "heard", t->heard_ms);
    add_stage(l, "first_token", t->first_token_ms);
    add_stage(l, "first_clause", t->first_clause_ms);
    add_stage(l, "first_audio", t->first_audio_ms);
    add_stage(l, "done", t->done_ms);
}

void reply_print_json(const struct reply *r)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "type", "reply");
    cJSON_AddNumberToObject(o, "v", 1);
    /* A file's name may be any bytes, and JSON may not. */
    json_add_text(o, "input", r->input);
    json_add_text(o, "transcript", r->transcript);
    json_add_text(o, "text", r->text);
    if (r->audio != NULL)
        json_add_text(o, "audio", r->audio);
    else
        cJSON_AddNullToObject(o, "audio");
    add_latency(o, &r->timing);
    cJSON_AddStringToObject(o, "status", r->status);
    if (r->error != NULL)
        json_add_text(o, "error", r->error);
    json_print_line(o);
}
