"""Unpickles records in a process that never had their tokens."""

from __future__ import annotations

import base64
import json
import pickle
import sys

import hubtoken


def main() -> None:
    """Print each record's class and content, and whether its token can be had."""
    answers = []
    for data in json.load(sys.stdin):
        record = pickle.loads(base64.b64decode(data))  # noqa: S301 - our own
        answer = {
            "class": type(record).__name__,
            "content": record.to_dict(),
            "same": pickle.loads(pickle.dumps(record)) == record,  # noqa: S301 - our own
        }
        if isinstance(record, hubtoken.StoredToken):
            answer["token"] = repr(record.token)
            try:
                answer["fingerprint"] = hubtoken.HubToken(record.token.reveal()).fingerprint
            except hubtoken.TokenNotFoundError as error:
                answer["error"] = str(error)
        answers.append(answer)
    print(json.dumps(answers))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
