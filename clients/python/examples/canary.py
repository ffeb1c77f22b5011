"""Routes one request in a hundred to a new version and to a second one; promotes the better."""

from models import MyClass, MyNewClass, connect, show, who_answers


class MyNewClass2(MyNewClass):
    """A second new version."""


def main(client, requests=3_000):
    seen = {}

    def count(step):
        seen[step] = who_answers(client.get_handle("canary_endpoint"), requests)
        show(step, seen[step])

    # At first, one backend answers all requests.
    client.create_backend("default_backend", MyClass)
    client.create_endpoint(
        "canary_endpoint", backend="default_backend", route="/canary-test")
    count("before")

    # Route one per cent to the new version.
    client.create_backend("new_backend", MyNewClass)
    client.set_traffic("canary_endpoint", {"default_backend": 0.99, "new_backend": 0.01})
    count("one canary")

    # Route one per cent to a second new version.
    client.create_backend("new_backend2", MyNewClass2)
    client.set_traffic(
        "canary_endpoint", {"default_backend": 0.98, "new_backend": 0.01, "new_backend2": 0.01})
    count("two canaries")

    # The first one is better: route all traffic to it.
    client.set_traffic("canary_endpoint", {"new_backend": 1.0})
    count("promoted")

    # The new version has a problem: return to the old version.
    client.set_traffic("canary_endpoint", {"default_backend": 1.0})
    count("reverted")
    return seen


if __name__ == "__main__":
    with connect() as client:
        main(client)
