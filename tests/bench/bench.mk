# The benchmark of the duplex path: README.md beside this file. It runs the virtual room as a library.
DUPLEX_RUN = duplex_run duplex_sound duplex_player duplex_plan duplex_scene duplex_weights
DUPLEX_PEERS = duplex_peers duplex_tape duplex_front duplex_gain duplex_weights
DUPLEX_REPLAY = duplex_replay duplex_weights
DUPLEX_ROOM = $(if $(filter-out Darwin,$(OS)),$(ROOM_PLUGIN))
DUPLEX_PROGRAMS = $(BUILD)/bench/duplex_run $(BUILD)/bench/duplex_peers $(BUILD)/bench/duplex_replay

$(BUILD)/bench/duplex_run: $(DUPLEX_RUN:%=$(BUILD)/tests/bench/%.o) \
	$(patsubst %,$(BUILD)/room/%.o,room_dsp room_wav room_knobs room_air)
$(BUILD)/bench/duplex_peers: $(DUPLEX_PEERS:%=$(BUILD)/tests/bench/%.o)
$(BUILD)/bench/duplex_replay: $(DUPLEX_REPLAY:%=$(BUILD)/tests/bench/%.o)
# Not with the fakes of the unit tests: they stand in for the chain.
$(DUPLEX_PROGRAMS): $(LIB)
	@mkdir -p $(@D)
	$(SAY) '  LINK  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(RUN_PATH) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(ALL_LIBS)
bench: $(DUPLEX_PROGRAMS)
bench-duplex: $(BUILD)/hullo $(DUPLEX_PROGRAMS) $(DUPLEX_ROOM) ## measure barge-in and echo, in many rooms (BENCH_HOURS=8: longer)
	@HULLO=$(abspath $(BUILD)/hullo) HULLO_SHARE=$(CURDIR)/share BUILD=$(abspath $(BUILD)) \
		$(PYTHON) tests/bench/bench_duplex.py
bench-endpoint: $(BUILD)/hullo $(BUILD)/bench/bench_sessions $(DUPLEX_ROOM) ## measure what hullo adds to a realtime endpoint, and what becomes of broken links
	@$(MAKE) -s LOCAL=0 BUILD=$(abspath $(BUILD))/nolocal all
	@python=$$(sh deps/deps.sh venv) && HULLO=$(abspath $(BUILD)/hullo) HULLO_NOLOCAL=$(abspath $(BUILD))/nolocal/hullo \
		HULLO_SHARE=$(CURDIR)/share BUILD=$(abspath $(BUILD)) $$python tests/bench/bench_endpoint.py
TEST_PROGRAMS += $(if $(filter-out Darwin,$(OS)),$(BUILD)/bench/duplex_replay)
.PHONY: bench-duplex bench-endpoint
.SECONDARY: $(patsubst %,$(BUILD)/tests/bench/%.o,$(DUPLEX_RUN) $(DUPLEX_PEERS) $(DUPLEX_REPLAY))
-include $(patsubst %,$(BUILD)/tests/bench/%.d,$(DUPLEX_RUN) $(DUPLEX_PEERS) $(DUPLEX_REPLAY))

# A unit test of what it measures with.
$(BUILD)/tests/test_bench_duplex: $(patsubst %,$(BUILD)/tests/bench/duplex_%.o,sound player gain tape) \
	$(BUILD)/room/room_dsp.o $(BUILD)/room/room_wav.o
