"""The service of an exam room's computer: time, tasks, identity, storage and network."""
