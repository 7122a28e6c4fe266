/* fuzz_config - a configuration file: whatever it holds, it is refused with a message, or what it
 * says can be used: values within the ranges of their options, endpoints that are whole. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/address.h"
#include "conf/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum option_id allowed[] = {OPT_VOICE,      OPT_MODEL,       OPT_EFFORT, OPT_SPEED,
                                         OPT_MAX_TOKENS, OPT_HALF_DUPLEX, OPT_AEC,    OPT_PROFILE,
                                         OPT_MAX_COST,   OPT_CACERT,      OPT_COUNT};

static void must(bool good)
{
    if (!good)
        abort();
}

static void check_options(const struct options *o)
{
    for (const enum option_id *id = allowed; *id != OPT_COUNT; id++)
        if (options_has(o, *id) && option_def(*id)->type != OPTION_FLAG)
            must(option_check(*id, options_text(o, *id), "x", NULL, NULL) == 0);
}

static size_t check_endpoint(const struct config_endpoint *p)
{
    enum address_way way;
    char host[64];
    size_t n = strlen(p->name);

    for (const char *const *h = p->headers; *h != NULL; h++)
        must(strchr(*h, ':') != NULL && strpbrk(*h, "\r\n") == NULL);
    for (size_t i = 0; i < p->value_count; i++)
        n += strlen(p->values[i].name) + strlen(p->values[i].value);
    must((p->key_env != NULL) + (p->key_command != NULL) + (p->key_file != NULL) <= 1);
    if (p->url != NULL && address_check(p->url, &way, host, sizeof host, "x", NULL) == 0)
        n += strlen(host);
    return n;
}

static void use(struct config *c, char *const *argv, int argc)
{
    struct options o;
    struct err e = {0};
    size_t count = 0, n = 0;

    must(options_parse(&o, argc, (char **)(uintptr_t)argv, allowed, NULL) == 0);
    if (config_apply(c, &o, &e) == 0) {
        const struct config_endpoint *p = config_endpoints(c, &count);
        for (size_t i = 0; i < count; i++)
            n += check_endpoint(&p[i]);
        must(count == 0 || n > 0);
        check_options(&o);
    } else {
        must(e.text[0] != '\0');
    }
    options_free(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *const work[] = {(char[]){"--profile=work"}};
    struct config *c;
    struct err e = {0};

    for (int i = 0; i < 2; i++) {
        if (config_parse(&c, (const char *)data, size, "file", &e) == 0) {
            use(c, work, i);
            config_free(c);
        } else {
            must(c == NULL && e.status == STATUS_USAGE && strstr(e.text, "'file'") != NULL);
        }
    }
    return 0;
}
