"""A program that serves a backend until a supervisor stops it, and can be started again.

Weir marks the backend gone when the program ends in any way, and the next start takes it over: its
endpoint and the weights of its traffic remain. Ctrl-C ends the program for good, and deletes both.
"""

from models import connect


class Counter:
    """Counts its requests."""

    def __init__(self):
        self.count = 0

    def __call__(self, request):
        self.count += 1
        return {"count": self.count}


def main(client):
    client.create_backend("my_backend", Counter)
    client.create_endpoint("my_endpoint", backend="my_backend", route="/counter")
    print(f"serves http://{client.data_address}/counter", flush=True)
    client.serve_forever()


if __name__ == "__main__":
    main(connect())
