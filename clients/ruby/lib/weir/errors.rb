# frozen_string_literal: true

# Adds `is` and `unpack` to Any.
require 'google/protobuf/well_known_types'
require 'google/rpc/error_details_pb'
require 'google/rpc/status_pb'

module Weir
  # The error of a failed call, with Weir's message.
  class Error < StandardError
    # The gRPC status code, a constant of GRPC::Core::StatusCodes.
    attr_reader :code
    # The invalid field of the request, and the rule that rejected it ("REVISION_CONFLICT", ...), if
    # known.
    attr_reader :field, :reason
    # The metadata of the reason.
    attr_reader :metadata

    # `error` is an exception of gRPC, or an Error that gets another message.
    def initialize(error, message = error.details)
      super(message)
      @code = error.code
      @metadata = {}
      packed = error.metadata['grpc-status-details-bin']
      Google::Rpc::Status.decode(packed).details.each { |detail| read(detail) } if packed
    rescue Google::Protobuf::ParseError
      # Any backend can send these bytes.
    end

    private

    def read(detail)
      if detail.is(Google::Rpc::BadRequest)
        @field = detail.unpack(Google::Rpc::BadRequest).field_violations.first&.field
      elsif detail.is(Google::Rpc::ErrorInfo)
        info = detail.unpack(Google::Rpc::ErrorInfo)
        @reason = info.reason
        @metadata = info.metadata.to_h
        @field = @metadata['field']
      end
    end
  end

  class NotFound < Error; end
  class AlreadyExists < Error; end
  class InvalidArgument < Error; end
  class FailedPrecondition < Error; end
  class Aborted < Error; end
  # The expected revision is not the current one.
  class RevisionConflict < Aborted; end
  class Unavailable < Error; end
  class DeadlineExceeded < Error; end
  class ResourceExhausted < Error; end
  class Unimplemented < Error; end

  BY_CODE = {
    GRPC::Core::StatusCodes::NOT_FOUND => NotFound,
    GRPC::Core::StatusCodes::ALREADY_EXISTS => AlreadyExists,
    GRPC::Core::StatusCodes::INVALID_ARGUMENT => InvalidArgument,
    GRPC::Core::StatusCodes::FAILED_PRECONDITION => FailedPrecondition,
    GRPC::Core::StatusCodes::ABORTED => Aborted,
    GRPC::Core::StatusCodes::UNAVAILABLE => Unavailable,
    GRPC::Core::StatusCodes::DEADLINE_EXCEEDED => DeadlineExceeded,
    GRPC::Core::StatusCodes::RESOURCE_EXHAUSTED => ResourceExhausted,
    GRPC::Core::StatusCodes::UNIMPLEMENTED => Unimplemented
  }.freeze
  private_constant :BY_CODE

  # Converts exceptions of gRPC in a block to an Error.
  def self.translating
    yield
  rescue GRPC::BadStatus => e
    error = BY_CODE.fetch(e.code, Error).new(e)
    # Backends use the code for other errors.
    raise error.is_a?(Aborted) && error.reason == 'REVISION_CONFLICT' ? RevisionConflict.new(e) : error
  rescue RuntimeError => e
    # The text of gRPC for a channel that was closed.
    raise unless e.message == 'closed!'

    raise FailedPrecondition, GRPC::FailedPrecondition.new('the client is closed: connect again')
  end
end
