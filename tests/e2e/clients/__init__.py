"""Each client separately: libraries, commands, notebooks, guarded servers."""
