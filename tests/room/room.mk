# The virtual room: an ALSA plugin and the programs that try it. Linux only; README.md beside this
# file says how to use it. Everything goes to $(BUILD)/room.
ROOM_CFLAGS = -std=c17 -D_GNU_SOURCE $(WARN) $(if $(CI),-Werror) -O2 -g -fPIC -pthread \
	-include src/util/banned.h
ROOM_PARTS = room room_dsp room_knobs room_wav room_air room_record
ROOM_PLUGIN = $(BUILD)/room/libasound_module_pcm_room.so

ifneq ($(shell uname -s),Darwin)
room: $(ROOM_PLUGIN) $(BUILD)/room/room_click ## build the virtual room of tests/room
else
room:
	@echo 'the virtual room needs ALSA; it is left out on this system'
endif

# The room keeps its threads when ALSA unloads its plugins: nodelete.
$(ROOM_PLUGIN): $(BUILD)/room/pcm_room.o $(ROOM_PARTS:%=$(BUILD)/room/%.o)
	$(SAY) '  LINK  $@'
	$(Q)$(CC) -shared $(LDFLAGS) -Wl,-z,nodelete -pthread -o $@ $^ -lasound -lm
$(BUILD)/room/%.o: tests/room/%.c tests/room/room.mk
	@mkdir -p $(@D)
	$(SAY) '  CC    $<'
	$(Q)$(CC) $(ROOM_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/room/pcm_room.o: ROOM_CFLAGS += -DPIC
$(BUILD)/room/room_click: $(BUILD)/room/room_click.o
	$(SAY) '  LINK  $@'
	$(Q)$(CC) $(LDFLAGS) -pthread -o $@ $^ -lportaudio -lm

# The unit tests of the acoustics link them as they are.
$(BUILD)/tests/test_room_dsp $(BUILD)/tests/test_delay $(BUILD)/tests/test_align \
	$(BUILD)/tests/test_nearend: $(BUILD)/room/room_dsp.o
$(BUILD)/tests/test_room_air: $(BUILD)/room/room_dsp.o $(BUILD)/room/room_wav.o \
	$(BUILD)/room/room_knobs.o $(BUILD)/room/room_air.o

.PHONY: room bench
-include $(wildcard $(BUILD)/room/*.d)

# What tests/bench/bench_callback.py runs in the room.
ROOM_BENCH = $(BUILD)/bench/flush_probe $(if $(filter 1,$(LOCAL)),$(BUILD)/bench/llm_loop)
bench: $(ROOM_BENCH)
.SECONDARY: $(ROOM_BENCH:$(BUILD)/bench/%=$(BUILD)/tests/bench/%.o)
-include $(ROOM_BENCH:$(BUILD)/bench/%=$(BUILD)/tests/bench/%.d)
