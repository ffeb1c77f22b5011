internal import Messages

/// The keys in etcd, under the prefix.
///
/// ```
///   v1/head                    the latest revision, in decimal
///   v1/hash                    the latest revision and its hash, in decimal and in hex
///   v1/log/00..041             a revision, as a `Blob`
///   v1/checkpoint              the checkpoint, as a `Blob`
///   v1/parts/00..041-x/0000    the parts of a revision that is too large for one value
///   v1/checkpoints/00..040-x/  the parts of a checkpoint
///   v1/members/x  v1/leader    the members and the leader; deleted when their lease ends
///   counts/x                   the counts of a member; not below v1, which all servers watch
///   progress/x                 what the leader keeps of a rollout, likewise
/// ```
struct EtcdKeys {
    /// The start of all keys that servers watch.
    let root: String
    /// The start of the keys with counts.
    let counts: String
    /// The start of the keys with what the leader keeps of rollouts.
    let progress: String

    init(prefix: String) {
        root = "\(prefix)/v1/"
        counts = "\(prefix)/counts/"
        progress = "\(prefix)/progress/"
    }

    var head: String { root + "head" }
    var hash: String { root + "hash" }
    var checkpoint: String { root + "checkpoint" }
    var probe: String { root + "probe" }
    var leader: String { root + "leader" }
    var members: String { root + "members/" }

    func progress(_ rollout: UInt64) -> String { progress + rollout.padded(16, radix: 16) }

    func log(_ revision: UInt64) -> String { root + "log/" + Self.digits(revision) }
    func parts(_ revision: UInt64) -> String { root + "parts/" + Self.digits(revision) }
    func checkpoints(_ revision: UInt64) -> String { root + "checkpoints/" + Self.digits(revision) }

    /// The key after all keys that begin with a text, whose last character is in ASCII.
    static func end(of prefix: String) -> [UInt8] {
        var bytes = Array(prefix.utf8)
        if let last = bytes.popLast() { bytes.append(last &+ 1) }
        return bytes
    }

    /// A part of a value, by its number.
    static func part(of parts: String, _ number: UInt32) -> String {
        "\(parts)/\(number.padded(4))"
    }

    /// The digits with a fixed width, so that keys sort like numbers.
    private static func digits(_ number: UInt64) -> String { number.padded(20) }
}

extension Etcdserverpb_RangeRequest {
    /// One key.
    init(_ key: String, revision: Int64 = 0) {
        self.init(key: Array(key.utf8), revision: revision)
    }

    /// All keys that begin with a text.
    init(
        prefix: String, revision: Int64 = 0, keysOnly: Bool = false, countOnly: Bool = false
    ) {
        self.init(
            key: Array(prefix.utf8), rangeEnd: EtcdKeys.end(of: prefix), revision: revision,
            keysOnly: keysOnly, countOnly: countOnly)
    }
}

extension Etcdserverpb_RequestOp {
    static func put(_ key: String, _ value: [UInt8], lease: Int64 = 0) -> Self {
        .init(request: .requestPut(.init(key: Array(key.utf8), value: value, lease: lease)))
    }

    static func range(_ request: Etcdserverpb_RangeRequest) -> Self {
        .init(request: .requestRange(request))
    }

    /// Deletes the keys from one up to another, which stays.
    static func delete(from first: String, upTo end: String) -> Self {
        delete(from: first, upTo: Array(end.utf8))
    }

    static func delete(from first: String, upTo end: [UInt8]) -> Self {
        .init(request: .requestDeleteRange(.init(key: Array(first.utf8), rangeEnd: end)))
    }

    /// Deletes one key.
    static func delete(_ key: String) -> Self {
        .init(request: .requestDeleteRange(.init(key: Array(key.utf8))))
    }
}

extension Etcdserverpb_ResponseOp {
    /// The result of a range.
    var found: [Etcdserverpb_KeyValue] {
        if case .responseRange(let range) = response { range.kvs } else { [] }
    }
}

extension Etcdserverpb_Compare {
    /// Whether a key has a value.
    static func value(of key: String, is value: String) -> Self {
        .init(
            result: .equal, target: .value, key: Array(key.utf8),
            targetUnion: .value(Array(value.utf8)))
    }

    /// Whether a key was last changed by a revision of etcd; 0 means that it does not exist.
    static func modified(_ key: String, at revision: Int64) -> Self {
        .init(
            result: .equal, target: .mod, key: Array(key.utf8),
            targetUnion: .modRevision(revision))
    }
}
