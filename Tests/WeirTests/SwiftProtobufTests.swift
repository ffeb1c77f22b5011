internal import Logging
internal import SwiftProtobuf
internal import Testing
internal import Weir
internal import WeirSwiftProtobuf

@Suite(.timeLimit(.minutes(1))) struct SwiftProtobufTests {
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

    /// A file with a service of a Timestamp, and the file that it imports.
    private static let descriptors: Google_Protobuf_FileDescriptorSet = .with { set in
        let timestamp = Google_Protobuf_FileDescriptorProto.with { file in
            file.name = "google/protobuf/timestamp.proto"
            file.package = "google.protobuf"
            let field = Google_Protobuf_FieldDescriptorProto.with {
                ($0.name, $0.number, $0.type, $0.label) = ("seconds", 1, .int64, .optional)
            }
            file.messageType = [
                .with { ($0.name, $0.field) = ("Timestamp", [field]) }
            ]
        }
        let clock = Google_Protobuf_FileDescriptorProto.with { file in
            (file.name, file.package, file.syntax) = ("clock.proto", "times", "proto3")
            file.dependency = [timestamp.name]
            let method = Google_Protobuf_MethodDescriptorProto.with {
                $0.name = "Later"
                $0.inputType = ".google.protobuf.Timestamp"
                $0.outputType = ".google.protobuf.Timestamp"
            }
            file.service = [.with { ($0.name, $0.method) = ("Clock", [method]) }]
        }
        set.file = [timestamp, clock]
    }

    @Test("Reflection describes SwiftProtobuf's messages by the descriptor set of their service")
    func reflection() async throws {
        let descriptors: [UInt8] = try Self.descriptors.serializedBytes()
        let service = Service("times.Clock", descriptorSet: descriptors)
            .unary("Later") { (time: Proto<SwiftProtobuf.Google_Protobuf_Timestamp>, _) in
                Proto(
                    SwiftProtobuf.Google_Protobuf_Timestamp.with { $0.seconds = time.seconds + 1 })
            }
        var configuration = WeirServer.Configuration()
        configuration.data = Address(host: "127.0.0.1", port: 0)
        configuration.admin = Address(host: "127.0.0.1", port: 0)
        configuration.log.logLevel = .critical
        let server = WeirServer(
            configuration, backends: [HandlerBackend("clock", services: [service])])
        let client = WeirClient(try await server.start().data)
        try await server.createEndpoint("clock", route: "/times.Clock/", backend: "clock")
        let call = try await client.open(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            .init(timeout: .seconds(20)))
        // `file_containing_symbol`.
        try await call.send([0x22, 11] + Array("times.Clock".utf8))
        call.finish()
        let answer = try #require(try await call.next())
        let text = String(decoding: answer, as: UTF8.self)
        #expect(text.contains("clock.proto") && text.contains("timestamp.proto"))
        await client.close()
        try await server.shutDown()
    }
}
