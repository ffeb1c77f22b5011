internal import Testing

@testable internal import Webhooks

@Suite struct WebhookDeliveryTests {
    typealias Attempt = WebhookDelivery.Attempt

    @Test("Each 2xx status delivers", arguments: [200, 201, 202, 204, 299])
    func delivers(status: Int) {
        var delivery = WebhookDelivery()
        #expect(delivery.ended(.status(status), random: 0) == .delivered)
    }

    @Test("Other statuses fail at once", arguments: [300, 302, 399, 400, 401, 404, 410, 422, 499])
    func fails(status: Int) {
        var delivery = WebhookDelivery()
        guard case .failed(let reason) = delivery.ended(.status(status), random: 0) else {
            Issue.record("\(status) did not fail")
            return
        }
        #expect(status < 400 ? reason.contains("redirect") : reason.contains("\(status)"))
    }

    @Test(
        "Transient results are tried again with growing delays, four times in all",
        arguments: [
            .status(408), .status(425), .status(429), .status(500), .status(503), .status(599),
            .status(600), .noResponse("refused"),
        ] as [Attempt])
    func retries(attempt: Attempt) {
        var delivery = WebhookDelivery()
        for bound in [1, 2, 4] {
            #expect(
                delivery.ended(attempt, random: 1) == .retry(after: .seconds(bound)))
        }
        guard case .failed(let reason) = delivery.ended(attempt, random: 1) else {
            Issue.record("the last attempt did not fail")
            return
        }
        #expect(reason.hasSuffix("(4 attempts)"))
    }

    @Test(
        "A delay is between half of its bound and its bound",
        arguments: [
            (0, 500), (0.5, 750), (1, 1_000), (-1, 500), (2, 1_000), (.nan, 1_000),
            (.infinity, 1_000),
        ])
    func randomizes(random: Double, milliseconds: Int) {
        var delivery = WebhookDelivery()
        #expect(
            delivery.ended(.status(500), random: random)
                == .retry(after: .milliseconds(milliseconds)))
    }

    @Test("A retry can deliver")
    func deliversLater() {
        var delivery = WebhookDelivery()
        _ = delivery.ended(.noResponse("refused"), random: 0)
        #expect(delivery.ended(.status(204), random: 0) == .delivered)
    }
}
