internal import GRPCWire
internal import HTTP2Session
internal import Traces
internal import Transport
internal import Upstream

/// The headers of the request to a replica.
extension ForwardedCall {
    /// Not forwarded: headers of one connection, headers that Weir writes, and headers that clients
    /// must not set.
    private static let written: [KnownHeader] =
        KnownHeader.hopByHop + [
            .method, .scheme, .te, .timeout, .shadow, .backend, .previousAttempts, .forwardedFor,
        ]
    private static let notForwarded = Excluded(written)
    private static let notForwardedWithAuthority = Excluded(written + [.authority])

    /// The headers that are not forwarded, without and with those of a trace.
    private struct Excluded {
        private let untraced: HeaderBlock.KnownSet
        /// `tracestate` and `baggage` of the caller's trace are forwarded.
        private let continued: HeaderBlock.KnownSet
        private let begun: HeaderBlock.KnownSet

        init(_ written: [KnownHeader]) {
            let replaced = written + [.traceParent, .traceBinary]
            untraced = KnownHeader.set(written)
            continued = KnownHeader.set(replaced)
            begun = KnownHeader.set(replaced + [.traceState])
        }

        func headers(_ trace: CallTrace?) -> HeaderBlock.KnownSet {
            guard let trace else { return untraced }
            return trace.continuesCaller ? continued : begun
        }
    }

    /// The headers of an attempt.
    func requestHeaders(_ pool: BackendPool) -> HeaderParts {
        let client = requestHeaders
        let last = addedHeaders(client, pool)
        if pool.options.authority.isEmpty, client.first(.authority) != nil {
            return HeaderParts(
                pool.requestPrefix, passing: client, except: Self.notForwarded.headers(trace), last)
        }
        var prefix = pool.requestPrefix
        let host = client.first(.host).map { client.text($0) } ?? "weir"
        prefix.append(
            ":authority", pool.options.authority.isEmpty ? host : pool.options.authority)
        return HeaderParts(
            prefix, passing: client, except: Self.notForwardedWithAuthority.headers(trace), last)
    }

    /// The headers that Weir writes.
    private func addedHeaders(_ client: HeaderBlock, _ pool: BackendPool) -> HeaderBlock {
        var headers = pool.requestSuffix
        if isShadow { headers.append(KnownHeader.shadow.name, "1") }
        if let trace { append(trace, to: &headers) }
        if let left = timeLeft { headers.append("grpc-timeout", Timeout.format(nanoseconds: left)) }
        let before =
            client.first(.previousAttempts).flatMap { DecimalNumber.parse(client.value(of: $0)) }
            ?? 0
        if before + attempt.attempts > 1 {
            headers.append("grpc-previous-rpc-attempts", "\(before + attempt.attempts - 1)")
        }
        if pool.options.addsForwardedFor || client.first(.forwardedFor) != nil {
            appendForwardedFor(client, pool, to: &headers)
        }
        return headers
    }

    private func append(_ trace: CallTrace, to headers: inout HeaderBlock) {
        let sent = trace.sent
        headers.append(KnownHeader.traceParent.name, bytes: sent.parent)
        guard trace.hasBinary else { return }
        headers.append(KnownHeader.traceBinary.name, Base64.encode(sent.binary))
    }

    /// Forwards `x-forwarded-for`, and appends the client's address if configured.
    private func appendForwardedFor(
        _ client: HeaderBlock, _ pool: BackendPool, to headers: inout HeaderBlock
    ) {
        var addresses = client.all(.forwardedFor).map { client.text($0) }
        if pool.options.addsForwardedFor, let address = peer.ipAddress {
            addresses.append(address)
        }
        if !addresses.isEmpty {
            headers.append("x-forwarded-for", addresses.joined(separator: ", "))
        }
    }
}
