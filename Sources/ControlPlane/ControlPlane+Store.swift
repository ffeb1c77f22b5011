internal import Logging
internal import Messages
internal import Serving
internal import StateStores

internal import struct FoundationEssentials.Date

/// Making changes, and following those of others who share the store.
extension ControlPlane {
    /// What a change is made under.
    package struct Condition: Sendable {
        package var expectedRevision: UInt64?
        package var validateOnly: Bool
        /// For the history.
        package var author: String
        package var comment: String

        package init(
            expectedRevision: UInt64? = nil, validateOnly: Bool = false, author: String = "weir",
            comment: String = ""
        ) {
            self.expectedRevision = expectedRevision
            self.validateOnly = validateOnly
            self.author = author
            self.comment = comment
        }
    }

    /// How often a change is tried when others who share the store are always first.
    private static let maxAttempts = 100

    /// Makes a change, or nothing.
    ///
    /// - Parameters:
    ///   - prefix: the start of the change's summary in the history.
    ///   - body: changes the state; throws when the change is refused. Called again when the state
    ///     has changed meanwhile.
    /// - Returns: the body's answer, and the revision that the state has, or with `validateOnly`
    ///   would have.
    func change<Answer: Sendable>(
        _ condition: Condition, prefix: String = "",
        _ body: @Sendable (inout ControlState) throws(ControlError) -> Answer
    ) async throws -> (answer: Answer, revision: UInt64) {
        await enter()
        defer { leave() }
        for _ in 0..<Self.maxAttempts {
            // The caller may have disconnected, or lost its role, while the change waited.
            try Task.checkCancellation()
            if let expected = condition.expectedRevision, expected != state.revision {
                throw ControlError.conflict(expected: expected, current: state.revision)
            }
            var next = state
            let answer = try body(&next)
            let delta = state.delta(to: next)
            guard !delta.isEmpty else { return (answer, state.revision) }
            guard !condition.validateOnly else { return (answer, state.nextRevision) }
            if let storeProblem {
                throw ControlError.unavailable(store.place, storeProblem.reason)
            }
            readClock()
            var record = RevisionRecord(
                revision: state.nextRevision, time: Date(), author: condition.author,
                comment: condition.comment, summary: prefix + delta.summary(of: state),
                delta: delta, previousHash: history.nextPreviousHash())
            let stored = StoredRecord(
                revision: record.revision, bytes: try bytes(of: record),
                expectedHash: state.revision == 0 ? HashChain.unknown : record.previousHash)
            record.hash = HashChain.hash(stored.bytes)
            do throws(StoreError) {
                try await store.append(stored)
            } catch .conflict {
                try await catchUpOrRefuse()
                continue
            } catch {
                lost(error)
                throw ControlError.unavailable(store.place, error.description)
            }
            try await accept([record])
            return (answer, record.revision)
        }
        throw ControlError.unavailable(store.place, "too many changes are made at the same time")
    }

    /// Throws if protobuf cannot hold the record, for example a NUL in a name.
    private func bytes(of record: RevisionRecord) throws(ControlError) -> [UInt8] {
        do throws(MessageError) {
            return try record.bytes(after: state)
        } catch {
            throw .invalid("change", "cannot be stored: \(error.description)")
        }
    }

    /// Has everything use the next revisions, which are stored.
    private func accept(_ records: [RevisionRecord]) async throws {
        for record in records { history.append(record) }
        try await publish(backendsChanged: records.contains { $0.delta.concernsBackends })
        for record in records { watchers.tell(.change(record)) }
        accepted.continuation.yield()
    }

    // MARK: Following the store

    /// How long to wait for a store that cannot be reached at the start; and how long if there is a
    /// copy of the state.
    private static let startTimeout = Duration.seconds(10)
    private static let shortStartTimeout = Duration.seconds(2)

    /// Reads the store, or if that is not possible the copy of the state on this machine.
    ///
    /// - Returns: why the copy is served; nil if the store is.
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

    /// Throws if the store does not contain what the copy contains, and is not accepted as it is.
    private func checkCopy(
        _ copy: StateHistory?, _ acceptsLostRevisions: Bool
    ) throws(StoreError) {
        do throws(StoreError) {
            try copy?.checkContained(in: history.chain)
        } catch {
            guard acceptsLostRevisions else { throw error }
            log.warning(
                "continuing from what the store contains; the copy on this machine is replaced",
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
        // Once more if it is later, since a change may have been made after the first reading.
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

    /// Adds a backend for each registered handler that has none, as one change.
    func registerHandlers() async throws {
        let handlers = registered.values.sorted { $0.name < $1.name }
        let names = registeredNames
        let missing = handlers.filter { state.backends[$0.name] == nil }
        guard !missing.isEmpty else {
            hasRegisteredHandlers = true
            return
        }
        _ = try await change(.init(comment: "Swift code of this server")) {
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

    /// Says which backends are Swift code that this program does not have.
    func reportMissingHandlers() {
        let problems = state.backends.values.compactMap { backend in
            missingHandler(of: backend).map { (backend.name, $0) }
        }
        for (name, problem) in problems.sorted(by: { $0.0 < $1.0 }) {
            log.warning(
                "a backend cannot answer",
                metadata: ["backend": "\(name)", "problem": "\(problem)"])
        }
    }

    /// What is wrong with a backend of Swift code that this program does not have.
    func missingHandler(of backend: ControlState.Backend) -> String? {
        guard case .handler(let name) = backend.kind, registered[name] == nil else { return nil }
        return "no handler '\(name)' is compiled into this server"
    }

    func received(_ event: StoreEvent) async {
        switch event {
        case .changed: await follow { () throws(StoreError) in try await catchUp() }
        case .tampered: await follow { () throws(StoreError) in try await checkWhole() }
        case .lost(let reason): lost(.unavailable(reason))
        }
    }

    private func follow(_ body: () async throws(StoreError) -> Void) async {
        await enter()
        defer { leave() }
        do throws(StoreError) {
            try await body()
        } catch {
            lost(error)
        }
    }

    /// Throws if a revision in the store is damaged, or if it contains another history.
    func checkWhole() async throws(StoreError) {
        try history.checkContained(in: try await readWhole().chain)
    }

    /// Everything in the store.
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

    private func catchUpOrRefuse() async throws(ControlError) {
        do throws(StoreError) {
            try await catchUp()
        } catch {
            lost(error)
            throw .unavailable(store.place, error.description)
        }
    }

    /// Applies what other servers have stored. Call it between `enter` and `leave`.
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
                watchers.tell(.snapshot(state))
                accepted.continuation.yield()
            }
        } catch {
            // The data plane is being shut down.
            throw .unavailable("\(error)")
        }
    }

    // MARK: Beside the changes

    /// What follows on accepted changes, when there is time.
    func tidyUp() async {
        await updateCopy()
        await announceRevision()
        await forgetOldChanges()
    }

    /// Says when the latest revision has a time in the future: its clock was wrong, or this one is.
    func reportFutureRevision() {
        guard let latest = history.entries.last?.record,
            latest.time.timeIntervalSince(Date()) > WallClock.maxDifference / .seconds(1)
        else { return }
        log.warning(
            "the latest revision has a time in the future: check the clock of this machine",
            metadata: ["revision": "\(latest.revision)", "time": "\(latest.time)"])
    }

    /// Notices when the wall clock was set: revisions have its time, and are deleted by their age.
    private func readClock() {
        guard let jump = clock.read() else { return }
        // At most what a date can hold, as a whole number.
        let seconds = Int(exactly: jump.rounded()) ?? 0
        log.warning(
            "the clock was set; no revisions are deleted by age in the next hour",
            metadata: ["by": "\(seconds > 0 ? "+" : "")\(seconds) s"])
    }

    /// Keeps the history within its bounds, here and, on the leader, in the store.
    private func forgetOldChanges() async {
        readClock()
        // A store that contains another history must not be changed.
        guard storeProblem == nil,
            let cut = history.cut(bounds, now: clock.isSettled() ? Date() : nil),
            let checkpoint = try? history.checkpoint(at: cut)
        else { return }
        let hash = history.chain[cut]
        if await store.isLeader {
            do throws(StoreError) {
                try await store.checkpoint(checkpoint)
            } catch {
                // Nothing is lost by a history that is too long; the next change tries again.
                log.warning(
                    "old revisions cannot be deleted", metadata: ["reason": "\(error.description)"])
                return
            }
        }
        // Another history may have been adopted meanwhile.
        guard history.chain[cut] == hash else { return }
        history.forget(upTo: cut)
        await cutCopy(checkpoint)
    }
}
