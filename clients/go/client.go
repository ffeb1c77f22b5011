// Package weir is a client of a running Weir: it changes and reads its routing, and calls its
// endpoints.
//
//	client, err := weir.Dial(ctx, "127.0.0.1:8001")
//	_, err = client.CreateBackend(ctx, "model-v2", []string{"10.0.0.8:50051"})
//	_, err = client.SetTraffic(ctx, "model", map[string]float64{"model-v1": 0.9, "model-v2": 0.1})
//
// Existing stubs work unchanged; [WithShardKey] sets the shard key of their calls.
package weir

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"sort"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"weir.local/weir/clients/go/adminv1"
)

// A Client is a client of a running Weir. It is safe for concurrent use.
type Client struct {
	// Admin is the client of the whole admin service, for RPCs without a method here.
	Admin adminv1.AdminClient
	// DataAddress is the data address of the server.
	DataAddress string

	author  string
	admin   *grpc.ClientConn
	data    *grpc.ClientConn
	closing sync.Once
}

// An Option configures a client.
type Option func(*settings)

type settings struct {
	author      string
	dataAddress string
	token       string
	dial        []grpc.DialOption
	dialData    []grpc.DialOption
}

// Author sets the author of changes in the history; the default is user@host.
func Author(name string) Option { return func(s *settings) { s.author = name } }

// DataAddress sets the data address, if it differs from the one that the server reports.
func DataAddress(address string) Option { return func(s *settings) { s.dataAddress = address } }

// DialOptions are passed to grpc.Dial for both connections, instead of grpc.WithInsecure. For a token,
// use Token: Weir forwards the metadata of calls to the data port to backends.
func DialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) { s.dial = options }
}

// DataDialOptions are passed to grpc.Dial for the connection to the data port, instead of DialOptions.
func DataDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) { s.dialData = options }
}

// Token is sent with each call to the admin port, and never to the data port. It requires DialOptions
// with TLS, except at a loopback address.
func Token(token string) Option { return func(s *settings) { s.token = token } }

// bearer sends a token.
type bearer struct {
	token   string
	isLocal bool
}

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.token}, nil
}

func (b bearer) RequireTransportSecurity() bool { return !b.isLocal }

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// Dial connects to the admin port at host:port, and to the data address that the server reports.
func Dial(ctx context.Context, address string, options ...Option) (*Client, error) {
	s := settings{author: thisUser(), dial: []grpc.DialOption{grpc.WithInsecure()}}
	for _, option := range options {
		option(&s)
	}
	if strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://") {
		return nil, fmt.Errorf("weir: invalid address %q: use host:port, for example 127.0.0.1:8001", address)
	}
	dial := append([]grpc.DialOption{}, s.dial...)
	if s.token != "" {
		dial = append(dial, grpc.WithPerRPCCredentials(bearer{s.token, isLoopback(address)}))
	}
	admin, err := grpc.DialContext(ctx, address, dial...)
	if err != nil {
		return nil, err
	}
	client := &Client{Admin: adminv1.NewAdminClient(admin), author: s.author, admin: admin}
	client.DataAddress = s.dataAddress
	if client.DataAddress == "" {
		if client.DataAddress, err = client.learnDataAddress(ctx, address); err != nil {
			admin.Close()
			return nil, err
		}
	}
	if s.dialData == nil {
		s.dialData = s.dial
	}
	dialData := append([]grpc.DialOption{
		grpc.WithChainUnaryInterceptor(checkUnary), grpc.WithChainStreamInterceptor(checkStream),
	}, s.dialData...)
	if client.data, err = grpc.DialContext(ctx, client.DataAddress, dialData...); err != nil {
		admin.Close()
		return nil, err
	}
	return client, nil
}

// Close ends both connections. Later calls of Close have no effect.
func (c *Client) Close() error {
	var err error
	c.closing.Do(func() {
		err = c.data.Close()
		if adminErr := c.admin.Close(); err == nil {
			err = adminErr
		}
	})
	return err
}

// Data is the connection to the data port, for existing stubs. Calls with an invalid shard key return
// INVALID_ARGUMENT; see [CheckShardKey].
func (c *Client) Data() *grpc.ClientConn { return c.data }

func thisUser() string {
	name := "unknown"
	if current, err := user.Current(); err == nil {
		name = current.Username
	}
	host, _ := os.Hostname()
	return name + "@" + host
}

func (c *Client) learnDataAddress(ctx context.Context, admin string) (string, error) {
	reply, err := c.Admin.ListInstances(ctx, &adminv1.ListInstancesRequest{})
	if err != nil {
		return "", explained(asError(err), admin)
	}
	for _, instance := range reply.Instances {
		if !instance.Answering {
			continue
		}
		host, port, err := net.SplitHostPort(instance.DataAddress)
		if err != nil {
			return "", err
		}
		// The server listens on all addresses, so the admin port's host also works.
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			if host, _, err = net.SplitHostPort(admin); err != nil {
				return "", err
			}
		}
		return net.JoinHostPort(host, port), nil
	}
	return "", fmt.Errorf("weir: the server does not report its data address")
}

// explained is the error of the first call, with what to do.
func explained(err error, address string) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case codes.Unimplemented:
		e.Message = fmt.Sprintf("%s is not an admin port; it may be a data port. Connect to the admin port, "+
			"by default port 8001 (%s)", address, e.Message)
	case codes.Unavailable:
		e.Message = fmt.Sprintf("no Weir is reachable at the admin address %s: %s. Start one with 'weir serve'",
			address, e.Message)
	}
	return e
}

// ChangeOptions are the options of a change. The zero value is an unconditional change.
type ChangeOptions struct {
	// ExpectedRevision is the revision that the change is based on, or nil. If it is not the current
	// one, the server rejects the change with ABORTED.
	ExpectedRevision *uint64
	// ValidateOnly returns the effect of the change without making it.
	ValidateOnly bool
	// Comment is the reason for the change, for the history.
	Comment string
	// Prune lets Apply delete what the configuration does not contain; only for Apply.
	Prune bool
}

// A ChangeOption sets an option of a change.
type ChangeOption func(*ChangeOptions)

// ExpectedRevision rejects the change with ABORTED if this is not the current revision.
func ExpectedRevision(revision uint64) ChangeOption {
	return func(t *ChangeOptions) { t.ExpectedRevision = &revision }
}

// ValidateOnly returns the effect of the change without making it.
func ValidateOnly() ChangeOption { return func(t *ChangeOptions) { t.ValidateOnly = true } }

// Comment is the reason for the change, for the history.
func Comment(text string) ChangeOption { return func(t *ChangeOptions) { t.Comment = text } }

// Prune lets [Client.Apply] delete what the configuration does not contain.
func Prune() ChangeOption { return func(t *ChangeOptions) { t.Prune = true } }

func (c *Client) change(options []ChangeOption) (ChangeOptions, *adminv1.ChangeNote) {
	var change ChangeOptions
	for _, option := range options {
		option(&change)
	}
	return change, &adminv1.ChangeNote{Author: c.author, Comment: change.Comment}
}

// signed is a note with the author of this client, unless it has one.
func (c *Client) signed(note *adminv1.ChangeNote) *adminv1.ChangeNote {
	if note.GetAuthor() != "" {
		return note
	}
	return &adminv1.ChangeNote{Author: c.author, Comment: note.GetComment()}
}

// CreateBackend adds an upstream backend: gRPC servers that Weir does not start.
func (c *Client) CreateBackend(
	ctx context.Context, name string, addresses []string, options ...ChangeOption,
) (*adminv1.Backend, error) {
	change, note := c.change(options)
	upstream := &adminv1.Backend_Upstream{Upstream: &adminv1.UpstreamKind{Addresses: addresses}}
	reply, err := c.Admin.CreateBackend(ctx, &adminv1.CreateBackendRequest{
		Backend:          &adminv1.Backend{Name: name, Kind: upstream},
		ExpectedRevision: change.ExpectedRevision, ValidateOnly: change.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}

// CreateBackendWith is CreateBackend with all fields of the request: workers, TLS and options.
func (c *Client) CreateBackendWith(
	ctx context.Context, request *adminv1.CreateBackendRequest,
) (*adminv1.Backend, error) {
	request = proto.Clone(request).(*adminv1.CreateBackendRequest)
	request.Note = c.signed(request.Note)
	reply, err := c.Admin.CreateBackend(ctx, request)
	return reply, asError(err)
}

// DeleteBackend deletes a backend. It returns FAILED_PRECONDITION while a traffic policy or shadow
// uses it.
func (c *Client) DeleteBackend(ctx context.Context, name string, options ...ChangeOption) error {
	change, note := c.change(options)
	_, err := c.Admin.DeleteBackend(ctx, &adminv1.DeleteBackendRequest{
		Name: name, ExpectedRevision: change.ExpectedRevision, ValidateOnly: change.ValidateOnly, Note: note,
	})
	return asError(err)
}

// ListBackends returns all backends, sorted by name.
func (c *Client) ListBackends(ctx context.Context) ([]*adminv1.Backend, error) {
	reply, err := c.Admin.ListBackends(ctx, &adminv1.ListBackendsRequest{})
	return reply.GetBackends(), asError(err)
}

// CreateEndpoint adds an endpoint that routes all requests to one backend. With an empty route,
// clients call it only by name.
func (c *Client) CreateEndpoint(
	ctx context.Context, name, route, backend string, options ...ChangeOption,
) (*adminv1.Endpoint, error) {
	change, note := c.change(options)
	reply, err := c.Admin.CreateEndpoint(ctx, &adminv1.CreateEndpointRequest{
		Name: name, Route: route, Backend: backend,
		ExpectedRevision: change.ExpectedRevision, ValidateOnly: change.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}

// CreateEndpointWith is CreateEndpoint with all fields of the request: methods, CORS and the place of the shard key in HTTP.
func (c *Client) CreateEndpointWith(
	ctx context.Context, request *adminv1.CreateEndpointRequest,
) (*adminv1.Endpoint, error) {
	request = proto.Clone(request).(*adminv1.CreateEndpointRequest)
	request.Note = c.signed(request.Note)
	reply, err := c.Admin.CreateEndpoint(ctx, request)
	return reply, asError(err)
}

// DeleteEndpoint deletes an endpoint, but not its backends.
func (c *Client) DeleteEndpoint(ctx context.Context, name string, options ...ChangeOption) error {
	change, note := c.change(options)
	_, err := c.Admin.DeleteEndpoint(ctx, &adminv1.DeleteEndpointRequest{
		Name: name, ExpectedRevision: change.ExpectedRevision, ValidateOnly: change.ValidateOnly, Note: note,
	})
	return asError(err)
}

// GetEndpoint returns one endpoint, with the intervals for [NewAffinityMap].
func (c *Client) GetEndpoint(ctx context.Context, name string) (*adminv1.Endpoint, error) {
	reply, err := c.Admin.GetEndpoint(ctx, &adminv1.GetEndpointRequest{Name: name})
	return reply, asError(err)
}

// ListEndpoints returns all endpoints, sorted by name.
func (c *Client) ListEndpoints(ctx context.Context) ([]*adminv1.Endpoint, error) {
	reply, err := c.Admin.ListEndpoints(ctx, &adminv1.ListEndpointsRequest{})
	return reply.GetEndpoints(), asError(err)
}

// SetTraffic replaces the weights of an endpoint atomically. They must sum to 1.
func (c *Client) SetTraffic(
	ctx context.Context, endpoint string, traffic map[string]float64, options ...ChangeOption,
) (*adminv1.SetTrafficResponse, error) {
	change, note := c.change(options)
	weights := make([]*adminv1.BackendWeight, 0, len(traffic))
	for backend, weight := range traffic {
		weights = append(weights, &adminv1.BackendWeight{Backend: backend, Weight: weight})
	}
	sort.Slice(weights, func(i, j int) bool { return weights[i].Backend < weights[j].Backend })
	reply, err := c.Admin.SetTraffic(ctx, &adminv1.SetTrafficRequest{
		Endpoint: endpoint, Weights: weights,
		ExpectedRevision: change.ExpectedRevision, ValidateOnly: change.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}

// SetTrafficWith is SetTraffic with all fields of the request: weights that revert, and overrides of rollouts and freezes.
func (c *Client) SetTrafficWith(
	ctx context.Context, request *adminv1.SetTrafficRequest,
) (*adminv1.SetTrafficResponse, error) {
	request = proto.Clone(request).(*adminv1.SetTrafficRequest)
	request.Note = c.signed(request.Note)
	reply, err := c.Admin.SetTraffic(ctx, request)
	return reply, asError(err)
}

// ShadowTraffic copies a share of an endpoint's requests to a backend; 0 removes the shadow.
func (c *Client) ShadowTraffic(
	ctx context.Context, endpoint, backend string, proportion float64, options ...ChangeOption,
) (*adminv1.Endpoint, error) {
	change, note := c.change(options)
	reply, err := c.Admin.ShadowTraffic(ctx, &adminv1.ShadowTrafficRequest{
		Endpoint: endpoint, Backend: backend, Proportion: proportion,
		ExpectedRevision: change.ExpectedRevision, ValidateOnly: change.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}

// ShadowTrafficWith is ShadowTraffic with all fields of the request: options.
func (c *Client) ShadowTrafficWith(
	ctx context.Context, request *adminv1.ShadowTrafficRequest,
) (*adminv1.Endpoint, error) {
	request = proto.Clone(request).(*adminv1.ShadowTrafficRequest)
	request.Note = c.signed(request.Note)
	reply, err := c.Admin.ShadowTraffic(ctx, request)
	return reply, asError(err)
}

// Rollback restores an endpoint, or all if the name is empty, to a revision.
func (c *Client) Rollback(
	ctx context.Context, revision uint64, endpoint string, options ...ChangeOption,
) (*adminv1.RollbackResponse, error) {
	change, note := c.change(options)
	reply, err := c.Admin.Rollback(ctx, &adminv1.RollbackRequest{
		Revision: revision, Endpoint: endpoint,
		ExpectedRevision: change.ExpectedRevision, ValidateOnly: change.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}

// History returns the accepted changes, latest first.
func (c *Client) History(ctx context.Context, limit uint32) ([]*adminv1.Revision, error) {
	reply, err := c.Admin.ListRevisions(ctx, &adminv1.ListRevisionsRequest{Limit: limit})
	return reply.GetRevisions(), asError(err)
}

// HistoryWith is History with all fields of the request: pages, and the changes of one endpoint.
func (c *Client) HistoryWith(
	ctx context.Context, request *adminv1.ListRevisionsRequest,
) ([]*adminv1.Revision, error) {
	reply, err := c.Admin.ListRevisions(ctx, request)
	return reply.GetRevisions(), asError(err)
}

// Stats returns counts and latencies since the server started, of one endpoint, or of all if the
// name is empty.
func (c *Client) Stats(ctx context.Context, endpoint string) (*adminv1.Stats, error) {
	reply, err := c.Admin.GetStats(ctx, &adminv1.GetStatsRequest{Endpoint: endpoint})
	return reply, asError(err)
}

// ShadowReport returns the reports of an endpoint's shadows.
func (c *Client) ShadowReport(ctx context.Context, endpoint string) ([]*adminv1.ShadowReport, error) {
	reply, err := c.Admin.GetShadowReport(ctx, &adminv1.GetShadowReportRequest{Endpoint: endpoint})
	return reply.GetReports(), asError(err)
}

// ResetShadowReport resets the reports of an endpoint's shadows, or of one of them if the backend is
// not empty.
func (c *Client) ResetShadowReport(ctx context.Context, endpoint, backend string) error {
	_, err := c.Admin.ResetShadowReport(
		ctx, &adminv1.ResetShadowReportRequest{Endpoint: endpoint, Backend: backend})
	return asError(err)
}

// SetShadowComparison replaces the rules that compare the responses of an endpoint's shadows.
func (c *Client) SetShadowComparison(
	ctx context.Context, endpoint string, comparison *adminv1.ShadowComparison, options ...ChangeOption,
) (*adminv1.Endpoint, error) {
	change, note := c.change(options)
	reply, err := c.Admin.SetShadowComparison(ctx, &adminv1.SetShadowComparisonRequest{
		Endpoint: endpoint, Comparison: comparison,
		ExpectedRevision: change.ExpectedRevision, ValidateOnly: change.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}

// SetRateLimit limits the requests of an endpoint; nil removes the limit.
func (c *Client) SetRateLimit(
	ctx context.Context, endpoint string, limit *adminv1.RateLimit, options ...ChangeOption,
) (*adminv1.Endpoint, error) {
	change, note := c.change(options)
	reply, err := c.Admin.SetRateLimit(ctx, &adminv1.SetRateLimitRequest{
		Endpoint: endpoint, RateLimit: limit,
		ExpectedRevision: change.ExpectedRevision, ValidateOnly: change.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}

// Export returns the whole state for [Client.Apply], or that of a revision if it is not 0.
func (c *Client) Export(ctx context.Context, revision uint64) (*adminv1.Configuration, error) {
	reply, err := c.Admin.GetRevision(ctx, &adminv1.GetRevisionRequest{Revision: revision})
	return reply.GetConfiguration(), asError(err)
}

// Apply replaces the whole state with a configuration, in one change. It returns FAILED_PRECONDITION
// if the configuration does not contain all backends and endpoints; with [Prune], it deletes the
// others. It returns ABORTED if another change is made at the same time.
func (c *Client) Apply(
	ctx context.Context, configuration *adminv1.Configuration, options ...ChangeOption,
) (*adminv1.ApplyResponse, error) {
	change, note := c.change(options)
	request := &adminv1.ApplyRequest{
		Configuration:    configuration,
		ExpectedRevision: change.ExpectedRevision, ValidateOnly: change.ValidateOnly, Note: note,
	}
	if !change.Prune && !change.ValidateOnly {
		request.ValidateOnly = true
		plan, err := c.Admin.Apply(ctx, request)
		if err == nil {
			err = rejectRemovals(plan)
		}
		if err != nil || len(plan.Changes) == 0 {
			return plan, asError(err)
		}
		request.ValidateOnly = false
		if request.ExpectedRevision == nil && plan.Revision > 0 {
			// The revision of a plan is the one that it would create.
			request.ExpectedRevision = proto.Uint64(plan.Revision - 1)
		}
	}
	reply, err := c.Admin.Apply(ctx, request)
	return reply, asError(err)
}

func rejectRemovals(plan *adminv1.ApplyResponse) error {
	var removed []string
	for _, change := range plan.Changes {
		if change.Action == adminv1.ChangeAction_CHANGE_ACTION_REMOVE {
			removed = append(removed, fmt.Sprintf("%s '%s'", change.Kind, change.Name))
		}
	}
	if removed == nil {
		return nil
	}
	return status.Errorf(codes.FailedPrecondition,
		"nothing has changed: the configuration does not name %s; weir.Prune() removes them",
		strings.Join(removed, ", "))
}

// Explain returns the backend of a call by name, and the reason; an empty key counts as no key.
// [AffinityMap] computes the same locally.
func (c *Client) Explain(
	ctx context.Context, endpoint, shardKey string,
) (*adminv1.ExplainRouteResponse, error) {
	reply, err := c.Admin.ExplainRoute(ctx, &adminv1.ExplainRouteRequest{
		Endpoint: endpoint, ShardKey: []byte(shardKey),
	})
	return reply, asError(err)
}
