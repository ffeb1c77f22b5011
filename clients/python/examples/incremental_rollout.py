"""A new version takes over step by step; at any time there is a way back.

Here the steps follow each other at once. In practice days may lie between them, and each may be made
by another program: nothing but the names ties them together.
"""

from models import MyClass, MyNewClass, connect, show, who_answers


def main(client, requests=2_000):
    seen = {}

    def count(step):
        seen[step] = who_answers(client.get_handle("incremental_endpoint"), requests)
        show(step, seen[step])

    # At first the existing version answers everything.
    client.create_backend("existing_backend", MyClass)
    client.create_endpoint(
        "incremental_endpoint", backend="existing_backend", route="/incremental")
    client.create_backend("new_backend", MyNewClass)
    count("before")

    # Each step says which part of all shard keys changes its backend: never more than must.
    for weights in (
        {"existing_backend": 0.9, "new_backend": 0.1},
        {"existing_backend": 0.8, "new_backend": 0.2},
        {"existing_backend": 0.5, "new_backend": 0.5},
        {"new_backend": 1.0},
    ):
        change = client.set_traffic("incremental_endpoint", weights)
        count(f"{weights['new_backend']:.0%} new, {change.moved_share:.0%} of keys moved")

    # All the way back; every key has the backend that it had.
    client.set_traffic("incremental_endpoint", {"existing_backend": 1.0})
    count("rolled back")
    return seen


if __name__ == "__main__":
    with connect() as client:
        main(client)
