internal import GRPCWire
internal import Messages
internal import Observability
internal import Traces
internal import Transport

// Conversions of records to messages.

extension Otlp_AnyValue {
    init(string: String) { self.init(value: .stringValue(string)) }

    init(_ value: Attribute.Value) {
        switch value {
        case .string(let text): self.init(value: .stringValue(text))
        case .int(let number): self.init(value: .intValue(number))
        case .double(let number): self.init(value: .doubleValue(number))
        case .bool(let bool): self.init(value: .boolValue(bool))
        case .array(let values):
            self.init(value: .arrayValue(.init(values: values.map { Otlp_AnyValue($0) })))
        }
    }
}

extension [Otlp_KeyValue] {
    init(_ attributes: [Attribute]) {
        self = attributes.map { Otlp_KeyValue(key: $0.name, value: Otlp_AnyValue($0.value)) }
    }
}

extension Otlp_Resource {
    /// - Parameter attributes: by name.
    init(_ attributes: [String: String]) {
        self.init(
            attributes: attributes.sorted { $0.key < $1.key }.map {
                Otlp_KeyValue(key: $0.key, value: Otlp_AnyValue(string: $0.value))
            })
    }
}

extension Otlp_LogRecord {
    /// The severities of OTLP that calls have.
    private static let (info, error): (Int32, Int32) = (9, 17)

    init(_ call: CallRecord) {
        self.init()
        timeUnixNano = call.endedAt
        observedTimeUnixNano = timeUnixNano
        severityNumber = call.code.isServerFault ? Self.error : Self.info
        severityText = call.code.isServerFault ? "ERROR" : "INFO"
        eventName = "weir.call"
        body = Otlp_AnyValue(string: "\(call.method) \(call.code)")
        attributes = .init(Self.attributes(of: call))
        guard let context = call.trace else { return }
        flags = UInt32(context.flags.rawValue)
        traceId = context.traceID.bytes
        spanId = context.spanID.bytes
    }

    /// The fields of the access log, with the names and the forms of those of spans.
    private static func attributes(of call: CallRecord) -> [Attribute] {
        let method = call.method.hasPrefix("/") ? "\(call.method.dropFirst())" : call.method
        let message = call.message.isEmpty ? [] : [Attribute("weir.message", call.message)]
        return [
            Attribute("rpc.method", method),
            Attribute("weir.protocol", call.form.rawValue),
            Attribute("weir.duration_ms", milliseconds(call.phases.total)),
            Attribute("weir.queue_ms", milliseconds(call.phases.queue)),
            Attribute("weir.upstream_ms", milliseconds(call.phases.upstream)),
            Attribute("weir.response_ms", milliseconds(call.phases.response)),
            Attribute("weir.request_bytes", Int(clamping: call.requestBytes)),
            Attribute("weir.response_bytes", Int(clamping: call.responseBytes)),
        ] + call.attributes + message + Attribute.address("network.peer", call.peer)
    }

    private static func milliseconds(_ nanoseconds: UInt64) -> Attribute.Value {
        .double(Double(nanoseconds) / 1e6)
    }
}

extension Otlp_Span {
    /// Bits of `flags`: whether the next one is known; whether the parent is in another process.
    private static let (knowsRemote, isRemote): (UInt32, UInt32) = (0x100, 0x200)

    init(_ span: TraceSpan) {
        self.init()
        traceId = span.context.traceID.bytes
        spanId = span.context.spanID.bytes
        parentSpanId = span.parent?.bytes ?? []
        traceState = span.state
        flags =
            UInt32(span.context.flags.rawValue) | Self.knowsRemote
            | (span.parentIsRemote ? Self.isRemote : 0)
        name = span.name
        kind = span.kind.rawValue
        startTimeUnixNano = span.startedAt
        endTimeUnixNano = span.endedAt
        attributes = .init(span.attributes)
        events = span.events.map {
            Event(timeUnixNano: $0.time, name: $0.name, attributes: .init($0.attributes))
        }
        links = span.links.map { link in
            Link(
                traceId: link.context.traceID.bytes, spanId: link.context.spanID.bytes,
                attributes: .init(link.attributes), flags: UInt32(link.context.flags.rawValue))
        }
        switch span.status {
        case .unset: break
        case .ok: status = Otlp_Status(code: 1)
        case .error(let message): status = Otlp_Status(message: message, code: 2)
        }
    }
}
