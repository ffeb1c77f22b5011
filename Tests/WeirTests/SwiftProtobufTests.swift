internal import SwiftProtobuf
internal import Testing
internal import Weir
internal import WeirSwiftProtobuf

@Suite struct SwiftProtobufTests {
    @Test("A handler receives and returns a SwiftProtobuf message")
    func roundTrips() throws {
        let timestamp = SwiftProtobuf.Google_Protobuf_Timestamp.with { $0.seconds = 5 }
        let bytes = try Proto(timestamp).serializedBytes()
        #expect(bytes == [8, 5])
        let back = try Proto<SwiftProtobuf.Google_Protobuf_Timestamp>(serializedBytes: bytes)
        #expect(back.seconds == 5)
        #expect(
            Proto<SwiftProtobuf.Google_Protobuf_Timestamp>.messageName
                == "google.protobuf.Timestamp")
    }

    @Test("Malformed bytes are rejected with the message's name")
    func rejects() {
        let error = #expect(throws: MessageError.self) {
            try Proto<SwiftProtobuf.Google_Protobuf_Timestamp>(serializedBytes: [8])
        }
        #expect(error?.description.contains("google.protobuf.Timestamp") == true)
    }
}
