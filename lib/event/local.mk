noinst_LIBRARIES += lib/event/libyb_event.a
lib_event_libyb_event_a_SOURCES =
