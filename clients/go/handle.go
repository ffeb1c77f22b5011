package weir

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"weir.local/weir/clients/go/servev1"
)

// Metadata that Weir reads and writes.
const (
	ShardKeyHeader = "x-serve-shard-key"
	EndpointHeader = "x-serve-endpoint"
	BackendHeader  = "x-serve-backend"
	ShadowHeader   = "x-serve-shadow"
)

// WithShardKey sets the shard key of all calls with this context, of any stub; Weir routes the same
// key to the same backend. [CheckShardKey] says which keys are valid; [Client.Handle] and [Client.Data]
// return INVALID_ARGUMENT for others.
func WithShardKey(ctx context.Context, key string) context.Context {
	sent, _ := metadata.FromOutgoingContext(ctx)
	sent = sent.Copy()
	sent.Set(ShardKeyHeader, key)
	return metadata.NewOutgoingContext(ctx, sent)
}

// CheckShardKey returns an error unless the key is valid in metadata: printable ASCII without spaces at
// its ends. Use it for stubs with connections of your own.
func CheckShardKey(key string) error {
	for i := 0; i < len(key); i++ {
		isEnd := i == 0 || i == len(key)-1
		if key[i] < ' ' || key[i] > '~' || key[i] == ' ' && isEnd {
			return invalidKey(key)
		}
	}
	if key == "" {
		return invalidKey(key)
	}
	return nil
}

func invalidKey(key string) error {
	return status.Errorf(codes.InvalidArgument,
		"invalid shard key %q: metadata allows only printable ASCII without spaces at the ends; use its hash or base64",
		key)
}

func checkKeys(ctx context.Context) error {
	sent, _ := metadata.FromOutgoingContext(ctx)
	for _, key := range sent.Get(ShardKeyHeader) {
		if err := CheckShardKey(key); err != nil {
			return err
		}
	}
	return nil
}

func checkUnary(
	ctx context.Context, method string, request, reply interface{}, connection *grpc.ClientConn,
	call grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	if err := checkKeys(ctx); err != nil {
		return err
	}
	return call(ctx, method, request, reply, connection, options...)
}

func checkStream(
	ctx context.Context, stream *grpc.StreamDesc, connection *grpc.ClientConn, method string,
	open grpc.Streamer, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	if err := checkKeys(ctx); err != nil {
		return nil, err
	}
	return open(ctx, stream, connection, method, options...)
}

// AnsweredBy returns the backend that answered, from the trailer of a call (grpc.Trailer).
func AnsweredBy(trailer metadata.MD) string {
	if values := trailer.Get(BackendHeader); len(values) > 0 {
		return values[0]
	}
	return ""
}

// A Handle calls one endpoint by its name, without a .proto.
type Handle struct {
	endpoint, method string
	serve            servev1.ServeClient
}

// Handle returns a handle that calls an endpoint by its name.
func (c *Client) Handle(endpoint string) *Handle {
	return &Handle{endpoint: endpoint, serve: servev1.NewServeClient(c.data)}
}

// Method returns a handle for a method of the backend's object.
func (h Handle) Method(name string) *Handle {
	h.method = name
	return &h
}

// A Response is the response of a backend.
type Response struct {
	Body        []byte
	ContentType string
	Status      int
	// Backend is the backend that answered.
	Backend string
}

// Decode decodes a JSON response into a value.
func (r *Response) Decode(value interface{}) error {
	kind, _, _ := mime.ParseMediaType(r.ContentType)
	if kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return fmt.Errorf("weir: the response is %s, not JSON", r.ContentType)
	}
	return json.Unmarshal(r.Body, value)
}

// Call sends a value: []byte and string unchanged, anything else as JSON. The shard key is that of
// the context, see [WithShardKey]. The backend receives query, which may be nil, like the query of
// an HTTP request.
func (h *Handle) Call(ctx context.Context, value interface{}, query url.Values) (*Response, error) {
	body, contentType, err := encode(value)
	if err != nil {
		return nil, err
	}
	sent, _ := metadata.FromOutgoingContext(ctx)
	sent = sent.Copy()
	sent.Set(EndpointHeader, h.endpoint)
	ctx = metadata.NewOutgoingContext(ctx, sent)
	request := &servev1.CallRequest{
		Payload: body, ContentType: contentType, MethodName: h.method, Query: query.Encode(),
	}
	var trailer metadata.MD
	reply, err := h.serve.Call(ctx, request, grpc.Trailer(&trailer))
	if err != nil {
		return nil, asError(err)
	}
	response := &Response{
		Body: reply.Payload, ContentType: reply.ContentType, Status: int(reply.HttpStatus),
		Backend: AnsweredBy(trailer),
	}
	if response.ContentType == "" {
		response.ContentType = "application/json"
	}
	if response.Status == 0 {
		response.Status = 200
	}
	return response, nil
}

func encode(value interface{}) (body []byte, contentType string, err error) {
	switch value := value.(type) {
	case []byte:
		return value, "application/octet-stream", nil
	case string:
		return []byte(value), "text/plain; charset=utf-8", nil
	default:
		body, err = json.Marshal(value)
		return body, "application/json", err
	}
}
