#include "conf/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

struct range {
    uint32_t net;
    int bits;
};

static bool near_v4(uint32_t a)
{
    static const struct range ranges[] = {
        {0x7f000000, 8},  /* 127.0.0.0: this machine */
        {0x0a000000, 8},  /* 10.0.0.0 */
        {0xac100000, 12}, /* 172.16.0.0 */
        {0xc0a80000, 16}, /* 192.168.0.0 */
        {0xa9fe0000, 16}, /* 169.254.0.0 */
        {0x64400000, 10}, /* 100.64.0.0 */
    };

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if ((a ^ ranges[i].net) >> (32 - ranges[i].bits) == 0)
            return true;
    return false;
}

static bool near_v6(const unsigned char a[16])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff}, loopback[16] = {[15] = 1};

    if (memcmp(a, mapped, sizeof mapped) == 0)
        return near_v4((uint32_t)a[12] << 24 | (uint32_t)a[13] << 16 | (uint32_t)a[14] << 8 |
                       a[15]);
    return memcmp(a, loopback, sizeof loopback) == 0 || (a[0] & 0xfe) == 0xfc ||
           (a[0] == 0xfe && (a[1] & 0xc0) == 0x80);
}

static bool ends_with(const char *host, const char *end)
{
    size_t n = strlen(host), m = strlen(end);

    return n >= m && strcasecmp(host + n - m, end) == 0;
}

static bool is_near(const char *host)
{
    static const char *const ends[] = {".localhost", ".local", ".internal", ".home.arpa"};
    unsigned char address[16];
    struct in_addr v4;

    if (inet_pton(AF_INET, host, &v4) == 1)
        return near_v4(ntohl(v4.s_addr));
    if (inet_pton(AF_INET6, host, address) == 1)
        return near_v6(address);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(host, ends[i]))
            return true;
    return strchr(host, '.') == NULL && strchr(host, ':') == NULL;
}

/* Without the brackets and the zone of an IPv6 address, and the dot of a complete name. */
static void bare(char *host)
{
    size_t n;

    if (host[0] == '[') {
        memmove(host, host + 1, strlen(host));
        host[strcspn(host, "]%")] = '\0';
    }
    n = strlen(host);
    if (n > 0 && host[n - 1] == '.')
        host[n - 1] = '\0';
}

static bool is_one_of(const char *s, const char *a, const char *b)
{
    return strcmp(s, a) == 0 || strcmp(s, b) == 0;
}

static int look(CURLU *u, const char *url, enum address_way *way, char *host, unsigned size,
                const char *whose, struct err *e)
{
    char *scheme = NULL, *name = NULL, *password = NULL;
    int rc = 0;

    if (curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &name, 0) != CURLUE_OK || name[0] == '\0')
        rc = err_set(e, STATUS_USAGE, -EINVAL,
                     "%s: this is no address: one looks like wss://host/path", whose);
    else if (!is_one_of(scheme, "wss", "https") && !is_one_of(scheme, "ws", "http"))
        rc = err_set(e, STATUS_USAGE, -EINVAL,
                     "%s: a realtime endpoint is at wss:// or ws://, not %s://", whose, scheme);
    else if (curl_url_get(u, CURLUPART_PASSWORD, &password, 0) == CURLUE_OK)
        rc = err_set(e, STATUS_USAGE, -EINVAL,
                     "%s: there is a password in its address, which others can see; use a key",
                     whose);
    if (rc == 0) {
        snprintf(host, size, "%s", name);
        bare(name);
        *way = is_one_of(scheme, "wss", "https") ? ADDRESS_SEALED
               : is_near(name)                   ? ADDRESS_NEAR
                                                 : ADDRESS_OPEN;
    }
    curl_free(scheme);
    curl_free(name);
    curl_free(password);
    return rc;
}

int address_check(const char *url, enum address_way *way, char *host, unsigned size,
                  const char *whose, struct err *e)
{
    CURLU *u = curl_url();
    int rc;

    if (u == NULL)
        return err_set(e, STATUS_FAILED, -ENOMEM, "out of memory");
    rc = look(u, url, way, host, size, whose, e);
    curl_url_cleanup(u);
    return rc;
}
