LIBS_serve_evhttp := -levent_extra
