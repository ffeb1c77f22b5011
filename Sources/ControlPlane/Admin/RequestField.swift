internal import GRPCWire
internal import Messages

/// A field of a request: accepts a value that is set, or reports what is wrong with it.
struct RequestField {
    /// The longest duration that may be asked for: a week.
    private static let maxSeconds: Int64 = 604_800

    private let path: String

    init(_ path: String) { self.path = path }

    func set(
        _ value: inout Duration, _ asked: Google_Protobuf_Duration?, orZero: Bool = false
    ) throws(ControlError) {
        guard let asked else { return }
        guard (0...999_999_999).contains(abs(Int64(asked.nanos))),
            asked.nanos == 0 || asked.seconds == 0 || (asked.nanos > 0) == (asked.seconds > 0)
        else {
            throw .invalid(
                path,
                "is \(asked.seconds) s and \(asked.nanos) ns; nanoseconds must be below 1e9 and "
                    + "have the sign of the seconds")
        }
        let given = Duration.seconds(asked.seconds) + .nanoseconds(Int64(asked.nanos))
        // Timers that fire more often than each millisecond would leave a loop no time for
        // requests.
        guard orZero && given == .zero || given >= .milliseconds(1),
            given <= .seconds(Self.maxSeconds)
        else {
            throw .invalid(
                path,
                "is \(given); it must be \(orZero ? "0 s or " : "")from 1 ms to "
                    + "\(Self.maxSeconds) s")
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

    /// Rejects text that is too long, or controls how it is shown.
    ///
    /// - Parameters:
    ///   - maxBytes: the most bytes of UTF-8.
    ///   - allowsLines: whether line ends and tabs are allowed.
    func check(_ text: String, maxBytes: Int, allowsLines: Bool = false) throws(ControlError) {
        guard text.utf8.count <= maxBytes else {
            throw .invalid(path, "has \(text.utf8.count) bytes; it may have \(maxBytes)")
        }
        let control = text.unicodeScalars.first { scalar in
            scalar.isControl && !(allowsLines && (scalar == "\n" || scalar == "\t"))
        }
        if let control {
            throw .invalid(
                path,
                "contains the control character U+"
                    + String(control.value, radix: 16, uppercase: true))
        }
    }
}

extension Google_Protobuf_Duration {
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.init(seconds: seconds, nanos: Int32(attoseconds / 1_000_000_000))
    }
}
