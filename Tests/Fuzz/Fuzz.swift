internal import FuzzTargets

#if canImport(Glibc)
    internal import Glibc
#endif

/// libFuzzer, which feeds the target that the environment variable WEIR_FUZZ names, again and again.
@main
enum Fuzz {
    static func main() {
        var count = CommandLine.argc
        // The arguments stay where they are until the process ends.
        var arguments = unsafe CommandLine.unsafeArgv
        let code = unsafe runDriver(&count, &arguments, fuzzOne)
        exit(code)
    }

    fileprivate static let target: FuzzTarget = {
        // The variable is a string while nobody changes the environment.
        let name = unsafe getenv("WEIR_FUZZ").map { unsafe String(cString: $0) } ?? ""
        guard let target = FuzzTarget(rawValue: name) else {
            print("WEIR_FUZZ is '\(name)': it must be one of", FuzzTarget.allCases.map(\.rawValue))
            exit(2)
        }
        return target
    }()
}

private func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // The bytes are there during the call.
    Fuzz.target.run(unsafe Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

/// libFuzzer's own entry, for programs that have a `main`; it has no header.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt
