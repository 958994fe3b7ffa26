"""One module a verb of the command line, imported when the verb is asked for."""
