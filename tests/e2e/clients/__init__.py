"""Each client by itself: libraries, commands, notebooks, guarded servers."""
