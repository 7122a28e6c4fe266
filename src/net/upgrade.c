#include "net/upgrade.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

/* The request. */

int upgrade_key(char key[UPGRADE_KEY])
{
    unsigned char random[16];

    if (RAND_bytes(random, sizeof random) != 1)
        return -EIO;
    EVP_EncodeBlock((unsigned char *)key, random, sizeof random);
    return 0;
}

int upgrade_accept(char accept[UPGRADE_ACCEPT], const char *key)
{
    char text[UPGRADE_KEY + 36];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    int length = snprintf(text, sizeof text, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);

    if (EVP_Digest(text, (size_t)length, digest, &n, EVP_sha1(), NULL) != 1 || n != 20)
        return -EIO;
    EVP_EncodeBlock((unsigned char *)accept, digest, (int)n);
    return 0;
}

static const char *find_header(const struct curl_slist *headers, const char *name)
{
    size_t n = strlen(name);

    for (; headers != NULL; headers = headers->next)
        if (strncasecmp(headers->data, name, n) == 0 && headers->data[n] == ':')
            return headers->data + n + 1;
    return NULL;
}

static char *url_part(CURLU *u, CURLUPart part, unsigned flags)
{
    char *s = NULL;

    return curl_url_get(u, part, &s, flags) == CURLUE_OK ? s : NULL;
}

static void add_credentials(struct buf *out, CURLU *u)
{
    char *user = url_part(u, CURLUPART_USER, CURLU_URLDECODE);
    char *password = url_part(u, CURLUPART_PASSWORD, CURLU_URLDECODE);
    struct buf plain = BUF_INIT;
    unsigned char *coded = NULL;

    if (user != NULL) {
        buf_addf(&plain, "%s:%s", user, password != NULL ? password : "");
        coded = malloc(plain.len / 3 * 4 + 5);
        if (buf_failed(&plain) || coded == NULL)
            out->failed = true;
        else if (EVP_EncodeBlock(coded, (const unsigned char *)plain.data, (int)plain.len) > 0)
            buf_addf(out, "Authorization: Basic %s\r\n", (const char *)coded);
    }
    free(coded);
    buf_free(&plain);
    curl_free(user);
    curl_free(password);
}

void upgrade_request(struct buf *out, const char *url, const struct curl_slist *headers,
                     const char *key)
{
    CURLU *u = curl_url();
    char *host, *port, *path, *query;

    if (u == NULL || curl_url_set(u, CURLUPART_URL, url, CURLU_URLENCODE) != CURLUE_OK) {
        out->failed = true;
        curl_url_cleanup(u);
        return;
    }
    host = url_part(u, CURLUPART_HOST, 0);
    port = url_part(u, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
    path = url_part(u, CURLUPART_PATH, 0);
    query = url_part(u, CURLUPART_QUERY, 0);
    if (host == NULL || path == NULL)
        out->failed = true;
    else
        buf_addf(out, "GET %s%s%s HTTP/1.1\r\nHost: %s%s%s\r\n", path, query != NULL ? "?" : "",
                 query != NULL ? query : "", host, port != NULL ? ":" : "",
                 port != NULL ? port : "");
    buf_addf(out,
             "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
             "Sec-WebSocket-Version: 13\r\n",
             key);
    if (find_header(headers, "User-Agent") == NULL)
        buf_adds(out, "User-Agent: hullo/" HULLO_VERSION "\r\n");
    if (find_header(headers, "Authorization") == NULL)
        add_credentials(out, u);
    for (const struct curl_slist *l = headers; l != NULL; l = l->next)
        buf_addf(out, "%s\r\n", l->data);
    buf_adds(out, "\r\n");
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_free(query);
    curl_url_cleanup(u);
}

/* The answer: its lines. */

struct span {
    const char *at;
    size_t n;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct span trimmed(const char *at, size_t n)
{
    while (n > 0 && is_blank(*at)) {
        at++;
        n--;
    }
    while (n > 0 && is_blank(at[n - 1]))
        n--;
    return (struct span){at, n};
}

static bool equals(struct span s, const char *word)
{
    return s.n == strlen(word) && strncasecmp(s.at, word, s.n) == 0;
}

/* Whether the list "a, b, c" has the word. */
static bool lists(struct span list, struct span word)
{
    while (list.n > 0) {
        const char *comma = memchr(list.at, ',', list.n);
        size_t n = comma != NULL ? (size_t)(comma - list.at) : list.n;
        struct span item = trimmed(list.at, n);

        if (item.n == word.n && strncasecmp(item.at, word.at, word.n) == 0)
            return true;
        if (comma == NULL)
            break;
        list.at += n + 1;
        list.n -= n + 1;
    }
    return false;
}

static struct span word(const char *s)
{
    return (struct span){s, strlen(s)};
}

/* A decimal number of at most 9 digits, or -1. */
static long number(struct span s)
{
    long value = 0;

    if (s.n == 0 || s.n > 9)
        return -1;
    for (size_t i = 0; i < s.n; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return -1;
        value = value * 10 + (s.at[i] - '0');
    }
    return value;
}

/* The line at *at, without its end; *at goes to the next one. False when it is not complete. */
static bool next_line(const char **at, const char *end, struct span *line)
{
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));

    if (newline == NULL)
        return false;
    line->at = *at;
    line->n = (size_t)(newline - *at);
    if (line->n > 0 && line->at[line->n - 1] == '\r')
        line->n--;
    *at = newline + 1;
    return true;
}

/* What an answer says, as far as it is anything to us. */
struct head {
    int status;
    const char *end; /* where the body begins */
    struct span upgrade, connection, accept, protocol, extensions, location, retry_after;
    int accepts; /* how often Sec-WebSocket-Accept was there */
    long length; /* Content-Length; -1: none */
    bool chunked;
};

static void take_header(struct head *h, struct span name, struct span value)
{
    struct span *const places[] = {&h->upgrade,    &h->connection, &h->accept,     &h->protocol,
                                   &h->extensions, &h->location,   &h->retry_after};
    static const char *const names[] = {"Upgrade",
                                        "Connection",
                                        "Sec-WebSocket-Accept",
                                        "Sec-WebSocket-Protocol",
                                        "Sec-WebSocket-Extensions",
                                        "Location",
                                        "Retry-After"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (equals(name, names[i]))
            *places[i] = value;
    if (equals(name, "Sec-WebSocket-Accept"))
        h->accepts++;
    if (equals(name, "Content-Length"))
        h->length = number(value);
    if (equals(name, "Transfer-Encoding"))
        h->chunked = lists(value, word("chunked"));
}

static int status_of(struct span line)
{
    long status = -1;

    if (line.n >= 12 && memcmp(line.at, "HTTP/1.", 7) == 0 && line.at[8] == ' ' &&
        (line.n == 12 || line.at[12] == ' '))
        status = number((struct span){line.at + 9, 3});
    return status >= 100 && status <= 999 ? (int)status : -1;
}

/* One header from `at`: 1 when it is complete, 0 when there is more to come, -1 when this is no
 * HTTP. */
static int read_head(struct head *h, const char *at, const char *end)
{
    struct span line;

    *h = (struct head){.length = -1};
    if (!next_line(&at, end, &line))
        return memcmp(at, "HTTP/1.", end - at < 7 ? (size_t)(end - at) : 7) == 0 ? 0 : -1;
    h->status = status_of(line);
    if (h->status < 0)
        return -1;
    while (next_line(&at, end, &line)) {
        const char *colon;

        if (line.n == 0) {
            h->end = at;
            return 1;
        }
        colon = memchr(line.at, ':', line.n);
        if (colon == NULL || colon == line.at || is_blank(line.at[0]) ||
            memchr(line.at, '\0', line.n) != NULL)
            return -1;
        take_header(h, (struct span){line.at, (size_t)(colon - line.at)},
                    trimmed(colon + 1, line.n - (size_t)(colon + 1 - line.at)));
    }
    return 0;
}

/* ... its body. */

/* Appends what the chunks hold; true when the last one is there, or what comes is no chunk. */
static bool unchunk(struct buf *out, const char *at, const char *end)
{
    struct span line;

    while (next_line(&at, end, &line)) {
        size_t size = 0, i = 0, here;

        for (; i < line.n && i < 6; i++) {
            const char *digits = "0123456789abcdef0123456789ABCDEF";
            const char *digit = line.at[i] != '\0' ? strchr(digits, line.at[i]) : NULL;
            if (digit == NULL)
                break;
            size = size << 4 | ((size_t)(digit - digits) & 15);
        }
        if (i == 0 || size == 0)
            return true;
        here = (size_t)(end - at) < size ? (size_t)(end - at) : size;
        buf_add(out, at, here);
        at += here;
        if (here < size || !next_line(&at, end, &line))
            return false;
        if (line.n > 0)
            return true;
    }
    return false;
}

/* The words of a refusal, when its body is complete or long enough. */
static bool read_words(const struct head *h, const char *end, bool ended, struct upgrade_answer *a)
{
    size_t n = (size_t)(end - h->end);
    struct buf body = BUF_INIT;
    bool complete = ended || n >= UPGRADE_MAX_WORDS || h->status == 204 || h->status == 304;

    if (h->chunked)
        complete = unchunk(&body, h->end, end) || complete;
    else if (h->length >= 0 && n >= (size_t)h->length) {
        n = (size_t)h->length;
        complete = true;
    }
    if (!h->chunked)
        buf_add(&body, h->end, n);
    http_error_words(a->words, buf_str(&body), body.len);
    buf_free(&body);
    return complete;
}

/* Why this 101 is not an answer to our request; NULL: it is one. */
static const char *objection(const struct head *h, const char *key,
                             const struct curl_slist *headers)
{
    char accept[UPGRADE_ACCEPT];
    const char *asked = find_header(headers, "Sec-WebSocket-Protocol");

    if (!lists(h->upgrade, word("websocket")) || !lists(h->connection, word("upgrade")))
        return "it changes to another protocol";
    if (h->accepts == 0)
        return "its Sec-WebSocket-Accept is missing";
    if (upgrade_accept(accept, key) < 0 || h->accepts > 1 || h->accept.n != strlen(accept) ||
        memcmp(h->accept.at, accept, h->accept.n) != 0)
        return "its Sec-WebSocket-Accept is wrong; something on the way answers in its place";
    if (h->extensions.n > 0)
        return "it wants an extension that was not offered";
    if (h->protocol.n > 0 && (asked == NULL || !lists(word(asked), h->protocol)))
        return "it wants a subprotocol that was not offered";
    return NULL;
}

static void note(struct upgrade_answer *a, const struct head *h, const char *bytes)
{
    size_t n = h->location.n < sizeof a->location ? h->location.n : 0;

    a->status = h->status;
    a->head = (size_t)(h->end - bytes);
    a->retry_after_s = (int)number(h->retry_after);
    if (n > 0 && h->status / 100 == 3)
        memcpy(a->location, h->location.at, n);
}

enum upgrade_step upgrade_read(const char *bytes, size_t n, bool ended, const char *key,
                               const struct curl_slist *headers, struct upgrade_answer *a)
{
    const char *at = bytes, *end = bytes + n;
    struct head h;
    int rc;

    *a = (struct upgrade_answer){.retry_after_s = -1};
    /* Interim answers come before the one that counts. */
    while ((rc = read_head(&h, at, end)) == 1 && h.status / 100 == 1 && h.status != 101)
        at = h.end;
    if (rc < 0)
        return UPGRADE_GARBAGE;
    if ((rc == 0 && n > UPGRADE_MAX_HEAD) || (rc == 1 && h.end - bytes > UPGRADE_MAX_HEAD))
        return UPGRADE_TOO_LONG;
    if (rc == 0)
        return UPGRADE_MORE;
    note(a, &h, bytes);
    if (h.status == 101) {
        a->why = objection(&h, key, headers);
        return a->why == NULL ? UPGRADE_OPEN : UPGRADE_INVALID;
    }
    return read_words(&h, end, ended, a) ? UPGRADE_REFUSED : UPGRADE_MORE;
}
