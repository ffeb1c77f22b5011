package import Traces

extension Attribute {
    private static let maxAddressBytes = 256

    /// The address and the port of `host:port`. The address of a Unix socket has no port.
    package static func address(_ prefix: String, _ text: String) -> [Attribute] {
        guard !text.isEmpty else { return [] }
        guard let parts = HostAndPort(text), !parts.host.isEmpty else {
            return [Attribute("\(prefix).address", text.kept(bytes: maxAddressBytes))]
        }
        let host = String(parts.host).kept(bytes: maxAddressBytes)
        return [Attribute("\(prefix).address", host)]
            + (parts.port.map { [Attribute("\(prefix).port", $0)] } ?? [])
    }
}
