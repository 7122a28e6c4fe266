"""The markers: found again after every way that sound takes here, and broken by what a listener would hear."""

import random

import pytest
from fake.realtime import find, marker
from fake.realtime.marker import HIGHEST, samples, to_bytes, whole_numbers


def silence(rng, hz):
    return bytes(2 * rng.randrange(hz // 2))


@pytest.mark.parametrize("hz", [8000, 16000, 24000, 48000])
def test_a_marker_is_found_wherever_it_begins(hz):
    rng = random.Random(hz)
    for number in (0, HIGHEST, *rng.choices(range(HIGHEST), k=6)):
        pcm = silence(rng, hz) + marker(number, hz, rng.randrange(1, 4)) + silence(rng, hz)
        assert [(m.number, m.whole) for m in find(pcm, hz)] == [(number, True)]


def test_two_in_a_row_are_two_and_twice_the_same_is_twice():
    assert whole_numbers(marker(7) + marker(8, frames=2) + marker(8, frames=2)) == [7, 8, 8]


def linear(x, of, to):
    """Resampled as simply as it can be."""
    out = []
    for i in range(len(x) * to // of - 2):
        at, part = divmod(i * of, to)
        out.append(x[at] + (x[at + 1] - x[at]) * part // to)
    return out


@pytest.mark.parametrize(("of", "to"), [(16000, 24000), (24000, 16000), (48000, 24000)])
def test_resampling_leaves_it_whole(of, to):
    pcm = to_bytes(linear(samples(marker(1234, of, 3) + bytes(4800)), of, to))
    assert whole_numbers(pcm, to) == [1234]


def test_noise_of_a_room_leaves_it_whole():
    rng = random.Random(5)
    pcm = to_bytes([int(x * 0.3 + rng.gauss(0, 300)) for x in samples(bytes(9600) + marker(99, frames=2) + bytes(9600))])
    assert whole_numbers(pcm) == [99]


@pytest.mark.parametrize("ms", [20, 40, 110, 320])
def test_a_piece_that_is_missing_or_doubled_breaks_it(ms):
    rng = random.Random(ms)
    for _ in range(6):
        pcm, piece = marker(rng.randrange(HIGHEST), 24000, 3), 48 * ms
        at = 2 * rng.randrange(1200, (len(pcm) - piece) // 2 - 1200)
        assert not whole_numbers(bytes(4800) + pcm[:at] + pcm[at + piece :] + bytes(4800))
        assert not whole_numbers(bytes(4800) + pcm[: at + piece] + pcm[at:] + bytes(4800))


def test_silence_and_a_plain_tone_are_no_markers():
    from fake import recording

    assert find(bytes(48000)) == []
    assert whole_numbers(recording.speech(1.0), 16000) == []
