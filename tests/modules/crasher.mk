LIBS_crasher := $(LIBS_LIBEVENT)
