/// A fragment with its end; the representation used to change a map.
struct Piece {
    var start: UInt128
    var end: UInt128
    var holder: AffinityMap.Holder
    var lineage: [AffinityMap.Holder]

    var width: UInt128 { end - start }

    func hasSameHistory(as other: Piece) -> Bool {
        holder == other.holder && lineage == other.lineage
    }

    /// The part of the piece from `lower` to `upper`.
    func slice(_ lower: UInt128, _ upper: UInt128) -> Piece {
        Piece(start: lower, end: upper, holder: holder, lineage: lineage)
    }

    /// The piece with a new owner; the previous holder is added to the lineage.
    func taken(by owner: String, as change: UInt64) -> Piece {
        Piece(
            start: start, end: end, holder: AffinityMap.Holder(owner: owner, since: change),
            lineage: (lineage + [holder]).suffix(AffinityMap.maximumLineage))
    }
}

extension AffinityMap {
    /// The effect of a change of weights.
    package struct Change: Sendable {
        package let map: AffinityMap
        /// The share of all keys, 0 to 1, whose backend changed.
        package let movedShare: Double
        /// Whether the map exceeded `maximumIntervals` and was repacked, which moves more keys than
        /// the weights require.
        package let packed: Bool
    }

    var pieces: [Piece] {
        fragments.indices.map { index in
            let fragment = fragments[index]
            return Piece(
                start: UInt128(fragment.start), end: end(at: index), holder: fragment.holder,
                lineage: fragment.lineage)
        }
    }

    /// The map for new weights that moves the minimum of points: the total variation distance
    /// between the old and the new shares.
    ///
    /// - Parameters:
    ///   - weights: the new policy.
    ///   - history: earlier maps of this endpoint, oldest first. If one has the same shares, and
    ///     switching to it moves no more than the minimum, it is used unchanged.
    package func changed(to weights: TrafficWeights, history: [AffinityMap] = []) -> Change {
        var rearrangement = Rearrangement(of: self, to: weights.shares)
        let next = nextGeneration
        if let earlier = history.last(where: {
            $0.hasShares(weights.shares) && movedPoints(to: $0) == rearrangement.minimumMoved
        }) {
            let map = AffinityMap(fragments: earlier.fragments, generation: next)
            return Change(map: map, movedShare: movedShare(to: map), packed: false)
        }
        let (pieces, packed) = Self.bounded(rearrangement.carryOut(as: next))
        let map = AffinityMap(
            fragments: pieces.map {
                Fragment(start: UInt64($0.start), holder: $0.holder, lineage: $0.lineage)
            }, generation: next)
        return Change(map: map, movedShare: movedShare(to: map), packed: packed)
    }

    /// Keeps the number of fragments within the bound: first discards history, which moves nothing,
    /// then gives each backend a single run.
    private static func bounded(_ pieces: [Piece]) -> (pieces: [Piece], packed: Bool) {
        guard pieces.count > maximumIntervals else { return (pieces, false) }
        let forgotten = merged(
            pieces.map {
                Piece(
                    start: $0.start, end: $0.end, holder: Holder(owner: $0.holder.owner, since: 0),
                    lineage: [])
            })
        guard forgotten.count > maximumIntervals else { return (forgotten, false) }
        return (packed(forgotten), true)
    }

    /// One run per backend, ordered by where most of its points are now, so that many points stay.
    private static func packed(_ pieces: [Piece]) -> [Piece] {
        var widths: [String: UInt128] = [:]
        var centres: [String: Double] = [:]
        for piece in pieces {
            widths[piece.holder.owner, default: 0] += piece.width
            let centre = Double(piece.start) + Double(piece.width) / 2
            centres[piece.holder.owner, default: 0] += centre * Double(piece.width)
        }
        let order = widths.keys.sorted {
            let left = (centres[$0] ?? 0) / Double(widths[$0] ?? 1)
            let right = (centres[$1] ?? 0) / Double(widths[$1] ?? 1)
            return left == right ? $0 < $1 : left < right
        }
        var start: UInt128 = 0
        return order.map { owner in
            let end = start + (widths[owner] ?? 0)
            defer { start = end }
            return Piece(
                start: start, end: end, holder: Holder(owner: owner, since: 0), lineage: [])
        }
    }

    static func merged(_ pieces: [Piece]) -> [Piece] {
        var result: [Piece] = []
        result.reserveCapacity(pieces.count)
        for piece in pieces {
            if let last = result.last, last.hasSameHistory(as: piece) {
                result[result.count - 1].end = piece.end
            } else {
                result.append(piece)
            }
        }
        return result
    }
}

/// One change of an affinity map, step by step.
///
/// 1. Each backend that shrinks *releases* the minimum, latest acquisitions first.
/// 2. Each released piece *returns* to the latest earlier holder that grows.
/// 3. The remaining pieces are *handed over* to the other backends that grow.
///
/// Backends release their latest acquisitions first, and return them to the previous holder.
/// Therefore, undoing the latest change restores the map bit for bit.
private struct Rearrangement {
    private var pieces: [Piece]
    private var surplus: [String: UInt128] = [:]
    private var need: [String: UInt128] = [:]

    /// The minimum number of points that any scheme must move.
    let minimumMoved: UInt128

    init(of map: AffinityMap, to target: [String: UInt128]) {
        pieces = map.pieces
        let current = map.shares
        var moved: UInt128 = 0
        for (backend, share) in current {
            let wanted = target[backend] ?? 0
            if wanted < share {
                surplus[backend] = share - wanted
                moved += share - wanted
            }
        }
        for (backend, wanted) in target {
            let share = current[backend] ?? 0
            if wanted > share { need[backend] = wanted - share }
        }
        minimumMoved = moved
    }

    mutating func carryOut(as change: UInt64) -> [Piece] {
        var (kept, released) = release()
        var left: [Piece] = []
        for piece in released { kept += giveBack(piece, as: change, left: &left) }
        return AffinityMap.merged(handOver(left, beside: kept, as: change))
    }

    /// Splits the pieces into kept and released ones.
    private mutating func release() -> (kept: [Piece], released: [Piece]) {
        let latestFirst = pieces.indices.sorted {
            let (left, right) = (pieces[$0].holder.since, pieces[$1].holder.since)
            return left == right ? $0 > $1 : left > right
        }
        var kept: [Piece] = []
        var released: [Piece] = []
        for index in latestFirst {
            let piece = pieces[index]
            let excess = surplus[piece.holder.owner] ?? 0
            guard excess > 0 else {
                kept.append(piece)
                continue
            }
            guard excess < piece.width else {
                surplus[piece.holder.owner] = excess - piece.width
                released.append(piece)
                continue
            }
            surplus[piece.holder.owner] = 0
            let cut = isGrowing(at: index + 1) || !isGrowing(at: index - 1)
            let border = cut ? piece.end - excess : piece.start + excess
            let (low, high) = (piece.slice(piece.start, border), piece.slice(border, piece.end))
            kept.append(cut ? low : high)
            released.append(cut ? high : low)
        }
        return (kept, released.sorted { $0.start < $1.start })
    }

    /// Whether the piece at an index belongs to a backend that still needs points.
    private func isGrowing(at index: Int) -> Bool {
        pieces.indices.contains(index) && (need[pieces[index].holder.owner] ?? 0) > 0
    }

    /// Returns as much of a piece as possible to its earlier holders, latest first. Appends the
    /// rest to `left`.
    private mutating func giveBack(
        _ piece: Piece, as change: UInt64, left: inout [Piece]
    ) -> [Piece] {
        var returned: [Piece] = []
        var rest = piece
        for earlier in piece.lineage.reversed() {
            let amount = min(need[earlier.owner] ?? 0, rest.width)
            guard amount > 0 else { continue }
            need[earlier.owner, default: 0] -= amount
            returned.append(
                rest.slice(rest.start, rest.start + amount).taken(by: earlier.owner, as: change))
            rest.start += amount
            if rest.width == 0 { return returned }
        }
        left.append(rest)
        return returned
    }

    /// Gives every released piece to backends that grow, preferably to a neighbour.
    private mutating func handOver(
        _ released: [Piece], beside kept: [Piece], as change: UInt64
    ) -> [Piece] {
        let all = (kept.map { ($0, false) } + released.map { ($0, true) })
            .sorted { $0.0.start < $1.0.start }
        var result: [Piece] = []
        result.reserveCapacity(all.count)
        for index in all.indices {
            var (piece, isReleased) = all[index]
            guard isReleased else {
                result.append(piece)
                continue
            }
            let right = index + 1 < all.count && !all[index + 1].1 ? all[index + 1].0 : nil
            while piece.width > 0 {
                let owner = taker(after: result.last?.holder.owner, before: right?.holder.owner)
                let amount = min(need[owner] ?? 0, piece.width)
                // Invariant: the shares of the map and of the weights both sum to 2^64, so the
                // released points equal the needed points.
                precondition(amount > 0, "released points equal needed points")
                need[owner, default: 0] -= amount
                result.append(
                    piece.slice(piece.start, piece.start + amount).taken(by: owner, as: change))
                piece.start += amount
            }
        }

        return result
    }

    /// The backend that receives the next released points: a growing neighbour, else the backend
    /// that needs most.
    private func taker(after left: String?, before right: String?) -> String {
        for neighbour in [left, right] {
            if let neighbour, (need[neighbour] ?? 0) > 0 { return neighbour }
        }
        let most = need.max { $0.value == $1.value ? $0.key > $1.key : $0.value < $1.value }
        return most?.key ?? ""
    }
}
