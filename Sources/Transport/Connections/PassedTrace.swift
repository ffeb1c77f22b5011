package import Instrumentation
package import Traces

/// What a participant passes on to the servers that it calls while it answers a call.
package struct PassedTrace: Sendable {
    /// The trace, and the span that the next one has as its parent.
    package var context: TraceContext
    /// The value of `tracestate`; empty without one.
    package var state: String
    /// The value of `baggage`; empty without one.
    package var baggage: String

    package init(_ context: TraceContext, state: String = "", baggage: String = "") {
        self.context = context
        self.state = state
        self.baggage = baggage
    }

    /// The headers, in lower case.
    package var headers: [(name: String, value: String)] {
        var headers = [
            (KnownHeader.traceParent.name, String(decoding: context.parent, as: UTF8.self))
        ]
        if !state.isEmpty { headers.append((KnownHeader.traceState.name, state)) }
        if !baggage.isEmpty { headers.append((KnownHeader.baggage.name, baggage)) }
        return headers
    }
}

private enum PassedTraceKey: InstrumentationContextKey {
    typealias Value = PassedTrace
    static let nameOverride: String? = "weir-trace"
}

extension InstrumentationContext {
    /// The trace of the call that the current task answers; nil outside a sampled call.
    package var weirTrace: PassedTrace? {
        get { self[PassedTraceKey.self] }
        set { self[PassedTraceKey.self] = newValue }
    }
}
