// What a user of Weir needs from the modules behind it.
@_exported public import GRPCClient
@_exported public import GRPCWire
@_exported public import Messages
@_exported public import Serving
@_exported public import Transport
