package import GRPCWire
package import Messages

extension RPCError {
    /// An error with a machine-readable detail: a `google.rpc.Status` in `grpc-status-details-bin`.
    package init(
        _ code: StatusCode, _ message: String, detail: any ProtobufMessage,
        metadata: Metadata = Metadata()
    ) {
        let packed = (try? detail.serializedBytes()) ?? []
        let url = "type.googleapis.com/" + (type(of: detail).messageName ?? "")
        let status = Google_Rpc_Status(
            code: Int32(clamping: code.rawValue), message: message,
            details: [Google_Protobuf_Any(typeUrl: url, value: packed)])
        var metadata = metadata
        if let bytes = try? status.serializedBytes() {
            metadata.add("grpc-status-details-bin", bytes: bytes)
        }
        self.init(code, message, metadata: metadata)
    }
}
