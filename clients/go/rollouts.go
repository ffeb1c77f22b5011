package weir

import (
	"context"
	"errors"
	"io"

	"weir.local/weir/clients/go/adminv1"
)

// StartRollout starts to move the traffic of an endpoint to a backend step by step.
func (c *Client) StartRollout(
	ctx context.Context, endpoint string, plan *adminv1.RolloutPlan, options ...ChangeOption,
) (*adminv1.StartRolloutResponse, error) {
	change, note := c.change(options)
	reply, err := c.Admin.StartRollout(ctx, &adminv1.StartRolloutRequest{
		Endpoint: endpoint, Plan: plan,
		ExpectedRevision: change.ExpectedRevision, ValidateOnly: change.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}

// GetRollout returns the latest rollout of an endpoint.
func (c *Client) GetRollout(ctx context.Context, endpoint string) (*adminv1.Rollout, error) {
	reply, err := c.Admin.GetRollout(ctx, &adminv1.GetRolloutRequest{Endpoint: endpoint})
	return reply, asError(err)
}

// ListRollouts returns the latest rollout of each endpoint.
func (c *Client) ListRollouts(ctx context.Context) ([]*adminv1.Rollout, error) {
	reply, err := c.Admin.ListRollouts(ctx, &adminv1.ListRolloutsRequest{})
	return reply.GetRollouts(), asError(err)
}

// WatchRollout passes a rollout when it changes, until it ends or the function returns false.
func (c *Client) WatchRollout(
	ctx context.Context, endpoint string, receive func(*adminv1.Rollout) bool,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Admin.WatchRollout(ctx, &adminv1.WatchRolloutRequest{Endpoint: endpoint})
	if err != nil {
		return asError(err)
	}
	for {
		rollout, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return asError(err)
		}
		if !receive(rollout) {
			return nil
		}
	}
}

// PauseRollout stops all automatic changes of a rollout; its weights stay.
func (c *Client) PauseRollout(
	ctx context.Context, endpoint string, options ...ChangeOption,
) (*adminv1.Rollout, error) {
	change, note := c.change(options)
	reply, err := c.Admin.PauseRollout(ctx, &adminv1.PauseRolloutRequest{
		Endpoint:         endpoint,
		ExpectedRevision: change.ExpectedRevision, ValidateOnly: change.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}

// Resume is how a rollout continues after another actor's change of the weights.
type Resume int

const (
	// ResumeUnchanged is for weights that did not change.
	ResumeUnchanged Resume = iota
	// ResumeAdopt continues from the present weights.
	ResumeAdopt
	// ResumeRestore sets the weights of the step again.
	ResumeRestore
)

// ResumeRollout continues a paused rollout.
func (c *Client) ResumeRollout(
	ctx context.Context, endpoint string, weights Resume, options ...ChangeOption,
) (*adminv1.Rollout, error) {
	change, note := c.change(options)
	reply, err := c.Admin.ResumeRollout(ctx, &adminv1.ResumeRolloutRequest{
		Endpoint: endpoint, Adopt: weights == ResumeAdopt, Restore: weights == ResumeRestore,
		ExpectedRevision: change.ExpectedRevision, ValidateOnly: change.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}

// AdvanceRollout approves a complete step, or skips one that is not. It ends the bake.
func (c *Client) AdvanceRollout(
	ctx context.Context, endpoint string, options ...ChangeOption,
) (*adminv1.Rollout, error) {
	change, note := c.change(options)
	reply, err := c.Admin.AdvanceRollout(ctx, &adminv1.AdvanceRolloutRequest{
		Endpoint:         endpoint,
		ExpectedRevision: change.ExpectedRevision, ValidateOnly: change.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}

// PromoteRollout routes all requests to the candidate at once.
func (c *Client) PromoteRollout(
	ctx context.Context, endpoint string, options ...ChangeOption,
) (*adminv1.Rollout, error) {
	change, note := c.change(options)
	reply, err := c.Admin.PromoteRollout(ctx, &adminv1.PromoteRolloutRequest{
		Endpoint:         endpoint,
		ExpectedRevision: change.ExpectedRevision, ValidateOnly: change.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}

// Abort is how an aborted rollout leaves the weights.
type Abort int

const (
	// AbortRamped returns to the weights before the rollout by the ramp of the plan.
	AbortRamped Abort = iota
	// AbortImmediate returns to them at once.
	AbortImmediate
	// AbortKeepWeights keeps the present weights.
	AbortKeepWeights
)

// AbortRollout ends a rollout.
func (c *Client) AbortRollout(
	ctx context.Context, endpoint string, weights Abort, options ...ChangeOption,
) (*adminv1.Rollout, error) {
	change, note := c.change(options)
	reply, err := c.Admin.AbortRollout(ctx, &adminv1.AbortRolloutRequest{
		Endpoint: endpoint, Immediate: weights == AbortImmediate, KeepWeights: weights == AbortKeepWeights,
		ExpectedRevision: change.ExpectedRevision, ValidateOnly: change.ValidateOnly, Note: note,
	})
	return reply, asError(err)
}
