# frozen_string_literal: true

# A client of a running Weir: changes and reads its routing, and calls its endpoints.
#
#   client = Weir.connect('127.0.0.1:8001')
#   client.create_backend('model-v2', ['10.0.0.8:50051'])
#   client.set_traffic('model', 'model-v1' => 0.9, 'model-v2' => 0.1)
#
# Existing stubs work unchanged; see Weir::ShardKey.
module Weir
  # Metadata that Weir reads and writes.
  SHARD_KEY = 'x-serve-shard-key'
  ENDPOINT = 'x-serve-endpoint'
  BACKEND = 'x-serve-backend'
  SHADOW = 'x-serve-shadow'

  # Connects to the admin port at host:port, by default that of the variable WEIR_ADMIN; see
  # Weir::Client.
  def self.connect(address = ENV.fetch('WEIR_ADMIN', '127.0.0.1:8001'), **options)
    Client.new(address, **options)
  end
end

require 'etc'
require 'grpc'
require 'json'
require 'socket'
require 'uri'
require 'weir/admin/v1/admin_services_pb'
require 'weir/v1/serve_services_pb'
require 'weir/affinity'
require 'weir/token'
require 'weir/errors'
require 'weir/values'
require 'weir/handle'
require 'weir/shard_key'
require 'weir/rollouts'
require 'weir/client'
require 'weir/version'
