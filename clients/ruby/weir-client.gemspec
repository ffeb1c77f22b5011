# frozen_string_literal: true

require_relative 'lib/weir/version'

Gem::Specification.new do |spec|
  spec.name = 'weir-client'
  spec.version = Weir::VERSION
  spec.summary = 'Client of Weir: traffic splits, shadow traffic and shard keys for gRPC services'
  spec.authors = ['The engineers of Weir']
  spec.license = 'Apache-2.0'
  spec.homepage = 'https://weir.local'
  spec.metadata = {
    'source_code_uri' => 'https://weir.local/weir',
    'changelog_uri' => 'https://weir.local/weir/clients/ruby/CHANGELOG.md',
    'rubygems_mfa_required' => 'true'
  }
  spec.required_ruby_version = '>= 2.7'
  spec.files = Dir['lib/**/*.rb', base: __dir__] + %w[README.md CHANGELOG.md LICENSE]
  # The generated messages need the builder of descriptors that version 4 removed.
  spec.add_dependency 'google-protobuf', '~> 3.21'
  spec.add_dependency 'googleapis-common-protos-types', '~> 1.4'
  spec.add_dependency 'grpc', '~> 1.50'
end
