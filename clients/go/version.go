package weir

// Version is the version of this client, which is that of the server.
const Version = "0.1.0"
