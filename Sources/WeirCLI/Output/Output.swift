internal import ArgumentParser
internal import Foundation
internal import GRPCWire
internal import Messages
internal import Transport

/// Standard output of commands. All output passes through this type. A failed write ends the
/// command with exit code 74.
enum Output {
    /// A write to standard output failed.
    struct Failure: Error {
        let cause: OutputDescriptor.Failure

        /// As in sysexits(3).
        static let exitCode = ExitCode(EX_IOERR)
    }

    /// The interval at which a waiting command checks whether its output still has a reader.
    private static let readerCheckInterval = Duration.milliseconds(250)

    /// Writes lines of text.
    static func print(_ text: TerminalText) throws(Failure) { try write(text.text + "\n") }

    /// Writes a JSON document with control characters and invisible ones escaped; they occur
    /// in strings only.
    static func print(json text: String) throws(Failure) { try write(escaped(json: text) + "\n") }

    static func escaped(json text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.needsEscape && $0 != "\n" }) else {
            return text
        }
        var output = ""
        for scalar in text.unicodeScalars {
            if scalar.needsEscape, scalar != "\n" {
                output += scalar.jsonEscape
            } else {
                output.unicodeScalars.append(scalar)
            }
        }
        return output
    }

    /// Writes the output of another program: unchanged to a file or a pipe, escaped to a terminal.
    static func print(document text: String) throws(Failure) {
        try isatty(STDOUT_FILENO) == 1 ? print(TerminalText(lines: text)) : write(text + "\n")
    }

    /// Writes text unchanged.
    static func write(_ text: String) throws(Failure) {
        do throws(OutputDescriptor.Failure) {
            try OutputDescriptor.standardOutput.write(text)
        } catch {
            throw Failure(cause: error)
        }
    }

    /// Exits soon after the reader of standard output has closed it. Commands that wait between
    /// outputs need this, because only a write would detect it otherwise.
    static func exitWhenUnread() {
        Task.detached {
            while !OutputDescriptor.standardOutput.isClosedByReader {
                try await Task.sleep(for: readerCheckInterval)
            }
            exit(Failure.exitCode.rawValue)
        }
    }
}

/// Standard error. Failed writes are ignored, because they cannot be reported anywhere.
enum ErrorOutput {
    static func write(_ text: TerminalText) {
        try? OutputDescriptor.standardError.write(text.text)
    }
}

/// Writes a line to standard error.
func printError(_ text: TerminalText) { ErrorOutput.write("weir: \(text)\n") }
