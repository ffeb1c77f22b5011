"""A new version gets one request in a hundred, then another one does; the better one gets all, or none."""

from models import MyClass, MyNewClass, connect, show, who_answers


class MyNewClass2(MyNewClass):
    """A second idea."""


def main(client, requests=3_000):
    seen = {}

    def count(step):
        seen[step] = who_answers(client.get_handle("canary_endpoint"), requests)
        show(step, seen[step])

    # To begin with, one backend answers everything.
    client.create_backend("default_backend", MyClass)
    client.create_endpoint(
        "canary_endpoint", backend="default_backend", route="/canary-test")
    count("before")

    # One per cent goes to the new version.
    client.create_backend("new_backend", MyNewClass)
    client.set_traffic("canary_endpoint", {"default_backend": 0.99, "new_backend": 0.01})
    count("one canary")

    # And one per cent to yet another.
    client.create_backend("new_backend2", MyNewClass2)
    client.set_traffic(
        "canary_endpoint", {"default_backend": 0.98, "new_backend": 0.01, "new_backend2": 0.01})
    count("two canaries")

    # The first one is better: it gets all traffic.
    client.set_traffic("canary_endpoint", {"new_backend": 1.0})
    count("promoted")

    # Or it was not so good after all: back to what everybody knows.
    client.set_traffic("canary_endpoint", {"default_backend": 1.0})
    count("reverted")
    return seen


if __name__ == "__main__":
    with connect() as client:
        main(client)
