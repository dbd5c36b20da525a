LIBS_misdeed := $(LIBS_LIBEVENT)
