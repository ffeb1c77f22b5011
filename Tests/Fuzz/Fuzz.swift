internal import FuzzTargets

#if canImport(Glibc)
    internal import Glibc
#endif

/// Runs libFuzzer on the target of the environment variable WEIR_FUZZ.
@main
enum Fuzz {
    static func main() {
        var count = CommandLine.argc
        // Invariant: the arguments are valid until the process ends.
        var arguments = unsafe CommandLine.unsafeArgv
        let code = unsafe runDriver(&count, &arguments, fuzzOne)
        exit(code)
    }

    fileprivate static let target: FuzzTarget = {
        // Invariant: the variable is valid because the program does not change the environment.
        let name = unsafe getenv("WEIR_FUZZ").map { unsafe String(cString: $0) } ?? ""
        guard let target = FuzzTarget(rawValue: name) else {
            print("invalid WEIR_FUZZ '\(name)': use one of", FuzzTarget.allCases.map(\.rawValue))
            exit(2)
        }
        return target
    }()
}

private func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Invariant: the bytes are valid during the call.
    Fuzz.target.run(unsafe Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

/// libFuzzer's entry point for programs with their own `main`; it has no header.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt
