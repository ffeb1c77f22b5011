internal import Messages

/// A field of a request: takes a value that is set, and says what is wrong with it.
struct RequestField {
    /// The longest duration that may be asked for: a week.
    private static let maxSeconds: Int64 = 604_800

    private let path: String

    init(_ path: String) { self.path = path }

    func set(
        _ value: inout Duration, _ asked: Google_Protobuf_Duration?, orZero: Bool = false
    ) throws(ControlError) {
        guard let asked else { return }
        let given = Duration(
            secondsComponent: asked.seconds,
            attosecondsComponent: Int64(asked.nanos) * 1_000_000_000)
        let least = orZero ? Duration.zero : .milliseconds(1)
        guard given >= least, asked.seconds <= Self.maxSeconds else {
            throw .invalid(
                path,
                "is \(given); it must be from \(orZero ? "0 s" : "1 ms") to \(Self.maxSeconds) s")
        }
        value = given
    }

    func set(
        _ value: inout Int, _ asked: (some FixedWidthInteger)?, _ range: ClosedRange<Int>
    ) throws(ControlError) {
        guard let asked else { return }
        guard let number = Int(exactly: asked), range.contains(number) else {
            throw .invalid(
                path, "is \(asked); it must be from \(range.lowerBound) to \(range.upperBound)")
        }
        value = number
    }

    func set(
        _ value: inout Double, _ asked: Double?, _ range: ClosedRange<Double>
    ) throws(ControlError) {
        guard let asked else { return }
        guard range.contains(asked) else {
            throw .invalid(
                path, "is \(asked); it must be from \(range.lowerBound) to \(range.upperBound)")
        }
        value = asked
    }
}

extension Google_Protobuf_Duration {
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.init(seconds: seconds, nanos: Int32(attoseconds / 1_000_000_000))
    }
}
