#if canImport(Glibc)
internal import Glibc
#endif

/// Header names that the layer above asks for by number, so that it need not compare bytes.
package struct KnownNames: Sendable {
    private let names: [[UInt8]]
    /// Candidates by the length of the name, modulo the table's size.
    private let byLength: [[Int]]

    package init(_ names: [String]) {
        self.names = names.map { Array($0.utf8) }
        var table = [[Int]](repeating: [], count: 32)
        for (index, name) in names.enumerated() { table[name.utf8.count & 31].append(index) }
        byLength = table
    }

    func index(of name: UnsafeBufferPointer<UInt8>) -> Int {
        for candidate in byLength[name.count & 31] {
            let known = names[candidate]
            guard known.count == name.count else { continue }
            // Both regions are `count` bytes long, checked in the line above.
            let equal = unsafe known.withUnsafeBytes {
                unsafe $0.elementsEqual(UnsafeRawBufferPointer(name))
            }
            if equal { return candidate }
        }
        return -1
    }
}
