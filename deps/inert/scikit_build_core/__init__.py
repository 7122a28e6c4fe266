"""Stands in for a build backend while pip downloads a source archive."""
