internal import CSystemFaults
internal import Foundation
internal import TestSupport

/// Makes each system call on the files of an SQLite store fail once, and checks that nothing was
/// lost.
///
/// Usage: `StoreFaults DIRECTORY [COUNT SEED]`. Without a count it tries all failures; with one, a
/// sample. It prints errors and a table; the exit code is 1 if there are errors. The file
/// `DIRECTORY/now` contains the current failure.
@main
enum StoreFaults {
    static func main() async throws {
        let arguments = CommandLine.arguments
        let numbers = arguments.dropFirst(2).compactMap { UInt64($0) }
        guard arguments.count == 2 || (arguments.count == 4 && numbers.count == 2) else {
            print("usage: StoreFaults DIRECTORY [COUNT SEED]")
            exit(EX_USAGE)
        }
        // The name in SQLite.
        let folder = URL(fileURLWithPath: arguments[1]).resolvingSymlinksInPath().path
        var trials: [Trial] = []
        for start in Start.allCases { trials += await Self.trials(from: start, in: folder) }
        if let count = numbers.first, let seed = numbers.last {
            var random = SeededGenerator(state: seed)
            print("seed \(seed): a sample of \(trials.count) failures")
            let kinds = Dictionary(grouping: trials.shuffled(using: &random), by: \.fault.name)
            // The same number of each call, because some calls are rare.
            let each = max(1, Int(min(count, UInt64(trials.count))) / kinds.count)
            trials = kinds.sorted { $0.key < $1.key }.flatMap { $0.value.prefix(each) }
        }
        exit(try await run(trials, in: folder) ? EXIT_SUCCESS : EXIT_FAILURE)
    }

    /// All failures of all system calls that the script makes.
    private static func trials(from start: Start, in folder: String) async -> [Trial] {
        let result = await Trial(start: start, call: 0, fault: .killed).run(in: folder)
        guard result.problems.isEmpty else {
            print("WRONG without a failure: \(result.problems.joined(separator: "; "))")
            exit(EXIT_FAILURE)
        }
        let calls = (0..<result.calls).map { unsafe String(cString: faults_call($0 + 1)) }
        print("\(start): \(calls.count) system calls")
        return zip(1..., calls).flatMap { number, name in
            Fault.all.filter { $0.concerns(name) }.map {
                Trial(start: start, call: number, name: name, fault: $0)
            }
        }
    }

    /// - Returns: whether all trials succeeded.
    private static func run(_ trials: [Trial], in folder: String) async throws -> Bool {
        var table: [String: Int] = [:]
        var failures = 0
        for trial in trials {
            try "\(trial)\n".write(toFile: folder + "/now", atomically: false, encoding: .utf8)
            let result = await trial.run(in: folder)
            table["\(trial.fault.name): \(result.outcome)", default: 0] += 1
            for problem in result.problems { print("WRONG: \(trial): \(problem)") }
            failures += result.problems.isEmpty ? 0 : 1
        }
        for (line, count) in table.sorted(by: { $0.key < $1.key }) { print("\(line): \(count)") }
        print("\(trials.count) failures tried, \(failures) with a wrong result")
        return failures == 0
    }
}
