/* vad_net - the weights of the detector as its forward pass wants them; shared by vad.c and
 * vad_weights.c only.
 * Every layer is y[o] = bias[o] + sum over r of w[o][r] * x[r]. The matrices are stored in blocks
 * of VAD_BLOCK outputs, and within a block row after row, w[block][r][o]: the forward pass then
 * walks through memory once, from front to back, and needs no sum across a vector. The rows of a
 * convolution are tap after tap, and within a tap channel after channel. */
#ifndef HULLO_DSP_VAD_NET_H
#define HULLO_DSP_VAD_NET_H

#define VAD_BLOCK 8
#define VAD_BINS  129 /* of the 256-point spectrum */
#define VAD_CELLS 128 /* of the LSTM */
#define VAD_TAPS  256 /* of the STFT's window */

/* Outputs, and the inputs of each output. Two layers see so few frames that some of their taps only
 * ever meet padding; those taps are left out. */
#define VAD_STFT_OUT  264 /* 129 real parts, 129 imaginary ones, rounded up to whole blocks */
#define VAD_CONV1_OUT 128
#define VAD_CONV1_IN  (3 * VAD_BINS)
#define VAD_CONV2_OUT 64
#define VAD_CONV2_IN  (3 * VAD_CONV1_OUT)
#define VAD_CONV3_OUT 64
#define VAD_CONV3_IN  (2 * VAD_CONV2_OUT) /* the last two taps of three */
#define VAD_CONV4_OUT 128
#define VAD_CONV4_IN  VAD_CONV3_OUT /* the middle tap */
#define VAD_LSTM_OUT  (4 * VAD_CELLS)
#define VAD_LSTM_IN   (2 * VAD_CELLS) /* the layer below, then the last output */

struct vad_weights {
    _Alignas(64) float stft[VAD_STFT_OUT * VAD_TAPS];
    _Alignas(64) float conv1[VAD_CONV1_OUT * VAD_CONV1_IN];
    _Alignas(64) float conv2[VAD_CONV2_OUT * VAD_CONV2_IN];
    _Alignas(64) float conv3[VAD_CONV3_OUT * VAD_CONV3_IN];
    _Alignas(64) float conv4[VAD_CONV4_OUT * VAD_CONV4_IN];
    _Alignas(64) float lstm[VAD_LSTM_OUT * VAD_LSTM_IN];
    _Alignas(64) float stft_bias[VAD_STFT_OUT]; /* zero */
    _Alignas(64) float conv1_bias[VAD_CONV1_OUT];
    _Alignas(64) float conv2_bias[VAD_CONV2_OUT];
    _Alignas(64) float conv3_bias[VAD_CONV3_OUT];
    _Alignas(64) float conv4_bias[VAD_CONV4_OUT];
    _Alignas(64) float lstm_bias[VAD_LSTM_OUT]; /* the file has two; this is their sum */
    float last[VAD_CELLS];
    float last_bias;
};

#endif
