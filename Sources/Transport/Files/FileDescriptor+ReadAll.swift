package import SystemPackage

extension FileDescriptor {
    /// The bytes up to the end of the file; nil if they are more than `limit`.
    package func readAll(limit: Int) throws -> [UInt8]? {
        var content: [UInt8] = []
        while content.count <= limit {
            let chunk = try readChunk()
            guard !chunk.isEmpty else { return content }
            content += chunk
        }
        return nil
    }

    /// The next bytes, at most 64 KiB; empty at the end of the file.
    package func readChunk() throws -> ArraySlice<UInt8> {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        // Invariant: the call writes at most the size of the buffer.
        let count = unsafe try buffer.withUnsafeMutableBytes { unsafe try read(into: $0) }
        return buffer.prefix(count)
    }
}
