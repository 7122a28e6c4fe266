"""The line to a realtime endpoint is cut in the middle of conversations: the short form of tests/bench/bench_link.py."""

from bench import bench_link


def test_a_cut_line_loses_no_turn_and_none_is_answered_twice(tmp_path, hullo, monkeypatch):
    monkeypatch.setenv("HULLO", hullo)
    result = bench_link.many(tmp_path, 10, at_once=2, seed=7)
    assert result["turns"] == result["cuts"] == 10
    assert result["given_wrong"] == 0, result["troubles"]
    assert (result["lost"], result["answered_twice"], result["unheard"]) == (0, 0, 0), result
    assert result["back_ms"]["p50"] < 500
