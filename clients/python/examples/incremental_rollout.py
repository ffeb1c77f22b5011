"""Replaces a version step by step, with a rollback at the end.

Here the steps follow each other immediately. In practice, they can be days apart, and different
programs can make them: they share only the names.
"""

from models import MyClass, MyNewClass, connect, show, who_answers


def main(client, requests=2_000):
    seen = {}

    def count(step):
        seen[step] = who_answers(client.get_handle("incremental_endpoint"), requests)
        show(step, seen[step])

    # At first, the existing version answers all requests.
    client.create_backend("existing_backend", MyClass)
    client.create_endpoint(
        "incremental_endpoint", backend="existing_backend", route="/incremental")
    client.create_backend("new_backend", MyNewClass)
    count("before")

    # Each step reports the share of shard keys whose backend changes, which is the minimum.
    for weights in (
        {"existing_backend": 0.9, "new_backend": 0.1},
        {"existing_backend": 0.8, "new_backend": 0.2},
        {"existing_backend": 0.5, "new_backend": 0.5},
        {"new_backend": 1.0},
    ):
        change = client.set_traffic("incremental_endpoint", weights)
        count(f"{weights['new_backend']:.0%} new, {change.moved_share:.0%} of keys moved")

    # Roll back: each key returns to its previous backend.
    client.set_traffic("incremental_endpoint", {"existing_backend": 1.0})
    count("rolled back")
    return seen


if __name__ == "__main__":
    with connect() as client:
        main(client)
