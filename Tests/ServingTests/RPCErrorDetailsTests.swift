internal import GRPCWire
internal import Messages
internal import Testing

@testable internal import Serving

@Suite struct RPCErrorDetailsTests {
    @Test(
        "A code of any size has details",
        arguments: [(Int.max, Int32.max), (Int.min, .min), (5, 5)])
    func clampsCode(code: Int, sent: Int32) throws {
        let error = RPCError(
            StatusCode(rawValue: code), "", detail: Google_Rpc_ErrorInfo(reason: "R"))
        let bytes = try #require(error.metadata.bytes("grpc-status-details-bin").first)
        #expect(try Google_Rpc_Status(serializedBytes: bytes).code == sent)
        #expect(error.code.rawValue == code)
    }
}
