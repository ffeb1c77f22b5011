internal import GRPCWire
internal import HTTP2Session
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
    private static let notForwarded = KnownHeader.set(written)
    private static let notForwardedWithAuthority = KnownHeader.set(written + [.authority])

    /// The headers of an attempt.
    func requestHeaders(_ pool: BackendPool) -> HeaderParts {
        let client = joinsBinary ? requestHeaders.separatingBinary : requestHeaders
        let last = addedHeaders(client, pool)
        if pool.options.authority.isEmpty, client.first(.authority) != nil {
            return HeaderParts(
                pool.requestPrefix, passing: client, except: Self.notForwarded, last)
        }
        var prefix = pool.requestPrefix
        let host = client.first(.host).map { client.text($0) } ?? "weir"
        prefix.append(
            ":authority", pool.options.authority.isEmpty ? host : pool.options.authority)
        return HeaderParts(
            prefix, passing: client, except: Self.notForwardedWithAuthority, last)
    }

    /// The headers that Weir writes.
    private func addedHeaders(_ client: HeaderBlock, _ pool: BackendPool) -> HeaderBlock {
        var headers = pool.requestSuffix
        if isShadow { headers.append(KnownHeader.shadow.name, "1") }
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

extension HeaderBlock {
    /// The block with one field for each value of binary metadata.
    fileprivate var separatingBinary: HeaderBlock {
        var block = HeaderBlock()
        for index in fields.indices {
            let field = fields[index]
            let values = isBinary(field) ? Base64.separated(text(field)) : [text(field)]
            for value in values { block.append(name(field), value, known: field.known) }
        }
        return block
    }
}
