LIBS_seed_example := $(LIBS_LIBEVENT)
LIBS_unix_proxy := $(LIBS_LIBEVENT)
