internal import GRPCWire
internal import HTTP2Session
internal import Observability
internal import Traces
internal import Transport
internal import Upstream

extension ServerCall {
    /// Begins the record of the call, and the trace of a sampled one.
    func observe(_ headers: TraceHeaders) {
        if target.isRecorded {
            record = loop.recorder.begin(
                headers, { TraceHeaders.context(in: requestHeaders) },
                mayBeLate: target.slow != nil, at: startedAt)
        }
        guard headers.mayBeSampled || loop.samplesRoots, let tracing = loop.tracing,
            let trace = CallTrace.begin(self, tracing)
        else { return }
        self.trace = trace
        if record == nil { record = OpenRecord(trace.context, at: startedAt) }
        record?.trace = trace.context
        record?.measuresPhases = true
    }

    /// A replica receives the request.
    func attemptBegan(on replica: Replica, at now: UInt64) {
        record?.attemptBegan(on: replica.name, at: now)
        trace?.attemptBegan(on: replica, at: now, using: &loop.context.random)
    }

    /// Passes on the record of the call, whose status is known, and its span.
    func report(
        _ open: consuming OpenRecord, _ code: StatusCode, _ message: () -> String,
        at now: UInt64, observer: (any CallObserver)?, byClient: Bool
    ) {
        let failed = code.isServerFault
        // A client that cancels a call does not make it interesting.
        let slow = trace == nil && !byClient ? target.slow : nil
        let isSlow = slow?.include(nanoseconds: now &- startedAt, at: now) ?? false
        let mayBeLate = slow != nil && (failed || isSlow || observer != nil)
        if open.trace == nil, failed || mayBeLate {
            open.trace = TraceHeaders.context(in: requestHeaders)
        }
        let hasSpan = trace != nil || mayBeLate
        let receivers =
            target.isRecorded ? loop.recorder.receivers(of: open, failed: failed) : []
        guard hasSpan || !receivers.isEmpty else { return }
        let record = ended(open, code, message, at: now)
        if hasSpan {
            let call = EndedCall(
                record: record, method: target.tracedMethod,
                authority: requestHeaders.authority)
            if let trace {
                trace.ended(call)
            } else {
                offer(call, failed ? .failed : isSlow ? .slow : nil, observer)
            }
        }
        loop.recorder.pass(record, to: receivers, at: now)
    }

    /// Offers a call that is not sampled for a late export.
    ///
    /// - Parameter reason: nil if only its observer knows later whether it is interesting.
    private func offer(
        _ call: EndedCall, _ reason: LateReason?, _ observer: (any CallObserver)?
    ) {
        let late = LateCall(call: call, state: TraceHeaders.state(in: requestHeaders))
        if let reason {
            loop.tracing?.offer(late, reason)
        } else {
            observer?.ended(untraced: late)
        }
    }

    private func ended(
        _ open: borrowing OpenRecord, _ code: StatusCode, _ message: () -> String, at now: UInt64
    ) -> CallRecord {
        var record = CallRecord()
        record.endedAt = (trace?.wall ?? loop.wallOffset(at: now)) &+ now
        record.form = source?.recordForm ?? .grpc
        record.endpoint = target.key.endpoint
        record.backend = target.key.backend
        record.method = CallRecord.kept(source?.recordPath ?? target.key.method)
        record.isShadow = isShadow
        record.code = code
        if code != .ok { record.message = CallRecord.kept(message()) }
        record.requestBytes = receivedBytes
        record.responseBytes = sentBytes
        record.shardPoint = shardPoint
        record.revision = target.revision
        record.isCandidate = target.cohorts?.isCandidate
        record.peer = peer.text
        open.complete(&record, at: now)
        return record
    }
}

extension LoopState {
    /// Records a request that is refused before a backend is chosen. It has a span if its caller
    /// has sampled it.
    ///
    /// - Parameters:
    ///   - endpoint: empty if none matches.
    ///   - target: one of the targets of its path; nil if its path matches none.
    func refused(
        _ error: RPCError, of method: @autoclosure () -> String, at endpoint: String = "",
        target: Target? = nil, _ form: CallRecord.Form, _ headers: HeaderBlock, _ peer: Peer
    ) {
        let now = now
        let caller = TraceHeaders.context(in: headers)
        let context = tracing.flatMap { tracing -> TraceContext? in
            guard let caller, caller.isSampled,
                tracing.sampler.samples(caller, newTrace: caller.traceID)
            else { return nil }
            return caller.at(tracing.newSpan())
        }
        let open = OpenRecord(context ?? caller, at: now)
        let receivers = recorder.receivers(of: open, failed: error.code.isServerFault)
        guard context != nil || !receivers.isEmpty else { return }
        var record = CallRecord()
        record.endedAt = wallOffset(at: now) &+ now
        record.form = form
        record.endpoint = endpoint
        record.method = CallRecord.kept(method())
        record.code = error.code
        record.message = CallRecord.kept(error.message)
        record.peer = peer.text
        open.complete(&record, at: now)
        recorder.pass(record, to: receivers, at: now)
        guard let context else { return }
        let call = EndedCall(
            record: record, method: target?.tracedMethod ?? "_OTHER",
            authority: headers.authority)
        tracing?.queue.append(
            call.span(
                context, parent: caller?.spanID, state: TraceHeaders.state(in: headers)))
    }
}

extension HeaderBlock {
    /// The value of `:authority`; empty without one.
    fileprivate var authority: String { first(.authority).map { text($0) } ?? "" }
}
