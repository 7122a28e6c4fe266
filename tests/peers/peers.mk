# Programs of ours that the tests of tests/peers talk with. Everything goes to $(BUILD)/peers.
PEER_BINS = $(addprefix $(BUILD)/peers/,link_probe wire_events ws_echo)

$(BUILD)/peers/%: $(BUILD)/tests/peers/%.o $(LIB)
	@mkdir -p $(@D)
	$(SAY) '  LINK  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(RUN_PATH) -o $@ $(filter %.o %.a,$^) $(ALL_LIBS)

TEST_PROGRAMS += $(PEER_BINS)
.SECONDARY: $(PEER_BINS:$(BUILD)/peers/%=$(BUILD)/tests/peers/%.o)
-include $(PEER_BINS:$(BUILD)/peers/%=$(BUILD)/tests/peers/%.d)
