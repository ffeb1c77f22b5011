extension String {
    /// The text, or its beginning and an ellipsis if it has more bytes. Cuts between scalars.
    package func kept(bytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: limit)
        while end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(self[..<end]) + "…"
    }
}

extension Attribute {
    /// The point of a shard key on a ring, as text, because many readers round numbers over 2^53.
    package static func shardPoint(_ point: UInt64) -> Attribute {
        Attribute("weir.shard_point", "0x" + Hex.text(point))
    }
}
