/* derive - files that are made from fetched ones, the same bytes each time. They exist because
 * sherpa-onnx reads other forms than the publishers ship.
 *
 * - moonshine-tokens: tokenizer.bin -> tokens.txt, a line `base64(token) TAB id` each. The input
 *   holds, for each token, its length (one byte; from 128 on two, the value being
 *   b1 * 128 + b0 - 128) and its bytes; an empty token becomes "?".
 * - piper-tokens: VOICE.onnx.json -> tokens.txt, a line `symbol id` for each entry of
 *   phoneme_id_map.
 * - sherpa-vits: VOICE.onnx, VOICE.onnx.json -> the model followed by the metadata_props (field 14
 *   of ONNX's ModelProto, pairs of key and value) that sherpa-onnx looks for. In protobuf, a
 *   repeated field may go on at the end of a message.
 */
#ifndef HULLO_MODELS_DERIVE_H
#define HULLO_MODELS_DERIVE_H

#include <stddef.h>

#include "util/err.h"

/* Writes `out` from the inputs. -EINVAL when `how` is none of the above or the inputs are not what
 * it says. */
int derive_file(const char *how, char *const *inputs, size_t n, const char *out, struct err *e);

#endif
