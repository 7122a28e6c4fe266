#include <string.h>
#include <stdlib.h>
#include "dsp/align.h"
struct align { int x; };
int align_new(struct align **out, const struct align_state *start){(void)start;*out=calloc(1,4);return 0;}
void align_far(struct align *a, const int16_t *x, size_t n){(void)a;(void)x;(void)n;}
bool align_frame(struct align *a, const int16_t mic[DSP_FRAME], int16_t ref[DSP_FRAME]){(void)a;(void)mic;memset(ref,0,320);return false;}
void align_lost(struct align *a, int64_t near, int64_t far){(void)a;(void)near;(void)far;}
bool align_due(struct align *a){(void)a;return false;}
void align_measure(struct align *a){(void)a;}
enum align_news align_adopt(struct align *a){(void)a;return ALIGN_NONE;}
void align_state(const struct align *a, struct align_state *out){(void)a;memset(out,0,sizeof *out);}
void align_reset(struct align *a){(void)a;}
void align_free(struct align *a){free(a);}
