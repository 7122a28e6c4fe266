# The benchmark of the duplex path: README.md beside this file. It runs the virtual room as a library.
DUPLEX_PARTS = duplex_sound duplex_player duplex_plan duplex_scene
DUPLEX_OBJS = $(DUPLEX_PARTS:%=$(BUILD)/tests/bench/%.o) \
	$(patsubst %,$(BUILD)/room/%.o,room_dsp room_wav room_knobs room_air)

$(BUILD)/bench/duplex_run: $(DUPLEX_OBJS)
bench: $(BUILD)/bench/duplex_run
bench-duplex: $(BUILD)/bench/duplex_run ## measure barge-in and echo, in many rooms (BENCH_HOURS=8: longer)
	@HULLO=$(abspath $(BUILD)/hullo) HULLO_SHARE=$(CURDIR)/share BUILD=$(abspath $(BUILD)) \
		$(PYTHON) tests/bench/bench_duplex.py
.PHONY: bench-duplex
.SECONDARY: $(DUPLEX_PARTS:%=$(BUILD)/tests/bench/%.o) $(BUILD)/tests/bench/duplex_run.o
-include $(patsubst %,$(BUILD)/tests/bench/%.d,$(DUPLEX_PARTS) duplex_run)
