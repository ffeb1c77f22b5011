internal import Logging
internal import Messages
internal import Rollouts
internal import StateStores

/// What the servers that share a store know of each other's rollouts: the counts of each server,
/// and the progress that the leader stores.
extension ControlPlane {
    /// The time between two times of storing the progress of a rollout: with many of them, the
    /// store receives at most 20 in a second.
    static func progressInterval(rollouts: Int) -> Duration {
        max(.seconds(5), .milliseconds(50) * rollouts)
    }

    /// The time between two publications of a server: the store receives at most 200 of them in a
    /// second.
    static func publicationInterval(servers: Int) -> Duration {
        .seconds(max(1, (servers + 199) / 200))
    }

    /// The most bytes of a rollout's progress. A plan with many gates may exceed it, and then loses
    /// what it has counted since its latest decision if its server stops.
    private static let maxProgressBytes = 1 << 20
    /// The time between two counts of the servers.
    private static let serverCountInterval = Duration.seconds(30)

    // MARK: Progress

    func storedProgress(
        of rollout: UInt64
    ) async throws(StoreError) -> Weir_Store_V1_RolloutProgress? {
        // Unreadable progress is not used, which costs evidence.
        try await store.progress(of: rollout)
            .flatMap { try? Weir_Store_V1_RolloutProgress(serializedBytes: $0) }
    }

    /// Stores the progress of rollouts every few seconds and after decisions, and deletes that of
    /// ended ones. If that fails, the next tick tries again; the progress in memory stays.
    func storeProgress() async {
        guard storeProblem == nil else { return }
        let interval = Self.progressInterval(rollouts: rollouts.count)
        for (name, running) in rollouts where running.mustStore(every: interval, now: .now) {
            var progress = running.progress(of: countingName)
            progress.webhookProblem = rolloutHooks.problems[name] ?? ""
            guard let bytes = try? progress.serializedBytes(),
                bytes.count <= Self.maxProgressBytes
            else {
                reportProgress(of: name, "it cannot be encoded in \(Self.maxProgressBytes) bytes")
                continue
            }
            do throws(StoreError) {
                guard try await store.storeProgress(bytes, of: running.rollout.id) else { return }
            } catch {
                reportProgress(of: name, error.description)
                continue
            }
            // A decision during the write must be stored at once.
            let stored = rollouts[name]?.rollout
            if stored?.id == running.rollout.id, stored?.decisions == running.rollout.decisions {
                rollouts[name]?.stored(at: .now)
            }
        }
        let kept = Set(rollouts.values.map(\.rollout.id))
        guard kept != rolloutsWithProgress else { return }
        do throws(StoreError) {
            try await store.deleteProgress(except: kept)
            rolloutsWithProgress = kept
        } catch {
            return
        }
    }

    /// Logs why progress cannot be stored, once until a decision is stored.
    private func reportProgress(of name: String, _ problem: String) {
        guard rollouts[name]?.problem != problem else { return }
        rollouts[name]?.problem = problem
        log.warning(
            "the progress of a rollout cannot be stored; it is lost if this server stops",
            metadata: ["endpoint": "\(name)", "reason": "\(problem)"])
    }

    /// The rollout of an endpoint with the progress since its latest decision, for a decision of an
    /// operator; nil without one.
    func currentRollout(of name: String) async -> ControlState.Rollout? {
        if let running = rollouts[name], running.isDriven { return running.current }
        guard let rollout = state.endpoints[name]?.rollout, rollout.isRunning,
            let progress = try? await storedProgress(of: rollout.id)
        else { return nil }
        return progress.rollout.flatMap { rollout.progressed($0) }
    }

    // MARK: Counts

    /// The counts that the other servers have published.
    func publishedCounts() async -> [Weir_Store_V1_RolloutCounts] {
        do throws(StoreError) {
            return try await store.publishedCounts().compactMap {
                try? Weir_Store_V1_RolloutCounts(serializedBytes: $0)
            }
        } catch {
            // Lost counts cost evidence, not validity.
            return []
        }
    }

    /// Publishes the counts of this server for the leader.
    func publishCounts() async {
        rolloutsWithProgress = nil
        guard !rollouts.isEmpty, storeProblem == nil else { return }
        let now = ContinuousClock.now
        if publication.countedAt.map({ now - $0 >= Self.serverCountInterval }) ?? true {
            publication.servers = (try? await store.serverCount()) ?? publication.servers
            publication.countedAt = .now
        }
        let interval = Self.publicationInterval(servers: publication.servers)
        // The ticks of all servers are a second apart, not more.
        guard publication.time.map({ now - $0 >= interval - .milliseconds(500) }) ?? true else {
            return
        }
        let counts = rollouts.sorted { $0.key < $1.key }
            .map { (endpoint: $0.key, counts: $0.value.published) }
        guard
            let encoded = PublishedCounts.encoded(
                counts, of: countingName, from: publication.next % counts.count)
        else { return }
        do throws(StoreError) {
            try await store.publish(counts: encoded.bytes)
            (publication.time, publication.next) = (.now, encoded.next)
        } catch {
            // The next publication contains the same seconds.
            return
        }
    }
}

/// The publications of a server's counts.
struct Publication {
    /// When the latest one was made, and the endpoint with which the next one begins.
    var time: ContinuousClock.Instant?
    var next = 0
    /// The number of servers, and when they were counted.
    var servers = 1
    var countedAt: ContinuousClock.Instant?
}
