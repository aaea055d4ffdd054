"""Export to and import from annotation tools."""
