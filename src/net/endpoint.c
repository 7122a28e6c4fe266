#include "net/endpoint.h"

#include <stdbool.h>
#include <string.h>

#include "util/buf.h"

static bool ends_with(const char *s, size_t n, const char *end)
{
    size_t m = strlen(end);

    return n >= m && memcmp(s + n - m, end, m) == 0;
}

char *endpoint_url(const char *base, const char *endpoint)
{
    static const char *const known[] = {"/chat/completions", "/audio/transcriptions",
                                        "/audio/speech", "/models"};
    size_t n = strcspn(base, "?#");
    const char *query = base + n, *host = strstr(base, "://");
    struct buf b = BUF_INIT;

    while (n > 0 && base[n - 1] == '/')
        n--;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!ends_with(base, n, known[i]))
            continue;
        n -= strlen(known[i]);
        break;
    }
    buf_add(&b, base, n);
    host = host != NULL && host < query ? host + 3 : base;
    if (host >= base + n || memchr(host, '/', (size_t)(base + n - host)) == NULL)
        buf_adds(&b, "/v1");
    buf_addf(&b, "/%s%.*s", endpoint, (int)strcspn(query, "#"), query);
    if (buf_failed(&b))
        buf_free(&b);
    return b.data;
}
