internal import GRPCWire
internal import Messages
internal import Rollouts

/// A field of a request: accepts a valid value, or throws an error that names the field.
struct RequestField {
    /// The longest duration of a request: a week.
    private static let maxSeconds = RolloutPlan.longest.components.seconds

    private let path: String

    init(_ path: String) { self.path = path }

    func set(
        _ value: inout Duration, _ requested: Google_Protobuf_Duration?, orZero: Bool = false
    ) throws(ControlError) {
        guard let requested else { return }
        let (seconds, nanos) = (requested.seconds, requested.nanos)
        guard (0...999_999_999).contains(abs(Int64(nanos))),
            nanos == 0 || seconds == 0 || (nanos > 0) == (seconds > 0)
        else {
            throw .invalid(
                path,
                "is \(seconds) s and \(nanos) ns; nanoseconds must be below 1e9 and "
                    + "have the sign of the seconds")
        }
        let given = Duration.seconds(seconds) + .nanoseconds(Int64(nanos))
        // Timers that fire more often than once a millisecond would take the time of requests.
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
        _ value: inout Int, _ requested: (some FixedWidthInteger)?, _ range: ClosedRange<Int>
    ) throws(ControlError) {
        guard let requested else { return }
        guard let number = Int(exactly: requested), range.contains(number) else {
            throw .invalid(
                path, "is \(requested); it must be from \(range.lowerBound) to \(range.upperBound)")
        }
        value = number
    }

    func set(
        _ value: inout Double, _ requested: Double?, _ range: ClosedRange<Double>
    ) throws(ControlError) {
        guard let requested else { return }
        guard range.contains(requested) else {
            throw .invalid(
                path, "is \(requested); it must be from \(range.lowerBound) to \(range.upperBound)")
        }
        value = requested
    }

    /// Rejects text that is too long or contains control characters.
    ///
    /// - Parameters:
    ///   - maxBytes: the most bytes of UTF-8.
    ///   - allowsLines: whether line ends and tabs are allowed.
    func check(_ text: String, maxBytes: Int, allowsLines: Bool = false) throws(ControlError) {
        guard text.utf8.count <= maxBytes else {
            throw .invalid(path, "has \(text.utf8.count) bytes; at most \(maxBytes) are allowed")
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
