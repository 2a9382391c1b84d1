"""What the tests share, and is no test: the world they run in, ways to drive programs, servers."""
