package weir

import (
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// An Error is the error of a failed call, with Weir's message. Use errors.As to access it;
// status.Code and status.FromError read it too.
type Error struct {
	Code    codes.Code
	Message string
	// Field is the invalid field of the request, and Reason the rule that rejected it
	// ("REVISION_CONFLICT", ...); empty if unknown.
	Field  string
	Reason string
	// Metadata is the metadata of the reason.
	Metadata map[string]string

	status *status.Status
}

func (e *Error) Error() string { return fmt.Sprintf("weir: %s: %s", e.Code, e.Message) }

// GRPCStatus is the received status.
func (e *Error) GRPCStatus() *status.Status { return e.status }

// asError converts a status to an Error; it returns nil for nil.
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
