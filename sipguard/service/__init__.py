"""Builds the house from the configuration: processes, start, stop, reload."""
