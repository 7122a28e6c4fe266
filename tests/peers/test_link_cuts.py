"""The line to a realtime endpoint is cut in the middle of conversations: the short form of tests/bench/bench_link.py."""

from bench import bench_link


def test_a_cut_line_loses_no_turn_and_none_is_answered_twice(tmp_path, hullo):
    bench_link.HULLO = hullo
    sum_ = bench_link.many(tmp_path, 10, at_once=2, seed=7)
    assert sum_["turns"] == sum_["cuts"] == 10
    assert sum_["given_wrong"] == 0, sum_["troubles"]
    assert (sum_["lost"], sum_["answered_twice"], sum_["unheard"]) == (0, 0, 0), sum_
    assert sum_["violations"] == []
    assert sum_["back_ms"]["p50"] < 500
