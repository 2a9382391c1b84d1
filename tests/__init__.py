"""Tests: `rust` of the core, `python` of its Python face, `e2e` of real clients on a real Hub."""
