package import HTTP2Session
internal import Logging
internal import Transport
package import Upstream

extension ReplicaSet {
    /// A backend of upstream addresses, which logs nothing.
    package convenience init(
        test name: String = "b", addresses: [String] = [],
        options: BackendOptions = BackendOptions(), onChange: @escaping @Sendable () -> Void = {}
    ) throws {
        self.init(name: name, options: options, log: .silent, onChange: onChange)
        update(options, tls: nil, addresses: try addresses.map { try ReplicaAddress($0) })
    }
}

extension LoopContext {
    /// The pools' part of an embedded loop.
    package convenience init(
        test loop: borrowing EmbeddedLoop, http2 limits: HTTP2Limits = HTTP2Limits()
    ) {
        self.init(
            ConnectionLoop(loop.eventLoop), viaMark: ViaMark(server: 1), http2Limits: limits)
    }
}
