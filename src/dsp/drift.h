/* drift - a straight line through delays that were measured one after the other: how fast the
 * delay grows (two clocks), and what it is at any time. Theil-Sen: the median of the slopes between
 * all pairs, which a third of wild points does not move. When several measurements in a row agree
 * with one another and not with the line (a device was opened again, samples were lost), the line
 * starts again from those: that is a jump. A pure state machine, no clock, no allocation. */
#ifndef HULLO_DSP_DRIFT_H
#define HULLO_DSP_DRIFT_H

#include <stdbool.h>

#define DRIFT_POINTS  48
#define DRIFT_PPM_MAX 250.0 /* a line is never steeper */

struct drift_point {
    double at_s, delay_s, weight;
};

struct drift {
    struct drift_point points[DRIFT_POINTS]; /* the latest, oldest first */
    int n;
    double prior_ppm;     /* what is assumed before there are enough points */
    double ppm;           /* slope of the line */
    double at_s, delay_s; /* a point on the line */
};

enum drift_news {
    DRIFT_IGNORED, /* the measurement did not fit; it is remembered in case others follow it */
    DRIFT_FIRST,   /* the line has its first point */
    DRIFT_FITTED,  /* the line was fitted again */
    DRIFT_JUMPED,  /* the delay jumped: the line goes through the new points, slope as before */
};

void drift_init(struct drift *d, double prior_ppm);

/* quality as in delay.h. */
enum drift_news drift_add(struct drift *d, double at_s, double delay_s, double quality);

double drift_delay(const struct drift *d, double at_s); /* of the line; valid once n > 0 */

#endif
