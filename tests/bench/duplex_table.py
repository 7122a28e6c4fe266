"""What bench_duplex found, as a table for people, on stderr."""

import sys


def say(*words):
    print(*words, file=sys.stderr)


def rounded(x, digits=1):
    return None if x is None else round(x, digits)


def percent(part, whole):
    return rounded(100 * part / whole, 2) if whole else None


PLAYBACK = """
{name}: {hours:.2f} h of playback
  self-interruptions per hour      {stops_per_hour:6.2f}  ({stops}); holds {holds_per_hour:.1f}, ducks {ducks_per_hour:.1f}
  in the first 2 s of {openings} openings   stops {first[stops]}, holds {first[holds]}, ducks {first[ducks]}; stopped in \
{first[stopped_in_rooms]} of {first[rooms]} rooms"""
CUT = "  {group:14} {level:17} n {n:4d}  missed {missed_percent:5.1f} %  p50 {latency_p50_ms}  p90 {latency_p90_ms} ms"
NOISE = (
    "  {kind:32} n {n:4d}  stop {stopped_percent:5.1f} %  hold {held_percent:5.1f} %  duck {ducked_percent:5.1f} %"
    "  back after {held_p50_ms} ms"
)
LIVE = """
the real program in {rooms} rooms, real time
  interruptions                    n {interruptions}, missed {missed}, p50 {latency_p50_ms}, p90 {latency_p90_ms} ms
  with nobody speaking             stops {unasked[stop]}, holds {unasked[hold]}
  decision to silence              n {silence[n]}, p50 {silence[p50]}, max {silence[max]} ms
  against the offline chain        n {offline[n]}, p50 {offline[p50]}, p90 {offline[p90]} ms; {offline[within_30]} within 30 ms
  truncation against samples       n {cut[n]}, p50 {cut[p50]}, max {cut[max]} ms"""
SIDE = (
    "  {front:11} {false_per_hour:7.1f} | {low[missed_percent]} % {low[p50_ms]} {low[p90_ms]} | {high[missed_percent]} %"
    " {high[p50_ms]} {high[p90_ms]} | {gain[mean]} {gain[median]} | {mild} {moderate} | {cpu_percent} %"
)


def show_rooms(name, s):
    p = s["playback"]
    say(PLAYBACK.format(name=name, first=p["first_2s"], openings=p["first_2s"]["openings"], **p))
    for group, mark in (("interruptions", ""), ("interruptions_synthetic", "*")):
        for level, i in s[group].items():
            if i["n"]:
                say(CUT.format(group="interruptions" + mark, level=level, **i))
    for group in ("noises", "backchannels"):
        for kind, d in s[group + "_synthetic"].items():
            if d["n"]:
                say(NOISE.format(kind="%s: %s*" % (group, kind), **d))
    say("  CPU                              %.2f %% of a core" % s["cpu_percent"])
    say("  ERLE after 5 s                   " + " ".join("%s %.0f" % x for x in s["erle_after_5s_db"].items()))


def show_live(live):
    if live:
        silence, offline = live["decision_to_silence_ms"], live["against_offline_ms"]
        say(LIVE.format(silence=silence, offline=offline, cut=live["truncation_off_ms"], **live))


def show_side_by_side(out):
    if not out:
        return
    say("\nthe same scenes, one rule for all (open loop): false/h | echo <= user: missed, p50, p90 ms | above |")
    say("gain on the user in double talk: mean, median dB | ERLE mild, moderate | CPU")
    for front, f in out.items():
        erle = {k: f.get("erle_" + k, {}).get("after_5s") for k in ("mild", "moderate")}
        low, high = f["echo_at_or_below_user"], f["echo_above_user"]
        say(SIDE.format(front=front, low=low, high=high, gain=f["gain_db"], **erle, **f))


def show(out):
    for name in ("train", "held_out"):
        if name in out:
            show_rooms(name, out[name])
    say("* synthetic")
    if "cpu_percent_with_48_khz_devices" in out:
        say("CPU with devices at 48 kHz: %.2f %% of a core" % out["cpu_percent_with_48_khz_devices"])
    for name, e in out["erle_db"].items():
        say("ERLE %s: %.1f dB in the first 2 s, %.1f after 5 s" % (name, e["first_2s"], e["after_5s"]))
    show_live(out["live"])
    show_side_by_side(out["side_by_side"])
