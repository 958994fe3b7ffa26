"""A whole virtual exam room on this machine: broker, record system, hub, instruments, a visit."""
