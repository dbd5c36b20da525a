LIBS_events := $(LIBS_LIBEVENT)
