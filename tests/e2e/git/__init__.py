"""The programs git and git-lfs: with hubtoken as their credential helper, and against the Hub."""
