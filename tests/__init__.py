"""Tests: `python` of the Python layer, `e2e` of real clients with a real Hub, and Rust tests."""
