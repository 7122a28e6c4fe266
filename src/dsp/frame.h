/* frame - what the echo path works on: 16 kHz, mono, in frames of 10 ms. */
#ifndef HULLO_DSP_FRAME_H
#define HULLO_DSP_FRAME_H

#define DSP_HZ    16000
#define DSP_FRAME 160 /* samples */

#endif
