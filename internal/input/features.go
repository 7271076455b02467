package input

import (
	"math"
	"slices"

	"parley/dialog"
)

// Statistics are the counts of the index that is searched, or was trained on.
type Statistics interface {
	N() int             // passages
	DF(term uint32) int // passages that have term
}

// FeatureVersion is the version of the features: what they are, and how they are
// numbered. Trained weights mean nothing under another.
const FeatureVersion = 1

// Families is the number of features that every occurrence has, one of each
// family.
const Families = 12

// The buckets of the features' ingredients.
const (
	distanceBuckets = 12 // 0, 1, …, 10, more
	idfBuckets      = 26 // no passage has the term; then steps of 1/2
	countBuckets    = 6  // 1, 2, 3, 4, 5–6, more
	placeBuckets    = 8  // position in the utterance, on a coarsening scale
	lengthBuckets   = 8  // content tokens of the current question, likewise
	rarityBuckets   = 13 // highest idf in the current question, in steps of 1
	roles           = 2
)

// sizes are the numbers of features of the families, in the order in which
// fill writes them.
var sizes = [Families]int{
	roles * distanceBuckets,            // who said it, how long ago
	idfBuckets,                         // how rare it is
	countBuckets,                       // how often it occurs in the context
	2 * idfBuckets,                     // whether it is in the current question, by rarity
	2 * distanceBuckets,                // whether it is in the oldest turn, by distance
	placeBuckets,                       // where it stands in its utterance
	distanceBuckets * idfBuckets,       // crosses
	distanceBuckets * countBuckets,     //
	roles * idfBuckets,                 //
	distanceBuckets * lengthBuckets,    // a short question leans on the history
	distanceBuckets * rarityBuckets,    // so does one without a rare term
	2 * countBuckets * distanceBuckets, // whether it continues a word, by count and distance
}

// Features is the number of distinct features over all families.
var Features = func() int {
	n := 0
	for _, size := range sizes {
		n += size
	}
	return n
}()

// Terms are the distinct content terms of a context with their occurrences,
// as the lexical students weigh them.
type Terms struct {
	IDs       []uint32 // [T] distinct term ids, increasing
	Start     []int32  // [T+1] the occurrences of term t are Start[t] to Start[t+1]
	Positions []int32  // [O] where in the context each occurrence stands, increasing within a term
	Features  []uint16 // [O × Families] the features of each occurrence
}

// Terms lists the content terms of c with their features under stats.
func (r *Reader) Terms(c Context, stats Statistics) Terms {
	positions := make([]int32, 0, c.Len())
	for p, id := range c.IDs {
		if r.content[id] {
			positions = append(positions, int32(p))
		}
	}
	slices.SortFunc(positions, func(a, b int32) int {
		if ida, idb := c.IDs[a], c.IDs[b]; ida != idb {
			return int(int64(ida) - int64(idb))
		}
		return int(a - b)
	})
	t := Terms{Positions: positions, Features: make([]uint16, len(positions)*Families)}
	for o, p := range positions {
		if id := c.IDs[p]; o == 0 || id != t.IDs[len(t.IDs)-1] {
			t.IDs = append(t.IDs, id)
			t.Start = append(t.Start, int32(o))
		}
	}
	t.Start = append(t.Start, int32(len(positions)))
	f := r.newFeaturizer(c, stats)
	for i, id := range t.IDs {
		f.fill(t.Features[int(t.Start[i])*Families:], id, t.Positions[t.Start[i]:t.Start[i+1]])
	}
	return t
}

// featurizer holds what the features of one context share.
type featurizer struct {
	context  Context
	stats    Statistics
	reader   *Reader
	places   []uint8 // [L] bucket of the position in the utterance
	question int     // tokens of the current question
	oldest   uint8   // distance of the oldest turn that the token budget left
	length   int     // bucket of the current question's length
	rarity   int     // bucket of its highest idf
}

func (r *Reader) newFeaturizer(c Context, stats Statistics) *featurizer {
	f := &featurizer{context: c, stats: stats, reader: r, places: make([]uint8, c.Len())}
	place, content := 0, 0
	for p, id := range c.IDs {
		if p > 0 && c.IDs[p-1] == r.separator {
			place = 0
		}
		f.places[p] = uint8(coarse(place))
		place++
		f.oldest = max(f.oldest, c.Distances[p])
		if c.Distances[p] == 0 && id != r.separator {
			f.question = p + 1
			if r.content[id] {
				content++
				f.rarity = max(f.rarity, min(rarityBuckets-1, f.idf(id)/2))
			}
		}
	}
	f.length = coarse(content)
	return f
}

// idf returns the bucket of log(N/df): 0 where df is 0.
func (f *featurizer) idf(id uint32) int {
	df, n := f.stats.DF(id), f.stats.N()
	if df <= 0 || n <= 0 {
		return 0
	}
	idf := max(0, math.Log(float64(n)/float64(df)))
	return 1 + min(int(2*idf), idfBuckets-2)
}

// steps are where the coarsening scale moves to its next bucket: 0, 1, 2, 3,
// 4–5, 6–8, 9–13, 14 and more.
var steps = [placeBuckets - 1]int{1, 2, 3, 4, 6, 9, 14}

// coarse buckets a count on the coarsening scale.
func coarse(n int) int {
	bucket := 0
	for bucket < len(steps) && n >= steps[bucket] {
		bucket++
	}
	return bucket
}

func countBucket(n int) int {
	if n <= 4 {
		return n - 1
	}
	if n <= 6 {
		return 4
	}
	return 5
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// fill writes the features of one term's occurrences to out.
func (f *featurizer) fill(out []uint16, id uint32, positions []int32) {
	idf, count := f.idf(id), countBucket(len(positions))
	inQuestion := truth(int(positions[0]) < f.question)
	inOldest := truth(f.context.Distances[positions[len(positions)-1]] == f.oldest)
	continues := truth(f.reader.continues[id])
	for i, p := range positions {
		role := truth(f.context.Roles[p] == dialog.Answer)
		distance := int(min(f.context.Distances[p], distanceBuckets-1))
		features := [Families]int{
			role*distanceBuckets + distance,
			idf,
			count,
			inQuestion*idfBuckets + idf,
			inOldest*distanceBuckets + distance,
			int(f.places[p]),
			distance*idfBuckets + idf,
			distance*countBuckets + count,
			role*idfBuckets + idf,
			distance*lengthBuckets + f.length,
			distance*rarityBuckets + f.rarity,
			(continues*countBuckets+count)*distanceBuckets + distance,
		}
		base := 0
		for k, feature := range features {
			out[i*Families+k] = uint16(base + feature)
			base += sizes[k]
		}
	}
}
