internal import Testing

@testable internal import StateStores

@Suite struct HashChainTests {
    private func chain(_ identity: UInt64, _ hashes: [UInt64], forgotten: UInt64 = 0) -> HashChain {
        var chain = HashChain(identity: identity)
        for hash in hashes { chain.append(hash) }
        chain.forget(before: forgotten)
        return chain
    }

    @Test("A chain contains the hashes from its start to its latest revision")
    func keeps() {
        var chain = chain(9, [11, 12, 13, 14])
        #expect((0...5).map { chain[$0] } == [9, 11, 12, 13, 14, nil])
        chain.forget(before: 3)
        chain.forget(before: 1)
        chain.forget(before: 5)
        #expect((0...5).map { chain[$0] } == [nil, nil, nil, 13, 14, nil])
        #expect((chain.start, chain.latest, chain.latestHash, chain.identity) == (3, 4, 14, 9))
        #expect((3...6).map { chain.hashes(before: $0) } == [[], [13], [13, 14], [13, 14]])
        chain.prepend([11, 12])
        #expect((chain.start, chain[1], chain[2], chain[3]) == (1, 11, 12, 13))
    }

    @Test(
        "A store is equal, behind or forked",
        arguments: [
            ([11, 12], [11, 12], .same), ([11, 12], [11, 12, 13], .same),
            ([], [11, 12], .same), ([], [], .same),
            ([11, 12, 13], [11, 12], .behind), ([11], [], .behind),
            ([11, 12], [11, 22], .forked), ([11, 12], [11, 22, 23], .forked),
            ([11, 12], [21, 22, 23, 24], .forked),
        ] as [([UInt64], [UInt64], HashChain.Relation)])
    func compares(own: [UInt64], store: [UInt64], relation: HashChain.Relation) {
        #expect(chain(9, own).relation(to: chain(9, store)) == relation)
    }

    @Test("If the store no longer has the revision, the identity decides")
    func comparesByIdentity() {
        let own = chain(9, [11, 12])
        let later: [UInt64] = [11, 12, 13, 14, 15]
        #expect(own.relation(to: chain(9, later, forgotten: 4)) == .same)
        #expect(own.relation(to: chain(8, later, forgotten: 4)) == .forked)
        #expect(own.relation(to: chain(HashChain.unknown, later, forgotten: 4)) == .same)
        // An empty server may start with any history.
        #expect(HashChain().relation(to: chain(8, later, forgotten: 4)) == .same)
    }

    @Test("An unknown hash matches every other one")
    func matchesUnknownHashes() {
        #expect(chain(0, [0, 0]).relation(to: chain(9, [11, 12, 13])) == .same)
        #expect(chain(9, [11, 12]).relation(to: chain(0, [0, 0])) == .same)
        #expect(chain(0, [0, 0]).relation(to: chain(9, [11])) == .behind)
    }

    @Test(
        "The latest common revision is the last one with equal hashes",
        arguments: [
            ([11, 12, 13], [11, 12, 23, 24], 2), ([11, 12], [11, 12, 13], 2),
            ([11, 12], [21, 22], 0), ([], [11], 0), ([0, 0], [0, 0], 0), ([11, 0], [11, 0], 1),
        ] as [([UInt64], [UInt64], UInt64)])
    func findsCommonRevisions(left: [UInt64], right: [UInt64], common: UInt64) {
        #expect(chain(9, left).common(with: chain(9, right)) == common)
        #expect(chain(9, right).common(with: chain(9, left)) == common)
        // Not beyond the known hashes.
        #expect(chain(9, left, forgotten: 3).common(with: chain(9, right)) <= common)
    }
}
