LIBS_courier := $(LIBS_LIBEVENT)
