package weir

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"weir.local/client/servev1"
)

// Metadata that Weir reads and writes.
const (
	ShardKeyHeader = "x-serve-shard-key"
	EndpointHeader = "x-serve-endpoint"
	BackendHeader  = "x-serve-backend"
	ShadowHeader   = "x-serve-shadow"
)

// WithShardKey gives all calls with this context a shard key, whatever stub they are made by: the same key reaches
// the same backend. The key may be any printable ASCII text.
func WithShardKey(ctx context.Context, key string) context.Context {
	sent, _ := metadata.FromOutgoingContext(ctx)
	sent = sent.Copy()
	sent.Set(ShardKeyHeader, key)
	return metadata.NewOutgoingContext(ctx, sent)
}

// AnsweredBy tells the backend that has answered, from the trailer of a call (grpc.Trailer).
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

// Handle calls an endpoint by its name.
func (c *Client) Handle(endpoint string) *Handle {
	return &Handle{endpoint: endpoint, serve: servev1.NewServeClient(c.data)}
}

// Method is a handle for another method of the object behind the backend.
func (h Handle) Method(name string) *Handle {
	h.method = name
	return &h
}

// A Response is what a backend has answered.
type Response struct {
	Body        []byte
	ContentType string
	Status      int
	// Backend is who has answered.
	Backend string
}

// Decode reads a JSON answer into a value.
func (r *Response) Decode(value interface{}) error {
	kind, _, _ := mime.ParseMediaType(r.ContentType)
	if kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return fmt.Errorf("weir: the answer is %s, not JSON", r.ContentType)
	}
	return json.Unmarshal(r.Body, value)
}

// Call sends a value: []byte and string as they are, anything else as JSON. The shard key is the context's, see
// [WithShardKey]; query, which may be nil, reaches the backend as the query of an HTTP request does.
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
