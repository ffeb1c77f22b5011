internal import Logging
internal import Messages
internal import Serving
internal import StateStores

internal import struct FoundationEssentials.Date

/// Makes changes, and follows the changes of other servers that share the store.
extension ControlPlane {
    /// The options of a change, the same for each kind of change.
    package struct ChangeOptions: Sendable {
        /// The change is rejected with ABORTED if this is not the current revision.
        package var expectedRevision: UInt64?
        /// Whether to check the change without making it.
        package var validateOnly: Bool
        /// The author in the history.
        package var author: String
        /// The comment in the history.
        package var comment: String
        /// Whether the change is made although the state is frozen.
        var ignoresFreeze: Bool

        package init(
            expectedRevision: UInt64? = nil, validateOnly: Bool = false, author: String = "weir",
            comment: String = "", ignoresFreeze: Bool = false
        ) {
            self.expectedRevision = expectedRevision
            self.validateOnly = validateOnly
            self.author = author
            self.comment = comment
            self.ignoresFreeze = ignoresFreeze
        }

        /// The same for a change that may be made during a freeze.
        func ignoringFreeze(_ ignores: Bool = true) -> ChangeOptions {
            var options = self
            options.ignoresFreeze = ignores
            return options
        }
    }

    /// The most attempts at one change while other servers write to the store.
    private static let maxAttempts = 100

    /// Makes one change. A rejected change changes nothing.
    ///
    /// - Parameters:
    ///   - prefix: the start of the change's summary in the history.
    ///   - isException: whether a freeze does not apply, decided about the state that the change
    ///     changes.
    ///   - body: changes the state, or throws to reject the change. Called again if another server
    ///     has changed the state meanwhile.
    /// - Returns: the result of the body, and the new revision; with `validateOnly`, the revision
    ///   that the change would make.
    func change<Result: Sendable>(
        _ options: ChangeOptions, prefix: String = "",
        isException: @Sendable (ControlState) -> Bool = { _ in false },
        _ body: @Sendable (inout ControlState) throws(ControlError) -> Result
    ) async throws -> (result: Result, revision: UInt64) {
        await beginChange()
        defer { endChange() }
        for _ in 0..<Self.maxAttempts {
            // The caller may have disconnected, or lost its role, while the change waited.
            try Task.checkCancellation()
            if let expected = options.expectedRevision, expected != state.revision {
                throw ControlError.conflict(expected: expected, current: state.revision)
            }
            let ignoresFreeze = options.ignoresFreeze || isException(state)
            var next = state
            let result = try body(&next)
            let delta = state.delta(to: next)
            guard !delta.isEmpty else { return (result, state.revision) }
            // A conflict of routes must not prevent a revert. The log names it.
            if !ignoresFreeze { try checkRoutes(of: next) }
            guard !options.validateOnly else { return (result, state.nextRevision) }
            if !ignoresFreeze, let freeze = state.freeze(at: chance.now()) {
                throw ControlError.frozen(freeze)
            }
            if let storeProblem {
                throw ControlError.unavailable(store.place, storeProblem.reason)
            }
            readClock()
            var record = RevisionRecord(
                revision: state.nextRevision, time: chance.now(), author: options.author,
                comment: options.comment, summary: prefix + delta.summary(of: state),
                delta: delta, previousHash: history.nextPreviousHash())
            let stored = StoredRecord(
                revision: record.revision, bytes: try bytes(of: record),
                expectedHash: state.revision == 0 ? HashChain.unknown : record.previousHash)
            record.hash = HashChain.hash(stored.bytes)
            do throws(StoreError) {
                try await store.append(stored)
            } catch .conflict {
                try await catchUpOrReject()
                continue
            } catch {
                storeIsLost(error)
                throw ControlError.unavailable(store.place, error.description)
            }
            try await accept([record])
            return (result, record.revision)
        }
        throw ControlError.unavailable(
            store.place, "stopped after \(Self.maxAttempts) conflicting writes; try again")
    }

    /// Throws if protobuf cannot hold the record, for example a NUL in a name.
    private func bytes(of record: RevisionRecord) throws(ControlError) -> [UInt8] {
        do throws(MessageError) {
            return try record.bytes(after: state)
        } catch {
            throw .invalid("change", "cannot be stored: \(error.description)")
        }
    }

    /// Serves the next revisions, which the store contains.
    private func accept(_ records: [RevisionRecord]) async throws {
        for record in records { history.append(record) }
        try await publish(backendsChanged: records.contains { $0.delta.changesBackends })
        for record in records { watchers.send(.change(record)) }
        background.accepted.continuation.yield()
    }

    // MARK: Following the store

    /// The time to wait at the start for an unreachable store: without a copy of the state, and
    /// with one.
    private static let startTimeout = Duration.seconds(10)
    private static let shortStartTimeout = Duration.seconds(2)

    /// Reads the store; if that fails, reads the copy of the state on this machine.
    ///
    /// - Returns: the reason why the copy is served; nil if the store is.
    func loadStoreOrCopy(acceptsLostRevisions: Bool) async throws(StoreError) -> StoreError? {
        let saved = await readCopy()
        do throws(StoreError) {
            let isServed = saved != nil && !acceptsLostRevisions
            history = try await load(within: isServed ? Self.shortStartTimeout : Self.startTimeout)
            try checkCopy(saved, acceptsLostRevisions)
        } catch {
            guard let saved, !acceptsLostRevisions, error.isAboutContent || error.isTemporary else {
                throw error
            }
            history = saved
            log.error(
                "serving the copy of the state on this machine, which may be stale",
                metadata: [
                    "revision": "\(state.revision)", "store": "\(store.place)",
                    "reason": "\(error)",
                ])
            return error
        }
        if !acceptsLostRevisions { try await compareWithOthers() }
        return nil
    }

    /// Throws if the store lacks revisions that the copy contains, unless that is accepted.
    private func checkCopy(
        _ copy: StateHistory?, _ acceptsLostRevisions: Bool
    ) throws(StoreError) {
        do throws(StoreError) {
            try copy?.checkContained(in: history.chain)
        } catch {
            guard acceptsLostRevisions else { throw error }
            log.warning(
                "continuing from the content of the store; the copy on this machine is replaced",
                metadata: [
                    "revision": "\(state.revision)", "copy": "\(copy?.current.revision ?? 0)",
                    "store": "\(store.place)",
                ])
        }
    }

    /// Reads everything in the store.
    private func load(within timeout: Duration) async throws(StoreError) -> StateHistory {
        let end = ContinuousClock.now + timeout
        while true {
            do throws(StoreError) {
                return try await readWhole()
            } catch .unavailable(let reason) where ContinuousClock.now < end {
                log.warning(
                    "waiting for the store",
                    metadata: ["store": "\(store.place)", "reason": "\(reason)"])
                try? await Task.sleep(for: .milliseconds(500))
            }
        }
    }

    /// Throws if another server that shares the store serves a later revision than the store has.
    private func compareWithOthers() async throws(StoreError) {
        // A second read includes changes that were made after the first.
        for isFirst in [true, false] {
            let others = ((try? await store.instances()) ?? []).compactMap {
                try? Weir_Admin_V1_Instance(serializedBytes: $0.bytes)
            }
            guard let other = others.max(by: { $0.revision < $1.revision }),
                other.revision > state.revision
            else { return }
            guard isFirst else {
                throw .damaged(
                    "the server '\(other.name)' serves revision \(other.revision), but the latest "
                        + "one in \(store.place) is \(state.revision): the store was reset or "
                        + "restored; restore the later state, or continue from the state that "
                        + "exists with 'weir serve --accept-lost-revisions'")
            }
            history = try await load(within: .zero)
        }
    }

    /// Adds a backend for each registered handler without one, as one change.
    func registerHandlers() async throws {
        let handlers = registered.values.sorted { $0.name < $1.name }
        let names = registeredNames
        let missing = handlers.filter { state.backends[$0.name] == nil }
        guard !missing.isEmpty else {
            hasRegisteredHandlers = true
            return
        }
        _ = try await change(.init(comment: "Swift code of this server", ignoresFreeze: true)) {
            (state) throws(ControlError) in
            for handler in missing where state.backends[handler.name] == nil {
                _ = try state.createBackend(
                    .init(
                        name: handler.name, kind: .handler(handler.name),
                        description: handler.description),
                    registered: names)
            }
        }
        hasRegisteredHandlers = true
    }

    /// Logs the backends whose handlers this program does not have.
    func reportMissingHandlers() {
        let problems = state.backends.values.compactMap { backend in
            views.current.missingHandler(of: backend).map { (backend.name, $0) }
        }
        for (name, problem) in problems.sorted(by: { $0.0 < $1.0 }) {
            log.warning(
                "a backend is unusable",
                metadata: ["backend": "\(name)", "problem": "\(problem)"])
        }
    }

    func received(_ event: StoreEvent) async {
        switch event {
        case .changed: await follow { () throws(StoreError) in try await catchUp() }
        case .tampered: await follow { () throws(StoreError) in try await checkWhole() }
        case .lost(let reason): storeIsLost(.unavailable(reason))
        }
    }

    private func follow(_ body: () async throws(StoreError) -> Void) async {
        await beginChange()
        defer { endChange() }
        do throws(StoreError) {
            try await body()
        } catch {
            storeIsLost(error)
        }
    }

    /// Throws if a revision in the store is damaged, or if the store contains another history.
    func checkWhole() async throws(StoreError) {
        try history.checkContained(in: try await readWhole().chain)
    }

    /// Reads the whole store.
    func readWhole() async throws(StoreError) -> StateHistory {
        let stored = try await store.read(after: nil)
        let whole = try StateHistory(stored)
        guard stored.latest == whole.current.revision else {
            throw .damaged(
                "\(store.place) contains revision \(whole.current.revision), but its latest one is "
                    + "\(stored.latest)")
        }
        return whole
    }

    private func catchUpOrReject() async throws(ControlError) {
        do throws(StoreError) {
            try await catchUp()
        } catch {
            storeIsLost(error)
            throw .unavailable(store.place, error.description)
        }
    }

    /// Applies what other servers have stored. Call it between `beginChange` and `endChange`.
    func catchUp() async throws(StoreError) {
        let stored = try await store.read(after: max(1, state.revision) - 1)
        let update = try history.update(from: stored)
        do {
            switch update {
            case .none: return
            case .records(let records): try await accept(records)
            case .replacement(let newer):
                history = newer
                try await publish(backendsChanged: true)
                watchers.send(.snapshot(state))
                background.accepted.continuation.yield()
            }
        } catch {
            // The data plane is shutting down.
            throw .unavailable("\(error)")
        }
    }

    // MARK: Background work

    /// The work after accepted changes that they do not wait for.
    func tidyUp() async {
        await updateCopy()
        await announceRevision()
        await deleteOldRevisions()
    }

    /// Logs a latest revision with a time in the future: the clock of its server or of this one is
    /// wrong.
    func reportFutureRevision() {
        guard let latest = history.entries.last?.record,
            latest.time.timeIntervalSince(chance.now()) > WallClock.maxDifference / .seconds(1)
        else { return }
        log.warning(
            "the latest revision has a time in the future: check the clock of this machine",
            metadata: ["revision": "\(latest.revision)", "time": "\(latest.time)"])
    }

    /// Logs a jump of the wall clock: revisions have its time, and are deleted by their age.
    private func readClock() {
        guard let jump = clock.read() else { return }
        // A date holds fewer seconds than an `Int`.
        let seconds = Int(exactly: jump.rounded()) ?? 0
        log.warning(
            "the clock was set; no revisions are deleted by age in the next hour",
            metadata: ["by": "\(seconds > 0 ? "+" : "")\(seconds) s"])
    }

    /// Keeps the history within its bounds, here and, on the leader, in the store.
    private func deleteOldRevisions() async {
        readClock()
        // A store that contains another history must not be changed.
        guard storeProblem == nil,
            let cut = history.cut(bounds, now: clock.isSettled() ? chance.now() : nil),
            let checkpoint = try? history.checkpoint(at: cut)
        else { return }
        let hash = history.chain[cut]
        if await store.isLeader {
            do throws(StoreError) {
                try await store.checkpoint(checkpoint)
            } catch {
                // A long history does no harm; the next change tries again.
                log.warning(
                    "old revisions cannot be deleted", metadata: ["reason": "\(error.description)"])
                return
            }
        }
        // Another history may have been adopted meanwhile.
        guard history.chain[cut] == hash else { return }
        history.forget(upTo: cut)
        views.update { $0.history = history }
        await trimCopy(checkpoint)
    }
}
