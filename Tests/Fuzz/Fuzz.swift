internal import FuzzTargets

#if canImport(Glibc)
    internal import Glibc
#endif

/// What libFuzzer calls, again and again. The environment variable WEIR_FUZZ names the target.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // The bytes are there during the call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    target.run(bytes)
    return 0
}

private let target: FuzzTarget = {
    // The variable is a string while nobody changes the environment.
    let name = unsafe getenv("WEIR_FUZZ").map { unsafe String(cString: $0) } ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        print("WEIR_FUZZ is '\(name)': it must be one of", FuzzTarget.allCases.map(\.rawValue))
        exit(2)
    }
    return target
}()
