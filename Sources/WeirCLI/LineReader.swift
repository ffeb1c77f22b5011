internal import Dispatch
internal import GRPCWire
internal import Synchronization
internal import SystemPackage
internal import Transport

/// Reads the lines of a file or of standard input. It reads on its own thread, because a read of a
/// pipe or a terminal blocks.
final class LineReader: Sendable {
    private struct State {
        var buffer: [UInt8] = []
        /// The beginning of the next line in the buffer.
        var start = 0
        var isAtEnd = false
        /// The number of the last line that was read.
        var number = 0
    }

    private let file: FileDescriptor
    private let name: String
    private let limit: Int
    private let queue = DispatchQueue(label: "weir.lines")
    private let state = Mutex(State())

    /// - Parameters:
    ///   - name: the name of the file, for errors.
    ///   - limit: the size limit of a line.
    init(_ file: FileDescriptor, _ name: String, limit: Int = InputFile.maxBytes) {
        self.file = file
        self.name = name
        self.limit = limit
    }

    deinit { if file != .standardInput { try? file.close() } }

    /// The next line that is not blank, without its line end; nil at the end of the file.
    func next() async throws -> (place: String, bytes: [UInt8])? {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try self.read() }) }
        }
    }

    private func read() throws -> (place: String, bytes: [UInt8])? {
        try state.withLock { state in
            while let line = try line(&state) {
                state.number += 1
                guard line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0d }) else {
                    continue
                }
                return ("\(name), line \(state.number)", line)
            }
            return nil
        }
    }

    private func line(_ state: inout State) throws -> [UInt8]? {
        var searched = state.start
        while true {
            if let end = state.buffer[searched...].firstIndex(of: 0x0a) {
                defer { state.start = end + 1 }
                return Array(state.buffer[state.start..<end])
            }
            state.buffer.removeFirst(state.start)
            state.start = 0
            searched = state.buffer.count
            guard !state.isAtEnd else {
                defer { state.buffer = [] }
                return state.buffer.isEmpty ? nil : state.buffer
            }
            guard searched <= limit else {
                throw InputFile.Failure(
                    description: "cannot read \(name): a line exceeds \(limit) bytes")
            }
            try fill(&state)
        }
    }

    private func fill(_ state: inout State) throws {
        do {
            let chunk = try file.readChunk()
            state.isAtEnd = chunk.isEmpty
            state.buffer += chunk
        } catch {
            throw InputFile.Failure(description: "cannot read \(name): \(error)")
        }
    }
}
