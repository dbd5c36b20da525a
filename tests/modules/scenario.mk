LIBS_scenario := $(LIBS_LIBEVENT)
