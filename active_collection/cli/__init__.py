"""The offline command line, active-collection."""
