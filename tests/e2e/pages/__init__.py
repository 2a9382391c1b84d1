"""The Hub's pages in a real browser."""
