package import SystemPackage

extension FileDescriptor {
    /// The bytes up to the end of the file; nil if they are more than `limit`.
    package func readAll(limit: Int) throws -> [UInt8]? {
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while content.count <= limit {
            // Invariant: the call writes at most the size of the buffer.
            let count = unsafe try buffer.withUnsafeMutableBytes { unsafe try read(into: $0) }
            guard count > 0 else { return content }
            content += buffer.prefix(count)
        }
        return nil
    }
}
