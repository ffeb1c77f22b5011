package weir

import (
	"errors"
	"math"
	"sort"

	"github.com/OneOfOne/xxhash"
	"weir.local/weir/clients/go/adminv1"
)

// An AffinityMap computes the backend of a shard key locally, from intervals of the points [0,
// 2^64), each with one owner. The point of a key is XXH64(key, XXH64(endpoint, 0));
// protos/vectors/affinity.json has test vectors.
type AffinityMap struct {
	seed      uint64
	intervals []*adminv1.Interval
}

// An Owner is the owner of a shard key: the backend, and the interval that contains the key's
// point.
type Owner struct {
	Backend            string
	Point, First, Last uint64
}

// NewAffinityMap creates a map from the result of [Client.GetEndpoint].
func NewAffinityMap(endpoint *adminv1.Endpoint) (*AffinityMap, error) {
	intervals := endpoint.GetIntervals()
	if len(intervals) == 0 || intervals[0].GetStart() != 0 {
		return nil, errors.New("weir: the intervals of an affinity map must begin at 0")
	}
	return &AffinityMap{xxhash.ChecksumString64S(endpoint.GetName(), 0), intervals}, nil
}

// Point returns the point of a key.
func (m *AffinityMap) Point(shardKey string) uint64 {
	return xxhash.ChecksumString64S(shardKey, m.seed)
}

// Explain returns the backend of a key. An empty key counts as no key, and is an error.
func (m *AffinityMap) Explain(shardKey string) (Owner, error) {
	if shardKey == "" {
		return Owner{}, errors.New("weir: the shard key is empty; without a key, Weir selects the backend at random")
	}
	point := m.Point(shardKey)
	next := sort.Search(len(m.intervals), func(i int) bool { return m.intervals[i].GetStart() > point })
	owner := m.intervals[next-1]
	last := uint64(math.MaxUint64)
	if next < len(m.intervals) {
		last = m.intervals[next].GetStart() - 1
	}
	return Owner{owner.GetBackend(), point, owner.GetStart(), last}, nil
}
