internal import GRPCWire
internal import Transport

/// What a server needs to call webhooks: a secret, and the hosts that it may call. Clients of the
/// admin service choose the URLs, and must not reach any address through the server.
package struct WebhookSettings: Sendable {
    /// Why settings are invalid.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    package let sender: WebhookSender
    private let hosts: [HostAndPort]

    /// - Parameters:
    ///   - secretFile: see `WebhookSecret`.
    ///   - hosts: `HOST` for its ports 80 and 443, or `HOST:PORT`.
    ///   - caFile: PEM file with the authorities of `https` receivers; empty for those of the
    ///     system.
    package init(secretFile: String, hosts: [String], caFile: String = "") throws(Failure) {
        let secret: WebhookSecret
        do {
            secret = try WebhookSecret(TrustedFile(secretFile, isSecret: true).text())
        } catch let error as WebhookSecret.Invalid {
            throw Failure(description: "webhook secret \(secretFile.quotedPath): \(error)")
        } catch {
            throw Failure(description: "webhook secret: \(error)")
        }
        guard !hosts.isEmpty else {
            throw Failure(description: "name the hosts that webhooks may have (--webhook-host)")
        }
        var parsed: [HostAndPort] = []
        for text in hosts {
            guard let host = HostAndPort(text.lowercased()), !host.host.isEmpty, host.port != 0
            else {
                throw Failure(
                    description: "invalid webhook host '\(text.printable(limit: 128))': "
                        + "use HOST or HOST:PORT, for example hooks.example.com")
            }
            parsed.append(host)
        }
        self.hosts = parsed
        var tls = ClientTLS()
        tls.caFile = caFile
        do throws(TLSFailure) {
            sender = try WebhookSender(secret: secret, tls: tls)
        } catch {
            throw Failure(description: "webhooks: \(error)")
        }
    }

    /// Whether the server may call a URL.
    package func allows(_ url: WebhookURL) -> Bool {
        hosts.contains { host in
            host.host == url.address.host.lowercased()
                && (host.port.map { $0 == url.address.port }
                    ?? [80, 443].contains(url.address.port))
        }
    }
}
