LIBS_killhooks := $(LIBS_LIBEVENT)
