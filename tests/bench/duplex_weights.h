/* duplex_weights - the voice detector's weights for a benchmark: from a file, or those that `hullo
 * models` has fetched. */
#ifndef DUPLEX_WEIGHTS_H
#define DUPLEX_WEIGHTS_H

#include "dsp/vad.h"

/* file NULL: the fetched ones. 0, or a negative errno with a message. */
int duplex_weights(struct vad_weights **out, const char *file, struct err *e);

#endif
