"""Backends for the examples: two versions of a model, and a function that counts responses."""

import collections

import weir

# The number of concurrent requests.
BATCH = 200


class MyClass:
    """The old version."""

    def __call__(self, request):
        return {"model": "old", "input": request.data}


class MyNewClass:
    """The new version."""

    def __call__(self, request):
        return {"model": "new", "input": request.data}


def connect():
    """A client of the server at WEIR_ADMIN, by default the one that `make run` starts."""
    return weir.connect()


def who_answers(handle, requests):
    """Sends requests, and returns the number of responses of each backend."""
    answered = collections.Counter()
    for start in range(0, requests, BATCH):
        results = [handle.remote(number) for number in range(start, min(start + BATCH, requests))]
        answered.update(result.response().backend for result in results)
    return answered


def show(what, answered):
    """Prints a line of counts."""
    counts = "  ".join(f"{backend} {count}" for backend, count in sorted(answered.items()))
    print(f"{what:<34} {counts}")
