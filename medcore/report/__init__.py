"""The report that writes itself."""
