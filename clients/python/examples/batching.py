"""Answers many requests at once: an adder that gets its requests as a list.

A batch begins when the one before it ends, with the requests that wait. With `batch_wait_timeout`,
it begins when it is full or when this time is over.
"""

import concurrent.futures

import requests

import weir

from models import connect

SIZES = []


@weir.accept_batch
def add_one(batch):
    """Adds one to the number of each request, in one step."""
    SIZES.append(len(batch))
    numbers = [int(request.args["number"]) for request in batch]
    return [number + 1 for number in numbers]


def main(client, count=9):
    client.create_backend(
        "adder:v0", add_one, config={"max_batch_size": 4, "batch_wait_timeout": 0.2})
    client.create_endpoint("adder", backend="adder:v0", route="/adder", methods=["GET"])

    def query(number):
        response = requests.get(f"http://{client.data_address}/adder?number={number}")
        return int(response.text)

    # Each client sends one number, and gets one result.
    with concurrent.futures.ThreadPoolExecutor(count) as clients:
        by_http = list(clients.map(query, range(count)))
    print("by HTTP  ", *by_http)

    # A program sends a whole batch with a handle. The numbers arrive as numbers, not as text.
    handle = client.get_handle("adder")
    results = [handle.remote(number=number) for number in range(count)]
    by_handle = [result.result() for result in results]
    print("by handle", *by_handle)
    print(f"the largest batch had {max(SIZES)} requests")
    return by_http, by_handle, SIZES


if __name__ == "__main__":
    with connect() as client:
        main(client)
