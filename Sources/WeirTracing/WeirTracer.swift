internal import Synchronization
package import Traces
public import Tracing
internal import Transport
public import Weir

/// A tracer of swift-distributed-tracing whose spans are exported with those of a `WeirServer`.
///
/// ```swift
/// let server = WeirServer(configuration, backends: [v1])
/// InstrumentationSystem.bootstrap(WeirTracer(server))
/// ```
///
/// The span of a sampled call is the parent of those that its handler starts with `withSpan`. A
/// `WeirClient` in the handler passes the current span on. Other spans are not recorded.
public struct WeirTracer: Tracer {
    /// The type of its spans.
    public typealias Span = WeirSpan

    private let queue: SpanQueue?

    /// - Parameter server: exports the spans. If it exports none, spans are only passed on.
    public init(_ server: WeirServer) { queue = server.spanQueue }

    package init(_ queue: SpanQueue) { self.queue = queue }

    /// Starts a span below that of the context; one that is not recorded outside a sampled call.
    public func startSpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> InstrumentationContext,
        ofKind kind: SpanKind, at instant: @autoclosure () -> Instant, function: String,
        file fileID: String, line: UInt
    ) -> WeirSpan {
        let context = context()
        guard let queue, let parent = context.weirTrace, parent.context.isSampled else {
            return WeirSpan(context)
        }
        return WeirSpan(
            operationName, kind, in: context, of: parent,
            startedAt: instant().nanosecondsSinceEpoch, queue)
    }

    /// The same, for programs that do not know the type of the tracer.
    @available(*, deprecated, message: "prefer withSpan")
    public func startAnySpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> InstrumentationContext,
        ofKind kind: SpanKind, at instant: @autoclosure () -> Instant, function: String,
        file fileID: String, line: UInt
    ) -> any Tracing.Span {
        startSpan(
            operationName, context: context(), ofKind: kind, at: instant(), function: function,
            file: fileID, line: line)
    }

    /// The server exports spans by itself.
    @available(*, deprecated)
    public func forceFlush() {}

    /// Reads `traceparent`, `tracestate` and `baggage`.
    public func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout InstrumentationContext, using extractor: Extract
    ) where Extract.Carrier == Carrier {
        func value(_ name: String) -> String { extractor.extract(key: name, from: carrier) ?? "" }
        let parent = Array(value("traceparent").utf8)
        guard let trace = TraceContext(parent: parent.span) else { return }
        context.weirTrace = PassedTrace(
            trace, state: TraceState.joined([Array(value("tracestate").utf8)]),
            baggage: value("baggage"))
    }

    /// Writes the same.
    public func inject<Carrier, Inject: Injector>(
        _ context: InstrumentationContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject.Carrier == Carrier {
        for header in context.weirTrace?.headers ?? [] {
            injector.inject(header.value, forKey: header.name, into: &carrier)
        }
    }
}

/// A span of a `WeirTracer`.
public final class WeirSpan: Tracing.Span {
    private struct State {
        var name: String
        var attributes = SpanAttributes()
        var status = TraceSpan.Status.unset
        var events: [TraceSpan.Event] = []
        var links: [TraceSpan.Link] = []
        var isEnded = false
    }

    /// The most events, and the most links, of one span; others are not recorded.
    static let maxEvents = 128

    /// The context in which this span is the current one.
    public let context: InstrumentationContext
    private let parent: SpanID?
    private let kind: TraceSpan.Kind
    private let startedAt: UInt64
    private let queue: SpanQueue?
    private let state: Mutex<State>

    /// A span that is not recorded.
    init(_ context: InstrumentationContext) {
        self.context = context
        parent = nil
        kind = .internal
        startedAt = 0
        queue = nil
        state = Mutex(State(name: ""))
    }

    init(
        _ name: String, _ kind: SpanKind, in context: InstrumentationContext,
        of trace: PassedTrace, startedAt: UInt64, _ queue: SpanQueue
    ) {
        var random = SystemRandomNumberGenerator()
        var passed = trace
        passed.context = trace.context.at(SpanID(using: &random))
        var context = context
        context.weirTrace = passed
        self.context = context
        parent = trace.context.spanID
        self.kind =
            switch kind {
            case .server, .consumer: .server
            case .client, .producer: .client
            default: .internal
            }
        self.startedAt = startedAt
        self.queue = queue
        state = Mutex(State(name: name))
    }

    /// Whether the span will be exported.
    public var isRecording: Bool { queue != nil && state.withLock { !$0.isEnded } }

    private func change(_ body: (inout State) -> Void) {
        guard queue != nil else { return }
        state.withLock { if !$0.isEnded { body(&$0) } }
    }

    /// The name of the span.
    public var operationName: String {
        get { state.withLock(\.name) }
        set { change { $0.name = newValue } }
    }

    /// The attributes of the span.
    public var attributes: SpanAttributes {
        get { state.withLock(\.attributes) }
        set { change { $0.attributes = newValue } }
    }

    /// Sets the status of the span.
    public func setStatus(_ status: SpanStatus) {
        let known: TraceSpan.Status =
            switch status.code {
            case .ok: .ok
            case .error: .error(status.message ?? "")
            }
        change { $0.status = known }
    }

    /// Adds an event, up to 128.
    public func addEvent(_ event: SpanEvent) {
        add(
            TraceSpan.Event(
                event.name, at: event.nanosecondsSinceEpoch,
                attributes: Attribute.list(event.attributes)))
    }

    private func add(_ event: TraceSpan.Event) {
        change { if $0.events.count < Self.maxEvents { $0.events.append(event) } }
    }

    /// Adds an event `exception`, as the conventions of OpenTelemetry describe it.
    public func recordError<Instant: TracerInstant>(
        _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
    ) {
        add(
            TraceSpan.Event(
                "exception", at: instant().nanosecondsSinceEpoch,
                attributes: Attribute.list(attributes) + [
                    Attribute("exception.type", "\(type(of: error))"),
                    Attribute("exception.message", String("\(error)".prefix(1_024))),
                ]))
    }

    /// Adds a link to a span of a `WeirTracer`, up to 128.
    public func addLink(_ link: SpanLink) {
        guard let trace = link.context.weirTrace else { return }
        let known = TraceSpan.Link(trace.context, attributes: Attribute.list(link.attributes))
        change { if $0.links.count < Self.maxEvents { $0.links.append(known) } }
    }

    /// Ends the span, which is then exported. Later changes have no effect.
    public func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        guard let queue, let trace = context.weirTrace else { return }
        let ended: State? = state.withLock { state in
            guard !state.isEnded else { return nil }
            state.isEnded = true
            return state
        }
        guard let ended else { return }
        queue.append(
            TraceSpan(
                trace.context, parent: parent, state: trace.state, name: ended.name, kind: kind,
                startedAt: startedAt, endedAt: instant().nanosecondsSinceEpoch,
                status: ended.status, attributes: Attribute.list(ended.attributes),
                links: ended.links, events: ended.events))
    }
}

extension Attribute {
    static func list(_ attributes: SpanAttributes) -> [Attribute] {
        var list: [Attribute] = []
        attributes.forEach { name, value in list.append(Attribute(name, Self.value(value))) }
        return list
    }

    private static func value(_ value: SpanAttribute) -> Attribute.Value {
        switch value {
        case .int32(let number): .int(Int64(number))
        case .int64(let number): .int(number)
        case .double(let number): .double(number)
        case .bool(let flag): .bool(flag)
        case .string(let text): .string(text)
        case .stringConvertible(let other): .string("\(other)")
        case .int32Array(let numbers): .array(numbers.map { .int(Int64($0)) })
        case .int64Array(let numbers): .array(numbers.map { .int($0) })
        case .doubleArray(let numbers): .array(numbers.map { .double($0) })
        case .boolArray(let flags): .array(flags.map { .bool($0) })
        case .stringArray(let texts): .array(texts.map { .string($0) })
        case .stringConvertibleArray(let others): .array(others.map { .string("\($0)") })
        default: .string("")
        }
    }
}
