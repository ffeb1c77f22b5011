internal import GRPCWire
internal import HTTP2Session
internal import Observability
internal import Traces
internal import Transport

extension ServerCall {
    /// The call has a span of its own.
    func recordBelongs(to trace: TraceContext) {
        if record == nil, target.isRecorded {
            record = loop.recorder.begin(trace, at: startedAt)
        }
        record?.trace = trace
    }

    /// Passes on the record of the call, whose status is known.
    func end(
        _ open: OpenRecord, _ code: StatusCode, _ message: () -> String, at now: UInt64
    ) {
        record = nil
        loop.recorder.end(open, failed: code.isServerFault, at: now) { record in
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
            record.peer = peer.text
        }
    }
}

extension LoopState {
    /// Records and traces a request that is refused before a backend is chosen.
    ///
    /// - Parameters:
    ///   - endpoint: empty if none matches.
    ///   - target: one of the targets of its path; nil if its path matches none.
    func refused(
        _ error: RPCError, of method: @autoclosure () -> String, at endpoint: String = "",
        target: Target? = nil, _ form: CallRecord.Form, _ headers: HeaderBlock, _ peer: Peer
    ) {
        let span = tracing?.refused(error, headers, target, from: peer, at: now, form)
        guard let open = recorder.begin(span ?? TraceHeaders.context(in: headers), at: now)
        else { return }
        recorder.end(open, failed: error.code.isServerFault, at: now) { record in
            record.form = form
            record.endpoint = endpoint
            record.method = CallRecord.kept(method())
            record.code = error.code
            record.message = CallRecord.kept(error.message)
            record.peer = peer.text
        }
    }
}
