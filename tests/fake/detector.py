"""detector - a stand-in for the voice activity detector's model: loud is speech, quiet is not.

It has the tensors of the real one, so that the program reads and runs it as such, and needs no fetching. What the
real one hears is for the tests of the detector itself. Standard library only.
"""

import array
import hashlib
import json
import math
import pathlib
import sys

HZ = 16000
NAME, FILE = "silero-vad", "silero_vad_16k_op15.onnx"
TAPS, BINS, CELLS = 256, 129, 128


def tensors():
    """{name: (shape, {index: weight})}: the spectrum's magnitudes from 250 Hz to 4 kHz are added up in channel 0,
    which goes through all layers to cell 0 of the LSTM; that remembers nothing and says if the sum is large."""
    stft = {}
    for k in range(4, 65):
        for i in range(TAPS):
            angle = 2 * math.pi * k * i / TAPS
            stft[k * TAPS + i] = math.cos(angle) / 128
            stft[(BINS + k) * TAPS + i] = -math.sin(angle) / 128
    gates = {0: 20.0, CELLS: -20.0, 2 * CELLS: -1.0, 3 * CELLS: 20.0}  # in, keep, cell, out: open, shut, -1, open
    encoder, decoder = "model.encoder.%d.reparam_conv.%s", "model.decoder.rnn.%s"
    found = {
        "model.stft.forward_basis_buffer": ((2 * BINS, 1, TAPS), stft),
        encoder % (0, "weight"): ((128, BINS, 3), {3 * bin + 1: 1.0 for bin in range(BINS)}),
        encoder % (1, "weight"): ((64, 128, 3), {1: 1.0}),
        encoder % (2, "weight"): ((64, 64, 3), {1: 0.5, 2: 0.5}),
        encoder % (3, "weight"): ((128, 64, 3), {1: 1.0}),
        decoder % "weight_ih": ((4 * CELLS, CELLS), {2 * CELLS * CELLS: 20.0}),
        decoder % "weight_hh": ((4 * CELLS, CELLS), {}),
        decoder % "bias_ih": ((4 * CELLS,), gates),
        decoder % "bias_hh": ((4 * CELLS,), {}),
        "model.decoder.decoder.2.weight": ((1, CELLS, 1), {0: 20.0}),
        "model.decoder.decoder.2.bias": ((1,), {0: -8.0}),
    }
    for layer, size in enumerate((128, 64, 64, 128)):
        found[encoder % (layer, "bias")] = ((size,), {})
    return found


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def field(number, value):
    """A field of Protocol Buffers: a number, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def floats(count, weights):
    values = array.array("f", bytes(4 * count))
    for index, weight in weights.items():
        values[index] = weight
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def model():
    """The model's bytes. Numbers of the fields: onnx.proto."""
    graph = b""
    for name, (shape, weights) in tensors().items():
        dims = b"".join(field(1, n) for n in shape)
        tensor = dims + field(2, 1) + field(8, name.encode()) + field(9, floats(math.prod(shape), weights))
        graph += field(5, tensor)
    return field(1, 8) + field(7, graph)


def install(folder):
    """Makes a models folder and a manifest that holds nothing else; returns what the program needs to know of it."""
    folder = pathlib.Path(folder)
    data = model()
    (folder / "models" / NAME).mkdir(parents=True)
    (folder / "models" / NAME / FILE).write_bytes(data)
    entry = {
        "name": NAME, "title": "loud is speech", "role": "vad", "standard": True,
        "licence": "GPL-3.0-or-later", "licence_text": "LICENSE",
        "files": [{"name": FILE, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(),
                   "sources": [{"hub": "nobody/nothing", "path": FILE}]}],
    }
    manifest = folder / "manifest.json"
    real = json.loads((pathlib.Path(__file__).parents[2] / "share" / "models.json").read_text())
    manifest.write_text(json.dumps({**real, "models": [entry]}))
    return {"HULLO_MODELS_DIR": str(folder / "models"), "HULLO_MODELS_MANIFEST": str(manifest)}
