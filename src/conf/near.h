/* near - the name that was probably meant by one that does not exist. Pure; any thread. */
#ifndef HULLO_CONF_NEAR_H
#define HULLO_CONF_NEAR_H

/* A search over candidates that are offered one by one:
 *     struct near n = near_to("voise");
 *     near_offer(&n, "voice"); ...
 *     n.best is "voice", or NULL when nothing is close enough to be worth telling. */
struct near {
    const char *wanted, *best; /* borrowed */
    unsigned distance;
};

struct near near_to(const char *wanted);
void near_offer(struct near *n, const char *candidate);

/* "; did you mean 'voice'?" or "", into out. Returns out. */
const char *near_hint(const struct near *n, char *out, unsigned size);

#endif
