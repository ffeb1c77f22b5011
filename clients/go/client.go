// Package weir is a client of Weir: it changes how a running server routes, and calls its endpoints.
//
//	client, err := weir.Dial(ctx, "127.0.0.1:8001")
//	_, err = client.CreateBackend(ctx, "model-v2", []string{"10.0.0.8:50051"})
//	_, err = client.SetTraffic(ctx, "model", map[string]float64{"model-v1": 0.9, "model-v2": 0.1})
//
// Stubs that you have keep working; [WithShardKey] gives their calls a shard key.
package weir

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/user"
	"sort"

	"google.golang.org/grpc"
	"weir.local/client/adminv1"
)

// A Client changes and shows how a Weir routes, and calls its endpoints. It may be used by many goroutines.
type Client struct {
	// Admin is the whole admin service, for what has no method here.
	Admin adminv1.AdminClient
	// DataAddress is where the server takes calls.
	DataAddress string

	author string
	admin  *grpc.ClientConn
	data   *grpc.ClientConn
}

// An Option says how a client is made.
type Option func(*settings)

type settings struct {
	author      string
	dataAddress string
	dial        []grpc.DialOption
}

// Author is told in the history with each change; user@host unless said.
func Author(name string) Option { return func(s *settings) { s.author = name } }

// DataAddress is where the server takes calls, if that is not where it says itself.
func DataAddress(address string) Option { return func(s *settings) { s.dataAddress = address } }

// DialOptions go to grpc.Dial, for both connections, in place of grpc.WithInsecure.
func DialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) { s.dial = options }
}

// Dial connects to the Weir whose admin port is at host:port, and learns from it where calls go.
func Dial(ctx context.Context, address string, options ...Option) (*Client, error) {
	s := settings{author: thisUser(), dial: []grpc.DialOption{grpc.WithInsecure()}}
	for _, option := range options {
		option(&s)
	}
	admin, err := grpc.DialContext(ctx, address, s.dial...)
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
	if client.data, err = grpc.DialContext(ctx, client.DataAddress, s.dial...); err != nil {
		admin.Close()
		return nil, err
	}
	return client, nil
}

// Close ends both connections.
func (c *Client) Close() error {
	err := c.data.Close()
	if adminErr := c.admin.Close(); err == nil {
		err = adminErr
	}
	return err
}

// Data is the connection to the data port, for stubs that you have.
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
		return "", asError(err)
	}
	for _, instance := range reply.Instances {
		if !instance.Answering {
			continue
		}
		host, port, err := net.SplitHostPort(instance.DataAddress)
		if err != nil {
			return "", err
		}
		// It listens everywhere: there where its admin port is, too.
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			if host, _, err = net.SplitHostPort(admin); err != nil {
				return "", err
			}
		}
		return net.JoinHostPort(host, port), nil
	}
	return "", fmt.Errorf("weir: the server does not say where it takes calls")
}

// Terms of a change. The zero value is a change that is made, whatever came before it.
type Terms struct {
	// ExpectedRevision, if not nil, is the revision upon which the change is made; ABORTED otherwise.
	ExpectedRevision *uint64
	// ValidateOnly tells what the change would do, and does nothing.
	ValidateOnly bool
	// Comment is for the history.
	Comment string
}

// ChangeOption sets the terms of a change.
type ChangeOption func(*Terms)

// ExpectedRevision refuses the change with ABORTED when another one came first.
func ExpectedRevision(revision uint64) ChangeOption {
	return func(t *Terms) { t.ExpectedRevision = &revision }
}

// ValidateOnly tells what the change would do, and does nothing.
func ValidateOnly() ChangeOption { return func(t *Terms) { t.ValidateOnly = true } }

// Comment is for the history.
func Comment(text string) ChangeOption { return func(t *Terms) { t.Comment = text } }

func (c *Client) terms(options []ChangeOption) (Terms, *adminv1.ChangeNote) {
	var terms Terms
	for _, option := range options {
		option(&terms)
	}
	return terms, &adminv1.ChangeNote{Author: c.author, Comment: terms.Comment}
}

// CreateBackend adds a backend of gRPC servers that run by themselves.
func (c *Client) CreateBackend(
	ctx context.Context, name string, addresses []string, options ...ChangeOption,
) (*adminv1.Backend, error) {
	terms, note := c.terms(options)
	upstream := &adminv1.Backend_Upstream{Upstream: &adminv1.UpstreamKind{Addresses: addresses}}
	reply, err := c.Admin.CreateBackend(ctx, &adminv1.CreateBackendRequest{
		Backend:          &adminv1.Backend{Name: name, Kind: upstream},
		ExpectedRevision: terms.ExpectedRevision, ValidateOnly: terms.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}

// DeleteBackend removes a backend; FAILED_PRECONDITION while an endpoint's traffic or shadows name it.
func (c *Client) DeleteBackend(ctx context.Context, name string, options ...ChangeOption) error {
	terms, note := c.terms(options)
	_, err := c.Admin.DeleteBackend(ctx, &adminv1.DeleteBackendRequest{
		Name: name, ExpectedRevision: terms.ExpectedRevision, ValidateOnly: terms.ValidateOnly, Note: note,
	})
	return asError(err)
}

// ListBackends tells all backends, sorted by name.
func (c *Client) ListBackends(ctx context.Context) ([]*adminv1.Backend, error) {
	reply, err := c.Admin.ListBackends(ctx, &adminv1.ListBackendsRequest{})
	return reply.GetBackends(), asError(err)
}

// CreateEndpoint adds an endpoint whose requests all go to one backend. With an empty route only handles reach it.
func (c *Client) CreateEndpoint(
	ctx context.Context, name, route, backend string, options ...ChangeOption,
) (*adminv1.Endpoint, error) {
	terms, note := c.terms(options)
	reply, err := c.Admin.CreateEndpoint(ctx, &adminv1.CreateEndpointRequest{
		Name: name, Route: route, Backend: backend,
		ExpectedRevision: terms.ExpectedRevision, ValidateOnly: terms.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}

// DeleteEndpoint removes an endpoint; its backends stay.
func (c *Client) DeleteEndpoint(ctx context.Context, name string, options ...ChangeOption) error {
	terms, note := c.terms(options)
	_, err := c.Admin.DeleteEndpoint(ctx, &adminv1.DeleteEndpointRequest{
		Name: name, ExpectedRevision: terms.ExpectedRevision, ValidateOnly: terms.ValidateOnly, Note: note,
	})
	return asError(err)
}

// GetEndpoint tells one endpoint, with the intervals that [NewAffinityMap] takes.
func (c *Client) GetEndpoint(ctx context.Context, name string) (*adminv1.Endpoint, error) {
	reply, err := c.Admin.GetEndpoint(ctx, &adminv1.GetEndpointRequest{Name: name})
	return reply, asError(err)
}

// ListEndpoints tells all endpoints, sorted by name.
func (c *Client) ListEndpoints(ctx context.Context) ([]*adminv1.Endpoint, error) {
	reply, err := c.Admin.ListEndpoints(ctx, &adminv1.ListEndpointsRequest{})
	return reply.GetEndpoints(), asError(err)
}

// SetTraffic replaces the weights of an endpoint, at once. They sum to 1.
func (c *Client) SetTraffic(
	ctx context.Context, endpoint string, traffic map[string]float64, options ...ChangeOption,
) (*adminv1.SetTrafficResponse, error) {
	terms, note := c.terms(options)
	weights := make([]*adminv1.BackendWeight, 0, len(traffic))
	for backend, weight := range traffic {
		weights = append(weights, &adminv1.BackendWeight{Backend: backend, Weight: weight})
	}
	sort.Slice(weights, func(i, j int) bool { return weights[i].Backend < weights[j].Backend })
	reply, err := c.Admin.SetTraffic(ctx, &adminv1.SetTrafficRequest{
		Endpoint: endpoint, Weights: weights,
		ExpectedRevision: terms.ExpectedRevision, ValidateOnly: terms.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}

// ShadowTraffic copies a share of an endpoint's requests to a backend; 0 ends that.
func (c *Client) ShadowTraffic(
	ctx context.Context, endpoint, backend string, proportion float64, options ...ChangeOption,
) (*adminv1.Endpoint, error) {
	terms, note := c.terms(options)
	reply, err := c.Admin.ShadowTraffic(ctx, &adminv1.ShadowTrafficRequest{
		Endpoint: endpoint, Backend: backend, Proportion: proportion,
		ExpectedRevision: terms.ExpectedRevision, ValidateOnly: terms.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}

// Rollback makes an endpoint, or all with an empty name, what they were at a revision.
func (c *Client) Rollback(
	ctx context.Context, revision uint64, endpoint string, options ...ChangeOption,
) (*adminv1.RollbackResponse, error) {
	terms, note := c.terms(options)
	reply, err := c.Admin.Rollback(ctx, &adminv1.RollbackRequest{
		Revision: revision, Endpoint: endpoint,
		ExpectedRevision: terms.ExpectedRevision, ValidateOnly: terms.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}

// History tells the accepted changes, latest first.
func (c *Client) History(ctx context.Context, limit uint32) ([]*adminv1.Revision, error) {
	reply, err := c.Admin.ListRevisions(ctx, &adminv1.ListRevisionsRequest{Limit: limit})
	return reply.GetRevisions(), asError(err)
}

// Stats tells counts and latencies since the server started, of one endpoint, or all with an empty name.
func (c *Client) Stats(ctx context.Context, endpoint string) (*adminv1.Stats, error) {
	reply, err := c.Admin.GetStats(ctx, &adminv1.GetStatsRequest{Endpoint: endpoint})
	return reply, asError(err)
}

// ShadowReport tells how an endpoint's shadows did.
func (c *Client) ShadowReport(ctx context.Context, endpoint string) ([]*adminv1.ShadowReport, error) {
	reply, err := c.Admin.GetShadowReport(ctx, &adminv1.GetShadowReportRequest{Endpoint: endpoint})
	return reply.GetReports(), asError(err)
}

// Explain asks which backend a request by name gets, and why; an empty key is none. [AffinityMap] computes the
// same without asking.
func (c *Client) Explain(
	ctx context.Context, endpoint, shardKey string,
) (*adminv1.ExplainRouteResponse, error) {
	reply, err := c.Admin.ExplainRoute(ctx, &adminv1.ExplainRouteRequest{
		Endpoint: endpoint, ShardKey: []byte(shardKey),
	})
	return reply, asError(err)
}
