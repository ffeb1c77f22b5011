internal import Testing

@testable internal import ControlPlane

@Suite struct EndpointHealthTests {
    @Test("A service serves if any of its endpoints does, in any order")
    func shares() {
        let endpoints = [
            EndpointHealth(endpoint: "a", service: "x.S", serves: true),
            EndpointHealth(endpoint: "b", service: "x.S", serves: false),
            EndpointHealth(endpoint: "c", service: "y.S", serves: false),
            EndpointHealth(endpoint: "d", service: nil, serves: true),
        ]
        let expected = [
            "a": true, "b": false, "c": false, "d": true, "x.S": true, "y.S": false,
        ]
        for order in [endpoints, endpoints.reversed()] {
            #expect(EndpointHealth.byName(order) == expected)
        }
    }

    @Test("An endpoint with the name of another one's service shares its health")
    func sharesHealthByName() {
        let endpoints = [
            EndpointHealth(endpoint: "x.S", service: "y.S", serves: false),
            EndpointHealth(endpoint: "a", service: "x.S", serves: true),
        ]
        for order in [endpoints, endpoints.reversed()] {
            #expect(EndpointHealth.byName(order) == ["a": true, "x.S": true, "y.S": false])
        }
    }
}
