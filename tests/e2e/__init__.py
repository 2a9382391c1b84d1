"""Tests with the real clients of the Hub against the embedded one, over loopback."""
