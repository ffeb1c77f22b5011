internal import GRPCWire
internal import Serving
internal import Transport

@testable internal import ControlPlane

/// Names and credentials from files, certificates and requests.
enum AccessFuzz {
    /// The input is an access file, a name of a certificate, and text for an error.
    static func feed(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        if let list = try? AccessList(text) {
            for entry in list.entries {
                precondition(!entry.principal.name.unicodeScalars.contains(where: \.isControl))
                guard case .certificate(let identity) = entry.credential else { continue }
                precondition(PeerIdentity(identity.description) == identity)
                precondition(list.principal(certificate: [identity]) == entry.principal)
            }
        }
        for kind in PeerIdentity.Kind.allCases {
            guard let identity = PeerIdentity(kind, text) else { continue }
            precondition(PeerIdentity(identity.description) == identity)
        }
        for limit in [3, 64] {
            let shown = text.printable(limit: limit)
            precondition(shown.utf8.count <= limit)
            precondition(!shown.unicodeScalars.contains(where: \.isControl))
        }
        let error = ControlError.notFound(.backend, text, known: [text], field: text).rpcError
        precondition(error.message.utf8.count < 1_200)
    }
}
