// Re-exports the modules that a user of Weir needs.
@_exported public import GRPCClient
@_exported public import GRPCWire
@_exported public import Messages
@_exported public import OTLP
@_exported public import Serving
@_exported public import Transport
