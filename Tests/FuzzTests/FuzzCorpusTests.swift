internal import Foundation
internal import FuzzTargets
internal import Testing

/// Replays the fuzzer's corpus and all inputs that once failed, with random changes of each.
@Suite("Unchecked bytes")
struct FuzzCorpusTests {
    @Test("No input that the fuzzer has found breaks anything", arguments: FuzzTarget.allCases)
    func replays(target: FuzzTarget) throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../Fuzz/Corpus/\(target.rawValue)")
        let files = try FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil)
        #expect(!files.isEmpty)
        var generator = SystemRandomNumberGenerator()
        let seed = generator.next() as UInt64
        // Printed first, because a trap ends the process.
        print("fuzz \(target.rawValue): \(files.count) inputs, seed \(seed)")
        var random = Seeded(state: seed)
        for file in files {
            let bytes = Array(try Data(contentsOf: file))
            target.run(bytes)
            for _ in 0..<20 { target.run(random.change(bytes)) }
        }
    }
}

/// SplitMix64, so that a printed seed can be reused.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func change(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &self) {
            let place = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &self)
            switch Int.random(in: 0..<4, using: &self) {
            case 0 where !bytes.isEmpty: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &self)
            case 1 where !bytes.isEmpty: bytes.remove(at: place)
            case 2: bytes.insert(UInt8.random(in: 0...255, using: &self), at: place)
            default: bytes.append(contentsOf: bytes.suffix(place).prefix(64))
            }
        }
        return bytes
    }
}
