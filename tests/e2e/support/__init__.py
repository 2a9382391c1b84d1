"""Shared code of the tests: the world they run in, ways to drive programs, servers."""
