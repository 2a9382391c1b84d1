"""Tests of the Python face, one file a module."""
