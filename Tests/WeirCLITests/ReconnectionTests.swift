internal import Testing

@testable internal import WeirCLI

@Suite struct ReconnectionTests {
    @Test("A command whose first connection fails ends at once")
    func first() {
        var reconnection = Reconnection()
        #expect(reconnection.failed(at: .zero) == nil)
    }

    @Test("Delays grow up to two seconds, and only the first failure is reported")
    func delays() {
        var reconnection = Reconnection()
        reconnection.connected()
        var delays: [Duration] = []
        for second in 0..<6 {
            guard let next = reconnection.failed(at: .seconds(second)) else { break }
            #expect(next.isFirst == (second == 0))
            delays.append(next.delay)
        }
        #expect(
            delays == [
                .milliseconds(250), .milliseconds(500), .seconds(1), .seconds(2), .seconds(2),
                .seconds(2),
            ])
        reconnection.connected()
        #expect(reconnection.failed(at: .seconds(100))?.delay == .milliseconds(250))
    }

    @Test("The command ends when the server has not answered for a minute")
    func patience() {
        var reconnection = Reconnection()
        reconnection.connected()
        #expect(reconnection.failed(at: .seconds(10)) != nil)
        #expect(reconnection.failed(at: .milliseconds(69_999)) != nil)
        #expect(reconnection.failed(at: .seconds(70)) == nil)
    }
}
