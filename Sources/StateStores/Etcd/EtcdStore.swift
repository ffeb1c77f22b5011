internal import GRPCClient
internal import Messages

/// Keeps the state in etcd, for any number of servers.
///
/// A revision is one transaction that succeeds only if the latest revision is still the one before.
/// All servers watch the keys, and read the new revisions after an event.
package actor EtcdStore: StateStore {
    package nonisolated let place: String
    package nonisolated let isShared = true
    package nonisolated let events: AsyncStream<StoreEvent>

    /// The most bytes of one value. etcd accepts requests of 1.5 MiB.
    private static let partBytes = 512 << 10
    /// The most revisions in one response.
    private static let pageLimit: Int64 = 32

    let client: EtcdClient
    let keys: EtcdKeys
    let membership: EtcdMembership
    let eventContinuation: AsyncStream<StoreEvent>.Continuation
    private var watch: Task<Void, Never>?

    package init(_ location: EtcdLocation) async throws(StoreError) {
        place = location.place
        client = try EtcdClient(location)
        keys = EtcdKeys(prefix: location.prefix)
        (events, eventContinuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
        membership = EtcdMembership(client, keys, leaseSeconds: location.leaseSeconds)
        watch = Task { [weak self] in
            while !Task.isCancelled, await self?.watchUntilLost() != nil {}
        }
    }

    package func close() async {
        watch?.cancel()
        await membership.leave()
        await client.close()
        eventContinuation.finish()
    }

    // MARK: Reading

    package func read(after revision: UInt64?) async throws(StoreError) -> StoredHistory {
        let first = revision ?? 0
        let reply: Etcdserverpb_TxnResponse = try await client.call(
            "KV/Txn",
            Etcdserverpb_TxnRequest(success: [
                .range(.init(keys.head)), .range(page(from: first + 1)),
            ]))
        let answers = reply.responses.map(\.found)
        guard answers.count == 2 else { throw .unavailable("etcd's response is incomplete") }
        var history = StoredHistory()
        history.latest = try Self.revision(in: answers[0].first)
        let now = reply.header?.revision ?? 0
        var page = answers[1]
        var next = first + 1
        do throws(StoreError) {
            if revision == nil
                || (history.latest > first && page.first?.key != bytes(keys.log(next)))
            {
                if let stored = try await checkpoint(as: now) {
                    history.checkpoint = stored.record
                    next = stored.record.revision + 1
                    page = try await self.page(from: next, as: now)
                }
            }
            while let last = page.last {
                for pair in page {
                    guard pair.key == bytes(keys.log(next)) else { break }
                    history.records.append(try await record(pair, as: now))
                    next += 1
                }
                guard last.key == bytes(keys.log(next - 1)), page.count == Self.pageLimit else {
                    break
                }
                page = try await self.page(from: next, as: now)
            }
        } catch .damaged(let reason) {
            // The revisions before it are intact.
            history.damage = reason
            return history
        }
        if next != history.latest + 1, history.latest > first {
            history.damage = "revision \(next) is missing in \(place)"
        }
        return history
    }

    private func page(from revision: UInt64, as now: Int64 = 0) -> Etcdserverpb_RangeRequest {
        Etcdserverpb_RangeRequest(
            key: bytes(keys.log(revision)), rangeEnd: EtcdKeys.end(of: keys.root + "log/"),
            limit: Self.pageLimit, revision: now)
    }

    private func page(
        from revision: UInt64, as now: Int64
    ) async throws(StoreError) -> [Etcdserverpb_KeyValue] {
        let request: Etcdserverpb_RangeRequest = page(from: revision, as: now)
        let reply: Etcdserverpb_RangeResponse = try await client.call("KV/Range", request)
        return reply.kvs
    }

    func checkpoint(
        as now: Int64
    ) async throws(StoreError) -> (record: StoredRecord, modified: Int64)? {
        let reply: Etcdserverpb_RangeResponse = try await client.call(
            "KV/Range", Etcdserverpb_RangeRequest(keys.checkpoint, revision: now))
        guard let pair = reply.kvs.first else { return nil }
        return (try await record(pair, as: now), pair.modRevision)
    }

    /// Decodes a value, with its parts.
    func record(
        _ pair: Etcdserverpb_KeyValue, as now: Int64
    ) async throws(StoreError) -> StoredRecord {
        let key = String(decoding: pair.key, as: UTF8.self)
        let blob: Weir_Store_V1_Blob
        do throws(MessageError) {
            blob = try Weir_Store_V1_Blob(serializedBytes: pair.value)
        } catch {
            throw .damaged("etcd's key '\(key)' cannot be read: \(error.description)")
        }
        if let problem = StoredRecord.problem(blob.revision) {
            throw .damaged("etcd's key '\(key)' is damaged: \(problem)")
        }
        guard blob.partCount > 0 else {
            return StoredRecord(revision: blob.revision, bytes: blob.bytes)
        }
        var bytes: [UInt8] = []
        for number in 0..<blob.partCount {
            let part = EtcdKeys.part(of: blob.parts, number)
            let reply: Etcdserverpb_RangeResponse = try await client.call(
                "KV/Range", Etcdserverpb_RangeRequest(part, revision: now))
            guard let value = reply.kvs.first?.value else {
                throw .damaged("etcd's key '\(part)', a part of '\(key)', is missing")
            }
            bytes += value
        }
        return StoredRecord(revision: blob.revision, bytes: bytes)
    }

    /// The latest revision, from the head; 0 in an empty store.
    static func revision(in pair: Etcdserverpb_KeyValue?) throws(StoreError) -> UInt64 {
        guard let pair else { return 0 }
        let text = String(decoding: pair.value, as: UTF8.self)
        // A change compares the text, so only one spelling is valid.
        guard let revision = UInt64(text), "\(revision)" == text,
            StoredRecord.problem(revision) == nil
        else {
            let key = String(decoding: pair.key, as: UTF8.self)
            throw .damaged(
                "etcd's key '\(key)' contains '\(text.prefix(100))'; it must be a number from 0 to "
                    + "\(StoredRecord.maximumRevision)")
        }
        return revision
    }

    // MARK: Writing

    package func probe() async throws(StoreError) {
        let _: Etcdserverpb_PutResponse = try await client.call(
            "KV/Put", Etcdserverpb_PutRequest(key: bytes(keys.probe), value: bytes("probe")))
    }

    /// Encodes a record as one value. If it is too large for one, writes its parts first; servers
    /// read them only through the value that names them.
    func value(_ record: StoredRecord, parts: String) async throws(StoreError) -> [UInt8] {
        var blob = Weir_Store_V1_Blob(revision: record.revision)
        if record.bytes.count <= Self.partBytes {
            blob.bytes = record.bytes
        } else {
            blob.parts = "\(parts)-\(String(UInt64.random(in: .min ... .max), radix: 36))"
            for start in stride(from: 0, to: record.bytes.count, by: Self.partBytes) {
                let end = min(start + Self.partBytes, record.bytes.count)
                let _: Etcdserverpb_PutResponse = try await client.call(
                    "KV/Put",
                    Etcdserverpb_PutRequest(
                        key: bytes(EtcdKeys.part(of: blob.parts, blob.partCount)),
                        value: Array(record.bytes[start..<end])))
                blob.partCount += 1
            }
        }
        do throws(MessageError) {
            return try blob.serializedBytes()
        } catch {
            throw .unavailable("a revision cannot be encoded: \(error.description)")
        }
    }

    func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    // MARK: Watching

    /// The time between two attempts to watch, if no endpoint responds.
    private static let watchPause = Duration.milliseconds(500)

    /// Receives the events of the keys, until the stream breaks.
    private func watchUntilLost() async {
        let request = Etcdserverpb_WatchRequest(
            requestUnion: .createRequest(
                .init(key: bytes(keys.root), rangeEnd: EtcdKeys.end(of: keys.root))))
        do throws(StoreError) {
            let (stream, first) = try await client.open(
                "Watch/Watch", request, as: Etcdserverpb_WatchResponse.self, isEndless: true)
            defer { stream.cancel() }
            guard first.created, !first.canceled else {
                throw .unavailable("etcd refused the watch: \(first.cancelReason)")
            }
            // A read finds the changes before the watch began, so none is lost, however long the
            // watch was interrupted and whatever etcd has compacted meanwhile.
            eventContinuation.yield(.changed)
            await membership.becomeLeaderIfNone()
            while let response = await Self.next(of: stream), !response.canceled {
                await received(response.events)
            }
        } catch {
            eventContinuation.yield(.lost(error.description))
            try? await Task.sleep(for: Self.watchPause)
        }
    }

    private static func next(of stream: ClientCall) async -> Etcdserverpb_WatchResponse? {
        await withTaskCancellationHandler {
            guard let bytes = try? await stream.next() else { return nil }
            return try? Etcdserverpb_WatchResponse(serializedBytes: bytes)
        } onCancel: {
            stream.cancel()
        }
    }

    private func received(_ events: [Etcdserverpb_Event]) async {
        // Servers change revisions together with the head or the checkpoint.
        let (log, parts) = (bytes(keys.root + "log/"), bytes(keys.root + "parts/"))
        var (changed, known) = (Set<Int64>(), Set<Int64>())
        var hasChanged = false
        for event in events {
            guard let pair = event.kv else { continue }
            switch pair.key {
            case bytes(keys.head):
                hasChanged = true
                known.insert(pair.modRevision)
            case bytes(keys.checkpoint): known.insert(pair.modRevision)
            case bytes(keys.leader) where event.type == .delete:
                await membership.becomeLeaderIfNone()
            case let key where key.starts(with: log): changed.insert(pair.modRevision)
            case let key where key.starts(with: parts) && event.type == .delete:
                changed.insert(pair.modRevision)
            default: break
            }
        }
        if !changed.isSubset(of: known) { eventContinuation.yield(.tampered) }
        if hasChanged { eventContinuation.yield(.changed) }
    }
}
