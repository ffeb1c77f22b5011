internal import ArgumentParser
internal import Foundation
internal import GRPCWire
internal import Messages

/// What commands write to standard output. Everything that they print passes through here; a write
/// that fails ends the command with exit code 74.
enum Output {
    /// Standard output took less than all of the output.
    struct Failure: Error {
        let cause: OutputDescriptor.Failure

        /// As in sysexits(3).
        static let exitCode = ExitCode(EX_IOERR)
    }

    /// How often a command that waits looks whether its output is still read.
    private static let readerCheckInterval = Duration.milliseconds(250)

    /// Writes lines for people.
    static func print(_ text: TerminalText) throws(Failure) { try write(text.text + "\n") }

    /// Writes a JSON document. Characters that control a terminal are escaped; JSON has them in
    /// strings only.
    static func print(json text: String) throws(Failure) { try write(escaped(json: text) + "\n") }

    static func escaped(json text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.isControl && $0 != "\n" }) else {
            return text
        }
        var output = ""
        for scalar in text.unicodeScalars {
            if scalar.isControl, scalar != "\n" {
                output += "\\u" + scalar.value.padded(4, radix: 16)
            } else {
                output.unicodeScalars.append(scalar)
            }
        }
        return output
    }

    /// Writes a document of another program: as it is into a file or a pipe, escaped on a terminal.
    static func print(document text: String) throws(Failure) {
        try Style.isTerminal ? print(TerminalText(lines: text)) : write(text + "\n")
    }

    /// Writes text as it is.
    static func write(_ text: String) throws(Failure) {
        do throws(OutputDescriptor.Failure) {
            try OutputDescriptor.standardOutput.write(text)
        } catch {
            throw Failure(cause: error)
        }
    }

    /// Ends the process soon after the reader of standard output has closed it. For commands that
    /// wait between their outputs: a write would notice it at the next output only.
    static func endWhenUnread() {
        Task.detached {
            while !OutputDescriptor.standardOutput.isClosedByReader {
                try await Task.sleep(for: readerCheckInterval)
            }
            exit(Failure.exitCode.rawValue)
        }
    }
}

/// Standard error. A write that fails is ignored: there is no other place for it.
enum ErrorOutput {
    static func write(_ text: TerminalText) {
        try? OutputDescriptor.standardError.write(text.text)
    }
}

/// Writes a line to standard error.
func complain(_ text: TerminalText) { ErrorOutput.write("weir: \(text)\n") }
