/* drift - a straight line through delays that were measured one after the other: how fast the
 * delay grows (two clocks), and what it is at any time. Theil-Sen: the median of the slopes between
 * all pairs (here weighted by how far apart they are), which a third of wild points does not move.
 * When several measurements in a row agree with one another and not with the line (a device was
 * opened again, samples were lost), the line starts again from those: that is a jump. A pure state
 * machine, no clock, no allocation. */
#ifndef HULLO_DSP_DRIFT_H
#define HULLO_DSP_DRIFT_H

#define DRIFT_POINTS    48
#define DRIFT_STRAYS    3
#define DRIFT_PPM_MAX   250.0 /* a line is never steeper */
#define DRIFT_PPM_ANY   100.0
#define DRIFT_QUALITY   10.0 /* what a measurement must have to be believed, see delay.h */
#define DRIFT_QUALITY_2 6.0  /* what is enough for one that is on the line anyway */
#define DRIFT_QUALITY_1 16.0 /* what needs no second one to be a jump, if it is over 2 ms */

struct drift_point {
    double at_s, delay_s;
};

struct drift {
    struct drift_point points[DRIFT_POINTS]; /* the latest, oldest first */
    int n;
    struct drift_point strays[DRIFT_STRAYS]; /* the latest that did not fit */
    int stray;
    double prior_ppm, prior_sure_ppm; /* what is assumed before there are enough points, and the
                                         standard deviation of that */
    double ppm, sure_ppm;             /* slope of the line */
    double at_s, delay_s;             /* a point on the line */
};

enum drift_news {
    DRIFT_IGNORED, /* too poor to tell */
    DRIFT_STRAY,   /* it did not fit; it is remembered in case others follow it */
    DRIFT_FIRST,   /* the line has its first point */
    DRIFT_FITTED,  /* the line was fitted again */
    DRIFT_JUMPED,  /* the delay jumped: the line goes through the new points, slope as before */
};

void drift_init(struct drift *d, double prior_ppm, double prior_sure_ppm);

/* quality as in delay.h. Times rise; an earlier one starts again as if it were a jump. */
enum drift_news drift_add(struct drift *d, double at_s, double delay_s, double quality);

double drift_delay(const struct drift *d, double at_s); /* of the line; valid once n > 0 */

#endif
