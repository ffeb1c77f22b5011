internal import Logging
internal import Messages
internal import Serving
internal import Testing

@testable internal import ControlPlane

@Suite(.timeLimit(.minutes(1))) struct AdminMethodsTests {
    @Test("Each method of the admin service has a role")
    func declaresRoles() async throws {
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let dataPlane = DataPlane(loops: 1, limits: Limits(), namesBackends: true, log: log)
        let roles = ControlPlane(dataPlane: dataPlane, handlers: [], log: log).adminMethods.roles
        try await dataPlane.shutDown()
        let service = try #require(ControlPlane.adminSchema.services[AdminMethods.serviceName])
        #expect(Set(roles.keys) == Set(service.methods.map(\.name)))
        #expect(roles["GetBackend"] == .viewer)
        #expect(roles["SetTraffic"] == .operator)
        #expect(roles["CreateBackend"] == .admin)
    }
}
