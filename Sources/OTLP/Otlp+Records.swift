internal import Messages

// Conversions of records to messages.

extension Otlp_AnyValue {
    init(string: String) { self.init(value: .stringValue(string)) }

    init(_ value: LogRecord.Value) {
        switch value {
        case .string(let text): self.init(value: .stringValue(text))
        case .int(let number): self.init(value: .intValue(number))
        case .double(let number): self.init(value: .doubleValue(number))
        case .bool(let bool): self.init(value: .boolValue(bool))
        }
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
    init(_ record: LogRecord) {
        self.init()
        timeUnixNano = record.time
        observedTimeUnixNano = record.time
        severityNumber = record.severity.rawValue
        severityText = record.severity.text
        body = Otlp_AnyValue(string: record.body)
        attributes = record.attributes.map {
            Otlp_KeyValue(key: $0.name, value: Otlp_AnyValue($0.value))
        }
        flags = UInt32(record.traceFlags)
        traceId = record.traceID
        spanId = record.spanID
        eventName = record.eventName
    }
}
