# The benchmark of the duplex path: README.md beside this file. It runs the virtual room as a library.
DUPLEX_RUN = duplex_run duplex_sound duplex_player duplex_plan duplex_scene duplex_weights
DUPLEX_PEERS = duplex_peers duplex_tape duplex_front duplex_gain duplex_weights
DUPLEX_PROGRAMS = $(BUILD)/bench/duplex_run $(BUILD)/bench/duplex_peers

$(BUILD)/bench/duplex_run: $(DUPLEX_RUN:%=$(BUILD)/tests/bench/%.o) \
	$(patsubst %,$(BUILD)/room/%.o,room_dsp room_wav room_knobs room_air)
$(BUILD)/bench/duplex_peers: $(DUPLEX_PEERS:%=$(BUILD)/tests/bench/%.o)
bench: $(DUPLEX_PROGRAMS)
bench-duplex: $(BUILD)/hullo $(DUPLEX_PROGRAMS) ## measure barge-in and echo, in many rooms (BENCH_HOURS=8: longer)
	@HULLO=$(abspath $(BUILD)/hullo) HULLO_SHARE=$(CURDIR)/share BUILD=$(abspath $(BUILD)) \
		$(PYTHON) tests/bench/bench_duplex.py
.PHONY: bench-duplex
.SECONDARY: $(patsubst %,$(BUILD)/tests/bench/%.o,$(DUPLEX_RUN) $(DUPLEX_PEERS))
-include $(patsubst %,$(BUILD)/tests/bench/%.d,$(DUPLEX_RUN) $(DUPLEX_PEERS))
