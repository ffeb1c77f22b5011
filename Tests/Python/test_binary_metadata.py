"""Metadata whose names end in -bin, on its way to a replica."""

from peer import DATA, END_HEADERS, END_STREAM, Peer, message, request_fields

METADATA = "/test.Raw/Metadata"


def test_binary_metadata_of_a_client_does_not_make_a_replica_reset_the_stream(mesh):
    mesh.raw(mesh.upstream().address)

    def sent(stream, value):
        peer.headers(stream, request_fields(METADATA) + [("x-data-bin", value)], END_HEADERS)
        peer.send(DATA, END_STREAM, stream, message())
        return peer.response(stream)

    with Peer(mesh.weir.data) as peer:
        for number, value in enumerate(["!!!", "A", "AA,A", "AA A", "=", "\xe9"]):
            fields, _ = sent(2 * number + 1, value)
            assert fields["grpc-status"] == "3", (value, fields)
            assert "x-data-bin" in fields["grpc-message"]
        # grpcio resets a stream with joined values.
        for number, value in enumerate(["AP8,AP8=", "AP8 , AP8"]):
            fields, body = sent(2 * number + 101, value)
            assert fields["grpc-status"] == "0", (value, fields)
            assert body[5:].decode().count("x-data-bin=" + str(b"\x00\xff")) == 2
