Gem::Specification.new do |spec|
  spec.name = 'weir-client'
  spec.version = '0.1.0'
  spec.summary = 'Client of Weir: traffic splits, shadow traffic and shard keys for gRPC services'
  spec.authors = ['The engineers of Weir']
  spec.license = 'Apache-2.0'
  spec.required_ruby_version = '>= 2.7'
  spec.files = Dir['lib/**/*.rb'] + ['README.md']
  spec.add_dependency 'google-protobuf', '>= 3.21'
  spec.add_dependency 'googleapis-common-protos-types', '>= 1.4'
  spec.add_dependency 'grpc', '>= 1.50'
end
