internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import NIOCore
internal import Observability
internal import TrafficPolicy
internal import Transport
internal import Upstream

/// A call that a replica answers. Weir forwards its bytes in both directions and does not decode
/// them.
///
/// ```
///               submit           lease             response headers
///   (new) --------------> waiting -----> attempting ---------------> committed --> ended
///                           ^                |  refused, failed,
///                           |                v  retryable status
///                           '--- pausing <---'
/// ```
///
/// Until the call is committed, the request is kept for another attempt, up to a limit. Flow
/// control is coupled: a sender gets credit only while at most `Limits.forwardBufferBytes` wait for
/// the other side.
///
/// Invariant of `@unchecked Sendable`: every stored `var` is used only on the connection's loop.
final class ForwardedCall: ServerCall, PoolRequest, @unchecked Sendable {
    private enum Phase {
        case idle
        case waiting(WaitingTicket)
        case attempting(BackendPool.Lease, HTTP2Stream)
        case pausing(Scheduled<Void>)
    }

    /// Set when the call begins.
    var pool: BackendPool?
    private var phase = Phase.idle
    private(set) var attempt = AttemptMachine()
    private var requestEnded = false
    private var request = ReplayBuffer()
    /// Request bytes for which the client has no credit yet.
    private var owedToClient = 0
    /// Response bytes for which the replica has no credit yet.
    private var owedToReplica = 0

    /// The replica that failed the last attempt, which the next attempt avoids.
    private(set) var failedReplica: Replica?
    /// The point of the shard key on the ring of replicas; nil without a key.
    private(set) var replicaPoint: UInt64?
    /// See `RequestHead.correctsBinary`.
    private(set) var correctsBinary = false

    private var limits: Limits { loop.limits }

    // MARK: The client

    override func answer(_ request: RequestHead) {
        guard let pool else { return }
        attempt = AttemptMachine()
        requestEnded = false
        self.request.reset()
        owedToClient = 0
        failedReplica = nil
        correctsBinary = request.correctsBinary
        // A shadow copy is not retried, so its request is not kept.
        if isShadow { self.request.drop() }
        if request.hasPassedProxy, let error = pool.forwardingLoopError(requestHeaders) {
            return refused(error)
        }
        replicaPoint =
            pool.options.replicaAffinity ? request.replicaPoint(in: requestHeaders) : nil
        pool.submit(self, at: startedAt)
    }

    override func receive(_ bytes: RawSpan, endStream: Bool) {
        guard state.isOpen else { return creditRequest(bytes.byteCount) }
        requestEnded = requestEnded || endStream
        owedToClient += bytes.byteCount
        guard case .attempting(let lease, let upstream) = phase else {
            return request.append(bytes, limit: nil)
        }
        if !attempt.isCommitted { request.append(bytes, limit: limits.retryBufferBytes) }
        if bytes.byteCount > 0 { lease.connection.write(bytes, to: upstream) }
        passedOn(lease, upstream, endStream: endStream)
    }

    /// A shadow copy has a replica from its start, or has ended.
    override func receive(shared bytes: [UInt8], endStream: Bool) {
        guard state.isOpen, case .attempting(let lease, let upstream) = phase else {
            return creditRequest(bytes.count)
        }
        requestEnded = requestEnded || endStream
        owedToClient += bytes.count
        lease.connection.write(shared: bytes, to: upstream)
        passedOn(lease, upstream, endStream: endStream)
    }

    private func passedOn(
        _ lease: BackendPool.Lease, _ upstream: HTTP2Stream, endStream: Bool
    ) {
        if endStream { lease.connection.finish(upstream) }
        creditClient(lease, upstream)
    }

    /// Returns flow-control credit to the client, unless many bytes wait for the replica.
    private func creditClient(_ lease: BackendPool.Lease, _ upstream: HTTP2Stream) {
        if isShadow { return creditCopy(lease, upstream) }
        guard owedToClient > 0, !requestEnded else { return }
        let limit = limits.forwardBufferBytes
        guard lease.connection.session.unsentBytes(of: upstream) <= limit else {
            return lease.connection.session.notifyWhenDrained(upstream, below: limit)
        }
        creditRequest(owedToClient)
        owedToClient = 0
    }

    /// Returns credit to a shadow copy for the bytes that were sent.
    private func creditCopy(_ lease: BackendPool.Lease, _ upstream: HTTP2Stream) {
        let unsent = lease.connection.session.unsentBytes(of: upstream)
        guard owedToClient > 0 else { return }
        creditRequest(owedToClient - unsent)
        owedToClient = unsent
        if unsent > 0 {
            lease.connection.session.notifyWhenDrained(upstream, below: unsent / 2 + 1)
        }
    }

    override func responseDrained() { creditReplica() }

    override func deadlinePassed() {
        trace?.attemptEnded(.deadlineExceeded, nil, of: target, at: loop.now)
        super.deadlinePassed()
    }

    override func release() {
        cancelAttempt()
        request.reset()
        pool = nil
    }

    /// Cancels the wait for a replica, or the attempt.
    private func cancelAttempt() {
        switch phase {
        case .idle: break
        case .waiting(let ticket): pool?.leave(ticket)
        case .pausing(let timer): timer.cancel()
        case .attempting(let lease, let upstream):
            phase = .idle
            lease.connection.cancel(upstream)
            let now = loop.now
            trace?.attemptEnded(.cancelled, nil, of: target, at: now)
            pool?.giveBack(lease, nil, failure: nil, at: now)
        }
        phase = .idle
    }

    // MARK: The pool

    func waits(_ ticket: WaitingTicket) { phase = .waiting(ticket) }

    /// The pool has no replica for the call.
    func refused(_ error: RPCError) {
        phase = .idle
        if isShadow { source?.dropped(error) } else { finish(error) }
    }

    /// Sends the request to a replica, as far as it has arrived.
    func begin(on lease: BackendPool.Lease) {
        guard let pool else { return }
        attempt.began()
        attemptBegan(on: lease.replica, at: lease.startedAt)
        guard let upstream = lease.connection.open(requestHeaders(pool), owner: self) else {
            phase = .idle
            let now = loop.now
            trace?.attemptEnded(
                nil, "the connection accepts no more streams", of: target, at: now)
            pool.giveBack(lease, nil, failure: nil, at: now)
            return resend(
                or: RPCError(
                    .unavailable,
                    "backend '\(target.key.backend)': the connection accepts no more streams"))
        }
        phase = .attempting(lease, upstream)
        owedToReplica = 0
        let kept = request.bytes
        if !kept.isEmpty {
            lease.connection.write(kept.rawSpan, to: upstream)
            if kept.count > limits.retryBufferBytes { request.drop() }
        }
        if requestEnded {
            lease.connection.finish(upstream)
        } else {
            creditClient(lease, upstream)
        }
    }
}

// MARK: - The replica

extension ForwardedCall: ClientStreamOwner {
    /// Not returned: headers of one connection, and headers that only Weir sets.
    private static let notReturned = KnownHeader.set(
        KnownHeader.hopByHop + KnownHeader.ownOfWeir + [.status])
    /// The same for trailers, which can be a whole response.
    private static let notInTrailers =
        KnownHeader.hopByHop + KnownHeader.ownOfWeir + [.status, .contentType]
    private static let notReturnedInTrailers = KnownHeader.set(notInTrailers)
    /// The same for trailers with an invalid status, which Weir replaces.
    private static let notReturnedWithStatus = KnownHeader.set(notInTrailers + [.grpcStatus])
    private static let ok = HeaderBlock([":status": "200"])
    private static let none = HeaderBlock()

    func received(headers: HeaderBlock, endStream: Bool) {
        let head = ResponseHead(headers)
        if let error = head.refusal("backend '\(target.key.backend)'", in: headers) {
            if !endStream { cancelUpstream() }
            return attemptEnded(error, failure: error.message)
        }
        guard !endStream else { return ended(headers, head) }
        attempt.committed()
        request.drop()
        guard case .sendHeadersAndMessage = state.send() else { return }
        sendHeaders(
            HeaderParts(Self.ok, passing: headers, except: Self.notReturned, Self.none),
            encoding: head.encoding(in: headers) ?? MessageEncoding.identity.rawValue)
    }

    func received(body: RawSpan, endStream: Bool) {
        guard state.isOpen, attempt.isCommitted else { return }
        methodAnswered()
        sendBody(body)
        owedToReplica += body.byteCount
        guard !endStream else {
            return attemptEnded(
                RPCError(
                    .unknown,
                    "backend '\(target.key.backend)' ended the response without a status"),
                failure: "a response without grpc-status")
        }
        creditReplica()
    }

    func received(trailers: HeaderBlock) { ended(trailers, ResponseHead(trailers)) }

    func requestDrained() {
        guard case .attempting(let lease, let upstream) = phase else { return }
        creditClient(lease, upstream)
    }

    /// Returns flow-control credit to the replica, unless many bytes wait for the client.
    private func creditReplica() {
        guard case .attempting(let lease, let upstream) = phase, owedToReplica > 0 else { return }
        guard takesMore(limit: limits.forwardBufferBytes) else { return }
        lease.connection.session.consume(owedToReplica, of: upstream)
        owedToReplica = 0
        lease.connection.changed()
    }

    /// The replica has sent the status, in trailers or in headers that are the whole response.
    private func ended(_ trailers: HeaderBlock, _ head: ResponseHead) {
        let code = head.code ?? .unknown
        // Other statuses do not show that the method exists: a backend may check credentials first.
        if code == .ok { methodAnswered() }
        let message = head.message(in: trailers)
        let now = giveBack(
            code, failure: code == .unavailable ? "\(RPCError(code, message))" : nil)
        if code != .ok, retry(code, pushback: head.pushback(in: trailers)) { return }
        guard head.hasCanonicalStatus else { return endReplacingStatus(code, trailers, head) }
        end(
            code, message: message,
            trailers: HeaderParts(
                Self.none, passing: trailers, except: Self.notReturnedInTrailers,
                target.nameTrailers), at: now)
    }

    /// Ends the call with a status that is unambiguous for every client.
    private func endReplacingStatus(
        _ code: StatusCode, _ trailers: HeaderBlock, _ head: ResponseHead
    ) {
        var status = HeaderBlock(["grpc-status": "\(code.rawValue)"])
        var message = head.message(in: trailers)
        if head.code == nil, message.isEmpty {
            message = "backend '\(target.key.backend)' sent no valid grpc-status"
            status.append("grpc-message", StatusMessage.encode(message))
        }
        end(
            code, message: message,
            trailers: HeaderParts(
                status, passing: trailers, except: Self.notReturnedWithStatus,
                target.nameTrailers))
    }

    func failed(_ failure: StreamFailure) {
        let failure = attempt.failed(failure, backend: target.key.backend)
        giveBack(failure.code, failure: failure.fault)
        switch failure.next {
        case .resend(let error): resend(or: error)
        case .retry(let error): if !retry(error.code, pushback: nil) { finish(error) }
        case .end(let error): finish(error)
        }
    }

    private func cancelUpstream() {
        guard case .attempting(let lease, let upstream) = phase else { return }
        lease.connection.cancel(upstream)
    }

    /// The attempt has failed: retries the call or ends it.
    private func attemptEnded(_ error: RPCError, failure: String) {
        giveBack(error.code, failure: failure)
        if !retry(error.code, pushback: nil) { finish(error) }
    }

    /// - Returns: the time, in nanoseconds of the loop's clock.
    @discardableResult
    private func giveBack(_ code: StatusCode?, failure: String?) -> UInt64 {
        let now = loop.now
        guard case .attempting(let lease, _) = phase else { return now }
        phase = .idle
        trace?.attemptEnded(code, failure, of: target, at: now)
        if failure != nil || code == nil { failedReplica = lease.replica }
        pool?.giveBack(lease, code, failure: failure, at: now)
        return now
    }

    // MARK: Retries

    /// Sends a request again that no replica has processed.
    private func resend(or error: RPCError) {
        if isShadow { return refused(error) }
        guard attempt.resend(canReplay: request.isWhole), let pool else { return finish(error) }
        record?.attemptFailed(nil, at: loop.now)
        pool.retriedTransparently()
        pool.submit(self, at: loop.now)
    }

    /// Retries a request after a status, if the policy, the deadline and the budget allow it.
    ///
    /// - Parameter pushback: the delay in milliseconds that the replica requests; negative for no
    ///   retry.
    /// - Returns: whether the request is retried.
    private func retry(_ code: StatusCode, pushback: Int?) -> Bool {
        guard let pool, state.isOpen,
            let delay = attempt.retryDelay(
                code, pushback: pushback, pool.options.retry, canReplay: request.isWhole,
                timeLeft: timeLeft, random: pool.loop.randomShare()),
            pool.takeRetry()
        else { return false }
        attempt.retried()
        record?.attemptFailed(code, at: loop.now)
        attemptFailed(code)
        phase = .pausing(
            loop.eventLoop.scheduleTask(in: .nanoseconds(delay)) {
                self.phase = .idle
                pool.submit(self, at: self.loop.now)
            })
        return true
    }
}
