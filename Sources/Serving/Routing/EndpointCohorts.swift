internal import Observability

/// The counts of one endpoint under rollout on one loop, by method: methods differ in their errors
/// and latencies, and a candidate may receive more requests of one than of another.
struct EndpointCohorts {
    /// The most methods that are counted separately.
    static let maxMethods = 8

    let counting: RoutingSnapshot.Counting
    private var methods: [String: CohortTable] = [:]
    private let others = CohortTable()

    init(_ counting: RoutingSnapshot.Counting) { self.counting = counting }

    /// The counts of a method.
    ///
    /// - Parameter method: its path; nil for a method that may not exist.
    mutating func table(of method: String?) -> CohortTable {
        guard let method else { return others }
        if let known = methods[method] { return known }
        guard methods.count < Self.maxMethods else { return others }
        let table = CohortTable()
        methods[method] = table
        return table
    }

    func firstUnjudged(at now: UInt64) -> UInt64 {
        methods.values.reduce(others.firstUnjudged(at: now)) {
            min($0, $1.firstUnjudged(at: now))
        }
    }

    func take(before second: UInt64) -> [CohortTable.Cohort] {
        methods.reduce(into: others.take(before: second)) { cohorts, entry in
            cohorts += entry.value.take(before: second).map { cohort in
                var cohort = cohort
                cohort.method = entry.key
                return cohort
            }
        }
    }
}
