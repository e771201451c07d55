"""The marking room: a local web server in which people mark what only a person can judge."""
