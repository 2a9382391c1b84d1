"""Forks after an exchange: the child has the token, and exchanges anew once it is forgotten."""

import os
import sys

import hubtoken

before = hubtoken.resolve_token().reveal()
child = os.fork()
if child == 0:
    after = hubtoken.resolve_token().reveal()
    sys.stdout.write("same\n" if after == before else "another\n")
    hubtoken.clear_cache()
    after = hubtoken.resolve_token().reveal()
    sys.stdout.write("anew\n" if after != before else "same\n")
    sys.stdout.flush()
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
