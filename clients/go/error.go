package weir

import (
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// An Error is what a call ended with when it did not end well, in Weir's words. Use errors.As to get at it;
// status.Code and status.FromError read it too.
type Error struct {
	Code    codes.Code
	Message string
	// Field of the request that is wrong, and Reason, the rule that refused it ("REVISION_CONFLICT", ...), where
	// they are known.
	Field  string
	Reason string
	// Metadata is what belongs to the reason.
	Metadata map[string]string

	status *status.Status
}

func (e *Error) Error() string { return fmt.Sprintf("weir: %s: %s", e.Code, e.Message) }

// GRPCStatus is the status as it came.
func (e *Error) GRPCStatus() *status.Status { return e.status }

// asError turns a status into an Error; nil stays nil.
func asError(err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	e := &Error{Code: s.Code(), Message: s.Message(), status: s}
	for _, detail := range s.Details() {
		switch detail := detail.(type) {
		case *errdetails.BadRequest:
			if violations := detail.GetFieldViolations(); len(violations) > 0 {
				e.Field = violations[0].GetField()
			}
		case *errdetails.ErrorInfo:
			e.Reason, e.Metadata = detail.GetReason(), detail.GetMetadata()
			e.Field = e.Metadata["field"]
		}
	}
	return e
}
