package weir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"weir.local/weir/clients/go/adminv1"
	"weir.local/weir/clients/go/servev1"
)

// The server has backends dynamic and dynamic-2, which return the request of a dynamic call
// unchanged, and an endpoint greeter on /helloworld.Greeter/ that splits its traffic evenly between
// typed and typed-2.
func connect(t *testing.T) (*Client, context.Context) {
	address := os.Getenv("WEIR_ADMIN")
	if address == "" {
		t.Skip("WEIR_ADMIN is not set: see clients/go/README.md")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	client, err := Dial(ctx, address)
	must(t, err)
	t.Cleanup(func() { client.Close() })
	return client, ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, err error, code codes.Code, field string) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code || e.Field != field || e.Message == "" {
		t.Fatalf("got %v, want %s about %q", err, code, field)
	}
	return e
}

// endpoint creates an endpoint that is deleted at the end of the test.
func endpoint(t *testing.T, client *Client, ctx context.Context, name string) {
	_, err := client.CreateEndpoint(ctx, name, "/"+name, "dynamic")
	must(t, err)
	t.Cleanup(func() { must(t, client.DeleteEndpoint(ctx, name)) })
}

func TestBackendsAndEndpoints(t *testing.T) {
	client, ctx := connect(t)
	backend, err := client.CreateBackend(ctx, "go-upstream", []string{"127.0.0.1:1"})
	must(t, err)
	if backend.GetUpstream().GetAddresses()[0] != "127.0.0.1:1" {
		t.Fatal(backend)
	}
	_, err = client.CreateBackend(ctx, "go-upstream", []string{"127.0.0.1:1"})
	refused(t, err, codes.AlreadyExists, "backend.name")
	must(t, client.DeleteBackend(ctx, "go-upstream"))
	refused(t, client.DeleteBackend(ctx, "go-upstream"), codes.NotFound, "")

	endpoint(t, client, ctx, "go-admin")
	endpoints, err := client.ListEndpoints(ctx)
	must(t, err)
	found := false
	for _, endpoint := range endpoints {
		found = found || endpoint.Name == "go-admin" && endpoint.Route == "/go-admin"
	}
	if !found {
		t.Fatal(endpoints)
	}
	_, err = client.CreateEndpoint(ctx, "go-bad", "no route", "dynamic")
	refused(t, err, codes.InvalidArgument, "route")
}

func TestTrafficShadowsAndHistory(t *testing.T) {
	client, ctx := connect(t)
	endpoint(t, client, ctx, "go-traffic")
	_, err := client.SetTraffic(ctx, "go-traffic", map[string]float64{"dynamic": 0.9})
	refused(t, err, codes.InvalidArgument, "weights")
	half := map[string]float64{"dynamic": 0.5, "dynamic-2": 0.5}
	plan, err := client.SetTraffic(ctx, "go-traffic", half, ValidateOnly())
	must(t, err)
	before, err := client.History(ctx, 1)
	must(t, err)
	if plan.MovedShare != 0.5 || plan.Revision < before[0].Revision {
		t.Fatal(plan)
	}
	_, err = client.SetTraffic(ctx, "go-traffic", half, ExpectedRevision(0))
	if e := refused(t, err, codes.Aborted, ""); e.Reason != "REVISION_CONFLICT" {
		t.Fatal(e.Reason)
	}
	_, err = client.SetTraffic(ctx, "go-traffic", half, Comment("from Go"))
	must(t, err)
	after, err := client.History(ctx, 1)
	must(t, err)
	if after[0].Comment != "from Go" || after[0].Author == "" {
		t.Fatal(after)
	}
	changed, err := client.ShadowTraffic(ctx, "go-traffic", "dynamic-2", 1)
	must(t, err)
	if changed.Shadows[0].Proportion != 1 {
		t.Fatal(changed)
	}
	for i := 0; i < 10; i++ {
		_, err := client.Handle("go-traffic").Call(ctx, i, nil)
		must(t, err)
	}
	reports, err := client.ShadowReport(ctx, "go-traffic")
	must(t, err)
	stats, err := client.Stats(ctx, "go-traffic")
	must(t, err)
	requests := uint64(0)
	for _, backend := range stats.Backends {
		if !backend.Shadow {
			requests += backend.Requests
		}
	}
	if len(reports) != 1 || requests != 10 {
		t.Fatal(reports, requests)
	}
	back, err := client.Rollback(ctx, before[0].Revision, "go-traffic")
	must(t, err)
	if len(back.Changes) != 1 || back.Changes[0].MovedShare != 0.5 {
		t.Fatal(back)
	}
}

func TestRequestsWithAllFields(t *testing.T) {
	client, ctx := connect(t)
	backend := &adminv1.Backend{
		Name: "go-all", Kind: &adminv1.Backend_Upstream{Upstream: &adminv1.UpstreamKind{Addresses: []string{"127.0.0.1:1"}}},
		Options: &adminv1.BackendOptions{MaxRequestsInFlight: 7},
	}
	created, err := client.CreateBackendWith(ctx, &adminv1.CreateBackendRequest{Backend: backend})
	must(t, err)
	must(t, client.DeleteBackend(ctx, "go-all"))
	request := &adminv1.CreateEndpointRequest{
		Name: "go-all", Route: "/go-all", Backend: "dynamic", Methods: []string{"GET"},
		Cors: &adminv1.CorsPolicy{Origins: []string{"*"}}, HttpShardKey: &adminv1.HttpShardKey{Cookie: "user"},
		Note: &adminv1.ChangeNote{Comment: "all"},
	}
	made, err := client.CreateEndpointWith(ctx, request)
	must(t, err)
	if created.Options.MaxRequestsInFlight != 7 || made.Methods[0] != "GET" || made.Cors.Origins[0] != "*" ||
		made.HttpShardKey.Cookie != "user" || request.Note.Author != "" {
		t.Fatal(created, made, request)
	}
	defer func() { must(t, client.DeleteEndpoint(ctx, "go-all")) }()
	boxed, err := client.SetTrafficWith(ctx, &adminv1.SetTrafficRequest{
		Endpoint: "go-all", Weights: []*adminv1.BackendWeight{{Backend: "dynamic-2", Weight: 1}},
		ConfirmWithin: durationpb.New(time.Hour), Note: &adminv1.ChangeNote{Author: "ada"},
	})
	must(t, err)
	shadow, err := client.ShadowTrafficWith(ctx, &adminv1.ShadowTrafficRequest{
		Endpoint: "go-all", Backend: "dynamic", Proportion: 1, Options: &adminv1.ShadowOptions{IncludeOwn: true}})
	must(t, err)
	if !boxed.Endpoint.TimeBox.Confirmable || !shadow.Shadows[0].Options.IncludeOwn {
		t.Fatal(boxed, shadow)
	}
	changes, err := client.HistoryWith(ctx, &adminv1.ListRevisionsRequest{
		Endpoint: "go-all", BeforeRevision: boxed.Revision + 1, Limit: 2})
	must(t, err)
	if len(changes) != 2 || changes[0].Author != "ada" || changes[1].Comment != "all" || changes[1].Author == "" {
		t.Fatal(changes)
	}
}

func TestLimitsAndComparison(t *testing.T) {
	client, ctx := connect(t)
	endpoint(t, client, ctx, "go-limits")
	limited, err := client.SetRateLimit(ctx, "go-limits", &adminv1.RateLimit{RequestsPerSecond: 100, Burst: 5})
	must(t, err)
	if limited.RateLimit.RequestsPerSecond != 100 || limited.RateLimit.Burst != 5 {
		t.Fatal(limited)
	}
	_, err = client.SetRateLimit(ctx, "go-limits", &adminv1.RateLimit{RequestsPerSecond: -1})
	refused(t, err, codes.InvalidArgument, "rate_limit.requests_per_second")
	unlimited, err := client.SetRateLimit(ctx, "go-limits", nil)
	must(t, err)
	changed, err := client.SetShadowComparison(
		ctx, "go-limits", &adminv1.ShadowComparison{IgnoredFields: []string{"time"}})
	must(t, err)
	if unlimited.RateLimit != nil || changed.Comparison.IgnoredFields[0] != "time" {
		t.Fatal(unlimited, changed)
	}
	_, err = client.ShadowTraffic(ctx, "go-limits", "dynamic-2", 0.5)
	must(t, err)
	must(t, client.ResetShadowReport(ctx, "go-limits", "dynamic-2"))
	refused(t, client.ResetShadowReport(ctx, "go-limits", "dynamic"), codes.NotFound, "")
}

func TestTheWholeState(t *testing.T) {
	client, ctx := connect(t)
	endpoint(t, client, ctx, "go-state")
	state, err := client.Export(ctx, 0)
	must(t, err)
	same, err := client.Apply(ctx, state)
	must(t, err)
	for _, endpoint := range state.Endpoints {
		if endpoint.Name == "go-state" {
			endpoint.Route = "/go-moved"
		}
	}
	plan, err := client.Apply(ctx, state, ValidateOnly())
	must(t, err)
	if len(same.Changes) != 0 || len(plan.Changes) != 1 || plan.Changes[0].Name != "go-state" {
		t.Fatal(same, plan)
	}
	others := &adminv1.Configuration{Backends: state.Backends}
	for _, endpoint := range state.Endpoints {
		if endpoint.Name != "go-state" {
			others.Endpoints = append(others.Endpoints, endpoint)
		}
	}
	_, err = client.Apply(ctx, others)
	if e := refused(t, err, codes.FailedPrecondition, ""); !strings.Contains(e.Message, "name endpoint 'go-state';") {
		t.Fatal(e)
	}
	_, err = client.Apply(ctx, nil)
	refused(t, err, codes.FailedPrecondition, "")
	_, err = client.Apply(ctx, state, ExpectedRevision(1))
	refused(t, err, codes.Aborted, "")
	moved, err := client.Apply(ctx, state)
	must(t, err)
	pruned, err := client.Apply(ctx, others, Prune())
	must(t, err)
	if len(moved.Changes) != 1 || pruned.Changes[0].Action != adminv1.ChangeAction_CHANGE_ACTION_REMOVE {
		t.Fatal(moved, pruned)
	}
	_, err = client.Apply(ctx, state)
	must(t, err)
}

func TestRollouts(t *testing.T) {
	client, ctx := connect(t)
	endpoint(t, client, ctx, "go-rollout")
	plan := &adminv1.RolloutPlan{
		Candidate: "dynamic-2", Steps: []string{"10%", "50%"}, Minimum: durationpb.New(time.Hour),
	}
	preview, err := client.StartRollout(ctx, "go-rollout", plan, ValidateOnly())
	must(t, err)
	started, err := client.StartRollout(ctx, "go-rollout", plan, Comment("from Go"))
	must(t, err)
	if len(preview.Preview) != 3 || len(started.Rollout.Plan.Steps) != 3 {
		t.Fatal(preview, started)
	}
	paused, err := client.PauseRollout(ctx, "go-rollout")
	must(t, err)
	resumed, err := client.ResumeRollout(ctx, "go-rollout", ResumeUnchanged)
	must(t, err)
	advanced, err := client.AdvanceRollout(ctx, "go-rollout")
	must(t, err)
	if paused.Pause != "operator" || resumed.Pause != "" || advanced.Step != 1 {
		t.Fatal(paused, resumed, advanced)
	}
	all, err := client.ListRollouts(ctx)
	must(t, err)
	if len(all) != 1 || all[0].Endpoint != "go-rollout" {
		t.Fatal(all)
	}
	must(t, client.WatchRollout(ctx, "go-rollout", func(seen *adminv1.Rollout) bool { return seen.Step != 1 }))
	_, err = client.AbortRollout(ctx, "go-rollout", AbortImmediate)
	must(t, err)
	var last adminv1.RolloutPhase
	must(t, client.WatchRollout(ctx, "go-rollout", func(seen *adminv1.Rollout) bool {
		last = seen.Phase
		return true
	}))
	latest, err := client.GetRollout(ctx, "go-rollout")
	must(t, err)
	aborted := adminv1.RolloutPhase_ROLLOUT_PHASE_ABORTED
	if last != aborted || latest.Phase != aborted {
		t.Fatal(last, latest)
	}
	_, err = client.StartRollout(ctx, "go-rollout", plan)
	must(t, err)
	promoted, err := client.PromoteRollout(ctx, "go-rollout")
	must(t, err)
	if promoted.Phase != adminv1.RolloutPhase_ROLLOUT_PHASE_SUCCEEDED {
		t.Fatal(promoted)
	}
	_, err = client.SetTraffic(ctx, "go-rollout", map[string]float64{"dynamic": 1})
	must(t, err)
	_, err = client.StartRollout(ctx, "go-rollout", plan)
	must(t, err)
	_, err = client.AbortRollout(ctx, "go-rollout", AbortKeepWeights)
	must(t, err)
	kept, err := client.GetEndpoint(ctx, "go-rollout")
	must(t, err)
	if len(kept.Weights) != 2 {
		t.Fatal(kept)
	}
	refused(t, client.WatchRollout(ctx, "none", nil), codes.NotFound, "")
}

func TestMisuse(t *testing.T) {
	client, ctx := connect(t)
	_, err := Dial(ctx, client.DataAddress)
	if e := refused(t, err, codes.Unimplemented, ""); !strings.Contains(e.Message, "it may be a data port") {
		t.Fatal(e)
	}
	_, err = Dial(ctx, "127.0.0.1:1")
	if e := refused(t, err, codes.Unavailable, ""); !strings.Contains(e.Message, "weir serve") {
		t.Fatal(e)
	}
	if _, err = Dial(ctx, "http://127.0.0.1:8001"); err == nil || !strings.Contains(err.Error(), "use host:port") {
		t.Fatal(err)
	}
	other, err := Dial(ctx, os.Getenv("WEIR_ADMIN"))
	must(t, err)
	must(t, other.Close())
	must(t, other.Close())
}

func TestTokens(t *testing.T) {
	for address, isLocal := range map[string]bool{
		"127.0.0.1:1": true, "localhost:1": true, "[::1]:1": true, "192.0.2.1:1": false, "host:1": false, "": false,
	} {
		if isLoopback(address) != isLocal {
			t.Fatal(address)
		}
	}
	if _, err := Dial(context.Background(), "192.0.2.1:1", Token("secret")); err == nil {
		t.Fatal("sends a token in plaintext")
	}
	_, ctx := connect(t)
	guarded := os.Getenv("WEIR_GUARDED")
	if guarded == "" {
		t.Skip("WEIR_GUARDED is not set: see Tests/Python/test_clients.py")
	}
	for _, options := range [][]Option{nil, {Token("wrong")}} {
		_, err := Dial(ctx, guarded, options...)
		refused(t, err, codes.Unauthenticated, "")
	}
	client, err := Dial(ctx, guarded, Token(os.Getenv("WEIR_TOKEN")))
	must(t, err)
	defer client.Close()
	_, err = client.ListBackends(ctx)
	must(t, err)
	refused(t, client.WatchRollout(ctx, "recorded", nil), codes.NotFound, "")
	keyed := WithShardKey(ctx, "token-test")
	_, err = client.Handle("recorded").Call(keyed, 1, nil)
	must(t, err)
	must(t, client.Data().Invoke(
		keyed, "/helloworld.Greeter/SayHello", wrapperspb.String("a"), &wrapperspb.StringValue{}))
}

func TestShardKeysOfMetadata(t *testing.T) {
	client, ctx := connect(t)
	var keys struct{ Valid, Invalid []string }
	vectors(t, "shard_keys.json", &keys)
	described, err := client.GetEndpoint(ctx, "greeter")
	must(t, err)
	affinity, err := NewAffinityMap(described)
	must(t, err)
	greet := func(key string, options ...grpc.CallOption) error {
		return client.Data().Invoke(WithShardKey(ctx, key), "/helloworld.Greeter/SayHello",
			wrapperspb.String("a"), &wrapperspb.StringValue{}, options...)
	}
	for _, key := range keys.Valid {
		var trailer metadata.MD
		must(t, CheckShardKey(key))
		must(t, greet(key, grpc.Trailer(&trailer)))
		owner, err := affinity.Explain(key)
		must(t, err)
		if AnsweredBy(trailer) != owner.Backend {
			t.Fatal(key, trailer, owner)
		}
	}
	for _, key := range keys.Invalid {
		_, err := client.Handle("greeter").Call(WithShardKey(ctx, key), 1, nil)
		refused(t, err, codes.InvalidArgument, "")
		_, err = client.Data().NewStream(WithShardKey(ctx, key), &grpc.StreamDesc{}, "/helloworld.Greeter/SayHello")
		for _, err := range []error{err, greet(key), CheckShardKey(key)} {
			if status.Code(err) != codes.InvalidArgument {
				t.Fatalf("%q: %v", key, err)
			}
		}
	}
	if len(keys.Valid) < 5 || len(keys.Invalid) < 10 {
		t.Fatal(keys)
	}
}

// vectors reads a file of the folder WEIR_VECTORS.
func vectors(t *testing.T, name string, into interface{}) {
	folder := os.Getenv("WEIR_VECTORS")
	if folder == "" {
		folder = "../../protos/vectors"
	}
	text, err := os.ReadFile(folder + "/" + name)
	must(t, err)
	must(t, json.Unmarshal(text, into))
}

func TestHandleAndOfflineExplain(t *testing.T) {
	client, ctx := connect(t)
	endpoint(t, client, ctx, "go-handle")
	_, err := client.SetTraffic(ctx, "go-handle", map[string]float64{"dynamic": 0.5, "dynamic-2": 0.5})
	must(t, err)
	described, err := client.GetEndpoint(ctx, "go-handle")
	must(t, err)
	affinity, err := NewAffinityMap(described)
	must(t, err)
	handle := client.Handle("go-handle").Method("other")
	seen := map[string]bool{}
	for i := 0; i < 40; i++ {
		key := fmt.Sprintf("user-%d", i)
		response, err := handle.Call(WithShardKey(ctx, key), map[string]int{"n": i}, url.Values{"x-a": {"ü"}})
		must(t, err)
		owner, err := affinity.Explain(key)
		must(t, err)
		told, err := client.Explain(ctx, "go-handle", key)
		must(t, err)
		if response.Backend != owner.Backend || told.Backend != owner.Backend || told.Point != owner.Point {
			t.Fatal(key, response.Backend, owner, told)
		}
		seen[owner.Backend] = true
		var got servev1.CallRequest
		must(t, proto.Unmarshal(response.Body, &got))
		if string(got.Payload) != fmt.Sprintf(`{"n":%d}`, i) || got.MethodName != "other" || got.Query != "x-a=%C3%BC" {
			t.Fatal(&got)
		}
	}
	if len(seen) != 2 {
		t.Fatal(seen)
	}
	response, err := client.Handle("go-handle").Call(ctx, nil, url.Values{"type": {"application/json"}})
	must(t, err)
	var value interface{}
	if response.Status != 200 || response.Decode(&value) == nil {
		t.Fatal("decoded a protobuf message as JSON")
	}
	_, err = client.Handle("go-none").Call(ctx, "text", nil)
	refused(t, err, codes.NotFound, "")
}

func TestShardKeyOfStubs(t *testing.T) {
	client, ctx := connect(t)
	described, err := client.GetEndpoint(ctx, "greeter")
	must(t, err)
	affinity, err := NewAffinityMap(described)
	must(t, err)
	for i := 0; i < 20; i++ {
		key := fmt.Sprintf("user-%d", i)
		var trailer metadata.MD
		reply := &wrapperspb.StringValue{}
		// A StringValue has the format of HelloRequest and HelloReply.
		err := client.Data().Invoke(
			WithShardKey(ctx, key), "/helloworld.Greeter/SayHello", wrapperspb.String(key), reply, grpc.Trailer(&trailer))
		must(t, err)
		owner, err := affinity.Explain(key)
		must(t, err)
		if AnsweredBy(trailer) != owner.Backend || reply.Value != key {
			t.Fatal(key, trailer, owner)
		}
	}
}

func TestPublishedVectors(t *testing.T) {
	var published struct {
		Cases []struct {
			Endpoint  string
			Intervals []struct{ Start, Backend string }
			Choices   []struct{ Key, Point, Backend string }
		}
	}
	vectors(t, "affinity.json", &published)
	checked := 0
	for _, c := range published.Cases {
		endpoint := &adminv1.Endpoint{Name: c.Endpoint}
		for _, part := range c.Intervals {
			start, err := strconv.ParseUint(part.Start, 10, 64)
			must(t, err)
			endpoint.Intervals = append(endpoint.Intervals, &adminv1.Interval{Start: start, Backend: part.Backend})
		}
		affinity, err := NewAffinityMap(endpoint)
		must(t, err)
		for _, choice := range c.Choices {
			if fmt.Sprint(affinity.Point(choice.Key)) != choice.Point {
				t.Fatalf("point of %q at %q", choice.Key, c.Endpoint)
			}
			owner, err := affinity.Explain(choice.Key)
			if choice.Key == "" {
				if err == nil {
					t.Fatal("an empty key has an owner")
				}
				continue
			}
			if err != nil || owner.Backend != choice.Backend {
				t.Fatalf("%q at %q: %v, %v", choice.Key, c.Endpoint, owner, err)
			}
			checked++
		}
	}
	if checked < 20 {
		t.Fatal("only", checked, "vectors")
	}
}
