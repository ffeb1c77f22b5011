// The usual names of the types of `google.protobuf`, within this package. Programs use the public
// names, which do not collide with those of SwiftProtobuf.

package typealias Google_Protobuf_Any = WeirProtobuf_Any
package typealias Google_Protobuf_Duration = WeirProtobuf_Duration
package typealias Google_Protobuf_Struct = WeirProtobuf_Struct
package typealias Google_Protobuf_Timestamp = WeirProtobuf_Timestamp
