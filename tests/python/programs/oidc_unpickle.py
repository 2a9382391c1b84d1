"""Reads a pickled token from stdin and writes its source, or the name of the error."""

import json
import pickle
import sys

import hubtoken

token = pickle.loads(bytes(json.load(sys.stdin)))  # noqa: S301 - the parent's own pickle
try:
    token.reveal()
except hubtoken.HubTokenError as error:
    sys.stdout.write(f"{type(error).__name__}\n")
else:
    sys.stdout.write(f"{token.source}\n")
