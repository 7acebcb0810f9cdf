// The Gateway API's own definitions, for a cluster of the tests: files of this module and no program.
module vre-operator.invalid/gateway

go 1.24.0

require sigs.k8s.io/gateway-api v1.4.1
