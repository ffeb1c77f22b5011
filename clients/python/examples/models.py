"""What the examples serve: stand-ins for two versions of a model, and a way to count who answers."""

import collections
import os

import weir

# Requests that are sent at once.
BATCH = 200


class MyClass:
    """The version that everybody knows."""

    def __call__(self, request):
        return {"model": "old", "input": request.data}


class MyNewClass:
    """The version that might be better."""

    def __call__(self, request):
        return {"model": "new", "input": request.data}


def connect():
    """The server that `make run` starts, or the one that WEIR_ADMIN names."""
    return weir.connect(os.environ.get("WEIR_ADMIN", "127.0.0.1:8001"))


def who_answers(handle, requests):
    """Sends so many requests; tells how many of them each backend has answered."""
    answered = collections.Counter()
    for start in range(0, requests, BATCH):
        results = [handle.remote(number) for number in range(start, min(start + BATCH, requests))]
        answered.update(result.response().backend for result in results)
    return answered


def show(what, answered):
    """Prints a line of counts."""
    counts = "  ".join(f"{backend} {count}" for backend, count in sorted(answered.items()))
    print(f"{what:<34} {counts}")
