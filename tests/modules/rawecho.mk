LIBS_rawecho := $(LIBS_LIBEVENT)
