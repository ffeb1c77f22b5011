internal import CBuildInfo

extension WeirServer {
    /// The version of Weir.
    public static let version = "0.1.0"

    /// The commit from which Weir was built, with `-dirty` if files were changed; nil if unknown.
    /// `make` sets it; `swift build` does so if the environment has `WEIR_COMMIT`.
    public static var commit: String? {
        // Invariant: the function returns a constant string.
        let commit = unsafe String(cString: weir_build_commit())
        return commit.isEmpty ? nil : commit
    }
}
