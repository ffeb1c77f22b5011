package import Transport

/// Writes whole lines to a descriptor. After a line of which only a part was written, the next
/// write begins with a line end.
package struct LineOutput {
    /// Why lines were not written.
    package struct Failure: Error, Equatable {
        package let cause: OutputDescriptor.Failure
        /// The lines that were written before the failure.
        package let lines: Int
    }

    private let descriptor: OutputDescriptor
    private var isTorn = false

    package init(_ descriptor: OutputDescriptor) { self.descriptor = descriptor }

    /// - Parameter lines: with their line ends.
    package mutating func write(_ lines: [UInt8]) throws(Failure) {
        let lineEnd = UInt8(ascii: "\n")
        do throws(OutputDescriptor.Failure) {
            try descriptor.write(isTorn ? [lineEnd] + lines : lines)
            isTorn = false
        } catch {
            let written = lines.prefix(max(0, error.written - (isTorn ? 1 : 0)))
            if error.written > 0 { isTorn = written.last.map { $0 != lineEnd } ?? false }
            throw Failure(cause: error, lines: written.count { $0 == lineEnd })
        }
    }
}
