/// One ended span: a part of a trace that one participant performed.
package struct TraceSpan: Hashable, Sendable {
    /// The numbers are those of `opentelemetry.proto.trace.v1.Span.SpanKind`.
    package enum Kind: Int32, Sendable {
        case `internal` = 1
        case server = 2
        case client = 3
    }

    /// The numbers are those of `opentelemetry.proto.trace.v1.Status.StatusCode`.
    package enum Status: Hashable, Sendable {
        case unset
        case ok
        case error(String)
    }

    /// A span of this or another trace that caused this one without waiting for it.
    package struct Link: Hashable, Sendable {
        package let context: TraceContext
        package let attributes: [Attribute]

        package init(_ context: TraceContext, attributes: [Attribute] = []) {
            self.context = context
            self.attributes = attributes
        }
    }

    /// A fact at one moment of the span.
    package struct Event: Hashable, Sendable {
        package let name: String
        /// In nanoseconds since 1970.
        package let time: UInt64
        package let attributes: [Attribute]

        package init(_ name: String, at time: UInt64, attributes: [Attribute] = []) {
            self.name = name
            self.time = time
            self.attributes = attributes
        }
    }

    /// The trace, the id of this span, and the flags.
    package let context: TraceContext
    /// The span that waits for this one; nil for the first of a trace and for a linked one.
    package let parent: SpanID?
    /// Whether the parent is in another process.
    package let parentIsRemote: Bool
    /// The value of `tracestate`; empty if the caller sent none.
    package let state: String
    package var name: String
    package let kind: Kind
    /// In nanoseconds since 1970.
    package let startedAt: UInt64
    /// In nanoseconds since 1970; not before the start.
    package var endedAt: UInt64
    package var status: Status
    package var attributes: [Attribute]
    package var links: [Link]
    package var events: [Event]

    package init(
        _ context: TraceContext, parent: SpanID?, parentIsRemote: Bool = false,
        state: String = "", name: String, kind: Kind, startedAt: UInt64, endedAt: UInt64,
        status: Status = .unset, attributes: [Attribute] = [], links: [Link] = [],
        events: [Event] = []
    ) {
        self.context = context
        self.parent = parent
        self.parentIsRemote = parentIsRemote
        self.state = state
        self.name = name
        self.kind = kind
        self.startedAt = startedAt
        self.endedAt = max(startedAt, endedAt)
        self.status = status
        self.attributes = attributes
        self.links = links
        self.events = events
    }
}

/// A named value of a span, a link or a log record.
package struct Attribute: Hashable, Sendable {
    package enum Value: Hashable, Sendable {
        case string(String)
        case int(Int64)
        case double(Double)
        case bool(Bool)
        indirect case array([Value])
    }

    package let name: String
    package let value: Value

    package init(_ name: String, _ value: Value) {
        self.name = name
        self.value = value
    }

    package init(_ name: String, _ text: String) { self.init(name, .string(text)) }
    package init(_ name: String, _ number: Int) { self.init(name, .int(Int64(number))) }
    package init(_ name: String, _ flag: Bool) { self.init(name, .bool(flag)) }
}
