"""Tests of the Python layer, one file per module."""
